"""The pictures of a run: each as SVG for a light page and for a dark one, and as PNG for MLflow.

The same results give the same bytes: no date, ids that depend on the content, nothing drawn at random.
"""

from __future__ import annotations

import re
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from io import BytesIO

import matplotlib

from evaluation.report.changes import changes_of
from evaluation.report.costs import costs_of
from evaluation.report.headline import arrange_suites
from evaluation.report.plot_changes import draw_changes
from evaluation.report.plot_confusion import draw_confusion
from evaluation.report.plot_curves import draw_curves
from evaluation.report.plot_estimates import draw_accuracy, draw_recall
from evaluation.report.plot_rewards import draw_reward_and_cost
from evaluation.report.plot_sheet import Drawing
from evaluation.report.plot_slices import draw_slices
from evaluation.report.plot_themes import DARK, LIGHT, PAPER, Theme
from evaluation.report.results import Results
from evaluation.report.slices import slices_of

DOTS_PER_INCH = 150
_NO_METADATA = dict.fromkeys(("Creator", "Date", "Format", "Type"))
# Ids that nothing refers to, and that the pictures of one page would have in common.
_COUNTED_ID = re.compile(r'<g id="[A-Za-z0-9.]+_\d+"(/?)>')


@dataclass(frozen=True)
class Picture:
    """A picture and what it shows.

    `name`: of files and links; `alt`: the finding in words. `light` and `dark`: SVG elements, transparent,
    388 points wide, their ids unlike those of any other picture; `png`: the same on white with its title.
    """

    name: str
    title: str
    alt: str
    light: str
    dark: str
    png: bytes


def draw_pictures(results: Results) -> list[Picture]:
    """Draw all that the results allow, in the order of the report.

    These are accuracy and recall; confusion, changes and slices of every suite; reward_and_cost; curves. One
    that cannot be drawn is left out, and named on the standard error stream: a run that has been paid for
    is not to lose its report by it.
    """
    pictures = []
    for name, make in _makers(arrange_suites(results)):
        try:
            drawing = make()
            if drawing is not None:
                pictures.append(_picture_of(drawing))
        except (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError) as error:
            print(f"{name}: this picture cannot be drawn and is left out: {error!r}", file=sys.stderr)
    return pictures


def _makers(results: Results) -> Iterator[tuple[str, Callable[[], Drawing | None]]]:
    """By name what makes each drawing, or None where there is nothing to draw."""
    comparison = results.comparison
    changes, slices = changes_of(comparison), slices_of(comparison, results.contaminated)
    yield "accuracy", partial(draw_accuracy, comparison)
    yield "recall", partial(draw_recall, comparison)
    for suite, summaries in comparison.summaries.items():
        steps = [one for one in changes if one.suite == suite]
        parts = [one for one in slices if one.suite == suite]
        yield f"confusion_{suite}", partial(draw_confusion, suite, summaries)
        yield f"changes_{suite}", partial(draw_changes, suite, steps)
        yield f"slices_{suite}", partial(draw_slices, suite, parts, comparison.variants)
    costs = costs_of(results.plan, comparison)
    yield "reward_and_cost", partial(draw_reward_and_cost, comparison, costs)
    yield "curves", partial(draw_curves, results.curves)


def _picture_of(drawing: Drawing) -> Picture:
    with warnings.catch_warnings():
        # A browser has the letters of every script, whatever the fonts of the machine that draws.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        return Picture(
            drawing.name,
            drawing.title,
            drawing.alt,
            light=_draw_svg(drawing, LIGHT),
            dark=_draw_svg(drawing, DARK),
            png=_draw_bytes(drawing, PAPER, "png"),
        )


def _draw_svg(drawing: Drawing, theme: Theme) -> str:
    text = _draw_bytes(drawing, theme, "svg").decode()
    return _COUNTED_ID.sub(r"<g\1>", text[text.index("<svg") :])


def _draw_bytes(drawing: Drawing, theme: Theme, kind: str) -> bytes:
    buffer = BytesIO()
    with matplotlib.rc_context(dict(theme.settings(f"{drawing.name} {theme.name}"))):
        figure = drawing.draw(theme)
        if kind == "svg":
            figure.savefig(buffer, format=kind, transparent=True, metadata=_NO_METADATA)
        else:
            figure.savefig(buffer, format=kind, facecolor="white", dpi=DOTS_PER_INCH)
    return buffer.getvalue()
