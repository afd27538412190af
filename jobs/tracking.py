"""MLflow: one parent run an execution, one child a job, nothing at all where no server is named.

The parent is created by PrepareData, whose ``run.json`` tells every later job where it is; ReportResults
ends it. At the start and the end of a job a dead server is an error; in between it costs points of a curve,
never hours of training: the loss is said once and the job goes on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from jobs.container import JobEnvironment, read_environment
from jobs.doors import Stopped
from jobs.run import Run, RunReference, weights_revision


@contextmanager
def start_parent(name: str, tags: Mapping[str, str | None] | None = None) -> Iterator[Run]:
    """Create the execution's parent run: RUNNING still when it ends, FAILED if it raises."""
    environment = read_environment()
    parent = _mlflow_runs().create_parent(environment, name, tags or {}) if environment.is_tracked else Run()
    try:
        yield parent
    except BaseException:
        parent.end_quietly("FAILED")
        raise


@contextmanager
def resume_parent(data_dir: Path) -> Iterator[Run]:
    """Go on in the parent run that ``run.json`` names: RUNNING still when it ends, FAILED if it raises."""
    parent = _open_parent(read_environment(), RunReference.read(data_dir))
    try:
        yield parent
    except BaseException:
        parent.end_quietly("FAILED")
        raise


@contextmanager
def finish_parent(data_dir: Path) -> Iterator[Run]:
    """Go on in the parent run that ``run.json`` names: FINISHED when the block ends, FAILED if it raises."""
    with resume_parent(data_dir) as parent:
        yield parent
        parent.end("FINISHED")


@contextmanager
def child_run(
    name: str,
    data_dir: Path,
    tags: Mapping[str, str | None] | None = None,
    params: Mapping[str, object] | None = None,
    *,
    base_model: Path | None = None,
) -> Iterator[Run]:
    """Report one job as a child of the execution's parent run, with system metrics; rank 0 only.

    `base_model` is the folder of the execution's base model where the job has it: a staged model has no
    revision but its weights, whose digest is then tagged as `base_model_revision` on child and parent.

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
        if base_model is not None and child.run_id and not reference.base_model_revision:
            revision = {"base_model_revision": weights_revision(base_model)}
            child.set_tags(revision)
            parent.set_tags(revision)
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
