"""Reading files of rows: good rows into a store, bad ones into the rejections, both with their place."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from data.lines import COMPRESSED, MAX_LINE_BYTES, Line, read_lines
from data.rejections import Rejections
from data.rows import Purpose, Rejection, Row, RowError, read_json
from data.shapes.reading import for_purpose, read_rows
from data.store import Place, RowStore
from data.suites import BFCL as PUBLISHED

SECONDS_BETWEEN_LINES = 5.0


@dataclass(frozen=True)
class RowFile:
    """A file to read: where it lies, the name that the user knows it by, and what its rows are for.

    `purpose` None lets each row's own shape decide. `suite`: whose rows they are, where the file is one of a
    suite. `shape`: that of its rows where it is known, whatever the others are read as.
    """

    path: Path
    shown: str
    purpose: Purpose | None
    suite: str | None = None
    shape: str | None = None

    @property
    def stem(self) -> str:
        """The file's name without its endings, compression among them."""
        name = self.path.name
        for ending in COMPRESSED:
            name = name.removesuffix(ending)
        return Path(name).stem


@dataclass(frozen=True)
class Reading:
    """How to read: a shape by name, or None to tell it row by row, and the longest line to take, in bytes."""

    shape: str | None = None
    max_line_bytes: int = MAX_LINE_BYTES


class ReadingProgress:
    """How far the reading is: a line for people every five seconds, and a share for `show`."""

    def __init__(
        self,
        total_bytes: int,
        show: Callable[[float], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.rows = 0
        self._total = max(total_bytes, 1)
        self._show = show
        self._clock = clock
        self._started = self._printed = clock()
        self._done_before = 0

    def advance(self, consumed: int) -> None:
        """One more row is read, at `consumed` bytes of its file."""
        self.rows += 1
        now = self._clock()
        share = min((self._done_before + consumed) / self._total, 1.0)
        self._show(share)
        if now - self._printed >= SECONDS_BETWEEN_LINES:
            self._printed = now
            speed = self.rows / (now - self._started)
            print(
                f"read {self.rows:,} rows, {share:.0%} of {self._total / 1e6:,.0f} MB, {speed:,.0f} rows/s",
                flush=True,
            )

    def end_file(self, size: int) -> None:
        """A file of `size` bytes is read."""
        self._done_before += size


def read_files(
    files: Sequence[RowFile],
    store: RowStore,
    rejections: Rejections,
    reading: Reading = Reading(),
    show: Callable[[float], None] = lambda share: None,
) -> int:
    """Read every file; returns how many rows there were, rejected ones included.

    `show` is told the share of the bytes read. Raises BadInput where a file cannot be read; that too many
    rows are bad is left to `Rejections.check`.
    """
    sizes = [file.path.stat().st_size if file.path.is_file() else 0 for file in files]
    progress = ReadingProgress(sum(sizes), show)
    for file, size in zip(files, sizes, strict=True):
        for line in read_lines(file.path, file.shown, reading.max_line_bytes):
            _take_line(line, file, reading, store, rejections)
            progress.advance(line.consumed)
        progress.end_file(size)
    return progress.rows


def _take_line(line: Line, file: RowFile, reading: Reading, store: RowStore, rejections: Rejections) -> None:
    place = Place(file.shown, line.number)
    try:
        if line.fault is not None:
            raise line.fault
        # A benchmark's own figures rest on its gold as it is, whether or not its tools would take it.
        is_published = file.suite == PUBLISHED
        for row in read_line(line.content, file, file.shape or reading.shape, as_published=is_published):
            _keep(row, place, store, file.suite)
    except RowError as error:
        rejections.add(Rejection(place.file, place.line, error.field, error.reason, error.mend))


def _keep(row: Row, place: Place, store: RowStore, suite: str | None) -> None:
    try:
        store.add(row, place, suite)
    except RecursionError as error:
        raise _too_deep() from error
    except ValueError as error:
        raise RowError("row", "holds what JSON in UTF-8 cannot", str(error)) from error


def read_line(
    line: bytes, file: RowFile, shape: str | None = None, *, as_published: bool = False
) -> list[Row]:
    """Bring one line of a file to canonical rows. Raises RowError and nothing else, whatever is in it.

    `as_published` takes gold calls as they are written, whether or not their tools would.
    """
    try:
        raw = read_json(line.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise RowError("line", "is not UTF-8", f"byte {error.start}: save the file as UTF-8") from error
    except ValueError as error:
        raise RowError("line", "is not JSON", f"{error}: write one object a line") from error
    try:
        rows = read_rows(raw, file.stem, shape, as_published=as_published)
        return [for_purpose(row, file.purpose) for row in rows]
    except RecursionError as error:
        raise _too_deep() from error
    except ValueError as error:
        raise RowError("row", "holds what JSON in UTF-8 cannot", str(error)) from error


def _too_deep() -> RowError:
    return RowError("row", "is nested too deeply", "flatten its schemas")
