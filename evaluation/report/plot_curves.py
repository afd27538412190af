"""How the trainings went: loss, and reward where it was logged, by step; a small picture for each variant.

Each has a scale of its own, because the losses of SFT, DPO and RFT mean different things.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from evaluation.comparison import sort_variants
from evaluation.report.plot_sheet import WIDTH, Drawing, label_of, open_sheet
from evaluation.report.plot_themes import SMALL, Theme
from evaluation.report.results import Curves

SHOWN = ("loss", "reward")
MANY_POINTS = 50
# More faint points would only make the file longer.
MAX_RAW_POINTS = 150
# What lies beyond has diverged, and cannot be drawn beside what has not.
GREATEST = 1e100
# Of the points that a moving average is taken over.
SMOOTHED_SHARE = 0.05
# Inches, and of them what a panel's own titles and steps take.
PANEL, PANEL_HEAD, PANEL_FOOT = 1.9, 0.5, 0.42

Points = Sequence[tuple[int, float]]


def draw_curves(curves: Curves) -> Drawing | None:
    """The curves of every trained variant; None where nothing was logged."""
    panels = [
        (metric, variant, points)
        for metric in SHOWN
        for variant in sort_variants(set(curves.get(metric, {})))
        if (points := _finite(curves[metric][variant]))
    ]
    if not panels:
        return None
    title = "How the trainings went, by step"
    alt = "; ".join(_said(*panel) for panel in panels)
    return Drawing("curves", title, alt, partial(_draw, title, panels))


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


def _draw(title: str, panels: Sequence[tuple[str, str, Points]], theme: Theme) -> Figure:
    columns = min(2, len(panels))
    lines = -(-len(panels) // columns)
    height = lines * PANEL
    sheet = open_sheet(theme, title, [], height, foot=0.05)
    sheet.axes.remove()
    figure, whole = sheet.figure, sheet.figure.get_figheight()
    variants = sort_variants({variant for _, variant, _ in panels})
    width = WIDTH / columns
    for number, (metric, variant, points) in enumerate(panels):
        left, bottom = (number % columns) * width, height - (number // columns + 1) * PANEL + 0.05
        box = (
            (left + 0.55) / WIDTH,
            (bottom + PANEL_FOOT) / whole,
            (width - 0.75) / WIDTH,
            (PANEL - PANEL_HEAD - PANEL_FOOT) / whole,
        )
        colour, _ = theme.style_of(variant, variants)
        _draw_panel(figure.add_axes(box), f"{label_of(variant, 14)}: {metric}", points, colour, theme)
    return figure


def _draw_panel(axes: Axes, title: str, points: Points, colour: str, theme: Theme) -> None:
    steps, values = [step for step, _ in points], [value for _, value in points]
    smoothed = smooth(values)
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
        f"{smoothed[0]:.3g} → {smoothed[-1]:.3g}",
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
    axes.tick_params(length=0, labelsize=SMALL - 0.5, labelcolor=theme.muted)
    axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(4))
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)


def _said(metric: str, variant: str, points: Points) -> str:
    name, first, last = label_of(variant), points[0][0], points[-1][0]
    smoothed = smooth([value for _, value in points])
    if first == last:
        return f"{name}: {metric} {smoothed[0]:.3g} at step {first}"
    return f"{name}: {metric} from {smoothed[0]:.3g} at step {first} to {smoothed[-1]:.3g} at step {last}"
