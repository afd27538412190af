"""What a test of so many rows can show: the smallest difference that McNemar's exact test would find.

Source: the exact unconditional power of McNemar's test (Duffy 1984): the rows on which two variants differ
are a binomial part of all, and of these the ones that a wins are binomial again.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from scipy.optimize import brentq
from scipy.special import bdtr
from scipy.stats import binom

POWER = 0.8
SIGNIFICANCE = 0.05
# Chances of so many differing rows that are left out on either side: nothing to a power of 80%.
_LEFT_OUT = 1e-9


def detectable_difference(
    rows: float, discordance: float, level: float = SIGNIFICANCE, power: float = POWER
) -> float | None:
    """The smallest difference, as a share, that so many rows would show at `level` with such a power.

    `rows`: paired rows, as independent ones (rows over the design effect); a fraction is left out.
    `discordance`: the share of rows on which the variants differ, which is taken for the truth, unless the
    difference itself is larger. None where no difference would do: five rows that all differ have p = 0.06.
    """
    # Rounded, so that the pairs of one suite share what was worked out once.
    return _detectable(math.floor(rows + 1e-9), round(discordance, 6), level, power)


def power_of(rows: int, discordance: float, difference: float, level: float = SIGNIFICANCE) -> float:
    """How often McNemar's exact test finds a true difference at `level`, over `rows` paired rows."""
    discordance = max(discordance, abs(difference))
    if rows < 1 or discordance == 0:
        return 0.0
    differing = np.arange(
        binom.ppf(_LEFT_OUT, rows, discordance), binom.isf(_LEFT_OUT, rows, discordance) + 1, dtype=int
    )
    share_won = (discordance + abs(difference)) / (2 * discordance)
    critical = _critical_losses(differing, level)
    found = bdtr(critical, differing, 1 - share_won) + bdtr(critical, differing, share_won)
    chances = binom.pmf(differing, rows, discordance)
    return float((chances * np.where(critical >= 0, found, 0.0)).sum())


@lru_cache(maxsize=4096)
def _detectable(rows: int, discordance: float, level: float, power: float) -> float | None:
    def lacking(difference: float) -> float:
        return power_of(rows, discordance, difference, level) - power

    # Where all rows differ, and all for the better.
    if lacking(1.0) < 0:
        return None
    return float(brentq(lacking, 0.0, 1.0, xtol=1e-5))


def _critical_losses(differing: np.ndarray, level: float) -> np.ndarray:
    """Of so many differing rows, how many the better one may lose at most; -1 where even none is too many."""
    losses = binom.ppf(level / 2, differing, 0.5)
    too_many = 2 * bdtr(losses, differing, 0.5) > level
    critical: np.ndarray = np.where(differing > 0, losses - too_many, -1).astype(int)
    return critical
