"""Authored executions, as folders of local runs and as runs on an MLflow server."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag

from evaluation.comparison import compare
from evaluation.jsonl import write_jsonl
from evaluation.report.costs import jobs_of
from tests.unit.evaluation.rows import call_row

SUITE = "own"
FIRST = datetime(2026, 11, 1, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Authored:
    """An execution over `rows`, of which each variant has the first so many right."""

    name: str
    right: Mapping[str, int]
    rows: Sequence[Mapping[str, Any]]
    day: int = 0
    seed: int = 0
    base_model: str = "small"
    recipe: str = "small-lora"
    trained_on: str = "d1"
    code: str = "c1"
    promoted: str | None = None
    usd: float | None = 1.5
    # Of each job of the plan.
    job_usd: float | None = 0.25
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def started(self) -> datetime:
        return FIRST + timedelta(days=self.day)


def weather_rows(count: int, question: str = "How is the weather?") -> list[dict[str, Any]]:
    """So many rows, each with an id of its own."""
    return [
        {
            **call_row(("get_weather", {"city": f"City {number}"}), row_id=f"r{number}"),
            "messages": [{"role": "user", "content": f"{question} {number}"}],
        }
        for number in range(count)
    ]


def write_folder(runs: Path, one: Authored) -> Path:
    """Write an execution as `make local` leaves it."""
    folder = runs / one.name
    write_jsonl(folder / "data" / "suites" / f"{SUITE}.jsonl", one.rows)
    for variant, right in one.right.items():
        write_jsonl(folder / "scores" / variant / f"{SUITE}.jsonl", _scores(one.rows, right))
    content = compare(one.name, folder / "data", folder / "scores").to_json()
    content["gate"]["promoted"] = one.promoted
    content["cost"] = {"actual": {"usd": one.usd, "lines": _cost_lines(one)}}
    (folder / "comparison.json").write_text(json.dumps(content))
    (folder / "data" / "run.json").write_text(json.dumps({"data_hash": one.trained_on}))
    given = {"base_model": one.base_model, "recipe": one.recipe, "seed": one.seed}
    execution = {"name": one.name, "status": "SUCCEEDED", "input": given, "started": one.started.isoformat()}
    (folder / "execution.json").write_text(json.dumps(execution))
    return folder


def log_run(client: MlflowClient, experiment: str, runs: Path, one: Authored) -> str:
    """Log an execution's folder as the report does, and return the run's id."""
    folder = write_folder(runs, one)
    content = json.loads((folder / "comparison.json").read_text())
    tags = {
        **{"run_id": one.name, "base_model": one.base_model, "recipe": one.recipe, "seed": str(one.seed)},
        **{"data_hash": one.trained_on, "code_hash": one.code, "variants": ",".join(one.right)},
        **{f"test_set.{suite}": found["digest"] for suite, found in content["test_sets"].items()},
        **({"promoted": one.promoted} if one.promoted else {}),
        **one.tags,
    }
    started = int(one.started.timestamp() * 1000)
    run_id = str(client.create_run(experiment, start_time=started, tags=tags, run_name=one.name).info.run_id)
    for variant, summary in content["suites"][SUITE].items():
        for metric, found in summary["metrics"].items():
            if found["value"] is not None:
                client.log_metric(run_id, f"{SUITE}/{metric}/{variant}", found["value"])
    if one.usd is not None:
        client.log_metric(run_id, "cost/usd", one.usd)
    for variant in one.right if one.job_usd is not None else ():
        client.log_metric(run_id, f"usd/{variant}", len(jobs_of(variant)) * (one.job_usd or 0.0))
    digest = hashlib.sha256(one.trained_on.encode()).hexdigest()[:16]
    trained_on = Dataset("train_sft", digest, "local", "{}")
    client.log_inputs(
        run_id, datasets=[DatasetInput(trained_on, [InputTag("mlflow.data.context", "training")])]
    )
    client.log_artifact(run_id, str(folder / "comparison.json"))
    client.log_artifact(run_id, str(folder / "data" / "suites" / f"{SUITE}.jsonl"), "rows")
    client.log_artifacts(run_id, str(folder / "scores"), "scores")
    client.set_terminated(run_id, "FINISHED")
    return run_id


def _cost_lines(one: Authored) -> list[dict[str, Any]]:
    jobs = ["prepare", *dict.fromkeys(job for variant in one.right for job in jobs_of(variant)), "report"]
    return [{"job": job, "usd": None if job == "report" else one.job_usd} for job in jobs]


def _scores(rows: Sequence[Mapping[str, Any]], right: int) -> list[dict[str, Any]]:
    return [
        {
            "id": row["id"],
            "value": 1.0 if number < right else 0.0,
            "reason": "correct" if number < right else "wrong_value",
            "parts": {"decision": 1.0},
            "decision": "tool_call",
        }
        for number, row in enumerate(rows)
    ]
