"""The gate in words: what a rule found, and why a variant is promoted or none is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from lambdas.gate_evidence import Evidence
from lambdas.gate_rules import ROUNDING, SIGNIFICANCE, UNSCORED_RATE, Rule, fall_of

MAX_REASONS = 2
MAX_NAMED = 4
_MAX_DECIMALS = 6


def describe_finding(rule: Rule, evidence: Evidence, passed: bool) -> str:
    """Say in one line what a rule found of a variant.

    >>> rule = Rule("guard", "own", "over_call_rate", tolerance=0.03)
    >>> describe_finding(rule, Evidence(difference=0.225, n=80), passed=False)
    'own/over_call_rate +22.5 points over base (80 rows), tolerance 3'
    """
    if evidence.missing is not None or evidence.difference is None:
        return f"{rule.name}: {evidence.missing}"
    if rule.kind == "target":
        moved = f"{rule.name} {_signed(evidence.difference, 1)} points over {rule.over}"
        return f"{moved}{_sureness(evidence)}{_rise_note(evidence, passed)}"
    moved = _against_tolerance(rule, evidence.difference)
    rows = "1 row" if evidence.n == 1 else f"{evidence.n:,} rows"
    return (
        f"{rule.name} {moved} points over {rule.over} ({rows}), tolerance {100 * (rule.tolerance or 0):.3g}"
        f"{_guard_note(rule, evidence, passed)}"
    )


def describe_verdict(
    promoted: str | None,
    entries: Sequence[Mapping[str, Any]],
    left_out: Sequence[str],
    *,
    why_none: str | None,
) -> str:
    """Say which variant is promoted and by what, or of each variant what stands against it."""
    if why_none is not None:
        return f"No variant is promoted: {why_none}."
    verdict = _promotion(promoted, entries) if promoted else _refusal(entries)
    return f"{verdict}{_omissions(left_out)}"


def _promotion(promoted: str, entries: Sequence[Mapping[str, Any]]) -> str:
    own = [entry for entry in entries if entry["variant"] == promoted]
    targets = [entry["statement"] for entry in own if entry["kind"] == "target"]
    guards = len(own) - len(targets)
    held = f"; {guards} {'guard' if guards == 1 else 'guards'} held{_by_noise(own)}" if guards else ""
    return f"{promoted} is promoted: {', '.join(targets)}{held}."


def _by_noise(entries: Sequence[Mapping[str, Any]]) -> str:
    """Name the guards that fell beyond their tolerance and held because noise explains it."""
    named = [
        f"{entry['suite']}/{entry['metric']} {_signed(entry['difference'], 1)} points ({entry['n']:,} rows)"
        for entry in entries
        if entry["kind"] == "guard" and entry["beyond_noise"] and _is_above(entry)
    ]
    return f", {len(named)} of them within noise only: {_some(named)}" if named else ""


def _is_above(entry: Mapping[str, Any]) -> bool:
    difference = entry["difference"]
    return difference is not None and fall_of(entry["metric"], difference) > entry["tolerance"] + ROUNDING


def _refusal(entries: Sequence[Mapping[str, Any]]) -> str:
    failed: dict[str, list[str]] = {}
    for entry in entries:
        if not entry["passed"]:
            failed.setdefault(entry["variant"], []).append(entry["statement"])
    reasons = [f"{variant}: {_first(statements)}" for variant, statements in failed.items()]
    return f"No variant is promoted. {'; '.join(reasons)}."


def _first(statements: Sequence[str]) -> str:
    more = len(statements) - MAX_REASONS
    shown = " and ".join(statements[:MAX_REASONS])
    return f"{shown} and {more} more {'rule' if more == 1 else 'rules'}" if more > 0 else shown


def _omissions(left_out: Sequence[str]) -> str:
    return f" Left out, having no rows: {_some(left_out)}." if left_out else ""


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else ""
    return f"{', '.join(names[:MAX_NAMED])}{more}"


def _sureness(evidence: Evidence) -> str:
    parts = []
    if evidence.low is not None and evidence.high is not None:
        parts.append(f"95% interval {_signed(evidence.low, 1)} to {_signed(evidence.high, 1)}")
    if evidence.p_holm is not None:
        parts.append(format_p(evidence.p_holm))
    return f" ({', '.join(parts)})" if parts else ""


def format_p(p: float) -> str:
    """Write a p value as the comparison does: never as 0, and never across the threshold."""
    if p < 0.001:
        return "p < 0.001"
    if p < SIGNIFICANCE <= round(p, 3):
        return f"p < {SIGNIFICANCE:g}"
    return f"p = {p:.3f}" if p < 0.1 else f"p = {p:.2f}"


def _rise_note(evidence: Evidence, passed: bool) -> str:
    why = _why_p(evidence)
    if passed:
        return why and f": real{why}"
    return ": no rise" if _is_sure(evidence) else f": within noise on {evidence.n:,} rows{why}"


def _why_p(evidence: Evidence) -> str:
    """Say what decides where the interval and p part, in the comparison's words."""
    if evidence.low is None or evidence.high is None:
        return ""
    holds_zero = evidence.low <= 0 <= evidence.high
    if holds_zero != _is_sure(evidence):
        return ""
    if holds_zero:
        return " (by p; the interval holds 0)"
    if evidence.p is not None and evidence.p < SIGNIFICANCE:
        return " (by p, which allows for all comparisons)"
    return " (by p; the interval leaves 0 out)"


def _is_sure(evidence: Evidence) -> bool:
    return evidence.p_holm is not None and evidence.p_holm < SIGNIFICANCE


def _guard_note(rule: Rule, evidence: Evidence, passed: bool) -> str:
    if rule.strict and not passed:
        return f", but the 95% interval reaches {_worst(rule, evidence)}"
    if rule.metric == UNSCORED_RATE and not passed:
        return ": rows without a score say nothing for it"
    is_above = fall_of(rule.metric, evidence.difference) > (rule.tolerance or 0) + ROUNDING
    return ": within noise" if rule.beyond_noise and passed and is_above else ""


def _worst(rule: Rule, evidence: Evidence) -> str:
    ends = [end for end in (evidence.low, evidence.high) if end is not None]
    if len(ends) < 2:
        return "nobody knows where"
    return _against_tolerance(rule, max(ends, key=lambda end: fall_of(rule.metric, end)))


def _against_tolerance(rule: Rule, difference: float) -> str:
    """Write a difference in points, with as many decimals as it takes to see on which side it lies."""
    fall, tolerance = fall_of(rule.metric, difference), rule.tolerance or 0.0
    is_above = fall > tolerance + ROUNDING
    enough = (d for d in range(1, _MAX_DECIMALS) if (_points(fall, d) > 100 * tolerance + 1e-7) is is_above)
    return _signed(difference, next(enough, _MAX_DECIMALS))


def _signed(share: float, decimals: int) -> str:
    return f"{_points(share, decimals):+f}"


def _points(share: float, decimals: int) -> Decimal:
    """Round a share to points as the report does, halves away from zero, and nothing to a negative zero."""
    # A share times a hundred may be 28.499999999999996 where the rows say 28.5.
    exact = Decimal(repr(round(100 * share, 9)))
    return exact.quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP) + 0
