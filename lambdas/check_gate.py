"""CheckGate: hold the variants of a run against the gate's rules, and lay the verdict into the plan."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from lambdas.fields import shorten, shown
from lambdas.gate import check_gate

_NEEDED = ("run_id", "suites", "paired", "guarded", "test_sets")


class BadComparison(Exception):
    """The comparison of the run cannot be read: the message names the object and what it lacks."""


class BadPlan(Exception):
    """The plan that CheckGate was given lacks a field: the message names it."""


def handler(event: Mapping[str, Any], _context: object) -> dict[str, Any]:
    """Return the plan `event` with `gate`: the verdict by the rules of its input.

    Reads `comparison.json` where CompareVariants left it. Raises BadComparison, BadPlan and InvalidInput; the
    name is the execution's error.
    """
    # Loading boto3 is the better part of a cold start; the rules' tests need none of it.
    import boto3  # noqa: PLC0415
    from botocore.exceptions import ClientError  # noqa: PLC0415

    uri = f"{_field(event, 'jobs', 'compare', 'model_uri')}comparison.json"
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    try:
        text = boto3.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    except ClientError as error:
        code = error.response["Error"]["Code"]
        raise BadComparison(f"{uri}: cannot be read ({code}); look at the log of CompareVariants") from error
    return with_verdict(event, text, uri)


def with_verdict(plan: Mapping[str, Any], text: bytes, uri: str) -> dict[str, Any]:
    """Return `plan` with the verdict on the comparison `text`, which was read from `uri`."""
    given, evaluated = _field(plan, "input", "gate"), _field(plan, "evaluated")
    comparison = _parse(text, uri)
    if comparison["run_id"] != _field(plan, "run_id"):
        raise BadComparison(
            f"{uri}: of the run {shown(comparison['run_id'])}, not of {shown(plan['run_id'])}; look at the "
            "log of CompareVariants"
        )
    try:
        verdict = check_gate(comparison, given, evaluated)
    except (ArithmeticError, AttributeError, LookupError, StopIteration, TypeError, ValueError) as error:
        said = f"{type(error).__name__}: {shorten(str(error))}"
        raise BadComparison(f"{uri}: not of the form that CompareVariants writes ({said})") from error
    return {**plan, "gate": verdict}


def _field(plan: Mapping[str, Any], *path: str) -> Any:
    value: Any = plan
    for i, key in enumerate(path):
        if not isinstance(value, dict) or key not in value:
            raise BadPlan(f"the plan lacks {'.'.join(path[: i + 1])}, which PlanRun writes")
        value = value[key]
    return value


def _parse(text: bytes, uri: str) -> Mapping[str, Any]:
    try:
        comparison = json.loads(text, parse_constant=_refuse, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        raise BadComparison(f"{uri}: not JSON ({shorten(str(error))})") from error
    absent = [key for key in _NEEDED if not isinstance(comparison, dict) or key not in comparison]
    if absent:
        raise BadComparison(f"{uri}: lacks {', '.join(absent)}; look at the log of CompareVariants")
    found: Mapping[str, Any] = comparison
    return found


def _refuse(name: str) -> float:
    raise ValueError(f"{name} is no number")


def _finite(text: str) -> float:
    return float(text) if math.isfinite(float(text)) else _refuse(shorten(text))
