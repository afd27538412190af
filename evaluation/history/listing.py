"""What is listed of every entry: its figure, and what changed since the one before on the same test set."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from evaluation.comparison import digest_of_rows
from evaluation.history.changes import compare_entries
from evaluation.history.groups import Entry, Group
from evaluation.history.runs import Row, Run, Scores, Store, Unreadable
from evaluation.pairs import Pair, allow_for_all
from evaluation.statistics import Estimate, SeedAverage, average_seeds

T = TypeVar("T")


@dataclass(frozen=True)
class Line:
    """One entry of a group.

    `figures`: of each of its runs, in their order; `average`: over the seeds, where there are several;
    `change`: over the entry before, of which `before` says the name; both None for the first.
    """

    entry: Entry
    figures: Sequence[Estimate]
    average: SeedAverage | None
    before: str | None
    change: Pair | None


@dataclass(frozen=True)
class Listing:
    """The lines of a group; `earlier`: entries left out; `notes`: what could not be read, by run."""

    group: Group
    lines: Sequence[Line]
    earlier: int
    notes: Mapping[str, Sequence[str]]


def list_group(store: Store, group: Group, last: int) -> Listing:
    """Read what the newest `last` entries of each variant came to; only their files are fetched."""
    reading = _Reading(store, group)
    lines: list[Line] = []
    earlier = 0
    for entries in _by_variant(group.entries):
        earlier += max(len(entries) - last, 0)
        befores = [None, *entries[:-1]]
        shown = list(zip(befores, entries, strict=True))[-last:]
        lines += [reading.line(before, entry) for before, entry in shown]
    return Listing(group, _adjust(lines), earlier, reading.notes)


def name_of(entry: Entry) -> str:
    """An entry in words: its run and variant, the newest of its runs where they are several seeds."""
    newest = f"{entry.runs[-1].run_id}/{entry.variant}"
    return newest if len(entry.runs) == 1 else f"{newest} and {len(entry.runs) - 1} more seeds"


class _Reading:
    """The files of one group, each fetched once; what cannot be read is noted and left out."""

    def __init__(self, store: Store, group: Group) -> None:
        self._store = store
        self._group = group
        self._comparisons: dict[str, Mapping[str, Any]] = {}
        self._scores: dict[tuple[str, str], Scores] = {}
        self._rows: Sequence[Row] = []
        self.notes: dict[str, list[str]] = {}

    def line(self, before: Entry | None, entry: Entry) -> Line:
        figures = [self._figure(run, entry.variant) for run in entry.runs]
        values = [one.value for one in figures if one.value is not None]
        average = average_seeds(values) if len(entry.runs) > 1 and values else None
        name = None if before is None else name_of(before)
        return Line(entry, figures, average, name, self._change(before, entry))

    def _figure(self, run: Run, variant: str) -> Estimate:
        suite, metric = self._group.suite, self._group.metric
        if run.key not in self._comparisons:
            self._comparisons[run.key] = self._try(run, self._store.read_comparison, {})
        value = run.values[suite, metric, variant]
        return _estimate_in(self._comparisons[run.key], suite, variant, metric) or Estimate(
            value, None, None, 0
        )

    def _change(self, before: Entry | None, entry: Entry) -> Pair | None:
        if before is None or not self._group.digest:
            return None
        rows = self._read_rows(entry.runs[-1])
        ours = [self._read_scores(run, entry.variant) for run in entry.runs]
        theirs = [self._read_scores(run, before.variant) for run in before.runs]
        if not rows or not all(ours) or not all(theirs):
            return None
        names = (name_of(entry), name_of(before))
        return compare_entries(self._group.suite, self._group.metric, names, rows, ours, theirs)

    def _read_rows(self, run: Run) -> Sequence[Row]:
        # Equal digests are equal rows: those of any run do for the whole group.
        if not self._rows:
            suite = self._group.suite
            rows: Sequence[Row] = self._try(run, lambda one: self._store.read_rows(one, suite), [])
            if rows and digest_of_rows(rows) != self._group.digest:
                self._note(run, f"its rows of {suite} are not the test set that it names")
                rows = []
            self._rows = rows
        return self._rows

    def _read_scores(self, run: Run, variant: str) -> Scores:
        key = (run.key, variant)
        if key not in self._scores:
            self._scores[key] = self._try(
                run, lambda one: self._store.read_scores(one, variant, self._group.suite), {}
            )
        return self._scores[key]

    def _try(self, run: Run, read: Callable[[Run], T], absent: T) -> T:
        try:
            return read(run)
        except Unreadable as error:
            self._note(run, str(error))
            return absent

    def _note(self, run: Run, said: str) -> None:
        notes = self.notes.setdefault(run.run_id, [])
        if said not in notes:
            notes.append(said)


def _by_variant(entries: Iterable[Entry]) -> list[list[Entry]]:
    series: dict[str, list[Entry]] = {}
    for entry in entries:
        series.setdefault(entry.variant, []).append(entry)
    return list(series.values())


def _adjust(lines: Sequence[Line]) -> list[Line]:
    """Allow for having looked at every change of the group."""
    changes = iter(allow_for_all([line.change for line in lines if line.change is not None]))
    return [line if line.change is None else replace(line, change=next(changes)) for line in lines]


def _estimate_in(comparison: Mapping[str, Any], suite: str, variant: str, metric: str) -> Estimate | None:
    try:
        given = comparison["suites"][suite][variant]["metrics"][metric]
        value, low, high = (float(given[key]) for key in ("value", "low", "high"))
        return Estimate(value, low, high, int(given["n"]))
    except (KeyError, TypeError, ValueError):
        return None
