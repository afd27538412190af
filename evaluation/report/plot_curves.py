"""How the trainings went: loss, and reward or DPO's margin of rewards where it was logged, by step.

A small picture for each variant and metric. Each has a scale of its own, because the losses of SFT, DPO
and RFT mean different things.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from evaluation.comparison import sort_variants
from evaluation.report.plot_sheet import WIDTH, Drawing, label_of, open_sheet
from evaluation.report.plot_themes import SMALL, Theme
from evaluation.report.results import Curves

SHOWN = ("loss", "reward", "rewards/margins")
MANY_POINTS = 50
# More faint points would only make the file longer.
MAX_RAW_POINTS = 150
# What lies beyond has diverged, and cannot be drawn beside what has not.
GREATEST = 1e100
# Of the points that a moving average is taken over.
SMOOTHED_SHARE = 0.05
# Inches, and of them what a panel's own titles and steps take.
PANEL, PANEL_HEAD, PANEL_FOOT = 1.9, 0.5, 0.42

SMOOTHING = (
    f"A line of more than {MANY_POINTS} points is a centred moving average over {SMOOTHED_SHARE:.0%} of "
    "them; first and last are its ends, in the picture and here."
)

Points = Sequence[tuple[int, float]]


@dataclass(frozen=True)
class Panel:
    """One training's points by one metric, without those that have diverged."""

    metric: str
    variant: str
    points: Points

    @property
    def smoothed(self) -> list[float]:
        """The line that is drawn: a value for each point."""
        return smooth([value for _, value in self.points])

    @property
    def ends(self) -> tuple[str, str]:
        """Where the line begins and ends."""
        line = self.smoothed
        return write_value(line[0]), write_value(line[-1])


def panels_of(curves: Curves) -> list[Panel]:
    """What is drawn of the trainings, metric by metric in the order of the variants."""
    return [
        Panel(metric, variant, points)
        for metric in SHOWN
        for variant in sort_variants(set(curves.get(metric, {})))
        if (points := _finite(curves[metric][variant]))
    ]


def draw_curves(curves: Curves) -> Drawing | None:
    """The curves of every trained variant; None where nothing was logged."""
    panels = panels_of(curves)
    if not panels:
        return None
    title = "How the trainings went, by step"
    alt = "; ".join(map(_said, panels))
    return Drawing("curves", title, alt, partial(_draw, title, panels))


def write_value(value: float) -> str:
    """A value with three digits that count, so that those of one figure are alike.

    >>> write_value(1.7), write_value(0.863), write_value(250)
    ('1.70', '0.863', '250')
    """
    return f"{value:#.3g}".rstrip(".")


def smooth(values: Sequence[float]) -> list[float]:
    """A centred moving average, over fewer values towards the ends; few values stay as they are.

    >>> smooth([1.0, 5.0, 3.0])
    [1.0, 5.0, 3.0]
    """
    if len(values) <= MANY_POINTS:
        return list(values)
    half = max(1, round(SMOOTHED_SHARE * len(values) / 2))
    sums = np.concatenate([[0.0], np.cumsum(values)])
    places = np.arange(len(values))
    first, last = np.maximum(places - half, 0), np.minimum(places + half + 1, len(values))
    means: list[float] = ((sums[last] - sums[first]) / (last - first)).tolist()
    return means


def _finite(points: Points) -> list[tuple[int, float]]:
    return sorted((step, value) for step, value in points if abs(value) <= GREATEST)


def _draw(title: str, panels: Sequence[Panel], theme: Theme) -> Figure:
    columns = min(2, len(panels))
    lines = -(-len(panels) // columns)
    height = lines * PANEL
    sheet = open_sheet(theme, title, [], height, foot=0.05)
    sheet.axes.remove()
    figure, whole = sheet.figure, sheet.figure.get_figheight()
    variants = sort_variants({panel.variant for panel in panels})
    width = WIDTH / columns
    for number, panel in enumerate(panels):
        left, bottom = (number % columns) * width, height - (number // columns + 1) * PANEL + 0.05
        box = (
            (left + 0.55) / WIDTH,
            (bottom + PANEL_FOOT) / whole,
            (width - 0.75) / WIDTH,
            (PANEL - PANEL_HEAD - PANEL_FOOT) / whole,
        )
        colour, _ = theme.style_of(panel.variant, variants)
        _draw_panel(figure.add_axes(box), panel, colour, theme)
    return figure


def _draw_panel(axes: Axes, panel: Panel, colour: str, theme: Theme) -> None:
    points, smoothed = panel.points, panel.smoothed
    steps, values = [step for step, _ in points], [value for _, value in points]
    title = f"{label_of(panel.variant, 12)}: {panel.metric}"
    if len(points) > MANY_POINTS:
        every = -(-len(points) // MAX_RAW_POINTS)
        axes.plot(
            steps[::every],
            values[::every],
            ".",
            color=theme.muted,
            alpha=0.45,
            markersize=2.5,
            markeredgewidth=0,
        )
    marker = "o" if len(points) == 1 else ""
    axes.plot(steps, smoothed, color=theme.ink, linewidth=2.6, marker=marker, markersize=5)
    axes.plot(steps, smoothed, color=colour, linewidth=1.6)
    axes.set_title(title, loc="left", fontsize=SMALL + 0.5, fontweight="bold", pad=19)
    # A second title, at the same side, would move the first.
    axes.annotate(
        " → ".join(panel.ends),
        (0, 1),
        (0, 6),
        xycoords="axes fraction",
        textcoords="offset points",
        fontsize=SMALL,
        color=theme.muted,
    )
    axes.grid(axis="y", color=theme.grid, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.patch.set_alpha(0)
    axes.tick_params(length=0, labelsize=SMALL, labelcolor=theme.muted)
    axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(4))
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)


def _said(panel: Panel) -> str:
    name, (first, last), ends = label_of(panel.variant), panel.ends, (panel.points[0][0], panel.points[-1][0])
    if ends[0] == ends[1]:
        return f"{name}: {panel.metric} {first} at step {ends[0]}"
    return f"{name}: {panel.metric} from {first} at step {ends[0]} to {last} at step {ends[1]}"
