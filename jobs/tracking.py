"""MLflow: one parent run an execution, one child a job, nothing at all where no server is named.

The parent is created by PrepareData, whose ``run.json`` tells every later job where it is; CompareVariants
ends it. MLflow is imported on first use (2 s). At the start and the end of a job a dead server is an error;
in between it costs points of a curve, never hours of training: the loss is said once and the job goes on.
"""

from __future__ import annotations

import hashlib
import json
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from jobs.container import JobEnvironment, read_environment
from jobs.doors import BadInput, DoorError, Stopped

RUN_FILE = "run.json"
SYSTEM_METRICS_INTERVAL_SECONDS = 3
MAX_PARAM_CHARACTERS = 500


class TrackingUnavailable(DoorError):
    """The MLflow server named by ``MLFLOW_TRACKING_URI`` does not answer."""


@dataclass(frozen=True)
class RunReference:
    """What ``run.json`` says: where the parent run is, and what it was made from. Ids are null outside MLflow."""

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
            fields = json.loads(path.read_text(encoding="utf-8"))
            return RunReference(**{key: fields.get(key) for key in RunReference.__dataclass_fields__})
        except (ValueError, AttributeError) as error:
            raise BadInput(f"{path}: not a JSON object as PrepareData writes it: {error}") from error

    def write(self, data_dir: Path) -> None:
        """Write ``data_dir/run.json``."""
        (data_dir / RUN_FILE).write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")


class Run:
    """A run to report to, or a silent stand-in when nothing is tracked (`run_id` is then None)."""

    def __init__(
        self, client: Any = None, run_id: str | None = None, experiment_id: str | None = None
    ) -> None:
        self.run_id = run_id
        self.experiment_id = experiment_id
        self._client = client
        self._has_complained = False

    def log_metrics(self, metrics: Mapping[str, float], step: int = 0) -> None:
        """Add one point to each named curve; a server that does not answer costs the point alone."""
        if self._client is None or not metrics:
            return
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        points = [Metric(key, float(value), now, step) for key, value in metrics.items()]
        try:
            self._client.log_batch(self.run_id, metrics=points, synchronous=True)
        except Exception as error:
            self._complain(error)

    def log_params(self, params: Mapping[str, object]) -> None:
        """Set parameters; values longer than MLflow's limit are cut."""
        if self._client is None or not params:
            return
        from mlflow.entities import Param

        pairs = [Param(key, str(value)[:MAX_PARAM_CHARACTERS]) for key, value in params.items()]
        for start in range(0, len(pairs), 100):
            self._client.log_batch(self.run_id, params=pairs[start : start + 100])

    def set_tags(self, tags: Mapping[str, str | None]) -> None:
        """Set tags; those without a value are left out."""
        if self._client is None:
            return
        for key, value in _given(tags).items():
            self._client.set_tag(self.run_id, key, value)

    def log_artifact(self, path: Path, folder: str | None = None) -> None:
        """Upload a file, or a folder with all that is in it."""
        if self._client is None:
            return
        upload = self._client.log_artifacts if path.is_dir() else self._client.log_artifact
        upload(self.run_id, str(path), folder)

    def log_dataset(self, path: Path, *, name: str, context: str, source: str | None = None) -> None:
        """Record a file of rows as an input; `context` is ``training``, ``evaluation``, ….

        Its digest is the start of the file's SHA-256; `source` is where it came from, if not `path`.
        """
        if self._client is None:
            return
        from mlflow.entities import Dataset, DatasetInput, InputTag

        content = path.read_bytes()
        dataset = Dataset(
            name=name,
            digest=hashlib.sha256(content).hexdigest()[:16],
            source_type="s3" if (source or "").startswith("s3://") else "local",
            source=json.dumps({"uri": source or str(path)}),
            profile=json.dumps({"num_rows": content.count(b"\n")}),
        )
        tags = [InputTag("mlflow.data.context", context)]
        self._client.log_inputs(self.run_id, datasets=[DatasetInput(dataset, tags)])

    def end(self, status: str) -> None:
        """End the run as FINISHED, FAILED or KILLED, or open it again with RUNNING."""
        if self._client is None:
            return
        if status == "RUNNING":
            self._client.update_run(self.run_id, status=status)
        else:
            self._client.set_terminated(self.run_id, status=status)

    def end_quietly(self, status: str) -> None:
        """End the run while another error is on its way out, which a dead server must not hide."""
        try:
            self.end(status)
        except Exception as error:
            self._complain(error)

    def _complain(self, error: Exception) -> None:
        if not self._has_complained:
            print(f"MLflow does not answer, the job goes on without it: {error}", file=sys.stderr, flush=True)
        self._has_complained = True


@contextmanager
def start_parent(name: str, tags: Mapping[str, str | None] | None = None) -> Iterator[Run]:
    """Create the execution's parent run, which stays RUNNING when the block ends and is FAILED if it raises."""
    environment = read_environment()
    if not environment.is_tracked:
        yield Run()
        return
    client = _connect(environment)
    experiment_id = _experiment(client, environment)
    all_tags = {**_environment_tags(environment), **(tags or {})}
    created = _answered(
        environment, lambda: client.create_run(experiment_id, tags=_given(all_tags), run_name=name)
    )
    parent = Run(client, created.info.run_id, experiment_id)
    try:
        yield parent
    except BaseException:
        parent.end_quietly("FAILED")
        raise


@contextmanager
def resume_parent(data_dir: Path) -> Iterator[Run]:
    """Go on in the parent run that ``run.json`` names: FINISHED when the block ends, FAILED if it raises."""
    environment = read_environment()
    parent = _parent(environment, RunReference.read(data_dir))
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
    if not environment.is_tracked:
        yield Run()
        return
    reference = RunReference.read(data_dir)
    parent = _parent(environment, reference)
    child = _start_child(name, environment, reference, {**(tags or {})})
    try:
        child.log_params(params or {})
        yield child
    except BaseException as error:
        _end_active("KILLED" if isinstance(error, Stopped) else "FAILED", child)
        parent.end_quietly("FAILED")
        raise
    _end_active("FINISHED", child)


def _start_child(
    name: str, environment: JobEnvironment, reference: RunReference, tags: Mapping[str, str | None]
) -> Run:
    import mlflow

    client = _connect(environment)
    experiment_id = reference.experiment_id or _experiment(client, environment)
    mlflow.set_system_metrics_sampling_interval(SYSTEM_METRICS_INTERVAL_SECONDS)
    all_tags = {
        **_environment_tags(environment),
        "data_hash": reference.data_hash,
        "base_model_revision": reference.base_model_revision,
        **tags,
    }
    earlier = _earlier_run(client, experiment_id, environment, reference)
    active = _answered(
        environment,
        lambda: mlflow.start_run(
            run_id=earlier,
            experiment_id=experiment_id,
            run_name=name,
            parent_run_id=None if earlier else reference.parent_run_id,
            tags=_given(all_tags),
            log_system_metrics=True,
        ),
    )
    return Run(client, active.info.run_id, experiment_id)


def _earlier_run(
    client: Any, experiment_id: str, environment: JobEnvironment, reference: RunReference
) -> str | None:
    if not (environment.training_job_name and reference.parent_run_id):
        return None
    found = client.search_runs(
        [experiment_id],
        f"tags.training_job_name = '{environment.training_job_name}'"
        f" and tags.mlflow.parentRunId = '{reference.parent_run_id}'",
        max_results=1,
    )
    return str(found[0].info.run_id) if found else None


def _end_active(status: str, child: Run) -> None:
    import mlflow

    try:
        # The fluent call also stops the thread that samples the system metrics.
        mlflow.end_run(status)
    except Exception as error:
        child._complain(error)


def _parent(environment: JobEnvironment, reference: RunReference) -> Run:
    if not environment.is_tracked or not reference.parent_run_id:
        return Run()
    client = _connect(environment)
    parent = Run(client, reference.parent_run_id, reference.experiment_id)
    # A job that is tried again finds the parent FAILED by its first try.
    _answered(environment, lambda: parent.end("RUNNING"))
    return parent


def _connect(environment: JobEnvironment) -> Any:
    import mlflow

    mlflow.set_tracking_uri(environment.tracking_uri)
    return mlflow.MlflowClient(environment.tracking_uri)


def _experiment(client: Any, environment: JobEnvironment) -> str:
    import mlflow

    name = environment.experiment_name
    return str(_answered(environment, lambda: mlflow.set_experiment(name)).experiment_id)


def _answered(environment: JobEnvironment, call: Any) -> Any:
    try:
        return call()
    except Exception as error:
        raise TrackingUnavailable(
            f"MLflow at {environment.tracking_uri} does not answer ({type(error).__name__}: {error});"
            " start the server, or unset MLFLOW_TRACKING_URI to run without it"
        ) from error


def _environment_tags(environment: JobEnvironment) -> dict[str, str | None]:
    return {
        "run_id": environment.run_id,
        "code_hash": environment.code_hash,
        "base_model": environment.base_model,
        "training_job_name": environment.training_job_name,
        "variant": environment.variant,
    }


def _given(tags: Mapping[str, str | None]) -> dict[str, str]:
    return {key: value for key, value in tags.items() if value}
