"""The report: one HTML page that opens from disk, with its pictures inside and no script.

Everything that comes from rows and completions is escaped by the template engine.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from evaluation.comparison import Comparison, Row
from evaluation.completions import Completions
from evaluation.figures import FIGURES
from evaluation.sentences import describe_judge, describe_pair, format_estimate
from evaluation.suites import SUITES
from evaluation.toolcalls.score import Score

TEMPLATES = Path(__file__).resolve().parent / "templates"
MAX_EXAMPLES_PER_SUITE = 100
MAX_CHARACTERS_SHOWN = 2_000


@dataclass(frozen=True)
class Outcome:
    """What one variant made of one row."""

    variant: str
    reason: str
    is_correct: bool
    completion: str


@dataclass(frozen=True)
class Example:
    """A row on which the variants differ."""

    row_id: str
    question: str
    expected: str
    gold: str
    outcomes: Sequence[Outcome]


def render_report(comparison: Comparison, completions: Completions, pictures: Sequence[Path]) -> str:
    """Render the page. `pictures` are put into it; `completions` are shown where variants differ."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    environment.filters["estimate"] = format_estimate
    environment.filters["sentence"] = describe_pair
    environment.filters["judged"] = describe_judge
    return environment.get_template("report.html.jinja").render(
        comparison=comparison,
        suites=SUITES,
        figures=FIGURES,
        pictures={path.stem: _as_data_uri(path) for path in pictures},
        examples={
            suite: find_examples(comparison, suite, completions.get(suite, {})) for suite in comparison.rows
        },
        max_examples=MAX_EXAMPLES_PER_SUITE,
    )


def find_examples(
    comparison: Comparison, suite: str, completions: Mapping[str, Mapping[str, str]]
) -> list[Example]:
    """Find the rows on which some variants are right and others wrong, in the rows' order."""
    scores = comparison.scores[suite]
    examples = []
    for row in comparison.rows[suite]:
        row_id = str(row["id"])
        outcomes = [
            _outcome(variant, scored.get(row_id), completions.get(variant, {}).get(row_id, ""))
            for variant, scored in scores.items()
        ]
        if len({outcome.is_correct for outcome in outcomes}) > 1:
            examples.append(_example(row, outcomes))
    return examples[:MAX_EXAMPLES_PER_SUITE]


def _outcome(variant: str, score: Score | None, completion: str) -> Outcome:
    if score is None or score.value is None:
        return Outcome(variant, "unscored", False, (score.error or "") if score else "")
    return Outcome(variant, str(score.reason), score.is_correct, completion[:MAX_CHARACTERS_SHOWN])


def _example(row: Row, outcomes: Sequence[Outcome]) -> Example:
    expected: Mapping[str, Any] = row["expected"]
    calls = [f"{call['name']}({call['arguments']})" for call in expected.get("calls") or ()]
    gold = expected.get("text") or expected.get("allowed") or "\n".join(calls)
    turns = [str(message.get("content") or "") for message in row["messages"] if message["role"] == "user"]
    question = turns[-1] if turns else ""
    return Example(
        str(row["id"]),
        question[:MAX_CHARACTERS_SHOWN],
        expected["decision"],
        str(gold)[:MAX_CHARACTERS_SHOWN],
        outcomes,
    )


def _as_data_uri(path: Path) -> str:
    return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode("ascii")
