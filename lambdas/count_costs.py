"""CountCosts: what each job of a run was billed, laid into the plan, and the plan laid into the bucket."""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Callable, Mapping
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from lambdas.billing import UNKNOWN, as_actual, bill_job

Describe = Callable[[str], Mapping[str, Any] | None]
"""Called with a training job's name; returns its description, or None where there is no such job yet."""

# SageMaker describes few jobs a second for the whole account.
_RETRIES = Config(retries={"mode": "standard", "total_max_attempts": 5}, connect_timeout=2, read_timeout=3)
# With the longest of such calls, and one to S3, well within the function's own limit.
MAX_SECONDS = 45
_LOG = logging.getLogger(__name__)


def handler(event: Mapping[str, Any], _context: object) -> dict[str, Any]:
    """Return the plan `event` with `cost.actual`, and write it to `<plan_uri>plan.json`.

    Called before the report, which shows the costs, again after it, to count the report itself, and where a
    run fails, to count what it cost until then. A job that cannot be described is unknown, and costs no run
    its report. Raises what S3 raises, where the report would find no plan.
    """
    describe = _describe_by(boto3.client("sagemaker", config=_RETRIES))
    plan = with_actual_cost(event, describe, billed=os.environ["BILLED"] == "true")
    try:
        _write(plan)
    except (BotoCoreError, ClientError) as error:
        if "actual" not in event["cost"]:
            raise
        _LOG.warning("the plan with the report's own cost could not be written: %s", error)
    return plan


def _write(plan: Mapping[str, Any]) -> None:
    bucket, _, prefix = plan["plan_uri"].removeprefix("s3://").partition("/")
    boto3.client("s3", config=_RETRIES).put_object(
        Bucket=bucket,
        Key=f"{prefix}plan.json",
        Body=json.dumps(plan, indent=2).encode(),
        ContentType="application/json",
    )


def with_actual_cost(plan: Mapping[str, Any], describe: Describe, *, billed: bool) -> dict[str, Any]:
    """Return `plan` with what its jobs were billed until now, at the prices of its estimate.

    `billed`: False on the embedded AWS, whose amounts are what AWS would have asked; `cost.billed` says so.
    """
    prices = plan["cost"]["usd_per_hour"]
    lines = [bill_job(key, job, describe(job["name"]), prices) for key, job in plan["jobs"].items()]
    planned = {job["resource_config"]["InstanceType"] for job in plan["jobs"].values()}
    actual = as_actual(lines, plan["cost"]["at_most_usd"], planned)
    return {**plan, "cost": {**plan["cost"], "billed": billed, "actual": actual}}


def _describe_by(client: Any, clock: Callable[[], float] = time.monotonic) -> Describe:
    """Describe jobs by SageMaker; those that it does not describe, or not in time, are unknown."""
    last = clock() + MAX_SECONDS

    def describe(name: str) -> Mapping[str, Any] | None:
        if clock() > last:
            _LOG.warning("%s was not described: no time is left", name)
            return {"TrainingJobStatus": UNKNOWN}
        try:
            description: Mapping[str, Any] = client.describe_training_job(TrainingJobName=name)
        except (BotoCoreError, ClientError) as error:
            if _is_absent(error):
                return None
            _LOG.warning("%s could not be described: %s", name, error)
            return {"TrainingJobStatus": UNKNOWN}
        return description

    return describe


def _is_absent(error: Exception) -> bool:
    # SageMaker has no error of its own for a job that was never created.
    if not isinstance(error, ClientError):
        return False
    said = error.response["Error"]
    return said["Code"] == "ResourceNotFound" or (
        said["Code"] == "ValidationException" and "not found" in said.get("Message", "").lower()
    )
