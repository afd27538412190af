"""The description of the execution's run, in Markdown.

MLflow folds it after some four lines, so that these have to tell what matters.
"""

from __future__ import annotations

from evaluation.comparison import Comparison
from evaluation.glance import broken_rules, figures_line, verdict_of_run
from evaluation.markdown import cut_lines, escape, table
from evaluation.plan import gate_of
from evaluation.registry.candidate import estimates_of
from evaluation.report.costs import costs_of, describe_costs
from evaluation.report.results import Results
from evaluation.sentences import describe_judge, describe_pair, format_estimate
from evaluation.suites import SUITES

# MLflow keeps so many characters of a tag.
MAX_CHARACTERS = 8000
TRACES = (
    "The traces are of a few rows, chosen because the variants differ on them: the rates that the Traces tab"
    " counts over all of them mean nothing."
)
REST = "The rest is in report.html among the artifacts."


def write_note(results: Results, registered: str) -> str:
    """The target's figures and the verdict in a line each; then figures, differences, rules and cost."""
    lines = [f"**{escape(figures_line(results))}**", "", f"**{escape(verdict_of_run(results))}**", ""]
    lines += [escape(registered), ""] if registered else []
    comparison = results.comparison
    for suite in comparison.summaries:
        lines += [*_suite(comparison, suite), ""]
    lines += [*_gate(results), *_judges(comparison), *_cost(results), *_traces(comparison)]
    lines.append("All rows side by side: report.html among the artifacts; the model: model_card.md.")
    return cut_lines("\n".join(lines), MAX_CHARACTERS, REST)


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


def _gate(results: Results) -> list[str]:
    """What the gate says, and a line a variant: how many of its rules hold, and those that do not."""
    gate = gate_of(results.plan)
    variants = list(dict.fromkeys(str(rule.get("variant")) for rule in gate.get("rules") or ()))
    if not variants:
        return []
    told = [(variant, *_held(results, variant)) for variant in variants]
    said = [escape(gate["statement"]), ""] if gate.get("statement") else []
    return ["**The gate's rules**", "", *said, *table(["variant", "hold", "do not hold"], told), ""]


def _held(results: Results, variant: str) -> tuple[str, str]:
    broken, rules = broken_rules(results.plan, variant)
    told = [str(rule.get("statement") or rule.get("metric")) for rule in broken]
    return f"{rules - len(broken)} of {rules}", "; ".join(told)


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


def _traces(comparison: Comparison) -> list[str]:
    if not any(SUITES[suite].kind == "generation" for suite in comparison.rows):
        return []
    return [TRACES, ""]
