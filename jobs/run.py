"""What a job knows of a run: where it is reported, and what it can be told."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal

from jobs.doors import BadInput, DoorError
from jobs.registry import Registry
from jobs.traces import Trace

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


def weights_revision(model_dir: Path) -> str:
    """`sha256:` and the start of the digest of a model's safetensors files, in the order of their names."""
    whole = hashlib.sha256()
    for path in sorted(model_dir.glob("*.safetensors")):
        with path.open("rb") as file:
            whole.update(hashlib.file_digest(file, "sha256").digest())
    return f"sha256:{whole.hexdigest()[:16]}"


@dataclass(frozen=True)
class ChildRun:
    """One job's run under the parent: its tags, and the names of the metrics that it has."""

    run_id: str
    name: str
    tags: Mapping[str, str]
    metrics: tuple[str, ...] = ()


class Run:
    """A run to report to; this one is silent and stands in where nothing is tracked."""

    run_id: str | None = None
    experiment_id: str | None = None

    def log_metrics(self, metrics: Mapping[str, float], step: int = 0) -> None:
        """Add one point to each named curve; a server that does not answer costs the point alone."""

    def log_params(self, params: Mapping[str, object]) -> None:
        """Set parameters; values longer than MLflow's limit are cut."""

    def set_tags(self, tags: Mapping[str, str | None]) -> None:
        """Set tags, an empty one too; those that are None are left out."""

    def log_artifact(self, path: Path, folder: str | None = None) -> None:
        """Upload a file, or a folder with all that is in it."""

    def log_dataset(self, path: Path, *, name: str, context: str, source: str | None = None) -> None:
        """Record a file of rows as an input, with the start of its SHA-256 as digest.

        `context` is ``training``, ``evaluation``, …; `source` is where the file came from, if not `path`.
        """

    def log_table(self, columns: Mapping[str, Sequence[Any]], name: str) -> None:
        """Upload a table of JSON cells as `name`, which ends in ``.json``; written again, it is replaced."""

    def log_traces(self, traces: Sequence[Trace]) -> None:
        """Log traces, each of its own run and of this one; a server that takes none is named once."""

    def tags(self) -> Mapping[str, str]:
        """The tags that the run has, from whichever job."""
        return {}

    def children(self) -> Sequence[ChildRun]:
        """The runs of the execution's jobs, where this is the execution's run."""
        return ()

    def log_child_metrics(self, child: ChildRun, metrics: Mapping[str, float]) -> None:
        """Add one point to each named curve of a job's run, as `log_metrics` does to this one's."""

    def curve(self, run_id: str, metric: str) -> Sequence[tuple[int, float]]:
        """The points (step, value) of a metric of some run, in the order of the steps; the last of a step."""
        return ()

    @property
    def registry(self) -> Registry:
        """The model registry of the run's server."""
        return Registry()

    def end(self, status: Status) -> None:
        """End the run, or open it again with RUNNING."""

    def end_quietly(self, status: Status) -> None:
        """End the run while another error is on its way out, which a dead server must not hide."""
