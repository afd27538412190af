"""How sure a figure is: an interval for every tally, and paired comparisons of two variants on equal rows.

Sources: Wilson (1927) as recommended by Brown, Cai and DasGupta (2001); Efron's percentile bootstrap, drawn
over rows because the calls of one row stand or fall together; the square-and-add interval of Zou and Donner
(2008); McNemar (1947), exact; Holm (1979).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from scipy.stats import bootstrap
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

from evaluation.toolcalls.metrics import CategoryMean, MacroF1, Proportion, Ratio, Tally

CONFIDENCE = 0.95
RESAMPLES = 9_999
# Resamples drawn at once: bounds the memory for large test sets.
RESAMPLES_PER_BATCH = 1_000
SEED = 20_260_101

_Outcome = TypeVar("_Outcome", tuple[int, int], tuple[str, str])


@dataclass(frozen=True)
class Estimate:
    """A figure over n rows with its 95% interval; all three are None where n is 0."""

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


def estimate(tally: Tally) -> Estimate:
    """Give a tally its interval.

    Shares of rows get Wilson's, ratios of sums and F1 a percentile bootstrap over rows with a fixed seed, and
    a mean over categories the square-and-add combination of its categories' Wilson intervals. Where every
    resample comes to the same, as at 100%, the bootstrap knows nothing: the interval is then Wilson's for a
    share of so many rows, times the greatest value that the figure can have, which for F1 over classes that
    no row expects is below 1.
    """
    value = tally.value
    if value is None:
        return Estimate(None, None, None, 0)
    low, high = _interval_of(tally, value)
    # An interval may end at the value, at 0 or at 1, where a rounding error would cross it.
    return Estimate(value, max(min(low, value), 0.0), min(max(high, value), 1.0), tally.n)


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


def _interval_of(tally: Tally, value: float) -> tuple[float, float]:
    if isinstance(tally, Proportion):
        return _wilson(tally.successes, tally.n)
    if isinstance(tally, CategoryMean):
        return _square_and_add(list(tally.shares.values()), value)
    resampled = _resample_f1(tally) if isinstance(tally, MacroF1) else _resample_ratio(tally)
    if np.ptp(resampled) == 0:
        greatest = _greatest_f1(tally) if isinstance(tally, MacroF1) else 1.0
        low, high = _wilson(min(value / greatest, 1.0) * tally.n, tally.n)
        return low * greatest, high * greatest
    tail = 50 * (1 - CONFIDENCE)
    low, high = np.percentile(resampled, [tail, 100 - tail])
    return float(low), float(high)


def _greatest_f1(tally: MacroF1) -> float:
    """The mean F1 of a model that is always right: a class that no row expects gives it nothing."""
    if tally.classes is None:
        return 1.0
    expected = {one for one, _ in tally.rows}
    return sum(one in expected for one in tally.classes) / len(tally.classes) or 1.0


def _wilson(successes: float, n: int) -> tuple[float, float]:
    low, high = proportion_confint(successes, n, alpha=1 - CONFIDENCE, method="wilson")
    return float(low), float(high)


def _square_and_add(shares: Sequence[Proportion], mean: float) -> tuple[float, float]:
    bounds = np.array([_wilson(share.successes, share.n) for share in shares])
    values = np.array([share.successes / share.n for share in shares])
    below, above = np.sqrt(((bounds.T - values) ** 2).sum(axis=1)) / len(shares)
    return mean - float(below), mean + float(above)


def _resample_ratio(tally: Ratio) -> np.ndarray:
    outcomes, drawn = _draw_rows(tally.rows)
    parts, wholes = np.array(outcomes, dtype=float).T
    ratios: np.ndarray = (drawn @ parts) / (drawn @ wholes)
    return ratios


def _resample_f1(tally: MacroF1) -> np.ndarray:
    outcomes, drawn = _draw_rows(tally.rows)
    classes = tally.classes or tuple(sorted({expected for expected, _ in outcomes}))
    is_expected = np.array([[expected == one for one in classes] for expected, _ in outcomes], dtype=float)
    is_taken = np.array([[taken == one for one in classes] for _, taken in outcomes], dtype=float)
    both = drawn @ (is_expected + is_taken)
    scores = np.divide(2 * (drawn @ (is_expected * is_taken)), both, out=np.zeros_like(both), where=both > 0)
    # A class that no drawn row expects has no say, as in the figure itself; four fixed classes always have.
    counted = (drawn @ is_expected > 0) if tally.classes is None else np.ones_like(both, dtype=bool)
    means: np.ndarray = (scores * counted).sum(axis=1) / counted.sum(axis=1)
    return means


def _draw_rows(rows: Mapping[_Outcome, int]) -> tuple[list[_Outcome], np.ndarray]:
    """Resample rows by outcome: the outcomes, and (RESAMPLES, outcomes) how often each was drawn.

    Rows of one outcome are exchangeable, so that drawing how many of each come is drawing the rows. They are
    drawn in the outcomes' order, so that the rows' own order changes nothing.
    """
    outcomes = sorted(rows)
    counts = np.array([rows[outcome] for outcome in outcomes])
    rng = np.random.default_rng(SEED)
    return outcomes, rng.multinomial(counts.sum(), counts / counts.sum(), size=RESAMPLES).astype(float)


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
