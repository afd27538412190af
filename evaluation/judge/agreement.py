"""How far two raters agree beyond chance: Cohen's kappa (1960) with a 95% interval."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from statsmodels.stats.inter_rater import cohens_kappa

from evaluation.statistics import Estimate, estimate
from evaluation.toolcalls.metrics import Proportion

# A variance of 0 as rounding leaves it.
SMALLEST_DEVIATION = 1e-6


def agreement_of(pairs: Sequence[tuple[str, str]]) -> Estimate:
    """The share of pairs that are equal, with Wilson's interval."""
    return estimate(Proportion(sum(one == other for one, other in pairs), len(pairs)))


def kappa_of(pairs: Sequence[tuple[str, str]]) -> Estimate:
    """Cohen's kappa of two raters' labels, one pair an item.

    The interval rests on the large-sample variance of Fleiss, Cohen and Everitt (1969). Where that is 0, as
    in perfect agreement, it is Wilson's interval of the agreement, put through kappa's formula with the
    chance agreement as it is found. Value and interval are None where there is no pair, or both raters gave
    one and the same label throughout: chance would agree fully.
    """
    labels = sorted({label for pair in pairs for label in pair})
    if len(labels) < 2:
        return Estimate(None, None, None, len(pairs))
    table = np.zeros((len(labels), len(labels)))
    for one, other in pairs:
        table[labels.index(one), labels.index(other)] += 1
    # The library divides by zero for test values that are not looked at.
    with np.errstate(invalid="ignore", divide="ignore"):
        found = cohens_kappa(table)
    value, low, high = float(found.kappa), float(found.kappa_low), float(found.kappa_upp)
    # Not a number where rounding left a variance below 0.
    if math.isnan(found.std_kappa) or found.std_kappa < SMALLEST_DEVIATION:
        low, high = _by_wilson(pairs, table)
    return Estimate(value, max(min(low, value), -1.0), min(max(high, value), 1.0), len(pairs))


def _by_wilson(pairs: Sequence[tuple[str, str]], table: np.ndarray) -> tuple[float, float]:
    by_chance = float((table.sum(axis=0) * table.sum(axis=1)).sum() / table.sum() ** 2)
    share = agreement_of(pairs)
    low, high = (((bound or 0.0) - by_chance) / (1 - by_chance) for bound in (share.low, share.high))
    return low, high
