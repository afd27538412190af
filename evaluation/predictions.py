"""The predictions file: grows a batch at a time, and is gone on with where an earlier process was killed."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from evaluation.jsonl import line_of
from jobs.doors import BadInput

# How every line begins, and so what a line that was cut off begins with.
FIRST_KEY = b'{"id": '


class PredictionFile:
    """Predictions by row id, appended and flushed; each line carries the digest of what made it.

    Used as a context, which one process at a time may enter. A line that was cut off by a kill is dropped,
    and its row is predicted again. Raises BadInput where the file is another process's, or holds anything
    else than predictions of this very model and decoding.
    """

    def __init__(self, path: Path, digest: str) -> None:
        self._path = path
        self._digest = digest
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("a+b")
        try:
            self._lock()
            self._done = {str(record["id"]) for record in self._whole_records()}
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> PredictionFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def missing(self, rows: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        """The rows that have no prediction yet."""
        return [row for row in rows if row["id"] not in self._done]

    def append(self, predictions: Sequence[Mapping[str, Any]]) -> None:
        """Write predictions so that a kill right after this call loses none of them."""
        lines = "".join(line_of({**prediction, "model": self._digest}) for prediction in predictions)
        self._file.write(lines.encode())
        self._file.flush()
        os.fsync(self._file.fileno())
        self._done.update(str(prediction["id"]) for prediction in predictions)

    def _lock(self) -> None:
        # The system lets go of it when the process ends, however it ends.
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise BadInput(
                f"{self._path}: another process is writing it; wait for it, or name another --out"
            ) from error

    def _whole_records(self) -> list[dict[str, Any]]:
        self._file.seek(0)
        content = self._file.read()
        whole = content[: content.rfind(b"\n") + 1]
        cut = content[len(whole) :]
        records = [
            self._read(line, number) for number, line in enumerate(whole.splitlines(), 1) if line.strip()
        ]
        if not (cut.startswith(FIRST_KEY) or FIRST_KEY.startswith(cut)):
            raise BadInput(f"{self._path}: ends in what is no prediction of this program; move the file away")
        # Only now: the file could be anything that a mistyped --out names.
        self._file.truncate(len(whole))
        return records

    def _read(self, line: bytes, number: int) -> dict[str, Any]:
        try:
            record: dict[str, Any] = json.loads(line)
            made_by = record["model"]
            _ = record["id"]
        except (ValueError, KeyError, TypeError) as error:
            raise BadInput(
                f"{self._path}, line {number}: no prediction of this program ({error!r}); move the file away"
            ) from error
        if made_by != self._digest:
            raise BadInput(
                f"{self._path}: holds predictions of another model, template, format or decoding ({made_by}, "
                f"now {self._digest}); name another --out, or move the file away"
            )
        return record
