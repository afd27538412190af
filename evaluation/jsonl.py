"""JSON Lines in and out, with the file and line of whatever cannot be read."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TextIO

from evaluation.toolcalls import DECISIONS
from evaluation.toolcalls.score import Score
from evaluation.toolcalls.suite import score_of
from jobs.doors import BadInput

STREAMS = ("-", "/dev/stdin", "/dev/stdout", "/dev/stderr")


def read_jsonl(path: Path) -> list[dict[str, Any]]:
    """Read a file of JSON objects, one a line; blank lines are skipped.

    Raises BadInput naming the file and the line.
    """
    return [record for _, record in _numbered(path)]


def read_object(path: Path) -> dict[str, Any]:
    """Read a file that holds one JSON object. Raises BadInput naming the file."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise BadInput(f"{path}: cannot be read: {error}") from error
    if not isinstance(content, dict):
        raise BadInput(f"{path}: expected a JSON object")
    return content


def read_scores(path: Path) -> dict[str, Score]:
    """Read ``scores.jsonl`` by row id. Raises BadInput naming the file and the line, also for an id twice."""
    scores: dict[str, Score] = {}
    for number, record in _numbered(path):
        row_id = record.get("id")
        try:
            score = score_of(record)
        except ValueError as error:
            raise BadInput(
                f"{path}, line {number}: no score: {error}; score the predictions again"
            ) from error
        if not isinstance(row_id, str):
            raise BadInput(f"{path}, line {number}: no score: 'id' must be a string")
        if row_id in scores:
            raise BadInput(
                f"{path}, line {number}: the id {row_id!r} is there twice; score the predictions again"
            )
        scores[row_id] = score
    return scores


def _numbered(path: Path) -> list[tuple[int, dict[str, Any]]]:
    if not path.is_file():
        raise BadInput(f"{path}: there is no such file")
    try:
        # Not splitlines: it also breaks at signs that JSON strings may hold, such as U+2028.
        lines = path.read_text(encoding="utf-8").split("\n")
    except UnicodeDecodeError as error:
        raise BadInput(f"{path}: not UTF-8 text: {error}") from error
    return [(number, _read_line(line, path, number)) for number, line in enumerate(lines, 1) if line.strip()]


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Read canonical rows, each with an id of its own; raises BadInput naming the file, row and field."""
    rows = read_jsonl(path)
    seen: set[str] = set()
    for number, row in enumerate(rows, 1):
        fault = _fault_of(row)
        if fault:
            raise BadInput(f"{path}, row {number}: {fault}; run the file through data.prepare")
        if row["id"] in seen:
            raise BadInput(
                f"{path}, row {number}: the id {row['id']!r} is there twice; give each row its own"
            )
        seen.add(row["id"])
    return rows


def check_output(path: Path, inputs: Iterable[Path]) -> None:
    """Refuse to write where that would destroy something, or where no file can be. Raises BadInput."""
    shown = str(path)
    if shown in STREAMS or shown.startswith(("/dev/fd/", "/proc/")):
        raise BadInput(f"--out {path}: is no file; name one, and use --json to print")
    try:
        exists, is_file = path.exists(), path.is_file()
        parent = next(one for one in path.resolve().parents if one.exists())
        same = [one for one in inputs if exists and one.exists() and path.samefile(one)]
    except (OSError, RuntimeError, ValueError) as error:
        raise BadInput(f"--out {path}: cannot be written: {error}; name another file") from error
    if same:
        raise BadInput(f"--out {path}: is the input {same[0]}, which it would replace; name another file")
    if path.is_dir():
        raise BadInput(f"--out {path}: is a directory; name a file in it")
    if exists and not is_file:
        raise BadInput(f"--out {path}: is no regular file; name one, and use --json to print")
    if not parent.is_dir():
        raise BadInput(f"--out {path}: {parent} is no directory; name another file")
    if exists and not os.access(path, os.W_OK):
        raise BadInput(f"--out {path}: is there and may not be written; name another file")


def write_jsonl(path: Path, records: Iterable[Mapping[str, Any]]) -> None:
    """Write records, one a line; the file appears whole or not at all, and a symlink's target is written.

    Absent folders are made. Raises BadInput where it cannot be written.
    """
    try:
        target = path.resolve()
        target.parent.mkdir(parents=True, exist_ok=True)
        # Named by the process, and made anew: a file of the user's may have the plain name.
        part = target.with_name(f"{target.name}.{os.getpid()}.part")
        with part.open("x", encoding="utf-8") as file:
            _fill(file, part, target, records)
    except (OSError, RuntimeError) as error:
        cause = error.strerror if isinstance(error, OSError) else error
        raise BadInput(f"{path}: cannot be written: {cause}; name another file") from error


def _fill(file: TextIO, part: Path, target: Path, records: Iterable[Mapping[str, Any]]) -> None:
    try:
        file.writelines(line_of(record) for record in records)
        file.close()
        part.replace(target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def line_of(record: Mapping[str, Any]) -> str:
    """One line of JSON with its line end; in ASCII, which no unpaired surrogate in a text can break."""
    return json.dumps(record, allow_nan=False) + "\n"


def _fault_of(row: Mapping[str, Any]) -> str | None:
    if not isinstance(row.get("id"), str) or not row["id"]:
        return "'id' must be a string"
    if not isinstance(row.get("tools"), str):
        return "'tools' must be the JSON text of a list"
    if not isinstance(row.get("messages"), list):
        return "'messages' must be a list"
    expected = row.get("expected")
    if not isinstance(expected, dict) or expected.get("decision") not in DECISIONS:
        return f"'expected.decision' must be one of {', '.join(DECISIONS)}"
    return None


def _read_line(line: str, path: Path, number: int) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{path}, line {number}: not JSON ({error}); each line must be one object") from error
    if not isinstance(value, dict):
        raise BadInput(f"{path}, line {number}: expected a JSON object, found {line[:80]!r}")
    return value
