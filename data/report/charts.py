"""The report as a picture: one page on what the rows are, what was left out, and what to worry about."""

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib

# No display in a container; chosen before pyplot looks for one.
matplotlib.use("Agg")

from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from data.report.panels import (
    draw_decisions,
    draw_fates,
    draw_languages,
    draw_lengths,
    draw_rejections,
    draw_tools,
    draw_turns,
    list_fates,
    list_reasons,
)

WIDTH = 14.0
# Inches: a panel of bars by split, a line of text, and what a title and an axis take.
SPLIT_HEIGHT, LINE_HEIGHT, FRAME_HEIGHT = 0.42, 0.21, 0.95
WARNING_CHARACTERS = 172
# A text from a row may hold $, which matplotlib would typeset as a formula or fail on.
STYLE = {"text.parse_math": False, "font.size": 9, "axes.titlesize": 11, "axes.titleweight": "bold"}

Report = Mapping[str, Any]


def draw_report(report: Report, path: Path) -> None:
    """Draw `report.json`'s content as a PNG; parts that an older report lacks are left out."""
    with pyplot.rc_context(STYLE):
        figure = compose_page(report)
        figure.savefig(path, dpi=110)
        pyplot.close(figure)


def compose_page(report: Report) -> Figure:
    """Lay the panels out on a page as high as what they hold, the warnings below in full."""
    splits = {name: split for name, split in report["splits"].items() if split["rows"]}
    warnings = _wrap_warnings(report["warnings"])
    heights = _heights(len(splits), len(list_fates(report)), len(list_reasons(report)), len(warnings))
    layout = ConstrainedLayoutEngine(h_pad=0.1, w_pad=0.1, hspace=0.04, wspace=0.03)
    figure: Figure = pyplot.figure(figsize=(WIDTH, sum(heights) + 0.6), layout=layout)
    grid = figure.add_gridspec(4, 6, height_ratios=heights)
    figure.suptitle(_title(report), fontsize=13, fontweight="bold", x=0.01, ha="left")
    if splits:
        draw_decisions(figure.add_subplot(grid[0, :4]), splits)
        draw_tools(figure.add_subplot(grid[0, 4:]), splits)
        draw_lengths(figure.add_subplot(grid[1, :4]), splits)
        draw_turns(figure.add_subplot(grid[1, 4]), splits)
        draw_languages(figure.add_subplot(grid[1, 5]), splits)
    draw_fates(figure.add_subplot(grid[2, :2]), report)
    draw_rejections(figure.add_subplot(grid[2, 2:]), report)
    _write_warnings(figure.add_subplot(grid[3, :]), warnings, bool(report["warnings"]))
    return figure


def _title(report: Report) -> str:
    rows = report["rows"]
    return f"{rows['read']:,} rows read, {rows['rejected']:,} rejected · data {report['data_hash'][:12]}"


def _heights(splits: int, fates: int, reasons: int, warning_lines: int) -> list[float]:
    by_split = max(splits, 3) * SPLIT_HEIGHT + FRAME_HEIGHT
    return [
        by_split,
        by_split + 0.4,
        max(reasons * 2.2 * LINE_HEIGHT, fates * 1.3 * LINE_HEIGHT, 1.4) + 0.5,
        (warning_lines + 1) * LINE_HEIGHT + 0.35,
    ]


def _wrap_warnings(warnings: Sequence[str]) -> list[str]:
    """The lines of all warnings; the first line of each begins with a dot."""
    lines: list[str] = []
    for warning in warnings:
        first, *rest = textwrap.wrap(warning, WARNING_CHARACTERS)
        lines += [f"•  {first}", *(f"    {line}" for line in rest)]
    return lines or ["none"]


def _write_warnings(axes: Axes, lines: Sequence[str], is_warned: bool) -> None:
    axes.set_axis_off()
    axes.set_title("Warnings", loc="left", color="#b8443f" if is_warned else "black")
    axes.text(0, 1, "\n".join(lines), transform=axes.transAxes, va="top", linespacing=1.35)
