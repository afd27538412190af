"""The panels of the report's picture: each draws one fact about the rows on axes that it is given."""

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from data.report.warnings import count_duplicates
from data.rows import DECISIONS

DECISION_COLOURS = {
    "tool_call": "#3b6fb6",
    "request_for_info": "#e0a030",
    "cannot_answer": "#b8443f",
    "direct": "#7a7f87",
}
SPLIT_COLOURS = ("#2f4b7c", "#7a9cc6", "#d08c60", "#8fae8b", "#9a7aa0", "#606060", "#c9b458")
PROMPT_COLOUR, ANSWER_COLOUR, LOST_COLOUR = "#4c5a6b", "#9fb0c3", "#b8443f"
REASONS_DRAWN, LANGUAGES_DRAWN = 6, 5
REASON_CHARACTERS = 110
LOST = ("rejected", "duplicates", "dropped for overlap")
# Rows with as many tools or turns as this, or more, share the last bar.
MANY_TOOLS, MANY_TURNS = 16, 5
BAR = 0.36

Splits = Mapping[str, Mapping[str, Any]]
Report = Mapping[str, Any]


def draw_decisions(axes: Axes, splits: Splits) -> None:
    """Shares of the decisions by split, with the counts in the bars."""
    labels = [_label(name, split) for name, split in splits.items()]
    left = [0.0] * len(splits)
    for decision in DECISIONS:
        counts = [split["decisions"][decision] for split in splits.values()]
        shares = [count / split["rows"] for count, split in zip(counts, splits.values(), strict=True)]
        colour = DECISION_COLOURS[decision]
        bars = axes.barh(labels, shares, left=left, height=0.7, color=colour, label=decision)
        texts = [f"{count:,}" if share > 0.04 else "" for count, share in zip(counts, shares, strict=True)]
        axes.bar_label(bars, labels=texts, label_type="center", color="white")
        left = [start + share for start, share in zip(left, shares, strict=True)]
    axes.invert_yaxis()
    axes.xaxis.set_major_formatter("{x:.0%}")
    axes.set_xlim(0, 1)
    _finish(axes, "Decisions")
    axes.legend(ncols=4, loc="upper center", bbox_to_anchor=(0.5, -0.1), frameon=False)


def draw_tools(axes: Axes, splits: Splits) -> None:
    """How many tools a row offers, as shares of each split."""
    _draw_shares(axes, splits, "tools", MANY_TOOLS)
    _finish(axes, "Tools offered a row")
    axes.legend(ncols=2, loc="upper center", bbox_to_anchor=(0.45, -0.1), frameon=False)


def draw_turns(axes: Axes, splits: Splits) -> None:
    """How many user turns a row has, as shares of each split."""
    _draw_shares(axes, splits, "turns", MANY_TURNS)
    _finish(axes, "User turns")


def draw_languages(axes: Axes, splits: Splits) -> None:
    """The languages and scripts of all splits together, as text: most sets have one of each."""
    axes.set_axis_off()
    axes.set_title("Written in", loc="left")
    lines = []
    for title, key in (("language, guessed", "languages"), ("script", "scripts")):
        found = sum((Counter(split.get(key, {})) for split in splits.values()), Counter[str]())
        if found:
            lines += [title, *_shares_as_text(found), ""]
    axes.text(0, 1, "\n".join(lines), transform=axes.transAxes, va="top", linespacing=1.4)


def draw_lengths(axes: Axes, splits: Splits) -> None:
    """Median and 99th percentile of prompts and answers, and the recipe's limit where there is one."""
    unit = next(iter(splits.values()))["lengths"]["unit"]
    for place, split in enumerate(splits.values()):
        for part, shift, colour in (
            ("prompt", -BAR / 2, PROMPT_COLOUR),
            ("answer", BAR / 2, ANSWER_COLOUR),
        ):
            found = split["lengths"][part]
            label = part if place == 0 else None
            axes.barh(place + shift, found["p99"], height=BAR, color=colour, alpha=0.35)
            axes.barh(place + shift, found["p50"], height=BAR, color=colour, label=label)
            text = f" {found['p50']:,} · {found['p99']:,}"
            axes.text(found["p99"], place + shift, text, va="center", fontsize=8)
        _draw_limit(axes, place, split)
    axes.set_yticks(range(len(splits)), list(splits))
    axes.invert_yaxis()
    axes.margins(x=0.22)
    axes.xaxis.set_major_formatter("{x:,.0f}")
    _finish(axes, f"Length in {unit}: median (dark) · 99th percentile (light)")
    axes.legend(ncols=3, loc="upper center", bbox_to_anchor=(0.5, -0.1), frameon=False)


def draw_fates(axes: Axes, report: Report) -> None:
    """What became of the rows that were read."""
    shown = list_fates(report)
    colours = [LOST_COLOUR if name in LOST else PROMPT_COLOUR for name in shown]
    bars = axes.barh(list(shown), list(shown.values()), height=0.6, color=colours)
    axes.bar_label(bars, labels=[f"{count:,}" for count in shown.values()], padding=3)
    axes.set_ylim(max(len(shown), 4) - 0.4, -0.6)
    axes.margins(x=0.2)
    axes.set_xticks([])
    _finish(axes, "What became of the rows")
    axes.spines["bottom"].set_visible(False)


def draw_rejections(axes: Axes, report: Report) -> None:
    """The most frequent reasons, each in words above its bar."""
    reasons = list_reasons(report)
    axes.set_axis_off()
    axes.set_title("Rejected rows by reason", loc="left")
    if not reasons:
        axes.text(0, 1, "no row is rejected", transform=axes.transAxes, va="top")
        return
    most = reasons[0][1]
    for place, (reason, count) in enumerate(reasons):
        axes.text(0, place, reason, va="bottom")
        axes.barh(place + 0.2, count / most, height=0.22, color=LOST_COLOUR)
        axes.text(count / most, place + 0.2, f"  {count:,}", va="center", fontsize=8)
    axes.set_xlim(0, 1.12)
    axes.set_ylim(max(len(reasons), 3) - 0.4, -0.7)


def list_fates(report: Report) -> dict[str, int]:
    """Rows by what became of them; what did not occur is named only where its absence is news."""
    rows, overlap = report["rows"], report.get("overlap") or {}
    fates = {
        "kept": sum(rows.get("kept", {}).values()),
        "rejected": rows["rejected"],
        "duplicates": count_duplicates(rows),
        "merged test rows": rows.get("merged_tests", 0),
        **{f"test rows, {kind} overlap": count for kind, count in overlap.get("by_kind", {}).items()},
        "test rows, allowed overlap": overlap.get("allowed", 0),
        "dropped for overlap": overlap.get("dropped", 0),
    }
    return {name: count for name, count in fates.items() if count or name in ("kept", *LOST[:2])}


def list_reasons(report: Report) -> list[tuple[str, int]]:
    """The reasons that are drawn, most frequent first, places within a list counted together."""
    counts: Counter[str] = Counter()
    for entry in report["rejected"]:
        field = re.sub(r"\[\d+\]", "[…]", entry["field"])
        reason = " ".join(f"{field} {entry['reason']}".split())
        counts[reason if len(reason) <= REASON_CHARACTERS else f"{reason[:REASON_CHARACTERS]}…"] += entry[
            "rows"
        ]
    return counts.most_common(REASONS_DRAWN)


def _draw_limit(axes: Axes, place: int, split: Mapping[str, Any]) -> None:
    found = split.get("too_long")
    if not found:
        return
    limit = found["max_length"]
    label = "max_length of the recipe" if place == 0 else None
    axes.plot([limit, limit], [place - 0.45, place + 0.45], color=LOST_COLOUR, lw=2, label=label)
    if found["rows"]:
        text = f"  {found['share']:.1%} left out"
        axes.text(limit, place + BAR / 2, text, va="center", fontsize=8, color=LOST_COLOUR)


def _draw_shares(axes: Axes, splits: Splits, key: str, many: int) -> None:
    width = 0.8 / len(splits)
    lowest, highest = 1, 4
    for place, (name, split) in enumerate(splits.items()):
        counts: Counter[int] = Counter()
        for number, rows in split[key].items():
            counts[min(int(number), many) if number.isdecimal() else many] += rows
        left = [number - 0.4 + width * place for number in counts]
        shares = [rows / split["rows"] for rows in counts.values()]
        colour = SPLIT_COLOURS[place % len(SPLIT_COLOURS)]
        axes.bar(left, shares, width, align="edge", label=name, color=colour)
        lowest, highest = min(lowest, *counts), max(highest, *counts)
    axes.set_xlim(lowest - 0.6, highest + 0.6)
    axes.yaxis.set_major_formatter("{x:.0%}")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8, min_n_ticks=1))
    if highest == many:
        axes.xaxis.set_major_formatter(lambda x, _: f"{many}+" if x == many else f"{x:.0f}")
    axes.margins(y=0.12)


def _shares_as_text(found: Mapping[str, int]) -> list[str]:
    total = sum(found.values())
    most = Counter(found).most_common()
    lines = [f"   {name}  {_percent(count / total)}" for name, count in most[:LANGUAGES_DRAWN]]
    rest = sum(count for _, count in most[LANGUAGES_DRAWN:])
    return [*lines, f"   others  {_percent(rest / total)}"] if rest else lines


def _percent(share: float) -> str:
    return "<0.1%" if share < 0.001 else f"{share:.1%}"


def _label(name: str, split: Mapping[str, Any]) -> str:
    return f"{name}\n{split['rows']:,} rows"


def _finish(axes: Axes, title: str) -> None:
    axes.set_title(title, loc="left")
    axes.spines[["top", "right"]].set_visible(False)
