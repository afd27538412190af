"""Let a language model judge generated answers, and judge the judge.

    python -m evaluation.judge ROWS PREDICTIONS --model NAME (--endpoint URL | --bedrock [REGION]) --out FILE

An endpoint is any that speaks OpenAI's chat completions; its key is read from OPENAI_API_KEY. The judge is
asked about gold answers first. Below --min-kappa its numbers are withheld, and no prediction is sent. FILE
keeps every verdict, and a run that was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from evaluation.inputs import read_predictions, read_rows_of_any_shape
from evaluation.jsonl import check_output
from evaluation.judge.clients import DEFAULT_TIMEOUT_SECONDS, JudgeClient
from evaluation.judge.run import DEFAULT_SETTINGS, JudgeSettings, judge_predictions
from evaluation.judge.table import table_of_report
from jobs.doors import DoorParser, run_door


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line, judge, and print a table or JSON."""
    given = _read_arguments(arguments)
    inputs = (given.rows, given.predictions)
    for path in filter(None, (given.out, given.gold_out)):
        check_output(path, inputs)
    settings = JudgeSettings(
        given.prompt, given.min_kappa, given.max_gold, given.seed, given.concurrency, given.limit
    )
    read, predictions = read_rows_of_any_shape(given.rows), read_predictions(given.predictions)
    # With --json, stdout holds one object and nothing else.
    with contextlib.redirect_stdout(sys.stderr) if given.json else contextlib.nullcontext():
        report = judge_predictions(
            _client(given), read.rows, predictions, given.out, settings, gold_out=given.gold_out
        ).with_unread([one.cause for one in read.unread])
    print(json.dumps(report.to_json(), indent=1) if given.json else table_of_report(report))


def _client(given: argparse.Namespace) -> JudgeClient:
    # Each library takes a second to import, and only one of them is asked for.
    if given.endpoint is not None:
        from evaluation.judge.openai_client import OpenAIJudge  # noqa: PLC0415

        return OpenAIJudge(given.model, given.endpoint, timeout_seconds=given.timeout)
    from evaluation.judge.bedrock_client import BedrockJudge  # noqa: PLC0415

    return BedrockJudge(
        given.model, given.bedrock or None, timeout_seconds=given.timeout, connections=given.concurrency
    )


def _read_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    default = DEFAULT_SETTINGS
    parser = DoorParser(prog="python -m evaluation.judge", description=__doc__)
    parser.add_argument("rows", type=Path, help="rows in any shape that data.prepare reads")
    parser.add_argument("predictions", type=Path, help="lines of {id, completion}")
    parser.add_argument("--model", required=True, help="the judge, as its server names it")
    server = parser.add_mutually_exclusive_group(required=True)
    server.add_argument("--endpoint", metavar="URL", help="such as http://localhost:8000/v1")
    server.add_argument(
        "--bedrock",
        metavar="REGION",
        nargs="?",
        const="",
        help="Bedrock, in your own region if none is named",
    )
    parser.add_argument("--out", type=Path, required=True, help="the verdicts to write, or to go on with")
    parser.add_argument(
        "--prompt", default=default.prompt, help=f"a version, or a .yaml file ({default.prompt})"
    )
    parser.add_argument("--min-kappa", type=_kappa, default=default.min_kappa, help=f"({default.min_kappa})")
    parser.add_argument(
        "--max-gold", type=_count, default=default.max_gold, help=f"gold answers to ask ({default.max_gold})"
    )
    parser.add_argument("--seed", type=int, default=default.seed, help="draws the gold answers")
    parser.add_argument(
        "--limit", type=_count, help="predictions to ask about, drawn by the seed; all if absent"
    )
    parser.add_argument(
        "--concurrency", type=_some, default=default.concurrency, help=f"at a time ({default.concurrency})"
    )
    parser.add_argument(
        "--timeout",
        type=_seconds,
        metavar="SECONDS",
        default=DEFAULT_TIMEOUT_SECONDS,
        help=f"to wait for a reply before it is asked for again ({DEFAULT_TIMEOUT_SECONDS:g})",
    )
    parser.add_argument(
        "--gold-out", type=Path, metavar="FILE", help="verdicts on gold, to share between predictions files"
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    return parser.parse_args(arguments)


def _kappa(given: str) -> float:
    value = float(given)
    if not -1 <= value <= 1:
        raise argparse.ArgumentTypeError("is not between -1 and 1")
    return value


def _seconds(given: str) -> float:
    value = float(given)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError("is no time to wait")
    return value


def _count(given: str) -> int:
    value = int(given)
    if value < 0:
        raise argparse.ArgumentTypeError("is below 0")
    return value


def _some(given: str) -> int:
    value = _count(given)
    if value == 0:
        raise argparse.ArgumentTypeError("is 0; one request at a time is the least")
    return value


if __name__ == "__main__":
    run_door(main)
