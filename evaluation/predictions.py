"""The predictions file: grows a batch at a time, and is gone on with where an earlier process was killed."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from evaluation.jsonl import line_of
from jobs.doors import BadInput


class PredictionFile:
    """Predictions by row id, appended and flushed; each line carries the digest of the model that made it.

    A line that was cut off by a kill is dropped, and its row is predicted again.
    """

    def __init__(self, path: Path, model_digest: str) -> None:
        self._path = path
        self._digest = model_digest
        path.parent.mkdir(parents=True, exist_ok=True)
        self._done = {str(record["id"]) for record in self._whole_records()}

    def missing(self, rows: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        """The rows that have no prediction yet."""
        return [row for row in rows if row["id"] not in self._done]

    def append(self, predictions: Sequence[Mapping[str, Any]]) -> None:
        """Write predictions so that a kill right after this call loses none of them."""
        with self._path.open("a", encoding="utf-8") as file:
            file.writelines(line_of({**prediction, "model": self._digest}) for prediction in predictions)
            file.flush()
            os.fsync(file.fileno())
        self._done.update(str(prediction["id"]) for prediction in predictions)

    def _whole_records(self) -> list[dict[str, Any]]:
        content = self._path.read_bytes() if self._path.is_file() else b""
        whole = content[: content.rfind(b"\n") + 1]
        if len(whole) < len(content):
            with self._path.open("r+b") as file:
                file.truncate(len(whole))
        return [self._read(line, number) for number, line in enumerate(whole.splitlines(), 1) if line.strip()]

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
                f"{self._path}: holds predictions of another model, template or format ({made_by}, now "
                f"{self._digest}); name another --out, or move the file away"
            )
        return record
