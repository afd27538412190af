"""A suite's main figure by slice of its rows: all variants beside each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import groupby, takewhile

from evaluation.report.plot_estimates import NARROW_COLUMNS, Line, Section, draw_sections
from evaluation.report.plot_sheet import Drawing, label_of
from evaluation.report.plot_words import count_rows
from evaluation.report.slices import NO_SOURCE, OTHERS, Slice
from evaluation.rounding import write_number
from evaluation.suites import SUITES

MAX_COLUMNS = 6
# Of the names of slices and of columns; the second where columns are more than NARROW_COLUMNS.
SLICE_LETTERS, COLUMN_LETTERS = (20, 16), (9, 7)
FEW_ROWS = 10
BY_NAMES = {
    "tools": "by tools offered",
    "length": "by length of the prompt in characters",
    "language": "by language, guessed",
    "source": "by source",
    "contamination": "by contamination: whether training asks the same",
}


def draw_slices(suite: str, slices: Sequence[Slice], variants: Sequence[str]) -> Drawing | None:
    """A suite's main metric by slice and variant; None where nothing divides its rows."""
    grouped = {by: list(found) for by, found in groupby(slices, key=lambda one: one.by)}
    divided = {by: found for by, found in grouped.items() if len(found) > 1}
    if not divided:
        return None
    title = f"{suite}: {SUITES[suite].main_metric} by slice of the rows, with 95% intervals"
    sections = [
        _section_of_slices(BY_NAMES[by], found, shown)
        for shown in _chunked(list(variants))
        for by, found in divided.items()
    ]
    alt = f"{suite}, weakest slice of {FEW_ROWS} rows or more: {_weakest(divided, variants)}"
    return Drawing(
        f"slices_{suite}", title, alt, partial(draw_sections, title, sections, list(variants), "percent")
    )


def _section_of_slices(head: str, slices: Sequence[Slice], variants: Sequence[str]) -> Section:
    is_narrow = len(variants) > NARROW_COLUMNS
    folder = common_folder([one.name for one in slices if one.name not in (OTHERS, NO_SOURCE)])
    lines = [
        Line(
            label_of(one.name.removeprefix(folder).removesuffix(" characters"), SLICE_LETTERS[is_narrow]),
            count_rows(one.rows),
            [one.figures.get(variant) for variant in variants],
            list(variants),
        )
        for one in slices
    ]
    named = f"{head}, all in {label_of(folder)}" if folder else head
    return Section(named, [label_of(name, COLUMN_LETTERS[is_narrow]) for name in variants], lines)


def common_folder(names: Sequence[str]) -> str:
    """What several names begin with, up to a slash; empty where they have none in common.

    >>> common_folder(["a/b/one", "a/b/other"]), common_folder(["a/one", "two"]), common_folder(["a/one"])
    ('a/b/', '', '')
    """
    if len(names) < 2:
        return ""
    levels = zip(*(name.split("/")[:-1] for name in names), strict=False)
    return "".join(f"{level[0]}/" for level in takewhile(lambda level: len(set(level)) == 1, levels))


def _chunked(variants: list[str]) -> Iterator[list[str]]:
    """All variants beside each other, or in as few parts as there have to be, alike in size."""
    parts = -(-len(variants) // MAX_COLUMNS)
    size = -(-len(variants) // parts) if parts else 1
    for start in range(0, len(variants), size):
        yield variants[start : start + size]


def _weakest(grouped: Mapping[str, Sequence[Slice]], variants: Sequence[str]) -> str:
    every = [one for found in grouped.values() for one in found]
    said = []
    for variant in variants:
        known = [
            (figure.value, one.name)
            for one in every
            if (figure := one.figures.get(variant)) is not None
            and figure.value is not None
            and figure.n >= FEW_ROWS
        ]
        value, name = min(known, default=(None, ""))
        weakest = "none" if value is None else f"{label_of(name, 40)} {write_number(100 * value)}%"
        said.append(f"{label_of(variant)} {weakest}")
    return ", ".join(said)
