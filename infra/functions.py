"""The Lambda functions: each with its own files, role, log group and environment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import aws_cdk as cdk
from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct, IConstruct

from infra.acknowledgements import acknowledge
from infra.settings import Settings


def allow_list(*paths: str) -> list[str]:
    """Return the ignore patterns (git's syntax) that leave exactly `paths`, given as git patterns for files.

    With CDK's default GLOB syntax the same list stages nothing at all and says nothing.
    """
    folders = sorted({str(parent) for path in paths for parent in Path(path).parents} - {"."})
    return ["*", *(f"!{folder}/" for folder in folders), *(f"!{path}" for path in paths)]


class PipelineFunction(Construct):
    """A Python function that holds only the files it names and may do only what it is given.

    `files` are git patterns below `root`. `timeout` also bounds the state that calls the function.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: Settings,
        root: Path,
        module: str,
        files: Sequence[str],
        environment: Mapping[str, str],
        statements: Sequence[iam.PolicyStatement],
        timeout: Duration,
        memory_mib: int = 512,
    ) -> None:
        super().__init__(scope, construct_id)
        log_group = logs.LogGroup(
            self,
            "Log",
            retention=retention(settings.log_retention_days),
            removal_policy=RemovalPolicy.DESTROY,
        )
        self.timeout = timeout
        self.role = iam.Role(
            self,
            "Role",
            assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),
            description=f"What {construct_id} may do",
            inline_policies={"Function": iam.PolicyDocument(statements=[*statements, _write_log(log_group)])},
        )
        self.function = lambda_.Function(
            self,
            "Function",
            runtime=lambda_.Runtime.PYTHON_3_13,
            architecture=lambda_.Architecture.ARM_64,
            handler=f"lambdas.{module}.handler",
            code=lambda_.Code.from_asset(
                str(root), exclude=allow_list(*files), ignore_mode=cdk.IgnoreMode.GIT
            ),
            environment=dict(environment),
            role=self.role,
            timeout=timeout,
            memory_size=memory_mib,
            log_group=log_group,
        )
        drop_redundant_dependencies(self.function)
        acknowledge(
            self.function,
            {"AwsSolutions-L1": "Python 3.13 as in the job containers, so that both grade alike."},
        )


def drop_redundant_dependencies(construct: IConstruct) -> None:
    """Leave out `DependsOn` where a role holds all its policies itself: naming the role orders enough."""
    resource = construct.node.default_child
    if not isinstance(resource, cdk.CfnResource):
        raise TypeError(f"{construct.node.path} is no single resource")
    resource.add_deletion_override("DependsOn")


def retention(days: int) -> logs.RetentionDays:
    """Return CDK's name for a retention of `days` days."""
    return _RETENTION[days]


_RETENTION = {
    1: logs.RetentionDays.ONE_DAY,
    3: logs.RetentionDays.THREE_DAYS,
    5: logs.RetentionDays.FIVE_DAYS,
    7: logs.RetentionDays.ONE_WEEK,
    14: logs.RetentionDays.TWO_WEEKS,
    30: logs.RetentionDays.ONE_MONTH,
    60: logs.RetentionDays.TWO_MONTHS,
    90: logs.RetentionDays.THREE_MONTHS,
    180: logs.RetentionDays.SIX_MONTHS,
    365: logs.RetentionDays.ONE_YEAR,
    731: logs.RetentionDays.TWO_YEARS,
}


def _write_log(log_group: logs.LogGroup) -> iam.PolicyStatement:
    return iam.PolicyStatement(
        actions=["logs:CreateLogStream", "logs:PutLogEvents"], resources=[log_group.log_group_arn]
    )
