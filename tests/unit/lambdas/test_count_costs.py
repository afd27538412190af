"""CountCosts: what a run was billed, a line a job, and the words for it."""

from __future__ import annotations

import datetime
import doctest
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ReadTimeoutError
from botocore.stub import Stubber
from moto import mock_aws

from lambdas import billing, costs, count_costs
from lambdas.costs import read_prices
from lambdas.count_costs import with_actual_cost

ROOT = Path(__file__).resolve().parents[3]
G5, L = "ml.g5.xlarge", "ml.m5.large"
PRICES = {G5: 1.408, L: 0.115}


def _plan(prices: Mapping[str, float] = PRICES) -> dict[str, Any]:
    jobs = {"prepare": L, "sft": G5, "report": L}
    return {
        "run_id": "r",
        "plan_uri": "s3://bucket/runs/r/plan/",
        "jobs": {
            key: {
                "name": f"toolwright-r-{key}",
                "resource_config": {"InstanceType": kind, "InstanceCount": 1},
            }
            for key, kind in jobs.items()
        },
        "cost": {"at_most_usd": 18.4, "usd_per_hour": dict(prices), "note": "on-demand prices"},
    }


def _ended(billed: int, trained: int | None = None, **more: Any) -> dict[str, Any]:
    return {
        "TrainingJobStatus": "Completed",
        "BillableTimeInSeconds": billed,
        "TrainingTimeInSeconds": trained or billed,
        **more,
    }


def _actual(described: Mapping[str, Any], prices: Mapping[str, float] = PRICES) -> dict[str, Any]:
    by_name = {f"toolwright-r-{key}": one for key, one in described.items()}
    actual: dict[str, Any] = with_actual_cost(_plan(prices), by_name.get, billed=True)["cost"]["actual"]
    return actual


def test_a_run_is_billed_by_the_second_and_said_in_words() -> None:
    actual = _actual({"prepare": _ended(300), "sft": _ended(1560)})
    assert [(line["job"], line["usd"]) for line in actual["lines"]] == [
        ("prepare", 0.0096),
        ("sft", 0.6101),
        ("report", None),
    ]
    assert actual["usd"] == 0.6197
    assert actual["statement"] == (
        "$0.62 of at most $18.40; dearest: sft $0.61 (1,560 s on ml.g5.xlarge at $1.408); "
        "not started, so not counted: report"
    )


def _groups(*held: tuple[str, int]) -> list[dict[str, Any]]:
    return [{"InstanceType": kind, "InstanceCount": count} for kind, count in held]


LINES: list[tuple[dict[str, Any] | None, dict[str, Any], str]] = [
    (_ended(3600), {"usd": 1.408, "billable_seconds": 3600, "status": "Completed"}, "an hour"),
    (
        _ended(1000, 3600),
        {"usd": 0.3911, "billable_seconds": 1000, "training_seconds": 3600},
        "on spot the billed seconds hold the discount: the on-demand price is not lowered again",
    ),
    (
        _ended(3600, ResourceConfig={"InstanceType": G5, "InstanceCount": 2}),
        {"usd": 2.816, "instance_count": 2},
        "each instance is billed",
    ),
    (
        _ended(3600, ResourceConfig={"InstanceType": L, "InstanceCount": 1}),
        {"usd": 0.115, "instance_type": L},
        "what the job ran on, whatever was planned",
    ),
    (
        _ended(3600, ResourceConfig={"InstanceGroups": _groups((G5, 1), (L, 2))}),
        {"usd": 1.638, "instance_count": 3, "instance_type": f"{G5}, {L}", "usd_per_hour": 0.546},
        "groups of several types, an hour of each",
    ),
    (
        _ended(3600, ResourceConfig={"SelectedInstanceType": L, "SelectedInstanceCount": 2}),
        {"usd": 0.23, "instance_count": 2, "instance_type": L},
        "what SageMaker selected",
    ),
    (
        {"TrainingJobStatus": "InProgress"},
        {"usd": None, "billable_seconds": None, "status": "InProgress"},
        "a job that runs",
    ),
    (
        {**_ended(60), "TrainingJobStatus": "Stopping"},
        {"usd": None, "billable_seconds": None, "training_seconds": None, "status": "Stopping"},
        "seconds that still grow",
    ),
    (
        {**_ended(60), "TrainingJobStatus": "Stopped"},
        {"usd": 0.0235, "billable_seconds": 60, "status": "Stopped"},
        "a job that was stopped is billed",
    ),
    (
        {"TrainingJobStatus": "Unknown"},
        {"usd": None, "billable_seconds": None, "status": "Unknown"},
        "a job that nobody could describe",
    ),
    (None, {"usd": None, "billable_seconds": None, "status": "NotStarted"}, "a job that was never made"),
]


@pytest.mark.parametrize(("described", "expected", "reason"), LINES, ids=[row[2] for row in LINES])
def test_a_jobs_line(described: dict[str, Any] | None, expected: dict[str, Any], reason: str) -> None:
    actual = _actual({"sft": described} if described else {})
    (line,) = [one for one in actual["lines"] if one["job"] == "sft"]
    assert expected.items() <= line.items(), reason


def test_a_price_that_nobody_knows_leaves_the_sum_open() -> None:
    actual = _actual({"prepare": _ended(3600), "sft": _ended(3600), "report": _ended(60)}, {L: 0.115})
    assert actual["usd"] is None
    assert actual["statement"].startswith("at least $0.12 of at most $18.40; dearest: prepare $0.12")
    assert "no price is known for ml.g5.xlarge (sft): set it in instance_prices_usd" in actual["statement"]


@pytest.mark.parametrize(
    ("ran_on", "remedy"),
    [
        pytest.param(G5, "set it in instance_prices_usd", id="a type that the plan chose"),
        pytest.param(
            "ml.g6.xlarge", "the plan holds prices of its own instances alone", id="a type that it did not"
        ),
    ],
)
def test_a_missing_price_has_a_remedy_that_helps(ran_on: str, remedy: str) -> None:
    ran = _ended(60, ResourceConfig={"InstanceType": ran_on, "InstanceCount": 1})
    said = _actual({"sft": ran}, {L: 0.115})["statement"]
    assert f"; no price is known for {ran_on} (sft): {remedy};" in said


STATUSES: list[tuple[dict[str, Any] | None, float | None, str, str]] = [
    (None, 0.1, "; not started, so not counted: sft", "never made"),
    ({"TrainingJobStatus": "InProgress"}, 0.1, "; not ended, so not counted: sft", "running"),
    ({**_ended(9), "TrainingJobStatus": "Stopping"}, 0.1, "; not ended, so not counted: sft", "stopping"),
    (
        {"TrainingJobStatus": "Failed"},
        0.1,
        "; failed without billed seconds, so not counted: sft",
        "no capacity",
    ),
    ({"TrainingJobStatus": "Stopped"}, 0.1, "; stopped without billed seconds, so not counted: sft", "early"),
    (
        {"TrainingJobStatus": "Completed"},
        0.1,
        "; Completed without billed seconds, so not counted: sft",
        "odd",
    ),
    ({"TrainingJobStatus": "Unknown"}, None, "; could not be described, so not counted: sft", "throttled"),
    (_ended(0), 0.1, "", "a second's fraction"),
]


@pytest.mark.parametrize(("described", "usd", "said", "reason"), STATUSES, ids=[row[3] for row in STATUSES])
def test_a_job_that_is_not_in_the_sum_is_named_with_its_reason(
    described: dict[str, Any] | None, usd: float | None, said: str, reason: str
) -> None:
    known = {"prepare": _ended(1800), "report": _ended(1330)}
    actual = _actual({**known, **({"sft": described} if described else {})})
    assert actual["usd"] == (usd and pytest.approx(usd, abs=1e-3)), reason
    least = "" if usd else "at least "
    ending = (
        f"{least}$0.10 of at most $18.40; dearest: prepare $0.06 (1,800 s on ml.m5.large at $0.115){said}"
    )
    assert actual["statement"] == ending


NOTHING_BILLED: list[tuple[Any, Mapping[str, float], str, str]] = [
    (None, PRICES, "nothing billed of at most $18.40; not started, so", "nothing began"),
    ({"TrainingJobStatus": "Unknown"}, PRICES, "an unknown amount of at most $18.40; could not", "no answer"),
    (_ended(60), {}, "an unknown amount of at most $18.40; no price is known for", "no price"),
]


@pytest.mark.parametrize(
    ("described", "prices", "said", "reason"), NOTHING_BILLED, ids=[row[3] for row in NOTHING_BILLED]
)
def test_without_a_billed_line_there_is_no_sum(
    described: Any, prices: Mapping[str, float], said: str, reason: str
) -> None:
    jobs = dict.fromkeys(("prepare", "sft", "report"), described) if described else {}
    actual = _actual(jobs, prices)
    assert actual["usd"] is None, reason
    assert actual["statement"].startswith(said)


def test_counting_again_replaces_the_count() -> None:
    once = with_actual_cost(_plan(), lambda _name: None, billed=True)
    again = with_actual_cost(once, lambda name: _ended(60) if name.endswith("report") else None, billed=True)
    assert [line["usd"] for line in again["cost"]["actual"]["lines"]] == [None, None, 0.0019]
    assert again["cost"]["note"] == "on-demand prices", "the estimate stays"


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("BILLED", "true")
    with mock_aws():
        s3 = boto3.client("s3")
        s3.create_bucket(Bucket="bucket")
        yield s3


def test_the_whole_plan_is_laid_beside_the_run(bucket: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    client = boto3.client("sagemaker")
    with Stubber(client) as stubber:
        stubber.add_response("describe_training_job", _description(_ended(300)))
        stubber.add_response("describe_training_job", _description(_ended(1560)))
        stubber.add_client_error(
            "describe_training_job", "ValidationException", "Requested resource not found."
        )
        _replace_clients(monkeypatch, sagemaker=client, s3=bucket)
        plan = count_costs.handler({**_plan(), "gate": {"promoted": "sft"}}, None)
    written = json.loads(bucket.get_object(Bucket="bucket", Key="runs/r/plan/plan.json")["Body"].read())
    assert written == plan
    assert written["gate"] == {"promoted": "sft"}
    assert written["cost"]["actual"]["usd"] == 0.6197
    assert written["cost"]["billed"] is True


def test_a_failed_run_keeps_its_error_beside_its_costs(bucket: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(count_costs, "_describe_by", lambda _client: lambda _name: _ended(60))
    failure = {"Error": "NoPredictions", "Cause": "none for own"}
    plan = count_costs.handler({**_plan(), "failure": failure}, None)
    assert plan["failure"] == failure
    written = json.loads(bucket.get_object(Bucket="bucket", Key="runs/r/plan/plan.json")["Body"].read())
    assert (written["failure"], written["cost"]["actual"]) == (failure, plan["cost"]["actual"])


def test_the_embedded_aws_bills_nothing(bucket: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BILLED", "false")
    monkeypatch.setattr(count_costs, "_describe_by", lambda _client: lambda _name: _ended(60))
    assert count_costs.handler(_plan(), None)["cost"]["billed"] is False


def _description(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return what DescribeTrainingJob says at least."""
    return {
        "TrainingJobName": "j",
        "TrainingJobArn": "arn:aws:sagemaker:us-east-1:123456789012:training-job/j",
        "ModelArtifacts": {"S3ModelArtifacts": "s3://b/m"},
        "SecondaryStatus": "Completed",
        "AlgorithmSpecification": {"TrainingInputMode": "File"},
        "StoppingCondition": {"MaxRuntimeInSeconds": 60},
        "CreationTime": datetime.datetime(2026, 11, 22, tzinfo=datetime.UTC),
        **fields,
    }


def _replace_clients(monkeypatch: pytest.MonkeyPatch, **clients: Any) -> None:
    def client(name: str, *, config: Any) -> Any:
        assert config.retries == {"mode": "standard", "total_max_attempts": 5}
        return clients[name]

    monkeypatch.setattr(boto3, "client", client)


REFUSALS: list[tuple[str, str, str, str]] = [
    ("ValidationException", "Requested resource not found.", "NotStarted", "a job that was never made"),
    ("ResourceNotFound", "no such job", "NotStarted", "by its own name"),
    ("ValidationException", "1 validation error detected", "Unknown", "a name that is none"),
    ("AccessDeniedException", "not authorized", "Unknown", "no permission"),
    ("ThrottlingException", "Rate exceeded", "Unknown", "asked too often, after all retries"),
    ("InternalFailure", "try again", "Unknown", "their fault"),
]


@pytest.mark.parametrize(("code", "message", "status", "reason"), REFUSALS, ids=[row[3] for row in REFUSALS])
def test_a_job_that_cannot_be_described_is_unknown(
    monkeypatch: pytest.MonkeyPatch, code: str, message: str, status: str, reason: str
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    client = boto3.client("sagemaker")
    with Stubber(client) as stubber:
        for _ in range(3):
            stubber.add_client_error("describe_training_job", code, message)
        actual = with_actual_cost(_plan(), count_costs._describe_by(client), billed=True)["cost"]["actual"]
    assert {line["status"] for line in actual["lines"]} == {status}, reason


def test_a_server_that_does_not_answer_is_asked_for_a_while_only() -> None:
    class Silent:
        asked = 0

        def describe_training_job(self, **_: str) -> None:
            self.asked += 1
            raise ReadTimeoutError(endpoint_url="https://sagemaker")

    silent, now = Silent(), iter((0.0, 1.0, 46.0, 90.0))
    actual = with_actual_cost(_plan(), count_costs._describe_by(silent, lambda: next(now)), billed=True)[
        "cost"
    ]["actual"]
    assert silent.asked == 1
    assert [line["status"] for line in actual["lines"]] == ["Unknown"] * 3


def test_only_the_first_count_has_to_be_written(bucket: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The report reads what the first wrote; the second is in the execution's output all the same."""
    monkeypatch.setattr(count_costs, "_describe_by", lambda _client: lambda _name: _ended(60))
    clients = {"s3": bucket}
    monkeypatch.setattr(boto3, "client", lambda name, config: clients.get(name))
    lost = {**_plan(), "plan_uri": "s3://no-such-bucket/runs/r/plan/"}
    with pytest.raises(bucket.exceptions.NoSuchBucket):
        count_costs.handler(lost, None)
    counted = with_actual_cost(lost, lambda _name: None, billed=True)
    assert count_costs.handler(counted, None)["cost"]["actual"]["lines"][2]["usd"] == 0.0019


AGES = [
    ("2026-09", datetime.date(2026, 11, 22), "on-demand prices", "fresh"),
    ("2026-09", datetime.date(2027, 2, 28), "on-demand prices", "180 days, the last of them"),
    ("2026-09", datetime.date(2027, 3, 1), "on-demand prices of 2026-09, 181 days old", "a day too old"),
]


@pytest.mark.parametrize(("as_of", "today", "note", "reason"), AGES, ids=[row[3] for row in AGES])
def test_an_old_table_says_so(
    tmp_path: Path, as_of: str, today: datetime.date, note: str, reason: str
) -> None:
    table = tmp_path / "prices.json"
    table.write_text(json.dumps({"as_of": as_of, "usd_per_hour": {L: 0.1}}))
    prices = read_prices(table, {L: 0.2}, today)
    assert prices.note.startswith(note), reason
    assert ("instance_prices_usd" in prices.note) is (note != "on-demand prices")
    assert (prices.usd_per_hour, prices.overridden) == ({L: 0.2}, frozenset({L}))


def test_the_examples_in_the_docstrings_hold() -> None:
    assert doctest.testmod(billing) == (0, 2)
    assert doctest.testmod(costs) == (0, 2)
