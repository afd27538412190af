"""What a figure is made of: shares of rows, ratios of sums, F1, means over categories.

A tally holds how many rows gave each outcome, which is all that an interval needs: see evaluation.statistics.
What has no rows is None, not zero.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Proportion(NamedTuple):
    """`successes` of `n` rows; its value is None where n is 0."""

    successes: int
    n: int

    @property
    def value(self) -> float | None:
        """The share in [0, 1]."""
        return self.successes / self.n if self.n else None


class Ratio(NamedTuple):
    """The ratio of two sums over rows; `rows`: how many rows added each (part, whole), no whole being 0."""

    rows: Mapping[tuple[int, int], int]

    @property
    def n(self) -> int:
        """How many rows added anything."""
        return sum(self.rows.values())

    @property
    def value(self) -> float | None:
        """The sum of the parts over that of the wholes, in [0, 1]."""
        whole = sum(whole * rows for (_, whole), rows in self.rows.items())
        return sum(part * rows for (part, _), rows in self.rows.items()) / whole if whole else None


class MacroF1(NamedTuple):
    """The unweighted mean of F1 over `classes`, or over those that are expected where it is None.

    `rows`: how many rows expected and took each (expected, taken). A class neither expected nor taken has an
    F1 of 0, as scikit-learn's `f1_score(labels=…, zero_division=0)` has it.
    """

    rows: Mapping[tuple[str, str], int]
    classes: tuple[str, ...] | None = None

    @property
    def n(self) -> int:
        """How many rows."""
        return sum(self.rows.values())

    @property
    def value(self) -> float | None:
        """The mean in [0, 1]."""
        classes = self.classes or sorted({expected for expected, _ in self.rows})
        return sum(self._f1(one) for one in classes) / len(classes) if self.rows else None

    def _f1(self, one: str) -> float:
        both = sum(rows * ((e == one) + (t == one)) for (e, t), rows in self.rows.items())
        return 2 * self.rows.get((one, one), 0) / both if both else 0.0


class CategoryMean(NamedTuple):
    """The unweighted mean of the shares of several categories, each of which has rows."""

    shares: Mapping[str, Proportion]

    @property
    def n(self) -> int:
        """How many rows, in all categories."""
        return sum(share.n for share in self.shares.values())

    @property
    def value(self) -> float | None:
        """The mean in [0, 1]."""
        values = [share.successes / share.n for share in self.shares.values()]
        return sum(values) / len(values) if values else None


Tally = Proportion | Ratio | MacroF1 | CategoryMean
