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
    rows_of,
    rows_of_figure,
    suites_with_rows,
    value_of,
)
from lambdas.gate_input import parse_rules
from lambdas.gate_rules import (
    BASELINE,
    LOWER_IS_BETTER,
    RECALL,
    ROUNDING,
    ROW_SHARES,
    SIGNIFICANCE,
    UNSCORED_RATE,
    Rule,
    candidates_of,
    default_rules,
    fall_of,
    with_unscored,
)
from lambdas.gate_words import describe_finding, describe_verdict

# A guard that allows for noise stops what chance brings to 5 of 100 harmless variants (p is two-sided),
# and what is so large that it should be looked at, however few rows there are.
NOISE_SIGNIFICANCE = 0.10
LARGE_FALL = 0.15
# Fewer rows are no large fall, whatever share of a handful they are.
LARGE_FALL_ROWS = 3


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
    """Return the verdict as JSON: `{promoted, statement, rules, left_out}`.

    `given`: the rules of the execution's input; None stands for the default ones. `evaluated`: the run's
    variants. A rule which cannot be measured does not pass; a default guard is left out, and named, where the
    test set has no row for it. Promoted is, of the trained variants that pass every rule, the one which is
    right on the most rows by the first target, and of equals the one with fewer stages. Raises
    InvalidInput where a rule is none, and ValueError, KeyError or TypeError where the comparison is not of
    its form.
    """
    rules, left_out = _rules(comparison, given, evaluated)
    candidates = candidates_of(evaluated)
    findings = {variant: [_judge(comparison, rule, variant) for rule in rules] for variant in candidates}
    passing = [variant for variant in candidates if rules and all(one.passed for one in findings[variant])]
    targets = [rule for rule in rules if rule.kind == "target"]
    promoted = max(passing, key=lambda variant: _rank(comparison, targets[0], variant), default=None)
    entries = [finding.to_json() for variant in candidates for finding in findings[variant]]
    return {
        "promoted": promoted,
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
    single = [one for rule in with_unscored(rules) for one in _each_figure(comparison, rule)]
    # Without the target nothing would have to rise.
    optional = [rule for rule in single if rule.is_default and rule.kind == "guard"]
    empty = [rule for rule in optional if not rows_of_figure(comparison, rule.suite, rule.metric)]
    return [rule for rule in single if rule not in empty], [rule.name for rule in empty]


def _each_figure(comparison: Comparison, rule: Rule) -> list[Rule]:
    """Return the rule for each decision that has rows; what is counted in rows may grow by one at least."""
    if rule.metric == UNSCORED_RATE and rule.is_default:
        rows = rows_of(comparison, rule.suite)
        return [replace(rule, tolerance=max(rule.tolerance or 0.0, 1 / rows if rows else 0.0))]
    if rule.metric != RECALL:
        return [rule]
    return [replace(rule, metric=name) for name in decisions_with_rows(comparison, rule.suite)] or [rule]


def _judge(comparison: Comparison, rule: Rule, variant: str) -> Finding:
    if variant == rule.over:
        same = Evidence(missing=f"the rule holds the other variants against {variant}")
        return Finding(variant, rule, same, passed=rule.kind == "guard")
    evidence = evidence_for(comparison, rule.suite, rule.metric, variant, rule.over)
    passes = _rises if rule.kind == "target" else _holds
    return Finding(variant, rule, evidence, passed=evidence.missing is None and passes(rule, evidence))


def _rises(rule: Rule, evidence: Evidence) -> bool:
    rise = -fall_of(rule.metric, evidence.difference)
    return rise > 0 and evidence.p_holm is not None and evidence.p_holm < SIGNIFICANCE


def _holds(rule: Rule, evidence: Evidence) -> bool:
    allowed = (rule.tolerance or 0.0) + ROUNDING
    if rule.strict:
        return max(fall_of(rule.metric, end) for end in (evidence.low, evidence.high)) <= allowed
    fall = fall_of(rule.metric, evidence.difference)
    if fall <= allowed or not rule.beyond_noise:
        return fall <= allowed
    return not _is_large(fall, evidence.n) and evidence.p is not None and evidence.p >= NOISE_SIGNIFICANCE


def _is_large(fall: float, rows: int) -> bool:
    return fall > LARGE_FALL + ROUNDING and round(fall * rows) >= LARGE_FALL_ROWS


def _rank(comparison: Comparison, target: Rule, variant: str) -> tuple[int, int]:
    """Return on how many rows the variant is right by the target, and how few stages it took.

    A row without a score is not right: by the share of its scored rows a variant would gain from lacking one.
    """
    value, n = value_of(comparison, target.suite, variant, target.metric)
    counted = round((value or 0.0) * n)
    return (n - counted if target.metric in LOWER_IS_BETTER else counted), -variant.count("-")


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
        return (
            f"the run has no variant {BASELINE}, which the default rules hold the others against; add it to "
            "`variants`, or give rules that name another in `over`"
        )
    return None if rules else "no suite has rows"
