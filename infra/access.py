"""Who may do what: the statements that roles are made of, and one role a kind of job."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from aws_cdk import Stack
from aws_cdk import aws_iam as iam
from constructs import Construct

from infra.acknowledgements import acknowledge_prefixes, acknowledge_resource
from infra.images import IMAGE_REPOSITORY, image_account
from infra.judge import acknowledge_judge, judge_statements
from infra.settings import Settings
from infra.storage import Storage

JOB_NAME_PREFIX = "toolwright-"
"""Every job name starts so; the policies that allow to create, describe and stop jobs rest on it."""

MLFLOW_ARTIFACTS = "mlflow/"


@dataclass(frozen=True)
class JobAccess:
    """The prefixes of the bucket that a kind of job reads and writes."""

    reads: tuple[str, ...]
    writes: tuple[str, ...]

    @property
    def writable(self) -> tuple[str, ...]:
        """What the kind writes, MLflow's artifacts included: its clients move them themselves."""
        return (*self.writes, MLFLOW_ARTIFACTS)

    @property
    def readable(self) -> tuple[str, ...]:
        """What the kind reads, and what it writes: a resumed job reads that back."""
        return (*self.reads, *self.writable)


JOB_ACCESS = {
    "prepare": JobAccess(reads=("datasets/", "models/", "wheels/"), writes=("runs/*/prepare/",)),
    "train": JobAccess(
        reads=("models/", "wheels/", "runs/*/prepare/"),
        writes=("runs/*/train/", "checkpoints/"),
    ),
    "predict": JobAccess(
        reads=("models/", "wheels/", "runs/*/prepare/", "runs/*/train/"),
        writes=("runs/*/predict/", "checkpoints/*/predict/"),
    ),
    "compare": JobAccess(
        reads=("wheels/", "runs/*/prepare/", "runs/*/predict/", "runs/*/scores/"),
        writes=("runs/*/compare/",),
    ),
    "report": JobAccess(
        reads=(
            "wheels/",
            "runs/*/prepare/",
            "runs/*/predict/",
            "runs/*/scores/",
            "runs/*/compare/",
            "runs/*/plan/",
        ),
        writes=("runs/*/report/",),
    ),
}
"""What each job role reads and writes; `report` is that of the job which reports and registers the winner."""

# https://docs.aws.amazon.com/service-authorization/latest/reference/list_sagemaker-mlflow.html
_MLFLOW_ACTIONS = (
    "CreateExperiment",
    "GetExperiment",
    "GetExperimentByName",
    "SearchExperiments",
    "SetExperimentTag",
    "CreateRun",
    "GetRun",
    "SearchRuns",
    "UpdateRun",
    "LogBatch",
    "LogInputs",
    "LogMetric",
    "LogModel",
    "LogParam",
    "SetTag",
    "GetMetricHistory",
    "ListArtifacts",
)
# Only the job that reports moves the alias of the promoted model, and leaves traces of generated calls.
# MLflow's client asks for a version that is not ready, and ends traces on servers without their third API.
_REPORT_MLFLOW_ACTIONS = (
    "CreateRegisteredModel",
    "GetRegisteredModel",
    "SetRegisteredModelAlias",
    "CreateModelVersion",
    "GetModelVersion",
    "GetModelVersionByAlias",
    "SearchModelVersions",
    "SetModelVersionTag",
    "UpdateModelVersion",
    "StartTrace",
    "EndTrace",
    "SearchTraces",
)


def assume_from_sagemaker(scope: Construct) -> iam.IPrincipal:
    """Return SageMaker as a principal that acts for this account alone (no confused deputy)."""
    return iam.ServicePrincipal(
        "sagemaker.amazonaws.com",
        conditions={"StringEquals": {"aws:SourceAccount": Stack.of(scope).account}},
    )


def list_prefixes(storage: Storage, prefixes: Sequence[str]) -> iam.PolicyStatement:
    """Allow to list the bucket below `prefixes` (which may hold `*`)."""
    return iam.PolicyStatement(
        actions=["s3:ListBucket"],
        resources=[storage.bucket.bucket_arn],
        conditions={"StringLike": {"s3:prefix": [f"{prefix}*" for prefix in prefixes]}},
    )


def read_objects(storage: Storage, prefixes: Sequence[str]) -> iam.PolicyStatement:
    """Allow to read the bucket's objects below `prefixes`."""
    return iam.PolicyStatement(
        actions=["s3:GetObject"], resources=[storage.bucket.arn_for_objects(f"{p}*") for p in prefixes]
    )


def write_objects(storage: Storage, prefixes: Sequence[str]) -> iam.PolicyStatement:
    """Allow to write the bucket's objects below `prefixes`, in parts too."""
    return iam.PolicyStatement(
        actions=["s3:PutObject", "s3:AbortMultipartUpload"],
        resources=[storage.bucket.arn_for_objects(f"{p}*") for p in prefixes],
    )


def use_key(storage: Storage) -> iam.PolicyStatement:
    """Allow to encrypt and decrypt what lies in the bucket."""
    return iam.PolicyStatement(
        actions=["kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey"], resources=[storage.key.key_arn]
    )


def decrypt(storage: Storage) -> iam.PolicyStatement:
    """Allow to decrypt what lies in the bucket, and to write nothing."""
    return iam.PolicyStatement(actions=["kms:Decrypt"], resources=[storage.key.key_arn])


class JobRoles(Construct):
    """One role a kind of job: its own prefixes, its image, its log and MLflow, nothing more."""

    def __init__(
        self, scope: Construct, construct_id: str, *, settings: Settings, storage: Storage, server_arn: str
    ) -> None:
        super().__init__(scope, construct_id)
        self.by_kind = {kind: self._role(kind, settings, storage, server_arn) for kind in JOB_ACCESS}

    def _role(self, kind: str, settings: Settings, storage: Storage, server_arn: str) -> iam.Role:
        actions = (*_MLFLOW_ACTIONS, *(_REPORT_MLFLOW_ACTIONS if kind == "report" else ()))
        platform = _platform_statements(self, settings, storage, server_arn, actions)
        judge = settings.judge if kind == "compare" else None
        judging = judge_statements(self, judge)
        role = iam.Role(
            self,
            kind.capitalize(),
            assumed_by=assume_from_sagemaker(self),
            description=f"What a {kind} job may touch",
            inline_policies={
                "Data": iam.PolicyDocument(statements=_data_statements(kind, settings, storage)),
                "Platform": iam.PolicyDocument(statements=platform),
                **({"Judge": iam.PolicyDocument(statements=judging)} if judging else {}),
            },
        )
        acknowledge_prefixes(role, storage, JOB_ACCESS[kind].readable)
        acknowledge_resource(
            role, f"{_log_group(self)}:*", "SageMaker names the log streams itself, after job and host."
        )
        acknowledge_resource(
            role, "*", "ecr:GetAuthorizationToken and cloudwatch:PutMetricData know no resources."
        )
        acknowledge_judge(role, judge)
        for arn in settings.data_source_arns if kind == "prepare" else ():
            if "*" in arn:
                acknowledge_resource(role, arn, "The settings name this data source with a wildcard.")
        return role


def _data_statements(kind: str, settings: Settings, storage: Storage) -> list[iam.PolicyStatement]:
    access = JOB_ACCESS[kind]
    statements = [
        list_prefixes(storage, access.readable),
        read_objects(storage, access.readable),
        write_objects(storage, access.writable),
        use_key(storage),
    ]
    if settings.data_source_arns and kind == "prepare":
        statements.append(_read_data_sources(settings.data_source_arns))
    return statements


def _read_data_sources(arns: Sequence[str]) -> iam.PolicyStatement:
    buckets = sorted({arn.split("/")[0] for arn in arns})
    return iam.PolicyStatement(actions=["s3:GetObject", "s3:ListBucket"], resources=[*arns, *buckets])


def _platform_statements(
    scope: Construct,
    settings: Settings,
    storage: Storage,
    server_arn: str,
    mlflow_actions: Sequence[str],
) -> list[iam.PolicyStatement]:
    stack = Stack.of(scope)
    log_group = _log_group(scope)
    owner = image_account(settings.region)
    image = f"arn:{stack.partition}:ecr:{stack.region}:{owner}:repository/{IMAGE_REPOSITORY}"
    return [
        iam.PolicyStatement(
            actions=[
                "logs:CreateLogGroup",
                "logs:CreateLogStream",
                "logs:DescribeLogStreams",
                "logs:PutLogEvents",
            ],
            resources=[log_group, f"{log_group}:*"],
        ),
        iam.PolicyStatement(
            actions=["ecr:BatchCheckLayerAvailability", "ecr:GetDownloadUrlForLayer", "ecr:BatchGetImage"],
            resources=[image],
        ),
        iam.PolicyStatement(actions=["ecr:GetAuthorizationToken"], resources=["*"]),
        iam.PolicyStatement(
            actions=["cloudwatch:PutMetricData"],
            resources=["*"],
            conditions={"StringEquals": {"cloudwatch:namespace": "/aws/sagemaker/TrainingJobs"}},
        ),
        iam.PolicyStatement(
            actions=["kms:CreateGrant"],
            resources=[storage.key.key_arn],
            conditions={"Bool": {"kms:GrantIsForAWSResource": "true"}},
        ),
        iam.PolicyStatement(
            actions=[f"sagemaker-mlflow:{action}" for action in mlflow_actions], resources=[server_arn]
        ),
    ]


def _log_group(scope: Construct) -> str:
    stack = Stack.of(scope)
    return f"arn:{stack.partition}:logs:{stack.region}:{stack.account}:log-group:/aws/sagemaker/TrainingJobs"


def training_jobs(scope: Construct) -> str:
    """Return the ARN of the account's training jobs, without a slash and a name."""
    stack = Stack.of(scope)
    return f"arn:{stack.partition}:sagemaker:{stack.region}:{stack.account}:training-job"
