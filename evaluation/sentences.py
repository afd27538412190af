"""Figures in words: an estimate, a difference between two variants, what a judge found."""

from __future__ import annotations

import math

from evaluation.figures import LOWER_IS_BETTER
from evaluation.judge import JudgeReport
from evaluation.pairs import Pair
from evaluation.rounding import write_number, write_points
from evaluation.statistics import SIGNIFICANCE, Estimate


def format_estimate(one: Estimate) -> str:
    """Write an estimate in percent with its interval.

    >>> format_estimate(Estimate(0.5, 0.24, 0.76, 10))
    '50.0 (24.0–76.0)'
    """
    if one.value is None or one.low is None or one.high is None:
        return "—"
    value, low, high = (write_number(100 * share) for share in (one.value, one.low, one.high))
    return f"{value} ({low}–{high})"


def format_share(share: float | None) -> str:
    """Write a share in percent.

    >>> format_share(0.0583), format_share(None)
    ('5.8%', '—')
    """
    return "—" if share is None else f"{write_number(100 * share)}%"


def describe_pair(pair: Pair) -> str:
    """Say in words whether a difference is real, as far as these rows can tell; p decides.

    Between averages over seeds no power is known, so that nothing is said of what the rows can show.
    """
    result = pair.result
    head = f"{pair.a} over {pair.b}: "
    if result.difference is None or result.low is None or result.high is None or pair.p_holm is None:
        return f"{head}no row counts for both"
    interval = f"{_signed(result.low)} to {_signed(result.high)}"
    return (
        f"{head}{_signed(result.difference)} points, 95% interval {interval}, "
        f"{format_p(pair.p_holm)} ({_family(pair)}), {_rows(pair)}: {_verdict(pair)}"
    )


def format_p(p: float) -> str:
    """Write a p value, never as 0, and never across the threshold of 0.05.

    >>> format_p(0.0063), format_p(0.25), format_p(1e-9), format_p(0.0499)
    ('p = 0.006', 'p = 0.25', 'p < 0.001', 'p < 0.05')
    """
    if p < 0.001:
        return "p < 0.001"
    if p < SIGNIFICANCE <= round(p, 3):
        return "p < 0.05"
    return f"p = {p:.3f}" if p < 0.1 else f"p = {p:.2f}"


def _signed(share: float) -> str:
    return write_points(share)


def _rows(pair: Pair) -> str:
    return _count(pair.result.n, "row") + ("" if _has_power(pair) else " averaged over seeds")


def _has_power(pair: Pair) -> bool:
    return pair.result.discordance is not None


def _family(pair: Pair) -> str:
    return "one comparison" if pair.comparisons == 1 else f"Holm over {pair.comparisons} comparisons"


def _count(number: int, name: str) -> str:
    return f"{number} {name}" if number == 1 else f"{number:,} {name}s"


def _verdict(pair: Pair) -> str:
    if pair.is_real:
        return f"real{_direction(pair)}{_why_p(pair)}"
    return f"within noise{_why_p(pair)}{_can_show(pair)}"


def _can_show(pair: Pair) -> str:
    rows = _count(pair.result.n, "row")
    if pair.detectable is None:
        return f": {rows} can show nothing" if _has_power(pair) else ""
    # Where conversations differ more than that and p is large all the same, the number would be no help.
    if abs(pair.result.difference or 0.0) > pair.detectable:
        return ""
    return f": {rows} can show {format_detectable(pair.detectable)}"


def _why_p(pair: Pair) -> str:
    """What decides where the interval and p part: between two variants they rest on different assumptions."""
    low, high, p = (one or 0.0 for one in (pair.result.low, pair.result.high, pair.result.p))
    holds_zero = low <= 0 <= high
    if holds_zero != pair.is_real:
        return ""
    if holds_zero:
        return " (by p; the interval holds 0)"
    if p < SIGNIFICANCE:
        return " (by p, which allows for all comparisons)"
    return " (by p; the interval leaves 0 out)"


def _direction(pair: Pair) -> str:
    if pair.metric not in LOWER_IS_BETTER:
        return ""
    return ", for the worse" if (pair.result.difference or 0.0) > 0 else ", for the better"


def format_detectable(share: float) -> str:
    """Write the smallest difference that rows can show, rounded up: fewer points would not be shown.

    >>> format_detectable(0.0831), format_detectable(0.0131)
    ('9 points', '1.4 points')
    """
    points = math.ceil(1000 * share) / 10
    return f"{math.ceil(points)} points" if points > 2 else f"{points:.1f} points"


def describe_judge(report: JudgeReport) -> str:
    """Say what a judge made of a variant's answers, or why it says nothing."""
    if report.status == "not_run":
        return f"not run: {report.reason}"
    unjudged = "".join(f"; {_count(rows, 'row')} not judged: {why}" for why, rows in report.unjudged.items())
    kappa = "none" if report.kappa.value is None else f"{report.kappa.value:.2f}"
    judge = f"{report.model}, prompt {report.prompt}, kappa {kappa} on {report.kappa.n} gold answers"
    if report.withheld:
        return f"withheld: {report.reason} ({judge}){unjudged}"
    accuracy, f1 = (format_estimate(report.metrics[name]) for name in ("accuracy", "macro_f1"))
    return f"accuracy {accuracy}, macro F1 {f1}, {_count(report.judged, 'row')} ({judge}){unjudged}"
