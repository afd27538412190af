"""The gate in words: what a rule found, and why a variant is promoted or none is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lambdas.gate_evidence import Evidence
from lambdas.gate_rules import UNSCORED_RATE, Rule

MAX_REASONS = 2
MAX_LEFT_OUT = 4


def describe_finding(rule: Rule, evidence: Evidence, passed: bool) -> str:
    """Say in one line what a rule found of a variant.

    >>> rule = Rule("guard", "own", "over_call_rate", tolerance=0.03)
    >>> describe_finding(rule, Evidence(difference=0.225, n=80), passed=False)
    'own/over_call_rate +22.5 points over base, tolerance 3'
    """
    if evidence.missing is not None or evidence.difference is None:
        return f"{rule.name}: {evidence.missing}"
    moved = f"{rule.name} {100 * evidence.difference:+.1f} points over {rule.over}"
    if rule.kind == "target":
        return f"{moved}{_sureness(evidence)}{'' if passed else _why_no_rise(evidence)}"
    allowed = f"{moved}, tolerance {100 * (rule.tolerance or 0):g}"
    if rule.metric == UNSCORED_RATE:
        return allowed if passed else f"{allowed}: rows without a score say nothing for it"
    return f"{allowed}{_guard_note(rule, evidence, passed)}"


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
    held = f"; {guards} {'guard' if guards == 1 else 'guards'} held" if guards else ""
    return f"{promoted} is promoted: {', '.join(targets)}{held}."


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
    if not left_out:
        return ""
    shown = ", ".join(left_out[:MAX_LEFT_OUT])
    more = f" and {len(left_out) - MAX_LEFT_OUT} more" if len(left_out) > MAX_LEFT_OUT else ""
    return f" Left out, having no rows: {shown}{more}."


def _sureness(evidence: Evidence) -> str:
    parts = []
    if evidence.low is not None and evidence.high is not None:
        parts.append(f"95% interval {100 * evidence.low:+.1f} to {100 * evidence.high:+.1f}")
    if evidence.p_holm is not None:
        parts.append(_format_p(evidence.p_holm))
    return f" ({', '.join(parts)})" if parts else ""


def _format_p(p: float) -> str:
    """Write a p value as the comparison does: never as 0, and to the third place near the threshold."""
    if p < 0.001:
        return "p < 0.001"
    return f"p = {p:.3f}" if p < 0.1 else f"p = {p:.2f}"


def _why_no_rise(evidence: Evidence) -> str:
    return ": no rise" if _is_sure(evidence) else f": within noise on {evidence.n} rows"


def _is_sure(evidence: Evidence) -> bool:
    return evidence.p_holm is not None and evidence.p_holm < 0.05


def _guard_note(rule: Rule, evidence: Evidence, passed: bool) -> str:
    if rule.strict and not passed:
        return f", but the 95% interval reaches {_worst(rule, evidence)}"
    above = rule.beyond_noise and passed and abs(evidence.difference or 0) > (rule.tolerance or 0)
    return f": within noise on {evidence.n} rows" if above and _is_worse(rule, evidence) else ""


def _worst(rule: Rule, evidence: Evidence) -> str:
    ends = [end for end in (evidence.low, evidence.high) if end is not None]
    worst = max(ends) if rule.lower_is_better else min(ends)
    return f"{100 * worst:+.1f}"


def _is_worse(rule: Rule, evidence: Evidence) -> bool:
    return ((evidence.difference or 0) > 0) is rule.lower_is_better
