"""What `make stage` uploads lands where an execution input looks for it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from infra import staging

TEMPLATE = (
    '{"Resources": {"B": {"Type": "AWS::S3::Bucket"}}, "Outputs": {"BucketName": {"Value": {"Ref": "B"}}}}'
)


@pytest.fixture
def deployed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with mock_aws():
        cloudformation = boto3.client("cloudformation")
        cloudformation.create_stack(StackName="Toolwright-dev-Foundation", TemplateBody=TEMPLATE)
        yield cloudformation


def test_a_model_is_found_under_its_folder_name(
    deployed: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tmp_path / "my-model"
    (model / "deep").mkdir(parents=True)
    (model / "config.json").write_text("{}")
    (model / "deep" / "weights.safetensors").write_text("w")
    monkeypatch.setattr("sys.argv", ["staging", "--stage", "dev", "--model", str(model)])
    staging.main()
    listed = boto3.client("s3").list_objects_v2(Bucket=staging.bucket_name("dev", deployed))
    keys = [item["Key"] for item in listed["Contents"]]
    assert keys == ["models/my-model/config.json", "models/my-model/deep/weights.safetensors"]


FAILURES = [
    (["--stage", "prod"], "Deploy it first", "a stage that is not deployed"),
    (["--dataset", "/nowhere/at/all"], "no such directory", "a folder that is not there"),
]


@pytest.mark.parametrize(("arguments", "message", "reason"), FAILURES, ids=[row[2] for row in FAILURES])
def test_what_cannot_be_staged_is_told(
    deployed: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
    reason: str,
) -> None:
    monkeypatch.setattr("sys.argv", ["staging", *arguments])
    with pytest.raises(SystemExit) as stopped:
        staging.main()
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err


def test_no_wheel_that_the_jobs_name_is_left_to_the_container() -> None:
    lines = staging.REQUIREMENTS.read_text().splitlines()
    named = [re.split(r"[=<>\[ ]", line)[0].lower() for line in lines if line and not line.startswith("#")]
    assert named
    assert not [name for name in named if staging.brought_by_the_container(name)]
