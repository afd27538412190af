"""The answers of all variants as a table: a row a test row, cut so that a page can show it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

PROMPT_CHARACTERS = 1500
ANSWER_CHARACTERS = 800
# In each cell, of what a variant made of a row.
PARTS = ("text", "outcome", "value", "reason")


def table_of_answers(
    rows: Sequence[Mapping[str, Any]], variants: Sequence[str]
) -> dict[str, list[str | None]]:
    """The columns ``id, prompt, tools offered, gold``, and what each variant wrote with what that is worth.

    `rows`: as evaluation.report.rows shows them. The rows on which the variants differ come first: MLflow
    shows the beginning of a long table. What is cut ends in ``…``; the files beside the table hold all of it.
    """
    names = [f"{variant}: {part}" for variant in variants for part in ("answer", *PARTS[1:])]
    columns: dict[str, list[str | None]] = {
        name: [] for name in ("id", "prompt", "tools offered", "gold", *names)
    }
    for row in sorted(rows, key=lambda one: not differs(one)):
        for column, cell in zip(columns.values(), _cells(row, variants), strict=True):
            column.append(cell)
    return columns


def differs(row: Mapping[str, Any]) -> bool:
    """Whether some variant is right on the row and another is not."""
    return len({one["outcome"] for one in row["results"].values()}) > 1


def _cells(row: Mapping[str, Any], variants: Sequence[str]) -> list[str | None]:
    written = [row["results"].get(variant, {}) for variant in variants]
    return [
        row["id"],
        _cut(_prompt(row["messages"]), PROMPT_CHARACTERS),
        row["offered"],
        _cut(_gold(row), ANSWER_CHARACTERS),
        *(_cell(one, part) for one in written for part in PARTS),
    ]


def _cell(written: Mapping[str, str | None], part: str) -> str | None:
    text = written.get(part)
    return None if text is None else _cut(text, ANSWER_CHARACTERS)


def _prompt(messages: Sequence[Mapping[str, Any]]) -> str:
    if len(messages) == 1:
        return str(messages[0]["text"])
    return "\n".join(_said(one) for one in messages)


def _said(message: Mapping[str, Any]) -> str:
    return f"{message['role']}: {' '.join((message['text'], *message['calls'])).strip()}"


def _gold(row: Mapping[str, Any]) -> str:
    parts = [f"{one['label']}: {one['text']}" for one in row["gold"]]
    return "\n".join((row["decision"], *parts))


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
