"""The report's picture: every text is whole, lies on the page and covers no other."""

from collections.abc import Iterator, Mapping
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import imread
from matplotlib.text import Text
from matplotlib.transforms import Bbox, BboxBase

from data.report.charts import STYLE, compose_page, draw_report
from data.rows import DECISIONS

LONG = "a value costs $5 or $10 {and} does not satisfy the schema of the tool that it is given to " * 4
UNWANTED = 4.0


def split_of(rows: int = 900, tools: int = 5, **parts: Any) -> dict[str, Any]:
    quarter = rows // 4
    return {
        "rows": rows,
        "decisions": dict.fromkeys(DECISIONS, quarter),
        "sources": {"team": rows},
        "turns": {"1": rows - 3, "9": 3},
        "tools": {str(number): rows // (tools + 1) for number in range(tools + 1)},
        "scripts": {"latin": rows - 9, "han": 9},
        "languages": {"en": rows - 40, "de": 31, "unsure": 5, "zh": 1, "ko": 1, "fr": 1, "pt": 1},
        "lengths": {
            "unit": "tokens",
            "measured_rows": rows,
            "prompt": {"p50": 286, "p90": 500, "p99": 771, "max": 2222},
            "answer": {"p50": 40, "p90": 100, "p99": 312, "max": 400},
        },
        **parts,
    }


def report_of(splits: Mapping[str, Any], **parts: Any) -> dict[str, Any]:
    rows = {
        "read": 4628,
        "rejected": 0,
        "duplicates": {"exact": 3, "normalised": 1, "by_purpose": {"sft": 4}},
        "merged_tests": 182,
        "kept": {"sft": 2331, "preference": 1200, "test": 915},
    }
    whole = {"data_hash": "ab" * 32, "rows": rows, "rejected": [], "splits": splits, "warnings": []}
    return {**whole, **parts}


TOO_LONG = {"max_length": 640, "rows": 91, "share": 0.039}
FOUR = {
    "train_sft": split_of(too_long=TOO_LONG),
    "train_pref": split_of(too_long={**TOO_LONG, "max_length": 4096, "rows": 0, "share": 0.0}),
    "when2call_mcq": split_of(182, tools=40),
    "own": split_of(4),
}
OVERLAP = {
    "policy": "drop",
    "by_kind": {"exact": 3, "normalised": 2, "13-gram": 17},
    "by_slice": [],
    "allowed": 4,
    "dropped": 22,
}
REASONS = [{"field": f"tools[{n}].x", "reason": f"{n} {LONG}", "rows": 90 - n, "first": ""} for n in range(9)]
OLD_SPLIT = {key: value for key, value in split_of().items() if key not in ("scripts", "languages")}
REPORTS = [
    pytest.param(report_of(FOUR), id="four splits"),
    pytest.param(report_of({"own": split_of(12)}), id="one split of few rows"),
    pytest.param(report_of({"own": split_of(0)}), id="no rows at all"),
    pytest.param(
        report_of(FOUR, warnings=[LONG, "short", LONG], rejected=REASONS, overlap=OVERLAP), id="all bad"
    ),
    pytest.param(report_of({"train_sft": OLD_SPLIT}, rows={"read": 9, "rejected": 0}), id="an older report"),
]


def texts_of(figure: Figure) -> Iterator[tuple[str, Bbox]]:
    """What is written on the page, and where, in pixels; shrunk a little, as letters are than their box."""
    texts = [*figure.texts, *(text for axes in figure.axes for text in texts_on(axes))]
    for text in texts:
        if text.get_visible() and text.get_text().strip():
            yield text.get_text(), Bbox(text.get_window_extent().padded(-UNWANTED / 2).get_points())


def texts_on(axes: Axes) -> Iterator[Text]:
    yield from axes.texts
    yield from (child for child in axes.get_children() if isinstance(child, Text) and child not in axes.texts)
    if legend := axes.get_legend():
        yield from legend.get_texts()
    for axis in (axes.xaxis, axes.yaxis):
        low, high = sorted(axis.get_view_interval())
        # Ticks beyond the limits exist, but are not drawn.
        drawn = [tick for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high]
        yield from (tick.label1 for tick in drawn if axes.axison)


def is_within(box: BboxBase, page: BboxBase) -> bool:
    return box.x0 >= page.x0 and box.x1 <= page.x1 and box.y0 >= page.y0 and box.y1 <= page.y1


@pytest.mark.parametrize("report", REPORTS)
def test_texts_are_on_the_page_and_apart(report: dict[str, Any]) -> None:
    with pyplot.rc_context(STYLE):
        figure = compose_page(report)
        figure.canvas.draw()
        texts = list(texts_of(figure))
        outside = [text for text, box in texts if not is_within(box, figure.bbox)]
        covered = [(a, b) for (a, one), (b, two) in combinations(texts, 2) if one.overlaps(two)]
        pyplot.close(figure)
    assert len(texts) > 5
    assert outside == []
    assert covered == []


def test_warnings_are_written_in_full() -> None:
    figure = compose_page(report_of(FOUR, warnings=[LONG, "short"]))
    written = " ".join(" ".join(text.get_text() for text in figure.findobj(Text)).split())
    pyplot.close(figure)
    assert " ".join(LONG.split()) in written
    assert "short" in written


def test_the_limit_and_what_it_costs_are_drawn() -> None:
    figure = compose_page(report_of(FOUR))
    written = {text.get_text().strip() for text in figure.findobj(Text)}
    pyplot.close(figure)
    assert {"3.9% left out", "max_length of the recipe"} <= written


def test_a_picture_is_written(tmp_path: Path) -> None:
    draw_report(report_of(FOUR), tmp_path / "report.png")
    assert imread(tmp_path / "report.png").shape[1] > 1000
    assert pyplot.get_fignums() == []
