"""The files of an execution, read so that a damaged one is said and never ends the listing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from evaluation import jsonl
from evaluation.history.runs import Row, Scores, Unreadable
from jobs.doors import BadInput

Content = TypeVar("Content")


def read_object(path: Path) -> dict[str, Any]:
    """Read a file that holds one JSON object. Raises Unreadable."""
    return _read(jsonl.read_object, path)


def read_row_file(path: Path) -> list[Row]:
    """Read a suite's rows. Raises Unreadable."""
    return list(_read(jsonl.read_rows, path))


def read_score_file(path: Path) -> Scores:
    """Read the scores of one variant on one suite, by row id. Raises Unreadable."""
    return _read(jsonl.read_scores, path, "holds no scores: ")


def _read(reader: Callable[[Path], Content], path: Path, what: str = "") -> Content:
    try:
        return reader(path)
    except BadInput as error:
        # The run is named beside it, and a file fetched from a server has no folder that anyone knows.
        cause = str(error).removeprefix(str(path)).lstrip(":, ")
        raise Unreadable(f"{path.name}: {what}{cause}") from error
