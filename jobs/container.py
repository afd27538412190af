"""SageMaker's container contract: where a job finds its input and leaves its output.

Every path can be moved by the environment variable that SageMaker itself uses for it, so that a job runs
where ``/opt/ml`` cannot exist.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path("/opt/ml")


def channel(name: str) -> Path:
    """The folder of a channel, there or not: ``SM_CHANNEL_<NAME>`` or ``/opt/ml/input/data/<name>``."""
    return _path(f"SM_CHANNEL_{name.upper().replace('-', '_')}", ROOT / "input" / "data" / name)


def model_dir() -> Path:
    """Where a job leaves its result; the platform uploads it: ``SM_MODEL_DIR`` or ``/opt/ml/model``."""
    return _path("SM_MODEL_DIR", ROOT / "model")


def checkpoint_dir() -> Path:
    """The folder that the platform keeps in step with S3 and fills again after a restart."""
    return _path("SM_CHECKPOINT_DIR", ROOT / "checkpoints")


def output_dir() -> Path:
    """Where the failure file lies: ``SM_OUTPUT_DIR`` or ``/opt/ml/output``."""
    return _path("SM_OUTPUT_DIR", ROOT / "output")


def failure_file() -> Path:
    """The file whose text becomes the job's ``FailureReason``."""
    return output_dir() / "failure"


@dataclass(frozen=True)
class JobEnvironment:
    """What the template tells every job about the execution it belongs to; empty outside of one."""

    run_id: str
    training_job_name: str
    variant: str
    code_hash: str
    base_model: str
    experiment_name: str
    tracking_uri: str
    rank: int

    @property
    def is_tracked(self) -> bool:
        """Whether this process reports to MLflow: there is a server, and this is rank 0."""
        return bool(self.tracking_uri) and self.rank == 0


def read_environment(environ: Mapping[str, str] | None = None) -> JobEnvironment:
    """Read the job's variables once, at the door."""
    given = os.environ if environ is None else environ
    return JobEnvironment(
        run_id=given.get("RUN_ID", ""),
        training_job_name=given.get("TRAINING_JOB_NAME", ""),
        variant=given.get("VARIANT", ""),
        code_hash=given.get("CODE_HASH", ""),
        base_model=given.get("BASE_MODEL", ""),
        experiment_name=given.get("MLFLOW_EXPERIMENT_NAME", "toolwright"),
        tracking_uri=given.get("MLFLOW_TRACKING_URI", ""),
        rank=int(given.get("RANK", "0")),
    )


def _path(variable: str, default: Path) -> Path:
    return Path(os.environ.get(variable) or default)
