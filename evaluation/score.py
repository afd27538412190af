"""Score predictions against their rows and print the figures.

    python -m evaluation.score ROWS PREDICTIONS [--bfcl-strict] [--lenient] [--format NAME]
                               [--json] [--out scores.jsonl]

Rows without a usable prediction, and rows that cannot be read, are unscored: counted apart, never zero.

Without --format the format of each text is told from the text itself, so that a call counts also where it is
written in another format than the one that the model's server reads. Name the format to hold a model to it.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from data.rows import Rejection
from evaluation.figures import FIGURES
from evaluation.inputs import read_predictions, read_rows_of_any_shape
from evaluation.jsonl import check_output, write_jsonl
from evaluation.suites import SUITES, Suite
from evaluation.summary import Summary, summarise
from evaluation.tables import table_of_summary
from evaluation.toolcalls import FORMATS, score_suite
from evaluation.toolcalls.score import Score
from evaluation.toolcalls.suite import record_of
from evaluation.toolcalls.values import BFCL_RULES, DEFAULT_RULES
from jobs.doors import BadInput, DoorParser, run_door


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line, score, and print a table or JSON."""
    given = _read_arguments(arguments)
    if given.out:
        check_output(given.out, (given.rows, given.predictions))
    read, predictions = read_rows_of_any_shape(given.rows), read_predictions(given.predictions, given.format)
    suite = _suite_of(predictions, given.predictions, given.suite)
    rules = BFCL_RULES if given.bfcl_strict or suite.rules == "bfcl" else DEFAULT_RULES
    scored = score_suite(read.rows, predictions, rules=rules, lenient=given.lenient)
    unread = {one.id: one for one in read.unread if one.id is not None and one.id not in scored.scores}
    unknown = [name for name in scored.unknown_ids if name not in unread]
    if len(unknown) == len({str(one["id"]) for one in predictions}):
        raise BadInput(f"{given.predictions}: not one of its {len(unknown)} ids is a row of {given.rows}")
    summary = summarise(suite, read.rows, scored.scores).with_unread([one.cause for one in read.unread])
    if given.out:
        no_rows = (record_of(name, Score(None, error=one.cause)) for name, one in unread.items())
        write_jsonl(given.out, (*scored.records(), *no_rows))
    if given.json:
        print(json.dumps(_as_json(summary, unknown, read.unread), indent=1))
    else:
        print(table_of_summary(summary, unknown, read.unread))


def _suite_of(predictions: Sequence[Mapping[str, Any]], path: Path, named: str | None) -> Suite:
    with_choices = [one for one in predictions if "choices" in one]
    if with_choices and any("completion" in one for one in predictions):
        raise BadInput(f"{path}: mixes 'choices' and 'completion', which are measured apart; split the file")
    suite = SUITES[named or ("when2call_mcq" if with_choices else "own")]
    is_told = bool(with_choices) or any("completion" in one for one in predictions)
    if is_told and (suite.kind == "multiple_choice") != bool(with_choices):
        held = "choices" if with_choices else "completions"
        raise BadInput(f"--suite {suite.name}: is of kind {suite.kind}, and {path} holds {held}")
    return suite


def _as_json(summary: Summary, unknown_ids: Sequence[str], unread: Sequence[Rejection]) -> dict[str, Any]:
    metrics = {
        name: {**asdict(one), "of": FIGURES[name].of, "source": FIGURES[name].source}
        for name, one in summary.metrics.items()
    }
    beside = {"unknown_ids": list(unknown_ids), "unread": [asdict(one) for one in unread]}
    return {**asdict(summary), "metrics": metrics, **beside}


def _read_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = DoorParser(prog="python -m evaluation.score", description=__doc__)
    parser.add_argument(
        "rows", type=Path, help="rows in any shape that data.prepare reads: .jsonl, .jsonl.gz or .jsonl.zst"
    )
    parser.add_argument(
        "predictions",
        type=Path,
        help="lines of {id, completion}, the model's text or assistant message, or {id, choices}, in a file "
        "with the same endings",
    )
    parser.add_argument(
        "--format",
        choices=FORMATS,
        help="how texts write calls, where a line does not say; without it each text's own format is told",
    )
    parser.add_argument(
        "--suite",
        choices=SUITES,
        help="give the figures of this suite, by its rules (default: what the file holds)",
    )
    parser.add_argument("--lenient", action="store_true", help="mend calls that are nearly well formed")
    parser.add_argument("--bfcl-strict", action="store_true", help="compare values as BFCL's checker does")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--out", type=_path, help="write scores.jsonl here")
    return parser.parse_args(arguments)


def _path(given: str) -> Path:
    if not given:
        raise argparse.ArgumentTypeError("is empty; name a file")
    return Path(given)


if __name__ == "__main__":
    run_door(main)
