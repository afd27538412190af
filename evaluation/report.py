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

from evaluation.comparison import Comparison, Pair, Row
from evaluation.figures import FIGURES
from evaluation.judge import JudgeReport
from evaluation.statistics import Estimate
from evaluation.suites import SUITES
from evaluation.toolcalls.score import Score

TEMPLATES = Path(__file__).resolve().parent / "templates"
SIGNIFICANCE = 0.05
MAX_EXAMPLES_PER_SUITE = 100
MAX_CHARACTERS_SHOWN = 2_000

# Completions by suite, variant and row id.
Completions = Mapping[str, Mapping[str, Mapping[str, str]]]


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


def format_estimate(one: Estimate) -> str:
    """Write an estimate in percent with its interval.

    >>> format_estimate(Estimate(0.5, 0.24, 0.76, 10))
    '50.0 (24.0–76.0)'
    """
    if one.value is None or one.low is None or one.high is None:
        return "—"
    return f"{100 * one.value:.1f} ({100 * one.low:.1f}–{100 * one.high:.1f})"


def describe_pair(pair: Pair) -> str:
    """Say in words whether a difference is real, as far as these rows can tell."""
    result = pair.result
    if result.difference is None or result.low is None or result.high is None or pair.p_holm is None:
        return f"{pair.a} over {pair.b}: no row was scored for both"
    interval = f"{100 * result.low:+.1f} to {100 * result.high:+.1f}"
    verdict = "real" if pair.p_holm < SIGNIFICANCE else "within noise"
    return (
        f"{pair.a} over {pair.b}: {100 * result.difference:+.1f} points, 95% interval {interval}, "
        f"p = {pair.p_holm:.2g} (Holm), {result.n} rows: {verdict}"
    )


def describe_judge(report: JudgeReport) -> str:
    """Say what a judge made of a variant's answers, or why it says nothing."""
    if report.status == "not_run":
        return f"not run: {report.reason}"
    kappa = "none" if report.kappa.value is None else f"{report.kappa.value:.2f}"
    judge = f"{report.model}, prompt {report.prompt}, kappa {kappa} on {report.kappa.n} gold answers"
    if report.withheld:
        return f"withheld: {report.reason} ({judge})"
    accuracy, f1 = (format_estimate(report.metrics[name]) for name in ("accuracy", "macro_f1"))
    return f"accuracy {accuracy}, macro F1 {f1}, {report.judged} rows ({judge})"


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
