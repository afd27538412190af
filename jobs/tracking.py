"""MLflow: one parent run an execution, one child a job, nothing at all where no server is named.

The parent is created by PrepareData, whose ``run.json`` tells every later job where it is; CompareVariants
ends it. At the start and the end of a job a dead server is an error; in between it costs points of a curve,
never hours of training: the loss is said once and the job goes on.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from types import ModuleType
from typing import Literal

from jobs.container import JobEnvironment, read_environment
from jobs.doors import BadInput, DoorError, Stopped

RUN_FILE = "run.json"

Status = Literal["RUNNING", "FINISHED", "FAILED", "KILLED"]


class TrackingUnavailable(DoorError):
    """The MLflow server named by ``MLFLOW_TRACKING_URI`` does not answer."""


@dataclass(frozen=True)
class RunReference:
    """What ``run.json`` says: where the parent run is, and what it was made from; null ids outside MLflow."""

    run_id: str | None = None
    experiment_id: str | None = None
    parent_run_id: str | None = None
    data_hash: str | None = None
    base_model_revision: str | None = None

    @staticmethod
    def read(data_dir: Path) -> RunReference:
        """Read ``data_dir/run.json``; an absent file means a job outside of any execution."""
        path = data_dir / RUN_FILE
        if not path.is_file():
            return RunReference()
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            return RunReference(**{field.name: content.get(field.name) for field in fields(RunReference)})
        except (ValueError, AttributeError) as error:
            raise BadInput(f"{path}: not the JSON object that PrepareData writes: {error}") from error

    def write(self, data_dir: Path) -> None:
        """Write ``data_dir/run.json``."""
        (data_dir / RUN_FILE).write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")


class Run:
    """A run to report to; this one is silent and stands in where nothing is tracked."""

    run_id: str | None = None
    experiment_id: str | None = None

    def log_metrics(self, metrics: Mapping[str, float], step: int = 0) -> None:
        """Add one point to each named curve; a server that does not answer costs the point alone."""

    def log_params(self, params: Mapping[str, object]) -> None:
        """Set parameters; values longer than MLflow's limit are cut."""

    def set_tags(self, tags: Mapping[str, str | None]) -> None:
        """Set tags; those without a value are left out."""

    def log_artifact(self, path: Path, folder: str | None = None) -> None:
        """Upload a file, or a folder with all that is in it."""

    def log_dataset(self, path: Path, *, name: str, context: str, source: str | None = None) -> None:
        """Record a file of rows as an input, with the start of its SHA-256 as digest.

        `context` is ``training``, ``evaluation``, …; `source` is where the file came from, if not `path`.
        """

    def end(self, status: Status) -> None:
        """End the run, or open it again with RUNNING."""

    def end_quietly(self, status: Status) -> None:
        """End the run while another error is on its way out, which a dead server must not hide."""


@contextmanager
def start_parent(name: str, tags: Mapping[str, str | None] | None = None) -> Iterator[Run]:
    """Create the execution's parent run: RUNNING still when the block ends, FAILED if it raises."""
    environment = read_environment()
    parent = _mlflow_runs().create_parent(environment, name, tags or {}) if environment.is_tracked else Run()
    try:
        yield parent
    except BaseException:
        parent.end_quietly("FAILED")
        raise


@contextmanager
def resume_parent(data_dir: Path) -> Iterator[Run]:
    """Go on in the parent run that ``run.json`` names: FINISHED when the block ends, FAILED if it raises."""
    parent = _open_parent(read_environment(), RunReference.read(data_dir))
    try:
        yield parent
    except BaseException:
        parent.end_quietly("FAILED")
        raise
    parent.end("FINISHED")


@contextmanager
def child_run(
    name: str,
    data_dir: Path,
    tags: Mapping[str, str | None] | None = None,
    params: Mapping[str, object] | None = None,
) -> Iterator[Run]:
    """Report one job as a child of the execution's parent run, with system metrics; rank 0 only.

    A job that the platform restarts under its own name goes on in the run it had. If the block raises, the
    child and the parent end FAILED (KILLED for the child of a job that was stopped).
    """
    environment = read_environment()
    reference = RunReference.read(data_dir)
    parent = _open_parent(environment, reference)
    child = Run()
    if environment.is_tracked:
        child = _mlflow_runs().start_child(environment, reference, name, tags or {})
    try:
        child.log_params(params or {})
        yield child
    except BaseException as error:
        child.end_quietly("KILLED" if isinstance(error, Stopped) else "FAILED")
        parent.end_quietly("FAILED")
        raise
    child.end("FINISHED")


def _open_parent(environment: JobEnvironment, reference: RunReference) -> Run:
    if not environment.is_tracked or not reference.parent_run_id:
        return Run()
    parent: Run = _mlflow_runs().open_parent(environment, reference)
    return parent


def _mlflow_runs() -> ModuleType:
    # Importing MLflow takes two seconds, which only a tracked job should pay.
    from jobs import mlflow_runs  # noqa: PLC0415

    return mlflow_runs
