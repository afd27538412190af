"""What so many rows can show: by hand, by simulation, and against statsmodels where rows are many."""

from __future__ import annotations

import math

import numpy as np
import pytest
from statsmodels.stats.power import NormalIndPower

from evaluation.statistics import detectable_difference, flip_p
from evaluation.statistics.power import power_of


@pytest.mark.parametrize(
    ("rows", "level", "why"),
    [
        (0, 0.05, "no row"),
        (5, 0.05, "five rows that all differ have p = 0.0625"),
        (8, 0.05 / 7, "eight have p = 0.0078"),
    ],
    ids=["none", "five", "eight_of_seven"],
)
def test_too_few_rows_can_show_nothing(rows: int, level: float, why: str) -> None:
    assert detectable_difference(rows, 0.1, level) is None, why


@pytest.mark.parametrize(("rows", "level"), [(6, 0.05), (9, 0.05 / 7), (11, 0.001)])
def test_where_rows_just_suffice_they_show_what_changes_nearly_all(rows: int, level: float) -> None:
    found = detectable_difference(rows, 0.0, level)
    # All rows must differ for the better, in 80 of 100 tests.
    needed = 0.8 ** (1 / rows)
    assert found == pytest.approx(needed, abs=1e-3)


def test_a_fraction_of_a_row_is_left_out() -> None:
    assert detectable_difference(5.9, 0.1) is None
    assert detectable_difference(6.9, 0.1) == detectable_difference(6, 0.1)


@pytest.mark.parametrize("difference", [0.0, 0.1, -0.25])
@pytest.mark.parametrize("rows", [8, 25])
def test_the_power_is_the_sum_over_every_outcome(rows: int, difference: float) -> None:
    discordance, level = 0.4, 0.05
    won, lost = (discordance + difference) / 2, (discordance - difference) / 2
    expected = sum(
        math.comb(rows, a) * math.comb(rows - a, b) * won**a * lost**b * (1 - discordance) ** (rows - a - b)
        for a in range(rows + 1)
        for b in range(rows - a + 1)
        if flip_p([1] * a + [-1] * b) <= level
    )
    assert power_of(rows, discordance, difference, level) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(("rows", "discordance"), [(5_000, 0.2), (5_000, 0.5), (20_000, 0.3)])
def test_over_many_rows_it_is_the_normal_approximation_of_statsmodels(rows: int, discordance: float) -> None:
    found = detectable_difference(rows, discordance)
    assert found is not None
    # A difference of rows has the variance discordance - difference squared.
    effect = NormalIndPower(ddof=0).solve_power(nobs1=rows, alpha=0.05, power=0.8, ratio=0)
    assert found == pytest.approx(effect * math.sqrt(discordance - found**2), rel=0.04)


@pytest.mark.parametrize("discordance", [0.0, 0.1, 0.6])
def test_more_rows_show_less_and_more_comparisons_show_less_too(discordance: float) -> None:
    by_rows = [detectable_difference(n, discordance) or 1.0 for n in (10, 30, 100, 300, 1_000)]
    assert by_rows == sorted(by_rows, reverse=True) and len(set(by_rows)) == 5
    by_level = [detectable_difference(300, discordance, 0.05 / k) or 1.0 for k in (1, 2, 5, 20)]
    assert by_level == sorted(by_level) and len(set(by_level)) == 4


@pytest.mark.parametrize(
    ("rows", "discordance", "comparisons"), [(50, 0.1, 1), (120, 0.3, 5), (300, 0.1, 4), (1_000, 0.2, 7)]
)
def test_what_is_called_detectable_is_found_in_80_of_100_tests(
    rows: int, discordance: float, comparisons: int
) -> None:
    level = 0.05 / comparisons
    gain = detectable_difference(rows, discordance, level)
    assert gain is not None
    discordance = max(discordance, gain)
    shares = [(discordance + gain) / 2, (discordance - gain) / 2, 1 - discordance]
    tables = np.random.default_rng(4).multinomial(rows, shares, size=2_000).tolist()
    found = sum(flip_p([1] * a + [-1] * b) <= level for a, b, _ in tables) / 2_000
    # 0.8 with a standard deviation of 0.009.
    assert found == pytest.approx(0.8, abs=0.04)
