"""The files of an execution, read so that a damaged one is said and never ends the listing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from evaluation.history.runs import Row, Scores, Unreadable
from evaluation.jsonl import read_jsonl, read_rows
from evaluation.toolcalls.suite import score_of
from jobs.doors import BadInput


def read_object(path: Path) -> dict[str, Any]:
    """Read a file that holds one JSON object. Raises Unreadable."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise Unreadable(f"{path.name}: cannot be read: {error}") from error
    if not isinstance(content, dict):
        raise Unreadable(f"{path.name}: holds no JSON object")
    return content


def read_row_file(path: Path) -> list[Row]:
    """Read a suite's rows. Raises Unreadable."""
    try:
        return list(read_rows(path))
    except BadInput as error:
        raise Unreadable(str(error)) from error


def read_score_file(path: Path) -> Scores:
    """Read the scores of one variant on one suite, by row id. Raises Unreadable."""
    try:
        return {str(record["id"]): score_of(record) for record in read_jsonl(path)}
    except (BadInput, KeyError, TypeError, ValueError) as error:
        raise Unreadable(f"{path.name}: holds no scores: {error!r}") from error
