"""An interval for every tally.

Sources: Wilson (1927) as recommended by Brown, Cai and DasGupta (2001); Efron's percentile bootstrap (1979),
drawn over rows because the calls of one row stand or fall together; the square-and-add interval of Zou and
Donner (2008); the design effect of Rao and Scott (1992), with the
degrees of freedom of Korn and Graubard (1998), where rows are turns of conversations.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm
from scipy.stats import t as student
from statsmodels.stats.proportion import proportion_confint

from evaluation.statistics.resampling import CONFIDENCE, draw_units, effective_units, percentile_interval
from evaluation.toolcalls.metrics import CategoryMean, MacroF1, Proportion, Ratio, Tally

# What a unit that is drawn adds to F1: how many rows expected and took each (expected, taken).
_Pairs = tuple[tuple[tuple[str, str], int], ...]


@dataclass(frozen=True)
class Estimate:
    """A figure over n rows with its 95% interval; all three are None where n is 0."""

    value: float | None
    low: float | None
    high: float | None
    n: int


def estimate(tally: Tally, conversations: Sequence[Tally] | None = None) -> Estimate:
    """Give a tally its interval.

    Shares of rows get Wilson's, ratios of sums and F1 a percentile bootstrap over rows with a fixed seed, and
    a mean over categories the square-and-add combination of its categories' Wilson intervals. Where the
    bootstrap's is a point, as at 100%, it knows nothing: the interval is then Wilson's for a share of so many
    rows, times the greatest value that the figure can have, which for F1 over classes that no row expects is
    below 1.

    `conversations`: the same figure's tally of each conversation alone, where rows are turns of some. Turns
    of one conversation go wrong together: Wilson's interval is then that of the effective number of rows,
    and the bootstrap draws conversations. `n` counts rows all the same.
    """
    value = tally.value
    if value is None:
        return Estimate(None, None, None, 0)
    low, high = _interval_of(tally, value, conversations)
    # An interval may end at the value, at 0 or at 1, where a rounding error would cross it.
    return Estimate(value, max(min(low, value), 0.0), min(max(high, value), 1.0), tally.n)


def effective_rows(conversations: Sequence[Proportion]) -> float:
    """How many independent rows a share rests on: rows over the design effect (Rao and Scott 1992).

    The effect is the variance between conversations over that of so many single rows, 1 at least; few
    conversations know it badly, for which Korn and Graubard (1998) take Student's t in place of the normal.
    Its degrees of freedom are those of as many conversations of one length as weigh the same
    (effective_units): a long one hides what the others would tell. Where all rows are right or all wrong
    nothing tells how alike turns are: each of so many conversations then counts once. 0.0 where no
    conversation has a row.
    """
    known = [one for one in conversations if one.n]
    if not known:
        return 0.0
    rights, sizes = np.array(known, dtype=float).T
    groups, rows, share = len(sizes), sizes.sum(), rights.sum() / sizes.sum()
    if groups == rows:
        return float(rows)
    weight = effective_units([one.n for one in known])
    if groups == 1 or share in (0.0, 1.0):
        return weight
    between = groups / (groups - 1) * ((rights - share * sizes) ** 2).sum() / rows**2
    effect = between / (share * (1 - share) / (rows - 1))
    tail = (1 + CONFIDENCE) / 2
    few = (norm.ppf(tail) / student.ppf(tail, weight - 1)) ** 2
    return float(max(rows / max(effect, 1.0) * few, 1.0))


def _interval_of(tally: Tally, value: float, conversations: Sequence[Tally] | None) -> tuple[float, float]:
    if isinstance(tally, Proportion):
        return _wilson(value, _effective(tally, conversations))
    if isinstance(tally, CategoryMean):
        return _square_and_add(tally, value, conversations)
    if isinstance(tally, MacroF1):
        resampled, units = _resample_f1(tally, conversations)
    else:
        resampled, units = _resample_ratio(tally, conversations)
    low, high = percentile_interval(resampled)
    # Not only where all resamples are equal: a few may lack a class that few rows expect.
    if low == high:
        greatest = _greatest_f1(tally) if isinstance(tally, MacroF1) else 1.0
        low, high = _wilson(min(value / greatest, 1.0), units)
        return low * greatest, high * greatest
    return low, high


def _greatest_f1(tally: MacroF1) -> float:
    """The mean F1 of a model that is always right: a class that no row expects gives it nothing."""
    if tally.classes is None:
        return 1.0
    expected = {one for one, _ in tally.rows}
    return sum(one in expected for one in tally.classes) / len(tally.classes) or 1.0


def _effective(tally: Proportion, conversations: Sequence[Tally] | None) -> float:
    shares = [one for one in conversations or () if isinstance(one, Proportion) and one.n]
    return effective_rows(shares) if shares else tally.n


def _wilson(share: float, n: float) -> tuple[float, float]:
    low, high = proportion_confint(share * n, n, alpha=1 - CONFIDENCE, method="wilson")
    return float(low), float(high)


def _square_and_add(
    tally: CategoryMean, mean: float, conversations: Sequence[Tally] | None
) -> tuple[float, float]:
    talks = [one.shares for one in conversations or () if isinstance(one, CategoryMean)]
    bounds, values = [], []
    for name, share in tally.shares.items():
        within = [one[name] for one in talks if name in one]
        values.append(share.successes / share.n)
        bounds.append(_wilson(values[-1], effective_rows(within) if within else share.n))
    below, above = np.sqrt(((np.array(bounds).T - np.array(values)) ** 2).sum(axis=1)) / len(values)
    return mean - float(below), mean + float(above)


def _resample_ratio(tally: Ratio, conversations: Sequence[Tally] | None) -> tuple[np.ndarray, int]:
    if conversations is None:
        units = Counter(tally.rows)
    else:
        talks = [one.rows for one in conversations if isinstance(one, Ratio) and one.n]
        units = Counter(map(_summed, talks))
    contents = sorted(units)
    parts, wholes = np.array(contents, dtype=float).T
    batches = [(drawn @ parts) / (drawn @ wholes) for drawn in draw_units([units[one] for one in contents])]
    return np.concatenate(batches), units.total()


def _summed(rows: Mapping[tuple[int, int], int]) -> tuple[int, int]:
    return sum(part * n for (part, _), n in rows.items()), sum(whole * n for (_, whole), n in rows.items())


def _resample_f1(tally: MacroF1, conversations: Sequence[Tally] | None) -> tuple[np.ndarray, int]:
    if conversations is None:
        units = Counter[_Pairs]({((pair, 1),): rows for pair, rows in tally.rows.items()})
    else:
        talks = [one.rows for one in conversations if isinstance(one, MacroF1) and one.n]
        units = Counter(tuple(sorted(rows.items())) for rows in talks)
    classes = tally.classes or tuple(sorted({expected for expected, _ in tally.rows}))
    contents = sorted(units)
    tables = [_counts_by_class(contents, one) for one in classes]
    drawn = draw_units([units[one] for one in contents])
    return np.concatenate([_mean_f1(one, tables, tally.classes is None) for one in drawn]), units.total()


def _counts_by_class(contents: Sequence[_Pairs], one: str) -> np.ndarray:
    """(contents, 3): the rows that expect this class, that took it, and that did both."""
    return np.array(
        [
            (
                sum(n for (e, _), n in pairs if e == one),
                sum(n for (_, t), n in pairs if t == one),
                sum(n for pair, n in pairs if pair == (one, one)),
            )
            for pairs in contents
        ],
        dtype=float,
    )


def _mean_f1(drawn: np.ndarray, tables: Sequence[np.ndarray], expected_alone: bool) -> np.ndarray:
    expected, taken, both = np.stack([drawn @ table for table in tables]).transpose(2, 0, 1)
    either = expected + taken
    scores = np.divide(2 * both, either, out=np.zeros_like(both), where=either > 0)
    # A class that no drawn row expects has no say, as in the figure itself; four fixed classes always have.
    counted = expected > 0 if expected_alone else np.ones_like(both, dtype=bool)
    means: np.ndarray = (scores * counted).sum(axis=0) / counted.sum(axis=0)
    return means
