"""What a run comes to, in the four lines that its page begins with, and when it was."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar

from evaluation.comparison import Comparison, Pair
from evaluation.report.costs import Costs, describe_total
from evaluation.report.gate import GateView
from evaluation.report.moves import Move, is_gain, meaning_of, moves_of, pair_over
from evaluation.report.results import Results
from evaluation.rounding import write_points
from evaluation.sentences import format_p, format_share
from evaluation.target import BASELINE, Target, best_of, target_of, trained_of, value_of

WORST_SHOWN = 2
Found = TypeVar("Found")
_STAMP = re.compile(r"(?<!\d)(\d{8}-\d{6})(?!\d)")


@dataclass(frozen=True)
class HeadLine:
    """One of the lines: what it is about, what it says, and the section that says more."""

    label: str
    text: str
    section: str
    link: str


def arrange_suites(results: Results) -> Results:
    """The same results with the suite that the run is judged by first, the others in their order."""
    comparison = results.comparison
    target = target_of(results.plan, comparison)
    order = sorted(comparison.rows, key=lambda suite: target is None or suite != target.suite)
    place = {suite: number for number, suite in enumerate(order)}
    arranged = replace(
        comparison,
        rows=_in_order(comparison.rows, order),
        scores=_in_order(comparison.scores, order),
        summaries=_in_order(comparison.summaries, order),
        judge=_in_order(comparison.judge, order),
        test_sets=_in_order(comparison.test_sets, order),
        pairs=sorted(comparison.pairs, key=lambda pair: place[pair.suite]),
        guarded=sorted(comparison.guarded, key=lambda pair: place[pair.suite]),
    )
    return replace(results, comparison=arranged)


def head_lines(results: Results, gate: GateView, costs: Costs | None) -> list[HeadLine]:
    """What somebody learns who reads for five seconds: what was won and lost, the verdict, the price."""
    comparison = results.comparison
    target = target_of(results.plan, comparison)
    best = best_of(trained_of(comparison), comparison, target) if target else None
    return [
        HeadLine("Best trained", _describe_best(comparison, target, best), "results", "results"),
        HeadLine("Got worse", _describe_worse(comparison, best), "moves", "worse and better"),
        HeadLine("Gate", _describe_gate(gate, best), "gate", "rules"),
        HeadLine("Cost", describe_total(costs) if costs else "Not known.", "cost", "by job"),
    ]


def describe_start(run_id: str | None) -> str | None:
    """When a run began, by the time that an execution's name carries.

    >>> describe_start("tune-20261122-100737-c4c2"), describe_start("mine")
    ('22 November 2026, 10:07 by the clock of where it was begun', None)
    """
    for stamp in _STAMP.findall(run_id or ""):
        try:
            begun = datetime.strptime(stamp, "%Y%m%d-%H%M%S")
            return f"{begun:%-d %B %Y, %H:%M} by the clock of where it was begun"
        except ValueError:
            continue
    return None


def _in_order(by_suite: Mapping[str, Found], order: Sequence[str]) -> dict[str, Found]:
    return {suite: by_suite[suite] for suite in order if suite in by_suite}


def _describe_best(comparison: Comparison, target: Target | None, best: str | None) -> str:
    if target is None or best is None:
        return "none: no variant of this run was trained." if target else "none: no suite has rows."
    value = format_share(value_of(comparison, target.suite, best, target.metric))
    pair = pair_over(comparison, target, best)
    said = f"{best}: {target.name} {value}"
    if pair is None or pair.result.difference is None or pair.p_holm is None:
        return f"{said}, held against no other variant."
    before = format_share(value_of(comparison, target.suite, pair.b, target.metric))
    points = f"{write_points(pair.result.difference)} points over {pair.b} ({before})"
    return f"{said}, {points}: {_is_it_real(pair)}, {format_p(pair.p_holm)} on {pair.result.n:,} rows."


def _is_it_real(pair: Pair) -> str:
    if not pair.is_real:
        return "within noise"
    return "a real gain" if is_gain(pair) else "a real loss"


def _describe_worse(comparison: Comparison, best: str | None) -> str:
    found = next((one for one in moves_of(comparison) if one.a == best), None)
    if best is None or found is None:
        return "There is nothing to hold a trained variant against."
    named = best if found.b == BASELINE else f"{best} over {found.b}"
    if not found.worse:
        return f"{named}: no figure beyond noise."
    shown = "; ".join(_describe_move(one) for one in found.worse[:WORST_SHOWN])
    left_out = len(found.worse) - WORST_SHOWN
    return f"{named}: {shown}{f'; and {left_out} more' if left_out > 0 else ''}."


def _describe_move(one: Move) -> str:
    values = f"{format_share(one.before)} → {format_share(one.after)}"
    return f"{one.figure} {values} ({meaning_of(one.pair.metric)})"


def _describe_gate(gate: GateView, best: str | None) -> str:
    if not gate.variants:
        return gate.verdict
    said = f"{gate.promoted} is promoted" if gate.promoted else "No variant is promoted"
    failed = [one for one in gate.variants if one.variant == best and one.failed]
    shown: Sequence[str] = [
        f"{one.variant} failed {len(one.failed)} of {len(one.lines)} rules" for one in failed
    ]
    return f"{said}{': ' if not gate.promoted else '; '}{', '.join(shown)}." if shown else f"{said}."
