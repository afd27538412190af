"""Compare the variants of a run: statistics and judge into comparison.json, the table on the screen.

    python -m evaluation.compare [--data DIR] [--predictions DIR] [--scores DIR] [--out DIR]

As a job it takes no arguments. `evaluation.report_results` makes pages of what it writes, once the gate has
read it.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from evaluation.comparison import Comparison, compare
from evaluation.completions import Predictions, find_predictions
from evaluation.jsonl import read_jsonl
from evaluation.judge import JudgeReport
from evaluation.judge.variants import JudgeEnvironment, judge_variants
from evaluation.rounding import write_number
from evaluation.sentences import describe_judge, describe_pair
from evaluation.suites import SUITES
from evaluation.summary import Summary
from jobs import container
from jobs.doors import DoorParser, run_door
from jobs.progress import Progress
from jobs.run import RunReference
from jobs.tracking import resume_parent

STEPS = 2
# The judge's verdicts: a folder a suite, a file a variant.
JUDGEMENTS = "judgements"


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line, compare, judge where a suite asks for it, and write every figure."""
    given = _read_arguments(arguments)
    progress = Progress(STEPS)
    with resume_parent(given.data):
        run_id = container.read_environment().run_id or RunReference.read(given.data).run_id
        comparison = compare(run_id, given.data, given.scores)
        progress.show(1)
        judged = judge_suites(comparison, find_predictions(given.predictions), given.out / JUDGEMENTS)
        comparison = replace(comparison, judge=judged)
        write_comparison(comparison, given.out)
        progress.show(STEPS)
    print(table_of(comparison))
    print(f"results: {given.out}")


def write_comparison(comparison: Comparison, out: Path) -> Path:
    """Write ``comparison.json`` into `out`, and return its path."""
    out.mkdir(parents=True, exist_ok=True)
    path = out / "comparison.json"
    path.write_text(json.dumps(comparison.to_json(), indent=1, allow_nan=False) + "\n", encoding="utf-8")
    return path


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
    value, low, high = (write_number(100 * share) for share in (one.value, one.low, one.high))
    return f"{value}% ({low}%-{high}%)"


def _read_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = DoorParser(prog="python -m evaluation.compare", description=__doc__)
    parser.add_argument("--data", type=Path, default=container.channel("data"))
    parser.add_argument("--predictions", type=Path, default=container.channel("predictions"))
    parser.add_argument("--scores", type=Path, default=container.channel("scores"))
    parser.add_argument("--out", type=Path, default=container.model_dir())
    return parser.parse_args(arguments)


if __name__ == "__main__":
    run_door(main)
