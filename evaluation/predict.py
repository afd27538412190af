"""Predict test suites with a model: multiple choice by log-likelihood, calls by greedy generation.

    python -m evaluation.predict --model DIR --suite NAME --rows FILE --out FILE [--recipe YAML]

As a job it takes ``--recipe`` alone and predicts every suite of the data channel. Rows that the predictions
file holds already are not predicted again.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evaluation.generation import DEFAULT_MAX_NEW_TOKENS, generate_completions
from evaluation.jsonl import read_rows
from evaluation.model import Subject, load_subject, peak_memory_gib
from evaluation.multiple_choice import predict_choices
from evaluation.predictions import PredictionFile
from evaluation.suites import SUITES, suite_files
from jobs import container
from jobs.doors import BadInput, DoorParser, OutOfMemory, run_door
from jobs.progress import Progress
from jobs.tracking import child_run

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Work:
    """One suite to predict: its rows and where their predictions go."""

    suite: str
    rows: Sequence[Row]
    out: Path


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line, load the model and predict every suite that is asked for."""
    given = _read_arguments(arguments)
    model = given.model or container.channel("model")
    variant = container.read_environment().variant
    name = f"predict-{variant}" if variant else "predict"
    # All that can fail is inside, so that a failure shows in MLflow as one.
    with child_run(name, container.channel("data"), base_model=model if variant == "base" else None) as run:
        works = _works(given)
        subject = load_subject(model, given.recipe)
        run.set_tags({"model_digest": subject.digest})
        run.log_params({"suites": ",".join(work.suite for work in works), "tool_call_format": subject.format})
        started = time.monotonic()
        predicted = predict(subject, works, given.max_new_tokens)
        seconds = max(time.monotonic() - started, 1e-9)
        run.log_metrics(
            {
                "rows_predicted": predicted,
                "rows_per_second": predicted / seconds,
                "peak_memory_gib": peak_memory_gib(subject.device),
            }
        )
    print(f"{predicted} rows predicted in {seconds:.1f} s, {predicted / seconds:.2f} a second")


def predict(subject: Subject, works: Sequence[Work], max_new_tokens: int = DEFAULT_MAX_NEW_TOKENS) -> int:
    """Predict what the suites' files still lack, and return the number of rows predicted now.

    Raises BadInput, or OutOfMemory, where of many rows not one could be predicted.
    """
    total = sum(len(work.rows) for work in works)
    files = [PredictionFile(work.out, subject.digest) for work in works]
    missing = [file.missing(work.rows) for file, work in zip(files, works, strict=True)]
    before = step = total - sum(len(rows) for rows in missing)
    progress = Progress(total, done=before)
    errors: list[str] = []
    for work, file, rows in zip(works, files, missing, strict=True):
        for batch in _predict_rows(subject, work.suite, rows, max_new_tokens):
            file.append(batch)
            errors += [str(one["error"]) for one in batch if "error" in one]
            step += len(batch)
            progress.show(step)
    _refuse_if_all_failed(errors, step - before)
    return step - before


def _predict_rows(
    subject: Subject, suite: str, rows: Sequence[Row], max_new_tokens: int
) -> Iterator[list[dict[str, Any]]]:
    if SUITES[suite].kind == "generation":
        yield from generate_completions(subject, rows, max_new_tokens)
        return
    for row in rows:
        try:
            yield [predict_choices(subject, row)]
        except (BadInput, RuntimeError) as error:
            yield [{"id": row["id"], "error": f"{type(error).__name__}: {error}"}]


def _refuse_if_all_failed(errors: Sequence[str], predicted: int) -> None:
    if not errors or len(errors) < predicted:
        return
    cause = f"not one of {predicted} rows could be predicted; the first: {errors[0]}"
    raise OutOfMemory(cause) if errors[0].startswith("OutOfMemoryError") else BadInput(cause)


def _works(given: argparse.Namespace) -> list[Work]:
    if given.suite is None and (given.rows or given.out):
        raise BadInput("--rows and --out belong to one suite: name it with --suite")
    data, out = container.channel("data"), container.model_dir()
    if given.suite is None:
        return [Work(path.stem, read_rows(path), out / path.name) for path in suite_files(data)]
    rows = given.rows or data / "suites" / f"{given.suite}.jsonl"
    return [Work(given.suite, read_rows(rows), given.out or out / f"{given.suite}.jsonl")]


def _read_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = DoorParser(prog="python -m evaluation.predict", description=__doc__)
    parser.add_argument("--model", type=Path, help="folder of a Hugging Face model")
    parser.add_argument("--suite", choices=list(SUITES), help="the suite that --rows holds")
    parser.add_argument("--rows", type=Path, help="canonical rows, JSON Lines")
    parser.add_argument("--out", type=Path, help="the predictions file to write or to go on with")
    parser.add_argument("--recipe", type=Path, help="YAML with chat_template and tool_call_format")
    parser.add_argument("--max-new-tokens", type=int, default=DEFAULT_MAX_NEW_TOKENS)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    run_door(main)
