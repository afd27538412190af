"""ScorePredictions: grade one variant's predictions of every suite, from S3 to S3."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from evaluation.toolcalls import SuiteScores, score_suite
from evaluation.toolcalls.values import BFCL_RULES, DEFAULT_RULES

Event = Mapping[str, str]

# As the suites' files say, which are not shipped here.
RULES = {"bfcl_single_turn": BFCL_RULES}


class NoPredictions(Exception):
    """A suite has no predictions file where the prediction job should have left one."""


class BadPredictions(Exception):
    """A rows or predictions file that cannot be read; names the object and the line."""


@dataclass(frozen=True)
class Folder:
    """A prefix in S3."""

    bucket: str
    prefix: str

    @staticmethod
    def of(uri: str) -> Folder:
        """Read ``s3://bucket/prefix``, with or without a slash at the end."""
        bucket, _, prefix = uri.removeprefix("s3://").partition("/")
        return Folder(bucket, prefix.rstrip("/") + "/" if prefix else "")


def handler(event: Event, context: object) -> dict[str, Any]:
    """Score the suites of ``<data_uri>suites/``, each by its rules, and write ``<scores_uri><suite>.jsonl``.

    Event: ``{run_id, bucket, variant, data_uri, predictions_uri, scores_uri}``; a ``<suite>.jsonl`` each lies
    at any depth below `predictions_uri`. Returns ``{variant, suites: {name: {n, scored}}}``. Run again, it
    writes the same objects. Raises NoPredictions, BadPredictions.
    """
    # Loading boto3 is the better part of a cold start; the grader's tests need none of it.
    import boto3  # noqa: PLC0415

    s3 = boto3.client("s3")
    data, predicted = Folder.of(event["data_uri"]), Folder.of(event["predictions_uri"])
    suites = _jsonl_files(s3, Folder(data.bucket, data.prefix + "suites/"))
    predictions = _jsonl_files(s3, predicted)
    _refuse_absent(event, suites, predictions)
    results = {}
    for suite in sorted(suites):
        rows = _read(s3, data.bucket, suites[suite])
        rules = RULES.get(suite, DEFAULT_RULES)
        scored = score_suite(rows, _read(s3, predicted.bucket, predictions[suite]), rules=rules)
        _write(s3, Folder.of(event["scores_uri"]), suite, scored)
        results[suite] = {"n": len(scored.scores), "scored": scored.scored}
    return {"variant": event["variant"], "suites": results}


def _refuse_absent(event: Event, suites: Mapping[str, str], predictions: Mapping[str, str]) -> None:
    if not suites:
        raise NoPredictions(f"no suite (*.jsonl) below {event['data_uri']}suites/; look at PrepareData's log")
    absent = ", ".join(sorted(suites.keys() - predictions.keys()))
    if absent:
        raise NoPredictions(
            f"variant {event['variant']}: no predictions for {absent} below {event['predictions_uri']}; "
            "look at the log of its prediction job"
        )


def _jsonl_files(s3: Any, folder: Folder) -> dict[str, str]:
    """The key of each ``<name>.jsonl`` below a prefix; of several with one name, the newest."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=folder.bucket, Prefix=folder.prefix)
    found = [one for page in pages for one in page.get("Contents", ()) if one["Key"].endswith(".jsonl")]
    found.sort(key=lambda one: (one["LastModified"], one["Key"]))
    return {PurePosixPath(one["Key"]).stem: one["Key"] for one in found}


def _read(s3: Any, bucket: str, key: str) -> Iterator[dict[str, Any]]:
    body = s3.get_object(Bucket=bucket, Key=key)["Body"]
    for number, line in enumerate(body.iter_lines(), 1):
        if line.strip():
            yield _parse(line, f"s3://{bucket}/{key}, line {number}")


def _parse(line: bytes, place: str) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise BadPredictions(f"{place}: not JSON ({error})") from error
    if not isinstance(value, dict):
        raise BadPredictions(f"{place}: not a JSON object")
    return value


def _write(s3: Any, folder: Folder, suite: str, scored: SuiteScores) -> None:
    lines = "".join(json.dumps(record, allow_nan=False) + "\n" for record in scored.records())
    key = f"{folder.prefix}{suite}.jsonl"
    s3.put_object(Bucket=folder.bucket, Key=key, Body=lines.encode(), ContentType="application/jsonl")
