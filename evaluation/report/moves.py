"""Which figures moved beyond noise, for the worse and for the better, and what that has to do with base."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from evaluation.comparison import Comparison, Pair
from evaluation.figures import FIGURES, LOWER_IS_BETTER
from evaluation.report.changes import MADE_FROM
from evaluation.target import BASELINE, Target, pair_of, value_of
from evaluation.toolcalls.decision import DECISIONS

RECALL = "recall_"
CALL = "tool_call"
PROMPTED = "prompt"
# Of all rows, below which a variant hardly ever takes a decision.
HARDLY = 0.02


@dataclass(frozen=True)
class Move:
    """A figure by which two variants differ beyond noise.

    `before`, `after`: what it is for the pair's b and a, as shares; None where it has no value.
    """

    pair: Pair
    before: float | None
    after: float | None

    @property
    def figure(self) -> str:
        """The figure's name with its suite's."""
        return f"{self.pair.suite}/{self.pair.metric}"

    @property
    def is_better(self) -> bool:
        """Whether it moved to where it should."""
        return is_gain(self.pair)

    @property
    def size(self) -> float:
        """How far it moved, as a share."""
        return abs(self.pair.result.difference or 0.0)


@dataclass(frozen=True)
class VariantMoves:
    """What moved for variant `a` beside variant `b`, the widest moves first."""

    a: str
    b: str
    worse: Sequence[Move]
    better: Sequence[Move]


def moves_of(comparison: Comparison) -> list[VariantMoves]:
    """What moved beyond noise for every variant over base, else over prompt, else over what it was made from.

    All shares of rows count, each suite's main figure and those that the gate may guard. A variant that is
    held against none of them is left out.
    """
    held = [(a, b) for a in comparison.variants if (b := _held_against(comparison, a))]
    return [_moves(comparison, a, b) for a, b in held]


def pair_over(comparison: Comparison, target: Target, variant: str) -> Pair | None:
    """The variant held by the target over its `over`, else over the first that `moves_of` would take.

    None where no row tells them apart, or there is nothing to hold it against.
    """
    for over in dict.fromkeys((target.over, *_partners(variant))):
        pair = pair_of(comparison, replace(target, over=over), variant)
        if pair is not None and pair.result.difference is not None:
            return pair
    return None


def is_gain(pair: Pair) -> bool:
    """Whether a is better than b; figures that count faults are better where they fall."""
    return ((pair.result.difference or 0.0) > 0) is (pair.metric not in LOWER_IS_BETTER)


def meaning_of(metric: str) -> str:
    """What a share of rows counts, and of which rows.

    >>> meaning_of("over_call_rate"), meaning_of("recall_direct")
    ('a call, of rows that expect no call', 'direct taken, of rows that expect it')
    """
    if metric.startswith(RECALL):
        return f"{metric.removeprefix(RECALL)} taken, of rows that expect it"
    figure = FIGURES.get(metric)
    return f"{figure.counts}, of {figure.of}" if figure else ""


def hardly_taken(comparison: Comparison) -> list[str]:
    """Say which decisions base takes in next to none of a suite's rows although some expect them.

    Only of those that some variant takes more often beyond noise.
    """
    said = []
    learnt = {(move.pair.suite, move.pair.metric) for one in moves_of(comparison) for move in one.better}
    for suite, summaries in comparison.summaries.items():
        table = summaries["base"].confusion if "base" in summaries else {}
        rows = sum(sum(taken.values()) for taken in table.values())
        for decision in DECISIONS:
            taken = sum(counts.get(decision, 0) for counts in table.values())
            expected = sum(table.get(decision, {}).values())
            is_learnt = (suite, f"{RECALL}{decision}") in learnt
            if is_learnt and expected and taken <= HARDLY * rows:
                said.append(_hardly(suite, decision, taken, rows, expected))
    return said


def _hardly(suite: str, decision: str, taken: int, rows: int, expected: int) -> str:
    verb = "calls a tool" if decision == CALL else f"takes {decision}"
    price = (
        "so that a rise of over-calling is what learning to call costs"
        if decision == CALL
        else "so that a variant which learns it will take it too often somewhere"
    )
    return f"{suite}: base {verb} in {taken:,} of {rows:,} rows, though {expected:,} expect it, {price}."


def _held_against(comparison: Comparison, a: str) -> str | None:
    known = {(pair.a, pair.b) for pair in comparison.pairs}
    return next((b for b in _partners(a) if (a, b) in known), None)


def _partners(variant: str) -> list[str]:
    """What a variant is best held against, the first first."""
    return [BASELINE, PROMPTED, *filter(None, [MADE_FROM.get(variant)])]


def _moves(comparison: Comparison, a: str, b: str) -> VariantMoves:
    pairs = [*comparison.pairs, *comparison.guarded]
    moved = [
        Move(pair, *(value_of(comparison, pair.suite, name, pair.metric) for name in (b, a)))
        for pair in pairs
        if (pair.a, pair.b) == (a, b) and pair.is_real
    ]
    ranked = sorted(moved, key=lambda one: -one.size)
    return VariantMoves(
        a, b, [one for one in ranked if not one.is_better], [one for one in ranked if one.is_better]
    )
