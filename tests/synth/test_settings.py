"""Settings: every key is known, every value legal, and what is wrong is named."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from infra.settings import (
    _READERS,
    DECLARED_LOCAL_SETTINGS,
    STAGES,
    Judge,
    Settings,
    SettingsError,
    read_settings,
)

ROOT = Path(__file__).resolve().parents[2]

OVERRIDES = [
    ({"stage": "prod"}, "stage", "prod", "the context chooses the stage"),
    ({"dev": {"region": "eu-west-1"}}, "region", "eu-west-1", "the block of the stage counts"),
    ({"prod": {"region": "eu-west-1"}}, "region", "us-east-1", "another stage's block does not"),
    ({"dev": {"region": "a"}, "region": "b"}, "region", "b", "a top-level key overrides the block"),
    ({"use_spot": "true"}, "use_spot", True, "a command line gives strings"),
    ({"log_retention_days": "7"}, "log_retention_days", 7, "numbers too"),
    ({"account": "012345678901"}, "account", "012345678901", "an account keeps its zero"),
    ({"data_source_arns": "arn:a,arn:b"}, "data_source_arns", ("arn:a", "arn:b"), "lists by commas"),
    ({"budget_usd": "null"}, "budget_usd", None, "no budget can be asked for"),
    ({"mlflow_tracking_uri": ""}, "mlflow_tracking_uri", None, "an empty URI is none"),
    ({"judge": "null"}, "judge", None, "no judge can be asked for"),
    (
        {"judge": '{"bedrock_model_id": "amazon.nova-pro-v1:0"}'},
        "judge",
        Judge(bedrock_model_id="amazon.nova-pro-v1:0"),
        "a judge on the command line",
    ),
    (
        {"judge": {"endpoint": "https://host/v1", "model": "m"}},
        "judge",
        Judge(endpoint="https://host/v1", model="m"),
        "one behind an endpoint that asks for no key",
    ),
    ({"aws:cdk:enable-path-metadata": True}, "stage", "dev", "CDK's own keys pass"),
    ({"@aws-cdk/core:x": True}, "stage", "dev", "so do feature flags"),
]


@pytest.mark.parametrize(("context", "field", "value", "reason"), OVERRIDES)
def test_context_becomes_settings(context: dict[str, Any], field: str, value: object, reason: str) -> None:
    assert getattr(read_settings(context), field) == value, reason


def test_instances_of_one_kind_leave_the_others() -> None:
    settings = read_settings({"instances": '{"train": ["ml.p5.4xlarge"]}'})
    assert settings.instances["train"] == ("ml.p5.4xlarge",)
    assert settings.instances["predict"] == Settings("dev").instances["predict"]


WRONG = [
    ({"regoin": "x"}, ["regoin", "region"], "a misspelt key at the top"),
    ({"dev": {"recipy": "x"}}, ["recipy", "recipe", "dev"], "in the block in use"),
    ({"prod": {"recipy": "x"}}, ["recipy", "recipe", "prod"], "in a block not in use"),
    ({"stage": "test"}, ["stage", "test", "prod"], "an unknown stage"),
    ({"dev": 3}, ["dev", "3"], "a block that is no object"),
    ({"use_spot": "perhaps"}, ["use_spot", "perhaps"], "no flag"),
    ({"log_retention_days": 8}, ["log_retention_days", "7"], "CloudWatch knows no 8 days"),
    ({"mlflow_server_size": "Huge"}, ["mlflow_server_size", "Huge", "Medium"], "no such size"),
    ({"instances": {"trian": ["ml.g5.xlarge"]}}, ["instances.trian", "train"], "no such kind of job"),
    ({"instances": {"train": []}}, ["instances.train"], "no preference at all"),
    ({"max_runtime_minutes": {"train": 0}}, ["max_runtime_minutes.train"], "no time"),
    ({"budget_usd": "NaN"}, ["budget_usd"], "not a number"),
    ({"instance_prices_usd": {"ml.x": -1}}, ["instance_prices_usd.ml.x"], "a negative price"),
    ({"region": 3}, ["region"], "no text"),
    ({"judge": "nova"}, ["judge", "no object"], "a name alone does not say where the judge is"),
    ({"judge": {}}, ["judge", "bedrock_model_id", "endpoint and model"], "an empty judge"),
    ({"judge": {"bedrock_model": "a.b"}}, ["judge.bedrock_model", "bedrock_model_id"], "a typo"),
    ({"judge": {"bedrock_model_id": "*"}}, ["judge.bedrock_model_id", "'*'"], "every model there is"),
    (
        {"judge": {"bedrock_model_id": "arn:aws:bedrock:us-east-1::foundation-model/a.b"}},
        ["judge.bedrock_model_id", "no ARN"],
        "an ARN",
    ),
    ({"judge": {"bedrock_model_id": 3}}, ["judge.bedrock_model_id", "3"], "a number"),
    ({"judge": {"endpoint": "https://host/v1"}}, ["endpoint and model"], "an endpoint without a model"),
    ({"judge": {"endpoint": "host/v1", "model": "m"}}, ["judge.endpoint", "https://"], "no URL"),
    (
        {"judge": {"endpoint": "https://me:pass@host/v1", "model": "m"}},
        ["judge.endpoint", "without a name or password"],
        "a password that the template would show",
    ),
    (
        {
            "judge": {
                "endpoint": "http://host/v1",
                "model": "m",
                "secret_arn": "arn:aws:secretsmanager:us-east-1:123456789012:secret:key-AbCdEf",
            }
        },
        ["judge.endpoint", "use https"],
        "a key sent in clear",
    ),
    (
        {"judge": {"endpoint": "https://host/v1", "model": "m", "secret_arn": "arn:aws:secretsmanager:*"}},
        ["judge.secret_arn", "six characters"],
        "every secret there is",
    ),
    ({"judge": {"bedrock_model_id": "a.b", "model": "m"}}, ["either"], "two judges"),
]


@pytest.mark.parametrize(("context", "named", "reason"), WRONG)
def test_a_wrong_setting_is_named(context: dict[str, Any], named: list[str], reason: str) -> None:
    with pytest.raises(SettingsError) as raised:
        read_settings(context)
    for word in named:
        assert word in str(raised.value), reason


def test_every_field_can_be_set_and_declared_ones_exist() -> None:
    fields = {field.name for field in dataclasses.fields(Settings)} - {"stage"}
    assert fields == set(_READERS)
    assert set(DECLARED_LOCAL_SETTINGS) <= fields


def test_the_shipped_context_holds_all_stages() -> None:
    context = json.loads((ROOT / "cdk.json").read_text())["context"]
    for stage in STAGES:
        assert read_settings({**context, "stage": stage}).stage == stage
