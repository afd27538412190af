"""Report a run: its page, pictures and model card, MLflow's page of it, and the model in the registry.

    python -m evaluation.report_results [--data DIR] [--predictions DIR] [--scores DIR]
        [--comparison DIR] [--plan DIR] [--out DIR]

As a job it takes no arguments, comes after the gate, and ends the execution's MLflow run. From the command
line it makes the same pages of a run's folder; without a ``plan.json`` there is no gate and no cost in them,
and without the MLflow server that the run reported to (MLFLOW_TRACKING_URI) no curves of its trainings.
"""

from __future__ import annotations

import argparse
import json
import math
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from evaluation.comparison import read_comparison
from evaluation.completions import Predictions, find_predictions, read_completions
from evaluation.jsonl import read_object
from evaluation.mlflow_page.answers import table_of_answers
from evaluation.mlflow_page.figures import (
    metrics_by_variant,
    metrics_of,
    params_of,
    table_of_figures,
    tags_of,
)
from evaluation.mlflow_page.files import lay_out
from evaluation.mlflow_page.note import write_note
from evaluation.mlflow_page.traces import traces_of
from evaluation.model_card import write_card
from evaluation.plan import PLAN_FILE, gate_of, read_plan
from evaluation.registry.candidate import choose_candidate
from evaluation.registry.register import Lineage, Registration, register
from evaluation.report.page import render_report
from evaluation.report.pictures import draw_pictures
from evaluation.report.results import Curves, Results
from evaluation.report.rows import rows_of
from evaluation.report.slices import read_contaminated
from jobs import container
from jobs.doors import BadInput, DoorParser, run_door
from jobs.progress import Progress
from jobs.run import ChildRun, Run, RunReference
from jobs.tracking import finish_parent

STEPS = 4
TRAINING, PREDICTION = "train-", "predict-"
DATA_REPORT = "report.json"


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line, write every page, and report to MLflow where the run is tracked."""
    given = _read_arguments(arguments)
    progress = Progress(STEPS)
    with finish_parent(given.data) as run:
        children = run.children()
        predictions = find_predictions(given.predictions)
        code_hash = read_code_hash(run)
        results = read_results(given, predictions, read_curves(run, children), code_hash)
        progress.show(1)
        rows = rows_of(results)["rows"]
        lineage = Lineage(
            RunReference.read(given.data), code_hash, run.tags(), by_variant(children, TRAINING)
        )
        card = write_card(choose_candidate(results), results, lineage, _read_data_report(given.data), rows)
        written = write_results(results, card, given.out)
        progress.show(2)
        report_to_mlflow(run, results, rows, by_variant(children, PREDICTION))
        log_files(run, given, written, predictions)
        progress.show(3)
        registered = register(run, choose_candidate(results), results, card, lineage)
        set_tags_anew(run, _closing_tags(results, registered))
        progress.show(STEPS)
    print(gate_of(results.plan).get("statement") or "no gate was asked: nothing is promoted")
    print(registered.statement)
    print(f"report: {given.out / 'report.html'}")


def read_code_hash(run: Run) -> str:
    """The digest of the code that the jobs ran: this one's, else the execution's; empty where neither is."""
    return container.read_environment().code_hash or run.tags().get("code_hash", "")


def read_results(
    given: argparse.Namespace, predictions: Predictions, curves: Curves, code_hash: str = ""
) -> Results:
    """Read all that the report is made from. Raises BadInput naming what cannot be used."""
    comparison = read_comparison(given.comparison / "comparison.json", given.data, given.scores)
    return Results(
        comparison=comparison,
        completions=read_completions(predictions),
        plan=_plan_of(comparison.run_id, given.plan),
        curves=curves,
        contaminated=read_contaminated(given.data),
        data_hash=RunReference.read(given.data).data_hash,
        code_hash=code_hash or None,
    )


def _plan_of(run_id: str | None, folder: Path) -> dict[str, Any]:
    """The plan in a folder. Raises BadInput for another run's, whose verdict and cost are not this one's."""
    plan = read_plan(folder)
    planned = plan.get("run_id")
    if planned and run_id and planned != run_id:
        raise BadInput(
            f"{folder / PLAN_FILE} is the plan of run {planned}, but the comparison is of run {run_id}: "
            "give the folder that holds this run's plan.json, or one without a plan"
        )
    return plan


def read_curves(run: Run, children: Sequence[ChildRun]) -> dict[str, dict[str, list[tuple[int, float]]]]:
    """The finite points of each training's losses and rewards, by metric and variant."""
    curves: dict[str, dict[str, list[tuple[int, float]]]] = {}
    for variant, child in by_variant(children, TRAINING).items():
        for name in child.metrics:
            if name.endswith("loss") or name.startswith("reward"):
                points = [point for point in run.curve(child.run_id, name) if math.isfinite(point[1])]
                if points:
                    curves.setdefault(name, {})[variant] = points
    return curves


def by_variant(children: Sequence[ChildRun], kind: str) -> dict[str, ChildRun]:
    """The runs of one kind of job by variant; of a job that ran twice, the last."""
    return {
        one.tags["variant"]: one for one in children if "variant" in one.tags and one.name.startswith(kind)
    }


def write_results(results: Results, card: str, out: Path) -> list[Path]:
    """Write ``comparison.json``, ``report.html``, ``model_card.md`` and the pictures; return their paths."""
    out.mkdir(parents=True, exist_ok=True)
    pictures = draw_pictures(results)
    texts = {
        "comparison.json": json.dumps(final_comparison(results), indent=1, allow_nan=False) + "\n",
        "report.html": render_report(results, pictures),
        "model_card.md": card,
    }
    for name, text in texts.items():
        # A model may write an unpaired surrogate, which UTF-8 cannot carry.
        (out / name).write_text(text, encoding="utf-8", errors="replace")
    for picture in pictures:
        (out / f"{picture.name}.png").write_bytes(picture.png)
    return [*(out / name for name in texts), *(out / f"{picture.name}.png" for picture in pictures)]


def final_comparison(results: Results) -> dict[str, Any]:
    """The content of ``comparison.json`` with the gate's verdict and the cost, where the plan has them."""
    cost = results.plan.get("cost")
    return {
        **results.comparison.to_json(),
        "gate": dict(gate_of(results.plan)),
        **({"cost": cost} if cost else {}),
    }


def report_to_mlflow(
    run: Run, results: Results, rows: Sequence[Mapping[str, Any]], predictors: Mapping[str, ChildRun]
) -> None:
    """Log figures, tables and traces to the execution's run, and each variant's figures to its own."""
    set_tags_anew(run, tags_of(results))
    run.log_params(params_of(results))
    run.log_metrics(metrics_of(results))
    for variant, metrics in metrics_by_variant(results.comparison).items():
        if variant in predictors:
            run.log_child_metrics(predictors[variant], metrics)
    run.log_table(table_of_figures(results.comparison), "comparison_table.json")
    for suite in results.comparison.rows:
        chosen = [row for row in rows if row["suite"] == suite]
        run.log_table(
            table_of_answers(chosen, list(results.comparison.scores[suite])), f"answers_{suite}.json"
        )
    run.log_traces(traces_of(results, predictors))


def set_tags_anew(run: Run, tags: Mapping[str, str | None]) -> None:
    """Set tags; one without a value is emptied where an earlier try of this job has set it."""
    known = run.tags()
    run.set_tags({name: "" if value is None and known.get(name) else value for name, value in tags.items()})


def log_files(run: Run, given: argparse.Namespace, written: Sequence[Path], predictions: Predictions) -> None:
    """Upload every file of the run in one go."""
    with tempfile.TemporaryDirectory() as scratch:
        lay_out(
            Path(scratch),
            written=written,
            plan=given.plan / PLAN_FILE,
            data_dir=given.data,
            scores_dir=given.scores,
            predictions=predictions,
        )
        run.log_artifact(Path(scratch))


def _closing_tags(results: Results, registered: Registration) -> dict[str, str | None]:
    version = registered.version
    return {
        "mlflow.note.content": write_note(results, registered.statement),
        "registered_model": f"{version.name}/{version.number}" if version else None,
        "chosen_as_champion": registered.chosen,
    }


def _read_data_report(data_dir: Path) -> dict[str, Any]:
    path = data_dir / DATA_REPORT
    return read_object(path) if path.is_file() else {}


def _read_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = DoorParser(prog="python -m evaluation.report_results", description=__doc__)
    for name in ("data", "predictions", "scores", "comparison", "plan"):
        parser.add_argument(f"--{name}", type=Path, default=container.channel(name))
    parser.add_argument("--out", type=Path, default=container.model_dir())
    return parser.parse_args(arguments)


if __name__ == "__main__":
    run_door(main)
