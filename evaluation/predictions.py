"""The predictions file: grows a batch at a time, and is gone on with where an earlier process was killed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from evaluation.kept_lines import KeptLines
from jobs.doors import BadInput


class PredictionFile:
    """Predictions by row id; each line carries the digest of what made it.

    Used as a context, which one process at a time may enter. Raises BadInput where the file is another
    process's, or holds anything else than predictions of this very model and decoding.
    """

    def __init__(self, path: Path, digest: str) -> None:
        self._path = path
        self._digest = digest
        self._lines = KeptLines(path, self._read)
        self._done = set(self._lines.records)

    def __enter__(self) -> PredictionFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lines.close()

    def missing(self, rows: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        """The rows that have no prediction yet."""
        return [row for row in rows if row["id"] not in self._done]

    def append(self, predictions: Sequence[Mapping[str, Any]]) -> None:
        """Write predictions so that a kill right after this call loses none of them."""
        self._lines.append({**prediction, "model": self._digest} for prediction in predictions)
        self._done.update(str(prediction["id"]) for prediction in predictions)

    def _read(self, line: bytes, number: int) -> str:
        """The id of the row that a line predicts."""
        try:
            record: dict[str, Any] = json.loads(line)
            made_by, row_id = record["model"], str(record["id"])
        except (ValueError, RecursionError, KeyError, TypeError) as error:
            raise BadInput(
                f"{self._path}, line {number}: no prediction of this program ({error!r}); move the file away"
            ) from error
        if made_by != self._digest:
            raise BadInput(
                f"{self._path}: holds predictions of another model, template, format or decoding ({made_by}, "
                f"now {self._digest}); name another --out, or move the file away"
            )
        return row_id
