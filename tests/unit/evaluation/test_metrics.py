"""The counts behind every figure: hand-worked tables, scikit-learn, and what must hold for any scores."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score  # type: ignore[import-untyped]

from evaluation.figures import FIGURES, RECALLS
from evaluation.statistics import estimate
from evaluation.toolcalls import parse_completion, score_completion
from evaluation.toolcalls.decision import DECISIONS, MALFORMED
from evaluation.toolcalls.metrics import (
    Graded,
    MacroF1,
    Proportion,
    Ratio,
    graded_of,
    recall_by_decision,
    row_share,
)
from evaluation.toolcalls.score import Score
from evaluation.toolcalls.values import BFCL_RULES
from tests.unit.evaluation.rows import ANSWERS, call_row, hermes, text_row

PARIS = ("get_weather", {"city": "Paris"})
WARM = ("get_weather", {"city": "Paris", "unit": "celsius"})
TIMER = ("set_timer", {"minutes": 5})
UNSCORED = Score(None, error="lost")


def said(row: dict[str, Any], *calls: tuple[str, Any], text: str = "") -> Graded:
    """What a completion of these calls, or of this text, is graded as."""
    completion = "\n".join(hermes(*call) for call in calls) or text
    return graded_of(row, score_completion(parse_completion(completion, "hermes"), row))


def value_of(name: str, graded: list[Graded]) -> float | None:
    return FIGURES[name].tally(graded).value


ASKS = ANSWERS["request_for_info"]
DECLINES = ANSWERS["cannot_answer"]
ONE = call_row(PARIS)
TWO = call_row(WARM, TIMER)
ORDERED = call_row(PARIS, TIMER, ordered=True)
IRRELEVANT = {**text_row("cannot_answer"), "expected": {"decision": "cannot_answer", "calls": []}}
NO_TOOLS = {**text_row("cannot_answer"), "tools": "[ ]"}

# One suite, worked out by hand: what was said to each row, and what it adds to the sums.
#                                              calls  expected  tools right  arguments  expected  right
SUITE = [
    said(ONE, PARIS),  #                           1         1            1          1         1      1
    said(ONE, TIMER),  #                           1         1            0          1         1      0
    said(ONE, text=ASKS),  #                       0         1            0          0         1      0
    said(ONE, text="<tool_call>{"),  #             0         1            0          0         1      0
    said(TWO, WARM),  #                            1         2            1          2         3      2
    said(TWO, PARIS, ("fly", {})),  #              2         2            1          1         3      1
    said(ORDERED, PARIS, TIMER),  #                2         2            2          2         2      2
    said(ORDERED, TIMER, PARIS),  #                2         2            2          2         2      2
    said(ORDERED, text=DECLINES),  #               0         2            0          0         2      0
    said(text_row("request_for_info"), PARIS),  #  1         0            0          1         0      0
    said(text_row("request_for_info"), text=ASKS),
    said(IRRELEVANT, text="It is sunny."),
    said(NO_TOOLS, ("fly", {"to": 5})),  #         1         0            0          1         0      0
    said(NO_TOOLS, text="<tool_call>{"),
    Graded("tool_call", UNSCORED),
]


@pytest.mark.parametrize(
    ("name", "part", "whole", "why"),
    [
        ("accuracy", 4, 14, "the first row, the ordered one in order, the question, the irrelevant one"),
        ("decision_accuracy", 8, 14, "six calls where calls were due, one question, any text"),
        ("tool_hallucination_rate", 1, 2, "of two rows without tools one calls; malformed is no call"),
        ("irrelevance_accuracy", 1, 3, "a malformed call is no refusal"),
        ("over_call_rate", 2, 5, "two of five that expect none"),
        ("under_call_rate", 2, 9, "asked once and declined once; malformed apart"),
        ("malformed_rate", 2, 14, "two"),
        ("ast_accuracy", 2, 9, "of the rows that expect calls"),
        ("tool_selection_precision", 7, 11, "right tools of calls made"),
        ("tool_selection_recall", 7, 14, "right tools of calls expected"),
        ("invented_tool_rate", 2, 11, "fly, twice"),
        ("argument_precision", 8, 11, "right arguments of those written"),
        ("argument_recall", 8, 16, "right arguments of those expected"),
        ("argument_f1", 16, 27, "2PR / (P + R) of the two above"),
        ("order_accuracy", 1, 3, "declining is no order"),
        ("schema_validity", 9, 11, "all but fly"),
        ("ast_accuracy_overall", 2, 9, "one category: its accuracy"),
        ("relevance_accuracy", None, None, "no such row"),
        ("acc", None, None, "no multiple choice"),
    ],
)
def test_the_suite_comes_to_what_a_hand_counts(
    name: str, part: int | None, whole: int | None, why: str
) -> None:
    expected = None if part is None or whole is None else pytest.approx(part / whole)
    assert value_of(name, SUITE) == expected, why


def test_f1_is_the_harmonic_mean_of_its_precision_and_recall() -> None:
    p, r = value_of("argument_precision", SUITE), value_of("argument_recall", SUITE)
    assert p is not None and r is not None
    assert value_of("argument_f1", SUITE) == pytest.approx(2 * p * r / (p + r))


decisions = st.sampled_from(DECISIONS)
taken = st.sampled_from((*DECISIONS, MALFORMED))


def decided(expected: str, took: str) -> Graded:
    right = float(expected == took)
    return Graded(expected, Score(right, "correct", {"decision": right}, took))


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(decisions, taken), min_size=1, max_size=40))
def test_macro_f1_is_scikit_learn_s(pairs: list[tuple[str, str]]) -> None:
    graded = [decided(*pair) for pair in pairs]
    expected, took = [e for e, _ in pairs], [t for _, t in pairs]
    for name, labels in (("macro_f1", sorted(set(expected))), ("macro_f1_all", list(DECISIONS))):
        peer = f1_score(expected, took, labels=labels, average="macro", zero_division=0)
        assert value_of(name, graded) == pytest.approx(peer), name


def test_four_classes_of_which_one_is_never_expected_top_out_at_three_quarters() -> None:
    graded = [decided(one, one) for one in ("tool_call", "request_for_info", "cannot_answer")]
    assert (value_of("macro_f1", graded), value_of("macro_f1_all", graded)) == (1.0, 0.75)


def test_a_malformed_call_is_a_refusal_only_where_it_is_graded_as_one() -> None:
    malformed = score_completion(parse_completion("<tool_call>{", "hermes"), IRRELEVANT)
    as_bfcl = score_completion(parse_completion("<tool_call>{", "hermes"), IRRELEVANT, rules=BFCL_RULES)
    for score, accurate in ((malformed, 0.0), (as_bfcl, 1.0)):
        assert value_of("irrelevance_accuracy", [graded_of(IRRELEVANT, score)]) == accurate


def test_any_text_counts_as_the_refusal_where_any_text_will_do() -> None:
    assert value_of("macro_f1", [said(IRRELEVANT, text="It is sunny.")]) == 1.0


def test_the_mean_over_categories_weighs_a_small_one_as_much_as_a_large_one() -> None:
    rows = [{**ONE, "source": "large"}] * 9 + [{**ONE, "source": "small"}]
    graded = [said(row, PARIS) for row in rows[:9]] + [said(rows[9], TIMER)]
    assert value_of("ast_accuracy", graded) == pytest.approx(0.9)
    assert value_of("ast_accuracy_overall", graded) == pytest.approx(0.5)


def test_rows_for_which_any_call_will_do_count_as_relevance_and_not_as_ast() -> None:
    score = Score(1.0, "correct", {"decision": 1.0}, "tool_call", counts=SUITE[0].score.counts)
    graded = [Graded("tool_call", score, names_calls=False)]
    assert value_of("relevance_accuracy", graded) == 1.0
    for name in ("ast_accuracy", "ast_accuracy_overall", "tool_selection_precision", "argument_recall"):
        assert value_of(name, graded) is None, name


@pytest.mark.parametrize("name", FIGURES)
def test_nothing_scored_is_no_figure(name: str) -> None:
    assert value_of(name, []) is None
    assert value_of(name, [Graded("tool_call", UNSCORED)]) is None


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(SUITE), max_size=30), st.randoms(use_true_random=False))
def test_order_and_unscored_rows_change_no_figure_and_all_lie_within_their_interval(
    graded: list[Graded], rng: random.Random
) -> None:
    shuffled = [*graded, *[Graded("cannot_answer", UNSCORED, offers_tools=False)] * 3]
    rng.shuffle(shuffled)
    for name, figure in FIGURES.items():
        one = figure.tally(graded)
        assert figure.tally(shuffled) == one, name
        assert one.value is None or 0 <= one.value <= 1, name
        assert (one.value is None) == (one.n == 0), name


@settings(max_examples=10, deadline=None)
@given(st.lists(st.sampled_from(SUITE), min_size=1, max_size=30))
def test_every_interval_holds_its_value_and_lies_between_0_and_1(graded: list[Graded]) -> None:
    for name, figure in FIGURES.items():
        found = estimate(figure.tally(graded))
        if found.value is not None and found.low is not None and found.high is not None:
            assert 0 <= found.low <= found.value <= found.high <= 1, name


def test_a_tally_knows_how_many_rows_it_rests_on() -> None:
    assert FIGURES["tool_selection_precision"].tally(SUITE).n == 8, "rows with a call"
    assert FIGURES["tool_selection_recall"].tally(SUITE).n == 9, "rows that expect one"
    assert (Ratio({}).n, MacroF1({}).n) == (0, 0)


def test_recall_row_by_row_is_the_grader_s() -> None:
    assert {name: row_share(SUITE, one) for name, one in RECALLS.items()} == recall_by_decision(SUITE)


@pytest.mark.parametrize("name", FIGURES)
def test_what_is_a_share_of_rows_has_an_outcome_for_each(name: str) -> None:
    figure = FIGURES[name]
    found = figure.tally(SUITE)
    if figure.outcome is None:
        assert not isinstance(found, Proportion) or name == "conversation_accuracy"
        return
    outcomes = [figure.outcome(one) for one in SUITE if one.score.value is not None]
    assert found == Proportion(outcomes.count(True), len(outcomes) - outcomes.count(None))
