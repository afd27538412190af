"""CheckQuotas: take the first preferred instances that the account's quotas and the budget allow."""

from __future__ import annotations

import itertools
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import boto3

from lambdas.costs import (
    BudgetExceeded,
    CostLine,
    as_estimate,
    cost_line,
    explain_budget,
    held_instances,
    is_affordable,
)

# These have no disk of their own, so that the key for the volume may be given; SageMaker refuses it where the
# instance brings its disk, which is encrypted in hardware.
EBS_ONLY_FAMILIES = frozenset(
    ("c4", "c5", "c6i", "c7i", "m4", "m5", "m6i", "m7i", "p2", "p3", "r5", "r7i", "t3")
)
KINDS_BY_WEIGHT = ("train", "predict", "prepare", "compare")

Choice = Mapping[str, str]
"""An instance type for each kind of job."""


class QuotaExceeded(Exception):
    """No preferred instance may run often enough: the message says what is granted, in use and needed."""


@dataclass(frozen=True)
class Quota:
    """What one quota of the account grants; `code` is how to ask for more."""

    name: str
    code: str
    granted: int


@dataclass(frozen=True)
class Shortage:
    """A quota that does not suffice; `quota` is None where the account has none of that name."""

    name: str
    quota: Quota | None
    in_use: int
    needed: int


def handler(event: Mapping[str, Any], _context: object) -> dict[str, Any]:
    """Return the plan `event` with the instances that its jobs shall take.

    Raises QuotaExceeded, BudgetExceeded; the name is the execution's error.
    """
    quotas = list_quotas(boto3.client("service-quotas"), _quota_names(event))
    in_use = count_in_use(boto3.client("sagemaker"))
    return choose_instances(event, quotas, in_use, os.environ["VOLUME_KMS_KEY_ARN"])


def quota_name(instance_type: str, *, use_spot: bool) -> str:
    """Return how Service Quotas calls the number of instances of a type that training jobs may hold."""
    return f"{instance_type} for {'spot ' if use_spot else ''}training job usage"


def list_quotas(client: Any, names: set[str]) -> dict[str, Quota]:
    """Return the account's quotas of these names; those it never changed come from the defaults."""
    found: dict[str, Quota] = {}
    for operation in ("list_service_quotas", "list_aws_default_service_quotas"):
        if names <= found.keys():
            break
        for page in client.get_paginator(operation).paginate(ServiceCode="sagemaker"):
            for entry in page["Quotas"]:
                if entry["QuotaName"] in names - found.keys():
                    quota = Quota(entry["QuotaName"], entry["QuotaCode"], int(entry["Value"]))
                    found[quota.name] = quota
    return found


def count_in_use(client: Any) -> Counter[str]:
    """Return how many instances the running training jobs hold, by the name of the quota."""
    in_use: Counter[str] = Counter()
    pages = client.get_paginator("list_training_jobs").paginate(StatusEquals="InProgress")
    for summary in (job for page in pages for job in page["TrainingJobSummaries"]):
        job = client.describe_training_job(TrainingJobName=summary["TrainingJobName"])
        for instance_type, count in held_instances(job.get("ResourceConfig", {})):
            in_use[quota_name(instance_type, use_spot=job.get("EnableManagedSpotTraining", False))] += count
    return in_use


def choose_instances(
    plan: Mapping[str, Any], quotas: Mapping[str, Quota], in_use: Mapping[str, int], volume_key_arn: str
) -> dict[str, Any]:
    """Return `plan` with the first combination of preferred instances that quotas and budget allow."""
    possible = [chosen for chosen in _choices(plan) if not _shortages(plan, chosen, quotas, in_use)]
    if not possible:
        raise QuotaExceeded(_explain(plan, quotas, in_use))
    budget_usd = plan["input"]["budget_usd"]
    estimates = [_cost_lines(plan, chosen) for chosen in possible]
    affordable = [i for i, lines in enumerate(estimates) if is_affordable(lines, budget_usd)]
    if not affordable:
        cost = plan["cost"]
        raise BudgetExceeded(
            explain_budget(estimates[0], budget_usd, cost["prices_as_of"], cost["overridden"])
        )
    return _with_instances(plan, possible[affordable[0]], estimates[affordable[0]], volume_key_arn)


def peak_instances(plan: Mapping[str, Any], instances_of: Callable[[Mapping[str, Any]], int]) -> int:
    """Return how many instances the run holds at once, where a job holds `instances_of(job)`.

    Follows the state machine: what stands in a row takes the largest, what runs side by side the sum.
    """

    def held(key: str) -> int:
        return instances_of(plan["jobs"][key]) if key in plan["jobs"] else 0

    after_sft = max(held("sft_dpo"), held("predict_sft_dpo")) + held("predict_sft")
    sft_branch = max(held("sft"), after_sft)
    dpo_branch = max(held("dpo"), held("predict_dpo"))
    base_branches = held("predict_base") + held("predict_prompt")
    return max(held("prepare"), sft_branch + base_branches + dpo_branch, held("compare"), held("report"))


def _choices(plan: Mapping[str, Any]) -> Iterator[Choice]:
    """Yield an instance type for each kind of job, the preferred ones first, training's wish above all."""
    preferences = plan["input"]["instances"]
    for types in itertools.product(*(preferences[kind] for kind in KINDS_BY_WEIGHT)):
        yield dict(zip(KINDS_BY_WEIGHT, types, strict=True))


def _needs(plan: Mapping[str, Any], chosen: Choice) -> dict[str, int]:
    """Return how many instances are needed at once, by the name of the quota."""

    def quota_of(job: Mapping[str, Any]) -> str:
        return quota_name(chosen[job["kind"]], use_spot=job["use_spot"])

    def counted(name: str) -> Callable[[Mapping[str, Any]], int]:
        return lambda job: job["resource_config"]["InstanceCount"] if quota_of(job) == name else 0

    names = dict.fromkeys(quota_of(job) for job in plan["jobs"].values())
    return {name: peak_instances(plan, counted(name)) for name in names}


def _quota_names(plan: Mapping[str, Any]) -> set[str]:
    return {name for chosen in _choices(plan) for name in _needs(plan, chosen)}


def _shortages(
    plan: Mapping[str, Any], chosen: Choice, quotas: Mapping[str, Quota], in_use: Mapping[str, int]
) -> list[Shortage]:
    found = [
        Shortage(name, quotas.get(name), in_use.get(name, 0), needed)
        for name, needed in _needs(plan, chosen).items()
    ]
    return [s for s in found if s.quota is None or s.quota.granted - s.in_use < s.needed]


def _explain(plan: Mapping[str, Any], quotas: Mapping[str, Quota], in_use: Mapping[str, int]) -> str:
    """Return what is short for the instances that are preferred most, and what else was tried."""
    first, *others = [_shortages(plan, chosen, quotas, in_use) for chosen in _choices(plan)]
    named = {shortage.name for shortage in first}
    tried = {s.name: s for shortages in others for s in shortages if s.name not in named}
    also = [_explain_briefly(shortage) for shortage in tried.values()]
    return ". ".join(
        [
            *(_explain_shortage(shortage) for shortage in first),
            *([f"Other preferences fall short too: {', '.join(also)}"] if also else []),
            "Or name other types in `instances`, ask for fewer variants, or wait for running jobs to end",
        ]
    )


def _explain_briefly(shortage: Shortage) -> str:
    granted = shortage.quota.granted if shortage.quota else "no such quota"
    return f"{shortage.name!r} (granted {granted}, in use {shortage.in_use}, needed {shortage.needed})"


def _explain_shortage(shortage: Shortage) -> str:
    if shortage.quota is None:
        return (
            f"the account has no quota {shortage.name!r}: the type is unknown to SageMaker in this region, "
            "or misspelt in `instances`"
        )
    quota = shortage.quota
    ask = (
        "aws service-quotas request-service-quota-increase --service-code sagemaker "
        f"--quota-code {quota.code} --desired-value {shortage.in_use + shortage.needed}"
    )
    return (
        f"quota {quota.name!r}: granted {quota.granted}, in use {shortage.in_use}, needed {shortage.needed} "
        f"at once; ask for it with `{ask}`"
    )


def _cost_lines(plan: Mapping[str, Any], chosen: Choice) -> list[CostLine]:
    prices = plan["cost"]["usd_per_hour"]
    return [cost_line(key, job, chosen[job["kind"]], prices) for key, job in plan["jobs"].items()]


def _with_instances(
    plan: Mapping[str, Any], chosen: Choice, lines: list[CostLine], volume_key_arn: str
) -> dict[str, Any]:
    jobs = {
        key: {**job, "resource_config": _resources(job, chosen[job["kind"]], volume_key_arn)}
        for key, job in plan["jobs"].items()
    }
    return {**plan, "jobs": jobs, "cost": {**plan["cost"], **as_estimate(lines)}}


def _resources(job: Mapping[str, Any], instance_type: str, volume_key_arn: str) -> dict[str, Any]:
    resources = {**job["resource_config"], "InstanceType": instance_type}
    if instance_type.split(".")[1] in EBS_ONLY_FAMILIES:
        resources["VolumeKmsKeyId"] = volume_key_arn
    return resources
