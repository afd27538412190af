"""Two variants held against each other on the same rows.

Sources: the paired bootstrap over rows (Efron 1979) with a row more won by each side, as Bonett and Price
(2012) add them to the interval of paired shares; McNemar (1947), exact; for conversations its form with whole
conversations exchanged, Fisher's sign flips (1935); Holm (1979).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import binom
from statsmodels.stats.contingency_tables import mcnemar

from evaluation.statistics.resampling import draw_units, effective_units, percentile_interval


@dataclass(frozen=True)
class PairedDifference:
    """How much more often a is right than b on the same n rows, as a share, with its 95% interval and p.

    `discordance`: the share of rows on which they differ. `design_effect`: how many rows count as one
    independent row, above 1 where turns of one conversation go wrong together. All figures but `n` and
    `design_effect` are None where no row was scored for both.
    """

    difference: float | None
    low: float | None
    high: float | None
    p: float | None
    n: int
    discordance: float | None = None
    design_effect: float = 1.0


def compare_paired(
    a: Sequence[bool], b: Sequence[bool], conversations: Sequence[Hashable] | None = None
) -> PairedDifference:
    """Compare two variants row by row; `a[i]` and `b[i]` say whether each is right on row i.

    The interval is a percentile bootstrap over the rows and two more, one won by each, drawn with a fixed
    seed: without these it is too narrow where few rows differ, and no interval at all where none does
    (docs/decisions/0014). p is McNemar's exact one, two-sided.

    `conversations[i]`: which one row i is a turn of. Whole conversations are then drawn, and exchanged
    between a and b for p; where each is one row, that is McNemar's again. Raises ValueError for unequal
    lengths.
    """
    differences = [int(x) - int(y) for x, y in zip(a, b, strict=True)]
    if not differences:
        return PairedDifference(None, None, None, None, 0)
    units = sum_by_conversation(differences, conversations)
    mean = sum(differences) / len(differences)
    discordance = sum(map(abs, differences)) / len(differences)
    low, high = bootstrap_interval(units)
    return PairedDifference(
        mean,
        min(low, mean),
        max(high, mean),
        _mcnemar(differences) if len(units) == len(differences) else flip_p([one for one, _ in units]),
        len(differences),
        discordance,
        _design_effect(units, discordance),
    )


def adjust_by_holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Adjust p values for having looked several times; those that are None stay None and do not count."""
    # Not statsmodels' multipletests, which collects the interpreter's garbage at each call: 0.1 to 0.3 s for
    # every family, of which a run has some seventy and a simulation thousands.
    known = sorted((p, place) for place, p in enumerate(p_values) if p is not None)
    adjusted: list[float | None] = [None] * len(p_values)
    largest = 0.0
    for rank, (p, place) in enumerate(known):
        largest = max(largest, min(1.0, (len(known) - rank) * p))
        adjusted[place] = largest
    return adjusted


def sum_by_conversation(
    differences: Sequence[int], conversations: Sequence[Hashable] | None
) -> list[tuple[int, int]]:
    """Each conversation's sum of differences and its number of rows; each row's own where there are none."""
    if conversations is None:
        return [(one, 1) for one in differences]
    sums: dict[Hashable, tuple[int, int]] = {}
    for one, name in zip(differences, conversations, strict=True):
        total, rows = sums.get(name, (0, 0))
        sums[name] = (total + one, rows + 1)
    return list(sums.values())


def flip_p(sums: Sequence[int]) -> float:
    """The two-sided p of these sums' total, if each were as likely to have the other sign; exact.

    The total of the sums taken as positive is a sum of binomials, one for each size of sum.
    """
    chances = np.ones(1)
    for size, count in Counter(abs(one) for one in sums if one).most_common():
        heads = binom.pmf(np.arange(count + 1), count, 0.5)
        steps = np.zeros(size * count + 1)
        steps[::size] = heads
        chances = steps if len(chances) == 1 else _convolve_sparse(chances, heads, size)
    won = sum(one for one in sums if one > 0)
    return float(min(1.0, 2 * min(chances[: won + 1].sum(), chances[won:].sum())))


def _convolve_sparse(chances: np.ndarray, heads: np.ndarray, size: int) -> np.ndarray:
    # Sums of long conversations are far between: np.convolve would multiply by the zeros for seconds.
    spread = np.zeros(len(chances) + size * (len(heads) - 1))
    for number, chance in enumerate(heads):
        spread[size * number : size * number + len(chances)] += chance * chances
    return spread


def bootstrap_interval(units: Sequence[tuple[int, int]]) -> tuple[float, float]:
    """The percentile bootstrap of the mean difference, over (sum, rows) of units and two more units.

    Each side wins all rows of one of the two more. Exchanging the sides negates the interval.
    """
    size = round(sum(rows for _, rows in units) / len(units))
    counts = Counter([*units, (size, size), (-size, size)])
    found, turned = sorted(counts.items()), sorted(((-one, n), count) for (one, n), count in counts.items())
    sums, rows = np.array([content for content, _ in min(found, turned)], dtype=float).T
    drawn = draw_units([count for _, count in min(found, turned)])
    low, high = percentile_interval(np.concatenate([(one @ sums) / (one @ rows) for one in drawn]))
    if found == turned:
        return (low - high) / 2, (high - low) / 2
    return (low, high) if found < turned else (-high, -low)


def _mcnemar(differences: Sequence[int]) -> float:
    only_a, only_b = differences.count(1), differences.count(-1)
    return float(mcnemar([[0, only_a], [only_b, 0]], exact=True).pvalue) if only_a + only_b else 1.0


def _design_effect(units: Sequence[tuple[int, int]], discordance: float) -> float:
    """The variance between conversations over that of so many single rows, 1 at least (Rao and Scott 1992).

    Where all rows differ alike nothing tells how alike turns are: each conversation then counts once, or
    less where they are of unequal lengths (effective_units).
    """
    sums, sizes = np.array(units, dtype=float).T
    groups, rows = len(units), sizes.sum()
    mean = sums.sum() / rows
    alone = (discordance - mean**2) / (rows - 1) if rows > 1 else 0.0
    if groups == rows:
        return 1.0
    if groups == 1 or alone <= 0:
        return float(rows / effective_units([size for _, size in units]))
    between = groups / (groups - 1) * ((sums - mean * sizes) ** 2).sum() / rows**2
    return float(max(between / alone, 1.0))
