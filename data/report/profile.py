"""The data report: what the rows are, what was left out, and what training on them would teach amiss.

A split is profiled row by row as it is written, in memory that does not grow with it: lengths and languages
come from a seeded sample, and every tally keeps a bounded number of names.
"""

import json
import math
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from data.report.languages import guess_language, script_of
from data.rows import DECISIONS, Row
from data.sampling import stratum_of
from evaluation.toolcalls.schema import unsupported_keywords

PERCENTILES = (50, 90, 99, 100)
# Rendering is what takes time; a sample of this size puts the 99th percentile within a fraction of a percent.
MAX_MEASURED_ROWS = 2000
MAX_NAMES = 100_000
NAMES_SHOWN = 10
# A tool in fewer rows than this may be there by chance and simply not be needed.
OFTEN_OFFERED_ROWS = 5
BEYOND = "(others)"


@dataclass(frozen=True)
class Measure:
    """How long a row's prompt and its answer are, and in what unit."""

    unit: str
    lengths: Callable[[Row], tuple[int, int]]


class Tally:
    """Counts of at most `limit` different values; what comes after is counted together."""

    def __init__(self, limit: int = MAX_NAMES) -> None:
        self.counts: Counter[Any] = Counter()
        self.beyond = 0
        self._limit = limit

    def add(self, value: Any) -> None:
        """Count one value."""
        if value in self.counts or len(self.counts) < self._limit:
            self.counts[value] += 1
        else:
            self.beyond += 1

    def to_json(self) -> dict[str, int]:
        """Counts by value, in order; `(others)` holds what came when the tally was full."""
        named = {str(value): self.counts[value] for value in sorted(self.counts)}
        return {**named, BEYOND: self.beyond} if self.beyond else named


@dataclass(frozen=True)
class _Measured:
    prompt: int
    answer: int
    language: str


class SplitProfile:
    """Counts one split as its rows pass: `add` each, then `to_json`.

    `measure`: characters where it is None. `max_length`: the recipe's, in the measure's tokens; rows that are
    longer are counted, because training leaves them out.
    """

    def __init__(self, measure: Measure | None = None, max_length: int | None = None) -> None:
        self._measure = measure or CHARACTERS
        self._max_length = max_length if self._measure.unit == "tokens" else None
        self._rows = 0
        self._decisions: Counter[str] = Counter()
        self._sources = Tally(limit=1000)
        self._turns, self._tools, self._calls = Tally(), Tally(), Tally()
        self._scripts, self._pairs = Tally(), Tally()
        self._offered, self._called = Tally(), Tally()
        self._unchecked: dict[str, set[str]] = {}
        self._sample: list[_Measured] = []
        self._choice = random.Random(0)  # noqa: S311 - a sample that is the same every time, no secret

    def add(self, row: Row) -> None:
        """Count a row. Raises BadInput where the measure cannot render it."""
        self._rows += 1
        self._decisions[row.expected.decision] += 1
        self._sources.add(row.source)
        asked = [message["content"] for message in row.messages if message["role"] == "user"]
        self._turns.add(len(asked))
        self._scripts.add(script_of("\n".join(asked)))
        if row.rejected:
            self._pairs.add(stratum_of(row))
        self._add_tools(row)
        self._add_to_sample(row, asked)

    def to_json(self) -> dict[str, Any]:
        """The profile as `report.json` holds it; lengths and languages are those of the measured rows."""
        profile: dict[str, Any] = {
            "rows": self._rows,
            "decisions": {decision: self._decisions[decision] for decision in DECISIONS},
            "sources": self._sources.to_json(),
            "turns": self._turns.to_json(),
            "tools": self._tools.to_json(),
            "calls_a_row": self._calls.to_json(),
            "tools_never_called": self._never_called(),
            "unchecked_keywords": {name: len(self._unchecked[name]) for name in sorted(self._unchecked)},
            "scripts": self._scripts.to_json(),
            "languages": _by_count(each.language for each in self._sample),
            "lengths": self._lengths(),
        }
        if self._max_length is not None:
            profile["too_long"] = self._too_long(self._max_length)
        if self._pairs.counts:
            profile["pairs"] = self._pairs.to_json()
        return profile

    def _add_tools(self, row: Row) -> None:
        offered = _keywords_by_name(row.tools)
        self._tools.add(len(offered))
        for name, keywords in offered.items():
            self._offered.add(name)
            for keyword in keywords:
                self._add_unchecked(keyword, name)
        called = _called_by(row)
        self._calls.add(len(called))
        for name in called:
            self._called.add(name)

    def _add_unchecked(self, keyword: str, tool: str) -> None:
        tools = self._unchecked.setdefault(keyword, set())
        if len(tools) < MAX_NAMES:
            tools.add(tool)

    def _add_to_sample(self, row: Row, asked: Sequence[str]) -> None:
        """Keep the row's measures in a reservoir: every row so far is in it with the same probability."""
        if len(self._sample) < MAX_MEASURED_ROWS:
            self._sample.append(self._measured(row, asked))
            return
        place = self._choice.randrange(self._rows)
        if place < MAX_MEASURED_ROWS:
            self._sample[place] = self._measured(row, asked)

    def _measured(self, row: Row, asked: Sequence[str]) -> _Measured:
        prompt, answer = self._measure.lengths(row)
        return _Measured(prompt, answer, guess_language("\n".join(asked)))

    def _lengths(self) -> dict[str, Any]:
        return {
            "unit": self._measure.unit,
            "measured_rows": len(self._sample),
            "prompt": percentiles([each.prompt for each in self._sample]),
            "answer": percentiles([each.answer for each in self._sample]),
            "whole": percentiles([each.prompt + each.answer for each in self._sample]),
        }

    def _too_long(self, limit: int) -> dict[str, Any]:
        """Rows beyond the limit: counted where all rows were measured, else estimated from the sample."""
        longer = sum(each.prompt + each.answer > limit for each in self._sample)
        share = longer / len(self._sample) if self._sample else 0.0
        return {"max_length": limit, "rows": round(share * self._rows), "share": share}

    def _never_called(self) -> dict[str, Any]:
        """Tools that are offered often and that no gold answer calls, most offered first."""
        often = [name for name, rows in self._offered.counts.items() if rows >= OFTEN_OFFERED_ROWS]
        never = sorted(
            (name for name in often if name not in self._called.counts),
            key=lambda name: (-self._offered.counts[name], name),
        )
        found: dict[str, Any] = {
            "offered_in_rows": OFTEN_OFFERED_ROWS,
            "tools": len(often),
            "count": len(never),
            "first": never[:NAMES_SHOWN],
        }
        if self._offered.beyond or self._called.beyond:
            found["note"] = f"names beyond the first {MAX_NAMES:,} are left out"
        return found


def measure_characters(row: Row) -> tuple[int, int]:
    """Lengths in characters: tools and turns, and the answer."""
    prompt = len(row.tools) + sum(len(json.dumps(turn, ensure_ascii=False)) for turn in row.prompt)
    return prompt, len(answer_text(row))


CHARACTERS = Measure("characters", measure_characters)


def answer_text(row: Row) -> str:
    """The right answer's text, or its calls as JSON; BFCL rows have only the accepted values."""
    if row.expected.calls:
        return json.dumps([dict(call) for call in row.expected.calls], ensure_ascii=False)
    return row.expected.text or row.expected.allowed or ""


def percentiles(values: Sequence[int]) -> dict[str, int]:
    """Nearest-rank percentiles; empty for no values.

    >>> percentiles([1, 2, 3, 4])
    {'p50': 2, 'p90': 4, 'p99': 4, 'max': 4}
    """
    ordered = sorted(values)
    if not ordered:
        return {}
    return {
        "max" if percent == 100 else f"p{percent}": ordered[math.ceil(len(ordered) * percent / 100) - 1]
        for percent in PERCENTILES
    }


def _by_count(values: Any) -> dict[str, int]:
    return dict(Counter(values).most_common())


@lru_cache(maxsize=1024)
def _keywords_by_name(tools: str) -> dict[str, tuple[str, ...]]:
    """The keywords that nobody checks, by the name of each tool; canonical tools have different names."""
    return {tool["name"]: unsupported_keywords(tool.get("parameters")) for tool in json.loads(tools)}


def _called_by(row: Row) -> list[str]:
    """The names that the gold answer calls; BFCL's possible answers name theirs as keys."""
    if row.expected.calls:
        return [call["name"] for call in row.expected.calls]
    return [name for entry in json.loads(row.expected.allowed or "[]") for name in entry]
