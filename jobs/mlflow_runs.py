"""Runs in MLflow itself; `jobs.tracking` is the way in and imports this only where there is a server."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import mlflow
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, RunTag

from jobs.container import JobEnvironment
from jobs.mlflow_answers import ask, asking, limit_patience
from jobs.mlflow_registry import MlflowRegistry
from jobs.mlflow_traces import log_traces
from jobs.run import ChildRun, Run, RunReference, Status
from jobs.traces import Trace

SYSTEM_METRICS_INTERVAL_SECONDS = 3
# The tracking server takes at most 1,000 metrics or 100 parameters a request, and 6,000 characters a
# parameter's value.
METRICS_PER_REQUEST = 1000
PARAMS_PER_REQUEST = 100
MAX_PARAM_CHARACTERS = 6000
# MLflow's page shows an artifact as a table if this tag of the run lists it.
TABLES_TAG = "mlflow.loggedArtifacts"
CHILDREN_PER_PAGE = 500
DIGEST_CHARACTERS = 16

# SageMaker's plugin looks for an ARN in every tracking URI and complains at each request where there is none.
logging.getLogger("mlflow.tracking.request_header.registry").setLevel(logging.ERROR)


class MlflowRun(Run):
    """A run on the tracking server, addressed by its id, so that any job can report to any run."""

    def __init__(self, client: mlflow.MlflowClient, run_id: str, experiment_id: str) -> None:
        self.run_id: str = run_id
        self.experiment_id: str = experiment_id
        self.uri: str = client.tracking_uri
        self._client = client
        self._has_complained = False

    def log_metrics(self, metrics: Mapping[str, float], step: int = 0) -> None:
        self._log_metrics(self.run_id, metrics, step)

    def log_child_metrics(self, child: ChildRun, metrics: Mapping[str, float]) -> None:
        self._log_metrics(child.run_id, metrics, 0)

    def _log_metrics(self, run_id: str, metrics: Mapping[str, float], step: int) -> None:
        now_ms = int(time.time() * 1000)
        points = [Metric(key, float(value), now_ms, step) for key, value in metrics.items()]
        try:
            for start in range(0, len(points), METRICS_PER_REQUEST):
                self._client.log_batch(run_id, metrics=points[start : start + METRICS_PER_REQUEST])
        except Exception as error:
            self._complain(error)

    @asking
    def log_params(self, params: Mapping[str, object]) -> None:
        pairs = [Param(key, str(value)[:MAX_PARAM_CHARACTERS]) for key, value in params.items()]
        for start in range(0, len(pairs), PARAMS_PER_REQUEST):
            self._client.log_batch(self.run_id, params=pairs[start : start + PARAMS_PER_REQUEST])

    @asking
    def set_tags(self, tags: Mapping[str, str | None]) -> None:
        kept = [RunTag(key, value) for key, value in tags.items() if value is not None]
        self._client.log_batch(self.run_id, tags=kept)

    @asking
    def log_artifact(self, path: Path, folder: str | None = None) -> None:
        upload = self._client.log_artifacts if path.is_dir() else self._client.log_artifact
        upload(self.run_id, str(path), folder)

    @asking
    def log_dataset(self, path: Path, *, name: str, context: str, source: str | None = None) -> None:
        content = path.read_bytes()
        uri = source or str(path)
        dataset = Dataset(
            name=name,
            digest=hashlib.sha256(content).hexdigest()[:DIGEST_CHARACTERS],
            source_type="s3" if uri.startswith("s3://") else "local",
            source=json.dumps({"uri": uri}),
            profile=json.dumps({"num_rows": content.count(b"\n")}),
        )
        described = DatasetInput(dataset, [InputTag("mlflow.data.context", context)])
        self._client.log_inputs(self.run_id, datasets=[described])

    def log_table(self, columns: Mapping[str, Sequence[Any]], name: str) -> None:
        # MlflowClient.log_table adds to a table that is there, so that a retried job would double it.
        rows = [list(cells) for cells in zip(*columns.values(), strict=True)]
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / name
            path.write_text(json.dumps({"columns": list(columns), "data": rows}), encoding="utf-8")
            self.log_artifact(path)
        listed = json.loads(self.tags().get(TABLES_TAG, "[]"))
        entry = {"path": name, "type": "table"}
        if entry not in listed:
            self.set_tags({TABLES_TAG: json.dumps([*listed, entry])})

    def log_traces(self, traces: Sequence[Trace]) -> None:
        try:
            log_traces(self._client.tracking_uri, self.experiment_id, self.run_id, traces)
        except Exception as error:
            print(f"MLflow takes no traces, the run goes on without them: {error}", file=sys.stderr)

    @asking
    def tags(self) -> Mapping[str, str]:
        return dict(self._client.get_run(self.run_id).data.tags)

    @asking
    def children(self) -> Sequence[ChildRun]:
        found = self._client.search_runs(
            [self.experiment_id],
            f"tags.mlflow.parentRunId = '{self.run_id}'",
            max_results=CHILDREN_PER_PAGE,
            order_by=["attributes.start_time"],
        )
        return [
            ChildRun(run.info.run_id, run.info.run_name, dict(run.data.tags), tuple(sorted(run.data.metrics)))
            for run in found
        ]

    @asking
    def curve(self, run_id: str, metric: str) -> Sequence[tuple[int, float]]:
        points = sorted(self._client.get_metric_history(run_id, metric), key=lambda one: one.timestamp)
        return sorted({point.step: point.value for point in points}.items())

    @property
    def registry(self) -> MlflowRegistry:
        return MlflowRegistry(self._client)

    @asking
    def end(self, status: Status) -> None:
        active = mlflow.active_run()
        if status == "RUNNING":
            self._client.update_run(self.run_id, status=status)
        elif active is not None and active.info.run_id == self.run_id:
            # This call also ends the thread that samples the system metrics.
            mlflow.end_run(status)
        else:
            self._client.set_terminated(self.run_id, status=status)

    def end_quietly(self, status: Status) -> None:
        try:
            self.end(status)
        except Exception as error:
            print(f"MLflow does not know that the run is {status}: {error}", file=sys.stderr, flush=True)

    def _complain(self, error: Exception) -> None:
        if not self._has_complained:
            print(f"MLflow does not answer, the job goes on without it: {error}", file=sys.stderr, flush=True)
        self._has_complained = True


def create_parent(environment: JobEnvironment, name: str, tags: Mapping[str, str | None]) -> MlflowRun:
    """Create the execution's run. It is never this process's active run, which MLflow would end at exit."""
    client = _connect(environment)
    experiment_id = _experiment_id(environment)
    all_tags = {**_environment_tags(environment), **tags, "training_job_name": None}
    created = ask(
        client.tracking_uri, lambda: client.create_run(experiment_id, tags=_given(all_tags), run_name=name)
    )
    return MlflowRun(client, created.info.run_id, experiment_id)


def open_parent(environment: JobEnvironment, reference: RunReference) -> MlflowRun:
    """Open the run that `reference` names, RUNNING again if an earlier try of this job had failed it."""
    client = _connect(environment)
    parent = MlflowRun(client, str(reference.parent_run_id), str(reference.experiment_id))
    parent.end("RUNNING")
    return parent


def start_child(
    environment: JobEnvironment, reference: RunReference, name: str, tags: Mapping[str, str | None]
) -> MlflowRun:
    """Start this job's run with system metrics, or go on in the one it had before it was restarted."""
    client = _connect(environment)
    experiment_id = reference.experiment_id or _experiment_id(environment)
    mlflow.set_system_metrics_sampling_interval(SYSTEM_METRICS_INTERVAL_SECONDS)
    uri = environment.tracking_uri
    earlier = ask(uri, lambda: _earlier_run_id(client, experiment_id, environment, reference))
    described = {
        **_environment_tags(environment),
        "data_hash": reference.data_hash,
        "base_model_revision": reference.base_model_revision,
        **tags,
    }
    active = ask(
        uri,
        lambda: mlflow.start_run(
            run_id=earlier,
            experiment_id=experiment_id,
            run_name=name,
            parent_run_id=None if earlier else reference.parent_run_id,
            tags=_given(described),
            log_system_metrics=True,
        ),
    )
    return MlflowRun(client, active.info.run_id, experiment_id)


def _earlier_run_id(
    client: mlflow.MlflowClient, experiment_id: str, environment: JobEnvironment, reference: RunReference
) -> str | None:
    if not (environment.training_job_name and reference.parent_run_id):
        return None
    same_job = f"tags.training_job_name = '{environment.training_job_name}'"
    same_parent = f"tags.mlflow.parentRunId = '{reference.parent_run_id}'"
    found = client.search_runs([experiment_id], f"{same_job} and {same_parent}", max_results=1)
    return str(found[0].info.run_id) if found else None


def _connect(environment: JobEnvironment) -> mlflow.MlflowClient:
    limit_patience()
    # A bar for each small file would bury the job's log.
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    mlflow.set_tracking_uri(environment.tracking_uri)
    return mlflow.MlflowClient(environment.tracking_uri)


def _experiment_id(environment: JobEnvironment) -> str:
    name = environment.experiment_name
    return str(ask(environment.tracking_uri, lambda: mlflow.set_experiment(name)).experiment_id)


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
