"""Estimates as marks with their intervals, the figure beside each: accuracy, recall, mean rewards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from matplotlib.figure import Figure

from evaluation.comparison import Comparison
from evaluation.report.plot_sheet import (
    GAP,
    HEAD,
    LINE,
    WIDTH,
    Drawing,
    Sheet,
    label_of,
    open_sheet,
)
from evaluation.report.plot_themes import SMALL, Theme
from evaluation.report.plot_words import count_rows, two_lines
from evaluation.rounding import write_number
from evaluation.statistics import Estimate
from evaluation.suites import SUITES
from evaluation.toolcalls.decision import DECISIONS

# From so many on, columns are narrow: their scales name the ends alone, and stand further apart.
NARROW_COLUMNS = 4
# Hundredths left of 0, so that half a mark and its figure have room beside the lines' names.
BEFORE = 16
# Inches beyond 100% in a single column, where the figure of a variant that is always right stands.
ROOM = 0.65
COLUMN_LINE = 0.18


@dataclass(frozen=True)
class Line:
    """A labelled line of marks, one a column; `variants`: whose mark each is."""

    label: str
    note: str
    marks: Sequence[Estimate | None]
    variants: Sequence[str]


@dataclass(frozen=True)
class Section:
    """Lines under a heading; `columns`: the heads of the columns, none for a single one."""

    head: str
    columns: Sequence[str]
    lines: Sequence[Line]

    @property
    def height(self) -> float:
        """Inches that it takes, with the gap after it."""
        return self.head_height + LINE * len(self.lines) + GAP

    @property
    def head_height(self) -> float:
        """Inches above the lines."""
        return HEAD + COLUMN_LINE * max((name.count("\n") + 1 for name in self.columns), default=0)


def draw_accuracy(comparison: Comparison) -> Drawing:
    """The main metric of every suite by variant."""
    title = "How often each variant is right, with 95% intervals"
    sections = []
    for suite, summaries in comparison.summaries.items():
        metric = SUITES[suite].main_metric
        figures = {variant: summary.metrics[metric] for variant, summary in summaries.items()}
        sections.append(_by_variant(f"{suite}: {metric}, {count_rows(len(comparison.rows[suite]))}", figures))
    alt = "; ".join(f"{section.head}: {_listed(section.lines)}" for section in sections)
    return Drawing(
        "accuracy", title, alt, partial(draw_sections, title, sections, comparison.variants, "percent")
    )


def draw_recall(comparison: Comparison) -> Drawing | None:
    """Of the rows that expect a decision, how often it was taken; None where nothing is scored."""
    title = "How often the expected decision is taken, by decision"
    sections = []
    said = []
    for suite, summaries in comparison.summaries.items():
        n = {name: max((one.recall[name].n for one in summaries.values()), default=0) for name in DECISIONS}
        shown = [name for name in DECISIONS if n[name]]
        if not shown:
            continue
        columns = [f"{two_lines(name)}\n{count_rows(n[name])}" for name in shown]
        lines = [
            Line(label_of(variant), "", [one.recall[name] for name in shown], [variant] * len(shown))
            for variant, one in summaries.items()
        ]
        sections.append(Section(suite, columns, lines))
        said.append(f"{suite}: " + "; ".join(_recall_words(line, shown) for line in lines))
    if not sections:
        return None
    draw = partial(draw_sections, title, sections, comparison.variants, "percent")
    return Drawing("recall", title, ". ".join(said), draw)


def draw_rewards(suite: str, rewards: Mapping[str, Estimate], variants: list[str]) -> Drawing:
    """The mean reward by variant, for a run that cost nothing."""
    title = f"{suite}: mean reward by variant, with 95% intervals"
    section = _by_variant(f"{suite}: mean value of the scores", rewards)
    said = [
        f"{label_of(name)} {'none scored' if one.value is None else write_number(one.value, 2)}"
        for name, one in rewards.items()
    ]
    draw = partial(draw_sections, title, [section], variants, "share")
    return Drawing("reward_and_cost", title, f"{suite}, mean reward: {', '.join(said)}", draw)


def _by_variant(head: str, figures: Mapping[str, Estimate]) -> Section:
    most = max((one.n for one in figures.values()), default=0)
    return Section(
        head,
        [],
        [
            Line(label_of(variant), count_rows(one.n) if 0 < one.n < most else "", [one], [variant])
            for variant, one in figures.items()
        ],
    )


def _step(columns: int) -> int:
    """Hundredths from one column to the next, each of which is a hundred wide."""
    return 170 if columns >= NARROW_COLUMNS else 140


def draw_sections(
    title: str, sections: Sequence[Section], variants: list[str], unit: str, theme: Theme
) -> Figure:
    """Draw sections below each other; `unit`: percent or share, of what the scale says."""
    texts = [text for section in sections for line in section.lines for text in (line.label, line.note)]
    sheet = open_sheet(theme, title, texts, sum(section.height for section in sections))
    columns = max((len(section.columns) for section in sections), default=0) or 1
    is_single = columns == 1
    room = 100 * ROOM / (sheet.axes.get_position().width * WIDTH - ROOM)
    # The last column's figures reach beyond 100 by half of what stands between two.
    step = _step(columns)
    end = 100 + room if is_single else columns * step - (step - 100) / 2
    sheet.axes.set_xlim(-3 if is_single else -BEFORE, end)
    y = 0.0
    for section in sections:
        _draw_section(sheet, section, y, variants, unit, 0 if is_single else step)
        y += section.height
    _write_scale(sheet, columns, unit)
    return sheet.figure


def _draw_section(
    sheet: Sheet, section: Section, top: float, variants: list[str], unit: str, step: int
) -> None:
    """`step`: from one column to the next, 0 where there is a single one."""
    sheet.write_head(top + HEAD / 2, section.head)
    start = top + section.head_height
    end = start + LINE * len(section.lines)
    for number, name in enumerate(section.columns):
        place = number * step + 50
        sheet.axes.text(
            place, start - 0.06, name, ha="center", va="bottom", fontsize=SMALL, color=sheet.theme.ink
        )
    for number in range(max(len(section.columns), 1) if section.lines else 0):
        left = number * step
        sheet.axes.vlines([left, left + 50, left + 100], start, end, color=sheet.theme.grid, linewidth=0.8)
    for number, line in enumerate(section.lines):
        y = start + (number + 0.5) * LINE
        sheet.write_label(y, line.label, line.note)
        for column, (one, variant) in enumerate(zip(line.marks, line.variants, strict=True)):
            style = sheet.theme.style_of(variant, variants)
            _draw_mark(sheet, column * step, y, one, style, unit, is_single=not step)


def _draw_mark(
    sheet: Sheet,
    left: float,
    y: float,
    one: Estimate | None,
    style: tuple[str, str],
    unit: str,
    *,
    is_single: bool,
) -> None:
    axes, theme = sheet.axes, sheet.theme
    if one is None or one.value is None or one.low is None or one.high is None:
        text, place, align = ("none scored", left + 2, "left") if is_single else ("–", left + 50, "center")
        axes.text(place, y, text, ha=align, va="center", color=theme.muted, fontsize=SMALL)
        return
    colour, marker = style
    # Beside other columns there is room above the mark alone.
    height = y if is_single else y + 0.06
    value, low, high = (left + 100 * part for part in (one.value, one.low, one.high))
    axes.hlines(height, low, high, color=theme.ink, linewidth=1.3)
    axes.plot(
        value,
        height,
        marker,
        color=colour,
        markersize=7,
        markeredgecolor=theme.ink,
        markeredgewidth=0.7,
        # At 0% half of it lies beyond the axes.
        clip_on=False,
    )
    text = _written(one.value, unit, is_single)
    if is_single:
        axes.text(high + 2, y, text, ha="left", va="center", fontsize=SMALL)
    else:
        axes.text(value, y - 0.045, text, ha="center", va="bottom", fontsize=SMALL)


def _written(value: float, unit: str, is_single: bool) -> str:
    if unit == "share":
        return write_number(value, 2)
    return f"{write_number(100 * value)}%" if is_single else write_number(100 * value, 0)


def _write_scale(sheet: Sheet, columns: int, unit: str) -> None:
    steps = (0, 100) if columns >= NARROW_COLUMNS else (0, 50, 100)
    ticks = {number * _step(columns) + step: step for number in range(columns) for step in steps}
    # Without the sign the ends of two neighbouring columns stay apart.
    texts = {step: f"{step / 100:g}" if unit == "share" else _percentage(step, columns) for step in steps}
    sheet.axes.set_xticks(list(ticks), [texts[step] for step in ticks.values()])


def _percentage(step: int, columns: int) -> str:
    return f"{step}%" if step and columns < NARROW_COLUMNS else str(step)


def _listed(lines: Sequence[Line]) -> str:
    return ", ".join(f"{line.label} {_percent(line.marks[0])}" for line in lines)


def _recall_words(line: Line, names: Sequence[str]) -> str:
    said = [f"{name} {_percent(one)}" for name, one in zip(names, line.marks, strict=True)]
    return f"{line.label} {', '.join(said)}"


def _percent(one: Estimate | None) -> str:
    return "none scored" if one is None or one.value is None else f"{write_number(100 * one.value)}%"
