"""The gate's verdict as the report shows it: what it comes to, and every variant's rules in figures."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evaluation.plan import Plan, gate_of
from evaluation.rounding import write_number, write_points
from evaluation.sentences import format_p

NO_GATE = "No gate was asked for."
EM_DASH = "—"
# What a rule's statement says after its figures.
_NOTE = re.compile(r"(?:: |, but )(.+)", re.DOTALL)


@dataclass(frozen=True)
class RuleLine:
    """A rule of the gate for one variant, its figures in words: percentages and percentage points.

    `p`: after Holm for a target, which it decides; as it stands for a guard. `why`: what let it pass or fail.
    """

    kind: str
    figure: str
    over: str
    value: str
    over_value: str
    difference: str
    tolerance: str
    p: str
    rows: str
    passed: bool
    why: str
    statement: str


@dataclass(frozen=True)
class VariantRules:
    """The rules that one variant was held to, those that it failed first."""

    variant: str
    lines: Sequence[RuleLine]

    @property
    def failed(self) -> list[RuleLine]:
        """The rules that it failed."""
        return [line for line in self.lines if not line.passed]


@dataclass(frozen=True)
class GateView:
    """The verdict's first sentence, what else it says, whom it promotes, and the rules by variant."""

    verdict: str
    rest: str
    promoted: str | None
    variants: Sequence[VariantRules]


def read_gate(plan: Plan) -> GateView:
    """Read the gate of a plan; whatever a rule lacks is shown as absent."""
    gate = gate_of(plan)
    verdict, dot, rest = str(gate.get("statement") or NO_GATE).partition(". ")
    rules: Sequence[Mapping[str, Any]] = gate.get("rules") or ()
    names = dict.fromkeys(str(rule.get("variant", "")) for rule in rules)
    return GateView(
        verdict + dot.rstrip(),
        rest,
        gate.get("promoted"),
        [VariantRules(variant, _lines_of(rules, variant)) for variant in names],
    )


def _lines_of(rules: Sequence[Mapping[str, Any]], variant: str) -> list[RuleLine]:
    held = [rule for rule in rules if str(rule.get("variant", "")) == variant]
    return sorted(map(rule_line, held), key=lambda line: line.passed)


def rule_line(rule: Mapping[str, Any]) -> RuleLine:
    """Write a rule of the plan's gate in words."""
    low, high = (format_points(rule.get(name)) for name in ("low", "high"))
    difference, tolerance = format_points(rule.get("difference")), rule.get("tolerance")
    return RuleLine(
        kind=str(rule.get("kind", "")),
        figure=f"{rule.get('suite', '')}/{rule.get('metric', '')}",
        over=str(rule.get("over") or EM_DASH),
        value=format_share(rule.get("value")),
        over_value=format_share(rule.get("over_value")),
        difference=difference if EM_DASH in (low, high) else f"{difference} ({low} to {high})",
        tolerance=EM_DASH if tolerance is None else write_number(100 * tolerance),
        p=_p_of(rule),
        rows=EM_DASH if rule.get("n") is None else f"{rule['n']:,}",
        passed=rule.get("passed") is True,
        why=_why(rule),
        statement=str(rule.get("statement") or ""),
    )


def _p_of(rule: Mapping[str, Any]) -> str:
    is_target = rule.get("kind") == "target"
    p = rule.get("p_holm" if is_target else "p")
    return EM_DASH if p is None else f"{format_p(p)}{', Holm' if is_target else ''}"


def _why(rule: Mapping[str, Any]) -> str:
    """The note at the end of the rule's statement; where it has none, what its passing says."""
    found = _NOTE.search(str(rule.get("statement") or ""))
    note = found[1] if found else ""
    is_passed = rule.get("passed") is True
    if rule.get("kind") == "target":
        return note or ("rose beyond noise" if is_passed else "did not rise beyond noise")
    return note or ("within its tolerance" if is_passed else "fell beyond its tolerance")


def format_share(share: float | None) -> str:
    """A share in percent.

    >>> format_share(0.341), format_share(None)
    ('34.1', '—')
    """
    return EM_DASH if share is None else write_number(100 * share)


def format_points(share: float | None) -> str:
    """A difference of shares in percentage points.

    >>> format_points(0.041), format_points(None)
    ('+4.1', '—')
    """
    return EM_DASH if share is None else write_points(share)
