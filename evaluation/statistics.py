"""How sure a figure is: Wilson intervals, and paired comparisons of two variants on the same rows.

All of it comes from statsmodels and scipy. Sources: Wilson (1927) as recommended by Brown, Cai and DasGupta
(2001); McNemar (1947), exact; the percentile bootstrap of Efron; Holm (1979).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import bootstrap
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

from evaluation.toolcalls.metrics import Proportion

CONFIDENCE = 0.95
RESAMPLES = 9_999
# Resamples drawn at once: bounds the memory for large test sets.
RESAMPLES_PER_BATCH = 1_000
SEED = 20_260_101


@dataclass(frozen=True)
class Estimate:
    """A share with its 95% interval; all three are None where n is 0."""

    value: float | None
    low: float | None
    high: float | None
    n: int


@dataclass(frozen=True)
class PairedDifference:
    """How much more often a is right than b on the same n rows, as a share, with its 95% interval and p.

    All figures are None where no row was scored for both.
    """

    difference: float | None
    low: float | None
    high: float | None
    p: float | None
    n: int


def estimate(proportion: Proportion) -> Estimate:
    """Give a proportion its Wilson interval."""
    if proportion.n == 0:
        return Estimate(None, None, None, 0)
    share = proportion.successes / proportion.n
    low, high = proportion_confint(proportion.successes, proportion.n, alpha=1 - CONFIDENCE, method="wilson")
    # At 0% and 100% the interval ends at the share, but for a rounding error that would cross it.
    return Estimate(share, min(float(low), share), max(float(high), share), proportion.n)


def compare_paired(a: Sequence[bool], b: Sequence[bool]) -> PairedDifference:
    """Compare two variants row by row; `a[i]` and `b[i]` say whether each is right on row i.

    The interval is a percentile bootstrap over rows, drawn with a fixed seed; p is McNemar's exact one,
    two-sided. Raises ValueError for unequal lengths.
    """
    differences = np.array([int(x) - int(y) for x, y in zip(a, b, strict=True)], dtype=float)
    if differences.size == 0:
        return PairedDifference(None, None, None, None, 0)
    mean = float(differences.mean())
    low, high = _bootstrap_interval(differences)
    only_a, only_b = int((differences > 0).sum()), int((differences < 0).sum())
    p = float(mcnemar([[0, only_a], [only_b, 0]], exact=True).pvalue) if only_a + only_b else 1.0
    return PairedDifference(mean, low, high, p, int(differences.size))


def adjust_by_holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Adjust p values for having looked several times; those that are None stay None and do not count."""
    known = [p for p in p_values if p is not None]
    if not known:
        return list(p_values)
    adjusted = iter(multipletests(known, method="holm")[1])
    return [None if p is None else float(next(adjusted)) for p in p_values]


def _bootstrap_interval(differences: np.ndarray) -> tuple[float, float]:
    if np.all(differences == differences[0]):
        # Every resample is the sample: scipy would answer with NaN and a warning.
        return float(differences[0]), float(differences[0])
    interval = bootstrap(
        (differences,),
        np.mean,
        n_resamples=RESAMPLES,
        batch=RESAMPLES_PER_BATCH,
        confidence_level=CONFIDENCE,
        method="percentile",
        rng=np.random.default_rng(SEED),
    ).confidence_interval
    return float(interval.low), float(interval.high)
