"""Score predictions against their rows and print the figures.

    python -m evaluation.score ROWS PREDICTIONS [--bfcl-strict] [--json] [--out scores.jsonl]

Rows without a usable prediction are unscored: counted apart, never zero.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from evaluation.jsonl import read_jsonl, read_rows, write_jsonl
from evaluation.statistics import Estimate
from evaluation.suites import GENERATED_CALLS, MULTIPLE_CHOICE
from evaluation.summary import Summary, summarise
from evaluation.toolcalls import score_suite
from evaluation.toolcalls.values import BFCL_RULES, DEFAULT_RULES
from jobs.doors import BadInput, DoorParser, run_door


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line, score, and print a table or JSON."""
    given = _read_arguments(arguments)
    rows, predictions = read_rows(given.rows), read_jsonl(given.predictions)
    rules = BFCL_RULES if given.bfcl_strict else DEFAULT_RULES
    scored = score_suite(rows, predictions, rules=rules)
    if rows and len(scored.unknown_ids) == len(predictions):
        raise BadInput(f"{given.predictions}: not one of its {len(predictions)} ids is a row of {given.rows}")
    if given.out:
        write_jsonl(given.out, scored.records())
    suite = MULTIPLE_CHOICE if any("choices" in one for one in predictions) else GENERATED_CALLS
    summary = summarise(suite, rows, scored.scores)
    if given.json:
        print(json.dumps(_as_json(summary, scored.unknown_ids), indent=1))
    else:
        print(_as_table(summary, scored.unknown_ids))


def _as_json(summary: Summary, unknown_ids: Sequence[str]) -> dict[str, Any]:
    return {**asdict(summary), "unknown_ids": list(unknown_ids)}


def _as_table(summary: Summary, unknown_ids: Sequence[str]) -> str:
    lines = [f"{summary.rows} rows, {summary.rows - summary.unscored} scored, {summary.unscored} unscored"]
    lines += [f"  unscored {count} x {cause}" for cause, count in summary.errors.items()]
    if unknown_ids:
        lines.append(f"{len(unknown_ids)} predictions belong to no row, such as {unknown_ids[0]!r}")
    lines += ["", *_figures("metric", summary.metrics), "", *_figures("recall", summary.recall), ""]
    lines += [f"{reason:<26}{count:>7}" for reason, count in {"reason": "rows", **summary.reasons}.items()]
    return "\n".join(lines)


def _figures(title: str, estimates: Mapping[str, Estimate]) -> list[str]:
    lines = [f"{title:<20}{'value':>8}{'95% interval':>18}{'n':>7}"]
    for name, one in estimates.items():
        value = "none" if one.value is None else f"{one.value:.1%}"
        interval = "" if one.low is None or one.high is None else f"{one.low:.1%} to {one.high:.1%}"
        lines.append(f"{name:<20}{value:>8}{interval:>18}{one.n:>7}")
    return lines


def _read_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = DoorParser(prog="python -m evaluation.score", description=__doc__)
    parser.add_argument("rows", type=Path, help="canonical rows, JSON Lines")
    parser.add_argument("predictions", type=Path, help="what evaluation.predict wrote")
    parser.add_argument("--bfcl-strict", action="store_true", help="compare values as BFCL's checker does")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--out", type=Path, help="write scores.jsonl here")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    run_door(main)
