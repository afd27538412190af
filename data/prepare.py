"""Prepare rows: `python -m data.prepare SOURCE --out DIR` writes canonical rows and a report on them.

As a job it also creates the execution's MLflow parent run, with the rows as its inputs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data.hub import fetch_model
from data.intake import find_rows, take_rows
from data.objects import fetch_objects
from data.output import (
    BASE_MODEL,
    PICTURE,
    REJECTED,
    REPORT,
    draft,
    write_report,
)
from data.overlap import OVERLAP
from data.rejections import Rejections
from data.report.charts import draw_report
from data.report.warnings import list_warnings
from data.request import Request, read_request
from data.rows import PURPOSES
from data.sources import Source
from data.splits import TRAINED, write_splits
from data.store import RowStore
from data.suites import file_of
from jobs.container import channel, read_environment
from jobs.doors import BadInput, run_door
from jobs.progress import Progress
from jobs.run import Run, RunReference
from jobs.tracking import start_parent

if TYPE_CHECKING:
    from data.tokens import Rendering

WRITTEN = 100
TOKENIZER_FILES = (".json", ".jinja", ".txt", ".model")


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
    roots = (channel("code").parent,) if environment.training_job_name else None
    with start_parent(environment.run_id) as parent:
        prepared = prepare(request, roots)
        tags = {"data_hash": prepared.data_hash, "base_model_revision": prepared.base_model_revision}
        parent.set_tags(tags)
        ids = (environment.run_id or None, parent.experiment_id, parent.run_id)
        RunReference(*ids, **tags).write(request.out)
        _log(parent, request, prepared)
    print(f"prepared {request.out}: data {prepared.data_hash[:12]}", flush=True)


def prepare(request: Request, roots: Sequence[Path] | None = None) -> Prepared:
    """Read, check, compare, sample, write and report.

    `roots`: the folders that local sources must lie in; None for anywhere. Raises BadInput; then nothing is
    written but `rejected.jsonl` and `overlap.jsonl`, and an earlier preparation in the folder is kept.
    """
    progress = Progress(WRITTEN)
    with draft(request.out) as made:
        found = find_rows(request, made.work / "downloads", roots)
        made.needed_bytes = found.space_needed()
        with RowStore(made.work, request.seed) as store:
            taken = take_rows(found, store, made, request, roots, progress)
            fetched = made.folder / BASE_MODEL
            revision = fetch_model(request.base_model, fetched) if request.base_model else None
            rendering = _load_rendering(request, fetched, made.work / "tokenizer")
            splits = write_splits(store, made.folder, request, rendering, progress)
            rows = describe_rows(store, taken.read, taken.rejections)
        sources = {**found.sources, **({} if taken.bfcl is None else {taken.bfcl.uri: taken.bfcl})}
        overlap = taken.overlap
        report = {
            "data_hash": splits.data_hash,
            "sources": [source.describe() for source in sources.values()],
            "seed": request.seed,
            "caps": dict(request.caps),
            "rows": rows,
            "rejected": taken.rejections.describe(),
            "overlap": overlap.to_json(),
            **({} if taken.conversations is None else {"conversations": taken.conversations.to_json()}),
            "splits": splits.profiles,
            "warnings": [
                *list_warnings(splits.profiles, rows=rows, overlap=overlap.to_json()),
                *overlap.warnings(),
                *splits.warnings,
                *(warning for source in sources.values() for warning in source.warnings()),
            ],
        }
        write_report(report, made.folder)
        draw_report(report, made.folder / PICTURE)
        made.publish()
    _print_summary(report)
    progress.show(WRITTEN)
    return Prepared(splits.data_hash, revision, sources)


def describe_rows(store: RowStore, read: int, rejections: Rejections) -> dict[str, Any]:
    """The report's `rows`.

    `duplicates`: dropped rows as `exact` and `normalised` (both integers), `by_purpose` and `by_source`.
    `conflicts`: questions that SFT rows answer in contradiction. `kept`: by purpose, without the turns of
    conversations, which are no items of their own.
    """
    kinds: dict[str, int] = {"exact": 0, "normalised": 0}
    purposes = dict.fromkeys(PURPOSES, 0)
    sources: dict[str, dict[str, int]] = {}
    for (purpose, kind, source), count in store.duplicates.items():
        kinds[kind] += count
        purposes[purpose] += count
        of_source = sources.setdefault(source, {"exact": 0, "normalised": 0})
        of_source[kind] += count
    kept = {purpose: store.count(purpose) for purpose in PURPOSES}
    kept["test"] -= store.count_turns()
    return {
        "read": read,
        "rejected": rejections.count,
        "duplicates": {**kinds, "by_purpose": purposes, "by_source": sources},
        "conflicts": store.count_conflicts(),
        "merged_tests": store.merged,
        "kept": kept,
    }


def _load_rendering(request: Request, fetched: Path, download_dir: Path) -> "Rendering | None":
    """How the model sees rows, where its tokenizer is at hand; without one, characters are measured."""
    for file in (*request.recipes, *([request.chat_template] if request.chat_template else [])):
        if not file.is_file():
            raise BadInput(f"{file}: there is no such file; mend --recipe or --chat-template")
    named = _tokenizer_folder(request.tokenizer, download_dir)
    staged = [named] if named else [fetched, channel("model")]
    model = next((path for path in staged if (path / "tokenizer_config.json").is_file()), None)
    if model is None and request.tokenizer:
        raise BadInput(f"--tokenizer {request.tokenizer}: holds no tokenizer_config.json")
    if model is None:
        if request.recipes:
            print("no tokenizer is at hand: calls are not tried in the recipe's format", flush=True)
        return None
    # Only now: transformers takes seconds to import, and most preparations measure characters.
    from data.tokens import load_rendering  # noqa: PLC0415

    rendering = load_rendering(
        model, request.chat_template, request.recipes, must_carry_tools=bool(request.tokenizer)
    )
    if rendering.measure is None:
        print(f"lengths are in characters: the chat template of {model} leaves tools out", flush=True)
    return rendering


def _tokenizer_folder(name: str | None, download_dir: Path) -> Path | None:
    if name is None or not name.startswith("s3://"):
        return None if name is None else Path(name)
    return fetch_objects(name, download_dir, TOKENIZER_FILES).folder


def _log(parent: Run, request: Request, prepared: Prepared) -> None:
    """Record the written rows as the execution's inputs, with where they came from, and the report."""
    origin = " ".join(source.uri for source in prepared.sources.values())
    for file in (*TRAINED, *map(file_of, request.suites)):
        context = "training" if file in TRAINED else "evaluation"
        parent.log_dataset(request.out / file, name=Path(file).stem, context=context, source=origin)
    for artifact in (REPORT, PICTURE, REJECTED, OVERLAP):
        parent.log_artifact(request.out / artifact, "data")


def _print_summary(report: Mapping[str, Any]) -> None:
    rows, overlap = report["rows"], report["overlap"]
    duplicates = rows["duplicates"]
    print(
        f"{rows['read']} rows read, {rows['rejected']} rejected, {rows['merged_tests']} tests merged by id; "
        f"dropped: {duplicates['exact']} exact and {duplicates['normalised']} normalised duplicates, "
        f"{overlap['dropped']} that overlap with tests"
    )
    for name, split in report["splits"].items():
        counts = ", ".join(f"{count} {decision}" for decision, count in split["decisions"].items() if count)
        print(f"{name}: {split['rows']} rows ({counts or 'none'})")
    turns = report.get("conversations")
    if turns is not None:
        print(
            f"{turns['conversations']} conversations have {turns['turns']} turns to grade; "
            f"{sum(turns['left_out'].values())} turns are left out"
        )
    for warning in report["warnings"]:
        print(f"warning: {warning}")


if __name__ == "__main__":
    run_door(main)
