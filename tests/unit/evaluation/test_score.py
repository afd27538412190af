"""Scores: one reason for every kind of fault, values in [0, 1], and nothing unscored counted as zero."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.toolcalls import REASONS, parse_completion, reward, score_completion
from evaluation.toolcalls.decision import decision_of_text
from evaluation.toolcalls.rewards import Generated
from evaluation.toolcalls.score import Score
from evaluation.toolcalls.suite import record_of, score_of
from evaluation.toolcalls.values import BFCL_RULES
from tests.unit.evaluation.rows import ANSWERS, call_row, hermes, text_row

PARIS = ("get_weather", {"city": "Paris"})
ROME = ("get_weather", {"city": "Rome"})
TIMER = ("set_timer", {"minutes": 5})
ASK, DECLINE, ANSWER = ANSWERS["request_for_info"], ANSWERS["cannot_answer"], ANSWERS["direct"]


def said(*calls: tuple[str, Any]) -> str:
    return "\n".join(hermes(name, arguments) for name, arguments in calls)


def grade(text: str, row: dict[str, Any]) -> Score:
    return score_completion(parse_completion(text, "hermes"), row)


MUTATIONS = [
    (said(PARIS), call_row(PARIS), "correct", "the gold call"),
    (said(TIMER, PARIS), call_row(PARIS, TIMER), "correct", "order is free unless the row says otherwise"),
    (said(TIMER), call_row(PARIS), "wrong_tool", "another tool of the list"),
    (said(("weather", {})), call_row(PARIS), "invented_tool", "a tool that is not there"),
    (said(PARIS, ("weather", {})), call_row(PARIS), "invented_tool", "or one beside the right call"),
    (said(PARIS), call_row(PARIS, ROME), "missing_call", "one of two"),
    (said(PARIS, TIMER), call_row(PARIS), "extra_call", "one too many"),
    (said(PARIS, PARIS), call_row(PARIS), "duplicate_call", "the same twice"),
    (said(TIMER, PARIS), call_row(PARIS, TIMER, ordered=True), "wrong_order", "the row says in order"),
    (said(("get_weather", {})), call_row(PARIS), "missing_argument", "no city"),
    (
        said(("get_weather", {"city": "Paris", "days": 3})),
        call_row(PARIS),
        "extra_argument",
        "days were not asked for",
    ),
    (said(ROME), call_row(PARIS), "wrong_value", "another city"),
    (said(("get_weather", {"city": 7})), call_row(PARIS), "wrong_type", "a number for a city"),
    (
        said(("get_weather", {"city": "Paris", "unit": "kelvin"})),
        call_row(("get_weather", {"city": "Paris", "unit": "celsius"})),
        "schema_violation",
        "not one of the enum",
    ),
    ("<tool_call>{", call_row(PARIS), "malformed_call", "cut off"),
    ("", text_row("cannot_answer"), "malformed_call", "saying nothing declines nothing"),
    (ASK, call_row(PARIS), "ask_when_should_call", "all was given"),
    (DECLINE, call_row(PARIS), "decline_when_should_call", "there is a tool for it"),
    (ANSWER, call_row(PARIS), "missing_call", "made up instead of looked up"),
    (said(PARIS), text_row("request_for_info"), "call_when_should_ask", "the city was made up"),
    (said(PARIS), text_row("cannot_answer"), "call_when_should_decline", "no tool fits"),
    (DECLINE, text_row("request_for_info"), "decline_when_should_ask", "asking would have helped"),
    (ASK, text_row("cannot_answer"), "ask_when_should_decline", "asking does not help"),
    (ANSWER, text_row("request_for_info"), "answer_when_should_not", "made up"),
    (ANSWER, text_row("cannot_answer"), "answer_when_should_not", "made up"),
    (ASK, text_row("request_for_info"), "correct", "the gold text"),
    (DECLINE, text_row("cannot_answer"), "correct", "the gold text"),
    (ANSWER, text_row("direct"), "correct", "the gold text"),
    (said(PARIS), text_row("direct"), "extra_call", "no call was needed"),
]


@pytest.mark.parametrize(("text", "row", "reason", "why"), MUTATIONS)
def test_each_fault_gets_its_own_reason(text: str, row: dict[str, Any], reason: str, why: str) -> None:
    score = grade(text, row)
    assert score.reason == reason, why
    assert score.is_correct == (reason == "correct"), why
    assert score.value is not None
    assert 0 <= score.value <= 1


def test_the_table_gives_every_reason_of_the_closed_list() -> None:
    assert {reason for _, _, reason, _ in MUTATIONS} == set(REASONS)


NAMES = ("calls", "expected_calls", "right_tools", "invented_tools", "valid_calls")
ARGUMENT_NAMES = ("arguments", "expected_arguments", "right_arguments", "named_arguments")
COUNTS = [
    (said(PARIS), call_row(PARIS), (1, 1, 1, 0, 1), (1, 1, 1, 1), "the gold call"),
    (said(ROME), call_row(PARIS), (1, 1, 1, 0, 1), (1, 1, 0, 1), "named, not right"),
    (said(("get_weather", {})), call_row(PARIS), (1, 1, 1, 0, 0), (0, 1, 0, 0), "expected, not written"),
    (said(("f", {"x": 1})), call_row(PARIS), (1, 1, 0, 1, 0), (1, 1, 0, 0), "nothing of it was expected"),
    (said(TIMER, PARIS), call_row(PARIS), (2, 1, 1, 0, 2), (2, 1, 1, 1), "one call too many"),
    (said(PARIS), call_row(PARIS, TIMER), (1, 2, 1, 0, 1), (1, 2, 1, 1), "one call too few"),
    (said(PARIS, PARIS), call_row(PARIS), (2, 1, 1, 0, 2), (2, 1, 1, 1), "one to one"),
    (
        said(("get_weather", {"city": "Paris", "days": 1})),
        call_row(PARIS),
        (1, 1, 1, 0, 1),
        (2, 2, 2, 2),
        "a written default is right, and then it was expected",
    ),
    (
        said(("get_weather", {"city": "Paris", "days": 2})),
        call_row(PARIS),
        (1, 1, 1, 0, 1),
        (2, 1, 1, 1),
        "an argument that was not asked for",
    ),
    (ASK, call_row(PARIS), (0, 1, 0, 0, 0), (0, 1, 0, 0), "no call where one was expected"),
    ("<tool_call>{", call_row(PARIS), (0, 1, 0, 0, 0), (0, 1, 0, 0), "a malformed call is none"),
    (said(PARIS), text_row("cannot_answer"), (1, 0, 0, 0, 1), (1, 0, 0, 0), "a call where none was expected"),
]


@pytest.mark.parametrize(("text", "row", "calls", "arguments", "why"), COUNTS)
def test_calls_and_arguments_are_counted(
    text: str, row: dict[str, Any], calls: Any, arguments: Any, why: str
) -> None:
    expected = {**dict(zip(NAMES, calls, strict=True)), **dict(zip(ARGUMENT_NAMES, arguments, strict=True))}
    assert grade(text, row).counts == expected, why


def test_an_optional_argument_is_expected_where_it_is_written() -> None:
    row = call_row(allowed='[{"get_weather": {"city": ["Paris"], "unit": ["celsius", ""]}}]')
    short = grade(said(PARIS), row).counts
    full = grade(said(("get_weather", {"city": "Paris", "unit": "celsius"})), row).counts
    assert (short["expected_arguments"], full["expected_arguments"]) == (1, 2)
    assert full["right_arguments"] == 2


@pytest.mark.parametrize("text", [ASK, "<tool_call>{"], ids=["text", "malformed"])
def test_where_no_call_is_expected_or_made_nothing_is_counted(text: str) -> None:
    assert grade(text, text_row("request_for_info")).counts == {}
    assert "counts" not in record_of("r1", grade(text, text_row("request_for_info")))


@pytest.mark.parametrize("text", [said(PARIS), said(ROME), ASK])
def test_a_record_holds_all_of_a_score(text: str) -> None:
    score = grade(text, call_row(PARIS))
    assert score_of(json.loads(json.dumps(record_of("r1", score)))) == score


def test_a_predicted_call_satisfies_at_most_one_expected_call() -> None:
    score = grade(said(PARIS), call_row(PARIS, PARIS))
    assert score.reason == "missing_call"
    assert score.parts["tool"] == 0.5


def test_possible_answers_are_accepted_and_optional_arguments_may_lack() -> None:
    allowed = json.dumps([{"get_weather": {"city": ["Paris", "Lutetia"], "unit": ["celsius", ""]}}])
    row = call_row(allowed=allowed)
    assert grade(said(("get_weather", {"city": "lutetia"})), row).is_correct
    assert grade(said(("get_weather", {"city": "Paris", "unit": "celsius"})), row).is_correct
    assert grade(said(("get_weather", {"city": "Paris", "unit": "fahrenheit"})), row).reason == "wrong_value"
    assert grade(said(("get_weather", {})), row).reason == "missing_argument"


def test_possible_answers_need_the_best_assignment() -> None:
    either, only = [{"get_weather": {"city": ["Paris", "Rome"]}}, {"get_weather": {"city": ["Paris"]}}]
    assert grade(said(PARIS, ROME), call_row(allowed=json.dumps([either, only]))).is_correct


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from([PARIS, ROME, TIMER]), min_size=1, max_size=6))
def test_ordered_calls_in_their_order_are_right_even_where_some_are_alike(calls: Any) -> None:
    assert grade(said(*calls), call_row(*calls, ordered=True)).is_correct
    is_same = calls == calls[::-1]
    turned = grade(said(*calls[::-1]), call_row(*calls, ordered=True))
    assert turned.is_correct is is_same
    assert is_same or turned.reason == "wrong_order"


def test_ordered_calls_with_alternatives_are_right_if_one_reading_is_in_order() -> None:
    either, only = [{"get_weather": {"city": ["Paris", "Rome"]}}, {"get_weather": {"city": ["Paris"]}}]
    row = call_row(allowed=json.dumps([either, only, either]), ordered=True)
    assert grade(said(PARIS, PARIS, PARIS), row).is_correct
    assert grade(said(ROME, PARIS, PARIS), row).is_correct
    assert grade(said(PARIS, ROME, PARIS), row).reason == "wrong_order"


def test_a_row_that_declines_without_a_text_only_forbids_calls() -> None:
    row = text_row("cannot_answer")
    row["expected"]["text"] = None
    assert all(grade(text, row).is_correct for text in (ASK, DECLINE, ANSWER))
    assert grade(said(PARIS), row).reason == "call_when_should_decline"
    assert not grade("", row).is_correct


def test_bfcl_rules_hold_types_strictly() -> None:
    row = call_row(("set_timer", {"minutes": 5}))
    row["tools"] = row["tools"].replace('"number"', '"integer"')
    parsed = parse_completion(said(("set_timer", {"minutes": 5.0})), "hermes")
    assert score_completion(parsed, row).is_correct
    assert not score_completion(parsed, row, rules=BFCL_RULES).is_correct


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"expected": None}, "expected.decision"),
        ({"expected": {"decision": "shout"}}, "expected.decision"),
        ({"expected": {"decision": "tool_call", "calls": []}}, "expected.calls"),
        ({"expected": {"decision": "direct", "calls": [{"name": "f", "arguments": "{}"}]}}, "expected.calls"),
        ({"expected": {"decision": "tool_call", "calls": [{"arguments": "{}"}]}}, "expected.calls"),
        ({"expected": {"decision": "tool_call", "allowed": "["}}, "expected.allowed"),
        ({"expected": {"decision": "tool_call", "allowed": '[{"f": 1}]'}}, "expected.allowed"),
        ({"tools": "{"}, "tools"),
    ],
)
def test_a_row_that_cannot_be_graded_is_unscored_and_says_which_field(change: Any, named: str) -> None:
    score = grade(said(PARIS), {**call_row(PARIS), **change})
    assert score.value is None
    assert score.reason is None
    assert named in str(score.error)


@pytest.mark.parametrize(
    ("better", "worse", "why"),
    [
        (said(PARIS), said(ROME), "a right value beats a wrong one"),
        (said(ROME), said(("get_weather", {})), "a wrong value beats none"),
        (said(ROME), said(TIMER), "the right tool beats another"),
        (said(TIMER), ANSWER, "a call beats none"),
        (said(PARIS), said(PARIS, PARIS), "a duplicate costs"),
        (said(PARIS, PARIS), said(*[PARIS] * 9), "and each further one more"),
    ],
)
def test_rewards_are_graded(better: str, worse: str, why: str) -> None:
    high, low = reward([better, worse], [call_row(PARIS)] * 2)
    assert high is not None and low is not None
    assert high > low, why


def test_rewards_take_weights_and_every_shape_of_completion() -> None:
    row = call_row(PARIS)
    message = {"role": "assistant", "content": said(PARIS)}
    function = {"name": "get_weather", "arguments": '{"city": "Rome"}'}
    calling = {"role": "assistant", "content": None, "tool_calls": [{"function": function}]}
    shapes: list[Generated] = [said(PARIS), message, [message], parse_completion(said(PARIS), "hermes")]
    assert reward(shapes, [row] * 4) == [1.0] * 4
    assert reward([calling], [row], {"values": 1.0}) == [0.0]
    assert reward(["<tool_call>{"], [row]) == [0.0], "malformed is the minimum, never None"
    assert reward(["x"], [{}]) == [None], "only a row that cannot be graded is skipped"
    assert reward([said(ROME)], [row], {"decision": 1.0}) == [0.99], "less than correct pays less"
    with pytest.raises(ValueError, match="'vlaues'"):
        reward([], [], {"vlaues": 1.0})
    with pytest.raises(ValueError, match="negative"):
        reward([], [], {"values": -1.0})


CITIES = ("Paris", "Rome", "Oslo", "Lima")
FAULTS = ("none", "dropped", "renamed", "invented", "value", "type", "missing", "surplus", "enum")
SURPLUS = {
    "offered": ("set_timer", {"minutes": 5}),
    "invented": ("weather", {}),
    "invalid": ("set_timer", {}),
    "repeated": ("get_weather", {"city": "Paris", "unit": "celsius"}),
}
Plan = tuple[tuple[str, ...], tuple[str, ...]]


def _faulty(city: str, fault: str) -> list[tuple[str, Any]]:
    right = {"city": city, "unit": "celsius"}
    faulty: dict[str, list[tuple[str, Any]]] = {
        "none": [("get_weather", right)],
        "dropped": [],
        "renamed": [("set_timer", right)],
        "invented": [("weather", right)],
        "value": [("get_weather", {**right, "city": "Bonn"})],
        "type": [("get_weather", {**right, "city": 7})],
        "missing": [("get_weather", {"unit": "celsius"})],
        "surplus": [("get_weather", {**right, "x": 1})],
        "enum": [("get_weather", {**right, "unit": "kelvin"})],
    }
    return faulty[fault]


def _planned(plan: Plan) -> tuple[list[tuple[str, Any]], dict[str, Any]]:
    """Calls with the planned faults, and the row that they answer."""
    faults, surplus = plan
    cities = CITIES[: len(faults)]
    row = call_row(*[("get_weather", {"city": city, "unit": "celsius"}) for city in cities])
    calls = [call for city, fault in zip(cities, faults, strict=True) for call in _faulty(city, fault)]
    return [*calls, *(SURPLUS[one] for one in surplus)], row


def _graded(plan: Plan) -> Score:
    calls, row = _planned(plan)
    return grade(said(*calls) or ASK, row)


PLANS: st.SearchStrategy[Plan] = st.tuples(
    st.lists(st.sampled_from(FAULTS), min_size=1, max_size=4).map(tuple),
    st.lists(st.sampled_from(list(SURPLUS)), max_size=3).map(tuple),
    # What is repeated has to be there.
).filter(lambda plan: plan[0][0] == "none" or "repeated" not in plan[1])


@settings(max_examples=300, deadline=None)
@given(PLANS)
def test_a_completion_without_a_fault_scores_one_and_no_other_does(plan: Plan) -> None:
    is_right = set(plan[0]) == {"none"} and not plan[1]
    score = _graded(plan)
    assert (score.value == 1.0) is (score.reason == "correct") is is_right


@settings(max_examples=300, deadline=None)
@given(PLANS, st.randoms(use_true_random=False))
def test_the_order_of_calls_says_nothing_unless_the_row_says_so(plan: Plan, chance: Any) -> None:
    calls, row = _planned(plan)
    shuffled = chance.sample(calls, len(calls))
    one, other = grade(said(*calls) or ASK, row), grade(said(*shuffled) or ASK, row)
    assert other.value == pytest.approx(one.value)
    assert (other.reason, other.counts) == (one.reason, one.counts)


@settings(max_examples=400, deadline=None)
@given(PLANS)
def test_mending_a_fault_never_lowers_the_value(plan: Plan) -> None:
    faults, surplus = plan
    before = _graded(plan).value or 0.0
    # Beside a call that is lacking, one that seems too much is taken for it.
    mendable = [n for n, fault in enumerate(faults) if fault != "dropped" or not surplus]
    mended = [((*faults[:n], "none", *faults[n + 1 :]), surplus) for n in mendable]
    if not {"dropped", "renamed", "invented"} & set(faults):
        mended += [(faults, (*surplus[:n], *surplus[n + 1 :])) for n in range(len(surplus))]
    for other in mended:
        assert (_graded(other).value or 0.0) >= before - 1e-9, other


DECISIONS = [
    ("Could you please specify the city?", "request_for_info", "a plain question"),
    ("Apologies for the inconvenience, but could you tell me the city?", "request_for_info", "not a refusal"),
    ("In what city", "request_for_info", "people leave the question mark out"),
    ("To proceed, I'll need your user ID.", "request_for_info", "no question, still a request"),
    (
        "I'm sorry, I can't do that. Please check the airline's website.",
        "cannot_answer",
        "advice is no request",
    ),
    ("I’m unable to do that. Is there anything else I can help with?", "cannot_answer", "a courtesy"),
    ("I can't book it. Would you like me to look for another?", "cannot_answer", "an offer"),
    ("This isn't something that my current tools let me do.", "cannot_answer", "no apology"),
    ("It is sunny. Would you like more details?", "direct", "an offer after an answer"),
    ("I'm sorry to hear that. Aspirin helps.", "direct", "sympathy is no refusal"),
    ("Paris has 2.1 million inhabitants.", "direct", "an answer"),
    ("죄송합니다. 할 수 없습니다.", "cannot_answer", "Korean"),
    ("请提供城市名称。", "request_for_info", "Chinese"),
]


@pytest.mark.parametrize(("text", "decision", "why"), DECISIONS)
def test_texts_are_told_apart_by_their_wording(text: str, decision: str, why: str) -> None:
    assert decision_of_text(text) == decision, why


ROWS = st.sampled_from([call_row(PARIS), call_row(PARIS, TIMER), *(text_row(d) for d in list(ANSWERS)[2:])])
TEXTS = st.lists(
    st.sampled_from([said(PARIS), said(ROME), said(TIMER), ASK, DECLINE, ANSWER, "<tool_call>", "{", "\n"]),
    max_size=4,
).map("".join)


@settings(max_examples=200, deadline=None)
@given(TEXTS, ROWS)
def test_every_score_is_consistent(text: str, row: dict[str, Any]) -> None:
    score = grade(text, row)
    assert score.value is not None
    assert 0 <= score.value <= 1
    assert score.reason in REASONS
    assert (score.value == 1) == (score.reason == "correct")
    assert all(0 <= part <= 1 for part in score.parts.values())
    (rewarded,) = reward([text], [row])
    assert rewarded is not None
    assert rewarded <= score.value + 1e-9


A, B, C = (("get_weather", {"city": city}) for city in "abc")
TIMER_CALL = ("set_timer", {"minutes": 1})
ORDERS: list[Any] = [
    ((A, B, C), (A, B, C), 1.0, "all in order"),
    ((A, B, C), (B, A, C), 0.5, "one of two neighbours is in order"),
    ((A, B, C), (C, B, A), 0.0, "none is"),
    ((A, B), (B, A, B), 1.0, "the calls in order are there, behind a surplus one"),
    ((A, B), (B, ("swim", {}), A, B), 1.0, "however far behind"),
    ((A, B, C), (C,), 0.0, "a call alone has no neighbour"),
    ((A, TIMER_CALL), (("fly", {}), ("swim", {})), 0.0, "tools that nobody expects are in no order"),
    ((A, TIMER_CALL), (A, ("swim", {}), TIMER_CALL), 1.0, "a call between them changes nothing"),
    ((A,), (A,), 1.0, "one call is in order"),
    ((A,), (("swim", {}),), 0.0, "unless it is another"),
]


@pytest.mark.parametrize(("expected", "made", "order", "why"), ORDERS, ids=[case[3] for case in ORDERS])
def test_order_is_the_share_of_neighbours_called_in_order(
    expected: Any, made: Any, order: float, why: str
) -> None:
    row = call_row(*expected, ordered=True)
    text = "\n".join(hermes(*call) for call in made)
    assert score_completion(parse_completion(text, "hermes"), row).parts["order"] == order, why
