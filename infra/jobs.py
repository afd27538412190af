"""The training jobs as Step Functions renders them: one payload a step, one shape for all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3_assets as s3_assets
from constructs import Construct

from infra.functions import allow_list
from infra.images import training_image
from infra.judge import judge_environment
from infra.settings import Settings

EXPERIMENT_NAME = "toolwright"
CODE_FOLDERS = ("data", "training", "evaluation", "jobs")
CODE_FILES = (
    *(f"{folder}/**/*.{ending}" for folder in CODE_FOLDERS for ending in ("py", "yaml", "jinja")),
    # The report's page brings its style and its script along.
    "evaluation/**/*.css",
    "evaluation/**/*.js",
    "training/requirements.txt",
)

# One entry may have 256 characters and no line break. Everything is found by environment variable first, so
# that the same line runs where /opt/ml cannot be made. A wheels channel spares the internet.
_SETUP = (
    "i=/opt/ml/input/data;c=${SM_CODE_DIR:-/opt/ml/code};w=${SM_CHANNEL_WHEELS:-$i/wheels};"
    'python -m zipfile -e "${SM_CHANNEL_CODE:-$i/code}"/*.zip "$c";cd "$c";'
    '[ -d "$w" ]&&o="--no-index -f $w";pip install -qr training/requirements.txt $o;'
    'exec python -m "$@"'
)
ENTRYPOINT = ("bash", "-ec", _SETUP, "job")

# A job says how far it is in lines like `progress step=12 total=90 seconds_left=83 loss=1.2345`; one that
# predicts ends them in `rows_per_second=3.21`.
_METRICS = {
    "step": r"progress step=([0-9]+)",
    "total": r"progress step=[0-9]+ total=([0-9]+)",
    "seconds_left": r"progress .*seconds_left=([0-9.]+)",
    "loss": r"progress .*loss=([-+.0-9a-zA-Z]+)",
    "rows_per_second": r"progress .*rows_per_second=([0-9.]+)",
}


@dataclass(frozen=True)
class JobStep:
    """One job of the pipeline.

    `state` names the state, `plan` the job's entry in the run's plan (`$.jobs.<plan>`), `kind` its instances,
    and its role where `role` names no other. `arguments` is a list, or a path or intrinsic that yields one.
    `channels` maps a channel to the path of its S3 prefix in the plan. `checkpoints`: whether what it has
    done is kept for a job that replaces it, as SageMaker does after a spot interruption.
    """

    state: str
    plan: str
    kind: str
    arguments: tuple[str, ...] | str
    channels: Mapping[str, str] = field(default_factory=dict)
    variant: str | None = None
    checkpoints: bool = False
    role: str | None = None

    @property
    def role_name(self) -> str:
        """What of JOB_ACCESS the job may do."""
        return self.role or self.kind


def _train(state: str, plan: str, variant: str, module: str, recipe: str, model: str) -> JobStep:
    return JobStep(
        state=state,
        plan=plan,
        kind="train",
        arguments=f"States.Array('{module}', {recipe}, '--seed', $.seed)",
        channels={"model": model, "data": "$.data_uri"},
        variant=variant,
        checkpoints=True,
    )


def _predict(state: str, variant: str, model: str, *flags: str) -> JobStep:
    arguments = ("'evaluation.predict'", "'--recipe'", "$.recipes.sft", *(f"'{flag}'" for flag in flags))
    return JobStep(
        state=state,
        plan=f"predict_{variant.replace('-', '_')}",
        kind="predict",
        arguments=f"States.Array({', '.join(arguments)})",
        channels={"model": model, "data": "$.data_uri"},
        variant=variant,
        checkpoints=True,
    )


PREPARE = JobStep("PrepareData", "prepare", "prepare", "$.jobs.prepare.arguments")
TRAIN_SFT = _train("TrainSft", "sft", "sft", "training.sft", "$.recipes.sft", "$.model_uri")
TRAIN_DPO = _train("TrainDpo", "dpo", "dpo", "training.dpo", "$.recipes.dpo", "$.model_uri")
TRAIN_SFT_DPO = _train(
    "TrainSftDpo", "sft_dpo", "sft-dpo", "training.dpo", "$.recipes.dpo", "$.jobs.sft.model_uri"
)
PREDICT_BASE = _predict("PredictBase", "base", "$.model_uri")
PREDICT_PROMPT = _predict("PredictPrompt", "prompt", "$.model_uri", "--few-shot")
PREDICT_SFT = _predict("PredictSft", "sft", "$.jobs.sft.model_uri")
PREDICT_DPO = _predict("PredictDpo", "dpo", "$.jobs.dpo.model_uri")
PREDICT_SFT_DPO = _predict("PredictSftDpo", "sft-dpo", "$.jobs.sft_dpo.model_uri")
COMPARE = JobStep(
    "CompareVariants",
    "compare",
    "compare",
    ("evaluation.compare",),
    {"data": "$.data_uri", "predictions": "$.predictions_uri", "scores": "$.scores_uri"},
)
REPORT = JobStep(
    "ReportResults",
    "report",
    "compare",
    ("evaluation.report_results",),
    {
        **COMPARE.channels,
        "comparison": f"$.jobs.{COMPARE.plan}.model_uri",
        "plan": "$.plan_uri",
    },
    role="report",
)


class JobCode(Construct):
    """The code that jobs run, as one zip of exactly the folders they need."""

    def __init__(self, scope: Construct, construct_id: str, *, root: Path) -> None:
        super().__init__(scope, construct_id)
        self.asset = s3_assets.Asset(
            self,
            "Asset",
            path=str(root),
            exclude=allow_list(*CODE_FILES),
            ignore_mode=cdk.IgnoreMode.GIT,
        )

    def read_statement(self) -> iam.PolicyStatement:
        """Allow to read this very archive."""
        return iam.PolicyStatement(
            actions=["s3:GetObject"],
            resources=[self.asset.bucket.arn_for_objects(self.asset.s3_object_key)],
        )

    def list_statement(self) -> iam.PolicyStatement:
        """Allow to find this very archive, which SageMaker does before it reads."""
        return iam.PolicyStatement(
            actions=["s3:ListBucket"],
            resources=[self.asset.bucket.bucket_arn],
            conditions={"StringLike": {"s3:prefix": [f"{self.asset.s3_object_key}*"]}},
        )


@dataclass(frozen=True)
class JobPlatform:
    """What all jobs share: code, roles, key, tracking."""

    settings: Settings
    code: s3_assets.Asset
    bucket_name: str
    key_arn: str
    role_arns: Mapping[str, str]
    tracking_uri: str

    def payload(self, step: JobStep) -> dict[str, object]:
        """Return the parameters of `step`'s CreateTrainingJob, with the plan's paths in them."""
        plan = f"$.jobs.{step.plan}"
        payload: dict[str, object] = {
            "TrainingJobName.$": f"{plan}.name",
            "RoleArn": self.role_arns[step.role_name],
            "AlgorithmSpecification": self._algorithm(step),
            "InputDataConfig": self._channels(step),
            "OutputDataConfig": {
                "S3OutputPath.$": f"{plan}.output_uri",
                "KmsKeyId": self.key_arn,
                "CompressionType": "NONE",
            },
            "ResourceConfig.$": f"{plan}.resource_config",
            "StoppingCondition.$": f"{plan}.stopping_condition",
            "EnableManagedSpotTraining.$": f"{plan}.use_spot",
            "EnableNetworkIsolation": False,
            "Environment": self._environment(step),
            "Tags": [
                {"Key": "project", "Value": "toolwright"},
                {"Key": "run", "Value.$": "$.run_tag"},
                {"Key": "step", "Value": step.state},
            ],
        }
        if step.checkpoints:
            payload["CheckpointConfig"] = {
                "S3Uri.$": f"{plan}.checkpoint_uri",
                "LocalPath": "/opt/ml/checkpoints",
            }
        return payload

    def _algorithm(self, step: JobStep) -> dict[str, object]:
        arguments: dict[str, object] = (
            {"ContainerArguments.$": step.arguments}
            if isinstance(step.arguments, str)
            else {"ContainerArguments": list(step.arguments)}
        )
        return {
            "TrainingImage": training_image(self.settings.region, gpu=step.kind in ("train", "predict")),
            "TrainingInputMode": "File",
            "ContainerEntrypoint": list(ENTRYPOINT),
            **arguments,
            "MetricDefinitions": [{"Name": name, "Regex": regex} for name, regex in _METRICS.items()],
        }

    def _channels(self, step: JobStep) -> list[dict[str, object]]:
        channels = [_channel("code", {"S3Uri": self.code.s3_object_url})]
        if self.settings.use_wheels_channel:
            channels.append(_channel("wheels", {"S3Uri": f"s3://{self.bucket_name}/wheels/"}))
        return channels + [_channel(name, {"S3Uri.$": path}) for name, path in step.channels.items()]

    def _environment(self, step: JobStep) -> dict[str, object]:
        variant = {} if step.variant is None else {"VARIANT": step.variant}
        judge = judge_environment(self.settings.judge) if step.role_name == "compare" else {}
        return {
            "RUN_ID.$": "$.run_id",
            "BASE_MODEL.$": "$.input.base_model",
            "TRAINING_JOB_NAME.$": f"$.jobs.{step.plan}.name",
            **variant,
            **judge,
            "CODE_HASH": self.code.asset_hash,
            "MLFLOW_TRACKING_URI": self.tracking_uri,
            "MLFLOW_EXPERIMENT_NAME": EXPERIMENT_NAME,
            # The client's defaults wait four minutes for a server that does not answer.
            "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
            "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
            # Private data: nothing is sent to anyone but this account.
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PIP_ROOT_USER_ACTION": "ignore",
        }


def _channel(name: str, uri: Mapping[str, str]) -> dict[str, object]:
    channel: dict[str, object] = {
        "ChannelName": name,
        "DataSource": {
            "S3DataSource": {
                "S3DataType": "S3Prefix",
                "S3DataDistributionType": "FullyReplicated",
                **uri,
            }
        },
    }
    if name == "data":
        # Prepare's folder may hold a base model; a streamed channel moves only the files that are opened.
        channel["InputMode"] = "FastFile"
    return channel
