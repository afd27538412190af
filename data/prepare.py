"""Prepare rows: `python -m data.prepare SOURCE --out DIR` writes canonical rows and a report on them.

As a job it also creates the execution's MLflow parent run, with the rows as its inputs.
"""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data.charts import draw_report
from data.hub import fetch_model
from data.output import (
    MULTIPLE_CHOICE,
    OWN,
    REJECTED,
    TRAIN_PREFERENCE,
    TRAIN_SFT,
    multiple_choice_suite,
    own_suite,
    write_rejected,
    write_report,
    write_rows,
)
from data.readers import Collection, RowFile, check_rejected, read_files
from data.report import Measure, describe_collection, list_warnings, measure_characters, profile_rows
from data.request import Request, read_request
from data.rows import Row
from data.sampling import cap_rows
from data.sources import Source, find_source
from jobs.container import channel, read_environment
from jobs.doors import BadInput, run_door
from jobs.progress import Progress
from jobs.run import Run, RunReference
from jobs.tracking import start_parent

STEPS = 4


@dataclass(frozen=True)
class Prepared:
    """What a preparation made, and from what."""

    data_hash: str
    base_model_revision: str | None
    sources: Mapping[str, Source]


def main(arguments: Sequence[str] | None = None) -> None:
    """Prepare, and report it to MLflow where the job is tracked. Raises BadInput."""
    request = read_request(arguments)
    environment = read_environment()
    with start_parent(environment.run_id) as parent:
        prepared = prepare(request)
        tags = {"data_hash": prepared.data_hash, "base_model_revision": prepared.base_model_revision}
        parent.set_tags(tags)
        ids = (environment.run_id or None, parent.experiment_id, parent.run_id)
        RunReference(*ids, **tags).write(request.out)
        _log(parent, request, prepared)
    print(f"prepared {request.out}: data {prepared.data_hash[:12]}", flush=True)


def prepare(request: Request) -> Prepared:
    """Read, check, sample, write and report. Raises BadInput; `rejected.jsonl` alone is then written."""
    progress = Progress(STEPS)
    with tempfile.TemporaryDirectory() as downloads:
        sources, files = _find(request, Path(downloads))
        progress.show(1)
        collection = read_files(files)
    write_rejected(collection.rejections, request.out)
    check_rejected(collection)
    splits = _split(collection, request)
    progress.show(2)
    revision = fetch_model(request.base_model, request.out / "base_model") if request.base_model else None
    data_hash = write_rows(splits, request.out)
    progress.show(3)
    report = _report(collection, splits, sources, request, data_hash)
    write_report(report, request.out)
    draw_report(report, request.out / "report.png")
    _print_summary(report)
    progress.show(STEPS)
    return Prepared(data_hash, revision, sources)


def _find(request: Request, downloads: Path) -> tuple[dict[str, Source], list[RowFile]]:
    """Find each source once, and list what to read from it.

    Only a lone file may leave out the test rows: a data set without them can train and compare nothing.
    """
    names = [*request.named.values(), *([request.source] if request.source else [])]
    sources = {name: find_source(name, downloads) for name in dict.fromkeys(names)}
    files = [file for purpose, name in request.named.items() for file in sources[name].of(purpose)]
    if request.source:
        files += [file for file in sources[request.source].files if file.purpose not in request.named]
    if not any(file.purpose in ("test", None) for file in files):
        raise BadInput(
            f"{', '.join(sources)}: no test rows there, so nothing could be compared; add *test*.jsonl"
        )
    return sources, files


def _split(collection: Collection, request: Request) -> dict[str, list[Row]]:
    """The rows of each file to write, capped. Raises BadInput where a source named for a purpose has none."""
    for purpose, name in request.named.items():
        if not collection.of(purpose):
            raise BadInput(
                f"{name}: no {purpose} rows there, and they were asked for; add them, or leave the "
                f"variants out that need them"
            )
    test = collection.of("test")
    uncapped = {
        TRAIN_SFT: (collection.of("sft"), request.caps["sft"]),
        TRAIN_PREFERENCE: (collection.of("preference"), request.caps["preference"]),
        MULTIPLE_CHOICE: (multiple_choice_suite(test), request.caps["test"]),
        OWN: (own_suite(test), request.caps["test"]),
    }
    return {name: cap_rows(rows, cap, request.seed) for name, (rows, cap) in uncapped.items()}


def _report(
    collection: Collection,
    splits: Mapping[str, list[Row]],
    sources: Mapping[str, Source],
    request: Request,
    data_hash: str,
) -> dict[str, Any]:
    measure = _measure(request)
    return {
        "data_hash": data_hash,
        "sources": [source.describe() for source in sources.values()],
        "seed": request.seed,
        "caps": dict(request.caps),
        **describe_collection(collection),
        "splits": {Path(file).stem: profile_rows(rows, measure) for file, rows in splits.items()},
        "warnings": list_warnings(splits[TRAIN_SFT], splits[TRAIN_PREFERENCE], splits[OWN]),
    }


def _measure(request: Request) -> Measure:
    """Tokens where a tokenizer is at hand whose template shows tools, else characters."""
    staged = [request.tokenizer] if request.tokenizer else [request.out / "base_model", channel("model")]
    model = next((path for path in staged if (path / "tokenizer_config.json").is_file()), None)
    if model is None and request.tokenizer:
        raise BadInput(f"--tokenizer {request.tokenizer}: holds no tokenizer_config.json")
    if model is not None:
        # Only now: transformers takes seconds to import, and most preparations measure characters.
        from data.tokens import measure_tokens  # noqa: PLC0415

        measure = measure_tokens(model, request.chat_template)
        if measure is not None:
            return measure
        print(f"lengths are in characters: the chat template of {model} leaves tools out", flush=True)
    return Measure("characters", measure_characters)


def _log(parent: Run, request: Request, prepared: Prepared) -> None:
    """Record the written rows as the execution's inputs, with where they came from, and the report."""
    origin = " ".join(source.uri for source in prepared.sources.values())
    for file in (TRAIN_SFT, TRAIN_PREFERENCE, MULTIPLE_CHOICE, OWN):
        context = "training" if file in (TRAIN_SFT, TRAIN_PREFERENCE) else "evaluation"
        parent.log_dataset(request.out / file, name=Path(file).stem, context=context, source=origin)
    for artifact in ("report.json", "report.png", REJECTED):
        parent.log_artifact(request.out / artifact, "data")


def _print_summary(report: Mapping[str, Any]) -> None:
    rows = report["rows"]
    print(f"{rows['read']} rows read, {rows['rejected']} rejected, {rows['merged_tests']} tests merged by id")
    for name, split in report["splits"].items():
        counts = ", ".join(f"{count} {decision}" for decision, count in split["decisions"].items() if count)
        print(f"{name}: {split['rows']} rows ({counts or 'none'})")
    for warning in report["warnings"]:
        print(f"warning: {warning}")


if __name__ == "__main__":
    run_door(main)
