"""Two variants on the same rows: closed forms, what libraries say, what holds for any rows, simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import bootstrap, permutation_test
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests

from evaluation.statistics import RESAMPLES, PairedDifference, adjust_by_holm, compare_paired, flip_p

Rows = list[tuple[bool, bool, int]]
# Outcomes of a and b, and the conversation that the row is a turn of.
ROWS = st.lists(st.tuples(st.booleans(), st.booleans(), st.integers(0, 12)), min_size=1, max_size=60)


def split(rows: Rows) -> tuple[list[bool], list[bool], list[int]]:
    return [a for a, _, _ in rows], [b for _, b, _ in rows], [talk for _, _, talk in rows]


def table(only_a: int, only_b: int, same: int) -> tuple[list[bool], list[bool]]:
    a = [True] * only_a + [False] * only_b + [True] * same
    return a, [False] * only_a + [True] * only_b + [True] * same


def interval(found: PairedDifference) -> tuple[float, float]:
    assert found.low is not None and found.high is not None
    return found.low, found.high


@pytest.mark.parametrize(
    ("only_a", "only_b", "same"), [(0, 0, 10), (6, 0, 4), (8, 2, 50), (5, 5, 0), (1, 0, 0), (20, 35, 100)]
)
def test_p_is_the_exact_binomial_one_of_mcnemar(only_a: int, only_b: int, same: int) -> None:
    a, b = table(only_a, only_b, same)
    n = only_a + only_b
    tail = sum(math.comb(n, k) for k in range(min(only_a, only_b) + 1)) / 2**n
    found = compare_paired(a, b)
    assert found.p == pytest.approx(min(1.0, 2 * tail) if n else 1.0)
    assert found.difference == pytest.approx((only_a - only_b) / len(a))
    assert found.n == len(a)
    assert found.discordance == pytest.approx(n / len(a))


@pytest.mark.parametrize(
    ("only_a", "only_b", "n"),
    [(60, 30, 300), (9, 3, 120), (1, 0, 20), (0, 0, 50), (40, 0, 100), (150, 140, 3_652)],
    ids=["usual", "few", "one", "none", "one_sided", "benchmark"],
)
def test_the_interval_is_scipy_s_bootstrap_of_the_rows_and_two_more(only_a: int, only_b: int, n: int) -> None:
    sample = np.repeat([1.0, -1.0, 0.0], [only_a + 1, only_b + 1, n - only_a - only_b])
    peer = bootstrap(
        (sample,),
        np.mean,
        n_resamples=RESAMPLES,
        batch=500,
        method="percentile",
        rng=np.random.default_rng(5),
    ).confidence_interval
    found = compare_paired(*table(only_a, only_b, n - only_a - only_b))
    # Means of whole rows: the two may part by one row's step, and by the draws.
    assert interval(found) == pytest.approx((peer.low, peer.high), abs=1.01 / n + 0.002)


@pytest.mark.parametrize(("only_a", "only_b", "n"), [(300, 200, 3_000), (90, 90, 1_000), (400, 100, 2_000)])
def test_over_many_rows_the_interval_is_that_of_normal_theory(only_a: int, only_b: int, n: int) -> None:
    mean = (only_a - only_b) / n
    reach = 1.96 * math.sqrt(((only_a + only_b) / n - mean**2) / n)
    found = compare_paired(*table(only_a, only_b, n - only_a - only_b))
    assert interval(found) == pytest.approx((mean - reach, mean + reach), abs=0.0025)


@pytest.mark.parametrize("n", [50, 100, 300, 1_000])
def test_rows_on_which_the_variants_never_differ_have_an_interval_all_the_same(n: int) -> None:
    found = compare_paired(*table(0, 0, n))
    assert (found.difference, found.p, found.discordance) == (0.0, 1.0, 0.0)
    low, high = interval(found)
    # The rule of three: what was not seen in n rows may still happen in 3 of n.
    assert high == -low == pytest.approx(3 / (n + 2), abs=0.1 / n)


@settings(max_examples=40, deadline=None)
@given(ROWS, st.booleans())
def test_exchanging_the_variants_negates_and_the_interval_holds_the_difference(
    rows: Rows, in_conversations: bool
) -> None:
    a, b, talks = split(rows)
    given_talks = talks if in_conversations else None
    found, turned = compare_paired(a, b, given_talks), compare_paired(b, a, given_talks)
    (low, high), (other_low, other_high) = interval(found), interval(turned)
    assert (found.difference or 0.0) == -(turned.difference or 0.0)
    assert (low, high) == pytest.approx((-other_high, -other_low))
    assert (found.p, found.design_effect) == pytest.approx((turned.p, turned.design_effect))
    assert found.difference is not None and -1 <= low <= found.difference <= high <= 1
    assert high > low, "no sample is sure"


@settings(max_examples=25, deadline=None)
@given(ROWS, st.randoms(use_true_random=False), st.booleans())
def test_the_order_of_rows_changes_nothing(rows: Rows, rng: object, in_conversations: bool) -> None:
    shuffled = list(rows)
    rng.shuffle(shuffled)  # type: ignore[attr-defined]
    found, other = (
        compare_paired(a, b, talks if in_conversations else None)
        for a, b, talks in (split(rows), split(shuffled))
    )
    assert interval(found) == pytest.approx(interval(other))
    assert (found.p, found.difference) == pytest.approx((other.p, other.difference))


@settings(max_examples=50, deadline=None)
@given(ROWS, st.integers(1, 40), st.booleans())
def test_rows_on_which_both_agree_change_no_p(rows: Rows, more: int, right: bool) -> None:
    a, b, talks = split(rows)
    same, new = [right] * more, list(range(100, 100 + more))
    assert compare_paired(a + same, b + same).p == pytest.approx(compare_paired(a, b).p)
    assert compare_paired(a + same, b + same, talks + new).p == pytest.approx(compare_paired(a, b, talks).p)


@settings(max_examples=25, deadline=None)
@given(ROWS)
def test_conversations_of_one_turn_are_rows(rows: Rows) -> None:
    a, b, _ = split(rows)
    single = [f"talk {number}" for number in range(len(rows))]
    assert compare_paired(a, b, single) == compare_paired(a, b)


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 200), st.integers(0, 200))
def test_flipping_the_signs_of_single_rows_is_mcnemar(only_a: int, only_b: int) -> None:
    peer = mcnemar([[0, only_a], [only_b, 0]], exact=True).pvalue if only_a + only_b else 1.0
    assert flip_p([1] * only_a + [-1] * only_b + [0] * 7) == pytest.approx(peer, abs=1e-12)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(-4, 4), min_size=2, max_size=9))
def test_flipping_the_signs_of_conversations_is_scipy_s_permutation_test(sums: list[int]) -> None:
    sample = np.array(sums, dtype=float)
    # As many resamples as there are flips or more: scipy then tries each of them once.
    peer = permutation_test(
        (sample, np.zeros_like(sample)),
        lambda x, y, axis: (x - y).sum(axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=2**10,
    )
    assert flip_p(sums) == pytest.approx(min(1.0, peer.pvalue), abs=1e-12)


def test_whole_conversations_are_worth_less_than_so_many_rows() -> None:
    a, b = [True] * 40 + [False] * 10, [False] * 40 + [True] * 10
    talks = [number // 5 for number in range(50)]
    together, alone = compare_paired(a, b, talks), compare_paired(a, b)
    assert together.p == pytest.approx(2 * sum(math.comb(10, k) for k in range(3)) / 2**10)
    assert alone.p is not None and together.p is not None and alone.p < together.p / 100
    (low, high), (alone_low, alone_high) = interval(together), interval(alone)
    assert high - low > 1.8 * (alone_high - alone_low)
    assert together.design_effect == pytest.approx(5, rel=0.15)
    assert (together.n, together.difference) == (alone.n, alone.difference)


def test_a_single_conversation_shows_nothing() -> None:
    found = compare_paired([True] * 9, [False] * 9, ["one"] * 9)
    assert (found.difference, found.p, found.n, found.design_effect) == (1.0, 1.0, 9, 9.0)
    low, _ = interval(found)
    assert low < 0


def test_where_all_rows_differ_alike_a_long_conversation_counts_for_about_all_of_them() -> None:
    found = compare_paired([True] * 409, [False] * 409, ["long"] * 400 + list(range(9)))
    assert found.design_effect == pytest.approx(160_009 / 409)
    equal = compare_paired([True] * 40, [False] * 40, [n // 4 for n in range(40)])
    assert equal.design_effect == pytest.approx(4)


def test_no_rows_have_no_difference() -> None:
    assert compare_paired([], []) == PairedDifference(None, None, None, None, 0)


@pytest.mark.parametrize(
    ("a", "b", "talks"), [([True], [], None), ([True], [True], ["x", "y"])], ids=["rows", "conversations"]
)
def test_unequal_lengths_are_an_error(a: list[bool], b: list[bool], talks: list[str] | None) -> None:
    with pytest.raises(ValueError, match="zip"):
        compare_paired(a, b, talks)


def test_holm_multiplies_the_smallest_by_their_number_and_keeps_the_order() -> None:
    assert adjust_by_holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert adjust_by_holm([0.5, None, 0.01]) == [0.5, None, 0.02]
    assert adjust_by_holm([None]) == [None]
    assert adjust_by_holm([]) == []


@settings(max_examples=10, deadline=None)
@given(st.lists(st.floats(0, 1, allow_subnormal=False), min_size=1, max_size=8))
def test_holm_is_that_of_statsmodels(p_values: list[float]) -> None:
    assert adjust_by_holm(p_values) == pytest.approx(multipletests(p_values, method="holm")[1])


# The bounds of what follows: a binomial of 2,000 draws lies beyond them once in 10,000 times or less.


@pytest.mark.parametrize(
    ("n", "discordance", "difference"),
    [
        (20, 0.1, 0.05),
        (50, 0.05, 0.05),
        (50, 0.3, 0.2),
        (100, 0.01, 0.0),
        (300, 0.1, 0.05),
        (1_000, 0.2, 0.2),
    ],
)
def test_the_paired_interval_holds_the_truth_about_as_often_as_it_says(
    n: int, discordance: float, difference: float
) -> None:
    shares = [(discordance + difference) / 2, (discordance - difference) / 2, 1 - discordance]
    drawn, times = np.unique(
        np.random.default_rng(2).multinomial(n, shares, 2_000), axis=0, return_counts=True
    )
    held = 0
    for (only_a, only_b, same), count in zip(drawn.tolist(), times.tolist(), strict=True):
        low, high = interval(compare_paired(*table(only_a, only_b, same)))
        held += count * (low - 1e-9 <= difference <= high + 1e-9)
    assert held / 2_000 >= 0.92


def test_variants_of_which_none_is_better_are_seldom_called_different() -> None:
    rng, alone, together = np.random.default_rng(1), 0, 0
    for _ in range(2_000):
        right = (rng.random((4, 120)) < 0.5).astype(int)
        p = [flip_p((right[a] - right[0]).tolist()) for a in (1, 2, 3)]
        alone += p[0] < 0.05
        together += min(one or 0.0 for one in adjust_by_holm(p)) < 0.05
    assert alone / 2_000 <= 0.068
    assert together / 2_000 <= 0.068
