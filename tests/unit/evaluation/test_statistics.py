"""Statistics: against closed forms, and by simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.statistics import adjust_by_holm, compare_paired, estimate
from evaluation.toolcalls.metrics import Proportion


def wilson(successes: int, n: int) -> tuple[float, float]:
    z, share = 1.959963984540054, successes / n
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return centre - half, centre + half


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 4000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_interval_is_wilson_s(case: tuple[int, int]) -> None:
    successes, n = case
    found = estimate(Proportion(successes, n))
    assert (found.low, found.high) == pytest.approx(wilson(successes, n), abs=1e-9)
    assert found.value is not None and found.low is not None and found.high is not None
    assert 0 <= found.low <= found.value <= found.high <= 1


def test_nothing_has_no_value_and_no_interval() -> None:
    nothing = estimate(Proportion(0, 0))
    assert (nothing.value, nothing.low, nothing.high, nothing.n) == (None, None, None, 0)
    none = compare_paired([], [])
    assert (none.difference, none.p, none.n) == (None, None, 0)


@pytest.mark.parametrize(
    ("only_a", "only_b", "both"), [(0, 0, 10), (6, 0, 4), (8, 2, 50), (5, 5, 0), (1, 0, 0), (20, 35, 100)]
)
def test_p_is_the_exact_binomial_one_of_mcnemar(only_a: int, only_b: int, both: int) -> None:
    a = [True] * only_a + [False] * only_b + [True] * both
    b = [False] * only_a + [True] * only_b + [True] * both
    n = only_a + only_b
    tail = sum(math.comb(n, k) for k in range(min(only_a, only_b) + 1)) / 2**n
    found = compare_paired(a, b)
    assert found.p == pytest.approx(min(1.0, 2 * tail) if n else 1.0)
    assert found.difference == pytest.approx((only_a - only_b) / len(a))
    assert found.n == len(a)


def test_the_paired_interval_is_near_its_normal_approximation_and_repeatable() -> None:
    a = [True] * 60 + [False] * 30 + [True] * 210
    b = [False] * 60 + [True] * 30 + [True] * 210
    found = compare_paired(a, b)
    assert found == compare_paired(a, b)
    n, mean = 300, 30 / 300
    spread = 1.96 * math.sqrt((90 / n - mean**2) / n)
    assert (found.low, found.high) == pytest.approx((mean - spread, mean + spread), abs=0.008)


def test_rows_on_which_the_variants_never_differ_give_a_difference_of_zero() -> None:
    found = compare_paired([True, False], [True, False])
    assert (found.difference, found.low, found.high, found.p) == (0.0, 0.0, 0.0, 1.0)


def test_unequal_lengths_are_an_error() -> None:
    with pytest.raises(ValueError, match="zip"):
        compare_paired([True], [])


def test_equal_variants_are_seldom_called_different() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.random((2, 400, 120)) < 0.5
    alarms = sum((compare_p(x, y) or 1.0) < 0.05 for x, y in zip(a, b, strict=True))
    assert alarms / 400 <= 0.06


def compare_p(a: np.ndarray, b: np.ndarray) -> float | None:
    # The bootstrap is not needed for p and would take most of the time.
    differing = a != b
    return compare_paired([bool(x) for x in a[differing]][:120], [bool(x) for x in b[differing]][:120]).p


def test_holm_multiplies_the_smallest_by_their_number_and_keeps_the_order() -> None:
    assert adjust_by_holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert adjust_by_holm([0.5, None, 0.01]) == [0.5, None, 0.02]
    assert adjust_by_holm([None]) == [None]
    assert adjust_by_holm([]) == []
