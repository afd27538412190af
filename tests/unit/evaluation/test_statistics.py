"""Intervals of single figures: against closed forms, against scipy, and by simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import bootstrap

from evaluation.statistics import RESAMPLES, Estimate, estimate
from evaluation.statistics.intervals import effective_rows
from evaluation.toolcalls.metrics import CategoryMean, MacroF1, Proportion, Ratio, Tally


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


CLASSES = ("a", "b", "c", "d")


@pytest.mark.parametrize(
    ("rows", "classes", "value", "greatest", "why"),
    [
        ({("a", "a"): 20, ("b", "b"): 20, ("c", "c"): 20}, CLASSES, 0.75, 0.75, "no row expects d"),
        ({("a", "a"): 60}, CLASSES, 0.25, 0.25, "one class of four"),
        ({(one, one): 15 for one in CLASSES}, CLASSES, 1.0, 1.0, "all four"),
        ({("a", "a"): 30, ("b", "b"): 30}, None, 1.0, 1.0, "the expected classes alone"),
        ({("a", "d"): 60}, CLASSES, 0.0, 0.25, "all wrong"),
        ({("a", "a"): 30, ("b", "b"): 25, ("c", "c"): 5}, CLASSES, 0.75, 0.75, "some resamples lack c"),
    ],
    ids=["three_of_four", "one_of_four", "four", "expected", "wrong", "rare"],
)
def test_f1_without_spread_has_no_interval_past_what_is_possible(
    rows: dict[tuple[str, str], int], classes: tuple[str, ...] | None, value: float, greatest: float, why: str
) -> None:
    found = estimate(MacroF1(rows, classes))
    low, high = wilson(60 * value / greatest, 60)
    assert found.value == pytest.approx(value)
    assert (found.low, found.high) == pytest.approx((low * greatest, high * greatest)), why
    assert found.high is not None and found.high <= greatest + 1e-12, why


SHARES = st.lists(
    st.integers(1, 6).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), min_size=1, max_size=40
)


@settings(max_examples=200, deadline=None)
@given(SHARES)
def test_turns_of_conversations_count_for_no_more_than_rows(pairs: list[tuple[int, int]]) -> None:
    shares = [Proportion(*pair) for pair in pairs]
    whole = Proportion(sum(one.successes for one in shares), sum(one.n for one in shares))
    found, alone = estimate(whole, shares), estimate(whole)
    assert 1 <= effective_rows(shares) <= whole.n
    assert (found.value, found.n) == (alone.value, whole.n), "n counts rows all the same"
    for one in (found, alone):
        assert one.low is not None and one.high is not None and one.value is not None
        assert 0 <= one.low <= one.value <= one.high <= 1
    assert found.high is not None and found.low is not None and alone.high is not None
    assert found.high - found.low >= alone.high - (alone.low or 0.0) - 1e-9


@pytest.mark.parametrize(
    ("shares", "effective", "why"),
    [
        ([(1, 1)] * 20 + [(0, 1)] * 10, 30, "conversations of one turn are rows"),
        ([(4, 4)] * 10, 10, "all right: each conversation counts once"),
        ([(0, 4)] * 10, 10, "all wrong"),
        ([(400, 400)] + [(1, 1)] * 9, 409**2 / 160_009, "all right, one long: it is about all there is"),
        ([(400, 400)] + [(1, 1)] * 9 + [(0, 1)], 1, "an error in a short one tells nothing of the long one"),
        ([(2, 5)], 1, "one conversation is one observation"),
        ([(0, 0), (1, 1), (0, 1)], 2, "a conversation without rows counts for nothing"),
        ([(0, 0), (0, 0)], 0, "nor do several"),
        ([], 0, "no conversation"),
    ],
    ids=[
        "single_turns",
        "right",
        "wrong",
        "long",
        "long_and_error",
        "one",
        "empty",
        "all_empty",
        "none",
    ],
)
def test_effective_rows_where_they_can_be_told_by_hand(
    shares: list[tuple[int, int]], effective: float, why: str
) -> None:
    assert effective_rows([Proportion(*one) for one in shares]) == pytest.approx(effective), why


def test_conversations_without_rows_leave_the_rows_as_they_are() -> None:
    whole = Proportion(3, 5)
    assert estimate(whole, [Proportion(0, 0)]) == estimate(whole)


def test_conversations_that_are_right_or_wrong_as_a_whole_count_about_once_each() -> None:
    shares = [Proportion(4, 4)] * 150 + [Proportion(0, 4)] * 50
    assert effective_rows(shares) == pytest.approx(200, rel=0.02), "less what t takes for 200 of them"


@pytest.mark.parametrize("alike", [False, True], ids=["independent", "alike"])
def test_the_interval_over_conversations_holds_the_truth_about_as_often_as_it_says(alike: bool) -> None:
    rng, held, as_rows = np.random.default_rng(7), 0, 0
    for _ in range(600):
        sizes = rng.integers(1, 7, size=40)
        of_each = rng.beta(1.4, 0.6, size=40) if alike else np.full(40, 0.7)
        shares = [Proportion(int(rng.binomial(n, p)), int(n)) for n, p in zip(sizes, of_each, strict=True)]
        whole = Proportion(sum(one.successes for one in shares), int(sizes.sum()))
        held += holds(estimate(whole, shares), 0.7)
        as_rows += holds(estimate(whole), 0.7)
    # 95% of 600 is 570 with a standard deviation of 5.3; a chance of one in 10,000 is 550.
    assert held >= 545
    assert (as_rows < 540) == alike, "rows taken for independent are too sure of themselves"


def test_over_conversations_of_very_unequal_length_a_share_is_not_too_sure_of_itself() -> None:
    rng, held = np.random.default_rng(7), 0
    for _ in range(400):
        sizes = np.where(rng.random(15) < 0.1, 40, 2)
        shares = [
            Proportion(int(rng.binomial(n, p)), int(n))
            for n, p in zip(sizes, rng.beta(1.17, 1.17, 15), strict=True)
        ]
        held += holds(
            estimate(Proportion(sum(one.successes for one in shares), int(sizes.sum())), shares), 0.5
        )
    # With the degrees of freedom of 15 conversations it is 340, and 95% would be 380.
    assert held >= 370


def holds(found: Estimate, truth: float) -> bool:
    assert found.low is not None and found.high is not None
    return found.low <= truth <= found.high


@pytest.mark.parametrize(
    ("whole", "turns", "why"),
    [
        (Ratio(CALLS), [Ratio({pair: 1}) for pair, n in CALLS.items() for _ in range(n)], "ratio"),
        (MacroF1(TAKEN), [MacroF1({pair: 1}) for pair, n in TAKEN.items() for _ in range(n)], "f1"),
        (
            CategoryMean({"a": Proportion(7, 30)}),
            [CategoryMean({"a": Proportion(n < 7, 1)}) for n in range(30)],
            "mean",
        ),
    ],
    ids=["ratio", "f1", "mean"],
)
def test_conversations_of_one_turn_are_the_rows(whole: Tally, turns: list[Tally], why: str) -> None:
    assert estimate(whole, turns) == estimate(whole), why


@pytest.mark.parametrize(
    ("whole", "talk", "count"),
    [
        (Ratio({(1, 1): 400, (0, 1): 400}), [Ratio({(1, 1): 4}), Ratio({(0, 1): 4})], 100),
        (
            MacroF1({("a", "a"): 300, ("b", "b"): 300, ("a", "b"): 100, ("b", "a"): 100}),
            [MacroF1({("a", "a"): 3, ("b", "b"): 3}), MacroF1({("a", "b"): 1, ("b", "a"): 1})],
            100,
        ),
    ],
    ids=["ratio", "f1"],
)
def test_the_bootstrap_draws_conversations(whole: Tally, talk: list[Tally], count: int) -> None:
    together, alone = estimate(whole, talk * count), estimate(whole)
    widths = [(one.high or 0.0) - (one.low or 0.0) for one in (together, alone)]
    assert together.value == alone.value
    assert widths[0] > 1.3 * widths[1]


def test_a_ratio_over_conversations_that_are_all_alike_is_as_sure_as_their_number() -> None:
    found = estimate(Ratio({(2, 2): 40}), [Ratio({(2, 2): 4})] * 10)
    assert (found.low, found.high) == pytest.approx(wilson(10, 10), abs=1e-9)
