"""JSON Lines in and out, with the file and line of whatever cannot be read."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from evaluation.toolcalls import DECISIONS
from jobs.doors import BadInput


def read_jsonl(path: Path) -> list[dict[str, Any]]:
    """Read a file of JSON objects, one a line; blank lines are skipped.

    Raises BadInput naming the file and the line.
    """
    return [record for _, record in read_numbered(path)]


def read_numbered(path: Path) -> list[tuple[int, dict[str, Any]]]:
    """Read as `read_jsonl` does, each object with the number of its line, from 1."""
    if not path.is_file():
        raise BadInput(f"{path}: there is no such file")
    try:
        # Not splitlines: it also breaks at signs that JSON strings may hold, such as U+2028.
        lines = path.read_text(encoding="utf-8").split("\n")
    except UnicodeDecodeError as error:
        raise BadInput(f"{path}: not UTF-8 text: {error}") from error
    return [(number, _read_line(line, path, number)) for number, line in enumerate(lines, 1) if line.strip()]


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Read canonical rows, each with an id of its own; raises BadInput naming the file, row and field."""
    rows = read_jsonl(path)
    seen: set[str] = set()
    for number, row in enumerate(rows, 1):
        fault = _fault_of(row)
        if fault:
            raise BadInput(f"{path}, row {number}: {fault}; run the file through data.prepare")
        if row["id"] in seen:
            raise BadInput(
                f"{path}, row {number}: the id {row['id']!r} is there twice; give each row its own"
            )
        seen.add(row["id"])
    return rows


def write_jsonl(path: Path, records: Iterable[Mapping[str, Any]]) -> None:
    """Write records, one a line; the file appears whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.write_text("".join(line_of(record) for record in records), encoding="utf-8")
    part.replace(path)


def line_of(record: Mapping[str, Any]) -> str:
    """One line of JSON with its line end; in ASCII, which no unpaired surrogate in a text can break."""
    return json.dumps(record, allow_nan=False) + "\n"


def _fault_of(row: Mapping[str, Any]) -> str | None:
    if not isinstance(row.get("id"), str) or not row["id"]:
        return "'id' must be a string"
    if not isinstance(row.get("tools"), str):
        return "'tools' must be the JSON text of a list"
    if not isinstance(row.get("messages"), list):
        return "'messages' must be a list"
    expected = row.get("expected")
    if not isinstance(expected, dict) or expected.get("decision") not in DECISIONS:
        return f"'expected.decision' must be one of {', '.join(DECISIONS)}"
    return None


def _read_line(line: str, path: Path, number: int) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{path}, line {number}: not JSON ({error}); each line must be one object") from error
    if not isinstance(value, dict):
        raise BadInput(f"{path}, line {number}: expected a JSON object, found {line[:80]!r}")
    return value
