"""Single figures as the tables of the history show them."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from evaluation.figures import LOWER_IS_BETTER
from evaluation.pairs import Pair
from evaluation.report.costs import format_usd
from evaluation.rounding import write_number, write_points
from evaluation.sentences import format_p
from evaluation.statistics import Estimate, SeedAverage

NONE = "—"
# A share: a difference over seeds that may lie this far to either side could be nearly any.
TELLS_NOTHING = 0.25


def plain(text: str) -> Text:
    """A text as it is: no markup, and nothing that would steer a terminal."""
    return Text("".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in text))


def figure_cell(one: Estimate) -> str:
    """An estimate in percent with its interval, as far as it is known."""
    if one.value is None:
        return NONE
    # Without comparison.json the server knows the figure alone.
    interval = "" if one.low is None or one.high is None else f" [{_whole(one.low)}, {_whole(one.high)}]"
    return f"{write_number(100 * one.value)}{interval}"


def average_cell(one: SeedAverage | None) -> str:
    """A mean over seeds in percent, with what the single seeds came to."""
    if one is None or one.spread is None:
        return NONE
    mean, spread = write_number(100 * one.mean), write_number(100 * one.spread)
    return f"{mean} (sd {spread}; {_whole(one.lowest)}–{_whole(one.highest)})"


def points_cell(pair: Pair) -> str:
    """A difference in points with its interval."""
    result = pair.result
    if result.difference is None or result.low is None or result.high is None:
        return NONE
    low, high = (_whole(bound, signed=True) for bound in (result.low, result.high))
    return f"{write_points(result.difference)} [{low}, {high}]"


def _whole(share: float, *, signed: bool = False) -> str:
    return write_number(100 * share, 0, signed=signed)


def verdict_cell(pair: Pair) -> str:
    """Whether a difference is real, by p."""
    if pair.result.difference is None:
        return ""
    if tells_nothing(pair):
        return "shows nothing"
    if not pair.is_real:
        return "within noise"
    if pair.metric not in LOWER_IS_BETTER:
        return "real"
    return "real, for the worse" if pair.result.difference > 0 else "real, for the better"


def tells_nothing(pair: Pair) -> bool:
    """Whether a difference over seeds is known so badly that it could be nearly any."""
    result = pair.result
    # Differences between single runs know how often the two disagree; those over seeds do not.
    if pair.is_real or result.discordance is not None or result.low is None or result.high is None:
        return False
    return result.high - result.low >= 2 * TELLS_NOTHING


def change_cell(pair: Pair | None) -> str:
    """A difference with its verdict."""
    return NONE if pair is None else f"{points_cell(pair)} {verdict_cell(pair)}".strip()


def p_cell(pair: Pair | None) -> str:
    """The p that decides, after Holm.

    >>> from evaluation.statistics import PairedDifference
    >>> p_cell(Pair("own", "accuracy", "sft", "base", PairedDifference(0.1, 0.0, 0.2, 0.01, 50), p_holm=0.02))
    '0.020'
    """
    if pair is None or pair.p_holm is None:
        return ""
    return format_p(pair.p_holm).removeprefix("p ").removeprefix("= ")


def cost_cell(amounts: Sequence[float | None]) -> str:
    """A sum of dollars, of which every part must be known."""
    known = [amount for amount in amounts if amount is not None]
    return format_usd(sum(known)) if len(known) == len(amounts) else NONE
