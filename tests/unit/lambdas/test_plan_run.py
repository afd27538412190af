"""PlanRun: what an execution input may hold, what is filled in, and what is said when it is wrong."""

from __future__ import annotations

import datetime
import doctest
import json
import re
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdas import run_jobs
from lambdas.costs import Prices
from lambdas.fields import InvalidInput
from lambdas.inputs import Defaults
from lambdas.plan_run import (
    Environment,
    NoSuchDataset,
    NoSuchModel,
    plan_run,
    read_environment,
)
from lambdas.run_jobs import job_base_name, steps

DEFAULTS = Defaults(
    base_model="Qwen/Qwen3-1.7B",
    recipe="qwen3-1.7b-lora",
    instances={
        "prepare": ["ml.m5.xlarge"],
        "train": ["ml.g5.2xlarge", "ml.p5.4xlarge"],
        "predict": ["ml.g5.2xlarge"],
        "compare": ["ml.m5.large"],
    },
    max_runtime_minutes={"prepare": 60, "train": 240, "predict": 120, "compare": 30},
    use_spot=False,
    budget_usd=None,
)
ENVIRONMENT = Environment(
    bucket="b",
    defaults=DEFAULTS,
    recipes={
        "sft": ["qwen3-1.7b-lora", "qwen3-1.7b-full", "sft-only"],
        "dpo": ["qwen3-1.7b-lora"],
        "few_shot": ["qwen3-1.7b-lora"],
    },
    prices=Prices(
        "2026-09", {"ml.m5.large": 0.1, "ml.m5.xlarge": 0.2, "ml.g5.2xlarge": 1.5, "ml.p5.4xlarge": 8}
    ),
)
STAGED = {("b", "datasets/rows/"), ("b", "models/small/")}


def _plan(given_input: object, name: str = "run-1") -> dict[str, Any]:
    arn = f"arn:aws:states:us-east-1:123456789012:execution:tune:{name}"
    plan = plan_run(name, arn, given_input, ENVIRONMENT, lambda bucket, prefix: (bucket, prefix) in STAGED)
    parsed: dict[str, Any] = json.loads(json.dumps(plan))
    assert parsed == plan, "the plan is JSON"
    return plan


_WITH_BFCL = {"train": "a/b", "preference": "a/b", "test": "a/b", "bfcl": "bfcl-eval"}
WRONG: list[tuple[Any, list[str], str]] = [
    ("a/b", ["execution input", "object", "'a/b'"], "the whole input is text"),
    ([], ["execution input", "object"], "or a list"),
    (None, ["execution input", "object"], "or null"),
    ({}, ["dataset", "missing", "nvidia/When2Call"], "the one field without a default"),
    ({"dataset": "a/b", "varaints": ["sft"]}, ["'varaints'", "'variants'"], "the nearest key is named"),
    ({"dataset": "a/b", "instance": {}}, ["'instance'", "'instances'"], "a plural forgotten"),
    ({"dataset": ""}, ["dataset", "text"], "an empty name"),
    ({"dataset": 3}, ["dataset", "3"], "a number"),
    ({"dataset": "a b"}, ["dataset", "'a b'", "s3://"], "no form of a name"),
    ({"dataset": "../etc"}, ["dataset", "'../etc'"], "a path is no name"),
    ({"dataset": "s3://"}, ["dataset"], "a URI without a bucket"),
    ({"dataset": "a/" + "b" * 300}, ["dataset", "256"], "longer than a job's argument"),
    ({"dataset": "b" * 129}, ["dataset"], "longer than a name in the bucket"),
    ({"dataset": {"tset": "a/b"}}, ["dataset", "'tset'", "'test'"], "an unknown split"),
    ({"dataset": {"train": "a/b"}}, ["dataset.test", "missing"], "every run evaluates"),
    ({"dataset": {"test": "a/b"}}, ["dataset.train", "sft"], "sft trains"),
    ({"dataset": {"test": "a/b", "train": "a/b"}}, ["dataset.preference", "dpo"], "dpo trains"),
    ({"dataset": "a/b", "base_model": "a/b/c"}, ["base_model", "'a/b/c'"], "no hub name"),
    ({"dataset": "a/b", "base_model": None}, ["base_model", "None"], "null is no model"),
    ({"dataset": "a/b", "recipe": "qwen3-1.7b-lroa"}, ["recipe", "'qwen3-1.7b-lora'"], "a misspelt recipe"),
    ({"dataset": "a/b", "recipe": "../../x"}, ["recipe"], "a path is no recipe"),
    ({"dataset": "a/b", "recipe": "sft-only"}, ["recipe", "dpo"], "a recipe that DPO lacks"),
    ({"dataset": "a/b", "variants": "sft"}, ["variants", "list"], "text is no list"),
    ({"dataset": "a/b", "variants": []}, ["variants", "list"], "nothing to evaluate"),
    ({"dataset": "a/b", "variants": ["stf"]}, ["variants[0]", "'stf'", "'sft'"], "an unknown variant"),
    ({"dataset": "a/b", "variants": ["base", "rft"]}, ["variants[1]", "'rft'"], "not there yet"),
    ({"dataset": "a/b", "variants": ["sft", "sft"]}, ["variants", "twice"], "one variant twice"),
    ({"dataset": "a/b", "variants": [["sft"]]}, ["variants[0]", "text"], "a list in the list"),
    ({"dataset": "a/b", "variants": ["prompt"], "recipe": "sft-only"},
     ["'prompt'", "recipes/sft/sft-only.yaml", "few_shot_prompt"], "a recipe that names no prompt"),
    ({"dataset": "a/b", "suites": "own"}, ["suites", "list"], "text is no list of suites"),
    ({"dataset": "a/b", "suites": []}, ["suites", "list"], "nothing to be judged by"),
    ({"dataset": "a/b", "suites": ["own", "bfcl"]}, ["suites[1]", "'bfcl_single_turn'"], "a suite shortened"),
    ({"dataset": "a/b", "suites": ["own", "own"]}, ["suites", "twice"], "one suite twice"),
    ({"dataset": _WITH_BFCL}, ["dataset.bfcl", "'bfcl_single_turn'", "`suites`"], "rows that nobody reads"),
    ({"dataset": {**_WITH_BFCL, "bfcl": "org/bfcl"}, "suites": ["bfcl_single_turn"]},
     ["dataset.bfcl", "'org/bfcl'", "'bfcl-eval'"], "BFCL is not on the hub"),
    ({"dataset": {**_WITH_BFCL, "bfcl": ""}, "suites": ["bfcl_single_turn"]}, ["dataset.bfcl"], "no name"),
    ({"dataset": "a/b", "instances": {"trian": []}}, ["instances", "'trian'", "'train'"], "no kind of job"),
    ({"dataset": "a/b", "instances": {"train": "ml.a.b"}}, ["instances.train", "list"], "no list"),
    ({"dataset": "a/b", "instances": {"train": []}}, ["instances.train", "list"], "no type"),
    ({"dataset": "a/b", "instances": {"train": ["g5.xlarge"]}}, ["instances.train[0]", "ml.g5"], "no ml."),
    ({"dataset": "a/b", "instances": {"train": ["ml.a.b"] * 6}}, ["instances.train", "5"], "too many"),
    ({"dataset": "a/b", "use_spot": "yes"}, ["use_spot", "'yes'"], "no flag"),
    ({"dataset": "a/b", "use_spot": 1}, ["use_spot"], "one is not true"),
    ({"dataset": "a/b", "budget_usd": "10"}, ["budget_usd", "'10'"], "text is no amount"),
    ({"dataset": "a/b", "budget_usd": -1}, ["budget_usd"], "below nothing"),
    ({"dataset": "a/b", "budget_usd": float("nan")}, ["budget_usd"], "JSON's NaN"),
    ({"dataset": "a/b", "budget_usd": True}, ["budget_usd"], "true is no amount"),
    ({"dataset": "a/b", "rows": {"sft": -1}}, ["rows.sft", "-1"], "fewer than none"),
    ({"dataset": "a/b", "rows": {"sft": 1.5}}, ["rows.sft", "1.5"], "half a row"),
    ({"dataset": "a/b", "rows": {"sft": True}}, ["rows.sft"], "true is no count"),
    ({"dataset": "a/b", "rows": {"train": 1}}, ["rows", "'train'"], "rows are counted by stage"),
    ({"dataset": "a/b", "seed": "1"}, ["seed", "'1'"], "text is no seed"),
    ({"dataset": "a/b", "seed": 2**31}, ["seed"], "beyond NumPy's seeds"),
    ({"dataset": "a/b", "max_runtime_minutes": {"train": 0}}, ["max_runtime_minutes.train"], "no time"),
    ({"dataset": "a/b", "max_runtime_minutes": {"train": 40321}}, ["minutes.train"], "over 28 days"),
    ({"dataset": "a/b", "max_runtime_minutes": {"sft": 1}}, ["minutes", "'sft'"], "no kind of job"),
    ({"dataset": "a/b", "gate": ["own/accuracy"]}, ["gate[0]", "object"], "a figure is no rule"),
    (
        {
            "dataset": "a/b",
            "variants": ["base", "sft"],
            "gate": [{"target": "own/accuracy", "over": "sft"}],
        },
        ["gate[0]", "trains nothing but sft", "may name base"],
        "a gate that could promote nothing, found before anything is trained",
    ),
    ({"dataset": "a/b", "deploy": True}, ["deploy", "only false"], "no deployment yet"),
    ({"dataset": "a/b", "deploy": 0}, ["deploy"], "zero is not false"),
]  # fmt: skip


@pytest.mark.parametrize(("given_input", "named", "reason"), WRONG)
def test_wrong_input_is_named_with_the_field_and_the_way_out(
    given_input: object, named: list[str], reason: str
) -> None:
    with pytest.raises(InvalidInput) as raised:
        _plan(given_input)
    for word in named:
        assert word in str(raised.value), reason
    assert "\n" not in str(raised.value)


JSON_VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)
KEYS = [
    "dataset", "base_model", "recipe", "variants", "instances", "use_spot", "budget_usd", "rows", "seed",
    "max_runtime_minutes", "gate", "deploy", "suites",
]  # fmt: skip


@given(st.dictionaries(st.sampled_from(KEYS), JSON_VALUES), JSON_VALUES)
def test_whatever_json_comes_in_the_answer_is_a_plan_or_one_clear_error(
    fields: dict[str, Any], anything: object
) -> None:
    for given_input in (fields, {"dataset": "a/b", **fields}, anything):
        try:
            plan_run("n", "arn:n", given_input, ENVIRONMENT, lambda *_: True)
        except InvalidInput as error:
            assert str(error)


MISSING = [
    ({"dataset": "absent"}, NoSuchDataset, "s3://b/datasets/absent/"),
    ({"dataset": {"test": "absent"}, "variants": ["base"]}, NoSuchDataset, "dataset.test"),
    ({"dataset": "rows", "base_model": "absent"}, NoSuchModel, "s3://b/models/absent/"),
    ({"dataset": "small"}, NoSuchDataset, "s3://b/datasets/small/"),
    (
        {"dataset": {"test": "rows", "bfcl": "absent"}, "variants": ["base"], "suites": ["bfcl_single_turn"]},
        NoSuchDataset,
        "dataset.bfcl",
    ),
]


@pytest.mark.parametrize(("given_input", "error", "named"), MISSING)
def test_what_is_not_staged_is_named_with_the_command_that_stages_it(
    given_input: object, error: type[Exception], named: str
) -> None:
    with pytest.raises(error) as raised:
        _plan(given_input)
    assert named in str(raised.value)
    assert "aws s3 cp --recursive" in str(raised.value)


MODELS = [
    ("small", "s3://b/models/small/", None, "a bare name is staged in the bucket"),
    ("s3://other/m", "s3://other/m/", None, "a prefix ends with a slash, so that no neighbour is read"),
    ("Qwen/Qwen3-1.7B@abc", "base_model/", "Qwen/Qwen3-1.7B@abc", "PrepareData fetches what is on the hub"),
]


@pytest.mark.parametrize(("base_model", "uri", "fetched", "reason"), MODELS)
def test_base_models_are_found(base_model: str, uri: str, fetched: str | None, reason: str) -> None:
    plan = _plan({"dataset": "rows", "base_model": base_model})
    arguments = plan["jobs"]["prepare"]["arguments"]
    assert plan["model_uri"].endswith(uri), reason
    assert (arguments[-1] if "--base-model" in arguments else None) == fetched
    assert plan["model_uri"].startswith(plan["data_uri"]) is (fetched is not None)


def test_data_sets_become_arguments_of_prepare() -> None:
    dataset = {"train": "rows", "test": "s3://xyz/y.jsonl", "preference": "org/n"}
    plan = _plan({"dataset": dataset, "rows": {"sft": 30, "test": 10}, "seed": 7, "base_model": "small"})
    assert plan["jobs"]["prepare"]["arguments"] == [
        "data.prepare",
        *("--train", "s3://b/datasets/rows/", "--preference", "org/n", "--test", "s3://xyz/y.jsonl"),
        *("--sft-rows", "30", "--preference-rows", "0", "--test-rows", "10"),
        *("--seed", "7"),
        *(
            "--recipe",
            "training/recipes/sft/qwen3-1.7b-lora.yaml",
            "--recipe",
            "training/recipes/dpo/qwen3-1.7b-lora.yaml",
        ),
        *("--tokenizer", "s3://b/models/small/"),
    ]


RECIPES_CHECKED = [
    (["base", "sft"], ["sft"], "nothing is trained by DPO"),
    (["base"], ["sft"], "predictions are rendered as the SFT recipe says"),
    (["dpo"], ["sft", "dpo"], "DPO's own length and format hold for its rows"),
    (["sft-dpo"], ["sft", "dpo"], "both stages are trained"),
]


@pytest.mark.parametrize(("variants", "stages", "reason"), RECIPES_CHECKED)
def test_prepare_tries_the_rows_in_the_recipes_to_come(
    variants: list[str], stages: list[str], reason: str
) -> None:
    arguments = _plan({"dataset": "rows", "variants": variants})["jobs"]["prepare"]["arguments"]
    recipes = [after for name, after in pairwise(arguments) if name == "--recipe"]
    assert recipes == [f"training/recipes/{stage}/qwen3-1.7b-lora.yaml" for stage in stages], reason


VARIANT_STEPS = [
    (["base"], ["predict_base"], "nothing is trained"),
    (["prompt"], ["predict_prompt"], "the base model, told what to do"),
    (["sft"], ["sft", "predict_sft"], "the base is not evaluated unless asked for"),
    (["sft-dpo"], ["sft", "sft_dpo", "predict_sft_dpo"], "SFT alone is not evaluated"),
    (["dpo"], ["dpo", "predict_dpo"], "DPO on the base needs no SFT"),
]


@pytest.mark.parametrize(("variants", "keys", "reason"), VARIANT_STEPS)
def test_variants_choose_the_jobs(variants: list[str], keys: list[str], reason: str) -> None:
    keys = ["prepare", *keys, "compare", "report"]
    assert [step.key for step in steps(variants)] == keys, reason
    plan = _plan({"dataset": "rows", "variants": variants})
    assert list(plan["jobs"]) == keys
    known = ("base", "prompt", "sft", "dpo", "sft_dpo")
    assert plan["variants"] == {k: k.replace("_", "-") in variants for k in known}
    assert plan["train"] == {k: k in keys for k in ("sft", "dpo", "sft_dpo")}


def test_variants_and_suites_come_in_one_order() -> None:
    given = {"dataset": "rows", "variants": ["sft-dpo", "prompt", "base"], "suites": ["own", "multi_turn"]}
    plan = _plan(given)
    assert plan["evaluated"] == ["base", "prompt", "sft-dpo"]
    assert plan["input"]["suites"] == ["multi_turn", "own"]


def test_what_nobody_asked_for_is_not_run() -> None:
    plan = _plan({"dataset": "rows"})
    assert plan["evaluated"] == ["base", "sft", "dpo", "sft-dpo"], "`prompt` costs one prediction more"
    assert plan["input"]["suites"] == ["when2call_mcq", "own"]


BFCL = [
    ("bfcl-eval", "bfcl-eval", "the wheel that the jobs install"),
    ("s3://rows/bfcl/", "s3://rows/bfcl/", "a copy of one's own"),
    ("rows", "s3://b/datasets/rows/", "staged in the bucket"),
    (None, None, "rows of BFCL's shape may be among the test rows"),
]


@pytest.mark.parametrize(("source", "argument", "reason"), BFCL)
def test_bfcls_rows_become_an_argument_of_prepare(
    source: str | None, argument: str | None, reason: str
) -> None:
    dataset = {"train": "rows", "preference": "rows", "test": "rows"}
    given = {"dataset": {**dataset, "bfcl": source} if source else dataset, "suites": ["bfcl_single_turn"]}
    arguments = _plan(given)["jobs"]["prepare"]["arguments"]
    options = dict(pairwise(arguments))
    assert options.get("--bfcl") == argument, reason
    assert options["--suites"] == "bfcl_single_turn"


def test_a_prediction_keeps_what_it_has_done_apart_from_every_other_job() -> None:
    variants = ["base", "prompt", "sft", "dpo", "sft-dpo"]
    jobs = _plan({"dataset": "rows", "variants": variants})["jobs"]
    kept = {key: job["checkpoint_uri"] for key, job in jobs.items() if "checkpoint_uri" in job}
    assert set(kept) == {"sft", "dpo", "sft_dpo", *(f"predict_{v.replace('-', '_')}" for v in variants)}
    assert kept["predict_sft_dpo"] == "s3://b/checkpoints/run-1/predict/sft-dpo/"
    assert kept["sft"] == "s3://b/checkpoints/run-1/sft/"
    uris = list(kept.values())
    assert not [(a, b) for a in uris for b in uris if a != b and a.startswith(b)], "one would read another's"


SPOT = [(True, "sft", True), (True, "predict_sft", True), (True, "prepare", False), (False, "sft", False)]


@pytest.mark.parametrize(("use_spot", "key", "expected"), SPOT)
def test_spot_is_for_gpu_jobs_and_gives_them_time_to_wait(use_spot: bool, key: str, expected: bool) -> None:
    job = _plan({"dataset": "rows", "use_spot": use_spot})["jobs"][key]
    assert job["use_spot"] is expected
    assert ("MaxWaitTimeInSeconds" in job["stopping_condition"]) is expected


def test_cost_is_that_of_the_longest_run_on_the_dearest_preference() -> None:
    cost = _plan({"dataset": "rows", "variants": ["sft"]})["cost"]
    assert [(x["job"], x["instance_type"], x["usd"]) for x in cost["lines"]] == [
        ("prepare", "ml.m5.xlarge", 0.2),
        ("sft", "ml.p5.4xlarge", 32.0),
        ("predict_sft", "ml.g5.2xlarge", 3.0),
        ("compare", "ml.m5.large", 0.05),
        ("report", "ml.m5.large", 0.05),
    ]
    assert cost["at_most_usd"] == 35.3
    assert cost["prices_as_of"] == "2026-09"


def test_a_price_that_nobody_knows_is_null() -> None:
    instances = {"train": ["ml.g5.2xlarge", "ml.trn9.large"]}
    cost = _plan({"dataset": "rows", "instances": instances})["cost"]
    assert cost["at_most_usd"] is None
    assert {x["usd"] for x in cost["lines"] if x["job"] == "sft"} == {None}


_JOB_NAME = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}")


@given(st.text(min_size=1, max_size=80), st.text(max_size=40))
def test_job_names_are_legal_whatever_the_execution_is_called(name: str, arn: str) -> None:
    base = job_base_name(name, arn)
    for step in steps(["base", "prompt", "sft", "dpo", "sft-dpo"]):
        job = f"{base}-{step.key.replace('_', '-')}"
        assert _JOB_NAME.fullmatch(job)
        assert len(job) <= 63


def test_names_that_shorten_alike_stay_apart() -> None:
    long = "a" * 79
    assert job_base_name(f"{long}1", "arn:1") != job_base_name(f"{long}2", "arn:2")


@pytest.mark.parametrize("name", [".", "..", "..."])
def test_a_run_named_by_dots_gets_a_folder_of_its_own(name: str) -> None:
    plan = _plan({"dataset": "rows"}, name=name)
    assert plan["run_id"] == plan["run_tag"]
    assert "/../" not in plan["data_uri"]


def test_the_environment_is_read_once_with_prices_laid_over_the_table() -> None:
    variables: Mapping[str, str] = {
        "BUCKET_NAME": "b",
        "DEFAULTS": json.dumps(DEFAULTS.__dict__),
        "RECIPES": '{"sft": ["r"], "dpo": [], "few_shot": ["r"]}',
        "INSTANCE_PRICES_USD": '{"ml.new.large": 9.5}',
    }
    environment = read_environment(variables, datetime.date(2026, 11, 22))
    assert environment.defaults == DEFAULTS
    assert environment.prices.usd_per_hour["ml.new.large"] == 9.5
    assert environment.prices.usd_per_hour["ml.g6e.2xlarge"] > 0
    assert re.fullmatch(r"\d{4}-\d{2}", environment.prices.as_of)


def test_the_example_in_the_docstring_holds() -> None:
    assert doctest.testmod(run_jobs) == (0, 1)
