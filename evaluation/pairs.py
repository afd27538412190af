"""Variants held against each other: each pair by each share of rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from evaluation.figures import OUTCOMES
from evaluation.statistics import (
    SIGNIFICANCE,
    PairedDifference,
    adjust_by_holm,
    compare_paired,
    detectable_difference,
)
from evaluation.suites import Suite
from evaluation.toolcalls.decision import DECISIONS
from evaluation.toolcalls.metrics import Graded, graded_of
from evaluation.toolcalls.score import Score

Row = Mapping[str, Any]
# A variant's scores by row id.
Scores = Mapping[str, Score]

# The order in which variants are shown; any other follows by name.
VARIANTS = ("base", "prompt", "sft", "dpo", "sft-dpo", "rft", "sft-rft", "sft-dpo-rft")
# What each variant is held against: a over b.
PAIRS = (
    ("prompt", "base"),
    ("sft", "base"),
    ("dpo", "base"),
    ("sft-dpo", "base"),
    ("sft-dpo", "sft"),
    # Whether tuning is worth more than a prompt.
    ("sft", "prompt"),
    ("sft-dpo", "prompt"),
)


# Whether a row counts is the row's matter, but a score has to have the part that is read.
_ANY = Score(0.0, parts=dict.fromkeys(("decision", "acc", "acc_norm", "order"), 0.0))


@dataclass(frozen=True)
class Pair:
    """Variant `a` held against variant `b` by one metric.

    `p_holm` allows for the suite's other pairs by the same metric, `comparisons` of them with this one.
    `detectable`: the smallest difference that so many rows would show at the level left by these, None where
    none would do.
    """

    suite: str
    metric: str
    a: str
    b: str
    result: PairedDifference
    p_holm: float | None = None
    comparisons: int = 1
    detectable: float | None = None

    @property
    def is_real(self) -> bool:
        """Whether p, after Holm, is below 0.05."""
        return self.p_holm is not None and self.p_holm < SIGNIFICANCE


def sort_variants(variants: set[str]) -> list[str]:
    """Put variants into the order in which they are shown."""
    known = {name: number for number, name in enumerate(VARIANTS)}
    return sorted(variants, key=lambda name: (known.get(name, len(known)), name))


def guarded_metrics(suite: Suite) -> list[str]:
    """The suite's shares of rows but its main metric, and the recall of each decision."""
    shares = [name for name in suite.figures if name in OUTCOMES and name != suite.main_metric]
    return [*shares, *(f"recall_{decision}" for decision in DECISIONS)]


def compare_suite(
    suite: Suite, rows: Sequence[Row], scores: Mapping[str, Scores], metrics: Sequence[str]
) -> list[Pair]:
    """Hold the variants of one suite against each other by each metric; Holm allows for the pairs of one."""
    graded = {variant: _grade(rows, by_id) for variant, by_id in scores.items()}
    held = [(a, b) for a, b in PAIRS if a in scores and b in scores]
    pairs = []
    for metric in metrics:
        found = {variant: _outcomes(one, metric) for variant, one in graded.items()}
        results = [_compare(rows, found[a], found[b]) for a, b in held]
        pairs += allow_for_all(
            [Pair(suite.name, metric, a, b, r) for (a, b), r in zip(held, results, strict=True)]
        )
    return pairs


def compare_scores(suite: str, rows: Sequence[Row], a: Scores, b: Scores, metric: str) -> PairedDifference:
    """Compare two variants by a share of rows, over the rows that count for it with both.

    `a`, `b`: their scores by row id. `metric`: of evaluation.figures, or ``recall_<decision>``. Turns of one
    conversation are taken together. Raises ValueError, naming the `suite`, for a metric that is no share of
    rows.
    """
    if metric not in OUTCOMES:
        raise ValueError(f"{suite}: {metric} is no share of rows, which could be compared row by row")
    return _compare(rows, *(_outcomes(_grade(rows, scores), metric) for scores in (a, b)))


def outcome_of(row: Row, score: Score | None, metric: str) -> bool | None:
    """Whether a row is right by a share of rows; None where it is unscored or does not count for it."""
    return None if score is None or score.value is None else OUTCOMES[metric](graded_of(row, score))


def count_rows(rows: Sequence[Row], metric: str) -> int:
    """How many rows count for a share of rows if they are scored, whatever is answered."""
    return sum(OUTCOMES[metric](graded_of(row, _ANY)) is not None for row in rows)


def _grade(rows: Sequence[Row], scores: Scores) -> list[Graded | None]:
    by_row = [scores.get(str(row["id"])) for row in rows]
    return [
        None if score is None or score.value is None else graded_of(row, score)
        for row, score in zip(rows, by_row, strict=True)
    ]


def _outcomes(graded: Sequence[Graded | None], metric: str) -> list[bool | None]:
    return [None if one is None else OUTCOMES[metric](one) for one in graded]


def _compare(rows: Sequence[Row], a: Sequence[bool | None], b: Sequence[bool | None]) -> PairedDifference:
    both = [
        (one, other, unit_of(row, number))
        for number, (row, one, other) in enumerate(zip(rows, a, b, strict=True))
        if one is not None and other is not None
    ]
    return compare_paired(
        [one for one, _, _ in both], [one for _, one, _ in both], [one for _, _, one in both]
    )


def unit_of(row: Row, number: int) -> str | int:
    """What stands or falls together: the conversation whose turn a row is, else the row by its number."""
    return str(row.get("conversation") or "") or number


def allow_for_all(pairs: Sequence[Pair]) -> list[Pair]:
    """Allow for pairs being looked at together: p by Holm, and what so many rows can show at that level."""
    adjusted = adjust_by_holm([pair.result.p for pair in pairs])
    family = sum(p is not None for p in adjusted)
    return [
        replace(pair, p_holm=p, comparisons=family, detectable=_detectable(pair.result, family))
        for pair, p in zip(pairs, adjusted, strict=True)
    ]


def _detectable(result: PairedDifference, comparisons: int) -> float | None:
    if result.discordance is None:
        return None
    rows = result.n / result.design_effect
    return detectable_difference(rows, result.discordance, SIGNIFICANCE / comparisons)
