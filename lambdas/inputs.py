"""The execution input of `tune`: what may stand in it, its defaults, and what is said when it is wrong."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from lambdas.fields import (
    InvalidInput,
    as_flag,
    as_list,
    as_object,
    as_text,
    as_whole,
    check_keys,
    check_known,
    shown,
)
from lambdas.gate_input import parse_rules
from lambdas.gate_rules import Rule, default_rules

VARIANTS = ("base", "prompt", "sft", "dpo", "sft-dpo")
# What a run without `variants` compares; `prompt` costs another prediction and is asked for by name.
DEFAULT_VARIANTS = ("base", "sft", "dpo", "sft-dpo")
# In the order in which they are predicted; those of evaluation/suites, which this function does not ship.
SUITES = ("when2call_mcq", "when2call_generate", "bfcl_single_turn", "multi_turn", "own")
DEFAULT_SUITES = ("when2call_mcq", "own")
BFCL_SUITE = "bfcl_single_turn"
# In place of a source: the rows of the wheel that the jobs install.
BFCL_WHEEL = "bfcl-eval"
JOB_KINDS = ("prepare", "train", "predict", "compare")
SPLITS = ("train", "preference", "test")
SOURCES = (*SPLITS, "bfcl")
ROW_KINDS = ("sft", "preference", "test")
MAX_INSTANCE_PREFERENCES = 5
MAX_ARGUMENT_CHARACTERS = 256
_INSTANCE_TYPE = re.compile(r"ml\.[a-z0-9-]+\.[a-z0-9]+")
_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*(@[\w./-]+)?")
_STAGED_NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,127}")
_S3_URI = re.compile(r"s3://[a-z0-9][a-z0-9.-]+/\S+")


@dataclass(frozen=True)
class Defaults:
    """What a stage fills in, from its settings."""

    base_model: str
    recipe: str
    instances: Mapping[str, list[str]]
    max_runtime_minutes: Mapping[str, int]
    use_spot: bool
    budget_usd: float | None


@dataclass(frozen=True)
class RunInput:
    """A whole, valid execution input; its fields are the keys of the JSON."""

    dataset: Mapping[str, str]
    base_model: str
    recipe: str
    variants: list[str]
    suites: list[str]
    instances: Mapping[str, list[str]]
    use_spot: bool
    budget_usd: float | None
    rows: Mapping[str, int]
    seed: int
    max_runtime_minutes: Mapping[str, int]
    gate: list[Mapping[str, object]] | None
    deploy: bool


_KEYS = tuple(RunInput.__dataclass_fields__)


def parse_input(given: object, defaults: Defaults) -> RunInput:
    """Return the execution input with every default filled in; raise InvalidInput where it cannot be run."""
    fields = as_object("the execution input", given)
    check_keys("the execution input", fields, _KEYS)
    if "dataset" not in fields:
        raise InvalidInput('dataset: missing; give a data set, for example {"dataset": "nvidia/When2Call"}')
    if fields.get("deploy", False) is not False:
        raise InvalidInput(f"deploy: {shown(fields['deploy'])} cannot be done; only false is supported")
    variants = _names("variants", fields.get("variants", list(DEFAULT_VARIANTS)), VARIANTS)
    suites = _names("suites", fields.get("suites", list(DEFAULT_SUITES)), SUITES)
    return RunInput(
        dataset=_dataset(fields["dataset"], variants, suites),
        base_model=_source("base_model", fields.get("base_model", defaults.base_model)),
        recipe=as_text("recipe", fields.get("recipe", defaults.recipe)),
        variants=variants,
        suites=suites,
        instances={**defaults.instances, **_instances(fields.get("instances", {}))},
        use_spot=as_flag("use_spot", fields.get("use_spot", defaults.use_spot)),
        budget_usd=_budget(fields.get("budget_usd", defaults.budget_usd)),
        rows=_rows(fields.get("rows", {})),
        seed=as_whole("seed", fields.get("seed", 0), least=0, most=2**31 - 1),
        max_runtime_minutes={
            **defaults.max_runtime_minutes,
            **_minutes(fields.get("max_runtime_minutes", {})),
        },
        gate=_gate(fields.get("gate"), suites, variants),
        deploy=False,
    )


def _budget(value: object) -> float | None:
    if value is None:
        return None
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value) or value < 0:
        raise InvalidInput(f"budget_usd: an amount of dollars, or null, is needed, not {shown(value)}")
    return float(value)


def _source(where: str, value: object) -> str:
    text = as_text(where, value)
    if len(text) > MAX_ARGUMENT_CHARACTERS:
        raise InvalidInput(f"{where}: {shown(text)} is too long; a job's argument has 256 characters at most")
    if not any(pattern.fullmatch(text) for pattern in (_S3_URI, _HUB_NAME, _STAGED_NAME)):
        raise InvalidInput(
            f"{where}: {shown(text)} is neither an S3 URI (s3://bucket/prefix/) nor a name on the hub "
            "(org/name or org/name@revision) nor the bare name of what is staged in the bucket"
        )
    return text


def _names(where: str, value: object, known: tuple[str, ...]) -> list[str]:
    given = [as_text(f"{where}[{i}]", name) for i, name in enumerate(as_list(where, value))]
    for i, name in enumerate(given):
        check_known(f"{where}[{i}]", name, known)
    if len(set(given)) < len(given):
        raise InvalidInput(f"{where}: {shown(given)} names one of them twice")
    return [name for name in known if name in given]


def _dataset(value: object, variants: list[str], suites: list[str]) -> Mapping[str, str]:
    """Return a source for each split that the variants use, and BFCL's where the input names one.

    PrepareData refuses a source that has no rows.
    """
    if not isinstance(value, str | dict):
        raise InvalidInput(
            f"dataset: a name or an object with {', '.join(SOURCES)} is needed, not {shown(value)}"
        )
    needed = {
        "test": "every run evaluates",
        **({"train": "the variant sft trains on it"} if {"sft", "sft-dpo"} & set(variants) else {}),
        **({"preference": "the variant dpo trains on it"} if {"dpo", "sft-dpo"} & set(variants) else {}),
    }
    if isinstance(value, str):
        return dict.fromkeys(needed, _source("dataset", value))
    check_keys("dataset", value, SOURCES)
    sources = {split: _source(f"dataset.{split}", source) for split, source in value.items()}
    for split, why in needed.items():
        if split not in sources:
            raise InvalidInput(f"dataset.{split}: missing, and {why}")
    if "bfcl" not in sources:
        return {split: sources[split] for split in needed}
    _check_bfcl(sources["bfcl"], suites)
    return {**{split: sources[split] for split in needed}, "bfcl": sources["bfcl"]}


def _check_bfcl(source: str, suites: list[str]) -> None:
    if BFCL_SUITE not in suites:
        raise InvalidInput(
            f"dataset.bfcl: no suite reads it; add {BFCL_SUITE!r} to `suites`, or leave it out"
        )
    if "/" in source and not source.startswith("s3://"):
        raise InvalidInput(
            f"dataset.bfcl: {shown(source)} is neither {BFCL_WHEEL!r} nor an S3 URI (s3://bucket/prefix/) "
            "nor the bare name of what is staged in the bucket; BFCL is not fetched from the hub"
        )


def _gate(value: object, suites: list[str], variants: list[str]) -> list[Mapping[str, object]] | None:
    """Return the rules as they were given, once they can be applied; None stands for the default rules."""
    if value is None:
        return None
    parse_rules(value, suites, variants)
    return [as_object("gate", rule) for rule in value] if isinstance(value, list) else None


def rules_of(run: RunInput) -> list[Rule]:
    """Return the rules of a run's gate: its own, or the default ones of its suites."""
    if run.gate is None:
        return default_rules(run.suites)
    return parse_rules(run.gate, run.suites, run.variants)


def _instances(value: object) -> Mapping[str, list[str]]:
    fields = as_object("instances", value)
    check_keys("instances", fields, JOB_KINDS)
    return {kind: _preferences(f"instances.{kind}", types) for kind, types in fields.items()}


def _preferences(where: str, value: object) -> list[str]:
    types = [as_text(f"{where}[{i}]", name) for i, name in enumerate(as_list(where, value))]
    for i, name in enumerate(types):
        if not _INSTANCE_TYPE.fullmatch(name):
            raise InvalidInput(
                f"{where}[{i}]: {shown(name)} is no SageMaker instance type like 'ml.g5.2xlarge'"
            )
    if len(types) > MAX_INSTANCE_PREFERENCES:
        raise InvalidInput(f"{where}: {len(types)} types are given, {MAX_INSTANCE_PREFERENCES} at most")
    return list(dict.fromkeys(types))


def _rows(value: object) -> Mapping[str, int]:
    fields = as_object("rows", value)
    check_keys("rows", fields, ROW_KINDS)
    given = {kind: as_whole(f"rows.{kind}", n, least=0, most=10**9) for kind, n in fields.items()}
    return {kind: given.get(kind, 0) for kind in ROW_KINDS}


def _minutes(value: object) -> Mapping[str, int]:
    fields = as_object("max_runtime_minutes", value)
    check_keys("max_runtime_minutes", fields, JOB_KINDS)
    # SageMaker runs a training job for 28 days at most.
    return {
        kind: as_whole(f"max_runtime_minutes.{kind}", n, least=1, most=40320) for kind, n in fields.items()
    }
