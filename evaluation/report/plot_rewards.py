"""The mean reward of every variant against what its jobs cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from evaluation.comparison import Comparison, Row
from evaluation.report.costs import Costs, format_usd
from evaluation.report.plot_estimates import draw_rewards
from evaluation.report.plot_sheet import MARGIN, WIDTH, Drawing, label_of, open_sheet
from evaluation.report.plot_themes import SMALL, Theme
from evaluation.rounding import write_number
from evaluation.statistics import Estimate
from evaluation.summary import estimate_rows
from evaluation.target import target_of
from evaluation.toolcalls.metrics import Graded, Ratio, graded_of
from evaluation.toolcalls.score import Score

# A tally counts whole numbers: a score's value in so many parts.
PARTS = 10_000
_UNSCORED = Score(None, error="no score has this id")
HEIGHT, LABEL_LINE = 3.0, 0.25
LEFT, FOOT, LABELS_WIDTH = 0.62, 0.5, 2.2


def draw_reward_and_cost(comparison: Comparison, costs: Costs | None) -> Drawing | None:
    """Rewards against costs, or rewards alone where none is known; None where nothing is scored."""
    target = costs.target if costs else target_of({}, comparison)
    if target is None or not comparison.scores.get(target.suite):
        return None
    suite = target.suite
    rewards = mean_rewards(comparison.rows[suite], comparison.scores[suite])
    if all(one.value is None for one in rewards.values()):
        return None
    spent = {one.variant: one.usd for one in costs.variants if one.usd is not None} if costs else {}
    placed = {name: spent[name] for name, one in rewards.items() if name in spent and one.value is not None}
    if not placed:
        return draw_rewards(suite, rewards, comparison.variants)
    title = f"{suite}: mean reward (with 95% interval) against what the variant's jobs cost"
    alt = f"{suite}, mean reward: " + ", ".join(
        f"{label_of(name)} {write_number(rewards[name].value or 0.0, 2)} for {format_usd(usd)}"
        for name, usd in placed.items()
    )
    draw = partial(_draw, title, rewards, placed, comparison.variants)
    return Drawing("reward_and_cost", title, alt, draw)


def mean_rewards(rows: Sequence[Row], scores: Mapping[str, Mapping[str, Score]]) -> dict[str, Estimate]:
    """The mean value of each variant's scored rows, in [0, 1], with a bootstrap's interval."""
    return {
        variant: estimate_rows(
            _mean_value, [graded_of(row, by_id.get(str(row["id"]), _UNSCORED)) for row in rows]
        )
        for variant, by_id in scores.items()
    }


def _mean_value(graded: Sequence[Graded]) -> Ratio:
    values = [one.score.value for one in graded if one.score.value is not None]
    return Ratio(Counter((round(PARTS * value), PARTS) for value in values))


def _draw(
    title: str,
    rewards: Mapping[str, Estimate],
    spent: Mapping[str, float],
    variants: list[str],
    theme: Theme,
) -> Figure:
    height = max(HEIGHT, LABEL_LINE * (len(spent) + 1))
    figure, axes = _open(theme, title, height)
    axes.set_xlim(0, 1.08 * max(spent.values()) or 1)
    values = {name: one.value for name in spent if (one := rewards[name]).value is not None}
    places = spread_labels(values, height)
    for name, value in values.items():
        one, usd = rewards[name], spent[name]
        colour, marker = theme.style_of(name, variants)
        axes.vlines(usd, one.low or 0.0, one.high or 0.0, color=theme.ink, linewidth=1.3)
        # In the field and, as a line from there would cross the others' intervals, beside its label.
        for place, beside in (((usd, value), axes.transData), ((1.08, places[name]), axes.transAxes)):
            axes.plot(
                *place,
                marker,
                transform=beside,
                color=colour,
                markersize=8,
                markeredgecolor=theme.ink,
                markeredgewidth=0.7,
                clip_on=False,
            )
        text = f"{label_of(name, 11)} {write_number(value, 2)}, {format_usd(usd)}"
        axes.text(1.14, places[name], text, transform=axes.transAxes, va="center", fontsize=SMALL)
    return figure


def _open(theme: Theme, title: str, height: float) -> tuple[Figure, Axes]:
    sheet = open_sheet(theme, title, [], height, foot=FOOT)
    figure, whole = sheet.figure, sheet.figure.get_figheight()
    sheet.axes.remove()
    width = WIDTH - LEFT - LABELS_WIDTH - MARGIN
    axes = figure.add_axes((LEFT / WIDTH, FOOT / whole, width / WIDTH, height / whole))
    axes.set_ylim(0, 1)
    axes.set_xlabel("USD for the variant's jobs", fontsize=SMALL)
    axes.set_ylabel("mean reward", fontsize=SMALL)
    axes.tick_params(length=0, labelsize=SMALL, labelcolor=theme.muted)
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.xaxis.set_major_formatter(lambda x, _: f"{x:g}")
    axes.grid(color=theme.grid, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.patch.set_alpha(0)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def spread_labels(values: Mapping[str, float], height: float) -> dict[str, float]:
    """Places in [0, 1] for labels beside these values, in their order and no two nearer than a line.

    `height`: inches from 0 to 1, enough for all of them.
    """
    apart = LABEL_LINE / height
    names = sorted(values, key=lambda name: values[name])
    places: list[float] = []
    for number, name in enumerate(names):
        above = 1 - apart / 2 - (len(names) - 1 - number) * apart
        lowest = places[-1] + apart if places else apart / 2
        places.append(max(lowest, min(values[name], above)))
    return dict(zip(names, places, strict=True))
