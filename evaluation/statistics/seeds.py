"""Figures of runs that differ in nothing but their seed: averaged, with their spread."""

from __future__ import annotations

import math
import statistics
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import t as student

from evaluation.statistics.paired import bootstrap_interval, flip_p, sum_by_conversation
from evaluation.statistics.resampling import CONFIDENCE


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
    shares over the seeds, None for one. The interval and p hold the spread over rows and, where there are
    several seeds, that over seeds.
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

    `a[s][i]` says whether a's seed s is right on row i; a's seeds are not matched with b's. The interval
    squares and adds two distances: that of the bootstrap over rows, each averaged over its seeds, and that of
    the spread over seeds by Student's t with Welch and Satterthwaite's degrees of freedom, for few seeds know
    little of their spread. p is the larger of the rows' alone and of t over both. Where a variant has one
    seed, its spread over seeds is unknown and in neither; with one each this is compare_paired.

    Raises ValueError for no seed or unequal lengths.
    """
    a_rows, b_rows = np.array(a, dtype=float), np.array(b, dtype=float)
    if a_rows.ndim != 2 or b_rows.ndim != 2 or a_rows.shape[1] != b_rows.shape[1]:
        raise ValueError("every seed needs an outcome for every row")
    spreads = _spread(a_rows), _spread(b_rows)
    counts = a_rows.shape[1], len(a), len(b)
    if not a_rows.shape[1]:
        return SeedDifference(None, None, None, None, *counts, *spreads)
    # Whole numbers, of which the rows' sums have an exact distribution.
    scale = len(a) * len(b)
    sums = np.rint(scale * (a_rows.mean(axis=0) - b_rows.mean(axis=0))).astype(int)
    units = sum_by_conversation(sums.tolist(), conversations)
    mean = float(sums.mean()) / scale
    low, high = (bound / scale for bound in bootstrap_interval(units, scale))
    error, freedom = _seed_error(spreads, (len(a), len(b)))
    reach = error * float(student.ppf((1 + CONFIDENCE) / 2, freedom)) if error else 0.0
    return SeedDifference(
        mean,
        mean - math.hypot(max(mean - low, 0.0), reach),
        mean + math.hypot(max(high - mean, 0.0), reach),
        max(flip_p([one for one, _ in units]), _p_of_both(mean, units, scale, error, freedom)),
        *counts,
        *spreads,
    )


def _spread(rows: np.ndarray) -> float | None:
    return float(rows.mean(axis=1).std(ddof=1)) if len(rows) > 1 and rows.size else None


def _seed_error(spreads: Sequence[float | None], seeds: Sequence[int]) -> tuple[float, float]:
    """The standard error of the difference from seed to seed, and its degrees of freedom; (0, 1) for none."""
    parts = [(spread**2 / n, n - 1) for spread, n in zip(spreads, seeds, strict=True) if spread]
    total = sum(variance for variance, _ in parts)
    return (math.sqrt(total), total**2 / sum(v**2 / df for v, df in parts)) if parts else (0.0, 1.0)


def _p_of_both(
    mean: float, units: Sequence[tuple[int, int]], scale: int, error: float, freedom: float
) -> float:
    if not error:
        return 0.0
    sums, sizes = np.array(units, dtype=float).T
    rows, groups = sizes.sum(), max(len(units), 2)
    over_rows = groups / (groups - 1) * ((sums / scale - mean * sizes) ** 2).sum() / rows**2
    total = over_rows + error**2
    freedom = total**2 / (over_rows**2 / (groups - 1) + error**4 / freedom)
    return float(2 * student.sf(abs(mean) / math.sqrt(total), freedom))
