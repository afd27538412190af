"""Rounding: halves go away from zero, by what the counts say rather than by what a float leaves of them."""

from __future__ import annotations

import doctest
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation import rounding
from evaluation.rounding import write_number, write_points
from lambdas.gate_words import _signed


@given(st.integers(0, 2000), st.integers(1, 2000))
def test_a_share_is_rounded_half_away_from_zero_on_either_side(right: int, rows: int) -> None:
    exact = Fraction(1000 * right, rows)
    wanted = int(exact + Fraction(1, 2))
    assert write_number(100 * right / rows) == f"{wanted // 10}.{wanted % 10}"
    assert write_points(-right / rows) in (f"-{wanted // 10}.{wanted % 10}", "+0.0")


@pytest.mark.parametrize(
    ("value", "decimals", "written"),
    [
        pytest.param(7.5, 0, "8", id="up"),
        pytest.param(12.5, 0, "13", id="up-to-an-odd-number-too"),
        pytest.param(100 * 0.285, 0, "29", id="28.499999999999996"),
        pytest.param(28.4999, 0, "28", id="below-a-half"),
        pytest.param(-1.25, 1, "-1.3", id="away-from-zero"),
        pytest.param(-0.04, 1, "0.0", id="no-negative-zero"),
        pytest.param(1e-7, 2, "0.00", id="tiny"),
        pytest.param(12345.0, 1, "12345.0", id="large"),
    ],
)
def test_halves_go_away_from_zero(value: float, decimals: int, written: str) -> None:
    assert write_number(value, decimals) == written


@given(st.integers(-400, 400), st.integers(400, 800))
def test_the_gates_words_round_like_the_page_that_quotes_them(moved: int, rows: int) -> None:
    assert _signed(moved / rows, 1) == write_points(moved / rows)


def test_the_examples_hold() -> None:
    assert doctest.testmod(rounding) == (0, 2)
