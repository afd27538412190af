"""Prepare rows: `python -m data.prepare SOURCE --out DIR` writes canonical rows and a report on them.

As a job it also creates the execution's MLflow parent run, with the rows as its inputs.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data.bfcl import PACKAGE, find_bfcl
from data.conversations import Conversations, add_turns
from data.hub import fetch_model
from data.lines import COMPRESSED
from data.objects import fetch_objects
from data.output import (
    BASE_MODEL,
    PICTURE,
    REJECTED,
    REPORT,
    SPLITS,
    TRAIN_PREFERENCE,
    TRAIN_SFT,
    DataHash,
    Draft,
    draft,
    write_report,
)
from data.overlap import ALLOWED, OVERLAP, TRAINING, Overlap, find_overlap
from data.readers import RowFile, read_files
from data.rejections import Rejections
from data.report.charts import draw_report
from data.report.profile import SplitProfile
from data.report.warnings import list_warnings
from data.request import Request, read_request
from data.rows import PURPOSES, Purpose, write_json
from data.sources import Source, find_source
from data.store import RowStore, StoredRow
from data.suites import BFCL, TURNS, absent, file_of, row_for
from evaluation.suites import SUITES
from jobs.container import channel, read_environment
from jobs.doors import BadInput, run_door
from jobs.progress import Progress
from jobs.run import Run, RunReference
from jobs.tracking import start_parent

if TYPE_CHECKING:
    from data.tokens import Rendering

# Per cent of the way where reading and comparing end.
READ, COMPARED, WRITTEN = 70, 80, 100
TOKENIZER_FILES = (".json", ".jinja", ".txt", ".model")
# Bytes written for one read: the rows aside, their index, and the result.
SPACE_FOR_A_BYTE = 2.5
COMPRESSION_RATIO = 8
TRAINED: Mapping[str, Purpose] = {TRAIN_SFT: "sft", TRAIN_PREFERENCE: "preference"}


@dataclass(frozen=True)
class Prepared:
    """What a preparation made, and from what."""

    data_hash: str
    base_model_revision: str | None
    sources: Mapping[str, Source]


@dataclass(frozen=True)
class Taken:
    """What was read of the sources, and how it compares.

    `read`: rows, rejected ones included. `conversations`: None where no suite takes their turns. `bfcl`: the
    source of BFCL's rows, where one was needed.
    """

    read: int
    rejections: Rejections
    overlap: Overlap
    conversations: Conversations | None
    bfcl: Source | None


@dataclass(frozen=True)
class Found:
    """What the sources hold: the sources by name, and the files to read of them."""

    sources: Mapping[str, Source]
    files: Sequence[RowFile]

    def space_needed(self) -> int:
        """Bytes that preparing them takes on the disk, roughly."""
        return sum(
            int(file.path.stat().st_size * SPACE_FOR_A_BYTE * _expansion(file.path)) for file in self.files
        )


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
        found = _find(request, made.work / "downloads", roots)
        made.needed_bytes = found.space_needed()
        with RowStore(made.work, request.seed) as store:
            taken = _read(found, store, made, request, roots, progress)
            fetched = made.folder / BASE_MODEL
            revision = fetch_model(request.base_model, fetched) if request.base_model else None
            rendering = _load_rendering(request, fetched, made.work / "tokenizer")
            data_hash, profiles, misfits = _write_splits(store, made, request, rendering, progress)
            rows = describe_rows(store, taken.read, taken.rejections)
            if taken.conversations is not None:
                rows["kept"]["test"] -= taken.conversations.turns
        sources = {**found.sources, **({} if taken.bfcl is None else {taken.bfcl.uri: taken.bfcl})}
        overlap = taken.overlap
        report = {
            "data_hash": data_hash,
            "sources": [source.describe() for source in sources.values()],
            "seed": request.seed,
            "caps": dict(request.caps),
            "rows": rows,
            "rejected": taken.rejections.describe(),
            "overlap": overlap.to_json(),
            **({} if taken.conversations is None else {"conversations": taken.conversations.to_json()}),
            "splits": profiles,
            "warnings": [
                *list_warnings(profiles, rows=rows, overlap=overlap.to_json()),
                *overlap.warnings(),
                *misfits,
                *(warning for source in sources.values() for warning in source.warnings()),
            ],
        }
        write_report(report, made.folder)
        draw_report(report, made.folder / PICTURE)
        made.publish()
    _print_summary(report)
    progress.show(WRITTEN)
    return Prepared(data_hash, revision, sources)


def describe_rows(store: RowStore, read: int, rejections: Rejections) -> dict[str, Any]:
    """The report's `rows`.

    `duplicates`: dropped rows as `exact` and `normalised` (both integers), `by_purpose` and `by_source`.
    `conflicts`: questions that SFT rows answer in contradiction.
    """
    kinds: dict[str, int] = {"exact": 0, "normalised": 0}
    purposes = dict.fromkeys(PURPOSES, 0)
    sources: dict[str, dict[str, int]] = {}
    for (purpose, kind, source), count in store.duplicates.items():
        kinds[kind] += count
        purposes[purpose] += count
        of_source = sources.setdefault(source, {"exact": 0, "normalised": 0})
        of_source[kind] += count
    return {
        "read": read,
        "rejected": rejections.count,
        "duplicates": {**kinds, "by_purpose": purposes, "by_source": sources},
        "conflicts": store.count_conflicts(),
        "merged_tests": store.merged,
        "kept": {purpose: store.count(purpose) for purpose in PURPOSES},
    }


def _find(request: Request, downloads: Path, roots: Sequence[Path] | None) -> Found:
    """Find each source once, and list what to read from it.

    Only a lone file may leave out the test rows: a data set without them can train and compare nothing.
    """
    names = [*request.named.values(), *([request.source] if request.source else [])]
    sources = {name: find_source(name, downloads, roots) for name in dict.fromkeys(names)}
    files = [file for purpose, name in request.named.items() for file in sources[name].of(purpose)]
    if request.source:
        files += [file for file in sources[request.source].files if file.purpose not in request.named]
    if request.names_suites and len(files) == 1 and not request.named:
        # A lone file of conversations to learn from serves as tests where a suite is asked of it.
        files = [replace(file, purpose=file.purpose or "test") for file in files]
    if not any(file.purpose in ("test", None) for file in files) and BFCL not in request.suites:
        raise BadInput(
            f"{', '.join(sources)}: no test rows there, so nothing could be compared; add *test*.jsonl"
        )
    for file in files:
        _check_apart(request.out, file, sources)
    return Found(sources, files)


def _check_apart(out: Path, file: RowFile, sources: Mapping[str, Source]) -> None:
    """What is written must not fall among what is read, now or the next time."""
    target = out.resolve()
    folders = [Path(source.uri).resolve() for source in sources.values() if Path(source.uri).is_dir()]
    is_inside = any(target.is_relative_to(folder) for folder in folders)
    if is_inside or file.path.resolve() in [target / name for name in SPLITS]:
        raise BadInput(f"--out {out}: lies in the source, whose rows it would mix with; name a folder apart")


def _read(
    found: Found,
    store: RowStore,
    made: Draft,
    request: Request,
    roots: Sequence[Path] | None,
    progress: Progress,
) -> Taken:
    """Read and compare all rows; of what fails, the evidence is left in the folder to write."""
    try:
        with Rejections(made.folder / REJECTED) as rejections:
            read = read_files(
                found.files,
                store,
                rejections,
                request.reading,
                lambda share: progress.show(int(READ * share)),
            )
            bfcl = _find_bfcl(store, made.work / "downloads", request, roots)
            read += read_files(bfcl.files, store, rejections, request.reading) if bfcl else 0
        rejections.check(read, request.max_rejected_share)
        _check_needed(found, store, request)
        conversations = add_turns(store) if TURNS in request.suites else None
        _check_suites(store, request)
        overlap = _compare(found, store, made, request, progress)
        overlap.check()
    except BadInput:
        made.leave_evidence()
        raise
    return Taken(read, rejections, overlap, conversations, bfcl)


def _find_bfcl(
    store: RowStore, downloads: Path, request: Request, roots: Sequence[Path] | None
) -> Source | None:
    """BFCL's rows as asked for, or its wheel where the suite is asked for and nothing read is for it."""
    is_needed = BFCL in request.suites and not store.count_suite(BFCL)
    name = request.bfcl or (PACKAGE if is_needed else None)
    if name is None:
        return None
    source = find_bfcl(name, downloads / "bfcl", roots)
    if source.not_read:
        print(f"not read of {source.uri}, since they are not single-turn: {', '.join(source.not_read)}")
    return source


def _check_suites(store: RowStore, request: Request) -> None:
    for suite in request.suites if request.names_suites else ():
        if not store.count_suite(suite):
            raise absent(suite)


def _check_needed(found: Found, store: RowStore, request: Request) -> None:
    """Raise BadInput where a source named for a purpose, or a file named as tests, has no row for it."""
    for purpose, name in request.named.items():
        if not store.count(purpose):
            raise BadInput(
                f"{name}: no {purpose} rows there, and they were asked for; add them, or leave the "
                f"variants out that need them"
            )
    tests = [file.shown for file in found.files if file.purpose == "test"]
    if tests and not store.count("test"):
        raise BadInput(
            f"{', '.join(tests)}: no test row is left, so nothing could be compared; see {REJECTED}"
        )


def _compare(found: Found, store: RowStore, made: Draft, request: Request, progress: Progress) -> Overlap:
    allowed = {*request.allowed_overlap, *(one for s in found.sources.values() for one in s.allowed_overlap)}
    if allowed:
        # The result can then be prepared again, or checked by somebody else.
        (made.folder / ALLOWED).write_text("".join(f"{one}\n" for one in sorted(allowed)), encoding="utf-8")
    total = sum(store.count(purpose) for purpose in TRAINING)

    def show(compared: int) -> None:
        progress.show(READ + (COMPARED - READ) * compared // total)

    return find_overlap(store, made.folder / OVERLAP, request.overlap, allowed, show)


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


def _write_splits(
    store: RowStore, made: Draft, request: Request, rendering: "Rendering | None", progress: Progress
) -> tuple[str, dict[str, dict[str, Any]], list[str]]:
    """Write the files of rows; returns the data hash, each file's profile, and what to warn of."""
    data_hash = DataHash()
    profiles = {}
    misfits = Misfits()
    total = sum(store.count(purpose) for purpose in TRAINED.values())
    total += sum(store.count_suite(suite) for suite in request.suites)
    written = 0
    for file, entries in _samples(store, request):
        name = Path(file).stem
        profile = (
            SplitProfile(rendering.measure, rendering.max_length.get(name)) if rendering else SplitProfile()
        )
        with data_hash.open(file, made.folder) as lines:
            for entry in entries:
                lines.write(_line_of(entry, name, store, profile, rendering, misfits))
                written += 1
                # The last step is the end of the preparation.
                progress.show(COMPARED + (WRITTEN - COMPARED - 1) * written // max(total, 1))
        profiles[name] = profile.to_json()
    return data_hash.hexdigest(), profiles, misfits.warnings()


def _samples(store: RowStore, request: Request) -> Iterator[tuple[str, Iterator[StoredRow]]]:
    """The files to write, and what of the rows goes in each."""
    for file, purpose in TRAINED.items():
        yield file, store.sample(purpose, request.caps[purpose])
    for suite in request.suites:
        yield file_of(suite), store.sample_suite(suite, request.caps["test"])


def _line_of(
    entry: StoredRow,
    name: str,
    store: RowStore,
    profile: SplitProfile,
    rendering: "Rendering | None",
    misfits: "Misfits",
) -> bytes:
    """A row as it is written, counted and tried in the model's format as it passes."""
    row = store.row(entry)
    if rendering is not None and rendering.round_trip is not None:
        try:
            rendering.round_trip.check(row, str(entry.place))
        except BadInput as error:
            # A benchmark's gold is what it is, and its own figures count it.
            if name != BFCL:
                raise
            misfits.add(str(error))
    if name in SUITES:
        row = row_for(name, row)
    profile.add(row)
    return write_json(row.to_json()).encode() if row.answers is None and name in SUITES else store.text(entry)


@dataclass
class Misfits:
    """Published answers that do not survive the model's format, counted, with the first."""

    count: int = 0
    first: str = ""

    def add(self, said: str) -> None:
        """Count one."""
        self.count += 1
        self.first = self.first or said.splitlines()[0]

    def warnings(self) -> list[str]:
        """What to say of them."""
        if not self.count:
            return []
        return [
            f"{self.count:,} gold answers of {BFCL} cannot be written in the model's format: {self.first}"
        ]


def _expansion(path: Path) -> int:
    return COMPRESSION_RATIO if path.suffix in COMPRESSED else 1


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
    for warning in report["warnings"]:
        print(f"warning: {warning}")


if __name__ == "__main__":
    run_door(main)
