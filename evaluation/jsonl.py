"""JSON Lines in and out, with the file and line of whatever cannot be read."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from jobs.doors import BadInput


def read_jsonl(path: Path) -> list[dict[str, Any]]:
    """Read a file of JSON objects, one a line; blank lines are skipped.

    Raises BadInput naming the file and the line.
    """
    if not path.is_file():
        raise BadInput(f"{path}: there is no such file")
    try:
        # Not splitlines: it also breaks at signs that JSON strings may hold, such as U+2028.
        lines = path.read_text(encoding="utf-8").split("\n")
    except UnicodeDecodeError as error:
        raise BadInput(f"{path}: not UTF-8 text: {error}") from error
    return [_read_line(line, path, number) for number, line in enumerate(lines, 1) if line.strip()]


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Read canonical rows; every one has an id of its own. Raises BadInput naming the file and the row."""
    rows = read_jsonl(path)
    seen: set[str] = set()
    for number, row in enumerate(rows, 1):
        row_id = row.get("id")
        if not isinstance(row_id, str) or not row_id:
            raise BadInput(f"{path}, row {number}: 'id' must be a string; run the file through data.prepare")
        if row_id in seen:
            raise BadInput(f"{path}, row {number}: the id {row_id!r} is there twice; give each row its own")
        seen.add(row_id)
    return rows


def write_jsonl(path: Path, records: Iterable[Mapping[str, Any]]) -> None:
    """Write records, one a line; the file appears whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.write_text("".join(line_of(record) for record in records), encoding="utf-8")
    part.replace(path)


def line_of(record: Mapping[str, Any]) -> str:
    """One line of JSON with its line end; in ASCII, which no unpaired surrogate in a text can break."""
    return json.dumps(record, allow_nan=False) + "\n"


def _read_line(line: str, path: Path, number: int) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{path}, line {number}: not JSON ({error}); each line must be one object") from error
    if not isinstance(value, dict):
        raise BadInput(f"{path}, line {number}: expected a JSON object, found {line[:80]!r}")
    return value
