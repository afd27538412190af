"""What the scoring door is given: rows of any published shape, and predictions of any format."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data.lines import read_lines
from data.readers import RowFile, read_line
from data.rows import Rejection, RowError
from evaluation.jsonl import read_numbered
from evaluation.toolcalls import FORMATS, format_of_text
from jobs.doors import BadInput

Record = Mapping[str, Any]


@dataclass(frozen=True)
class RowsRead:
    """Canonical rows in the file's order, and the lines that are none, each with its reason."""

    rows: Sequence[Record]
    unread: Sequence[Rejection]


def read_rows_of_any_shape(path: Path) -> RowsRead:
    """Read a `.jsonl`, `.jsonl.gz` or `.jsonl.zst` file of test rows, in any shape that data.prepare reads.

    Gold answers count as they are published, whether or not their tools would take them; a row keeps its `id`
    or `uuid`. Raises BadInput where the file cannot be read, none of its lines is a row, or two rows have one
    id.
    """
    if not path.is_file():
        raise BadInput(f"{path}: there is no such file")
    file = RowFile(path, str(path), "test")
    rows: dict[str, Record] = {}
    unread = []
    for line in read_lines(path, str(path)):
        try:
            if line.fault is not None:
                raise line.fault
            found = [row.to_json() for row in read_line(line.content, file, as_published=True)]
        except RowError as error:
            unread.append(Rejection(str(path), line.number, error.field, error.reason, error.mend))
            continue
        for row in found:
            if row["id"] in rows:
                raise BadInput(
                    f"{path}, line {line.number}: the id {row['id']!r} is there twice; give each row its own"
                )
            rows[row["id"]] = row
    if not rows:
        raise BadInput(f"{describe_unread(unread[0])}; not one of its {len(unread)} lines is a row")
    return RowsRead(list(rows.values()), unread)


def describe_unread(one: Rejection) -> str:
    """Say where a line is that is no row, why, and how to mend it."""
    return f"{one.file}, line {one.line}: '{one.field}' {one.reason}; {one.mend}"


def read_predictions(path: Path, format: str | None = None) -> list[Record]:
    """Read predictions ``{id, choices}``, ``{id, completion, format?}`` or ``{id, error}``, one a line.

    `completion`: a text, or the assistant message of an OpenAI-shaped answer. Its `format` is the line's,
    else the given one, else what the text shows. Raises BadInput naming file, line and field.
    """
    return [_complete(record, f"{path}, line {number}", format) for number, record in read_numbered(path)]


def _complete(record: Record, place: str, format: str | None) -> Record:
    given = record.get("id")
    if isinstance(given, bool) or not isinstance(given, str | int) or given == "":
        raise BadInput(f"{place}: 'id' is {_shown(record, 'id')}; give the id of the row that is answered")
    if record.get("error") is not None:
        return record
    if "choices" in record:
        return _with_choices(record, place)
    completion = record.get("completion")
    if isinstance(completion, Mapping):
        return record
    if not isinstance(completion, str):
        raise BadInput(
            f"{place}: 'completion' is {_shown(record, 'completion')}; give the model's text or its "
            "assistant message, or 'error' where it gave none"
        )
    return {**record, "format": _format_of(record, place, format)}


def _with_choices(record: Record, place: str) -> Record:
    if not isinstance(record["choices"], Mapping):
        raise BadInput(
            f"{place}: 'choices' is {_shown(record, 'choices')}; give "
            "{name: {logprob, tokens, characters}}"
        )
    return record


def _format_of(record: Record, place: str, given: str | None) -> str:
    named = record.get("format")
    if named is None:
        return given or format_of_text(record["completion"])
    if not isinstance(named, str) or named not in FORMATS:
        raise BadInput(
            f"{place}: 'format' is {_shown(record, 'format')}; it is one of {', '.join(FORMATS)}, "
            "or leave it out"
        )
    return named


def _shown(record: Record, field: str) -> str:
    return f"{record[field]!r:.60}" if field in record else "absent"
