"""Figures over several seeds: by hand, with one seed as without, and by simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest

from evaluation.statistics import SeedAverage, average_seeds, compare_paired, compare_seeds


def test_the_average_over_seeds_has_its_spread() -> None:
    found = average_seeds([0.342, 0.365, 0.508])
    assert found.mean == pytest.approx(0.405)
    assert found.spread == pytest.approx(math.sqrt((0.063**2 + 0.04**2 + 0.103**2) / 2))
    assert (found.lowest, found.highest, found.seeds) == (0.342, 0.508, 3)
    assert average_seeds([0.4]) == SeedAverage(0.4, None, 0.4, 0.4, 1)
    assert average_seeds([0.4, 0.4]).spread == 0.0


def test_no_seed_is_an_error() -> None:
    with pytest.raises(ValueError, match="no seed"):
        average_seeds([])
    with pytest.raises(ValueError, match="every seed"):
        compare_seeds([], [[True]])


@pytest.mark.parametrize(
    ("a", "b"),
    [([[True, False]], [[True]]), ([[True], [True, False]], [[True]])],
    ids=["other_rows", "ragged"],
)
def test_every_seed_needs_every_row(a: list[list[bool]], b: list[list[bool]]) -> None:
    with pytest.raises(ValueError):
        compare_seeds(a, b)


@pytest.mark.parametrize("talks", [None, [n // 3 for n in range(90)]], ids=["rows", "conversations"])
def test_one_seed_each_is_a_pair_of_variants(talks: list[int] | None) -> None:
    a = [True] * 30 + [False] * 10 + [True] * 50
    b = [False] * 30 + [True] * 10 + [True] * 50
    found, pair = compare_seeds([a], [b], talks), compare_paired(a, b, talks)
    assert (found.difference, found.low, found.high) == pytest.approx((pair.difference, pair.low, pair.high))
    assert found.p == pytest.approx(pair.p)
    assert (found.n, found.seeds_a, found.seeds_b, found.spread_a) == (90, 1, 1, None)


def test_no_rows_have_no_difference() -> None:
    found = compare_seeds([[], []], [[]])
    assert (found.difference, found.low, found.p, found.n, found.spread_a) == (None, None, None, 0, None)


def test_exchanging_the_variants_negates() -> None:
    rng = np.random.default_rng(3)
    a, b = (rng.random((3, 60)) < 0.6).tolist(), (rng.random((2, 60)) < 0.4).tolist()
    found, turned = compare_seeds(a, b), compare_seeds(b, a)
    assert found.difference == pytest.approx(-(turned.difference or 0.0))
    assert (found.low, found.high) == pytest.approx((-(turned.high or 0.0), -(turned.low or 0.0)))
    assert found.p == pytest.approx(turned.p)
    assert (found.seeds_a, found.spread_a) == (turned.seeds_b, turned.spread_b)


def test_one_seed_is_lent_the_other_side_s_spread() -> None:
    seeds = [[n < count for n in range(4_000)] for count in (1_900, 2_000, 2_100)]
    alone = [n < 1_600 for n in range(4_000)]
    found, turned = compare_seeds(seeds, [alone]), compare_seeds([alone], seeds)
    spread = 0.025
    assert found.spread_a == pytest.approx(spread)
    assert found.spread_b is turned.spread_a is None
    assert found.high is not None and found.difference == pytest.approx(0.1)
    # Three seeds and one more of that spread, with two degrees of freedom; the rows add little.
    reach = 4.303 * spread * math.sqrt(1 / 3 + 1)
    assert found.high - 0.1 == pytest.approx(reach, rel=0.06)
    assert turned.low is not None and -0.1 - turned.low == pytest.approx(found.high - 0.1)


def test_a_single_training_that_is_no_better_than_other_seeds_is_seldom_called_different() -> None:
    rng, alarms = np.random.default_rng(9), 0
    for _ in range(150):
        *seeds, alone = ([n < count for n in range(500)] for count in rng.normal(250, 25, 6))
        alarms += (compare_seeds(seeds, [alone]).p or 0.0) < 0.05
    # 5% of 150 is 7.5 with a standard deviation of 2.7; without the one seed's spread it is 49.
    assert alarms <= 17


HALF = [n % 2 == 0 for n in range(100)]


@pytest.mark.parametrize(
    ("a", "b", "why"),
    [
        ([[True] * 100, [False] * 100], [[False] * 100], "seeds as far apart as they can be"),
        ([[True] * 100] * 2, [[False] * 100] * 2, "nothing varies, over rows or over seeds"),
        ([[True] * 100] * 3, [[True] * 100], "nothing differs"),
        ([HALF, [not one for one in HALF]], [HALF, HALF], "rows vary, shares do not"),
        ([[True], [True]], [[False], [False]], "a single row"),
        ([[True] * 5 + [False]] * 2, [[False] * 6] * 2, "few rows"),
    ],
    ids=["apart", "all", "none", "rows", "one", "few"],
)
def test_an_interval_over_seeds_is_a_difference_of_shares(
    a: list[list[bool]], b: list[list[bool]], why: str
) -> None:
    found = compare_seeds(a, b)
    assert found.difference is not None and found.low is not None and found.high is not None
    assert -1 <= found.low < found.high <= 1, why
    assert found.low <= found.difference <= found.high
    assert found.p is not None and 0 < found.p <= 1


@pytest.mark.parametrize("seeds", [(2, 2), (3, 1), (2, 3)], ids=str)
@pytest.mark.parametrize("turns", [1, 5], ids=["rows", "conversations"])
def test_over_seeds_p_and_the_interval_never_part(seeds: tuple[int, int], turns: int) -> None:
    rng, found_real = np.random.default_rng(11), 0
    talks = [n // turns for n in range(100)]
    for gain in np.linspace(0, 0.4, 60):
        hard = rng.normal(0, 1, 100)
        a, b = (
            [(hard + rng.normal(0, 1, 100) + rng.normal(0, 0.15) < 2 * up).tolist() for _ in range(count)]
            for count, up in zip(seeds, (gain, 0.0), strict=True)
        )
        found = compare_seeds(a, b, talks)
        assert found.p is not None and found.low is not None and found.high is not None
        assert (found.p < 0.05) == (found.low > 0 or found.high < 0)
        found_real += found.p < 0.05
    assert 5 < found_real < 55


def test_seeds_that_differ_widely_make_a_difference_less_sure() -> None:
    rows = 200
    base = [[False] * rows] * 3
    alike = [[n < 60 for n in range(rows)]] * 3
    apart = [[n < count for n in range(rows)] for count in (20, 60, 100)]
    sure, unsure = compare_seeds(alike, base), compare_seeds(apart, base)
    assert sure.difference == unsure.difference == pytest.approx(0.3)
    assert sure.spread_a == 0.0
    assert unsure.spread_a == pytest.approx(0.2)
    assert sure.p is not None and unsure.p is not None
    assert sure.p < 1e-6
    assert unsure.p > 0.05
    # Student's t of two degrees of freedom times sd / sqrt(3), beside which the rows' part is small.
    assert unsure.high is not None and unsure.high - 0.3 == pytest.approx(4.303 * 0.2 / math.sqrt(3), rel=0.1)


@pytest.mark.parametrize("spread", [0.0, 0.15], ids=["equal_seeds", "seeds_differ"])
def test_equal_variants_over_seeds_are_seldom_called_different(spread: float) -> None:
    rng, alarms, held = np.random.default_rng(5), 0, 0
    for _ in range(120):
        hard = rng.normal(0, 1, 150)
        a, b = (
            [(hard + rng.normal(0, 1, 150) < rng.normal(0, spread)).tolist() for _ in range(3)]
            for _ in range(2)
        )
        found = compare_seeds(a, b)
        assert found.p is not None and found.low is not None and found.high is not None
        alarms += found.p < 0.05
        held += found.low <= 0 <= found.high
    # 5% of 120 is 6 with a standard deviation of 2.4.
    assert alarms <= 15
    assert held >= 105
