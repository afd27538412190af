"""The gate: which variant of a run may be promoted, by which rules, and in words why.

The evidence is that of a run's `comparison.json`; the verdict is the `gate` of its plan.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from lambdas.gate_evidence import (
    Comparison,
    Evidence,
    decisions_with_rows,
    evidence_for,
    suites_with_rows,
    value_of,
)
from lambdas.gate_input import parse_rules
from lambdas.gate_rules import (
    BASELINE,
    RECALL,
    ROW_SHARES,
    Rule,
    default_rules,
    with_unscored,
)
from lambdas.gate_words import describe_finding, describe_verdict

SIGNIFICANCE = 0.05
# A guard that allows for noise stops what chance brings to 5 of 100 harmless variants (p is two-sided),
# and what is so large that it should be looked at, however few rows there are.
NOISE_SIGNIFICANCE = 0.10
LARGE_FALL = 0.15
UNTRAINED = ("base", "prompt")
# Shares are quotients of counts: a fall of exactly the tolerance is within it.
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Finding:
    """What one rule says of one variant."""

    variant: str
    rule: Rule
    evidence: Evidence
    passed: bool

    def to_json(self) -> dict[str, Any]:
        """The entry of `gate.rules`."""
        rule, evidence = asdict(self.rule), asdict(self.evidence)
        del rule["is_default"], evidence["missing"]
        statement = describe_finding(self.rule, self.evidence, self.passed)
        return {"variant": self.variant, **rule, **evidence, "passed": self.passed, "statement": statement}


def check_gate(
    comparison: Comparison, given: Sequence[Mapping[str, Any]] | None, evaluated: Sequence[str]
) -> dict[str, Any]:
    """Return the verdict as JSON: `{promoted, baseline, statement, rules, left_out}`.

    `given`: the rules of the execution's input; None stands for the default ones. `evaluated`: the run's
    variants. A rule of the user's which cannot be measured does not pass; a default one without rows is left
    out and named. Promoted is, of the trained variants that pass every rule, the one with the highest value
    of the first target, and of equals the one with fewer stages. Raises InvalidInput where a rule is none.
    """
    rules, left_out = _rules(comparison, given, evaluated)
    candidates = [variant for variant in evaluated if variant not in UNTRAINED]
    findings = {variant: [_judge(comparison, rule, variant) for rule in rules] for variant in candidates}
    passing = [variant for variant in candidates if rules and all(one.passed for one in findings[variant])]
    promoted = max(passing, key=lambda variant: _rank(findings[variant]), default=None)
    entries = [finding.to_json() for variant in candidates for finding in findings[variant]]
    return {
        "promoted": promoted,
        "baseline": next((rule.over for rule in rules if rule.kind == "target"), BASELINE),
        "statement": describe_verdict(
            promoted, entries, left_out, why_none=_why_none(given, evaluated, candidates, rules)
        ),
        "rules": entries,
        "left_out": left_out,
    }


def _rules(
    comparison: Comparison, given: Sequence[Mapping[str, Any]] | None, evaluated: Sequence[str]
) -> tuple[list[Rule], list[str]]:
    """Return the rules, each over one figure, and the names of the default ones without rows."""
    suites = suites_with_rows(comparison)
    if given is None:
        rules = default_rules(suites) if BASELINE in evaluated else []
    else:
        rules = parse_rules(list(given), tuple(ROW_SHARES), evaluated)
    single = [one for rule in with_unscored(rules) for one in _each_decision(comparison, rule)]
    empty = [rule for rule in single if rule.is_default and not _has_rows(comparison, rule)]
    return [rule for rule in single if rule not in empty], [rule.name for rule in empty]


def _each_decision(comparison: Comparison, rule: Rule) -> list[Rule]:
    if rule.metric != RECALL:
        return [rule]
    return [replace(rule, metric=name) for name in decisions_with_rows(comparison, rule.suite)] or [rule]


def _has_rows(comparison: Comparison, rule: Rule) -> bool:
    return value_of(comparison, rule.suite, rule.over, rule.metric)[1] > 0


def _judge(comparison: Comparison, rule: Rule, variant: str) -> Finding:
    if variant == rule.over:
        same = Evidence(missing=f"the rule holds the other variants against {variant}")
        return Finding(variant, rule, same, passed=rule.kind == "guard")
    evidence = evidence_for(comparison, rule.suite, rule.metric, variant, rule.over)
    passes = _rises if rule.kind == "target" else _holds
    return Finding(variant, rule, evidence, passed=evidence.missing is None and passes(rule, evidence))


def _rises(rule: Rule, evidence: Evidence) -> bool:
    rise = -_fall(rule, evidence.difference)
    return rise > 0 and evidence.p_holm is not None and evidence.p_holm < SIGNIFICANCE


def _holds(rule: Rule, evidence: Evidence) -> bool:
    allowed = (rule.tolerance or 0.0) + _ROUNDING
    if rule.strict:
        return max(_fall(rule, evidence.low), _fall(rule, evidence.high)) <= allowed
    fall = _fall(rule, evidence.difference)
    if fall <= allowed or not rule.beyond_noise:
        return fall <= allowed
    return fall <= LARGE_FALL + _ROUNDING and evidence.p is not None and evidence.p >= NOISE_SIGNIFICANCE


def _fall(rule: Rule, difference: float | None) -> float:
    """Return by how much a figure becomes worse, as a share; where that is unknown, beyond any tolerance."""
    if difference is None:
        return float("inf")
    return difference if rule.lower_is_better else -difference


def _rank(findings: Sequence[Finding]) -> tuple[float, int]:
    """Return the first target's value, the better the higher, and how few stages the variant took."""
    first = next(one for one in findings if one.rule.kind == "target")
    value = first.evidence.value or 0.0
    return (-value if first.rule.lower_is_better else value), -first.variant.count("-")


def _why_none(
    given: Sequence[Mapping[str, Any]] | None,
    evaluated: Sequence[str],
    candidates: Sequence[str],
    rules: Sequence[Rule],
) -> str | None:
    """Return why no rule could promote anything, where that is so."""
    if given is not None and not given:
        return 'the gate is switched off ("gate": [] in the input)'
    if not candidates:
        return "the run trained none"
    if given is None and BASELINE not in evaluated:
        return f"the run has no variant {BASELINE} to hold them against"
    return None if rules else "no suite has rows"
