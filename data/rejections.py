"""Rows that were refused: written as they come, counted by reason, and the end of the run when too many."""

import json
import re
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any

from data.rows import Rejection
from jobs.doors import BadInput

MAX_REJECTED_SHARE = 0.05
REASONS_SHOWN = 5
# A reason may quote the row, so that a hostile file could have as many as it has lines.
MAX_REASONS = 1000
OTHER_REASONS = ("row", "other reasons")
_INDEX = re.compile(r"\[\d+\]")


class Rejections:
    """`rejected.jsonl` while it is written; `count` rows are in it.

    `add` writes a line: file, line, field, reason and how to mend it.
    """

    def __init__(self, path: Path) -> None:
        self.count = 0
        self._file = path.open("w", encoding="utf-8")
        self._reasons: Counter[tuple[str, str]] = Counter()
        self._places: dict[tuple[str, str], str] = {}
        # What the last check saw, which the next leaves out.
        self._checked: Counter[tuple[str, str]] = Counter()
        self._first: Rejection | None = None

    def __enter__(self) -> "Rejections":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def add(self, rejection: Rejection) -> None:
        """Write it down and count it."""
        self._file.write(json.dumps(asdict(rejection)) + "\n")
        self.count += 1
        self._first = self._first or rejection
        key = (_INDEX.sub("[]", rejection.field), rejection.reason)
        if key not in self._reasons and len(self._reasons) >= MAX_REASONS:
            key = OTHER_REASONS
        self._reasons[key] += 1
        self._places.setdefault(key, f"{rejection.file} line {rejection.line}")

    def describe(self) -> list[dict[str, Any]]:
        """Count by field and reason, most frequent first, each with the place of the first."""
        return [
            {"field": key[0], "reason": key[1], "rows": count, "first": self._places[key]}
            for key, count in self._reasons.most_common()
        ]

    def check(self, read: int, max_share: float = MAX_REJECTED_SHARE) -> None:
        """Stop where too many of the `read` rows since the last check are bad to trust the rest, or all are.

        Raises BadInput with the most frequent reasons.
        """
        found, first = self._reasons - self._checked, self._first
        self._checked, self._first = self._reasons.copy(), None
        bad = found.total()
        if first is None or (bad <= max_share * read and bad < read):
            return
        limit = "all of them" if bad == read else f"more than {max_share:.0%}"
        more = "" if bad == read else "; --max-rejected-share takes more"
        frequent = found.most_common(REASONS_SHOWN)
        reasons = "; ".join(f"{count} × {field}: {reason}" for (field, reason), count in frequent)
        raise BadInput(
            f"{bad} of {read} rows are rejected, {limit}. {reasons}. First: {first.file} line {first.line}, "
            f"{first.field}: {first.mend}. All are in rejected.jsonl{more}"
        )
