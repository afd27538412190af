"""A local run's folder: what the execution left in S3 and in the job folders, where a person looks for it."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

from infra.local.objects import NoSuchObjects, download_prefix

PLAN = "plan.json"


def fetch_results(bucket: str, run_id: str, folder: Path) -> None:
    """Copy data, predictions, scores, comparison, report and plan of `runs/<run_id>/` into `folder`.

    A job's own output lies under `<stage>/<job name>/output/model/` in S3; here the job's name is left out.
    The report's `comparison.json`, which holds verdict and costs, takes the place of the comparison's. The
    model that the gate promoted comes along as `model/`: what lies in the embedded S3 ends with it.
    """
    with tempfile.TemporaryDirectory() as scratch:
        base = Path(scratch)
        for stage in ("prepare", "predict", "scores", "compare", "report", "plan"):
            try:
                download_prefix(f"s3://{bucket}/runs/{run_id}/{stage}/", base / stage)
            except NoSuchObjects:
                continue
        _move_outputs(base / "prepare", folder / "data", skip="base_model")
        for stage in ("compare", "report"):
            _move_outputs(base / stage, folder)
        for variant in sorted((base / "predict").glob("*")):
            _move_outputs(variant, folder / "predictions" / variant.name)
        if (base / "scores").is_dir():
            shutil.copytree(base / "scores", folder / "scores", dirs_exist_ok=True)
        if (base / "plan" / PLAN).is_file():
            shutil.move(base / "plan" / PLAN, folder / PLAN)
    _fetch_promoted(folder)


def read_plan(folder: Path) -> dict[str, Any]:
    """Return the run's plan with verdict and costs; empty where the run did not come so far."""
    path = folder / PLAN
    plan: dict[str, Any] = json.loads(path.read_text()) if path.is_file() else {}
    return plan


def _fetch_promoted(folder: Path) -> None:
    plan = read_plan(folder)
    promoted = plan.get("gate", {}).get("promoted")
    if promoted:
        download_prefix(plan["jobs"][promoted.replace("-", "_")]["model_uri"], folder / "model")


def _move_outputs(stage: Path, target: Path, skip: str = "") -> None:
    for output in stage.glob("*/output/model"):
        target.mkdir(parents=True, exist_ok=True)
        for path in sorted(output.iterdir()):
            if path.name != skip:
                shutil.move(path, target / path.name)


def write_execution(folder: Path, execution: dict[str, Any], orchestration_seconds: float) -> None:
    """Write execution.json: arn, status, error and cause, input and times."""
    document = {
        "arn": execution["executionArn"],
        "status": execution["status"],
        "error": execution.get("error"),
        "cause": execution.get("cause"),
        "name": execution["name"],
        "input": json.loads(execution["input"]),
        "output": json.loads(execution["output"]) if "output" in execution else None,
        "started": execution["startDate"].isoformat(),
        "stopped": execution["stopDate"].isoformat() if "stopDate" in execution else None,
        "orchestration_seconds": round(orchestration_seconds, 1),
    }
    (folder / "execution.json").write_text(json.dumps(document, indent=2) + "\n")
