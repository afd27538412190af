"""Compare the variants of a run: comparison.json, report.html and pictures, and the figures in MLflow.

    python -m evaluation.compare [--data DIR] [--predictions DIR] [--scores DIR] [--out DIR]

As a job it takes no arguments. It ends the execution's MLflow run.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from evaluation.comparison import Comparison, compare
from evaluation.completions import Completions, Predictions, find_predictions, read_completions
from evaluation.jsonl import read_jsonl
from evaluation.judge import JudgeReport
from evaluation.judge.variants import JudgeEnvironment, judge_variants
from evaluation.report.page import render_report
from evaluation.report.pictures import draw_pictures
from evaluation.sentences import describe_judge, describe_pair
from evaluation.suites import SUITES
from evaluation.summary import Summary
from jobs import container
from jobs.doors import DoorParser, run_door
from jobs.progress import Progress
from jobs.run import Run, RunReference
from jobs.tracking import resume_parent

STEPS = 4
# The judge's verdicts: a folder a suite, a file a variant.
JUDGEMENTS = "judgements"


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line, compare, write every result and report it to MLflow."""
    given = _read_arguments(arguments)
    progress = Progress(STEPS)
    with resume_parent(given.data) as run:
        reference = RunReference.read(given.data)
        run_id = container.read_environment().run_id or reference.run_id
        comparison = compare(run_id, given.data, given.scores)
        progress.show(1)
        predictions = find_predictions(given.predictions)
        comparison = replace(comparison, judge=judge_suites(comparison, predictions, given.out / JUDGEMENTS))
        progress.show(2)
        written = write_results(comparison, read_completions(predictions), given.out)
        progress.show(3)
        report_to_mlflow(run, comparison, written)
        progress.show(STEPS)
    print(table_of(comparison))
    print(f"results: {given.out}")


def write_results(comparison: Comparison, completions: Completions, out: Path) -> list[Path]:
    """Write ``comparison.json``, the pictures and ``report.html`` into `out`, and return their paths."""
    out.mkdir(parents=True, exist_ok=True)
    figures = out / "comparison.json"
    figures.write_text(json.dumps(comparison.to_json(), indent=1, allow_nan=False) + "\n", encoding="utf-8")
    pictures = draw_pictures(comparison, out)
    report = out / "report.html"
    # A model may write an unpaired surrogate, which UTF-8 cannot carry.
    page = render_report(comparison, completions, pictures)
    report.write_text(page, encoding="utf-8", errors="replace")
    return [figures, report, *pictures]


def judge_suites(
    comparison: Comparison, predictions: Predictions, out: Path
) -> dict[str, dict[str, JudgeReport]]:
    """Have a language model judge the suites whose file names a prompt for it; the rest has no entry."""
    judge = JudgeEnvironment.read(os.environ)
    reports = {}
    for suite, rows in comparison.rows.items():
        prompt = SUITES[suite].judge
        if prompt is not None:
            files = predictions.get(suite, {})
            answers = {
                variant: [one for path in files.get(variant, ()) for one in read_jsonl(path)]
                for variant in comparison.summaries[suite]
            }
            reports[suite] = judge_variants(judge, prompt, rows, answers, out / suite)
    return reports


def metrics_of(comparison: Comparison) -> dict[str, float]:
    """The figures for MLflow, named ``suite/metric/variant``.

    MLflow's pages put the metrics with one prefix into one section, so the variants of a metric stand side by
    side; several executions compare by equal names. Each metric is a chart there, so that only those of the
    suite's tables and the recall are logged; the table holds every figure.
    """
    judged = {
        f"{suite}/judge_{name}/{variant}": one.value
        for suite, reports in comparison.judge.items()
        for variant, report in reports.items()
        for name, one in report.metrics.items()
        if one.value is not None
    }
    return judged | {
        f"{suite}/{name}/{variant}": one.value
        for suite, summaries in comparison.summaries.items()
        for variant, summary in summaries.items()
        for name, one in _named_estimates(summary).items()
        if one.value is not None and (name in SUITES[suite].shown or name not in summary.metrics)
    }


def report_to_mlflow(run: Run, comparison: Comparison, written: Sequence[Path]) -> None:
    """Log figures, files and a table to the execution's run, and say the result in its description."""
    run.log_metrics(metrics_of(comparison))
    for path in written:
        run.log_artifact(path)
    run.set_tags({"variants": ",".join(comparison.variants), "mlflow.note.content": _as_markdown(comparison)})
    if run.run_id:
        # MLflow takes two seconds to import, which only a tracked job should pay.
        import mlflow  # noqa: PLC0415

        table = _as_columns(comparison)
        mlflow.MlflowClient().log_table(run.run_id, data=table, artifact_file="comparison_table.json")


def table_of(comparison: Comparison) -> str:
    """The comparison as text, a line a variant and suite."""
    lines = []
    for suite, summaries in comparison.summaries.items():
        names = SUITES[suite].shown
        lines.append(f"{suite:<22}" + "".join(f"{name:>24}" for name in names) + f"{'scored':>10}")
        for variant, summary in summaries.items():
            cells = "".join(f"{_cell(summary, name):>24}" for name in names)
            lines.append(f"  {variant:<20}{cells}{summary.rows - summary.unscored:>10}")
    lines += [f"{pair.suite}: {describe_pair(pair)}" for pair in comparison.pairs]
    for suite, reports in comparison.judge.items():
        lines += [
            f"{suite}, judge of {variant}: {describe_judge(report)}" for variant, report in reports.items()
        ]
    return "\n".join(lines)


def _cell(summary: Summary, metric: str) -> str:
    one = summary.metrics[metric]
    if one.value is None or one.low is None or one.high is None:
        return "none"
    return f"{one.value:.1%} ({one.low:.1%}-{one.high:.1%})"


def _named_estimates(summary: Summary) -> dict[str, Any]:
    return {**summary.metrics, **{f"recall_{name}": one for name, one in summary.recall.items()}}


def _as_columns(comparison: Comparison) -> dict[str, list[Any]]:
    columns: dict[str, list[Any]] = {
        name: [] for name in ("suite", "variant", "metric", "value", "low", "high", "n")
    }
    for suite, summaries in comparison.summaries.items():
        for variant, summary in summaries.items():
            for name, one in _named_estimates(summary).items():
                cells = (suite, variant, name, one.value, one.low, one.high, one.n)
                for column, cell in zip(columns.values(), cells, strict=True):
                    column.append(cell)
    return columns


def _as_markdown(comparison: Comparison) -> str:
    lines = []
    for suite, summaries in comparison.summaries.items():
        names = SUITES[suite].shown
        lines += [
            f"**{suite}**",
            "",
            "| variant | " + " | ".join(names) + " |",
            "|---" * (len(names) + 1) + "|",
        ]
        for variant, summary in summaries.items():
            lines.append(f"| {variant} | " + " | ".join(_cell(summary, name) for name in names) + " |")
        lines += (
            [""] + [f"- {describe_pair(pair)}" for pair in comparison.pairs if pair.suite == suite] + [""]
        )
    return "\n".join(lines)


def _read_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = DoorParser(prog="python -m evaluation.compare", description=__doc__)
    parser.add_argument("--data", type=Path, default=container.channel("data"))
    parser.add_argument("--predictions", type=Path, default=container.channel("predictions"))
    parser.add_argument("--scores", type=Path, default=container.channel("scores"))
    parser.add_argument("--out", type=Path, default=container.model_dir())
    return parser.parse_args(arguments)


if __name__ == "__main__":
    run_door(main)
