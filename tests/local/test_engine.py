"""The embedded AWS keeps SageMaker's, Lambda's and Step Functions' promises, on a machine of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from infra.local import container
from infra.local.engine import Engine, running_engine
from infra.local.quotas import BadQuotas, Quotas
from tests.local.assembly import channel, job_state, write_assembly
from tests.local.executions import Run, wait_for

INVOKE = {
    "Type": "Task",
    "Resource": "arn:aws:states:::lambda:invoke",
    "Parameters": {"FunctionName": "FUNCTION", "Payload.$": "$"},
    "ResultSelector": {"payload.$": "$.Payload"},
    "TimeoutSeconds": 30,
}
FAILURE_TAIL = {
    "Failed": {"Type": "Fail", "ErrorPath": "$.error.Error", "CausePath": "$.error.Cause"},
}
CATCH = [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": "Failed"}]


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    with running_engine(tmp_path / "jobs", stop_grace_seconds=2) as running:
        yield running


def start(engine: Engine, folder: Path, states: dict[str, Any], source: str = "", **given: Any) -> str:
    deployment = engine.deploy(write_assembly(folder / "assembly", states, source))
    machine = deployment.outputs["MachineArn"]
    answer = engine.client("stepfunctions").start_execution(
        stateMachineArn=machine, name="run", input=json.dumps({"job": "job-1", **given})
    )
    arn: str = answer["executionArn"]
    return arn


def run(engine: Engine, folder: Path, states: dict[str, Any], source: str = "", **given: Any) -> Run:
    return wait_for(engine, start(engine, folder, states, source, **given))


def objects(engine: Engine, prefix: str) -> dict[str, str]:
    s3 = engine.client("s3")
    found = s3.list_objects_v2(Bucket="work", Prefix=prefix).get("Contents", [])
    return {
        item["Key"]: s3.get_object(Bucket="work", Key=item["Key"])["Body"].read().decode() for item in found
    }


def test_a_job_runs_the_rendered_entrypoint_over_the_rendered_channels(
    engine: Engine, tmp_path: Path
) -> None:
    script = """
        cd /opt/ml/model
        cp ../input/data/rows/deep/a.txt copy.txt
        echo "$@" > arguments.txt
        echo "$GREETING $SM_CHANNEL_ROWS" > environment.txt
        cp ../input/config/hyperparameters.json hyperparameters.txt
        echo loss=2.5
        echo loss=1.25
    """
    state = job_state(
        script,
        InputDataConfig=[channel("rows", "s3://work/rows/")],
        HyperParameters={"epochs": "2"},
    )
    arn = None
    deployment = engine.deploy(write_assembly(tmp_path / "assembly", {"First": {**state, "End": True}}))
    engine.client("s3").put_object(Bucket="work", Key="rows/deep/a.txt", Body=b"gold")
    arn = engine.client("stepfunctions").start_execution(
        stateMachineArn=deployment.outputs["MachineArn"], input='{"job": "job-1"}'
    )["executionArn"]
    finished = wait_for(engine, arn)
    assert finished.status == "SUCCEEDED", finished
    artifacts = objects(engine, "out/job-1/output/model/")
    assert artifacts == {
        "out/job-1/output/model/copy.txt": "gold",
        "out/job-1/output/model/arguments.txt": "--seed 7\n",
        "out/job-1/output/model/environment.txt": "hello /opt/ml/input/data/rows\n",
        "out/job-1/output/model/hyperparameters.txt": '{"epochs": "2"}',
    }
    described = engine.client("sagemaker").describe_training_job(TrainingJobName="job-1")
    assert described["TrainingJobStatus"] == "Completed"
    assert [(m["MetricName"], m["Value"]) for m in described["FinalMetricDataList"]] == [("loss", 1.25)]
    assert [t["Status"] for t in described["SecondaryStatusTransitions"]] == [
        "Pending", "Downloading", "Training", "Uploading", "Completed",
    ]  # fmt: skip
    assert finished.output["ModelArtifacts"]["S3ModelArtifacts"] == "s3://work/out/job-1/output/model/"


FAILURES = [
    ("echo last words >&2; exit 7", {}, "AlgorithmError: last words, exit code: 7", "log's last line"),
    ("echo 'bad row 3' > /opt/ml/output/failure; exit 2", {}, "bad row 3", "the failure file is read first"),
    (
        "true",
        {"InputDataConfig": [channel("rows", "s3://work/none/")]},
        "No S3 objects found",
        "empty channel",
    ),
    ("sleep 60", {"StoppingCondition": {"MaxRuntimeInSeconds": 1}}, "MaxRuntimeExceeded", "over its limit"),
]


@pytest.mark.parametrize(("script", "changes", "cause", "reason"), FAILURES, ids=[f[3] for f in FAILURES])
def test_a_failed_job_fails_the_execution(
    engine: Engine, tmp_path: Path, script: str, changes: dict[str, Any], cause: str, reason: str
) -> None:
    states = {"First": {**job_state(script, **changes), "Catch": CATCH, "End": True}, **FAILURE_TAIL}
    finished = run(engine, tmp_path, states)
    assert (finished.status, finished.error) == ("FAILED", "States.TaskFailed")
    assert cause in (finished.cause or "")


def test_checkpoints_survive_into_the_next_job(engine: Engine, tmp_path: Path) -> None:
    checkpoints = {"S3Uri": "s3://work/checkpoints/", "LocalPath": "/opt/ml/checkpoints"}
    script = """
        cat /opt/ml/checkpoints/step.txt > /opt/ml/model/seen.txt || true
        echo 5 > /opt/ml/checkpoints/step.txt
    """
    first = {**job_state(script, CheckpointConfig=checkpoints), "ResultPath": None, "Next": "Second"}
    second = {
        **job_state(script, CheckpointConfig=checkpoints, **{"TrainingJobName.$": "$.again"}),
        "End": True,
    }
    second["Parameters"]["TrainingJobName.$"] = "$.again"
    finished = run(engine, tmp_path, {"First": first, "Second": second}, again="job-2")
    assert finished.status == "SUCCEEDED", finished
    assert objects(engine, "out/job-2/output/model/seen.txt") == {"out/job-2/output/model/seen.txt": "5\n"}


def test_a_failing_branch_stops_its_siblings_and_keeps_its_error(engine: Engine, tmp_path: Path) -> None:
    slow = job_state("(setsid sleep 300 &) ; sleep 300", **{"TrainingJobName.$": "$.again"})
    slow["Parameters"]["TrainingJobName.$"] = "$.again"
    broken = {**INVOKE, "Parameters": {"FunctionName": "FUNCTION", "Payload.$": "$"}, "Next": "Never"}
    branches = [
        {"StartAt": "Slow", "States": {"Slow": {**slow, "End": True}}},
        {
            "StartAt": "Pause",
            "States": {
                "Pause": {"Type": "Wait", "Seconds": 2, "Next": "Broken"},
                "Broken": {**broken, "Catch": [{**CATCH[0], "Next": "BranchFailed"}]},
                "Never": {"Type": "Succeed"},
                "BranchFailed": FAILURE_TAIL["Failed"],
            },
        },
    ]
    states = {
        "First": {"Type": "Parallel", "Branches": branches, "Catch": CATCH, "End": True},
        **FAILURE_TAIL,
    }
    source = (
        "class Broken(Exception): pass\ndef handler(event, context):\n    raise Broken('the row is bad')\n"
    )
    finished = run(engine, tmp_path, states, source, again="slow-job")
    assert (finished.status, finished.error) == ("FAILED", "Broken")
    assert json.loads(finished.cause or "")["errorMessage"] == "the row is bad"
    deadline = time.monotonic() + 10
    while engine.jobs.jobs["slow-job"].status != "Stopped" and time.monotonic() < deadline:
        time.sleep(0.1)
    assert engine.jobs.jobs["slow-job"].status == "Stopped"
    assert not sleeping(300)


def sleeping(seconds: int) -> list[psutil.Process]:
    return [
        process
        for process in psutil.process_iter(["cmdline", "status"])
        if process.info["cmdline"] == ["sleep", str(seconds)]
        and process.info["status"] != psutil.STATUS_ZOMBIE
    ]


def test_a_function_runs_from_its_asset_with_its_own_environment(engine: Engine, tmp_path: Path) -> None:
    source = (
        "import os\ncalls = 0\n"
        "def handler(event, context):\n"
        "    global calls\n    calls += 1\n    print('to the log')\n"
        "    inherited = 'PYTEST_CURRENT_TEST' in os.environ\n"
        "    return {'colour': os.environ['COLOUR'], 'calls': calls, 'inherited': inherited}\n"
    )
    first = {**INVOKE, "ResultPath": "$.first", "Next": "Second"}
    finished = run(engine, tmp_path, {"First": first, "Second": {**INVOKE, "End": True}}, source)
    assert finished.output == {"payload": {"colour": "blue", "calls": 2, "inherited": False}}, finished


def test_a_function_over_its_timeout_is_ended(engine: Engine, tmp_path: Path) -> None:
    source = "import time\ndef handler(event, context):\n    time.sleep(60)\n"
    finished = run(engine, tmp_path, {"First": {**INVOKE, "End": True}}, source)
    assert finished.error == "Sandbox.Timedout"
    assert "3.00 seconds" in (finished.cause or "")


def test_a_job_name_is_used_once(engine: Engine, tmp_path: Path) -> None:
    first = {**job_state("true"), "ResultPath": None, "Next": "Second"}
    finished = run(engine, tmp_path, {"First": first, "Second": {**job_state("true"), "End": True}})
    assert finished.error == "SageMaker.ResourceInUseException"


def test_a_payload_that_aws_would_refuse_is_refused(engine: Engine, tmp_path: Path) -> None:
    states = {"First": {**job_state("true"), "Catch": CATCH, "End": True}, **FAILURE_TAIL}
    finished = run(engine, tmp_path, states, job="under_score")
    assert finished.error == "SageMaker.AmazonSageMakerException"
    assert "TrainingJobName" in (finished.cause or "")


def test_without_namespaces_a_job_finds_everything_in_its_environment(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(container, "namespace_command", lambda: ())
    script = 'test ! -d /opt/ml && echo there > "$SM_MODEL_DIR/out.txt" && ls "$SM_CODE_DIR"'
    finished = run(engine, tmp_path, {"First": {**job_state(script), "End": True}})
    assert finished.status == "SUCCEEDED", finished
    assert objects(engine, "out/job-1/output/model/") == {"out/job-1/output/model/out.txt": "there\n"}


def test_resources_that_moto_lacks_are_named(engine: Engine, tmp_path: Path) -> None:
    extra = {
        "Server": {"Type": "AWS::SageMaker::MlflowTrackingServer", "Properties": {"TrackingServerName": "x"}}
    }
    states = {"First": {"Type": "Pass", "End": True}}
    engine.deploy(write_assembly(tmp_path / "assembly", states, extra=extra))
    assert engine.stood_in == ["AWS::SageMaker::MlflowTrackingServer"]


def test_a_custom_resource_is_refused(engine: Engine, tmp_path: Path) -> None:
    extra = {"Custom": {"Type": "Custom::Thing", "Properties": {}}}
    with pytest.raises(Exception, match="Custom::Thing"):
        engine.deploy(write_assembly(tmp_path / "a", {"First": {"Type": "Pass", "End": True}}, extra=extra))


QUOTA_FILES = [
    ('{"ml.g5.xlarge for training job usage": 0}', None, "a quota of 0"),
    ('{"ml.g5.xlarge for training": 0}', "no such SageMaker quota", "a name that AWS does not have"),
    ('{"ml.g5.xlarge for training job usage": "none"}', "is not a number", "a value that is no number"),
    ("[1]", "expected a JSON object", "another shape"),
    ("{", "Expecting property name", "not JSON"),
]


@pytest.mark.parametrize(("text", "message", "reason"), QUOTA_FILES, ids=[row[2] for row in QUOTA_FILES])
def test_quotas_come_from_a_file(tmp_path: Path, text: str, message: str | None, reason: str) -> None:
    path = tmp_path / "quotas.json"
    path.write_text(text)
    if message:
        with pytest.raises(BadQuotas, match=message):
            Quotas.from_file(path)
        return
    values = {row["QuotaName"]: row["Value"] for row in Quotas.from_file(path).listed()}
    assert values["ml.g5.xlarge for training job usage"] == 0
    assert values["ml.g6e.2xlarge for training job usage"] > 0


def test_nothing_outlives_a_killed_starter(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path\n"
        "from tests.local.assembly import *\n"
        "from infra.local.engine import running_engine\nimport time, json\n"
        f"folder = Path({str(tmp_path)!r})\n"
        "with running_engine(folder / 'jobs') as engine:\n"
        "    states = {'First': {**job_state('(setsid sleep 301 &) ; sleep 301'), 'End': True}}\n"
        "    arn = engine.deploy(write_assembly(folder / 'a', states)).outputs['MachineArn']\n"
        "    client = engine.client('stepfunctions')\n"
        "    client.start_execution(stateMachineArn=arn, input=json.dumps({'job': 'j'}))\n"
        "    time.sleep(60)\n"
    )
    starter = subprocess.Popen(
        [sys.executable, "-c", script], env={**os.environ, "PYTHONPATH": str(Path.cwd())}
    )
    deadline = time.monotonic() + 40
    while len(sleeping(301)) < 2 and time.monotonic() < deadline:
        time.sleep(0.1)
    assert len(sleeping(301)) == 2
    starter.send_signal(signal.SIGKILL)
    starter.wait()
    deadline = time.monotonic() + 10
    while sleeping(301) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not sleeping(301)
