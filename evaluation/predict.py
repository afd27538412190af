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

from evaluation.generation import ENGINES, Decoding, generate_completions
from evaluation.jsonl import read_rows
from evaluation.model import DIGEST_CHARACTERS, Subject, load_subject, peak_memory_gib
from evaluation.multiple_choice import predict_choices
from evaluation.predictions import PredictionFile
from evaluation.suites import SUITES, Suite, suite_files
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
        made_by = json.dumps([subject.digest, asdict(self.decoding)])
        return hashlib.sha256(made_by.encode()).hexdigest()[:DIGEST_CHARACTERS]


@dataclass
class Throughput:
    """What was predicted of a suite by this process, and in which time."""

    rows: int = 0
    seconds: float = 0.0
    prompt_tokens: int = 0
    completion_tokens: int = 0

    def add(self, predictions: Sequence[Mapping[str, Any]], seconds: float) -> None:
        """Count a batch."""
        self.rows += len(predictions)
        self.seconds += seconds
        self.prompt_tokens += sum(one.get("prompt_tokens", 0) for one in predictions)
        self.completion_tokens += sum(one.get("tokens", 0) for one in predictions)

    def to_json(self) -> dict[str, float]:
        """The figures for MLflow: rates only of what was done, tokens only where any were generated."""
        if not self.rows:
            return {"rows_predicted": 0}
        seconds = max(self.seconds, 1e-9)
        rates = {"rows_predicted": self.rows, "rows_per_second": self.rows / seconds}
        if self.completion_tokens:
            rates["prompt_tokens_per_second"] = self.prompt_tokens / seconds
            rates["completion_tokens_per_second"] = self.completion_tokens / seconds
        return rates


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
        print(_line(suite, throughput))


def predict(subject: Subject, works: Sequence[Work], engine: str = "transformers") -> dict[str, Throughput]:
    """Predict what the suites' files still lack; returns what was predicted now, by suite.

    Raises BadInput, or OutOfMemory, where of many rows not one could be predicted.
    """
    made = {work.suite.name: Throughput() for work in works}
    with ExitStack() as opened:
        files = [opened.enter_context(PredictionFile(work.out, work.digest(subject))) for work in works]
        missing = [file.missing(work.rows) for file, work in zip(files, works, strict=True)]
        total = sum(len(work.rows) for work in works)
        step = total - sum(map(len, missing))
        progress = Progress(total, done=step, unit="rows")
        # The longest rows come first: without their sizes the time left would be told too long.
        sizes = [{row["id"]: _size(row) for row in rows} for rows in missing]
        sized, whole = 0, sum(sum(one.values()) for one in sizes)
        errors: list[str] = []
        for work, file, rows, size in zip(works, files, missing, sizes, strict=True):
            started = time.monotonic()
            for batch in _predict_rows(subject, work, rows, engine):
                file.append(batch)
                made[work.suite.name].add(batch, time.monotonic() - started)
                errors += [str(one["error"]) for one in batch if "error" in one]
                step += len(batch)
                sized += sum(size[one["id"]] for one in batch)
                progress.show(step, share=sized / whole)
                started = time.monotonic()
    _refuse_if_all_failed(errors, sum(one.rows for one in made.values()))
    return made


def _predict_rows(
    subject: Subject, work: Work, rows: Sequence[Row], engine: str
) -> Iterator[list[dict[str, Any]]]:
    if not rows:
        return
    if work.suite.kind == "multiple_choice":
        yield from predict_choices(subject, rows)
        return
    if engine != "transformers" and subject.device.type == "cuda":
        # vLLM loads weights of its own, into the memory that is left.
        subject.release()
    yield from generate_completions(subject, rows, work.decoding, engine)


def _size(row: Row) -> int:
    """Characters of a row, which its time goes by, roughly."""
    return len(row["tools"]) + sum(len(str(message.get("content") or "")) for message in row["messages"]) + 1


def _refuse_if_all_failed(errors: Sequence[str], predicted: int) -> None:
    if not errors or len(errors) < predicted:
        return
    cause = f"not one of {predicted} rows could be predicted; the first: {errors[0]}"
    raise OutOfMemory(cause) if errors[0].startswith("OutOfMemoryError") else BadInput(cause)


def _works(given: argparse.Namespace) -> list[Work]:
    if given.suite is None and (given.rows or given.out):
        raise BadInput("--rows and --out belong to one suite: name it with --suite")
    data, out = container.channel("data"), _working_dir()
    if given.suite is None:
        return [_work(path.stem, path, out / path.name, given) for path in suite_files(data)]
    rows = given.rows or data / "suites" / f"{given.suite}.jsonl"
    return [_work(given.suite, rows, given.out or out / f"{given.suite}.jsonl", given)]


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


def _line(suite: str, made: Throughput) -> str:
    if not made.rows:
        return f"{suite}: 0 rows predicted, nothing was missing"
    rate = f"{made.rows / max(made.seconds, 1e-9):.2f} rows a second"
    return f"{suite}: {made.rows} rows predicted in {made.seconds:.1f} s, {rate}"


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
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return value


if __name__ == "__main__":
    run_door(main)
