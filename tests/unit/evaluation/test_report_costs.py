"""Costs: a line a job beside its estimate, what a variant's own jobs cost, and what a real point cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from evaluation.comparison import Comparison
from evaluation.report.costs import (
    Costs,
    VariantCost,
    costs_of,
    describe_costs,
    jobs_of,
)
from tests.unit.evaluation.comparisons import RIGHT, comparison_of, wrong
from tests.unit.evaluation.rows import text_row

WRONG = wrong("missing_call")
ROWS = 100
# Of a hundred rows, how many each variant has right.
SKILL = {"base": 40, "prompt": 42, "sft": 70, "dpo": 10, "sft-dpo": 71}


def comparison(skill: Mapping[str, int] = SKILL, suites: Sequence[str] = ("own",)) -> Comparison:
    rows = [text_row("request_for_info", str(number)) for number in range(ROWS)]
    scores = {
        name: [RIGHT if number < right else WRONG for number in range(ROWS)] for name, right in skill.items()
    }
    return comparison_of(dict.fromkeys(suites, rows), dict.fromkeys(suites, scores))


def plan(usd: Mapping[str, float | None], total: float | None = None, **fields: Any) -> dict[str, Any]:
    """A plan whose jobs cost so much; None for one that has not ended."""
    lines = [
        {"job": job, "instance_type": "ml.g5.xlarge", "hours": 1.0, "usd_per_hour": 1.408, "usd": 1.41}
        for job in usd
    ]
    actual = [
        {
            "job": job,
            "instance_type": "ml.g4dn.xlarge",
            "instance_count": 1,
            "status": "InProgress" if amount is None else "Completed",
            "billable_seconds": None if amount is None else 600,
            "training_seconds": None,
            "usd_per_hour": 0.7364,
            "usd": amount,
        }
        for job, amount in usd.items()
    ]
    cost = {
        "at_most_usd": round(1.41 * len(lines), 2),
        "lines": lines,
        "prices_as_of": "2026-09",
        "usd_per_hour": {"ml.g5.xlarge": 1.408},
        "note": "on-demand prices",
        "actual": {"usd": total, "lines": actual, "statement": ""},
    }
    return {"cost": {**cost, **fields}}


USD = {
    "prepare": 0.01,
    "sft": 0.60,
    "dpo": 0.50,
    "sft_dpo": 0.40,
    "predict_base": 0.20,
    "predict_prompt": 0.25,
    "predict_sft": 0.15,
    "predict_dpo": 0.15,
    "predict_sft_dpo": 0.20,
    "compare": 0.01,
    "report": None,
}


def costs(usd: Mapping[str, float | None] = USD, skill: Mapping[str, int] = SKILL) -> Costs:
    found = costs_of(plan(usd), comparison(skill))
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("variant", "jobs"),
    [
        pytest.param("base", ["predict_base"], id="no-training"),
        pytest.param("prompt", ["predict_prompt"], id="a-prompt-is-no-training"),
        pytest.param("sft", ["sft", "predict_sft"], id="one-stage"),
        pytest.param("dpo", ["dpo", "predict_dpo"], id="from-base"),
        pytest.param("sft-dpo", ["sft", "sft_dpo", "predict_sft_dpo"], id="two-stages"),
        pytest.param("sft-rft", ["sft", "sft_rft", "predict_sft_rft"], id="rft-after-sft"),
        pytest.param(
            "sft-dpo-rft", ["sft", "sft_dpo", "sft_dpo_rft", "predict_sft_dpo_rft"], id="three-stages"
        ),
    ],
)
def test_a_variant_needs_its_stages_and_its_prediction(variant: str, jobs: list[str]) -> None:
    assert jobs_of(variant) == jobs


def test_a_line_has_what_was_billed_beside_the_estimate() -> None:
    lines = {line.job: line for line in costs().lines}
    assert list(lines) == list(USD), "in the plan's order"
    sft, report = lines["sft"], lines["report"]
    assert (sft.usd, sft.at_most_usd, sft.billable_seconds, sft.status) == (0.60, 1.41, 600, "Completed")
    assert (sft.instance_type, sft.usd_per_hour) == ("ml.g4dn.xlarge", 0.7364), "the instance that ran"
    assert (report.usd, report.billable_seconds, report.status) == (None, None, "InProgress")


def test_a_variant_costs_what_its_own_jobs_cost() -> None:
    by_variant = {one.variant: one for one in costs().variants}
    spent = {name: round(one.usd or 0, 2) for name, one in by_variant.items()}
    assert spent == {"base": 0.20, "prompt": 0.25, "sft": 0.75, "dpo": 0.65, "sft-dpo": 1.20}
    assert by_variant["base"] == VariantCost("base", 0.20, None, False, None), "nothing to gain over itself"


@pytest.mark.parametrize(
    ("variant", "points", "is_real", "usd_per_point"),
    [
        pytest.param("sft", 30.0, True, 0.75 / 30, id="a-real-gain-has-a-price"),
        pytest.param("prompt", 2.0, False, None, id="within-noise-has-none"),
        pytest.param("dpo", -30.0, True, None, id="nor-has-a-real-loss"),
        pytest.param("sft-dpo", 31.0, True, 1.20 / 31, id="over-base-not-over-sft"),
    ],
)
def test_a_point_has_a_price_where_the_gain_is_real(
    variant: str, points: float, is_real: bool, usd_per_point: float | None
) -> None:
    one = next(one for one in costs().variants if one.variant == variant)
    assert one.points == pytest.approx(points)
    assert one.is_real is is_real
    assert one.usd_per_point == (None if usd_per_point is None else pytest.approx(usd_per_point))


def test_a_variant_whose_jobs_are_not_all_priced_has_no_cost() -> None:
    found = costs({**USD, "sft": None})
    by_variant = {one.variant: one for one in found.variants}
    assert (by_variant["sft"].usd, by_variant["sft"].usd_per_point) == (None, None)
    assert by_variant["sft-dpo"].usd is None, "it needs sft too"
    assert by_variant["sft"].points == pytest.approx(30.0), "the gain is known all the same"
    assert by_variant["dpo"].usd == pytest.approx(0.65)


def test_a_variant_of_an_unknown_name_has_no_cost() -> None:
    found = costs(skill={"base": 40, "mine": 50})
    assert [(one.variant, one.usd, one.points) for one in found.variants] == [
        ("base", 0.20, None),
        ("mine", None, None),
    ]


@pytest.mark.parametrize(
    "given",
    [
        pytest.param({}, id="no-plan"),
        pytest.param({"cost": None}, id="no-cost"),
        pytest.param({"gate": {"rules": []}}, id="a-gate-alone"),
    ],
)
def test_outside_of_an_execution_there_are_no_costs(given: dict[str, Any]) -> None:
    assert costs_of(given, comparison()) is None


def test_an_estimate_alone_is_shown_as_one() -> None:
    given = plan(USD)
    del given["cost"]["actual"]
    found = costs_of(given, comparison())
    assert found is not None
    assert (found.usd, found.at_most_usd) == (None, 15.51)
    assert {line.usd for line in found.lines} == {None}
    assert describe_costs(found).startswith("No cost is known yet, estimated at no more than $15.51")


@pytest.mark.parametrize(
    ("usd", "total", "expected"),
    [
        pytest.param(USD, 2.5, 2.5, id="the-plans-own-sum"),
        pytest.param({"sft": 1.0, "report": 2.0}, None, 3.0, id="added-up-where-the-plan-has-none"),
        pytest.param({"sft": None}, 0.0, None, id="nothing-ended-is-not-free"),
    ],
)
def test_the_sum_is_of_what_is_known(
    usd: dict[str, float | None], total: float | None, expected: float | None
) -> None:
    found = costs_of(plan(usd, total), comparison())
    assert found is not None
    assert found.usd == expected


RULES = [
    {"kind": "guard", "suite": "own"},
    {"kind": "target", "suite": "when2call_mcq", "metric": "acc_norm"},
]


@pytest.mark.parametrize(
    ("gate", "suites", "expected"),
    [
        pytest.param(
            {"rules": RULES}, ["when2call_mcq", "own"], "when2call_mcq/acc_norm", id="the-gates-target"
        ),
        pytest.param({"rules": RULES}, ["own"], "own/accuracy", id="a-target-that-was-not-run"),
        pytest.param(None, ["when2call_mcq", "own", "multi_turn"], "own/accuracy", id="no-gate"),
        pytest.param(
            {"rules": []}, ["when2call_mcq", "multi_turn"], "multi_turn/accuracy", id="the-last-suite"
        ),
    ],
)
def test_points_are_those_of_the_target(gate: Any, suites: list[str], expected: str) -> None:
    found = costs_of({**plan({}), "gate": gate}, comparison({"base": 1}, suites))
    assert found is not None
    assert found.target is not None
    assert found.target.name == expected


@pytest.mark.parametrize(
    ("usd", "said"),
    [
        pytest.param(
            USD,
            "The run would have cost $2.47 at list prices of 2026-09 (estimated at no more than $15.51; "
            "without report); nothing was billed.",
            id="priced-all-the-same",
        ),
        pytest.param(
            {"sft": None},
            "No cost at list prices of 2026-09 is known yet (estimated at no more than $1.41); "
            "nothing was billed.",
            id="nothing-ended",
        ),
    ],
)
def test_what_was_not_billed_is_said_so(usd: dict[str, float | None], said: str) -> None:
    found = costs_of(plan(usd, billed=False), comparison())
    assert found is not None
    assert not found.is_billed
    assert describe_costs(found).startswith(said)


@pytest.mark.parametrize("billed", [{}, {"billed": True}, {"billed": None}], ids=["absent", "true", "null"])
def test_what_is_not_said_to_be_free_is_billed(billed: dict[str, bool | None]) -> None:
    found = costs_of(plan(USD, **billed), comparison())
    assert found is not None
    assert found.is_billed


def test_the_words_name_every_amount() -> None:
    words = describe_costs(costs())
    assert words.startswith(
        "The run cost $2.47, estimated at no more than $15.51 (list prices of 2026-09; without report)."
    )
    assert "base: $0.20." in words
    assert "sft: $0.75 for +30.0 points of own/accuracy over base, $0.03 a point." in words
    assert "prompt: $0.25, +2.0 points of own/accuracy over base: no gain beyond noise." in words
    assert "dpo: $0.65, -30.0 points of own/accuracy over base: a real loss." in words


OTHER_TARGETS: dict[str, tuple[dict[str, str], str]] = {
    "another figure": (
        {"metric": "decision_accuracy"},
        "sft: $0.75 for +30.0 points of own/decision_accuracy over base, $0.03 a point.",
    ),
    "a rate of faults falls": (
        {"metric": "malformed_rate"},
        "sft: $0.75 for -30.0 points of own/malformed_rate over base, $0.03 a point.",
    ),
    "a rate of faults rises": (
        {"metric": "malformed_rate", "over": "sft"},
        "sft-dpo: $1.20, +10.0 points of own/malformed_rate over sft: a real loss.",
    ),
    "over another than base": (
        {"metric": "decision_accuracy", "over": "prompt"},
        "sft: $0.75 for +28.0 points of own/decision_accuracy over prompt, $0.03 a point.",
    ),
    "a pair that nobody compares": (
        {"metric": "decision_accuracy", "over": "dpo"},
        "sft: $0.75 for +30.0 points of own/decision_accuracy over base, $0.03 a point.",
    ),
}


@pytest.mark.parametrize("name", OTHER_TARGETS)
def test_points_are_those_of_the_targets_figure_and_named_so(name: str) -> None:
    rule, said = OTHER_TARGETS[name]
    malformed = wrong("malformed_call", decision="malformed_call")
    skill = {**SKILL, "sft-dpo": 60}
    rows = [text_row("request_for_info", str(number)) for number in range(ROWS)]
    scores = {one: [RIGHT] * right + [malformed] * (ROWS - right) for one, right in skill.items()}
    found = costs_of(
        {**plan(USD), "gate": {"rules": [{"kind": "target", "suite": "own", **rule}]}},
        comparison_of({"own": rows}, {"own": scores}, has_guarded=True),
    )
    assert found is not None
    assert said in describe_costs(found)
    assert found.gained.startswith(f" by own/{rule['metric']} over ")


def test_without_base_a_gain_is_over_what_there_is() -> None:
    found = costs(skill={"prompt": 40, "sft": 70, "sft-dpo": 71})
    assert [(one.variant, one.over) for one in found.variants] == [
        ("prompt", None),
        ("sft", "prompt"),
        ("sft-dpo", "prompt"),
    ]
    assert found.gained == " by own/accuracy over prompt"


def test_a_price_that_was_set_is_not_called_the_lists() -> None:
    found = costs_of(plan(USD, overridden=["ml.g5.xlarge"]), comparison())
    assert found is not None
    assert "(list prices of 2026-09, but ml.g5.xlarge as set; without report)" in describe_costs(found)
