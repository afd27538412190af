"""Figures of runs that differ in nothing but their seed: averaged, with their spread.

Sources: two variances added, with the degrees of freedom of Satterthwaite (1946) and Welch (1947); a row more
won by each side, as Bonett and Price (2012) add them to the interval of paired shares.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import t as student

from evaluation.statistics.paired import compare_paired, sum_by_conversation
from evaluation.statistics.resampling import CONFIDENCE, effective_units


@dataclass(frozen=True)
class SeedAverage:
    """A figure over several seeds; `spread`: its standard deviation (n - 1), None for one seed."""

    mean: float
    spread: float | None
    lowest: float
    highest: float
    seeds: int


@dataclass(frozen=True)
class SeedDifference:
    """As PairedDifference, with each row averaged over the seeds.

    `seeds_a`, `seeds_b`: how many there are of each. `spread_a`, `spread_b`: the standard deviation of their
    shares over the seeds, None for one. The interval and p hold the spread over rows and, where either side
    has several seeds, that over seeds.
    """

    difference: float | None
    low: float | None
    high: float | None
    p: float | None
    n: int
    seeds_a: int
    seeds_b: int
    spread_a: float | None
    spread_b: float | None


def average_seeds(values: Sequence[float]) -> SeedAverage:
    """Average a figure over seeds. Raises ValueError for no value."""
    if not values:
        raise ValueError("no seed has this figure")
    spread = statistics.stdev(values) if len(values) > 1 else None
    return SeedAverage(statistics.fmean(values), spread, min(values), max(values), len(values))


def compare_seeds(
    a: Sequence[Sequence[bool]],
    b: Sequence[Sequence[bool]],
    conversations: Sequence[Hashable] | None = None,
) -> SeedDifference:
    """Compare two variants that were each trained with several seeds, on the same rows.

    `a[s][i]` says whether a's seed s is right on row i; a's seeds are not matched with b's. The interval is
    the difference and Student's t times its standard error to either side, cut at -1 and 1, and p is that of
    the same t, so that they never part. The error adds the variance over rows, each averaged over its seeds,
    and that over seeds; Welch and Satterthwaite's degrees of freedom allow for few seeds knowing little of
    their spread. A side with one seed is lent the other's spread, with its degrees of freedom: left out, a
    single training would be taken for what its seeds come to in the mean. With one each this is
    compare_paired.

    Raises ValueError for no seed or unequal lengths.
    """
    a_rows, b_rows = np.array(a, dtype=float), np.array(b, dtype=float)
    if a_rows.ndim != 2 or b_rows.ndim != 2 or a_rows.shape[1] != b_rows.shape[1]:
        raise ValueError("every seed needs an outcome for every row")
    rows = a_rows.shape[1]
    about = rows, len(a), len(b), _spread(a_rows), _spread(b_rows)
    if not rows:
        return SeedDifference(None, None, None, None, *about)
    if len(a) == len(b) == 1:
        pair = compare_paired(a[0], b[0], conversations)
        return SeedDifference(pair.difference, pair.low, pair.high, pair.p, *about)
    # Whole numbers, so that the conversations' sums are exact.
    scale = len(a) * len(b)
    sums = np.rint(scale * (a_rows.mean(axis=0) - b_rows.mean(axis=0))).astype(int).tolist()
    mean = sum(sums) / scale / rows
    error, freedom = _error_of_both(
        [
            _variance_over_rows(sum_by_conversation(sums, conversations), scale),
            *_variances_over_seeds([one for one in (a_rows, b_rows) if len(one) > 1]),
        ]
    )
    reach = error * float(student.ppf((1 + CONFIDENCE) / 2, freedom))
    p = float(2 * student.sf(abs(mean) / error, freedom))
    return SeedDifference(mean, max(mean - reach, -1.0), min(mean + reach, 1.0), p, *about)


def _spread(rows: np.ndarray) -> float | None:
    return float(rows.mean(axis=1).std(ddof=1)) if len(rows) > 1 and rows.size else None


def _variance_over_rows(units: Sequence[tuple[int, int]], scale: int) -> tuple[float, float]:
    """The mean difference's variance over (sum, rows) of units, and its degrees of freedom.

    Two more units, one won by each side, keep it above 0 where all rows differ alike. Units of unequal sizes
    have the degrees of freedom of as many equal ones as weigh the same.
    """
    freedom = max(effective_units([rows for _, rows in units]) - 1, 1.0)
    size = round(sum(rows for _, rows in units) / len(units))
    sums, sizes = np.array([*units, (scale * size, size), (-scale * size, size)], dtype=float).T
    groups, rows = len(sums), sizes.sum()
    apart = sums / scale - sums.sum() / scale / rows * sizes
    return float(groups / (groups - 1) * (apart**2).sum() / rows**2), freedom


def _variances_over_seeds(several: Sequence[np.ndarray]) -> list[tuple[float, float]]:
    """The variances that seeds give the difference, with degrees of freedom; of the sides with several."""
    spreads = [(float(one.mean(axis=1).var(ddof=1)), len(one)) for one in several]
    if len(spreads) == 1:
        ((variance, seeds),) = spreads
        # The other side's only seed has the same variance.
        return [(variance / seeds + variance, seeds - 1.0)]
    return [(variance / seeds, seeds - 1.0) for variance, seeds in spreads]


def _error_of_both(parts: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """The standard error of what has these independent (variance, degrees of freedom), and its own."""
    total = sum(variance for variance, _ in parts)
    return math.sqrt(total), total**2 / sum(variance**2 / freedom for variance, freedom in parts)
