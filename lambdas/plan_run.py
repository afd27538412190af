"""PlanRun: turn an execution input into the plan that every later state reads."""

from __future__ import annotations

import datetime
import hashlib
import json
import math
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import boto3

from lambdas.costs import Prices, as_cost, cost_line, read_prices
from lambdas.fields import InvalidInput, check_known
from lambdas.inputs import (
    BFCL_WHEEL,
    ROW_KINDS,
    SOURCES,
    VARIANTS,
    Defaults,
    RunInput,
    parse_input,
    rules_of,
)
from lambdas.plan_size import check_size

# Beyond its running time a job may wait for an instance, and moves its data before and after.
WAIT_SECONDS = 7200
MARGIN_SECONDS = 1800
VOLUME_GB = {"prepare": 50, "train": 100, "predict": 50, "compare": 30}
_SLUG_CHARACTERS = 20


Holds = Callable[[str, str], bool]


class NoSuchDataset(Exception):
    """Nothing is staged under the name that `dataset` gives."""


class NoSuchModel(Exception):
    """Nothing is staged under the name that `base_model` gives."""


@dataclass(frozen=True)
class Environment:
    """What the function was deployed with.

    `recipes`: the names of the recipes by stage, and as `few_shot` those of SFT that name a few-shot prompt.
    """

    bucket: str
    defaults: Defaults
    recipes: Mapping[str, list[str]]
    prices: Prices


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


def handler(event: Mapping[str, Any], _context: object) -> dict[str, Any]:
    """Return the plan of the execution whose name, ARN and input `event` holds.

    Raises InvalidInput, NoSuchDataset, NoSuchModel; the name is the execution's error.
    """
    s3 = boto3.client("s3")

    def holds(bucket: str, prefix: str) -> bool:
        return bool(s3.list_objects_v2(Bucket=bucket, Prefix=prefix, MaxKeys=1)["KeyCount"])

    environment = read_environment(os.environ, datetime.datetime.now(datetime.UTC).date())
    return plan_run(event["execution_name"], event["execution_arn"], event["input"], environment, holds)


def read_environment(variables: Mapping[str, str], today: datetime.date) -> Environment:
    """Return what the template put into the function's environment; `today` tells how old the prices are."""
    overrides = json.loads(variables["INSTANCE_PRICES_USD"])
    return Environment(
        bucket=variables["BUCKET_NAME"],
        defaults=Defaults(**json.loads(variables["DEFAULTS"])),
        recipes=json.loads(variables["RECIPES"]),
        prices=read_prices(Path(__file__).with_name("prices.json"), overrides, today),
    )


def plan_run(
    execution_name: str,
    execution_arn: str,
    given: object,
    environment: Environment,
    holds: Holds,
) -> dict[str, Any]:
    """Return the plan of a run as JSON: its filled-in input, URIs, jobs and cost.

    `holds(bucket, prefix)` says whether S3 holds anything there.
    """
    run = parse_input(given, environment.defaults)
    _check_recipes(run, environment.recipes)
    layout = _layout(execution_name, execution_arn, environment.bucket)
    dataset = {split: _dataset_uri(split, name, layout, holds) for split, name in run.dataset.items()}
    staged_model = _model_uri(run.base_model, layout, holds)
    jobs = {step.key: _job(step, run, layout) for step in steps(run.variants)}
    jobs["prepare"]["arguments"] = _prepare_arguments(run, dataset, jobs, staged_model, given)
    data_uri = jobs["prepare"]["model_uri"]
    plan = {
        "run_id": layout.run_id,
        "run_tag": layout.base_name,
        "bucket": layout.bucket,
        **_choices(run, jobs),
        "dataset": dataset,
        "scoring": [_scoring(name, jobs, layout) for name in run.variants],
        "model_uri": staged_model or f"{data_uri}base_model/",
        "data_uri": data_uri,
        "jobs": jobs,
        "predictions_uri": f"{layout.runs}predict/",
        "scores_uri": f"{layout.runs}scores/",
        "plan_uri": f"{layout.runs}plan/",
        "cost": _cost(run, jobs, environment.prices),
    }
    check_size(plan, rules_of(run), run.variants)
    return plan


def _choices(run: RunInput, jobs: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the user chose, in the forms that states read: flags to branch on, texts as arguments."""
    return {
        "input": asdict(run),
        "recipes": {stage: f"training/recipes/{stage}/{run.recipe}.yaml" for stage in ("sft", "dpo")},
        "seed": str(run.seed),
        "rows": {kind: str(count) for kind, count in run.rows.items()},
        "variants": {_key(name): name in run.variants for name in VARIANTS},
        "train": {key: key in jobs for key in ("sft", "dpo", "sft_dpo")},
        "evaluated": run.variants,
    }


def _layout(execution_name: str, execution_arn: str, bucket: str) -> Layout:
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


def steps(variants: list[str]) -> list[Step]:
    """Return the jobs that `variants` need, in the order in which they may start."""
    trains_sft = "sft" in variants or "sft-dpo" in variants
    training = [
        *([Step("sft", "train", "train/sft")] if trains_sft else []),
        *([Step("dpo", "train", "train/dpo")] if "dpo" in variants else []),
        *([Step("sft_dpo", "train", "train/sft-dpo")] if "sft-dpo" in variants else []),
    ]
    predictions = [Step(f"predict_{_key(name)}", "predict", f"predict/{name}") for name in variants]
    return [
        Step("prepare", "prepare", "prepare"),
        *training,
        *predictions,
        Step("compare", "compare", "compare"),
        Step("report", "compare", "report"),
    ]


def _key(variant: str) -> str:
    return variant.replace("-", "_")


def _check_recipes(run: RunInput, recipes: Mapping[str, list[str]]) -> None:
    check_known("recipe", run.recipe, recipes["sft"])
    if "dpo" in run.variants or "sft-dpo" in run.variants:
        check_known("recipe", run.recipe, recipes["dpo"], mend=" (training/recipes/dpo)")
    if "prompt" in run.variants and run.recipe not in recipes["few_shot"]:
        raise InvalidInput(
            f"variants: 'prompt' needs a few-shot prompt, and training/recipes/sft/{run.recipe}.yaml names "
            "none: give it the field few_shot_prompt (training/few_shot holds one), or leave the variant out"
        )


def _dataset_uri(split: str, source: str, layout: Layout, holds: Holds) -> str:
    if "/" in source or (split == "bfcl" and source == BFCL_WHEEL):
        return source
    prefix = f"datasets/{source}/"
    uri = f"s3://{layout.bucket}/{prefix}"
    if not holds(layout.bucket, prefix):
        raise NoSuchDataset(_nothing_staged(f"dataset.{split}", source, uri))
    return uri


def _model_uri(base_model: str, layout: Layout, holds: Holds) -> str | None:
    """Return where the base model lies in S3, or None for a name on the hub, which PrepareData fetches."""
    if base_model.startswith("s3://"):
        return base_model.rstrip("/") + "/"
    if "/" in base_model:
        return None
    prefix = f"models/{base_model}/"
    uri = f"s3://{layout.bucket}/{prefix}"
    if not holds(layout.bucket, prefix):
        raise NoSuchModel(_nothing_staged("base_model", base_model, uri))
    return uri


def _nothing_staged(field: str, name: str, uri: str) -> str:
    return (
        f"{field}: nothing is staged as {name!r}, {uri} is empty. Stage it with "
        f"`aws s3 cp --recursive FOLDER {uri}`, or name an S3 URI or a hub name (org/name)"
    )


def _job(step: Step, run: RunInput, layout: Layout) -> dict[str, Any]:
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


def _prepare_arguments(
    run: RunInput,
    dataset: Mapping[str, str],
    jobs: Mapping[str, Any],
    staged_model: str | None,
    given: object,
) -> list[str]:
    """Return PrepareData's arguments; with model and recipes it refuses, before anything is trained, rows and
    templates whose calls the served parser would not find.
    """
    arguments = ["data.prepare"]
    for split in SOURCES:
        arguments += [f"--{split}", dataset[split]] if split in dataset else []
    for kind in ROW_KINDS:
        arguments += [f"--{kind}-rows", str(run.rows[kind])]
    # A suite that was asked for must have rows; one that is there by default may have none.
    arguments += ["--suites", ",".join(run.suites)] if isinstance(given, dict) and "suites" in given else []
    arguments += ["--seed", str(run.seed)]
    # Predictions are made in the SFT recipe's format, whatever is trained.
    stages = ["sft", "dpo"] if {"dpo", "sft_dpo"} & set(jobs) else ["sft"]
    for stage in stages:
        arguments += ["--recipe", f"training/recipes/{stage}/{run.recipe}.yaml"]
    return [
        *arguments,
        *(["--tokenizer", staged_model] if staged_model else ["--base-model", run.base_model]),
    ]


def _scoring(variant: str, jobs: Mapping[str, Any], layout: Layout) -> dict[str, str]:
    return {
        "variant": variant,
        "predictions_uri": jobs[f"predict_{_key(variant)}"]["model_uri"],
        "scores_uri": f"{layout.runs}scores/{variant}/",
    }


def _cost(run: RunInput, jobs: Mapping[str, Any], prices: Prices) -> dict[str, object]:
    """Return the cost on the dearest of the preferred instances; CheckQuotas narrows it to those it takes."""
    preferred = {name for types in run.instances.values() for name in types}
    usd_per_hour = {name: prices.usd_per_hour[name] for name in sorted(preferred & set(prices.usd_per_hour))}

    def dearest(kind: str) -> str:
        return max(run.instances[kind], key=lambda name: usd_per_hour.get(name, math.inf))

    lines = [
        cost_line(key, dearest(job["kind"]), job["stopping_condition"]["MaxRuntimeInSeconds"], usd_per_hour)
        for key, job in jobs.items()
    ]
    note = f"{prices.note}; spot instances cost less" if run.use_spot else prices.note
    return as_cost(lines, prices.as_of, usd_per_hour, note)
