"""The model that judges free answers: what the job that compares is told of it, and what its role may do."""

from __future__ import annotations

from collections.abc import Mapping

from aws_cdk import Stack
from aws_cdk import aws_iam as iam
from constructs import Construct

from infra.acknowledgements import acknowledge_resource
from infra.settings import Judge

# https://docs.aws.amazon.com/bedrock/latest/userguide/inference-profiles-support.html
_GEOGRAPHIES = ("apac", "au", "ca", "eu", "global", "jp", "us", "us-gov")


def judge_environment(judge: Judge | None) -> Mapping[str, str]:
    """Return the variables by which the job finds its judge; none without one."""
    if judge is None:
        return {}
    variables = {
        "JUDGE_BEDROCK_MODEL_ID": judge.bedrock_model_id,
        "JUDGE_ENDPOINT": judge.endpoint,
        "JUDGE_MODEL": judge.model,
        "JUDGE_SECRET_ARN": judge.secret_arn,
    }
    return {name: value for name, value in variables.items() if value is not None}


def judge_statements(scope: Construct, judge: Judge | None) -> list[iam.PolicyStatement]:
    """Allow to ask this very judge, and to read the one secret that its endpoint asks for."""
    if judge is None:
        return []
    if judge.bedrock_model_id:
        return _invoke(scope, judge.bedrock_model_id)
    if judge.secret_arn:
        return [iam.PolicyStatement(actions=["secretsmanager:GetSecretValue"], resources=[judge.secret_arn])]
    return []


def acknowledge_judge(role: iam.Role, judge: Judge | None) -> None:
    """Acknowledge the regions that an inference profile leaves open."""
    model_id = judge.bedrock_model_id if judge else None
    if model_id and (model := _behind_profile(model_id)):
        reason = "The inference profile chooses the region; the model is named, and reached through it alone."
        acknowledge_resource(role, _model_arn(role, model, "*"), reason)


def _invoke(scope: Construct, model_id: str) -> list[iam.PolicyStatement]:
    """Converse needs no more than InvokeModel. A profile also needs its model wherever it may be sent.

    https://docs.aws.amazon.com/bedrock/latest/userguide/inference-profiles-prereq.html
    """
    stack = Stack.of(scope)
    model = _behind_profile(model_id)
    if model is None:
        return [_invoke_one(_model_arn(scope, model_id, stack.region))]
    profile = f"arn:{stack.partition}:bedrock:{stack.region}:{stack.account}:inference-profile/{model_id}"
    through_it = {"StringEquals": {"bedrock:InferenceProfileArn": profile}}
    return [_invoke_one(profile), _invoke_one(_model_arn(scope, model, "*"), through_it)]


def _invoke_one(arn: str, conditions: Mapping[str, object] | None = None) -> iam.PolicyStatement:
    return iam.PolicyStatement(actions=["bedrock:InvokeModel"], resources=[arn], conditions=conditions)


def _behind_profile(model_id: str) -> str | None:
    """Return the model of a system-defined inference profile, or None where the id is a model's own.

    >>> _behind_profile("us.amazon.nova-pro-v1:0"), _behind_profile("amazon.nova-pro-v1:0")
    ('amazon.nova-pro-v1:0', None)
    """
    geography, _, model = model_id.partition(".")
    return model if geography in _GEOGRAPHIES else None


def _model_arn(scope: Construct, model: str, region: str) -> str:
    return f"arn:{Stack.of(scope).partition}:bedrock:{region}::foundation-model/{model}"
