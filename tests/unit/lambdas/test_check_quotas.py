"""CheckQuotas: which instances a run takes, and what is said when none may be had."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdas.check_quotas import (
    Quota,
    QuotaExceeded,
    choose_instances,
    count_in_use,
    list_quotas,
    quota_name,
)
from lambdas.costs import BudgetExceeded, Prices
from lambdas.inputs import DEFAULT_VARIANTS, VARIANTS, Defaults
from lambdas.plan_run import Environment, plan_run

KEY = "arn:aws:kms:us-east-1:123456789012:key/k"
G5, P5, XL, L = "ml.g5.2xlarge", "ml.p5.4xlarge", "ml.m5.xlarge", "ml.m5.large"
ENVIRONMENT = Environment(
    bucket="b",
    defaults=Defaults(
        base_model="a/b",
        recipe="r",
        instances={"prepare": [XL], "train": [P5, G5], "predict": [G5], "compare": [L]},
        max_runtime_minutes={"prepare": 60, "train": 60, "predict": 60, "compare": 60},
        use_spot=False,
        budget_usd=None,
    ),
    recipes={"sft": ["r"], "dpo": ["r"], "few_shot": ["r"]},
    prices=Prices("2026-09", {P5: 8.0, G5: 1.5, XL: 0.2, L: 0.1}),
)


def _plan(**fields: Any) -> dict[str, Any]:
    return plan_run("n", "arn:n", {"dataset": "a/b", **fields}, ENVIRONMENT, lambda *_: True)


def _quotas(granted: Mapping[str, int], *, use_spot: bool = False) -> dict[str, Quota]:
    names = {quota_name(t, use_spot=use_spot and t in (G5, P5)): n for t, n in granted.items()}
    return {name: Quota(name, f"L-{len(name):08d}", n) for name, n in names.items()}


PLENTY = {P5: 10, G5: 10, XL: 10, L: 10}
# Of all variants at once: SFT's DPO or its prediction, the SFT prediction, the base, the prompted base, DPO.
CHOICES: list[tuple[dict[str, int], dict[str, int], list[str], str | None, str]] = [
    (PLENTY, {}, list(VARIANTS), P5, "the first preference where it may be had"),
    ({**PLENTY, P5: 1}, {}, list(VARIANTS), G5, "the second where the first does not suffice"),
    ({**PLENTY, P5: 2}, {}, list(VARIANTS), P5, "two trainings run at once"),
    ({**PLENTY, P5: 2}, {P5: 1}, list(VARIANTS), G5, "what others use is not free"),
    ({**PLENTY, P5: 0}, {}, ["base"], P5, "what is not trained needs no quota"),
    ({**PLENTY, P5: 1}, {}, ["sft"], P5, "one training needs one"),
    ({**PLENTY, P5: 0, G5: 5}, {}, list(VARIANTS), G5, "training and prediction share a quota of five"),
    ({**PLENTY, P5: 0, G5: 4}, {}, list(VARIANTS), None, "four are not enough for both"),
    ({**PLENTY, P5: 0, G5: 4}, {}, list(DEFAULT_VARIANTS), G5, "unless the base is not prompted too"),
    ({**PLENTY, XL: 0}, {}, list(VARIANTS), None, "the small jobs count as well"),
    ({**PLENTY, L: 1}, {L: 1}, list(VARIANTS), None, "all granted, all in use"),
]


@pytest.mark.parametrize(("granted", "used", "variants", "train_type", "reason"), CHOICES)
def test_the_first_preference_that_quotas_allow_is_taken(
    granted: dict[str, int], used: dict[str, int], variants: list[str], train_type: str | None, reason: str
) -> None:
    in_use = {quota_name(t, use_spot=False): n for t, n in used.items()}
    plan = _plan(variants=variants)
    if train_type is None:
        with pytest.raises(QuotaExceeded):
            choose_instances(plan, _quotas(granted), in_use, KEY)
        return
    jobs = choose_instances(plan, _quotas(granted), in_use, KEY)["jobs"]
    for job in jobs.values():
        wanted = {"train": train_type, "predict": G5, "prepare": XL, "compare": L}[job["kind"]]
        assert job["resource_config"]["InstanceType"] == wanted, reason


def test_the_rest_of_the_plan_stays() -> None:
    plan = _plan()
    chosen = choose_instances(plan, _quotas(PLENTY), {}, KEY)
    same = {key for key in plan if plan[key] == chosen[key]}
    assert set(plan) - same <= {"jobs", "cost"}
    for key, job in plan["jobs"].items():
        assert {**job, "resource_config": None} == {**chosen["jobs"][key], "resource_config": None}


def test_a_shortage_is_told_with_quota_granted_used_needed_and_the_command() -> None:
    p4 = "ml.p4d.24xlarge"
    quotas = _quotas({**PLENTY, P5: 1, p4: 0})
    with pytest.raises(QuotaExceeded) as raised:
        plan = _plan(instances={"train": [P5, p4]})
        choose_instances(plan, quotas, {quota_name(P5, use_spot=False): 1}, KEY)
    text = str(raised.value)
    assert f"quota '{P5} for training job usage': granted 1, in use 1, needed 2" in text
    assert "aws service-quotas request-service-quota-increase --service-code sagemaker" in text
    code = quotas[quota_name(P5, use_spot=False)].code
    assert f"--quota-code {code} --desired-value 3" in text
    assert f"'{p4} for training job usage' (granted 0, in use 0, needed 2)" in text, "what else was tried"
    assert "\n" not in text


def test_a_quota_that_the_account_does_not_have_is_named() -> None:
    with pytest.raises(QuotaExceeded, match=r"no quota 'ml\.g5\.2xlarge for training job usage'"):
        choose_instances(_plan(variants=["base"]), _quotas({XL: 1, L: 1}), {}, KEY)


def test_spot_counts_against_its_own_quota() -> None:
    plan = _plan(use_spot=True)
    assert choose_instances(plan, _quotas(PLENTY, use_spot=True), {}, KEY)["jobs"]["sft"]["use_spot"]
    with pytest.raises(QuotaExceeded, match="for spot training job usage"):
        choose_instances(plan, _quotas(PLENTY), {}, KEY)


BUDGETS: list[tuple[float | None, str | None, str]] = [
    (None, P5, "no budget, no limit"),
    (30.4, P5, "3 × 8 + 4 × 1.5 + 0.4: just enough"),
    (30.0, G5, "the second preference where the first is too dear"),
    (10.9, G5, "3 × 1.5 + 4 × 1.5 + 0.4: just enough"),
    (10.8, None, "too little for either"),
    (0, None, "nothing"),
]


@pytest.mark.parametrize(("budget", "train_type", "reason"), BUDGETS)
def test_the_budget_bounds_the_choice(budget: float | None, train_type: str | None, reason: str) -> None:
    plan = _plan(budget_usd=budget)
    if train_type is None:
        with pytest.raises(BudgetExceeded):
            choose_instances(plan, _quotas(PLENTY), {}, KEY)
        return
    chosen = choose_instances(plan, _quotas(PLENTY), {}, KEY)
    assert chosen["jobs"]["sft"]["resource_config"]["InstanceType"] == train_type, reason
    lines = {line["job"]: line for line in chosen["cost"]["lines"]}
    assert lines["sft"]["instance_type"] == train_type
    assert budget is None or chosen["cost"]["at_most_usd"] <= budget


def test_a_budget_too_small_shows_the_lines() -> None:
    with pytest.raises(BudgetExceeded) as raised:
        plan = _plan(budget_usd=5, variants=["sft"], instances={"train": [P5]})
        choose_instances(plan, _quotas(PLENTY), {}, KEY)
    text = str(raised.value)
    assert "up to $9.90, budget_usd is 5.00" in text
    assert f"sft 1 h on {P5} at $8 = $8.00" in text
    assert "2026-09" in text


def test_every_instance_of_a_job_is_estimated() -> None:
    plan = _plan(budget_usd=17.9, variants=["sft"], instances={"train": [P5]})
    assert choose_instances(plan, _quotas(PLENTY), {}, KEY)["cost"]["at_most_usd"] == 9.9
    plan["jobs"]["sft"]["resource_config"]["InstanceCount"] = 2
    chosen = choose_instances(
        {**plan, "input": {**plan["input"], "budget_usd": 18}}, _quotas(PLENTY), {}, KEY
    )
    assert chosen["cost"]["at_most_usd"] == 17.9
    (sft,) = (line for line in chosen["cost"]["lines"] if line["job"] == "sft")
    assert (sft["instance_count"], sft["usd"]) == (2, 16.0)
    plan["input"]["budget_usd"] = 17.8
    with pytest.raises(BudgetExceeded, match=rf"sft 1 h on 2 {P5} at \$8 = \$16\.00"):
        choose_instances(plan, _quotas(PLENTY), {}, KEY)


def test_a_price_that_was_set_is_not_called_the_lists() -> None:
    prices = replace(ENVIRONMENT.prices, overridden=frozenset({P5, "ml.c5.large"}))
    given = {"dataset": "a/b", "variants": ["sft"], "budget_usd": 1}
    plan = plan_run("n", "arn:n", given, replace(ENVIRONMENT, prices=prices), lambda *_: True)
    set_here = f"but {P5} as set in instance_prices_usd"
    assert (plan["cost"]["overridden"], plan["cost"]["note"]) == ([P5], f"on-demand prices, {set_here}")
    with pytest.raises(BudgetExceeded, match=f"list prices of 2026-09, {set_here}, each job"):
        choose_instances(plan, _quotas(PLENTY), {}, KEY)
    with pytest.raises(BudgetExceeded, match="list prices of 2026-09, each job"):
        choose_instances(plan, _quotas({**PLENTY, P5: 0}), {}, KEY)


def test_an_unknown_price_matters_only_to_a_budget() -> None:
    instances = {"train": ["ml.trn9.large"]}
    quotas = _quotas({**PLENTY, "ml.trn9.large": 9})
    chosen = choose_instances(_plan(instances=instances), quotas, {}, KEY)
    assert chosen["cost"]["at_most_usd"] is None
    with pytest.raises(BudgetExceeded, match=r"no price is known for ml\.trn9\.large.*instance_prices_usd"):
        choose_instances(_plan(instances=instances, budget_usd=100), quotas, {}, KEY)


VOLUMES = [
    (L, True, "the volume is on EBS"),
    (G5, False, "SageMaker refuses a key for a disk of the instance's own"),
    ("ml.m5d.large", False, "a family with its own disk"),
    ("ml.unknown.large", False, "no key where nobody knows"),
]


@pytest.mark.parametrize(("instance_type", "has_key", "reason"), VOLUMES)
def test_the_volume_has_our_key_where_it_may(instance_type: str, has_key: bool, reason: str) -> None:
    plan = _plan(instances={"compare": [instance_type]})
    chosen = choose_instances(plan, _quotas({**PLENTY, instance_type: 9}), {}, KEY)
    assert (chosen["jobs"]["compare"]["resource_config"].get("VolumeKmsKeyId") == KEY) is has_key, reason


@given(
    st.dictionaries(st.sampled_from([P5, G5, XL, L]), st.integers(0, 6)),
    st.lists(st.sampled_from(VARIANTS), min_size=1, unique=True),
)
def test_a_choice_never_needs_more_than_is_granted(granted: dict[str, int], variants: list[str]) -> None:
    plan = _plan(variants=variants)
    try:
        chosen = choose_instances(plan, _quotas(granted), {}, KEY)
    except QuotaExceeded as error:
        assert "needed" in str(error) or "no quota" in str(error)
        return
    used = {job["resource_config"]["InstanceType"] for job in chosen["jobs"].values()}
    assert all(granted.get(instance_type, 0) >= 1 for instance_type in used)


class FakePages:
    """A client whose paginators answer from lists, a page an entry."""

    def __init__(
        self, pages: Mapping[str, list[dict[str, Any]]], jobs: Mapping[str, Any] | None = None
    ) -> None:
        self.pages = pages
        self.jobs = jobs or {}
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def get_paginator(self, operation: str) -> FakePages:
        self.asked.append((operation, {}))
        return self

    def paginate(self, **arguments: Any) -> Iterator[dict[str, Any]]:
        operation = self.asked[-1][0]
        self.asked[-1] = (operation, arguments)
        return iter(self.pages[operation])

    def describe_training_job(self, TrainingJobName: str) -> Any:
        return self.jobs[TrainingJobName]


def _entry(name: str, value: float) -> dict[str, Any]:
    return {"QuotaName": name, "QuotaCode": "L-1", "Value": value}


def test_quotas_are_found_by_name_on_any_page_and_among_the_defaults() -> None:
    client = FakePages(
        {
            "list_service_quotas": [
                {"Quotas": [_entry("x for endpoint usage", 9.0)]},
                {"Quotas": [_entry("x for training job usage", 2.0)]},
            ],
            "list_aws_default_service_quotas": [
                {"Quotas": [_entry("x for training job usage", 0.0), _entry("y for training job usage", 1.0)]}
            ],
        }
    )
    found = list_quotas(client, {"x for training job usage", "y for training job usage"})
    assert {name: quota.granted for name, quota in found.items()} == {
        "x for training job usage": 2,
        "y for training job usage": 1,
    }
    assert [arguments for _, arguments in client.asked] == [{"ServiceCode": "sagemaker"}] * 2


def test_the_defaults_are_asked_only_where_something_is_missing() -> None:
    client = FakePages({"list_service_quotas": [{"Quotas": [_entry("x", 2.0)]}]})
    assert list_quotas(client, {"x"})["x"].granted == 2


def test_running_jobs_hold_instances_by_type_and_market() -> None:
    config = {"InstanceType": G5, "InstanceCount": 2}
    groups = [{"InstanceType": G5, "InstanceCount": 1}, {"InstanceType": L, "InstanceCount": 3}]
    jobs = {
        "a": {"ResourceConfig": config},
        "b": {"ResourceConfig": config, "EnableManagedSpotTraining": True},
        "c": {"ResourceConfig": {"InstanceGroups": groups}},
        "d": {},
    }
    pages = [{"TrainingJobSummaries": [{"TrainingJobName": name}]} for name in jobs]
    client = FakePages({"list_training_jobs": pages}, jobs)
    assert count_in_use(client) == {
        f"{G5} for training job usage": 3,
        f"{G5} for spot training job usage": 2,
        f"{L} for training job usage": 3,
    }
    assert client.asked == [("list_training_jobs", {"StatusEquals": "InProgress"})]
