"""Counts behind every figure: accuracy, rates of parts, recall by decision, confusion.

Unscored rows are left out of every count; what has no rows is None, not zero.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from evaluation.toolcalls.decision import DECISIONS
from evaluation.toolcalls.score import Score


class Proportion(NamedTuple):
    """`successes` of `n`; its value is None where n is 0."""

    successes: int
    n: int

    @property
    def value(self) -> float | None:
        """The share in [0, 1]."""
        return self.successes / self.n if self.n else None


class Graded(NamedTuple):
    """A score beside the decision that its row expects."""

    expected: str
    score: Score


def accuracy(scores: Iterable[Score]) -> Proportion:
    """The share of scored rows that are correct in every respect (value 1)."""
    return _proportion([score.is_correct for score in scores if score.value is not None])


def part_rate(scores: Iterable[Score], part: str) -> Proportion:
    """The share of scored rows with that part whose part is 1: `acc`, `acc_norm`, `decision`, `tool`, …"""
    scored = [score for score in scores if score.value is not None and part in score.parts]
    return _proportion([score.parts[part] == 1.0 for score in scored])


def recall_by_decision(graded: Sequence[Graded]) -> dict[str, Proportion]:
    """Of the rows that expect a decision, the share for which it was taken; for each of the four."""
    return {
        decision: part_rate((one.score for one in graded if one.expected == decision), "decision")
        for decision in DECISIONS
    }


def confusion(graded: Sequence[Graded]) -> dict[str, dict[str, int]]:
    """Counts by expected and by taken decision: ``{expected: {taken: rows}}``, absent pairs left out."""
    pairs = Counter((one.expected, one.score.decision) for one in graded if one.score.value is not None)
    table: dict[str, dict[str, int]] = {}
    for (expected, taken), count in sorted(pairs.items(), key=str):
        table.setdefault(expected, {})[str(taken)] = count
    return table


def reasons(scores: Iterable[Score]) -> dict[str, int]:
    """How often each reason was given, the commonest first."""
    return dict(Counter(score.reason for score in scores if score.reason is not None).most_common())


def _proportion(outcomes: Sequence[bool]) -> Proportion:
    return Proportion(sum(outcomes), len(outcomes))
