"""CheckGate: hold the variants of a run against the gate's rules, and lay the verdict into the plan."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from lambdas.gate import check_gate

_NEEDED = ("suites", "paired", "guarded", "test_sets")


class BadComparison(Exception):
    """The comparison of the run cannot be read: the message names the object and what it lacks."""


def handler(event: Mapping[str, Any], _context: object) -> dict[str, Any]:
    """Return the plan `event` with `gate`: the verdict by the rules of its input.

    Reads `comparison.json` where CompareVariants left it. Raises BadComparison; the name is the execution's
    error.
    """
    # Loading boto3 is the better part of a cold start; the rules' tests need none of it.
    import boto3  # noqa: PLC0415

    uri = f"{event['jobs']['compare']['model_uri']}comparison.json"
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    text = boto3.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    return with_verdict(event, text, uri)


def with_verdict(plan: Mapping[str, Any], text: bytes, uri: str) -> dict[str, Any]:
    """Return `plan` with the verdict on the comparison `text`, which was read from `uri`."""
    comparison = _parse(text, uri)
    try:
        verdict = check_gate(comparison, plan["input"]["gate"], plan["evaluated"])
    except (KeyError, TypeError, AttributeError) as error:
        raise BadComparison(f"{uri}: not of the form that CompareVariants writes ({error!r})") from error
    return {**plan, "gate": verdict}


def _parse(text: bytes, uri: str) -> Mapping[str, Any]:
    try:
        comparison = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadComparison(f"{uri}: not JSON ({error})") from error
    absent = [key for key in _NEEDED if not isinstance(comparison, dict) or key not in comparison]
    if absent:
        raise BadComparison(f"{uri}: lacks {', '.join(absent)}; look at the log of CompareVariants")
    found: Mapping[str, Any] = comparison
    return found
