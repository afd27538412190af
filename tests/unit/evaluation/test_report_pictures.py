"""Pictures: nothing is cut off or written over, nothing breaks the page, and the same run draws the same."""

from __future__ import annotations

import json
import math
import re
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO
from itertools import combinations, pairwise
from typing import Any

import matplotlib
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from evaluation.comparison import VARIANTS
from evaluation.report import pictures
from evaluation.report.changes import changes_of
from evaluation.report.costs import jobs_of
from evaluation.report.headline import arrange_suites
from evaluation.report.pictures import Picture, draw_pictures
from evaluation.report.plot_confusion import draw_confusion
from evaluation.report.plot_curves import draw_curves, panels_of, smooth
from evaluation.report.plot_estimates import draw_accuracy, draw_recall
from evaluation.report.plot_rewards import LABEL_LINE, mean_rewards, spread_labels
from evaluation.report.plot_sheet import LABEL_LETTERS, Drawing, label_of, letters_of
from evaluation.report.plot_slices import SLICE_LETTERS, draw_slices
from evaluation.report.plot_themes import DARK, LIGHT, PAPER
from evaluation.report.results import Curves, Results
from evaluation.report.slices import slices_of
from evaluation.toolcalls.score import REASONS, Score
from tests.unit.evaluation.comparisons import RIGHT, UNSCORED, comparison_of, wrong
from tests.unit.evaluation.rows import TIMER, text_row

HOSTILE = "$x^{2$ \\frac{</text><script>alert(1)</script>&\"' 北京 \x00\x1b[31m\u202e\ud800 {{ 7*7 }}"
DECISIONS = ("tool_call", "request_for_info", "cannot_answer", "direct")
NO_NUMBER = re.compile(r"\b(nan|inf|None)\b")
CURVES: Curves = {
    "loss": {"sft": [(1, 2.0), (2, 1.5)], "sft-dpo-rft": [(step, -step / 9) for step in range(60)]}
}
SVG = "{http://www.w3.org/2000/svg}"


@dataclass(frozen=True)
class Made:
    """How a run is made: its variants, rows, sources; whether anything is scored, and known of cost."""

    variants: Sequence[str] = ("base", "sft", "dpo", "sft-dpo")
    rows: int = 40
    sources: int = 3
    is_scored: bool = True
    has_cost: bool = True
    has_curves: bool = True

    def results(self) -> Results:
        rows = [self._row(number) for number in range(self.rows)]
        suites = {"when2call_mcq": rows, "own": rows}
        scores = {
            suite: {
                name: [self._score(v, n) for n in range(self.rows)] for v, name in enumerate(self.variants)
            }
            for suite in suites
        }
        comparison = comparison_of(suites, scores)
        return Results(
            comparison,
            {},
            plan=self._plan() if self.has_cost else {},
            curves=CURVES if self.has_curves else {},
            contaminated=frozenset({"r0"}),
        )

    def _row(self, number: int) -> dict[str, Any]:
        source = HOSTILE if number % 5 == 4 else f"a_source_{number % self.sources}"
        tools = json.dumps([{**TIMER, "name": f"t{tool}"} for tool in range(number % 13)])
        asked = [{"role": "user", "content": "How is the weather? " * (1 + number % 7)}]
        made = text_row("request_for_info", f"r{number}")
        expected = {**made["expected"], "decision": DECISIONS[number % 4]}
        return {**made, "source": source, "tools": tools, "messages": asked, "expected": expected}

    def _score(self, variant: int, number: int) -> Score | None:
        if not self.is_scored or number % 17 == 16:
            return UNSCORED
        if (number * 7 + variant) % 10 < 3 + variant:
            return RIGHT._replace(decision=DECISIONS[number % 4])
        reason = REASONS[1 + (number + variant) % (len(REASONS) - 1)]
        taken = "malformed_call" if reason == "malformed_call" else DECISIONS[(number + 1 + variant) % 4]
        return wrong(reason, decision=taken, value=(number % 4) / 4)

    def _plan(self) -> dict[str, Any]:
        jobs = dict.fromkeys(job for name in self.variants for job in jobs_of(name))
        lines = [
            {"job": job, "instance_type": "ml.g5.xlarge", "usd_per_hour": 1.408, "usd": 0.1 + 0.01 * number}
            for number, job in enumerate(jobs)
        ]
        return {"cost": {"at_most_usd": 9.0, "lines": lines, "actual": {"usd": None, "lines": lines}}}


@dataclass(frozen=True)
class HostileScores(Made):
    """The same with reasons and decisions that no grader gives, as an edited file may hold them."""

    def _score(self, variant: int, number: int) -> Score | None:
        one = super()._score(variant, number)
        if one is None or one.value in (None, 1.0):
            return one
        return one._replace(reason=f"{HOSTILE * 40}{number % 12}", decision=f"{number % 2}{HOSTILE}")


RUNS = {
    "as-usual": Made(),
    "one-variant": Made(variants=["base"]),
    "eight-variants": Made(variants=VARIANTS),
    "variants-of-strange-names": Made(variants=["base", "sft", HOSTILE.replace("/", ""), "w" * 90]),
    "one-row": Made(rows=1),
    "nothing-scored": Made(is_scored=False),
    "forty-sources": Made(rows=120, sources=40),
    "no-cost": Made(has_cost=False),
    "no-curves": Made(has_curves=False),
    "hostile-scores": HostileScores(),
}


@lru_cache(maxsize=1)
def usual() -> list[Picture]:
    return draw_pictures(RUNS["as-usual"].results())


def picture(name: str) -> Picture:
    return next(one for one in usual() if one.name == name)


@lru_cache(maxsize=len(RUNS))
def drawings(run: str) -> list[Drawing]:
    return made(RUNS[run])


def made(run: Made) -> list[Drawing]:
    drawn = [make() for _, make in pictures._makers(arrange_suites(run.results()))]
    return [one for one in drawn if one is not None]


def texts_of(svg: str) -> list[str]:
    return ["".join(one.itertext()) for one in ET.fromstring(svg).iter(f"{SVG}text")]  # noqa: S314 - drawn here


@pytest.mark.parametrize(
    ("run", "absent"),
    [
        pytest.param("as-usual", set(), id="all-of-them"),
        pytest.param("one-variant", {"changes"}, id="nothing-was-made-from-another"),
        pytest.param("one-row", {"slices"}, id="one-row-has-no-slices"),
        pytest.param("nothing-scored", {"recall", "confusion", "reward"}, id="no-score-no-picture"),
        pytest.param("no-curves", {"curves"}, id="nothing-was-trained"),
    ],
)
def test_a_run_has_the_pictures_that_its_results_allow(run: str, absent: set[str]) -> None:
    suites = ("own", "when2call_mcq")
    expected = [
        "accuracy",
        "recall",
        *(f"{kind}_{suite}" for suite in suites for kind in ("confusion", "changes", "slices")),
        "reward_and_cost",
        "curves",
    ]
    names = [one.name for one in drawings(run)]
    assert names == [name for name in expected if name.split("_")[0] not in absent]


@pytest.mark.parametrize("run", RUNS)
def test_every_picture_is_a_closed_drawing_of_finite_numbers(run: str) -> None:
    for drawing in drawings(run):
        check_svg(pictures._draw_svg(drawing, LIGHT))
        assert not NO_NUMBER.search(drawing.alt)


def check_svg(svg: str) -> None:
    root = ET.fromstring(svg)  # noqa: S314 - drawn here
    assert root.tag == f"{SVG}svg"
    tags = {one.tag.removeprefix(SVG) for one in root.iter()}
    assert not tags & {"script", "image", "foreignObject", "a", "metadata"}
    values = [value for one in root.iter() for value in one.attrib.values()]
    assert not [value for value in values if NO_NUMBER.search(value)]
    assert not [value for value in values if value.startswith(("http:", "https:"))]
    assert not NO_NUMBER.search(" ".join(texts_of(svg)))
    sizes = [float(size) for size in re.findall(r"font(?:-size)?: (?:\w+ )*([\d.]+)px", svg)]
    assert min(sizes) * 368 / float(root.get("width", "").removesuffix("pt")) >= 9.6, "on a telephone"


def test_the_png_is_on_white_and_as_wide_as_the_others() -> None:
    for one in usual():
        with Image.open(BytesIO(one.png)) as image:
            assert image.width == 810
            colours = image.convert("RGB").getcolors(1 << 24) or []
            assert max(colours)[1] == (255, 255, 255)
            assert len(colours) > 20, "not blank"


def test_pictures_of_one_page_share_no_id() -> None:
    seen: set[str] = set()
    for one in usual():
        for svg in (one.light, one.dark):
            ids = re.findall(r'\bid="([^"]*)"', svg)
            assert len(ids) == len(set(ids))
            assert not seen & set(ids)
            seen |= set(ids)
            referred = re.findall(r'(?:href="#|url\(#)([^")]*)', svg)
            assert set(referred) <= set(ids)


def test_the_same_results_draw_the_same_bytes() -> None:
    assert draw_pictures(RUNS["as-usual"].results()) == usual()


def test_light_and_dark_say_the_same_in_other_colours() -> None:
    for one in usual():
        assert texts_of(one.light) == texts_of(one.dark)
        colours = [set(re.findall(r"#[0-9a-f]{6}", svg)) for svg in (one.light, one.dark)]
        assert LIGHT.ink in colours[0]
        assert DARK.ink in colours[1]
        assert not colours[1] & {LIGHT.ink, "#000000", "#ffffff"}, "what is left in the default's black"


def luminance(colour: str) -> float:
    """Relative luminance, by WCAG 2.2."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize(
    ("theme", "page"),
    [(LIGHT, "#ffffff"), (DARK, "#1e1e1e"), (PAPER, "#ffffff")],
    ids=["light", "dark", "paper"],
)
def test_every_text_contrasts_with_its_page(theme: Any, page: str) -> None:
    for colour in (theme.ink, theme.muted):
        low, high = sorted((luminance(colour), luminance(page)))
        assert (high + 0.05) / (low + 0.05) >= 4.5, "WCAG 2.2, success criterion 1.4.3"


def test_a_variant_looks_the_same_in_every_run_and_unlike_the_others() -> None:
    alone = LIGHT.style_of("sft-dpo", ["sft-dpo"])
    assert alone == LIGHT.style_of("sft-dpo", list(VARIANTS))
    variants = [*VARIANTS, "mine", "yours"]
    assert len({LIGHT.style_of(name, variants) for name in variants}) == len(variants)
    assert len({LIGHT.style_of(name, variants)[1] for name in variants}) == len(variants), "by marker alone"


def test_a_hostile_name_is_text_and_no_formula() -> None:
    slices = picture("slices_own")
    shown = label_of(HOSTILE, SLICE_LETTERS[0])
    assert "$" in shown
    assert shown in texts_of(slices.light)
    assert "<script" not in slices.light
    assert "\x00" not in slices.light


def test_a_picture_that_cannot_be_drawn_costs_no_other(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The report is written when everything has been paid for."""

    def fail(*_: object) -> None:
        raise ValueError("no room")

    others = [one.name for one in drawings("one-row") if one.name != "recall"]
    monkeypatch.setattr(pictures, "draw_recall", fail)
    assert [one.name for one in draw_pictures(RUNS["one-row"].results())] == others
    assert capsys.readouterr().err == (
        "recall: this picture cannot be drawn and is left out: ValueError('no room')\n"
    )


def test_marks_at_the_ends_of_the_scale_are_whole_and_clear_of_names() -> None:
    rows = [text_row("request_for_info", str(number)) for number in range(40)]
    scores = {name: [wrong("missing_call")] * 40 for name in ("base", "sft", "dpo", "sft-dpo")}
    comparison = comparison_of({"own": rows}, {"own": scores})
    for make in (draw_accuracy(comparison), draw_recall(comparison)):
        assert make is not None
        with matplotlib.rc_context(dict(PAPER.settings("test"))):
            figure = make.draw(PAPER)
            boxes = Recorder(figure).boxes
        (axes,) = figure.axes
        marks = [line for line in axes.lines if line.get_marker() not in ("None", "")]
        assert marks
        assert not any(line.get_clip_on() for line in marks)
        left = axes.transData.transform((0, 0))[0] - 5
        assert all(right < left for text, _, _, right, _ in boxes if text in scores)


def test_the_scales_of_neighbours_are_apart() -> None:
    (slices,) = (one for one in drawings("as-usual") if one.name == "slices_own")
    with matplotlib.rc_context(dict(PAPER.settings("test"))):
        boxes = Recorder(slices.draw(PAPER)).boxes
    bottom = max(box[4] for box in boxes)
    scale = sorted((left, right, text) for text, left, _, right, low in boxes if low > bottom - 3)
    assert [text for _, _, text in scale] == ["0", "100"] * 4
    letter = scale[0][1] - scale[0][0]
    assert all(after[0] - before[1] >= 0.6 * letter for before, after in pairwise(scale))


@pytest.mark.parametrize("name", ["recall", "confusion_own", "changes_own"])
def test_decisions_and_reasons_are_named_as_in_the_tables(name: str) -> None:
    words = " ".join(texts_of(picture(name).light)).replace("_ ", "_").replace("mal- ", "mal")
    comparison = RUNS["as-usual"].results().comparison
    (sft,) = (one for one in changes_of(comparison) if (one.suite, one.a) == ("own", "sft"))
    known = {
        "recall": DECISIONS,
        "confusion_own": (*DECISIONS, "malformed_call"),
        "changes_own": [next(iter(sft.mended))],
    }
    assert all(one in words for one in known[name])


def test_a_decision_that_nobody_expects_or_takes_has_no_column() -> None:
    rows = [text_row("request_for_info", "a")]
    for scores, columns in (
        ([RIGHT], {"request_", "for_info"}),
        ([wrong("x")], {"request_", "for_info", "direct"}),
    ):
        comparison = comparison_of({"own": rows}, {"own": {"base": scores}})
        drawing = draw_confusion("own", comparison.summaries["own"])
        assert drawing is not None
        texts = set(texts_of(pictures._draw_svg(drawing, LIGHT)))
        assert texts & {"request_", "for_info", "direct", "cannot_", "tool_"} == columns


def test_the_ends_in_the_table_are_those_of_the_line() -> None:
    noisy: Curves = {
        "rewards/margins": {"dpo": [(step, float(step % 7)) for step in range(200)]},
        "rewards/accuracies": {"dpo": [(1, 0.5)]},
        "loss": {"sft-dpo": [(1, 1.0)], "sft": [(2, 3.0), (1, 2.0)]},
    }
    panels = panels_of(noisy)
    assert [(one.metric, one.variant) for one in panels] == [
        ("loss", "sft"),
        ("loss", "sft-dpo"),
        ("rewards/margins", "dpo"),
    ]
    assert panels[0].ends == ("2.00", "3.00")
    drawing = draw_curves(noisy)
    assert drawing is not None
    texts = texts_of(pictures._draw_svg(drawing, LIGHT))
    for one in panels:
        assert " → ".join(one.ends) in texts
    assert panels[2].ends != ("0.00", "3.00"), "of the line, which is smoothed"


class Recorder:
    """Notes where each line of text is drawn: (text, left, top, right, bottom) in pixels."""

    def __init__(self, figure: Figure) -> None:
        self.boxes: list[tuple[str, float, float, float, float]] = []
        self._renderer = FigureCanvasAgg(figure).get_renderer()
        self._renderer.draw_text = self._note
        figure.draw(self._renderer)

    def _note(self, gc: Any, x: float, y: float, text: str, font: Any, angle: float, **_: Any) -> None:
        width, height, descent = self._renderer.get_text_width_height_descent(text, font, False)
        if text.strip() and angle:
            self.boxes.append((text, x - height + descent, y - width, x + descent, y))
        elif text.strip():
            self.boxes.append((text, x, y - height + descent, x + width, y + descent))


def test_all_variants_of_a_pipeline_stand_beside_each_other() -> None:
    variants = ["base", "prompt", "sft", "dpo", "sft-dpo"]
    (slices,) = (one for one in made(Made(variants=variants)) if one.name == "slices_own")
    texts = texts_of(pictures._draw_svg(slices, LIGHT))
    sections = [text for text in texts if text.startswith("by ")]
    assert len(sections) == len(set(sections)) == 4
    assert all(texts.count(name) == len(sections) for name in variants)


def test_what_all_sources_begin_with_stands_in_the_heading_alone() -> None:
    rows = [{**text_row("direct", str(n)), "source": f"examples/rows/{'ab'[n % 2]}"} for n in range(20)]
    comparison = comparison_of({"own": rows}, {"own": {"base": [RIGHT] * 20}})
    drawing = draw_slices("own", slices_of(comparison, frozenset()), ["base"])
    assert drawing is not None
    texts = texts_of(pictures._draw_svg(drawing, LIGHT))
    assert {"by source, all in examples/rows/", "a", "b"} <= set(texts)
    assert not [text for text in texts if text.endswith("/a")]


@pytest.mark.parametrize("run", RUNS)
@pytest.mark.filterwarnings("ignore:Glyph .* missing")
def test_no_text_is_cut_off_or_written_over(run: str) -> None:
    for drawing in drawings(run):
        with matplotlib.rc_context(dict(PAPER.settings("test"))):
            figure = drawing.draw(PAPER)
            boxes = Recorder(figure).boxes
        assert boxes
        for text, left, top, right, bottom in boxes:
            assert left >= 0, (drawing.name, text)
            assert top >= 0, (drawing.name, text)
            assert right <= figure.bbox.width, (drawing.name, text)
            assert bottom <= figure.bbox.height, (drawing.name, text)
        covered = [
            (one[0], other[0])
            for one, other in combinations(boxes, 2)
            if one[1] < other[3] and other[1] < one[3] and one[2] < other[4] and other[2] < one[4]
        ]
        assert not covered, drawing.name


@pytest.mark.parametrize(
    ("name", "said"),
    [
        pytest.param("accuracy", "own: accuracy, 40 rows: base ", id="every-figure"),
        pytest.param("recall", "base tool_call ", id="by-decision"),
        pytest.param("confusion_own", "base most often wrong by ", id="the-commonest-fault"),
        pytest.param("changes_own", "sft over base mended ", id="what-a-stage-did"),
        pytest.param("slices_own", "own, weakest slice of 10 rows or more: base ", id="where-it-is-weak"),
        pytest.param("reward_and_cost", "base 0.", id="what-was-paid"),
        pytest.param("curves", "sft: loss from 2.00 at step 1 to 1.50 at step 2", id="from-and-to"),
    ],
)
def test_the_words_beside_a_picture_say_what_it_shows(name: str, said: str) -> None:
    assert said in picture(name).alt
    assert picture(name).title


def test_every_figure_is_written_beside_its_mark() -> None:
    comparison = RUNS["as-usual"].results().comparison
    texts = texts_of(picture("accuracy").light)
    for summaries in comparison.summaries.values():
        for summary in summaries.values():
            metric = summary.metrics.get("acc_norm") or summary.metrics["accuracy"]
            assert f"{metric.value:.1%}" in texts


def test_many_sources_do_not_make_a_picture_without_end() -> None:
    slices = next(one for one in drawings("forty-sources") if one.name == "slices_own")
    texts = texts_of(pictures._draw_svg(slices, LIGHT))
    assert "others" in texts
    assert len([text for text in texts if text.startswith("a_source")]) <= 8


def test_what_has_diverged_is_left_out_and_the_rest_drawn() -> None:
    sft = [(1, 2.0), (2, math.nan), (3, math.inf), (4, -1e308), (5, 3.0)]
    drawing = draw_curves({"loss": {"sft": sft, "dpo": [(1, math.nan)]}, "reward": {"rft": [(7, 0.5)]}})
    assert drawing is not None
    assert drawing.alt == "sft: loss from 2.00 at step 1 to 3.00 at step 5; rft: reward 0.500 at step 7"
    check_svg(pictures._draw_svg(drawing, LIGHT))


@pytest.mark.parametrize(
    "curves",
    [
        pytest.param({}, id="none"),
        pytest.param({"loss": {}}, id="no-variant"),
        pytest.param({"loss": {"sft": []}}, id="no-point"),
        pytest.param({"grad_norm": {"sft": [(1, 1.0)]}}, id="neither-loss-nor-reward"),
    ],
)
def test_without_a_curve_there_is_no_picture(curves: Curves) -> None:
    assert draw_curves(curves) is None


def test_a_long_training_does_not_make_a_long_file() -> None:
    drawing = draw_curves({"loss": {"sft": [(step, 1 / (step + 1)) for step in range(50_000)]}})
    assert drawing is not None
    svg = pictures._draw_svg(drawing, LIGHT)
    check_svg(svg)
    assert len(svg) < 60_000


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=200))
def test_smoothed_values_stay_within_the_values(values: list[float]) -> None:
    smoothed = smooth(values)
    assert len(smoothed) == len(values)
    slack = 1e-6 * max(1.0, *map(abs, values))
    assert min(values) - slack <= min(smoothed)
    assert max(smoothed) <= max(values) + slack


def test_a_straight_line_is_smoothed_into_itself() -> None:
    line = [float(number) for number in range(101)]
    assert smooth(line)[10:-10] == pytest.approx(line[10:-10])


@given(st.dictionaries(st.text(max_size=3), st.floats(0, 1), min_size=1, max_size=10))
def test_labels_keep_their_order_and_their_distance(values: dict[str, float]) -> None:
    height = LABEL_LINE * (len(values) + 1)
    places = spread_labels(values, height)
    order = sorted(values, key=lambda name: values[name])
    assert list(places) == order
    ends = [places[name] for name in order]
    assert all(b - a >= LABEL_LINE / height - 1e-9 for a, b in pairwise(ends))
    assert ends[0] >= 0
    assert ends[-1] <= 1


@given(st.text(max_size=60), st.integers(5, LABEL_LETTERS))
def test_a_label_is_one_line_that_fits(text: str, letters: int) -> None:
    label = label_of(text, letters)
    assert label.isprintable() or "\u200c" in label or "\u200d" in label or not label.isascii()
    assert len(label.splitlines()) == 1
    assert letters_of(label) <= max(letters, letters_of("(empty)"))
    label.encode()


@pytest.mark.parametrize(
    ("values", "mean"),
    [
        pytest.param([1.0, 0.0, 0.5, None], 0.5, id="unscored-is-not-zero"),
        pytest.param([0.99, 0.99], 0.99, id="partly-right"),
        pytest.param([None], None, id="nothing-scored"),
    ],
)
def test_the_mean_reward_is_the_mean_value_of_scored_rows(
    values: list[float | None], mean: float | None
) -> None:
    rows = [text_row("request_for_info", str(number)) for number in range(len(values))]
    scores = {
        str(number): Score(value, None if value is None else "x") for number, value in enumerate(values)
    }
    one = mean_rewards(rows, {"base": scores})["base"]
    assert one.value == (None if mean is None else pytest.approx(mean))
    assert one.n == sum(value is not None for value in values)
