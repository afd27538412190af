"""The bootstrap over rows (Efron 1979), or over conversations where rows are turns of some.

Units of one content are exchangeable, so that drawing how many of each content come, by one multinomial draw,
is drawing the units; for outcomes that are few it is a thousand times cheaper. Units of unequal sizes weigh
as much as fewer equal ones (Kish 1965).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

CONFIDENCE = 0.95
RESAMPLES = 9_999
# Resamples drawn at once: bounds the memory for large test sets.
RESAMPLES_PER_BATCH = 1_000
SEED = 20_260_101


def draw_units(counts: Sequence[int]) -> Iterator[np.ndarray]:
    """Draw as many units as there are, RESAMPLES times, with a fixed seed.

    `counts`: how many units have each content. Yields (resamples, contents) arrays of how often each was
    drawn. They are drawn in the order given: sort the contents, so that the rows' order changes nothing.
    """
    rng = np.random.default_rng(SEED)
    shares = np.array(counts) / sum(counts)
    for start in range(0, RESAMPLES, RESAMPLES_PER_BATCH):
        size = min(RESAMPLES_PER_BATCH, RESAMPLES - start)
        yield rng.multinomial(sum(counts), shares, size=size).astype(float)


def effective_units(sizes: Sequence[int]) -> float:
    """As how many equal units these weigh, where each weighs its size: Kish's (sum m)² / sum m².

    Raises ZeroDivisionError where no unit has a size.
    """
    return sum(sizes) ** 2 / sum(size**2 for size in sizes)


def percentile_interval(resampled: np.ndarray) -> tuple[float, float]:
    """The middle 95% of what the resamples came to."""
    tail = 50 * (1 - CONFIDENCE)
    low, high = np.percentile(resampled, [tail, 100 - tail])
    return float(low), float(high)
