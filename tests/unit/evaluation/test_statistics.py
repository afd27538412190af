"""Statistics: against closed forms, and by simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import bootstrap

from evaluation.statistics import RESAMPLES, adjust_by_holm, compare_paired, estimate
from evaluation.toolcalls.metrics import CategoryMean, MacroF1, Proportion, Ratio


def wilson(successes: float, n: int) -> tuple[float, float]:
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


# Rows with one to three calls, of which some are right: {(right, calls): rows}.
CALLS = {(1, 1): 120, (0, 1): 30, (2, 2): 40, (1, 2): 25, (3, 3): 10, (0, 3): 5}
TAKEN = {("a", "a"): 60, ("a", "b"): 20, ("b", "b"): 50, ("b", "c"): 10, ("c", "c"): 15, ("c", "x"): 5}


def spread_out(rows: dict[tuple[int, int], int]) -> np.ndarray:
    return np.array([pair for pair, count in rows.items() for _ in range(count)], dtype=float)


def test_a_ratio_has_the_percentile_bootstrap_over_rows_that_scipy_draws() -> None:
    part, whole = spread_out(CALLS).T
    peer = bootstrap(
        (part, whole),
        lambda p, w, axis: p.sum(axis=axis) / w.sum(axis=axis),
        paired=True,
        n_resamples=RESAMPLES,
        batch=500,
        method="percentile",
        rng=np.random.default_rng(5),
    ).confidence_interval
    found = estimate(Ratio(CALLS))
    assert found.value == pytest.approx(part.sum() / whole.sum())
    assert (found.low, found.high) == pytest.approx((peer.low, peer.high), abs=0.004)
    assert found.n == 230


def test_the_calls_of_one_row_are_not_taken_for_so_many_rows() -> None:
    alone = estimate(Ratio({(1, 1): 150, (0, 1): 150}))
    together = estimate(Ratio({(3, 3): 50, (0, 3): 50}))
    widths = [one.high - one.low for one in (alone, together) if one.high is not None and one.low is not None]
    assert widths[1] == pytest.approx(widths[0] * math.sqrt(3), rel=0.05)


def f1_of(pairs: np.ndarray, axis: int) -> np.ndarray:
    assert axis == -1
    scores = []
    for one in "abc":
        expected, took = np.char.startswith(pairs, one), np.char.endswith(pairs, one)
        scores.append(2 * (expected & took).sum(axis=-1) / (expected.sum(axis=-1) + took.sum(axis=-1)))
    mean: np.ndarray = np.mean(scores, axis=0)
    return mean


@pytest.mark.parametrize("classes", [None, ("a", "b", "c")], ids=["those_expected", "fixed"])
def test_f1_has_the_percentile_bootstrap_over_rows_that_scipy_draws(classes: tuple[str, ...] | None) -> None:
    pairs = np.array([f"{e}{t}" for (e, t), count in TAKEN.items() for _ in range(count)])
    peer = bootstrap(
        (pairs,), f1_of, n_resamples=2_000, batch=200, method="percentile", rng=np.random.default_rng(5)
    ).confidence_interval
    found = estimate(MacroF1(TAKEN, classes))
    assert found.value == pytest.approx(float(f1_of(pairs, -1)))
    assert (found.low, found.high) == pytest.approx((peer.low, peer.high), abs=0.01)


@pytest.mark.parametrize(
    "tally",
    [
        Ratio({(1, 1): 40}),
        Ratio({(0, 2): 40}),
        Ratio({(1, 2): 1}),
        MacroF1({("a", "a"): 40}),
        MacroF1({("a", "b"): 40}),
    ],
    ids=["all_right", "all_wrong", "one_row", "f1_1", "f1_0"],
)
def test_where_every_resample_comes_to_the_same_the_interval_is_wilson_s(tally: Ratio | MacroF1) -> None:
    found = estimate(tally)
    assert found.value is not None and found.low is not None and found.high is not None
    assert (found.low, found.high) == pytest.approx(wilson(found.value * tally.n, tally.n), abs=1e-9)
    assert found.high - found.low > 0.05, "no sample of this size is sure"


def test_a_mean_over_one_category_has_the_interval_of_that_category() -> None:
    one = Proportion(7, 30)
    assert estimate(CategoryMean({"a": one})) == estimate(one)


def test_the_interval_of_a_mean_over_categories_holds_the_truth_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(3)
    sizes, truth = np.array([4, 16, 24, 267]), np.array([0.9, 0.6, 0.75, 0.7])
    held = 0
    for _ in range(1_000):
        right = rng.binomial(sizes, truth)
        shares = {str(n): Proportion(int(r), int(n)) for r, n in zip(right, sizes, strict=True)}
        found = estimate(CategoryMean(shares))
        assert found.low is not None and found.high is not None
        held += found.low <= truth.mean() <= found.high
    assert 0.93 <= held / 1_000 <= 0.995


def test_an_interval_is_the_same_each_time() -> None:
    assert estimate(Ratio(CALLS)) == estimate(Ratio(CALLS))


def test_nothing_has_no_value_and_no_interval() -> None:
    for tally in (Proportion(0, 0), Ratio({}), MacroF1({}), CategoryMean({})):
        nothing = estimate(tally)
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


def test_rows_on_which_the_variants_never_differ_have_an_interval_all_the_same() -> None:
    found = compare_paired([True] * 150 + [False] * 150, [True] * 150 + [False] * 150)
    assert (found.difference, found.p, found.discordance) == (0.0, 1.0, 0.0)
    # The rule of three: what was not seen in n rows may still happen in 3 of n.
    assert (found.low, found.high) == pytest.approx((-3 / 300, 3 / 300), abs=0.001)


def test_unequal_lengths_are_an_error() -> None:
    with pytest.raises(ValueError, match="zip"):
        compare_paired([True], [])


CLASSES = ("a", "b", "c", "d")


@pytest.mark.parametrize(
    ("rows", "classes", "value", "greatest", "why"),
    [
        ({("a", "a"): 20, ("b", "b"): 20, ("c", "c"): 20}, CLASSES, 0.75, 0.75, "no row expects d"),
        ({("a", "a"): 60}, CLASSES, 0.25, 0.25, "one class of four"),
        ({(one, one): 15 for one in CLASSES}, CLASSES, 1.0, 1.0, "all four"),
        ({("a", "a"): 30, ("b", "b"): 30}, None, 1.0, 1.0, "the expected classes alone"),
        ({("a", "d"): 60}, CLASSES, 0.0, 0.25, "all wrong"),
    ],
    ids=["three_of_four", "one_of_four", "four", "expected", "wrong"],
)
def test_f1_without_spread_has_no_interval_past_what_is_possible(
    rows: dict[tuple[str, str], int], classes: tuple[str, ...] | None, value: float, greatest: float, why: str
) -> None:
    found = estimate(MacroF1(rows, classes))
    low, high = wilson(60 * value / greatest, 60)
    assert found.value == pytest.approx(value)
    assert (found.low, found.high) == pytest.approx((low * greatest, high * greatest)), why
    assert found.high is not None and found.high <= greatest + 1e-12, why


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
