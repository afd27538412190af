"""Executions as an MLflow server keeps them: the experiment's parent runs, by their tags and metrics."""

from __future__ import annotations

import logging
import math
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

from mlflow import MlflowClient
from mlflow.entities import Run as TrackedRun
from mlflow.exceptions import MlflowException

from evaluation.history.files import read_object, read_row_file, read_score_file
from evaluation.history.runs import Row, Run, Scores, Unreadable, fault_of
from evaluation.suites import SUITES
from jobs.doors import BadInput
from jobs.mlflow_answers import limit_patience
from jobs.run import TrackingUnavailable

PARENT = "mlflow.parentRunId"
ONLY_PARENTS = f"tags.`{PARENT}` IS NULL"
TEST_SET = "test_set."
MODELS = "toolwright-"
CHAMPION = "champion"
RUNS_PER_REQUEST = 1000
METRIC_PARTS = 3
USD = "usd/"

T = TypeVar("T")

# SageMaker's plugin looks for an ARN in every tracking URI and complains at each request where there is none.
logging.getLogger("mlflow.tracking.request_header.registry").setLevel(logging.ERROR)


class MlflowStore:
    """The executions of one experiment."""

    def __init__(self, uri: str, experiment: str, pages: str | None = None) -> None:
        """Open the server at `uri`; `pages` is where a person finds its pages, if elsewhere.

        Raises TrackingUnavailable where no server answers, BadInput where there is no such experiment.
        """
        # A bar for each small file would bury the table.
        os.environ["MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR"] = "false"
        limit_patience()
        self._uri = uri
        self._pages = pages or uri
        self._client = MlflowClient(uri, registry_uri=uri)
        found = self._ask(lambda: self._client.get_experiment_by_name(experiment))
        if found is None:
            raise BadInput(f"{uri}: has no experiment {experiment!r}; run the pipeline first")
        self._experiment_id = str(found.experiment_id)

    def list_runs(self) -> list[Run]:
        """Every parent run, the oldest first. Raises TrackingUnavailable."""
        found = [one for one in self._ask(self._parents) if PARENT not in one.data.tags]
        return sorted(map(_run_of, found), key=lambda run: (run.started, run.key))

    def read_comparison(self, run: Run) -> Mapping[str, Any]:
        """Its ``comparison.json``. Raises Unreadable."""
        return self._fetch(run, "comparison.json", read_object)

    def read_rows(self, run: Run, suite: str) -> Sequence[Row]:
        """Its ``rows/<suite>.jsonl``. Raises Unreadable."""
        return self._fetch(run, f"rows/{suite}.jsonl", read_row_file)

    def read_scores(self, run: Run, variant: str, suite: str) -> Scores:
        """Its ``scores/<variant>/<suite>.jsonl``. Raises Unreadable."""
        return self._fetch(run, f"scores/{variant}/{suite}.jsonl", read_score_file)

    def champions(self) -> dict[str, tuple[str, str]]:
        """Run id and variant of each model that has the alias. Raises BadInput without a registry."""
        champions = {}
        try:
            for model in self._client.search_registered_models(f"name LIKE '{MODELS}%'"):
                if CHAMPION in model.aliases:
                    tags = self._client.get_model_version_by_alias(model.name, CHAMPION).tags
                    champions[model.name] = (tags.get("run_id", ""), tags.get("variant", ""))
        except MlflowException as error:
            raise BadInput(f"champion: the model registry does not answer: {error}; name the run") from error
        return champions

    def link(self, suite: str, digest: str) -> str | None:
        """The charts of the executions on this test set: one a figure and variant, with a bar a run.

        A server named by an ARN has no such address.
        """
        if not self._pages.startswith(("http://", "https://", "/")):
            return None
        wanted = quote(f"tags.`{TEST_SET}{suite}` = '{digest}'", safe="")
        page = f"{self._pages.rstrip('/')}/#/experiments/{self._experiment_id}/runs"
        # Experiments that hold traces open as those of agents, and without /runs the filter is lost.
        return f"{page}?workflowType=machine_learning&compareRunsMode=CHART&searchFilter={wanted}"

    def _parents(self) -> list[TrackedRun]:
        try:
            return list(self._search(ONLY_PARENTS))
        except MlflowException as error:
            if error.error_code != "INVALID_PARAMETER_VALUE":
                raise
            # Older servers cannot be asked for runs that lack a tag.
            return list(self._search(""))

    def _search(self, wanted: str) -> Iterator[TrackedRun]:
        token = None
        while True:
            page = self._client.search_runs(
                [self._experiment_id], wanted, max_results=RUNS_PER_REQUEST, page_token=token
            )
            yield from page
            token = page.token
            if not token:
                return

    def _ask(self, question: Callable[[], T]) -> T:
        try:
            return question()
        except (MlflowException, OSError) as error:
            raise TrackingUnavailable(
                f"MLflow at {self._uri} does not answer ({type(error).__name__}: {error}); start the server,"
                " or name a folder of local runs by --runs"
            ) from error

    def _fetch(self, run: Run, path: str, read: Callable[[Path], T]) -> T:
        with tempfile.TemporaryDirectory() as scratch:
            try:
                fetched = Path(self._client.download_artifacts(run.key, path, scratch))
            except (MlflowException, OSError) as error:
                raise Unreadable(f"{path} cannot be fetched from MLflow") from error
            return read(fetched)


def _run_of(tracked: TrackedRun) -> Run:
    tags, metrics, info = tracked.data.tags, tracked.data.metrics, tracked.info
    values = _values_of(metrics)
    cost = metrics.get("cost/usd")
    by_variant = {name.removeprefix(USD): usd for name, usd in metrics.items() if name.startswith(USD)}
    return Run(
        run_id=tags.get("run_id") or info.run_name or info.run_id,
        key=info.run_id,
        started=datetime.fromtimestamp((info.start_time or 0) / 1000, UTC),
        base_model=tags.get("base_model", ""),
        revision=tags.get("base_model_revision", ""),
        recipe=tags.get("recipe", ""),
        seed=tags.get("seed", ""),
        trained_on=_training_rows_of(tracked) or tags.get("data_hash", ""),
        code=tags.get("code_hash", ""),
        promoted=tags.get("promoted", ""),
        cost_usd=cost if cost is not None and math.isfinite(cost) else None,
        variant_usd={variant: usd for variant, usd in by_variant.items() if math.isfinite(usd)},
        test_sets={
            key.removeprefix(TEST_SET): value for key, value in tags.items() if key.startswith(TEST_SET)
        },
        values=values,
        fault=fault_of(info.status, values),
    )


def _training_rows_of(tracked: TrackedRun) -> str:
    """The digests of the training files, which PrepareData logs as the run's inputs."""
    inputs = tracked.inputs.dataset_inputs if tracked.inputs else []
    return ",".join(
        sorted(
            f"{one.dataset.name}:{one.dataset.digest}"
            for one in inputs
            if any(tag.key == "mlflow.data.context" and tag.value == "training" for tag in one.tags)
        )
    )


def _values_of(metrics: Mapping[str, float]) -> dict[tuple[str, str, str], float]:
    """The figures among a run's metrics, which are named ``suite/metric/variant``."""
    values = {}
    for name, value in metrics.items():
        parts = name.split("/")
        if len(parts) == METRIC_PARTS and parts[0] in SUITES and math.isfinite(value):
            values[parts[0], parts[1], parts[2]] = value
    return values
