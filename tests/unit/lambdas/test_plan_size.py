"""The plan of a run, with verdict and costs, stays below what Step Functions passes on."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lambdas.costs import Prices
from lambdas.count_costs import with_actual_cost
from lambdas.fields import InvalidInput
from lambdas.gate import check_gate
from lambdas.gate_input import parse_rules
from lambdas.gate_rules import DECISIONS, ROW_SHARES, candidates_of
from lambdas.inputs import JOB_KINDS, SUITES, VARIANTS, Defaults
from lambdas.plan_run import Environment, plan_run
from lambdas.plan_size import FINDING_BYTES, MAX_PLAN_BYTES, check_size, count_rules

LONG = "ml.p4d.24xlarge"
ENVIRONMENT = Environment(
    bucket="b" * 63,
    defaults=Defaults(
        "a/b", "r", {kind: [LONG] for kind in JOB_KINDS}, dict.fromkeys(JOB_KINDS, 60), False, None
    ),
    recipes={"sft": ["r"], "dpo": ["r"], "few_shot": ["r"]},
    prices=Prices("2026-09", {LONG: 32.773}),
)
FIGURES = [
    f"{suite}/{metric}"
    for suite in SUITES
    for metric in (*ROW_SHARES[suite], *(f"recall_{decision}" for decision in DECISIONS))
]
TARGETS = [{"target": figure} for figure in FIGURES]
GUARDS = [{"guard": figure, "tolerance": 0.0312345, "beyond_noise": True} for figure in FIGURES]
STRICT = [{"guard": figure, "tolerance": 0.0312345, "strict": True} for figure in FIGURES]
NUMBER = -0.012345678901234567


def _comparison(shared: int) -> dict[str, Any]:
    """Every figure of every variant, in numbers as long as they become."""
    value = {"value": -NUMBER, "low": -NUMBER, "high": -NUMBER, "n": 3652}
    summaries = {
        suite: {
            "metrics": dict.fromkeys(ROW_SHARES[suite], value),
            "recall": dict.fromkeys(DECISIONS, value),
        }
        for suite in SUITES
    }
    numbers = {**dict.fromkeys(("difference", "low"), 30 * NUMBER), "high": NUMBER}
    pairs = [
        {"suite": figure.split("/")[0], "metric": figure.split("/")[1], "a": a, "b": b, "n": shared,
         **numbers, "p": -40 * NUMBER, "p_holm": -40 * NUMBER}
        for figure in FIGURES for a in VARIANTS for b in VARIANTS[: VARIANTS.index(a)]
    ]  # fmt: skip
    counted = [figure.split("/")[1] for figure in FIGURES]
    return {
        "suites": {suite: dict.fromkeys(VARIANTS, one) for suite, one in summaries.items()},
        "paired": pairs,
        "guarded": [],
        "test_sets": {
            suite: {"digest": "0" * 16, "rows": 3652, "rows_by_figure": dict.fromkeys(counted, 3652)}
            for suite in SUITES
        },
    }


def _given(gate: Any) -> dict[str, Any]:
    return {"dataset": "a/b", "variants": list(VARIANTS), "suites": list(SUITES), "gate": gate}


def _plan(gate: Any) -> dict[str, Any]:
    name = "n" * 80
    return plan_run(name, f"arn:{name}", _given(gate), ENVIRONMENT, lambda *_: True)


GATES: list[tuple[Any, str]] = [
    (None, "the default rules on every suite"),
    (TARGETS, "everything a target"),
    ([TARGETS[0], *GUARDS], "everything guarded"),
    ([TARGETS[0], *STRICT], "strictly"),
    ([], "no gate"),
]


@pytest.mark.parametrize("shared", [3652, 3000], ids=["measured", "not measured"])
@pytest.mark.parametrize(("gate", "reason"), GATES, ids=[row[1] for row in GATES])
def test_what_is_let_through_fits(gate: Any, reason: str, shared: int) -> None:
    plan = _plan(gate)
    verdict = check_gate(_comparison(shared), plan["input"]["gate"], plan["evaluated"])
    billed = {
        "TrainingJobStatus": "Completed",
        "BillableTimeInSeconds": 86400,
        "TrainingTimeInSeconds": 86400,
    }
    whole = with_actual_cost({**plan, "gate": verdict}, lambda _name: billed, billed=True)
    assert len(json.dumps(whole)) <= MAX_PLAN_BYTES, reason
    assert all(len(json.dumps(entry)) <= FINDING_BYTES for entry in verdict["rules"])


def test_more_rules_than_fit_are_refused_with_how_many_do() -> None:
    gate = [*TARGETS, *GUARDS]
    with pytest.raises(
        InvalidInput, match=r"gate: the rules read 119 figures .* of each of 3 trained"
    ) as raised:
        _plan(gate)
    most = int(str(raised.value).split("room for ")[1].split(";")[0])
    plan = {**_plan(None), "input": {**_plan(None)["input"], "gate": gate}}
    rules = parse_rules(gate, SUITES, VARIANTS)
    fitting = next(rules[:k] for k in range(len(rules)) if count_rules(rules[:k]) == most)
    check_size(plan, fitting, VARIANTS)
    with pytest.raises(InvalidInput):
        check_size(plan, [*fitting, rules[len(fitting)]], VARIANTS)


def test_fewer_variants_leave_room_for_more_rules() -> None:
    gate = [*TARGETS, *GUARDS]
    plan = plan_run("n", "arn:n", {**_given(gate), "variants": ["base", "sft"]}, ENVIRONMENT, lambda *_: True)
    assert candidates_of(plan["evaluated"]) == ["sft"]
    assert plan["input"]["gate"] == gate


COUNTS: list[tuple[list[Any], int, str]] = [
    ([], 0, "no gate"),
    ([TARGETS[0]], 2, "the rows without a score of its suite"),
    ([{"target": "own/accuracy"}, {"guard": "own/recall"}], 6, "the recall of four decisions"),
    ([{"target": "own/accuracy"}, {"guard": "own/unscored_rate"}], 2, "counted once"),
    ([{"target": "own/accuracy"}, {"guard": "own/accuracy", "over": "sft"}], 4, "over each other variant"),
]


@pytest.mark.parametrize(("gate", "count", "reason"), COUNTS, ids=[row[2] for row in COUNTS])
def test_rules_are_counted_as_they_are_applied(gate: list[Any], count: int, reason: str) -> None:
    variants = ["base", "sft", "sft-dpo"]
    assert count_rules(parse_rules(gate, SUITES, variants)) == count, reason
    verdict = check_gate(_comparison(3652), gate, variants)
    assert len(verdict["rules"]) == 2 * count
