"""What each stage mended and broke, by reason: bars to the right and to the left of one line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial

from matplotlib.figure import Figure

from evaluation.report.changes import Changes
from evaluation.report.plot_sheet import GAP, Drawing, Sheet, label_of, open_sheet
from evaluation.report.plot_themes import BLUE, SMALL, VERMILION, Theme
from evaluation.report.plot_words import count_rows

# At either side for the figures at the bars' ends, as a share of what the longest bars take.
ROOM = 0.3
# Of the longest reason that the grader gives; a file may hold another one.
REASON_LETTERS = 30
MAX_REASONS, OTHERS, NOTHING = 8, "other reasons", "nothing changed"
BAR, STEP_HEAD = 0.25, 0.74


def draw_changes(suite: str, changes: Sequence[Changes]) -> Drawing | None:
    """The changes of a suite by stage; None where no stage can be told from what it was made from."""
    if not changes:
        return None
    title = f"{suite}: rows that each stage broke (left) and mended (right), by reason"
    alt = f"{suite}: " + "; ".join(_said(one) for one in changes)
    return Drawing(f"changes_{suite}", title, alt, partial(_draw, title, changes))


def _draw(title: str, changes: Sequence[Changes], theme: Theme) -> Figure:
    counted = [_counted(one) for one in changes]
    heights = [STEP_HEAD + BAR * max(len(counts), 1) + GAP for counts in counted]
    labels = [label_of(name, REASON_LETTERS) for counts in counted for name in counts or [NOTHING]]
    sheet = open_sheet(theme, title, labels, sum(heights), foot=0.1)
    pairs = [pair for counts in counted for pair in counts.values()]
    broken, mended = (max((pair[side] for pair in pairs), default=0) for side in (0, 1))
    room = ROOM * max(broken + mended, 1)
    sheet.axes.set_xlim(-broken - room, mended + room)
    sheet.axes.set_xticks([])
    top = 0.0
    for one, counts, height in zip(changes, counted, heights, strict=True):
        _draw_step(sheet, top, one, counts)
        top += height
    return sheet.figure


def _draw_step(sheet: Sheet, top: float, one: Changes, counts: Mapping[str, tuple[int, int]]) -> None:
    theme, axes = sheet.theme, sheet.axes
    unscored = f", {one.unscored} unscored" if one.unscored else ""
    note = f"{one.both_right} right in both, {one.both_wrong} wrong in both{unscored}"
    sheet.write_head(top + 0.15, f"{one.a} over {one.b}: {_totals(one)}", note)
    start = top + STEP_HEAD
    axes.vlines(0, start, start + BAR * max(len(counts), 1), color=theme.muted, linewidth=0.8)
    for place, text, align in ((-5, "broken", "right"), (5, "mended", "left")):
        axes.annotate(
            text,
            (0, start - 0.1),
            (place, 0),
            textcoords="offset points",
            ha=align,
            va="center",
            fontsize=SMALL,
            color=theme.muted,
        )
    if not counts:
        sheet.write_label(start + BAR / 2, NOTHING)
    for number, (reason, (broken, mended)) in enumerate(counts.items()):
        y = start + (number + 0.5) * BAR
        sheet.write_label(y, label_of(reason, REASON_LETTERS))
        _draw_bar(sheet, y, -broken, VERMILION)
        _draw_bar(sheet, y, mended, BLUE)


def _draw_bar(sheet: Sheet, y: float, length: int, colour: str) -> None:
    if not length:
        return
    sheet.axes.barh(y, length, height=0.7 * BAR, color=colour)
    shift, align = (4, "left") if length > 0 else (-4, "right")
    sheet.axes.annotate(
        f"{abs(length):,}",
        (length, y),
        (shift, 0),
        textcoords="offset points",
        ha=align,
        va="center",
        fontsize=SMALL,
    )


def _counted(one: Changes) -> dict[str, tuple[int, int]]:
    """(broken, mended) by reason, the commonest first, rare ones summed."""
    every = Counter(one.broken) + Counter(one.mended)
    ranked = sorted(every, key=lambda reason: (-every[reason], reason))
    shown = ranked if len(ranked) <= MAX_REASONS + 1 else ranked[:MAX_REASONS]
    counts = {name: (one.broken.get(name, 0), one.mended.get(name, 0)) for name in shown}
    rest = ranked[len(shown) :]
    if rest:
        broken, mended = (sum(counted.get(name, 0) for name in rest) for counted in (one.broken, one.mended))
        counts[OTHERS] = (broken, mended)
    return counts


def _totals(one: Changes) -> str:
    return f"{sum(one.mended.values()):,} mended, {sum(one.broken.values()):,} broken"


def _said(one: Changes) -> str:
    mended, broken = _commonest("mended", one.mended), _commonest("broke", one.broken)
    return f"{one.a} over {one.b} {mended} and {broken}"


def _commonest(verb: str, counts: Mapping[str, int]) -> str:
    if not counts:
        return f"{verb} no row"
    reason, count = max(counts.items(), key=lambda one: one[1])
    rows = sum(counts.values())
    return f"{verb} {count_rows(rows)}, most often {label_of(reason, REASON_LETTERS)} ({count})"
