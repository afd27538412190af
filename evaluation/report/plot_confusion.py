"""Which decision was taken where which was expected: a table of counts for every variant of a suite."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial

from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from evaluation.report.plot_sheet import GAP, Drawing, Sheet, label_of, open_sheet
from evaluation.report.plot_themes import BLUE, SMALL, Theme
from evaluation.report.plot_words import count_rows, two_lines
from evaluation.summary import Summary
from evaluation.toolcalls.decision import DECISIONS, MALFORMED

CELL, TABLE_HEAD = 0.28, 0.6
VARIANT_LETTERS = 12
OTHERS = "others"
NAMES = (*DECISIONS, MALFORMED, OTHERS)
# The one name with a word wider than a column.
NARROW_HEADS = {MALFORMED: "mal-\nformed_\ncall"}
# So that the count in the darkest cell is read in the colour of the text, on a light page and on a dark one.
DARKEST = 0.7

Table = Mapping[str, Mapping[str, int]]


def draw_confusion(suite: str, summaries: Mapping[str, Summary]) -> Drawing | None:
    """The confusion of every variant; None where none has a scored row."""
    if not any(summary.confusion for summary in summaries.values()):
        return None
    title = f"{suite}: decision expected (lines) and taken (columns), in rows"
    tables = {variant: _known(summary.confusion) for variant, summary in summaries.items()}
    alt = f"{suite}: " + "; ".join(f"{label_of(name)} {_worst(table)}" for name, table in tables.items())
    return Drawing(f"confusion_{suite}", title, alt, partial(_draw, title, tables))


def _draw(title: str, tables: Mapping[str, Table], theme: Theme) -> Figure:
    expected = [name for name in NAMES if any(name in table for table in tables.values())]
    seen = {name for table in tables.values() for row in table.values() for name in row}
    taken = [name for name in NAMES if name in seen or name in expected]
    block = TABLE_HEAD + CELL * max(len(expected), 1) + GAP
    # Bold letters are a little wider.
    heads = [f"{label_of(variant, VARIANT_LETTERS)}  " for variant in tables]
    labels = [*heads, *expected]
    sheet = open_sheet(theme, title, labels, block * max(len(tables), 1), foot=0.1)
    sheet.axes.set_xlim(0, len(taken))
    sheet.axes.set_xticks([])
    for number, (variant, table) in enumerate(tables.items()):
        _draw_table(sheet, number * block, variant, table, expected, taken)
    return sheet.figure


def _draw_table(
    sheet: Sheet, top: float, variant: str, table: Table, expected: Sequence[str], taken: Sequence[str]
) -> None:
    sheet.write_head(top + TABLE_HEAD / 2, label_of(variant, VARIANT_LETTERS))
    for x, name in enumerate(taken):
        head = NARROW_HEADS.get(name) or two_lines(name)
        place = (x + 0.5, top + TABLE_HEAD - 0.06)
        sheet.axes.text(*place, head, ha="center", va="bottom", fontsize=SMALL)
    for line, name in enumerate(expected):
        y = top + TABLE_HEAD + line * CELL
        sheet.write_label(y + CELL / 2, name)
        row = table.get(name, {})
        for x, decision in enumerate(taken):
            _draw_cell(sheet, x, y, row.get(decision, 0), sum(row.values()), decision == name)


def _draw_cell(sheet: Sheet, x: float, y: float, count: int, whole: int, is_right: bool) -> None:
    share = count / whole if whole else 0.0
    place, ink = (x + 0.02, y + 0.015), sheet.theme.ink
    size = (0.96, CELL - 0.03)
    sheet.axes.add_patch(Rectangle(place, *size, facecolor=BLUE, alpha=DARKEST * share, linewidth=0))
    edge = ink if is_right else sheet.theme.grid
    sheet.axes.add_patch(
        Rectangle(place, *size, fill=False, edgecolor=edge, linewidth=1.2 if is_right else 0.6)
    )
    sheet.axes.text(
        x + 0.5,
        y + CELL / 2,
        f"{count:,}",
        ha="center",
        va="center",
        color=ink if count else sheet.theme.muted,
    )


def _worst(table: Table) -> str:
    wrong = [
        (count, expected, taken)
        for expected, row in table.items()
        for taken, count in row.items()
        if taken != expected
    ]
    if not table:
        return "has no scored row"
    if not wrong:
        return "always takes the expected decision"
    count, expected, taken = max(wrong)
    rows = sum(table[expected].values())
    return f"most often wrong by {taken} where {expected} is expected, in {count} of {count_rows(rows)}"


def _known(table: Table) -> dict[str, Counter[str]]:
    """The table with what is no decision, as only a file that was edited holds, counted as others."""
    counted: dict[str, Counter[str]] = {}
    for expected, row in table.items():
        own = counted.setdefault(_named(expected), Counter())
        for taken, count in row.items():
            own[_named(taken)] += count
    return counted


def _named(decision: str) -> str:
    return decision if decision in NAMES else OTHERS
