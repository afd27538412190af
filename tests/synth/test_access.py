"""Least privilege: who may do what, read off the synthesized templates."""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from infra.assembly import _exports, resolve
from tests.synth.conftest import Synthesis

# These know no resources: AWS evaluates them against `*` alone.
ACTIONS_WITHOUT_RESOURCES = {
    "cloudwatch:PutMetricData",
    "ecr:GetAuthorizationToken",
    "logs:CreateLogDelivery",
    "logs:DeleteLogDelivery",
    "logs:DescribeLogGroups",
    "logs:DescribeResourcePolicies",
    "logs:GetLogDelivery",
    "logs:ListLogDeliveries",
    "logs:PutResourcePolicy",
    "logs:UpdateLogDelivery",
    "sagemaker:ListTrainingJobs",
    "servicequotas:ListAWSDefaultServiceQuotas",
    "servicequotas:ListServiceQuotas",
    "xray:GetSamplingRules",
    "xray:GetSamplingTargets",
    "xray:PutTelemetryRecords",
    "xray:PutTraceSegments",
}


@dataclass(frozen=True)
class Grant:
    """One action that a role may do on one resource."""

    role: str
    action: str
    resource: str
    conditions: str


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def read_grants(synthesis: Synthesis) -> Iterator[Grant]:
    paths = sorted(synthesis.assembly.glob("*.template.json"))
    templates = {path.name: json.loads(path.read_text()) for path in paths}
    exports = _exports(templates)
    for template in templates.values():
        for name, resource in template["Resources"].items():
            yield from _grants_of(name, resource, template, exports)


def _grants_of(
    name: str, resource: Mapping[str, Any], template: Mapping[str, Any], exports: Mapping[str, str]
) -> Iterator[Grant]:
    properties = resource.get("Properties", {})
    policies = [p["PolicyDocument"] for p in properties.get("Policies", [])]
    if resource["Type"] == "AWS::IAM::Policy":
        policies = [properties["PolicyDocument"]]
    assert "ManagedPolicyArns" not in properties, f"{name} rests on a policy that is not ours"
    for statement in [s for policy in policies for s in policy["Statement"]]:
        assert statement["Effect"] == "Allow"
        for action in _listed(statement["Action"]):
            for target in _listed(statement["Resource"]):
                condition = json.dumps(statement.get("Condition", {}), sort_keys=True)
                yield Grant(name, action, resolve(target, template, exports), condition)


@pytest.fixture(scope="module")
def grants(dev: Synthesis) -> list[Grant]:
    return list(read_grants(dev))


def test_no_action_is_a_wildcard(grants: list[Grant]) -> None:
    assert [g for g in grants if "*" in g.action] == []


def test_every_resource_is_named_unless_the_action_knows_none(grants: list[Grant]) -> None:
    assert {g.action for g in grants if g.resource == "*"} == ACTIONS_WITHOUT_RESOURCES


def test_metrics_go_to_sagemakers_namespace_alone(grants: list[Grant]) -> None:
    for grant in grants:
        if grant.action == "cloudwatch:PutMetricData":
            assert "/aws/sagemaker/TrainingJobs" in grant.conditions


def test_only_the_state_machine_passes_roles_and_only_to_sagemaker(grants: list[Grant]) -> None:
    passing = [g for g in grants if g.action == "iam:PassRole"]
    assert {g.role.startswith("TuneRole") for g in passing} == {True}
    assert len(passing) == 5
    for grant in passing:
        assert "JobRoles" in grant.resource
        assert "sagemaker.amazonaws.com" in grant.conditions


def test_the_state_machine_starts_jobs_under_our_names_alone(grants: list[Grant]) -> None:
    jobs = [g for g in grants if g.action == "sagemaker:CreateTrainingJob"]
    assert [g.resource.split(":")[-1] for g in jobs] == ["training-job/toolwright-*"]


def test_only_the_job_that_reports_moves_the_champion(grants: list[Grant]) -> None:
    moving = {g.role for g in grants if g.action.endswith(("RegisteredModelAlias", "CreateModelVersion"))}
    assert [role[: len("JobRolesReport")] for role in moving] == ["JobRolesReport"]


def test_only_the_job_that_reports_touches_registry_and_traces_and_no_more_than_it_calls(
    grants: list[Grant],
) -> None:
    asked = {
        (g.role[: len("JobRolesReport")], g.action.removeprefix("sagemaker-mlflow:"))
        for g in grants
        if g.action.startswith("sagemaker-mlflow:") and ("Model" in g.action or "Trace" in g.action)
    }
    registry = {"CreateRegisteredModel", "GetRegisteredModel", "SetRegisteredModelAlias"}
    versions = {"GetModelVersion", "GetModelVersionByAlias", "SearchModelVersions"}
    changes = {"CreateModelVersion", "UpdateModelVersion", "SetModelVersionTag"}
    traces = {"StartTrace", "EndTrace", "SearchTraces"}
    own = {action for role, action in asked if role == "JobRolesReport"}
    assert own - {"LogModel"} == registry | versions | changes | traces
    assert {action for role, action in asked if role != "JobRolesReport"} <= {"LogModel"}


def test_the_gate_only_reads(grants: list[Grant]) -> None:
    own = {g.action for g in grants if g.role.startswith("FunctionsCheckGate")}
    logging = {"logs:CreateLogStream", "logs:PutLogEvents"}
    assert own - logging == {"s3:ListBucket", "s3:GetObject", "kms:Decrypt"}


def test_costs_are_asked_of_our_own_jobs_alone(grants: list[Grant]) -> None:
    asked = [g for g in grants if g.role.startswith("FunctionsCountCosts") and "sagemaker" in g.action]
    assert [(g.action, g.resource.split(":")[-1]) for g in asked] == [
        ("sagemaker:DescribeTrainingJob", "training-job/toolwright-*")
    ]


ROOTS = "run/x"
OBJECTS = [
    "datasets/a/train.jsonl",
    "models/m/model.safetensors",
    "wheels/x.whl",
    "runs/r/prepare/j/output/model/train_sft.jsonl",
    "runs/r/train/sft/j/output/model/model/model.safetensors",
    "runs/r/predict/base/j/output/model/own.jsonl",
    "runs/r/scores/base/own.jsonl",
    "runs/r/compare/j/output/model/comparison.json",
    "runs/r/plan/plan.json",
    "runs/r/report/j/output/model/report.html",
    "checkpoints/r/sft/checkpoint-1/trainer_state.json",
    "checkpoints/r/predict/base/own.jsonl",
    "mlflow/1/artifacts/x",
]
# What each may read and write, by the beginning of the key; everything else is refused.
TOUCHES = {
    "JobRolesPrepare": (
        ["datasets/", "models/", "wheels/", "runs/r/prepare/", "mlflow/"],
        ["runs/r/prepare/", "mlflow/"],
    ),
    "JobRolesTrain": (
        ["models/", "wheels/", "runs/r/prepare/", "runs/r/train/", "checkpoints/", "mlflow/"],
        ["runs/r/train/", "checkpoints/", "mlflow/"],
    ),
    "JobRolesPredict": (
        [
            *("models/", "wheels/", "runs/r/prepare/", "runs/r/train/", "runs/r/predict/"),
            *("checkpoints/r/predict/", "mlflow/"),
        ],
        ["runs/r/predict/", "checkpoints/r/predict/", "mlflow/"],
    ),
    "JobRolesCompare": (
        ["wheels/", "runs/r/prepare/", "runs/r/predict/", "runs/r/scores/", "runs/r/compare/", "mlflow/"],
        ["runs/r/compare/", "mlflow/"],
    ),
    "JobRolesReport": (
        [
            *("wheels/", "runs/r/prepare/", "runs/r/predict/", "runs/r/scores/", "runs/r/compare/"),
            *("runs/r/plan/", "runs/r/report/", "mlflow/"),
        ],
        ["runs/r/report/", "mlflow/"],
    ),
    "FunctionsCheckGate": (["runs/r/compare/"], []),
    "FunctionsCountCosts": ([], ["runs/r/plan/"]),
    "FunctionsScorePredictions": (["runs/r/prepare/", "runs/r/predict/"], ["runs/r/scores/"]),
    "FunctionsPlanRun": ([], []),
    "FunctionsCheckQuotas": ([], []),
    "TrackingRole": (["mlflow/"], ["mlflow/"]),
    "TuneRole": ([], []),
}


@pytest.mark.parametrize("role", TOUCHES)
@pytest.mark.parametrize(("action", "column"), [("s3:GetObject", 0), ("s3:PutObject", 1)])
def test_a_role_touches_its_prefixes_alone(grants: list[Grant], role: str, action: str, column: int) -> None:
    allowed = [
        g.resource.split(":::")[1].split("/", 1)[1]
        for g in grants
        if g.role.startswith(role) and g.action == action
    ]
    reached = {key for key in OBJECTS if any(fnmatch.fnmatchcase(key, pattern) for pattern in allowed)}
    assert reached == {key for key in OBJECTS if key.startswith(tuple(TOUCHES[role][column]))}


def test_every_role_is_in_the_table(grants: list[Grant]) -> None:
    roles = {g.role for g in grants if g.role != "ReadJobCodeD7CE9EE0"}
    assert {r for r in roles if not r.startswith(tuple(TOUCHES))} - {"ReadJobCode"} == set()


def test_listing_is_bound_to_prefixes(grants: list[Grant]) -> None:
    listing = [g for g in grants if g.action == "s3:ListBucket"]
    assert listing
    for grant in listing:
        assert "s3:prefix" in grant.conditions, grant


def test_sagemaker_assumes_roles_for_this_account_alone(dev: Synthesis) -> None:
    template = json.loads(next(dev.assembly.glob("*Foundation.template.json")).read_text())
    roles = [r for r in template["Resources"].values() if r["Type"] == "AWS::IAM::Role"]
    assert len(roles) == 6
    for role in roles:
        (statement,) = role["Properties"]["AssumeRolePolicyDocument"]["Statement"]
        assert statement["Principal"] == {"Service": "sagemaker.amazonaws.com"}
        assert "aws:SourceAccount" in statement["Condition"]["StringEquals"]


def test_storage_is_kept_encrypted_versioned_private_and_expires(dev: Synthesis) -> None:
    template = json.loads(next(dev.assembly.glob("*Foundation.template.json")).read_text())
    resources = template["Resources"].values()
    (key,) = [r for r in resources if r["Type"] == "AWS::KMS::Key"]
    assert key["Properties"]["EnableKeyRotation"] is True
    buckets = [r for r in resources if r["Type"] == "AWS::S3::Bucket"]
    (data,) = [b for b in buckets if "VersioningConfiguration" in b["Properties"]]
    (rule,) = data["Properties"]["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert rule["ServerSideEncryptionByDefault"]["SSEAlgorithm"] == "aws:kms"
    assert {r["Id"] for r in data["Properties"]["LifecycleConfiguration"]["Rules"]} == {
        "ExpireOldVersions",
        "ArchiveRuns",
        "ExpireCheckpoints",
    }
    for resource in [key, *buckets]:
        assert resource["DeletionPolicy"] == resource["UpdateReplacePolicy"] == "Retain"
    for bucket in buckets:
        assert set(bucket["Properties"]["PublicAccessBlockConfiguration"].values()) == {True}


def test_buckets_refuse_plain_http(dev: Synthesis) -> None:
    template = json.loads(next(dev.assembly.glob("*Foundation.template.json")).read_text())
    policies = [r for r in template["Resources"].values() if r["Type"] == "AWS::S3::BucketPolicy"]
    assert len(policies) == 2
    for policy in policies:
        denied = [s for s in policy["Properties"]["PolicyDocument"]["Statement"] if s["Effect"] == "Deny"]
        assert any(s["Condition"].get("Bool") == {"aws:SecureTransport": "false"} for s in denied)


def test_every_log_group_expires(dev: Synthesis) -> None:
    groups = []
    for path in dev.assembly.glob("*.template.json"):
        resources = json.loads(path.read_text())["Resources"].values()
        groups += [r for r in resources if r["Type"] == "AWS::Logs::LogGroup"]
    assert len(groups) == 6
    for group in groups:
        assert group["Properties"]["RetentionInDays"] == 30
