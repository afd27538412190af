"""The setting `judge`: the job that compares is told of it and may ask it, and nothing else changes."""

from __future__ import annotations

import doctest
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra import judge as module
from infra.assembly import read_state_machines
from infra.rules import check_assembly
from tests.synth.conftest import Synthesis, Synthesize
from tests.synth.runs import Execution
from tests.synth.test_access import Grant, read_grants

MODEL = "anthropic.claude-sonnet-4-20250514-v1:0"
PROFILE = f"arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.{MODEL}"
SECRET = "arn:aws:secretsmanager:us-east-1:123456789012:secret:judge/key-a1B2c3"
ENDPOINT = {"endpoint": "https://judge.example/v1", "model": "judge-large"}
TOLD = {"JUDGE_ENDPOINT": "https://judge.example/v1", "JUDGE_MODEL": "judge-large"}
JUDGES = {
    "model": ({"bedrock_model_id": MODEL}, {"JUDGE_BEDROCK_MODEL_ID": MODEL}),
    "profile": ({"bedrock_model_id": f"us.{MODEL}"}, {"JUDGE_BEDROCK_MODEL_ID": f"us.{MODEL}"}),
    "endpoint": (ENDPOINT, TOLD),
    "secret": ({**ENDPOINT, "secret_arn": SECRET}, {**TOLD, "JUDGE_SECRET_ARN": SECRET}),
}
THROUGH_PROFILE = json.dumps({"StringEquals": {"bedrock:InferenceProfileArn": PROFILE}})
# What the role of the comparing job gains: action, resource, condition.
GAINS = {
    "model": {("bedrock:InvokeModel", f"arn:aws:bedrock:us-east-1::foundation-model/{MODEL}", "{}")},
    "profile": {
        ("bedrock:InvokeModel", PROFILE, "{}"),
        ("bedrock:InvokeModel", f"arn:aws:bedrock:*::foundation-model/{MODEL}", THROUGH_PROFILE),
    },
    "endpoint": set(),
    "secret": {("secretsmanager:GetSecretValue", SECRET, "{}")},
}


@pytest.fixture(scope="module", params=list(JUDGES))
def judged(request: pytest.FixtureRequest, synthesize: Synthesize) -> tuple[str, Synthesis]:
    judge, _ = JUDGES[request.param]
    # An account, so that ARNs can be held against texts.
    synthesis = synthesize(json.dumps({"judge": judge, "account": "123456789012"}))
    assert synthesis.returncode == 0, synthesis.output
    return request.param, synthesis


def _comparable(grants: Iterator[Grant]) -> set[tuple[str, str, str, str]]:
    return {(g.role, g.action, g.resource.replace("${AWS::Partition}", "aws"), g.conditions) for g in grants}


def test_only_the_comparing_role_gains_what_this_judge_needs(
    judged: tuple[str, Synthesis], synthesize: Synthesize
) -> None:
    name, synthesis = judged
    plain = synthesize('{"account": "123456789012"}')
    gained = _comparable(read_grants(synthesis)) - _comparable(read_grants(plain))
    assert {role.startswith("JobRolesCompare") for role, *_ in gained} <= {True}
    assert {rest for _, *fields in gained for rest in [tuple(fields)]} == GAINS[name]


def test_only_the_comparing_job_is_told_of_it(judged: tuple[str, Synthesis]) -> None:
    name, synthesis = judged
    (machine,) = read_state_machines(synthesis.assembly)
    execution = Execution(machine.definition, {"dataset": "a/b"})
    execution.run()
    told = {
        state: {key: value for key, value in payload["Environment"].items() if key.startswith("JUDGE")}
        for state, payload in execution.payloads.items()
    }
    assert told.pop("CompareVariants") == JUDGES[name][1]
    assert set(map(len, told.values())) == {0}
    assert check_assembly(synthesis.assembly) == []


def test_the_security_checks_have_nothing_to_say(judged: tuple[str, Synthesis]) -> None:
    _, synthesis = judged
    report = json.loads((synthesis.assembly / "validation-report.json").read_text())
    (checks,) = [one for one in report["pluginReports"] if one["pluginName"] == "AwsSolutions"]
    assert checks["violations"] == []


def test_without_the_setting_nobody_may_ask_a_model_or_read_a_secret(dev: Synthesis) -> None:
    texts = [path.read_text() for path in Path(dev.assembly).glob("*.template.json")]
    assert texts
    for word in ("bedrock:", "secretsmanager:", "JUDGE_"):
        assert not [text for text in texts if word in text]


def test_the_example_in_the_docstring_holds() -> None:
    assert doctest.testmod(module) == (0, 1)
