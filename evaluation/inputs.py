"""What the scoring door is given: rows of any published shape, and predictions of any format."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from data.lines import MAX_LINE_BYTES, Line, read_lines
from data.readers import RowFile, read_line
from data.rows import Rejection, RowError
from data.shapes.reading import ID_KEYS
from evaluation.toolcalls import FORMATS, format_of_text
from jobs.doors import BadInput

# A model that never stops writes more than a row does.
MAX_PREDICTION_BYTES = 2**26
FILES_SHOWN = 5

Record = Mapping[str, Any]


@dataclass(frozen=True)
class UnreadRow(Rejection):
    """A line that is no row; `id` is the row's own where that much of it can be read."""

    id: str | None = None

    @property
    def cause(self) -> str:
        """Why it is unscored; equal for all lines with this fault."""
        return f"the row cannot be read: '{self.field}' {self.reason}"


@dataclass(frozen=True)
class RowsRead:
    """Canonical rows in the file's order, and the lines that are none, each with its reason."""

    rows: Sequence[Record]
    unread: Sequence[UnreadRow]


def read_rows_of_any_shape(path: Path) -> RowsRead:
    """Read a `.jsonl`, `.jsonl.gz` or `.jsonl.zst` file of test rows, in any shape that data.prepare reads.

    Gold answers count as they are published, whether or not their tools would take them; a row keeps its `id`
    or `uuid`. Raises BadInput where the file cannot be read, none of its lines is a row, or two rows have one
    id.
    """
    _check_file(path)
    file = RowFile(path, str(path), "test")
    rows: dict[str, Record] = {}
    unread = []
    for line in read_lines(path, str(path)):
        try:
            if line.fault is not None:
                raise line.fault
            found = [row.to_json() for row in read_line(line.content, file, as_published=True)]
        except RowError as error:
            unread.append(_unread(line, path, error))
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

    The file is a `.jsonl`, `.jsonl.gz` or `.jsonl.zst`; When2Call's `uuid` serves where there is no `id`.
    `completion`: a text, or the assistant message of an OpenAI-shaped answer. Its `format` is the line's,
    else the given one, else what the text shows. Raises BadInput naming file, line and field.
    """
    _check_file(path)
    return [_complete(record, place, format) for place, record in _read_objects(path)]


def _read_objects(path: Path) -> Iterator[tuple[str, Record]]:
    for line in read_lines(path, str(path), MAX_PREDICTION_BYTES):
        place = f"{path}, line {line.number}"
        if line.fault is not None:
            raise BadInput(f"{place}: {line.fault.reason}; shorten its text")
        yield place, _object_of(line, place)


def _object_of(line: Line, place: str) -> Record:
    try:
        # NaN is taken here: it is for the score of its row to say that it is none.
        value = json.loads(line.content.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise BadInput(f"{place}: is not UTF-8 at byte {error.start}; save the file as UTF-8") from error
    except json.JSONDecodeError as error:
        raise BadInput(
            f"{place}: not JSON ({error.msg} at character {error.pos + 1}); write one object a line "
            "(jq -c . does, where objects are spread over lines)"
        ) from error
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{place}: not JSON that can be read ({error}); write one object a line") from error
    if not isinstance(value, Mapping):
        raise BadInput(f"{place}: expected a JSON object, found {value!r:.80}; write one object a line")
    return value


def _check_file(path: Path) -> None:
    if path.is_dir():
        found = sorted(
            str(one.relative_to(path)) for glob in ("*.jsonl*", "*/*.jsonl*") for one in path.glob(glob)
        )
        more = ", …" if len(found) > FILES_SHOWN else ""
        mend = f"name a file in it: {', '.join(islice(found, FILES_SHOWN))}{more}" if found else "name a file"
        raise BadInput(f"{path}: is a directory; {mend}")
    if path.exists() and not path.is_file():
        raise BadInput(f"{path}: is no regular file; write its lines to one, and name that")
    if not path.is_file():
        raise BadInput(f"{path}: there is no such file")


def _unread(line: Line, path: Path, error: RowError) -> UnreadRow:
    # The reader's own mend names an option of data.prepare.
    mend = f"shorten it to {MAX_LINE_BYTES:,} bytes" if error is line.fault else error.mend
    return UnreadRow(str(path), line.number, error.field, error.reason, mend, _id_in(line.content))


def _id_in(content: bytes) -> str | None:
    """The id that a line gives itself, whatever else is wrong with it."""
    try:
        raw = json.loads(content.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return None
    found = _id_of(raw) if isinstance(raw, Mapping) else None
    return str(found) if _is_id(found) and "\ufffd" not in str(found) else None


def _id_of(record: Record) -> Any:
    return next((record[key] for key in ID_KEYS if record.get(key) not in (None, "")), None)


def _is_id(value: Any) -> bool:
    return isinstance(value, str | int) and not isinstance(value, bool) and value != ""


def _complete(given: Record, place: str, format: str | None) -> Record:
    if not _is_id(_id_of(given)):
        raise BadInput(f"{place}: 'id' is {_shown(given, 'id')}; give the id of the row that is answered")
    record = {**given, "id": _id_of(given)}
    if record.get("error"):
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
