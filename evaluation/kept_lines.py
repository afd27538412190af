"""Lines of JSON that are kept as they come, and gone on with where an earlier process was killed."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Generic, TypeVar

from evaluation.jsonl import line_of
from jobs.doors import BadInput

# How every record begins, and so what a line that was cut off begins with.
FIRST_KEY = b'{"id": '
T = TypeVar("T")


class KeptLines(Generic[T]):
    """A file that one process at a time appends records to, each with `id` as its first key.

    `read` makes a record of a whole line and its number, or None of one to drop, and raises BadInput for
    what is none. A line that was cut off by a kill is dropped. Raises BadInput where the file is another
    process's, cannot be written, or holds anything else; then it is left as it is.
    """

    def __init__(self, path: Path, read: Callable[[bytes, int], T | None]) -> None:
        self._path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("a+b")
        except OSError as error:
            raise BadInput(f"{path}: cannot be written: {error.strerror}; name another --out") from error
        try:
            self._lock()
            self.records = self._whole(read)
        except BaseException:
            self._file.close()
            raise

    def append(self, records: Iterable[Mapping[str, Any]]) -> None:
        """Write records so that a kill right after this call loses none of them. Raises BadInput."""
        try:
            self._file.write("".join(map(line_of, records)).encode())
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise BadInput(
                f"{self._path}: cannot be written: {error.strerror}; mend that, and the same command goes on"
            ) from error

    def close(self) -> None:
        """Let other processes write the file."""
        self._file.close()

    def _lock(self) -> None:
        # The system lets go of it when the process ends, however it ends.
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise BadInput(
                f"{self._path}: another process is writing it; wait for it, or name another --out"
            ) from error

    def _whole(self, read: Callable[[bytes, int], T | None]) -> list[T]:
        self._file.seek(0)
        *lines, cut = self._file.read().split(b"\n")
        found = [(line, read(line, number)) for number, line in enumerate(lines, 1) if line.strip()]
        if _is_whole(cut) or not (cut.startswith(FIRST_KEY) or FIRST_KEY.startswith(cut)):
            raise BadInput(f"{self._path}: ends in what this program did not write; move the file away")
        # Only now: the file could be anything that a mistyped --out names.
        if any(record is None for _, record in found):
            self._replace([line for line, record in found if record is not None])
        else:
            self._file.truncate(sum(len(line) + 1 for line in lines))
        return [record for _, record in found if record is not None]

    def _replace(self, lines: list[bytes]) -> None:
        """Put a file with these lines in the place of this one, which is whole at every moment."""
        part = self._path.with_name(f"{self._path.name}.{os.getpid()}.part")
        part.write_bytes(b"".join(line + b"\n" for line in lines))
        part.replace(self._path)
        self._file.close()
        self._file = self._path.open("a+b")
        self._lock()


def _is_whole(line: bytes) -> bool:
    """Whether a line that nothing ends is whole all the same: then no kill has cut it off."""
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True
