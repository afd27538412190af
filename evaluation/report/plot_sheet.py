"""A picture as a sheet of lines: labels at the left, marks at the right, as high as what it holds.

Laid out in inches rather than by a solver, so that the letters have one size whatever the number of lines.
"""

from __future__ import annotations

import textwrap
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import blended_transform_factory

from evaluation.report.plot_themes import LARGE, SMALL, Theme
from evaluation.report.visible import make_visible

# Inches.
WIDTH = 5.4
LINE, HEAD, GAP, FOOT, MARGIN = 0.38, 0.3, 0.16, 0.34, 0.12
# Of the letter n in the normal size.
LETTER = 0.0925
TITLE_LINE, TITLE_LETTERS = 0.22, 52
LABEL_LETTERS = 24
# DejaVu Sans's letters by their width; whatever is not among them is taken for a capital.
WIDEST = frozenset("mwMW%@…⟦⟧")
NARROW = frozenset("fijlrtI-.,:;'|!()[] \\")
PLAIN = frozenset('abcdeghknopqsuvxyz0123456789_{}$*/?"')


@dataclass(frozen=True)
class Drawing:
    """A picture that is still to be drawn for one theme or another."""

    name: str
    title: str
    alt: str
    draw: Callable[[Theme], Figure]


@dataclass(frozen=True)
class Sheet:
    """An open figure. Its axes count down from the top in inches; `edge`: the left end, in their x."""

    theme: Theme
    figure: Figure
    axes: Axes

    def write_head(self, y: float, text: str, note: str = "") -> None:
        """Begin a section: its name, and below it what more there is to say."""
        place = blended_transform_factory(self.figure.transFigure, self.axes.transData)
        left = MARGIN / WIDTH
        self.axes.text(left, y, text, transform=place, va="center", fontweight="bold")
        if note:
            self.axes.text(
                left, y + 0.2, note, transform=place, va="center", fontsize=SMALL, color=self.theme.muted
            )

    def write_label(self, y: float, text: str, note: str = "") -> None:
        """Name a line, with a smaller note below."""
        place = self.axes.get_yaxis_transform()
        rise = 0.08 if note else 0.0
        self.axes.text(-0.02, y - rise, text, transform=place, ha="right", va="center")
        if note:
            self.axes.text(
                -0.02,
                y + 0.095,
                note,
                transform=place,
                ha="right",
                va="center",
                fontsize=SMALL,
                color=self.theme.muted,
            )


def open_sheet(theme: Theme, title: str, labels: Iterable[str], height: float, foot: float = FOOT) -> Sheet:
    """Open a sheet for lines of these labels, `height` inches high without title and foot."""
    lines = textwrap.wrap(title, TITLE_LETTERS) if theme.has_title else []
    head = len(lines) * TITLE_LINE + MARGIN
    whole = head + height + foot
    label = max((letters_of(line) for line in labels), default=0) * LETTER + 2 * MARGIN
    figure = Figure(figsize=(WIDTH, whole))
    box = (label / WIDTH, foot / whole, (WIDTH - label - MARGIN) / WIDTH, height / whole)
    axes = figure.add_axes(box)
    axes.set_ylim(height, 0)
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.tick_params(length=0, labelsize=SMALL, labelcolor=theme.muted)
    if lines:
        place = (MARGIN / WIDTH, 1 - MARGIN / 2 / whole)
        figure.text(*place, "\n".join(lines), va="top", fontsize=LARGE, fontweight="bold", linespacing=1.2)
    return Sheet(theme, figure, axes)


def label_of(text: str, letters: int = LABEL_LETTERS) -> str:
    """A name as a label: one line, nothing unseen in it, its middle left out where it is long.

    >>> label_of("a_source_with_a_very_long_name_2024", 16)
    'a_sourc…me_2024'
    """
    line = " ".join(make_visible(text).split()) or "(empty)"
    if letters_of(line[: 2 * letters]) <= letters:
        return line
    # A text may be a megabyte, of which no more than this can be shown.
    start, end = line[: 2 * letters], line[-2 * letters :]
    while letters_of(f"{start}…{end}") > letters:
        start, end = (start[:-1], end) if len(start) > len(end) else (start, end[1:])
    return f"{start}…{end}"


def letters_of(text: str) -> float:
    """How wide a text is at most, in widths of the letter n.

    >>> letters_of("nod"), letters_of("北京")
    (3.0, 4.0)
    """
    return sum(_letter_width(letter) for letter in text)


def _letter_width(letter: str) -> float:
    if unicodedata.east_asian_width(letter) in "WF":
        return 2.0
    if letter in WIDEST:
        return 1.6
    if letter in NARROW:
        return 0.7
    return 1.0 if letter in PLAIN else 1.35
