"""Lines of a file of rows, plain or compressed, one at a time and none longer than a bound."""

import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from data.rows import RowError
from jobs.doors import BadInput

MAX_LINE_BYTES = 8 * 2**20
COMPRESSED = (".gz", ".zst")
_SKIPPED_AT_ONCE = 2**16
_HEAD_BYTES = 4096
_BUFFER_BYTES = 2**20
_UTF8_MARK = b"\xef\xbb\xbf"
_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_KINDS = (
    (_GZIP, "gzip: name it *.jsonl.gz"),
    (_ZSTD, "zstd: name it *.jsonl.zst"),
    (b"PK\x03\x04", "zip: unpack it, and give the .jsonl files"),
    (b"PAR1", "Parquet: write it as JSON Lines"),
    (b"ARROW1", "Arrow: write it as JSON Lines"),
    (b"SQLite format 3\0", "an SQLite database: write its rows as JSON Lines"),
    (b"BZh", "bzip2: compress it with gzip or zstd instead"),
    (b"\xfd7zXZ\0", "xz: compress it with gzip or zstd instead"),
    (b"\x89HDF", "HDF5: write it as JSON Lines"),
    (b"%PDF", "PDF: write its rows as JSON Lines"),
    (b"\xff\xfe", "UTF-16 text: save it as UTF-8"),
    (b"\xfe\xff", "UTF-16 text: save it as UTF-8"),
)


@dataclass(frozen=True)
class Line:
    """A line that is not blank: its number from 1, its bytes, and the file's bytes consumed so far.

    `fault` is set instead of `content` where the line cannot be taken.
    """

    number: int
    content: bytes
    consumed: int
    fault: RowError | None = None


def read_lines(path: Path, shown: str, max_line_bytes: int = MAX_LINE_BYTES) -> Iterator[Line]:
    """Read the lines of a `.jsonl`, `.jsonl.gz` or `.jsonl.zst` file that hold anything.

    No more than `max_line_bytes` are held at a time; a longer line is passed over and its `fault` says so. A
    byte order mark is left out. Raises BadInput: unreadable, binary, one JSON array, damaged, or empty.
    """
    number = 0
    found = False
    try:
        with _open(path, shown) as (stream, raw):
            for number, content in enumerate(_bounded(stream, max_line_bytes), start=1):
                fault = None if len(content) <= max_line_bytes else _too_long(max_line_bytes)
                text = b"" if fault else content.removeprefix(_UTF8_MARK if number == 1 else b"")
                if fault or text.strip():
                    found = True
                    yield Line(number, text, raw.tell(), fault)
    except (EOFError, zlib.error, OSError) as error:
        raise BadInput(f"{shown}: {_cause(error, number)}") from error
    if not found:
        raise BadInput(f"{shown}: the file is empty; give one JSON object a line")


def _cause(error: Exception, line: int) -> str:
    # The decompressors raise OSError too, without an errno.
    if isinstance(error, OSError) and error.errno is not None:
        return f"cannot be read: {error.strerror}"
    return f"the compressed file is damaged or cut off after line {line} ({error}); fetch it again"


def _bounded(stream: BinaryIO, max_line_bytes: int) -> Iterator[bytes]:
    """Lines; one that is too long comes as its first `max_line_bytes` + 1 bytes."""
    while line := stream.readline(max_line_bytes + 1):
        if len(line) > max_line_bytes and not line.endswith(b"\n"):
            rest = stream.readline(_SKIPPED_AT_ONCE)
            while rest and not rest.endswith(b"\n"):
                rest = stream.readline(_SKIPPED_AT_ONCE)
        yield line


def _too_long(max_line_bytes: int) -> RowError:
    return RowError(
        "line",
        f"is longer than {max_line_bytes:,} bytes",
        "shorten the row, or raise --max-line-bytes",
    )


@contextmanager
def _open(path: Path, shown: str) -> Iterator[tuple[BinaryIO, BinaryIO]]:
    """The text's bytes, buffered, and below them the file itself, whose position tells what was consumed."""
    with path.open("rb") as raw:
        start = raw.read(_HEAD_BYTES)
        raw.seek(0)
        compression = path.suffix if path.suffix in COMPRESSED else None
        if compression is None:
            _check_text(start, shown)
            yield raw, raw
            return
        magic = _GZIP if compression == ".gz" else _ZSTD
        if start and not start.startswith(magic):
            raise BadInput(f"{shown}: is named {compression}, and its bytes are not; mend the name")
        with io.BufferedReader(_decompress(raw, compression), _BUFFER_BYTES) as stream:
            _check_text(stream.peek(_HEAD_BYTES)[:_HEAD_BYTES], shown)
            yield cast(BinaryIO, stream), raw


def _decompress(raw: BinaryIO, compression: str) -> io.RawIOBase:
    if compression == ".gz":
        return cast(io.RawIOBase, gzip.GzipFile(fileobj=raw, mode="rb"))
    # Only now: it takes a quarter of a second and 40 MB, and few files are zstd.
    import pyarrow  # type: ignore[import-untyped]  # noqa: PLC0415

    return cast(io.RawIOBase, pyarrow.CompressedInputStream(pyarrow.PythonFile(raw, "r"), "zstd"))


def _check_text(start: bytes, shown: str) -> None:
    """Refuse at once what no line of could be read, with its own word."""
    kind = next((kind for magic, kind in _KINDS if start.startswith(magic)), None)
    if kind is None and b"\0" in start:
        kind = "of a kind not known here: write it as JSON Lines"
    if kind is not None:
        raise BadInput(f"{shown}: is binary, {kind}")
    if start.removeprefix(_UTF8_MARK).lstrip()[:1] == b"[":
        raise BadInput(
            f"{shown}: is one JSON array; write one object a line (jq -c '.[]' turns one into the other)"
        )
