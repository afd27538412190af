"""The ScorePredictions function against an emulated S3."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from lambdas.score_predictions import BadPredictions, Folder, NoPredictions, handler
from tests.unit.evaluation.rows import call_row, choice_row, hermes

BUCKET = "a-bucket"
EVENT = {
    "run_id": "run-1",
    "bucket": BUCKET,
    "variant": "sft",
    "data_uri": f"s3://{BUCKET}/runs/run-1/prepare/job/output/model/",
    "predictions_uri": f"s3://{BUCKET}/runs/run-1/predict/sft/",
    "scores_uri": f"s3://{BUCKET}/runs/run-1/scores/sft/",
}
ROWS: dict[str, list[dict[str, Any]]] = {
    "own": [call_row(("get_weather", {"city": "Paris"}), row_id=name) for name in ("a", "b")],
    "when2call_mcq": [choice_row("direct")],
}
CHOICES = {
    name: {"logprob": -9.0, "tokens": 1, "characters": 3} for name in ROWS["when2call_mcq"][0]["answers"]
}
PREDICTIONS: dict[str, list[dict[str, Any]]] = {
    "own": [{"id": "a", "completion": hermes("get_weather", {"city": "Paris"}), "format": "hermes"}],
    "when2call_mcq": [{"id": "r1", "choices": CHOICES}],
}


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with mock_aws():
        client = boto3.client("s3")
        client.create_bucket(Bucket=BUCKET)
        for suite, rows in ROWS.items():
            put(client, f"runs/run-1/prepare/job/output/model/suites/{suite}.jsonl", rows)
            put(client, f"runs/run-1/predict/sft/job/output/model/{suite}.jsonl", PREDICTIONS[suite])
        yield client


def put(client: Any, key: str, records: list[Any]) -> None:
    client.put_object(
        Bucket=BUCKET, Key=key, Body="".join(json.dumps(one) + "\n" for one in records).encode()
    )


def read(client: Any, suite: str) -> list[Any]:
    body = client.get_object(Bucket=BUCKET, Key=f"runs/run-1/scores/sft/{suite}.jsonl")["Body"].read()
    return [json.loads(line) for line in body.splitlines()]


def test_every_suite_is_scored_and_a_retry_writes_the_same(s3: Any) -> None:
    result = handler(EVENT, None)
    assert result == {
        "variant": "sft",
        "suites": {"own": {"n": 2, "scored": 1}, "when2call_mcq": {"n": 1, "scored": 1}},
    }
    first = read(s3, "own")
    assert [(one["id"], one["value"]) for one in first] == [("a", 1.0), ("b", None)]
    assert first[1]["error"] == "no prediction has this id"
    assert handler(EVENT, None) == result
    assert read(s3, "own") == first


def test_a_uri_without_its_last_slash_is_the_same_prefix() -> None:
    assert Folder.of("s3://b/a/c") == Folder.of("s3://b/a/c/") == Folder("b", "a/c/")
    assert Folder.of("s3://b") == Folder("b", "")


def test_the_newest_of_several_predictions_counts(s3: Any) -> None:
    put(s3, "runs/run-1/predict/sft/retry/output/model/own.jsonl", [])
    assert handler(EVENT, None)["suites"]["own"] == {"n": 2, "scored": 0}


def test_no_predictions_is_an_error_that_says_where_to_look(s3: Any) -> None:
    s3.delete_object(Bucket=BUCKET, Key="runs/run-1/predict/sft/job/output/model/own.jsonl")
    with pytest.raises(NoPredictions, match=r"variant sft: no predictions for own below s3://.*job"):
        handler(EVENT, None)
    with pytest.raises(NoPredictions, match="no suite"):
        handler({**EVENT, "data_uri": f"s3://{BUCKET}/elsewhere/"}, None)


def test_a_file_that_cannot_be_read_is_named_with_its_line(s3: Any) -> None:
    key = "runs/run-1/predict/sft/job/output/model/own.jsonl"
    for content in (b'{"id": "a"}\n{"id"', b"[]\n"):
        s3.put_object(Bucket=BUCKET, Key=key, Body=content)
        with pytest.raises(BadPredictions, match=rf"{key}, line \d"):
            handler(EVENT, None)
