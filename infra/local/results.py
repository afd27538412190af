"""A local run's folder: what the execution left in S3 and in the job folders, where a person looks for it."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from infra.local.objects import NoSuchObjects, download_prefix

MAIN_METRICS = 2


def fetch_results(bucket: str, run_id: str, folder: Path) -> None:
    """Copy data, predictions, scores and the comparison of `runs/<run_id>/` into `folder`.

    A job's own output lies under `<stage>/<job name>/output/model/` in S3; here the job's name is left out.
    """
    with tempfile.TemporaryDirectory() as scratch:
        base = Path(scratch)
        for stage in ("prepare", "predict", "scores", "compare"):
            try:
                download_prefix(f"s3://{bucket}/runs/{run_id}/{stage}/", base / stage)
            except NoSuchObjects:
                continue
        _move_outputs(base / "prepare", folder / "data", skip="base_model")
        _move_outputs(base / "compare", folder)
        for variant in sorted((base / "predict").glob("*")):
            _move_outputs(variant, folder / "predictions" / variant.name)
        if (base / "scores").is_dir():
            shutil.copytree(base / "scores", folder / "scores", dirs_exist_ok=True)


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


def print_comparison(path: Path) -> None:
    """Print one table a suite: a row a variant, main metrics and recall by decision, with 95% intervals."""
    comparison = json.loads(path.read_text())
    console = Console(width=118, highlight=False)
    for suite, variants in comparison["suites"].items():
        table = Table(title=f"{suite}, in percent with 95% intervals", title_justify="left", box=SIMPLE_HEAD)
        table.add_column("variant")
        # The suite's main metrics stand first; the report has them all.
        main = [("metrics", name) for name in _measured(variants, "metrics")[:MAIN_METRICS]]
        columns = [*main, *(("recall", name) for name in _measured(variants, "recall"))]
        for group, name in columns:
            counts = {result[group][name]["n"] for result in variants.values()}
            title = name if group == "metrics" else f"recall of\n{name}"
            table.add_column(f"{title}\nn={'/'.join(map(str, sorted(counts)))}", justify="right")
        for variant, result in variants.items():
            table.add_row(variant, *(_cell(result[group][name]) for group, name in columns))
        console.print(table)


def _measured(variants: dict[str, Any], group: str) -> list[str]:
    """Names with a value in at least one variant: an empty class has no recall to show."""
    names = {name: None for result in variants.values() for name in result[group]}
    return [name for name in names if any(r[group][name]["value"] is not None for r in variants.values())]


def _cell(estimate: dict[str, Any]) -> str:
    if estimate["value"] is None:
        return "—"
    value, low, high = (100 * estimate[key] for key in ("value", "low", "high"))
    return f"{value:.1f} [{low:.0f}, {high:.0f}]"
