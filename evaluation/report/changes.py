"""What each stage mended and broke: the rows on which a variant and the one it was made from differ."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from evaluation.comparison import Comparison
from evaluation.pairs import outcome_of
from evaluation.suites import SUITES
from evaluation.toolcalls.score import Score

# What each variant was made from.
MADE_FROM = {
    "prompt": "base",
    "sft": "base",
    "dpo": "base",
    "sft-dpo": "sft",
    "rft": "base",
    "sft-rft": "sft",
    "sft-dpo-rft": "sft-dpo",
}
_UNSCORED = Score(None, error="no score has this id")


@dataclass(frozen=True)
class Changes:
    """How variant `a` does on a suite's rows beside variant `b`, from which it was made.

    Right is what the suite's main metric counts. `mended`: rows that b has wrong and a right, by the reason
    for which b was wrong; `broken`: those that a has wrong and b right, by a's reason; the commonest first.
    `unscored`: rows that lack a score of either, which are in none of the others.
    """

    suite: str
    a: str
    b: str
    mended: Mapping[str, int]
    broken: Mapping[str, int]
    both_right: int
    both_wrong: int
    unscored: int = 0


def changes_of(comparison: Comparison) -> list[Changes]:
    """The changes by every stage whose two variants have scores, suite by suite."""
    return [
        _changes(comparison, suite, a, MADE_FROM[a])
        for suite, scores in comparison.scores.items()
        for a in comparison.variants
        if a in scores and MADE_FROM.get(a) in scores
    ]


def _changes(comparison: Comparison, suite: str, a: str, b: str) -> Changes:
    mended: Counter[str] = Counter()
    broken: Counter[str] = Counter()
    both: Counter[bool | None] = Counter()
    metric = SUITES[suite].main_metric
    for row in comparison.rows[suite]:
        of_a, of_b = (comparison.scores[suite][name].get(str(row["id"]), _UNSCORED) for name in (a, b))
        a_right, b_right = (outcome_of(row, score, metric) for score in (of_a, of_b))
        if a_right is None or b_right is None:
            both[None] += 1
        elif a_right == b_right:
            both[a_right] += 1
        elif a_right:
            mended[str(of_b.reason)] += 1
        else:
            broken[str(of_a.reason)] += 1
    return Changes(suite, a, b, _ranked(mended), _ranked(broken), both[True], both[False], both[None])


def _ranked(counts: Counter[str]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda one: (-one[1], one[0])))
