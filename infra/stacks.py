"""The two stacks, wired: what lasts (Foundation) and what can be made again (Pipelines)."""

from __future__ import annotations

import json
from pathlib import Path

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from cdk_nag import AwsSolutionsChecks
from constructs import Construct

from infra.access import JobRoles
from infra.jobs import JobCode, JobPlatform
from infra.pipeline_functions import PipelineFunctions
from infra.settings import Settings, read_settings
from infra.storage import Storage
from infra.tracking import Tracking
from infra.workflows import TuneWorkflow


class Foundation(cdk.Stack):
    """What outlives a deployment: bucket, key, MLflow and the roles of jobs."""

    def __init__(
        self, scope: Construct, construct_id: str, *, settings: Settings, env: cdk.Environment
    ) -> None:
        super().__init__(scope, construct_id, env=env, description="Toolwright: storage, tracking, access")
        self.storage = Storage(self, "Storage")
        self.tracking = Tracking(self, "Tracking", settings=settings, storage=self.storage)
        self.job_roles = JobRoles(
            self,
            "JobRoles",
            settings=settings,
            storage=self.storage,
            server_arn=self.tracking.server_arn,
        )
        cdk.CfnOutput(self, "BucketName", value=self.storage.bucket.bucket_name)
        cdk.CfnOutput(self, "MlflowTrackingServerArn", value=self.tracking.server_arn)


class Pipelines(cdk.Stack):
    """What can be deleted and deployed again without loss: functions and state machines."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: Settings,
        foundation: Foundation,
        root: Path,
        env: cdk.Environment,
    ) -> None:
        super().__init__(scope, construct_id, env=env, description="Toolwright: functions, state machines")
        code = JobCode(self, "JobCode", root=root)
        iam.Policy(
            self,
            "ReadJobCode",
            statements=[code.read_statement(), code.list_statement()],
            roles=list(foundation.job_roles.by_kind.values()),
        )
        functions = PipelineFunctions(
            self, "Functions", settings=settings, storage=foundation.storage, root=root
        )
        platform = JobPlatform(
            settings=settings,
            code=code.asset,
            bucket_name=foundation.storage.bucket.bucket_name,
            key_arn=foundation.storage.key.key_arn,
            role_arns={kind: role.role_arn for kind, role in foundation.job_roles.by_kind.items()},
            tracking_uri=foundation.tracking.tracking_uri,
        )
        tune = TuneWorkflow(self, "Tune", settings=settings, functions=functions, platform=platform)
        cdk.CfnOutput(self, "TuneStateMachineArn", value=tune.state_machine.state_machine_arn)


def build_app(root: Path) -> cdk.App:
    """Return the app of the stage that the context chooses; nothing is asked of AWS.

    The context is that of `root`/cdk.json, overlaid by what the CDK CLI or CDK_CONTEXT_JSON gives.
    Raises SettingsError where a setting is unknown or has no legal value.
    """
    context = json.loads((root / "cdk.json").read_text(encoding="utf-8"))["context"]
    app = cdk.App(context=context, analytics_reporting=False)
    settings = read_settings(app.node.get_all_context())
    env = cdk.Environment(account=settings.account, region=settings.region)
    foundation = Foundation(app, f"Toolwright-{settings.stage}-Foundation", settings=settings, env=env)
    Pipelines(
        app,
        f"Toolwright-{settings.stage}-Pipelines",
        settings=settings,
        foundation=foundation,
        root=root,
        env=env,
    )
    cdk.Tags.of(app).add("project", "toolwright")
    cdk.Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    return app
