"""A run in a line or two: the target's figures, what the gate made of them, what became of the weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evaluation.comparison import Comparison
from evaluation.plan import Plan, gate_of, input_of, is_billed, promoted_of
from evaluation.registry.candidate import Candidate, choose_candidate
from evaluation.report.costs import costs_of, format_usd
from evaluation.report.moves import pair_over
from evaluation.report.results import Results
from evaluation.rounding import write_points
from evaluation.sentences import format_share
from evaluation.target import Target, target_of, value_of


def figures_line(results: Results) -> str:
    """Every variant's figure by the target: ``own/accuracy: base 5.8% · sft 34.2%``."""
    comparison = results.comparison
    target = target_of(results.plan, comparison)
    if target is None:
        return "No suite has rows."
    values = {one: value_of(comparison, target.suite, one, target.metric) for one in comparison.variants}
    return f"{target.name}: {' · '.join(f'{one} {format_share(value)}' for one, value in values.items())}"


def verdict_of_run(results: Results) -> str:
    """Which variant is promoted, or what the best of the trained ones lacks, in a sentence."""
    promoted = promoted_of(results.plan)
    if promoted:
        return f"{promoted} is promoted."
    candidate = choose_candidate(results)
    if candidate is None or not gate_of(results.plan).get("rules"):
        return str(gate_of(results.plan).get("statement") or "No gate was asked: nothing is promoted.")
    return f"No variant is promoted. {candidate.variant}, the best: {_reason(candidate, results.plan)}."


def verdict_of_candidate(candidate: Candidate, results: Results) -> str:
    """``Promoted.``, or ``Not promoted:`` and the reason."""
    if candidate.gate == "passed":
        return "Promoted."
    return f"Not promoted: {_reason(candidate, results.plan)}."


def describe_candidate(candidate: Candidate, results: Results) -> str:
    """What the variant is, what it came to by the target, over its base, and for how much, in a sentence."""
    target = candidate.target
    base = input_of(results.plan).get("base_model") or "a base model"
    value = format_share(value_of(results.comparison, target.suite, candidate.variant, target.metric))
    gain = _gain(candidate.variant, target, results.comparison)
    return f"{base} tuned by {candidate.variant}: {target.name} {value}{gain}{_cost(candidate, results)}."


def describe_weights(candidate: Candidate, results: Results) -> str | None:
    """What became of the weights where they lay in an S3 that ended with the run, else None."""
    if is_billed(results.plan):
        return None
    ended = "The version's source is in an embedded S3, which ended with the run"
    if has_weights(candidate, results.plan):
        return f"{ended}: the weights are in runs/{results.comparison.run_id}/model/."
    return f"{ended}, and the weights with it: only a promoted model is copied to runs/<run_id>/model/."


def has_weights(candidate: Candidate, plan: Plan) -> bool:
    """Whether the weights outlive the run: of one on the embedded AWS only those of a promoted model do."""
    return is_billed(plan) or candidate.gate == "passed"


def broken_rules(plan: Plan, variant: str) -> tuple[list[Mapping[str, Any]], int]:
    """The gate's rules that a variant does not pass, and how many there are for it."""
    rules = [rule for rule in gate_of(plan).get("rules") or () if rule.get("variant") == variant]
    return [rule for rule in rules if not rule.get("passed")], len(rules)


def _reason(candidate: Candidate, plan: Plan) -> str:
    if candidate.gate == "none":
        was_asked = input_of(plan).get("gate", []) != []
        return "the gate had nothing to hold it against" if was_asked else "no gate was asked"
    broken, rules = broken_rules(plan, candidate.variant)
    if not broken:
        promoted = promoted_of(plan)
        return f"{promoted} is" if promoted else "the gate did not let it pass"
    first = str(broken[0].get("statement") or broken[0].get("metric")).rstrip(".")
    return f"{len(broken)} of {rules} rules broken, {'the first is ' if len(broken) > 1 else ''}{first}"


def _gain(variant: str, target: Target, comparison: Comparison) -> str:
    pair = pair_over(comparison, target, variant)
    if pair is None or pair.result.difference is None:
        return ""
    noise = "beyond noise" if pair.is_real else "within noise"
    before = format_share(value_of(comparison, target.suite, pair.b, target.metric))
    return f", {write_points(pair.result.difference)} points over the {pair.b}'s {before} ({noise})"


def _cost(candidate: Candidate, results: Results) -> str:
    costs = costs_of(results.plan, results.comparison)
    amounts = {one.variant: one.usd for one in costs.variants} if costs else {}
    usd = amounts.get(candidate.variant)
    if usd is None:
        return ""
    billed = "" if is_billed(results.plan) else "; nothing was billed"
    return f", for {format_usd(usd)} at list prices{billed}"
