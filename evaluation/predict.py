"""Predict test suites with a model: multiple choice by log-likelihood, everything else by what it writes.

    python -m evaluation.predict --model DIR --suite NAME --rows FILE --out FILE [--recipe YAML]

As a job it takes ``--recipe`` and predicts every suite of the data channel. Rows that the predictions file
holds already are not predicted again, so a killed run is gone on with by the same command, and a finished one
does nothing.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from evaluation.generation import ENGINES, Decoding, find_engine, generate_completions
from evaluation.jsonl import check_output, read_rows
from evaluation.model import DIGEST_CHARACTERS, Subject, load_subject, peak_memory_gib
from evaluation.multiple_choice import predict_choices
from evaluation.predictions import PredictionFile
from evaluation.suites import SUITES, Suite, suite_files
from evaluation.throughput import Throughput
from jobs import container
from jobs.doors import BadInput, DoorParser, OutOfMemory, run_door
from jobs.progress import Progress
from jobs.tracking import child_run

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Work:
    """One suite to predict: its rows, where their predictions go, and how completions are decoded."""

    suite: Suite
    rows: Sequence[Row]
    out: Path
    decoding: Decoding

    def digest(self, subject: Subject) -> str:
        """The same for the same model and, where completions are generated, the same decoding."""
        if self.suite.kind == "multiple_choice":
            return subject.digest
        decoding = self.decoding
        if decoding.is_greedy:
            # What only samples depend on.
            decoding = replace(decoding, temperature=0.0, top_p=1.0, top_k=0, seed=0)
        made_by = json.dumps([subject.digest, asdict(decoding)])
        return hashlib.sha256(made_by.encode()).hexdigest()[:DIGEST_CHARACTERS]


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line, load the model and predict every suite that is asked for."""
    given = _read_arguments(arguments)
    model = given.model or container.channel("model")
    variant = container.read_environment().variant
    name = f"predict-{variant}" if variant else "predict"
    # All that can fail is inside, so that a failure shows in MLflow as one.
    with child_run(name, container.channel("data"), base_model=model if variant == "base" else None) as run:
        works = _works(given)
        subject = load_subject(model, given.recipe, few_shot=given.few_shot)
        run.set_tags({"model_digest": subject.digest})
        run.log_params(_params(subject, works, given.engine))
        predicted = predict(subject, works, given.engine)
        for suite, throughput in predicted.items():
            run.log_metrics({f"{name}/{suite}": value for name, value in throughput.to_json().items()})
        run.log_metrics({"peak_memory_gib": peak_memory_gib(subject.device)})
        if given.out is None:
            _deliver(works)
    for suite, throughput in predicted.items():
        print(f"{suite}: {throughput}")


def predict(subject: Subject, works: Sequence[Work], engine: str = "transformers") -> dict[str, Throughput]:
    """Predict what the suites' files still lack; returns what was predicted now, by suite.

    Raises BadInput, or OutOfMemory, where of a suite not one row could be predicted, now or before.
    """
    with ExitStack() as opened:
        files = [
            opened.enter_context(PredictionFile(work.out, work.digest(subject), work.rows)) for work in works
        ]
        progress = _RowProgress(works, files)
        made = {
            work.suite.name: _predict_suite(subject, work, file, engine, progress)
            for work, file in zip(works, files, strict=True)
        }
        for work, file in zip(works, files, strict=True):
            _refuse_if_all_failed(work, file.failure)
    return made


class _RowProgress:
    """How far all suites are, by rows and by their sizes.

    The longest rows come first: without their sizes the time left would be told too long.
    """

    def __init__(self, works: Sequence[Work], files: Sequence[PredictionFile]) -> None:
        total = sum(len(work.rows) for work in works)
        self._step = total - sum(len(file.missing) for file in files)
        self._sized, self._whole = 0, sum(_size(row) for file in files for row in file.missing)
        self._shown = Progress(total, done=self._step, unit="rows")

    def add(self, rows: Sequence[Row]) -> None:
        """Say that these are predicted."""
        self._step += len(rows)
        self._sized += sum(map(_size, rows))
        self._shown.show(self._step, share=self._sized / self._whole)


def _predict_suite(
    subject: Subject, work: Work, file: PredictionFile, engine: str, progress: _RowProgress
) -> Throughput:
    made, rows = Throughput(), {row["id"]: row for row in file.missing}
    started = time.monotonic()
    for batch in _predict_rows(subject, work, file.missing, engine):
        file.append(batch)
        made.add(batch, time.monotonic() - started)
        progress.add([rows[one["id"]] for one in batch])
        started = time.monotonic()
    return made


def _predict_rows(
    subject: Subject, work: Work, rows: Sequence[Row], engine: str
) -> Iterator[list[dict[str, Any]]]:
    if not rows:
        return
    if work.suite.kind == "multiple_choice":
        yield from predict_choices(subject, rows)
        return
    if find_engine(engine) == "vllm":
        # It loads weights of its own, into the memory that is left.
        subject.release()
    yield from generate_completions(subject, rows, work.decoding, engine)


def _size(row: Row) -> int:
    """Characters of a row, which its time goes by, roughly."""
    return len(row["tools"]) + len(str(row["messages"]))


def _refuse_if_all_failed(work: Work, failure: str | None) -> None:
    if failure is None:
        return
    cause = f"{work.suite.name}: not one of {len(work.rows)} rows could be predicted; the first: {failure}"
    raise OutOfMemory(cause) if failure.startswith("OutOfMemoryError") else BadInput(cause)


def _works(given: argparse.Namespace) -> list[Work]:
    data = container.channel("data")
    if given.suite is None:
        if given.rows or given.out:
            raise BadInput("--rows and --out belong to one suite: name it with --suite")
        return [_work(path.stem, path, _working_dir() / path.name, given) for path in suite_files(data)]
    rows = given.rows or data / "suites" / f"{given.suite}.jsonl"
    if given.out is None and not container.model_dir().parent.is_dir():
        raise BadInput("--out is absent: name the predictions file to write")
    out = given.out or _working_dir() / f"{given.suite}.jsonl"
    check_output(out, [rows])
    if SUITES[given.suite].kind == "multiple_choice" and _decoding(given) != Decoding():
        raise BadInput(f"--suite {given.suite}: is scored by likelihood; leave the options of decoding out")
    work = _work(given.suite, rows, out, given)
    if not work.rows:
        raise BadInput(f"{rows}: holds no row")
    return [work]


def _work(name: str, rows: Path, out: Path, given: argparse.Namespace) -> Work:
    suite = SUITES[name]
    longest = given.max_new_tokens or suite.max_new_tokens
    return Work(suite, read_rows(rows), out, replace(_decoding(given), max_new_tokens=longest))


def _decoding(given: argparse.Namespace) -> Decoding:
    return Decoding(
        temperature=given.temperature,
        top_p=given.top_p,
        top_k=given.top_k,
        seed=given.seed,
        constrained=given.constrained,
    )


def _working_dir() -> Path:
    """Where a job writes: the folder that a job started in its place finds again, if the platform has one."""
    kept = container.checkpoint_dir()
    return kept if kept.is_dir() else container.model_dir()


def _deliver(works: Sequence[Work]) -> None:
    """Put whole predictions where the platform takes a job's result from."""
    container.model_dir().mkdir(parents=True, exist_ok=True)
    for work in works:
        target = container.model_dir() / work.out.name
        if work.out != target:
            shutil.copyfile(work.out, target)


def _params(subject: Subject, works: Sequence[Work], engine: str) -> dict[str, object]:
    decodings = [work.decoding for work in works if work.suite.kind == "generation"]
    shared = asdict(decodings[0]) if decodings else {}
    shared.pop("max_new_tokens", None)
    return {
        "suites": ",".join(work.suite.name for work in works),
        "tool_call_format": subject.format,
        "few_shot": subject.few_shot is not None,
        "engine": engine,
        **shared,
    }


def _read_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = DoorParser(prog="python -m evaluation.predict", description=__doc__)
    parser.add_argument("--model", type=Path, help="folder of a Hugging Face model")
    parser.add_argument("--suite", choices=list(SUITES), help="the suite that --rows holds")
    parser.add_argument("--rows", type=Path, help="canonical rows, JSON Lines")
    parser.add_argument("--out", type=Path, help="the predictions file to write or to go on with")
    parser.add_argument("--recipe", type=Path, help="YAML with chat_template and tool_call_format")
    parser.add_argument(
        "--few-shot", action="store_true", help="put the recipe's few_shot_prompt before rows"
    )
    decoding = parser.add_argument_group("decoding, greedy by default")
    decoding.add_argument("--max-new-tokens", type=_positive, metavar="N", help="default: the suite's own")
    decoding.add_argument("--temperature", type=float, default=0.0, metavar="T", help="0 is greedy")
    decoding.add_argument("--top-p", type=float, default=1.0, metavar="P")
    decoding.add_argument("--top-k", type=int, default=0, metavar="K", help="0 is off")
    decoding.add_argument("--seed", type=int, default=0, help="of the samples")
    decoding.add_argument(
        "--constrained", action="store_true", help="calls satisfy the schemas of their tools"
    )
    decoding.add_argument("--engine", choices=ENGINES, default="auto", help="auto: vLLM on a GPU that has it")
    return parser.parse_args(arguments)


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: give a whole number from 1")
    return int(text)


if __name__ == "__main__":
    run_door(main)
