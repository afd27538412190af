"""The jobs of a run: what each is called, where it writes, on what it runs and how long it may take."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lambdas.inputs import RunInput

# Beyond its running time a job may wait for an instance, and moves its data before and after.
WAIT_SECONDS = 7200
MARGIN_SECONDS = 1800
VOLUME_GB = {"prepare": 50, "train": 100, "predict": 50, "compare": 30}
_SLUG_CHARACTERS = 20


@dataclass(frozen=True)
class Layout:
    """Where a run keeps what, and what its jobs' names start with."""

    bucket: str
    run_id: str
    base_name: str

    @property
    def runs(self) -> str:
        """The run's folder."""
        return f"s3://{self.bucket}/runs/{self.run_id}/"

    @property
    def checkpoints(self) -> str:
        """The checkpoints, apart because they expire: lifecycle rules know only how a key begins."""
        return f"s3://{self.bucket}/checkpoints/{self.run_id}/"


@dataclass(frozen=True)
class Step:
    """One job of a run: its key in `jobs`, its kind, and where below the run it writes."""

    key: str
    kind: str
    folder: str


def layout_of(execution_name: str, execution_arn: str, bucket: str) -> Layout:
    """Return where the execution of this name keeps what."""
    base_name = job_base_name(execution_name, execution_arn)
    # A name of dots alone is legal for an execution and fatal for a folder.
    return Layout(bucket, execution_name if execution_name.strip(".") else base_name, base_name)


def job_base_name(execution_name: str, execution_arn: str) -> str:
    """Return what the names of a run's jobs start with, legal for SageMaker whatever the execution's name.

    Execution names may have 80 characters of nearly any kind, job names 63 of letters, digits and hyphens.
    The hash of the ARN keeps apart what the shortening makes alike.

    >>> job_base_name("Größe_1", "arn:aws:states:us-east-1:123456789012:execution:tune:x")
    'toolwright-Gr-e-1-34266e6c'
    """
    slug = re.sub(r"[^a-zA-Z0-9]+", "-", execution_name)[:_SLUG_CHARACTERS].strip("-") or "run"
    digest = hashlib.sha256(execution_arn.encode()).hexdigest()[:8]
    return f"toolwright-{slug}-{digest}"


def steps(variants: Sequence[str]) -> list[Step]:
    """Return the jobs that `variants` need, in the order in which they may start."""
    trains_sft = "sft" in variants or "sft-dpo" in variants
    training = [
        *([Step("sft", "train", "train/sft")] if trains_sft else []),
        *([Step("dpo", "train", "train/dpo")] if "dpo" in variants else []),
        *([Step("sft_dpo", "train", "train/sft-dpo")] if "sft-dpo" in variants else []),
    ]
    predictions = [Step(f"predict_{key_of(name)}", "predict", f"predict/{name}") for name in variants]
    return [
        Step("prepare", "prepare", "prepare"),
        *training,
        *predictions,
        Step("compare", "compare", "compare"),
        Step("report", "compare", "report"),
    ]


def key_of(variant: str) -> str:
    """Return a variant's name as states can read it: JSON paths know no hyphens."""
    return variant.replace("-", "_")


def plan_job(step: Step, run: RunInput, layout: Layout) -> dict[str, Any]:
    """Return what the plan says of one job: what CreateTrainingJob takes, and where its model will lie."""
    name = f"{layout.base_name}-{step.key.replace('_', '-')}"
    max_seconds = run.max_runtime_minutes[step.kind] * 60
    # The small jobs on CPU are over before an interruption would have saved anything.
    use_spot = run.use_spot and step.kind in ("train", "predict")
    longest_wait = max_seconds + WAIT_SECONDS
    output_uri = f"{layout.runs}{step.folder}/"
    return {
        "name": name,
        "kind": step.kind,
        "resource_config": {
            "InstanceType": run.instances[step.kind][0],
            "InstanceCount": 1,
            "VolumeSizeInGB": VOLUME_GB[step.kind],
        },
        "stopping_condition": {
            "MaxRuntimeInSeconds": max_seconds,
            **({"MaxWaitTimeInSeconds": longest_wait} if use_spot else {}),
        },
        "use_spot": use_spot,
        "timeout_seconds": longest_wait + MARGIN_SECONDS,
        "output_uri": output_uri,
        # A training job leaves a folder `model/` beside its metrics and adapter.
        "model_uri": f"{output_uri}{name}/output/model/{'model/' if step.kind == 'train' else ''}",
        **(
            {"checkpoint_uri": f"{layout.checkpoints}{step.folder.removeprefix('train/')}/"}
            if step.kind in ("train", "predict")
            else {}
        ),
    }
