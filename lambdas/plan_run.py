"""PlanRun: turn an execution input into the plan that every later state reads."""

from __future__ import annotations

import datetime
import json
import math
import os
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
from lambdas.run_jobs import Layout, key_of, layout_of, plan_job, steps

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
    layout = layout_of(execution_name, execution_arn, environment.bucket)
    dataset = {split: _dataset_uri(split, name, layout, holds) for split, name in run.dataset.items()}
    staged_model = _model_uri(run.base_model, layout, holds)
    jobs = {step.key: plan_job(step, run, layout) for step in steps(run.variants)}
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
        "variants": {key_of(name): name in run.variants for name in VARIANTS},
        "train": {key: key in jobs for key in ("sft", "dpo", "sft_dpo")},
        "evaluated": run.variants,
    }


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
        "predictions_uri": jobs[f"predict_{key_of(variant)}"]["model_uri"],
        "scores_uri": f"{layout.runs}scores/{variant}/",
    }


def _cost(run: RunInput, jobs: Mapping[str, Any], prices: Prices) -> dict[str, object]:
    """Return the cost on the dearest of the preferred instances; CheckQuotas narrows it to those it takes."""
    preferred = {name for types in run.instances.values() for name in types}
    usd_per_hour = prices.usd_per_hour

    def dearest(kind: str) -> str:
        return max(run.instances[kind], key=lambda name: usd_per_hour.get(name, math.inf))

    lines = [cost_line(key, job, dearest(job["kind"]), usd_per_hour) for key, job in jobs.items()]
    return as_cost(lines, prices, preferred, use_spot=run.use_spot)
