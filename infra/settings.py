"""Typed settings of a stage, read from the context of cdk.json and of the command line."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

STAGES = ("local", "dev", "prod")
JOB_KINDS = ("prepare", "train", "predict", "compare")
MAX_INSTANCE_PREFERENCES = 5

# Only these may make the state machine that runs on one machine differ from production's: on AWS the jobs
# reach MLflow by the tracking server's ARN, locally by a loopback URL. A test holds this.
DECLARED_LOCAL_SETTINGS = ("mlflow_tracking_uri",)

# What CDK and its CLI put in the context for themselves.
_CDK_KEY_PREFIXES = ("@", "aws:", "aws-cdk:", "cdk:")


class SettingsError(ValueError):
    """A setting that is unknown or has no legal value."""


@dataclass(frozen=True)
class Judge:
    """The model that judges free answers: in Bedrock, or behind an OpenAI-compatible endpoint.

    `bedrock_model_id`: the id of a model, or of a system-defined inference profile. `secret_arn`: the secret
    in Secrets Manager whose text is the endpoint's key.
    """

    bedrock_model_id: str | None = None
    endpoint: str | None = None
    model: str | None = None
    secret_arn: str | None = None


@dataclass(frozen=True)
class Settings:
    """What a stage is made with. Every field is a key of the stage's block in cdk.json."""

    stage: str
    region: str = "us-east-1"
    account: str | None = None
    base_model: str = "Qwen/Qwen3-1.7B"
    recipe: str = "qwen3-1.7b-lora"
    mlflow_tracking_uri: str | None = None  # None: the ARN of the tracking server that the stack makes
    mlflow_server_size: str = "Small"
    mlflow_version: str = "3.0"
    instances: Mapping[str, tuple[str, ...]] = field(
        default_factory=lambda: MappingProxyType(
            {
                "prepare": ("ml.m5.xlarge", "ml.m5.2xlarge"),
                "train": ("ml.g6e.2xlarge", "ml.g5.2xlarge"),
                "predict": ("ml.g6e.2xlarge", "ml.g5.2xlarge"),
                "compare": ("ml.m5.large", "ml.m5.xlarge"),
            }
        )
    )
    max_runtime_minutes: Mapping[str, int] = field(
        default_factory=lambda: MappingProxyType({"prepare": 60, "train": 240, "predict": 120, "compare": 30})
    )
    use_spot: bool = False
    budget_usd: float | None = None
    instance_prices_usd: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    log_retention_days: int = 30
    use_wheels_channel: bool = False
    data_source_arns: tuple[str, ...] = ()  # S3 objects outside the bucket that PrepareData may read
    judge: Judge | None = None  # None: free answers are graded by rules alone


def read_settings(context: Mapping[str, object]) -> Settings:
    """Return the settings of the stage that `context` chooses.

    `context` holds a block a stage, `stage`, and top-level keys that override the block. Values that come
    from a command line are strings and are read as JSON, or as comma-separated lists.
    Raises SettingsError, naming the key and the nearest known one, for a key that is no setting.
    """
    own = {key: value for key, value in context.items() if not key.startswith(_CDK_KEY_PREFIXES)}
    blocks = {name: _block(name, own.pop(name, {})) for name in STAGES}
    stage = own.pop("stage", "dev")
    if not isinstance(stage, str) or stage not in STAGES:
        raise SettingsError(f"stage: {stage!r} is no stage; it is one of {', '.join(STAGES)}")
    _check_keys("a top-level context key", own, extra=("stage", *STAGES))
    values = {**blocks[stage], **own}
    read: dict[str, Any] = {key: _READERS[key](key, value) for key, value in values.items()}
    return Settings(stage=stage, **read)


def _block(name: str, value: object) -> Mapping[str, object]:
    block = _parsed(value)
    if not isinstance(block, Mapping):
        raise SettingsError(f"{name}: a stage's settings are an object, not {value!r}")
    _check_keys(f"the block {name!r}", block)
    return block


def _check_keys(where: str, values: Mapping[str, object], extra: tuple[str, ...] = ()) -> None:
    known = (*_READERS, *extra)
    for key in values:
        if key not in known:
            nearest = difflib.get_close_matches(key, known, n=1, cutoff=0.0)[0]
            raise SettingsError(f"{key}: unknown setting in {where}; the nearest is {nearest}")


def _parsed(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        parsed: object = json.loads(value)
    except ValueError:
        return value
    return parsed


def _text(key: str, value: object) -> str:
    if not isinstance(value, str) or not value:
        raise SettingsError(f"{key}: {value!r} is no text")
    return value


def _optional_text(key: str, value: object) -> str | None:
    return None if value is None or value == "" else _text(key, value)


def _flag(key: str, value: object) -> bool:
    parsed = _parsed(value)
    if not isinstance(parsed, bool):
        raise SettingsError(f"{key}: {value!r} is neither true nor false")
    return parsed


def _whole_number(key: str, value: object) -> int:
    parsed = _parsed(value)
    if not isinstance(parsed, int) or isinstance(parsed, bool) or parsed < 1:
        raise SettingsError(f"{key}: {value!r} is no whole number above zero")
    return parsed


def _amount(key: str, value: object) -> float:
    parsed = _parsed(value)
    if not isinstance(parsed, int | float) or isinstance(parsed, bool) or not 0 <= parsed < float("inf"):
        raise SettingsError(f"{key}: {value!r} is no amount of dollars")
    return float(parsed)


def _optional_amount(key: str, value: object) -> float | None:
    return None if _parsed(value) is None else _amount(key, value)


def _texts(key: str, value: object) -> tuple[str, ...]:
    parsed = _parsed(value)
    items = parsed.split(",") if isinstance(parsed, str) else parsed
    if not isinstance(items, list | tuple):
        raise SettingsError(f"{key}: {value!r} is no list")
    return tuple(_text(key, item) for item in items)


def _mapping(key: str, value: object) -> Mapping[str, object]:
    parsed = _parsed(value)
    if not isinstance(parsed, Mapping):
        raise SettingsError(f"{key}: {value!r} is no object")
    return parsed


def _by_job_kind(key: str, value: object) -> Mapping[str, object]:
    given = _mapping(key, value)
    for kind in given:
        if kind not in JOB_KINDS:
            nearest = difflib.get_close_matches(kind, JOB_KINDS, n=1, cutoff=0.0)[0]
            raise SettingsError(f"{key}.{kind}: unknown kind of job; the nearest is {nearest}")
    return given


def _instances(key: str, value: object) -> Mapping[str, tuple[str, ...]]:
    given = {kind: _texts(f"{key}.{kind}", types) for kind, types in _by_job_kind(key, value).items()}
    for kind, types in given.items():
        if not 1 <= len(types) <= MAX_INSTANCE_PREFERENCES:
            raise SettingsError(f"{key}.{kind}: give 1 to {MAX_INSTANCE_PREFERENCES} instance types")
    return MappingProxyType({**Settings("dev").instances, **given})


def _minutes(key: str, value: object) -> Mapping[str, int]:
    given = {kind: _whole_number(f"{key}.{kind}", v) for kind, v in _by_job_kind(key, value).items()}
    return MappingProxyType({**Settings("dev").max_runtime_minutes, **given})


def _prices(key: str, value: object) -> Mapping[str, float]:
    return MappingProxyType({name: _amount(f"{key}.{name}", v) for name, v in _mapping(key, value).items()})


def _server_size(key: str, value: object) -> str:
    if value not in ("Small", "Medium", "Large"):
        raise SettingsError(f"{key}: {value!r} is none of Small, Medium, Large")
    return str(value)


def _retention_days(key: str, value: object) -> int:
    days = _whole_number(key, value)
    if days not in RETENTION_DAYS:
        raise SettingsError(f"{key}: CloudWatch Logs keeps {', '.join(map(str, RETENTION_DAYS))} days")
    return days


_JUDGE_FORMS: Mapping[str, tuple[re.Pattern[str], str]] = {
    "bedrock_model_id": (
        re.compile(r"[a-z0-9-]+\.[A-Za-z0-9.:_-]+"),
        "the id of a model in Bedrock or of a system-defined inference profile, no ARN",
    ),
    "endpoint": (
        re.compile(r"https?://[^\s/@]+(/\S*)?"),
        "a URL like https://host/v1, without a name or password in it",
    ),
    "model": (re.compile(r"\S+"), "the name that the endpoint gives to the model"),
    "secret_arn": (
        re.compile(r"arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:[\w/+=.@-]+-[A-Za-z0-9]{6}"),
        "the whole ARN of a secret, with the six characters at its end",
    ),
}


def _judge(key: str, value: object) -> Judge | None:
    if _parsed(value) is None or value == "":
        return None
    given = _mapping(key, value)
    for name, text in given.items():
        if name not in _JUDGE_FORMS:
            nearest = difflib.get_close_matches(name, _JUDGE_FORMS, n=1, cutoff=0.0)[0]
            raise SettingsError(f"{key}.{name}: unknown; the nearest is {nearest}")
        pattern, form = _JUDGE_FORMS[name]
        if not isinstance(text, str) or not pattern.fullmatch(text):
            raise SettingsError(f"{key}.{name}: {text!r} is not {form}")
    if set(given) not in ({"bedrock_model_id"}, {"endpoint", "model"}, {"endpoint", "model", "secret_arn"}):
        raise SettingsError(f"{key}: give either bedrock_model_id, or endpoint and model (and secret_arn)")
    if "secret_arn" in given and not str(given["endpoint"]).startswith("https://"):
        raise SettingsError(
            f"{key}.endpoint: {given['endpoint']!r} would be sent the key in clear; use https"
        )
    return Judge(**{name: str(text) for name, text in given.items()})


RETENTION_DAYS = (1, 3, 5, 7, 14, 30, 60, 90, 180, 365, 731)

_READERS: Mapping[str, Callable[[str, object], object]] = {
    "region": _text,
    "account": _optional_text,
    "base_model": _text,
    "recipe": _text,
    "mlflow_tracking_uri": _optional_text,
    "mlflow_server_size": _server_size,
    "mlflow_version": _text,
    "instances": _instances,
    "max_runtime_minutes": _minutes,
    "use_spot": _flag,
    "budget_usd": _optional_amount,
    "instance_prices_usd": _prices,
    "log_retention_days": _retention_days,
    "use_wheels_channel": _flag,
    "data_source_arns": _texts,
    "judge": _judge,
}
