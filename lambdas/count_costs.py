"""CountCosts: what each job of a run was billed, laid into the plan, and the plan laid into the bucket."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import boto3
from botocore.exceptions import ClientError

from lambdas.billing import as_actual, bill_job

Describe = Callable[[str], Mapping[str, Any] | None]
"""Called with a training job's name; returns its description, or None where there is no such job yet."""


def handler(event: Mapping[str, Any], _context: object) -> dict[str, Any]:
    """Return the plan `event` with `cost.actual`, and write it to `<plan_uri>plan.json`.

    Called before the report, which shows the costs, and again after it, to count the report itself.
    """
    plan = with_actual_cost(event, _describe_by(boto3.client("sagemaker")))
    bucket, _, prefix = plan["plan_uri"].removeprefix("s3://").partition("/")
    boto3.client("s3").put_object(
        Bucket=bucket,
        Key=f"{prefix}plan.json",
        Body=json.dumps(plan, indent=2).encode(),
        ContentType="application/json",
    )
    return plan


def with_actual_cost(plan: Mapping[str, Any], describe: Describe) -> dict[str, Any]:
    """Return `plan` with what its jobs were billed until now, at the prices of its estimate."""
    prices = plan["cost"]["usd_per_hour"]
    lines = [bill_job(key, job, describe(job["name"]), prices) for key, job in plan["jobs"].items()]
    actual = as_actual(lines, plan["cost"]["at_most_usd"])
    return {**plan, "cost": {**plan["cost"], "actual": actual}}


def _describe_by(client: Any) -> Describe:
    def describe(name: str) -> Mapping[str, Any] | None:
        try:
            description: Mapping[str, Any] = client.describe_training_job(TrainingJobName=name)
        except ClientError as error:
            # SageMaker has no error of its own for a job that was never created.
            if error.response["Error"]["Code"] in ("ValidationException", "ResourceNotFound"):
                return None
            raise
        return description

    return describe
