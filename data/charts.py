"""The report as a picture: decisions, tools a row, lengths, and what was rejected."""

import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib

# No display in a container; chosen before pyplot looks for one.
matplotlib.use("Agg")

from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from data.rows import DECISIONS

COLOURS = {
    "tool_call": "#3b6fb6",
    "request_for_info": "#e0a030",
    "cannot_answer": "#b8443f",
    "direct": "#7a7f87",
}
REASONS_DRAWN = 6
LABEL_CHARACTERS = 46
NOTE_CHARACTERS = 84


def draw_report(report: Mapping[str, Any], path: Path) -> None:
    """Draw `report.json`'s content as one page of four panels."""
    figure, ((decisions, tools), (lengths, rejected)) = pyplot.subplots(
        2, 2, figsize=(13, 8.5), layout="constrained"
    )
    splits = {name: split for name, split in report["splits"].items() if split["rows"]}
    figure.suptitle(_title(report), fontsize=13, fontweight="bold", x=0.01, ha="left")
    _draw_decisions(decisions, splits)
    _draw_tools(tools, splits)
    _draw_lengths(lengths, splits)
    _draw_rejected(rejected, report)
    for axes in (decisions, tools, lengths, rejected):
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def _title(report: Mapping[str, Any]) -> str:
    rows = report["rows"]
    return f"{rows['read']:,} rows read, {rows['rejected']:,} rejected · data {report['data_hash'][:12]}"


def _draw_decisions(axes: Axes, splits: Mapping[str, Any]) -> None:
    names = list(splits)
    left = [0.0] * len(names)
    for decision in DECISIONS:
        counts = [splits[name]["decisions"][decision] for name in names]
        shares = [count / splits[name]["rows"] for count, name in zip(counts, names, strict=True)]
        bars = axes.barh(names, shares, left=left, color=COLOURS[decision], label=decision)
        labels = [f"{count:,}" if share > 0.04 else "" for count, share in zip(counts, shares, strict=True)]
        axes.bar_label(bars, labels=labels, label_type="center", color="white")
        left = [start + share for start, share in zip(left, shares, strict=True)]
    axes.invert_yaxis()
    axes.xaxis.set_major_formatter("{x:.0%}")
    axes.set_xlim(0, 1)
    axes.set_title("Decisions", loc="left")
    axes.legend(ncols=4, loc="upper center", bbox_to_anchor=(0.5, -0.08), frameon=False, fontsize=9)


def _draw_tools(axes: Axes, splits: Mapping[str, Any]) -> None:
    width = 0.8 / len(splits)
    for place, (name, split) in enumerate(splits.items()):
        counts = {int(tools): rows / split["rows"] for tools, rows in split["tools"].items()}
        left = [tools - 0.4 + width * place for tools in counts]
        axes.bar(left, list(counts.values()), width, align="edge", label=name)
    axes.yaxis.set_major_formatter("{x:.0%}")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_title("Tools offered a row", loc="left")
    axes.legend(ncols=4, loc="upper center", bbox_to_anchor=(0.5, -0.08), frameon=False, fontsize=9)


def _draw_lengths(axes: Axes, splits: Mapping[str, Any]) -> None:
    unit = next((split["lengths"]["unit"] for split in splits.values()), "")
    height = 0.38
    for row, split in enumerate(splits.values()):
        for part, shift, colour in (("prompt", -height / 2, "#4c5a6b"), ("answer", height / 2, "#9fb0c3")):
            found = split["lengths"][part]
            label = part if row == 0 else None
            axes.barh(row + shift, found["p99"], height=height, color=colour, alpha=0.35)
            axes.barh(row + shift, found["p50"], height=height, color=colour, label=label)
            axes.text(
                found["p99"], row + shift, f" {found['p50']:,} · {found['p99']:,}", va="center", fontsize=9
            )
    axes.set_yticks(range(len(splits)), list(splits))
    axes.invert_yaxis()
    axes.margins(x=0.25)
    axes.set_title(f"Length in {unit}: median (dark) and 99th percentile (light)", loc="left")
    axes.legend(frameon=False, fontsize=9, loc="center right")


def _draw_rejected(axes: Axes, report: Mapping[str, Any]) -> None:
    worst = report["rejected"][:REASONS_DRAWN]
    axes.set_title("Rejected rows by reason, and warnings", loc="left")
    if worst:
        labels = [f"{entry['field']} {entry['reason']}"[:LABEL_CHARACTERS] for entry in worst]
        bars = axes.barh(labels, [entry["rows"] for entry in worst], color=COLOURS["cannot_answer"])
        axes.bar_label(bars, padding=3)
        axes.set_ylim(REASONS_DRAWN + 2.5, -0.5)
        axes.set_xticks([])
    else:
        axes.set_axis_off()
    notes = [] if worst else ["no rows rejected"]
    notes += [f"! {warning}" for warning in report["warnings"]] or ["no warnings"]
    text = "\n".join(textwrap.fill(note, NOTE_CHARACTERS, subsequent_indent="   ") for note in notes)
    axes.text(
        0,
        0.02 if worst else 0.95,
        text,
        transform=axes.transAxes,
        va="bottom" if worst else "top",
        fontsize=9,
    )
