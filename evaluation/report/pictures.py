"""The comparison's pictures: accuracy, recall by decision and confusion, each as PNG.

Colours are Okabe and Ito's, which colour-blind readers tell apart; every figure is written beside its mark.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from evaluation.comparison import Comparison
from evaluation.statistics import Estimate
from evaluation.suites import SUITES
from evaluation.summary import Summary
from evaluation.toolcalls.decision import DECISIONS, MALFORMED

COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#000000", "#F0E442")
MARKERS = "osD^vPX*"
NAMES = {
    "tool_call": "call",
    "request_for_info": "ask",
    "cannot_answer": "decline",
    "direct": "answer",
    MALFORMED: "malformed",
}
DOTS_PER_INCH = 150
# Inches: narrow enough that the letters stay readable where a telephone shows the whole width.
WIDTH = 5.8
STYLE = {"font.size": 11, "axes.titlesize": 12, "axes.titleweight": "bold", "axes.axisbelow": True}


def draw_pictures(comparison: Comparison, folder: Path) -> list[Path]:
    """Draw every picture into `folder` and return their paths, in the order of the report."""
    with matplotlib.rc_context(STYLE):
        drawn = {
            "accuracy": _draw_accuracy(comparison),
            "recall": _draw_recall(comparison),
            **{
                f"confusion_{suite}": _draw_confusion(suite, summaries)
                for suite, summaries in comparison.summaries.items()
            },
        }
        return [_save(figure, folder / f"{name}.png") for name, figure in drawn.items()]


def _draw_accuracy(comparison: Comparison) -> Figure:
    suites = comparison.summaries
    figure = Figure(figsize=(WIDTH, 3.2 * len(suites)), layout="constrained")
    axes = figure.subplots(len(suites), 1, squeeze=False)
    for ax, (suite, summaries) in zip(axes[:, 0], suites.items(), strict=True):
        metric = SUITES[suite].main_metric
        for number, (variant, summary) in enumerate(summaries.items()):
            _draw_estimate(ax, number, summary.metrics[metric], _style_of(comparison, variant))
        ax.set_xticks(range(len(summaries)), list(summaries))
        ax.set_xlim(-0.6, len(summaries) - 0.4)
        _finish_percent_axis(ax)
        ax.set_title(f"{suite}: {metric}, {_rows(summaries)} rows")
    figure.suptitle("How often each variant is right, with 95% intervals", fontsize=12)
    return figure


def _draw_recall(comparison: Comparison) -> Figure:
    suites = comparison.summaries
    figure = Figure(figsize=(WIDTH, 3.2 * len(suites)), layout="constrained")
    axes = figure.subplots(len(suites), 1, squeeze=False)
    for ax, (suite, summaries) in zip(axes[:, 0], suites.items(), strict=True):
        decisions = [name for name in DECISIONS if any(s.recall[name].n for s in summaries.values())]
        width = 0.8 / max(len(summaries), 1)
        for number, (variant, summary) in enumerate(summaries.items()):
            offset = (number - (len(summaries) - 1) / 2) * width
            for place, decision in enumerate(decisions):
                _draw_estimate(ax, place + offset, summary.recall[decision], _style_of(comparison, variant))
        ax.set_xticks(range(len(decisions)), [_decision_label(name, summaries) for name in decisions])
        ax.set_xlim(-0.6, len(decisions) - 0.4)
        _finish_percent_axis(ax)
        ax.set_title(f"{suite}: recall by expected decision")
    handles = [
        Line2D([], [], color=colour, marker=marker, linestyle="", label=variant)
        for variant in comparison.variants
        for colour, marker in [_style_of(comparison, variant)]
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), frameon=False)
    return figure


def _draw_confusion(suite: str, summaries: Mapping[str, Summary]) -> Figure:
    tables = [summary.confusion for summary in summaries.values()]
    expected = [name for name in DECISIONS if any(name in table for table in tables)] or list(DECISIONS)
    seen = {taken for table in tables for row in table.values() for taken in row}
    taken = [name for name in (*DECISIONS, MALFORMED) if name in seen or name in DECISIONS]
    columns = min(2, max(len(summaries), 1))
    lines = -(-max(len(summaries), 1) // columns)
    size = (4.4 * columns, (1.0 + 0.5 * len(expected)) * lines)
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(lines, columns, squeeze=False)
    for ax in axes.flat[len(summaries) :]:
        ax.set_visible(False)
    for ax, (variant, summary) in zip(axes.flat, summaries.items(), strict=False):
        _draw_table(ax, summary.confusion, expected, taken)
        ax.set_title(variant)
    figure.suptitle(f"{suite}: which decision was taken where which was expected", fontsize=12)
    figure.supxlabel("taken", fontsize=11)
    figure.supylabel("expected", fontsize=11)
    return figure


def _draw_table(
    ax: Axes, table: Mapping[str, Mapping[str, int]], expected: Sequence[str], taken: Sequence[str]
) -> None:
    counts = [[table.get(e, {}).get(t, 0) for t in taken] for e in expected]
    shares = [[count / max(sum(row), 1) for count in row] for row in counts]
    ax.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for y, row in enumerate(counts):
        for x, count in enumerate(row):
            colour = "white" if shares[y][x] > 0.6 else "black"
            ax.text(x, y, str(count), ha="center", va="center", color=colour)
    ax.set_xticks(range(len(taken)), [NAMES[name] for name in taken], fontsize=10)
    ax.set_yticks(range(len(expected)), [NAMES[name] for name in expected], fontsize=10)


def _draw_estimate(ax: Axes, x: float, one: Estimate, style: tuple[str, str]) -> None:
    if one.value is None or one.low is None or one.high is None:
        return
    colour, marker = style
    # At 0 and at 1 an interval's end may lie beyond the value by a rounding error.
    error = [[100 * max(0.0, one.value - one.low)], [100 * max(0.0, one.high - one.value)]]
    value = 100 * one.value
    ax.errorbar(x, value, yerr=error, color=colour, marker=marker, markersize=7, capsize=3, linewidth=1.6)
    ax.annotate(
        f"{value:.0f}", (x, 100 * one.high), (0, 3), textcoords="offset points", ha="center", fontsize=9
    )


def _finish_percent_axis(ax: Axes) -> None:
    # Room above 100 for the figures that stand over the intervals.
    ax.set_ylim(0, 112)
    ax.set_yticks(range(0, 101, 25))
    ax.set_ylabel("% of rows")
    ax.grid(axis="y", color="#dddddd")
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)


def _style_of(comparison: Comparison, variant: str) -> tuple[str, str]:
    number = comparison.variants.index(variant)
    return COLOURS[number % len(COLOURS)], MARKERS[number % len(MARKERS)]


def _decision_label(decision: str, summaries: Mapping[str, Summary]) -> str:
    most = max(summary.recall[decision].n for summary in summaries.values())
    return f"{NAMES[decision]}\n({most} rows)"


def _rows(summaries: Mapping[str, Summary]) -> int:
    return max((summary.rows for summary in summaries.values()), default=0)


def _save(figure: Figure, path: Path) -> Path:
    figure.savefig(path, dpi=DOTS_PER_INCH, facecolor="white")
    return path
