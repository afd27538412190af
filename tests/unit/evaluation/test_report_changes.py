"""Changes: what a stage mended and broke, against the comparison's own difference."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.pairs import outcome_of
from evaluation.report.changes import MADE_FROM, Changes, changes_of
from evaluation.suites import SUITES
from evaluation.toolcalls.score import Score
from tests.unit.evaluation.comparisons import RIGHT, UNSCORED, comparison_of, wrong
from tests.unit.evaluation.rows import text_row

MISSING, EXTRA = wrong("missing_call"), wrong("extra_call")


def changes(a: list[Score | None], b: list[Score | None]) -> Changes:
    rows = [text_row("request_for_info", str(number)) for number in range(len(a))]
    (one,) = changes_of(comparison_of({"own": rows}, {"own": {"sft": a, "base": b}}))
    return one


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        pytest.param(RIGHT, MISSING, ({"missing_call": 1}, {}, 0, 0, 0), id="mended-by-the-former-reason"),
        pytest.param(EXTRA, RIGHT, ({}, {"extra_call": 1}, 0, 0, 0), id="broken-by-the-new-reason"),
        pytest.param(RIGHT, RIGHT, ({}, {}, 1, 0, 0), id="right-in-both"),
        pytest.param(EXTRA, MISSING, ({}, {}, 0, 1, 0), id="wrong-in-both-for-two-reasons"),
        pytest.param(wrong("wrong_value", 0.9), MISSING, ({}, {}, 0, 1, 0), id="nearer-is-still-wrong"),
        pytest.param(RIGHT, UNSCORED, ({}, {}, 0, 0, 1), id="unscored-before"),
        pytest.param(None, RIGHT, ({}, {}, 0, 0, 1), id="no-score-after"),
    ],
)
def test_a_row_is_mended_broken_or_neither(
    a: Score | None, b: Score | None, expected: tuple[dict[str, int], dict[str, int], int, int, int]
) -> None:
    one = changes([a], [b])
    assert (one.mended, one.broken, one.both_right, one.both_wrong, one.unscored) == expected


def test_reasons_are_listed_the_commonest_first() -> None:
    one = changes([RIGHT] * 5, [MISSING, EXTRA, EXTRA, MISSING, EXTRA])
    assert list(one.mended.items()) == [("extra_call", 3), ("missing_call", 2)]


def test_right_is_what_the_suites_main_metric_counts() -> None:
    # The right decision with a wrong value is right for a suite that asks for the decision alone.
    right_decision = Score(0.7, "wrong_value", {"decision": 1.0, "values": 0.0}, "tool_call")
    row = text_row("request_for_info", "r1")

    def is_right(suite: str, score: Score | None) -> bool | None:
        return outcome_of(row, score, SUITES[suite].main_metric)

    assert is_right("when2call_generate", right_decision) is True
    assert is_right("own", right_decision) is False
    assert is_right("own", UNSCORED) is None
    assert is_right("own", None) is None
    assert is_right("when2call_mcq", right_decision) is None, "no multiple choice was made"


@pytest.mark.parametrize(
    ("variants", "steps"),
    [
        pytest.param(["base"], [], id="one-alone"),
        pytest.param(["sft-dpo", "base"], [], id="its-stage-before-is-absent"),
        pytest.param(["base", "sft", "sft-dpo"], [("sft", "base"), ("sft-dpo", "sft")], id="a-chain"),
        pytest.param(["dpo", "prompt", "base"], [("prompt", "base"), ("dpo", "base")], id="from-base"),
        pytest.param(["base", "mine"], [], id="of-unknown-make"),
        pytest.param(["base", *MADE_FROM], list(MADE_FROM.items()), id="all"),
    ],
)
def test_each_variant_is_held_against_what_it_was_made_from(
    variants: list[str], steps: list[tuple[str, str]]
) -> None:
    rows = {"own": [text_row("cannot_answer")]}
    comparison = comparison_of(rows, {"own": {variant: [RIGHT] for variant in variants}})
    assert [(one.a, one.b) for one in changes_of(comparison)] == steps


SCORES = st.sampled_from([RIGHT, MISSING, EXTRA, UNSCORED, None])


@given(st.lists(st.tuples(SCORES, SCORES), min_size=1, max_size=30))
@settings(max_examples=60, deadline=None)
def test_every_row_is_counted_once_and_the_sum_is_the_paired_difference(
    scores: list[tuple[Score | None, Score | None]],
) -> None:
    rows = [text_row("request_for_info", str(number)) for number in range(len(scores))]
    a, b = ([pair[end] for pair in scores] for end in (0, 1))
    comparison = comparison_of({"own": rows}, {"own": {"sft": a, "base": b}})
    (one,) = changes_of(comparison)
    mended, broken = sum(one.mended.values()), sum(one.broken.values())
    scored = mended + broken + one.both_right + one.both_wrong
    assert scored + one.unscored == len(rows)
    paired = comparison.pairs[0].result
    assert paired.n == scored
    if scored:
        assert paired.difference == pytest.approx((mended - broken) / scored)
