"""What a preparation reads: the sources are found, their rows read, checked and compared."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from data.bfcl import PACKAGE, find_bfcl
from data.conversations import Conversations, add_turns
from data.lines import COMPRESSED
from data.output import REJECTED, SPLITS, Draft
from data.overlap import ALLOWED, OVERLAP, TRAINING, Overlap, find_overlap
from data.readers import RowFile, read_files
from data.rejections import Rejections
from data.request import Request
from data.selection import count_suite
from data.sources import Source, find_source
from data.store import RowStore
from data.suites import BFCL, TURNS, absent
from jobs.doors import BadInput
from jobs.progress import Progress

# Per cent of the way where reading and comparing end.
READ, COMPARED = 70, 80
# Bytes written for one read: the rows aside, their index, and the result.
SPACE_FOR_A_BYTE = 2.5
COMPRESSION_RATIO = 8


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


def find_rows(request: Request, downloads: Path, roots: Sequence[Path] | None) -> Found:
    """Find each source once, and list what to read from it. Raises BadInput.

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
    # A row that is among the tests too is known to be one of them by the time it comes as BFCL's.
    return Found(sources, sorted(files, key=lambda file: file.suite == BFCL))


def _check_apart(out: Path, file: RowFile, sources: Mapping[str, Source]) -> None:
    """What is written must not fall among what is read, now or the next time."""
    target = out.resolve()
    folders = [Path(source.uri).resolve() for source in sources.values() if Path(source.uri).is_dir()]
    is_inside = any(target.is_relative_to(folder) for folder in folders)
    if is_inside or file.path.resolve() in [target / name for name in SPLITS]:
        raise BadInput(f"--out {out}: lies in the source, whose rows it would mix with; name a folder apart")


def take_rows(
    found: Found,
    store: RowStore,
    made: Draft,
    request: Request,
    roots: Sequence[Path] | None,
    progress: Progress,
) -> Taken:
    """Read and compare all rows, with BFCL's and the turns of conversations where a suite takes them.

    Raises BadInput; then the evidence of what failed is left in the folder to write.
    """
    try:
        with Rejections(made.folder / REJECTED) as rejections:
            read = _read_own(found, store, rejections, request, progress)
            bfcl = _find_bfcl(store, made.work / "downloads", request, roots)
            read += _read(bfcl.files, store, rejections, request) if bfcl else 0
        _check_needed(found, store, request)
        conversations = add_turns(store) if TURNS in request.suites else None
        _check_suites(store, request)
        overlap = _compare(found, store, made, request, progress)
        overlap.check()
    except BadInput:
        made.leave_evidence()
        raise
    return Taken(read, rejections, overlap, conversations, bfcl)


def _read_own(
    found: Found, store: RowStore, rejections: Rejections, request: Request, progress: Progress
) -> int:
    """Read what the sources hold; BFCL's many rows, left by an earlier preparation, are checked apart."""
    own = [file for file in found.files if file.suite != BFCL]
    published = [file for file in found.files if file.suite == BFCL]
    read = _read(own, store, rejections, request, lambda share: progress.show(int(READ * share)))
    return read + _read(published, store, rejections, request)


def _read(
    files: Sequence[RowFile],
    store: RowStore,
    rejections: Rejections,
    request: Request,
    show: Callable[[float], None] = lambda share: None,
) -> int:
    """Read files and check the share of bad rows among them alone. Raises BadInput; returns the rows read."""
    read = read_files(files, store, rejections, request.reading, show)
    rejections.check(read, request.max_rejected_share)
    return read


def _find_bfcl(
    store: RowStore, downloads: Path, request: Request, roots: Sequence[Path] | None
) -> Source | None:
    """BFCL's rows as asked for, or its wheel where the suite is asked for and nothing read is for it."""
    is_needed = BFCL in request.suites and not count_suite(store, BFCL)
    name = request.bfcl or (PACKAGE if is_needed else None)
    if name is None:
        return None
    source = find_bfcl(name, downloads / "bfcl", roots)
    if source.not_read:
        print(f"not read of {source.uri}, since they are not single-turn: {', '.join(source.not_read)}")
    return source


def _check_suites(store: RowStore, request: Request) -> None:
    for suite in request.suites if request.names_suites else ():
        if not count_suite(store, suite):
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


def _expansion(path: Path) -> int:
    return COMPRESSION_RATIO if path.suffix in COMPRESSED else 1
