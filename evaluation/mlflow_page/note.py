"""The description of the execution's run: its result at a glance, in Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from evaluation.comparison import Comparison
from evaluation.markdown import cut_lines, escape, table
from evaluation.plan import gate_of, promoted_of
from evaluation.registry.candidate import estimates_of
from evaluation.report.costs import costs_of, describe_costs
from evaluation.report.results import Results
from evaluation.sentences import describe_judge, describe_pair, format_estimate
from evaluation.suites import SUITES

# MLflow keeps so many characters of a tag.
MAX_CHARACTERS = 8000
REST = "The rest is in report.html among the artifacts."


def write_note(results: Results, registered: str) -> str:
    """Verdict, headline figures, what differs, the gate's rules, the cost, and what was registered."""
    lines = [f"**{_verdict(results)}**", "", escape(registered), ""]
    comparison = results.comparison
    for suite in comparison.summaries:
        lines += [*_suite(comparison, suite), ""]
    lines += [*_rules(gate_of(results.plan)), *_judges(comparison), *_cost(results)]
    lines.append("All rows side by side: report.html among the artifacts; the model: model_card.md.")
    return cut_lines("\n".join(lines), MAX_CHARACTERS, REST)


def _verdict(results: Results) -> str:
    said = gate_of(results.plan).get("statement")
    if said:
        return escape(said)
    promoted = promoted_of(results.plan)
    return f"{escape(promoted)} is promoted." if promoted else "No gate was asked: nothing is promoted."


def _suite(comparison: Comparison, suite: str) -> list[str]:
    """A suite's shown figures by variant, in percent with their intervals, and its pairs in words."""
    names = SUITES[suite].shown
    rows = [
        (variant, *(format_estimate(estimates_of(one)[name]) for name in names), one.rows - one.unscored)
        for variant, one in comparison.summaries[suite].items()
    ]
    pairs = [f"- {escape(describe_pair(one))}" for one in comparison.pairs if one.suite == suite]
    head = f"**{escape(suite)}**, in percent with 95% intervals"
    return [head, "", *table(["variant", *names, "rows"], rows), "", *pairs]


def _rules(gate: Mapping[str, Any]) -> list[str]:
    """A line a variant: how many of its rules hold, and those that do not."""
    by_variant: dict[str, list[Mapping[str, Any]]] = {}
    for rule in gate.get("rules") or ():
        by_variant.setdefault(str(rule.get("variant")), []).append(rule)
    if not by_variant:
        return []
    told = [(variant, *_held(rules)) for variant, rules in by_variant.items()]
    return ["**The gate's rules**", "", *table(["variant", "hold", "do not hold"], told), ""]


def _held(rules: Sequence[Mapping[str, Any]]) -> tuple[str, str]:
    broken = [str(rule.get("statement") or rule.get("metric")) for rule in rules if not rule.get("passed")]
    return f"{len(rules) - len(broken)} of {len(rules)}", "; ".join(broken)


def _judges(comparison: Comparison) -> list[str]:
    told = [
        f"- judge of {escape(variant)} on {escape(suite)}: {escape(describe_judge(report))}"
        for suite, reports in comparison.judge.items()
        for variant, report in reports.items()
    ]
    return [*told, ""] if told else []


def _cost(results: Results) -> list[str]:
    costs = costs_of(results.plan, results.comparison)
    return ["**Cost**", "", escape(describe_costs(costs)), ""] if costs else []
