"""The predictions file: grows a batch at a time, and is gone on with where an earlier process was killed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

from evaluation.kept_lines import KeptLines
from evaluation.model import DIGEST_CHARACTERS
from jobs.doors import BadInput

Row = Mapping[str, Any]


class Known(NamedTuple):
    """What is known of a row's prediction: of which row, as it was then, and why it failed, if it did."""

    row_id: str
    row_digest: str
    error: str | None


class PredictionFile:
    """Predictions by row id; each line carries the digests of its row and of what made it.

    Used as a context, which one process at a time may enter. A row that failed for want of memory is
    predicted again. Raises BadInput where the file is another process's, or holds anything else than
    predictions of these very rows, this model and this decoding.
    """

    def __init__(self, path: Path, digest: str, rows: Sequence[Row]) -> None:
        self._path = path
        self._digest = digest
        self._rows = {str(row["id"]): digest_of(row) for row in rows}
        self._lines = KeptLines(path, self._read)
        self._known = {one.row_id: one for one in self._lines.records}
        self.missing = [row for row in rows if row["id"] not in self._known]

    def __enter__(self) -> PredictionFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lines.close()

    def append(self, predictions: Sequence[Mapping[str, Any]]) -> None:
        """Write predictions so that a kill right after this call loses none of them."""
        made = [Known(str(one["id"]), self._rows[str(one["id"])], one.get("error")) for one in predictions]
        self._lines.append(
            {**one, "row": known.row_digest, "model": self._digest}
            for one, known in zip(predictions, made, strict=True)
        )
        self._known.update((known.row_id, known) for known in made)

    @property
    def failure(self) -> str | None:
        """Why the first row failed, if every row of the file has."""
        errors = [one.error for one in self._known.values()]
        return errors[0] if errors and all(errors) else None

    def _read(self, line: bytes, number: int) -> Known | None:
        try:
            record: dict[str, Any] = json.loads(line)
            made_by, known = record["model"], Known(str(record["id"]), record["row"], record.get("error"))
        except (ValueError, RecursionError, KeyError, TypeError) as error:
            raise BadInput(
                f"{self._path}, line {number}: no prediction of this program ({error!r}); move the file away"
            ) from error
        if made_by != self._digest:
            raise BadInput(
                f"{self._path}: holds predictions of another model, template, format or decoding ({made_by}, "
                f"now {self._digest}); name another --out, or move the file away"
            )
        if self._rows.get(known.row_id, known.row_digest) != known.row_digest:
            raise BadInput(
                f"{self._path}, line {number}: the row {known.row_id!r} was another one then; name another "
                "--out, or move the file away"
            )
        return None if record.get("retry") else known


def digest_of(row: Row) -> str:
    """A digest of all of a row that its prediction depends on."""
    asked = json.dumps([row["tools"], row["messages"], row.get("answers")], sort_keys=True)
    return hashlib.sha256(asked.encode()).hexdigest()[:DIGEST_CHARACTERS]
