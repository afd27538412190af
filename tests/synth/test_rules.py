"""The rules find what they are for: each row plants one fault in a sound machine."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from infra.rules import check_definition
from tests.synth.conftest import ROOT

JOB = "arn:aws:states:::sagemaker:createTrainingJob.sync"
PAYLOAD: dict[str, Any] = {
    "TrainingJobName.$": "$.name",
    "RoleArn": "arn:aws:iam::123456789012:role/jobs",
    "AlgorithmSpecification": {"TrainingInputMode": "File", "ContainerEntrypoint": ["bash"]},
    "OutputDataConfig": {"S3OutputPath.$": "$.output_uri"},
    "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 30},
    "StoppingCondition": {"MaxRuntimeInSeconds": 60},
    "Tags": [{"Key": "project", "Value": "größe 1"}],
}


def _task(following: str, **fields: Any) -> dict[str, Any]:
    return {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke",
        "TimeoutSeconds": 60,
        "Retry": [{"ErrorEquals": ["Lambda.ServiceException"]}],
        "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Failed"}],
        "Next": following,
        **fields,
    }


SOUND: dict[str, Any] = {
    "StartAt": "Plan",
    "States": {
        "Plan": _task("Chosen"),
        "Chosen": {
            "Type": "Choice",
            "Choices": [{"Variable": "$.wanted", "BooleanEquals": True, "Next": "Job"}],
            "Default": "Done",
        },
        "Job": _task("Both", Resource=JOB, Parameters=PAYLOAD),
        "Both": {
            "Type": "Parallel",
            "Branches": [
                {
                    "StartAt": "Inner",
                    "States": {
                        "Inner": _task(
                            "InnerDone", Catch=[{"ErrorEquals": ["States.ALL"], "Next": "InnerFailed"}]
                        ),
                        "InnerDone": {"Type": "Succeed"},
                        "InnerFailed": {"Type": "Fail", "ErrorPath": "$.Error", "CausePath": "$.Cause"},
                    },
                }
            ],
            "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Failed"}],
            "Next": "Done",
        },
        "Done": {"Type": "Succeed"},
        "Failed": {"Type": "Fail", "ErrorPath": "$.Error", "CausePath": "$.Cause"},
    },
}  # fmt: skip


def _without(state: str, *fields: str) -> Callable[[dict[str, Any]], None]:
    def plant(states: dict[str, Any]) -> None:
        for field in fields:
            del states[state][field]

    return plant


def _with(state: str, **fields: Any) -> Callable[[dict[str, Any]], None]:
    return lambda states: states[state].update(fields)


def _payload(**fields: Any) -> Callable[[dict[str, Any]], None]:
    return lambda states: states["Job"].update(Parameters={**PAYLOAD, **fields})


def _inner(**fields: Any) -> Callable[[dict[str, Any]], None]:
    return lambda states: states["Both"]["Branches"][0]["States"]["Inner"].update(fields)


def _choice(rule: Mapping[str, Any]) -> Callable[[dict[str, Any]], None]:
    """Plant a Choice that looks at the execution's input, which anybody may have written."""

    def plant(states: dict[str, Any]) -> None:
        states["Plan"]["Parameters"] = {}
        states["Plan"]["ResultPath"] = None
        states["Chosen"]["Choices"] = [{**rule, "Next": "Job"}]

    return plant


ALL = ["States.ALL"]
WANTED = {"Variable": "$.wanted", "BooleanEquals": True}
PRESENT = {"Variable": "$.wanted", "IsPresent": True}
PLANTED: list[tuple[Callable[[dict[str, Any]], None], str, str]] = [
    (_without("Plan", "TimeoutSeconds"), "timeout", "a Task that may wait for ever"),
    (_without("Job", "TimeoutSeconds"), "timeout", "a job as well"),
    (_without("Plan", "Retry"), "retry", "no Retry"),
    (_with("Plan", Retry=[]), "retry", "an empty Retry"),
    (_with("Plan", Retry=[{"ErrorEquals": ALL}]), "retry-names", "retries everything"),
    (_with("Job", Retry=[{"ErrorEquals": ["States.TaskFailed"]}]), "retry-names", "nearly everything"),
    (_without("Plan", "Catch"), "catch", "no Catch on a Task"),
    (_without("Both", "Catch"), "catch", "no Catch on a Parallel"),
    (_with("Plan", Catch=[{"ErrorEquals": ["A"], "Next": "Failed"}]), "catch", "a Catch for one error alone"),
    (_with("Plan", Catch=[{"ErrorEquals": ALL, "Next": "Done"}]), "failure-ends-well", "a failure succeeds"),
    (_with("Plan", Catch=[{"ErrorEquals": ALL, "Next": "Both"}]), "failure-ends-well", "goes on"),
    (_inner(Catch=[{"ErrorEquals": ALL, "Next": "InnerDone"}]), "failure-ends-well", "in a branch"),
    (_with("Plan", Next="Nowhere"), "dangling-next", "moto runs it until there"),
    (_with("Chosen", Default="Nowhere"), "dangling-next", "a Default as well"),
    (_inner(Next="Done"), "dangling-next", "a branch cannot leave its scope"),
    (_with("Both", Branches=[{"States": {}}]), "start-at", "a scope without a start"),
    (lambda s: s.update(Lost={"Type": "Succeed"}), "unreachable", "no way leads there"),
    (lambda s: s["Both"]["Branches"][0]["States"].update(Plan={"Type": "Succeed"}),
     "unique-name", "one name twice"),
    (_without("Chosen", "Default"), "choice-default", "States.NoChoiceMatched"),
    (_choice(WANTED), "choice-path", "the input may lack the path"),
    (_choice({"And": [WANTED, PRESENT]}), "choice-path", "guarded too late"),
    (_choice({"Or": [PRESENT, WANTED]}), "choice-path", "guarded on one side alone"),
    (_choice({"Not": WANTED}), "choice-path", "inside a Not"),
    (_without("Failed", "CausePath"), "fail-says-why", "an error without a cause"),
    (_with("Plan", Catch=[{"ErrorEquals": ALL, "ResultPath": "$.e", "Next": "Failed"}]),
     "path", "the cause lies elsewhere"),
    (_with("Job", Parameters={}), "payload", "nothing required is there"),
    (_payload(TrainingJobNam="x"), "payload", "no such member"),
    (_payload(**{"TrainingJobName.$": "$.n", "RoleArn": "jobs"}), "payload", "a pattern"),
    (_payload(StoppingCondition={"MaxRuntimeInSeconds": 0}), "payload", "a minimum"),
    (_payload(StoppingCondition={"MaxPendingTimeInSeconds": 10}), "payload", "a higher minimum"),
    (_payload(RetryStrategy={"MaximumRetryAttempts": 31}), "payload", "a maximum, which botocore lets pass"),
    (_payload(ResourceConfig={"InstanceType": "ml.m5.lrage", "InstanceCount": 1}), "payload", "an enum"),
    (_payload(Tags=[{"Key": "a", "Value": "b!"}]), "payload", "a pattern of Java's character classes"),
    (_payload(AlgorithmSpecification={"TrainingInputMode": "File", "ContainerEntrypoint": ["x" * 257]}),
     "payload", "an entry that is too long"),
    (_payload(AlgorithmSpecification={"TrainingInputMode": "File", "ContainerEntrypoint": ["a\nb"]}),
     "payload", "a line break"),
    (_payload(EnableNetworkIsolation="false"), "payload", "a type"),
    (_payload(StoppingCondition={"MaxRuntimeInSeconds": True}), "payload", "true is no number"),
]  # fmt: skip


def test_the_sound_machine_breaks_no_rule() -> None:
    assert check_definition("Sound", SOUND) == []


@pytest.mark.parametrize(
    ("plant", "rule", "reason"), PLANTED, ids=lambda value: value[:40] if isinstance(value, str) else "plant"
)
def test_a_planted_fault_is_found(plant: Callable[[dict[str, Any]], None], rule: str, reason: str) -> None:
    definition = copy.deepcopy(SOUND)
    plant(definition["States"])
    assert rule in {finding.rule for finding in check_definition("Planted", definition)}, reason


GUARDED = [
    (_choice({"And": [PRESENT, WANTED]}), "guarded first"),
    (_choice({"Not": PRESENT}), "asking for presence needs no guard"),
    (_with("Plan", ResultSelector={"wanted.$": "$.x"}), "a selector wrote it"),
    (_with("Plan", ResultSelector={"x.$": "$.x"}, ResultPath="$.wanted"), "a result path wrote it"),
]


@pytest.mark.parametrize(("plant", "reason"), GUARDED)
def test_a_guarded_or_written_path_is_fine(plant: Callable[[dict[str, Any]], None], reason: str) -> None:
    definition = copy.deepcopy(SOUND)
    plant(definition["States"])
    assert [f for f in check_definition("Fine", definition) if f.rule == "choice-path"] == [], reason


def test_a_selector_that_leaves_the_path_out_is_found() -> None:
    definition = copy.deepcopy(SOUND)
    definition["States"]["Plan"]["ResultSelector"] = {"other.$": "$.x"}
    assert "choice-path" in {f.rule for f in check_definition("Planted", definition)}


def _run_door(assembly: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "infra.rules", str(assembly), "--json"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_the_door_prints_findings_as_json_and_exits_1(tmp_path: Path) -> None:
    definition = copy.deepcopy(SOUND)
    del definition["States"]["Plan"]["TimeoutSeconds"]
    before, after = json.dumps(definition).split("123456789012")
    text = {"Fn::Join": ["", [before, {"Ref": "AWS::AccountId"}, after]]}
    machine = {"Type": "AWS::StepFunctions::StateMachine", "Properties": {"DefinitionString": text}}
    (tmp_path / "A.template.json").write_text(json.dumps({"Resources": {"Machine": machine}}))
    done = _run_door(tmp_path)
    assert done.returncode == 1, done.stderr
    (finding,) = json.loads(done.stdout)
    assert finding == {
        "rule": "timeout",
        "state_machine": "Machine",
        "state": "Plan",
        "path": "$.States.Plan",
        "message": finding["message"],
    }


def test_the_door_prints_an_empty_list_and_exits_0(tmp_path: Path) -> None:
    machine = {
        "Type": "AWS::StepFunctions::StateMachine",
        "Properties": {"DefinitionString": json.dumps(SOUND)},
    }
    (tmp_path / "A.template.json").write_text(json.dumps({"Resources": {"Machine": machine}}))
    done = _run_door(tmp_path)
    assert (done.returncode, json.loads(done.stdout)) == (0, [])


def test_the_door_says_where_nothing_was_synthesized(tmp_path: Path) -> None:
    done = _run_door(tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("ERROR BadInput:")
