"""Rewards: the score's value where an answer is honest, less where it is not, and never an exception."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.toolcalls import Call, Completion, parse_completion, reward, score_completion
from evaluation.toolcalls.rewards import FREE_CHARACTERS, checked_weights, grade
from evaluation.toolcalls.score import HIGHEST_PARTIAL_VALUE
from tests.unit.evaluation.rows import ANSWERS, call_row, hermes, text_row
from tests.unit.evaluation.test_real_rows import canonical, gold_completion, read

PARIS = ("get_weather", {"city": "Paris"})
ROME = ("get_weather", {"city": "Rome"})
TIMER = ("set_timer", {"minutes": 5})
ASK, DECLINE, ANSWER = ANSWERS["request_for_info"], ANSWERS["cannot_answer"], ANSWERS["direct"]
LOREM = "The harvest was good and the winter mild. "


def said(*calls: tuple[str, Any]) -> str:
    return "\n".join(hermes(name, arguments) for name, arguments in calls)


def paid(completion: Any, row: Any, weights: Any = None, format: str = "hermes") -> float:
    (value,) = reward([completion], [row], weights, format=format)
    assert value is not None
    return value


def message(content: Any, *calls: tuple[str, Any]) -> dict[str, Any]:
    entries = [{"function": {"name": name, "arguments": json.dumps(given)}} for name, given in calls]
    return {"role": "assistant", "content": content, "tool_calls": entries}


LADDER = [
    ("", "nothing said"),
    (said(("weather", {"city": "Paris"})), "an invented tool"),
    (said(TIMER), "another tool, well called"),
    (said(("get_weather", {})), "the right tool, its argument missing"),
    (said(("get_weather", {"city": 7})), "the argument there, of another type"),
    (said(ROME), "the right type, another value"),
    (said(PARIS), "right"),
]


def test_each_step_towards_the_right_call_is_paid() -> None:
    values = [paid(text, call_row(PARIS)) for text, _ in LADDER]
    steps = list(zip(values, values[1:], [why for _, why in LADDER[1:]], strict=False))
    assert [why for low, high, why in steps if not low < high] == []
    assert values[0] == 0.0
    assert values[-1] == 1.0


@pytest.mark.parametrize(
    ("weights", "named"),
    [
        ({"vlaues": 1.0}, "'vlaues'"),
        ({1: 1.0}, "unknown reward part 1"),
        ({"values": -1.0}, "negative"),
        ({"values": math.nan}, "'values' is nan"),
        ({"values": math.inf}, "'values' is inf"),
        ({"values": 10**400}, "'values' is 1000"),
        ({"values": True}, "'values' is True"),
        ({"values": "3"}, "'values' is '3'"),
        ({"values": None}, "'values' is None"),
        ({"values": 0, "tool": 0.0}, "no reward weight is above 0"),
        ({}, "no reward weight is above 0"),
        ([("values", 1.0)], "give a weight by part"),
        (3, "give a weight by part"),
    ],
)
def test_weights_that_cannot_be_used_are_named(weights: Any, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        reward([], [], weights)


def test_weights_are_relative() -> None:
    text, row = said(ROME), call_row(PARIS)
    assert paid(text, row, {"tool": 1, "values": 3}) == pytest.approx(0.25)
    assert paid(text, row, {"tool": 1e-6, "values": 3e-6}) == pytest.approx(0.25)
    assert max(checked_weights({"tool": 5e-324}).values()) == 1.0


@pytest.mark.parametrize("format", ["", "hermese", None])
def test_an_unknown_format_is_refused_before_anything_is_graded(format: Any) -> None:
    with pytest.raises(ValueError, match="known are hermes"):
        reward([], [], format=format)


def test_completions_and_rows_come_in_pairs() -> None:
    with pytest.raises(ValueError, match="2 completions for 1 rows"):
        reward([ANSWER, ANSWER], [text_row("direct")])


SHAPES = [
    (said(PARIS), "a text"),
    (message(said(PARIS)), "a message that holds the text"),
    ([message(said(PARIS))], "TRL's list of one"),
    ((message(said(PARIS)),), "or a tuple"),
    (message([{"type": "text", "text": said(PARIS)}]), "content in parts"),
    (message([{"text": said(PARIS)}]), "content in Bedrock's parts"),
    (message(None, PARIS), "a message with structured calls"),
    (message("", PARIS), "whose content is empty"),
    ([message(None, PARIS), {"role": "tool", "content": "sunny"}, message("It is sunny.")], "a tool loop"),
    (Completion((Call("get_weather", {"city": "Paris"}),)), "a parsed completion"),
]


@pytest.mark.parametrize(("completion", "why"), SHAPES, ids=[why for _, why in SHAPES])
def test_every_shape_of_a_right_completion_is_right(completion: Any, why: str) -> None:
    assert paid(completion, call_row(PARIS)) == 1.0, why


def endless() -> dict[str, Any]:
    value: dict[str, Any] = {}
    value["city"] = value
    return value


def deep(levels: int) -> Any:
    value: Any = "Paris"
    for _ in range(levels):
        value = [value]
    return value


HOSTILE: list[Any] = [
    None,
    7,
    math.nan,
    b"<tool_call>",
    [],
    {},
    [None],
    [[]],
    [{"role": "user", "content": said(PARIS)}],
    {"content": 7},
    {"content": [None, 7, {"text": None}]},
    {"tool_calls": 7},
    {"tool_calls": "get_weather"},
    {"tool_calls": [None, {"function": None}, {"function": {"name": 7, "arguments": {}}}]},
    message(None, ("get_weather", [1])),
    Completion(text=None),  # type: ignore[arg-type]
    Completion(calls=None),  # type: ignore[arg-type]
    Completion(calls=(None,)),  # type: ignore[arg-type]
    Completion(calls=(Call("get_weather", None),)),  # type: ignore[arg-type]
    Completion(calls=(Call(None, {}),)),  # type: ignore[arg-type]
    "<tool_call>" * 10_000,
    "{" * 100_000,
    "\x00\ud800",
]


@pytest.mark.parametrize("completion", HOSTILE, ids=range(len(HOSTILE)))
def test_what_is_no_answer_gets_the_minimum_where_a_call_is_expected(completion: Any) -> None:
    assert paid(completion, call_row(PARIS)) == 0.0


@pytest.mark.parametrize(
    "arguments",
    [endless(), {"city": deep(5000)}, {"city": object()}, {"city": {1, 2}}, {7: "Paris"}, {"city": math.nan}],
    ids=["endless", "deep", "object", "set", "number as key", "nan"],
)
def test_arguments_that_no_text_could_hold_are_wrong_and_no_error(arguments: Any) -> None:
    completion = Completion((Call("get_weather", arguments),))
    assert 0 <= paid(completion, call_row(PARIS)) < 1
    structured = {"tool_calls": [{"function": {"name": "get_weather", "arguments": arguments}}]}
    assert 0 <= paid(structured, call_row(PARIS)) < 1


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.binary(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["role", "content", "text", "tool_calls", "function", "name", "arguments"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(ANYTHING, st.sampled_from(["hermes", "qwen3", "toolcall_tag", "bare_json", "structured"]))
def test_any_value_whatsoever_has_a_reward(value: Any, format: str) -> None:
    assert 0 <= paid(value, call_row(PARIS), format=format) < 1


@pytest.mark.parametrize(
    ("row", "named"),
    [
        ({}, "expected.decision"),
        ({"expected": None}, "expected.decision"),
        ({"expected": {"decision": "tool_call"}}, "expected.calls"),
        ({**call_row(PARIS), "tools": "{"}, "tools"),
        (None, "not an object"),
        ("row", "not an object"),
    ],
    ids=["empty", "null", "no calls", "tools", "none", "text"],
)
@pytest.mark.parametrize("text", [said(PARIS), "<tool_call>", ""], ids=["call", "malformed", "empty"])
def test_none_only_means_that_the_row_cannot_be_graded(text: str, row: Any, named: str) -> None:
    assert reward([text], [row]) == [None]
    assert named in str(grade(text, row).score.error)


FACTORS = [
    (said(PARIS), call_row(PARIS), {}, "an honest answer"),
    (f"Let me look.\n{said(PARIS)}", call_row(PARIS), {}, "a remark beside the call"),
    (f"<think>Is it {said(ROME)}?</think>{said(PARIS)}", call_row(PARIS), {}, "a thought tries a call out"),
    (said(PARIS), call_row(PARIS, TIMER), {}, "a call too few has its parts, no factor"),
    (said(PARIS, PARIS), call_row(PARIS), {"calls": 1 / 2}, "twice"),
    (said(PARIS, TIMER, ROME), call_row(PARIS), {"calls": 1 / 3}, "two more"),
    (said(TIMER, PARIS), call_row(PARIS, TIMER), {}, "order is free"),
    (said(PARIS) + DECLINE, call_row(PARIS), {"one_answer": 1 / 2}, "calls and declines"),
    (said(PARIS) + ASK, call_row(PARIS), {"one_answer": 1 / 2}, "calls and asks"),
    (
        said(PARIS) + '\n{"name": "get_weather", "arguments": {"city": "Rome"}}',
        call_row(PARIS),
        {"one_answer": 1 / 2},
        "a second call where another parser would read it",
    ),
    (said(PARIS) + "\n[TOOL_CALLS][]", call_row(PARIS), {"one_answer": 1 / 2}, "another format's tag"),
    (said(PARIS) + " " * 3 * FREE_CHARACTERS, call_row(PARIS), {"length": 1 / 3}, "padded"),
    (said(TIMER, PARIS), call_row(PARIS, TIMER, ordered=True), {"order": 0.9}, "in the wrong order"),
    (said(PARIS) + "<|im_end|>\n", call_row(PARIS), {}, "a stop token says nothing"),
    (f"I look <b>there</b>\n{said(PARIS)}", call_row(PARIS), {}, "a remark that ends as a call does"),
]
BEHIND = [
    ("\n<tool_response>\n{}\n</tool_response>\nIt is 21 degrees.", "a made-up result"),
    ("\nDone: the result is 42.", "a made-up answer"),
    ("Done", "on the same line"),
    ("<|im_end|>\n<|im_start|>user\nThanks<|im_end|>", "a made-up turn of the user"),
    ("\nAction: get_weather\nAction Input: {}", "a call as ReAct writes it"),
    ("\nname: get_weather\narguments:\n  city: Rome", "a call in YAML"),
    ('\n```python\nget_weather(city="Rome")\n```', "a call in Python"),
    ('\n<invoke name="get_weather"></invoke>', "a call in XML, which ends as the call does"),
    ("\nIt is warm.</think>", "a thought that nothing opened"),
]
BEFORE = [
    ('```json\n{"name": "get_weather", "arguments": {"city": "Rome"}}\n```', "a call in a fence"),
    ('<invoke name="get_weather"><parameter name="city">Rome</parameter></invoke>', "a call in XML"),
    ('Action: get_weather\nAction Input: {"city": "Rome"}', "a call as ReAct writes it"),
    ("<TOOLCALL>", "another format's tag"),
]
SPOKEN_OF = [
    (("get_weather", {"city": "<tool_call> [TOOL_CALLS] <function="}), "tags in a value"),
    (("get_weather", {"<tool_call><tool_call>": ["<tool_call>"]}), "tags in a key and within a list"),
]


@pytest.mark.parametrize(("behind", "why"), BEHIND, ids=[why for _, why in BEHIND])
@pytest.mark.parametrize(
    "remark", ["", "Let me look.\n", "See <b>this</b> "], ids=["alone", "remark", "tags"]
)
def test_what_is_said_behind_a_call_costs_half(behind: str, why: str, remark: str) -> None:
    assert paid(remark + said(PARIS) + behind, call_row(PARIS)) == 0.5, why


@pytest.mark.parametrize(("before", "why"), BEFORE, ids=[why for _, why in BEFORE])
def test_a_call_in_the_text_before_a_call_costs_half(before: str, why: str) -> None:
    assert paid(f"{before}\n{said(PARIS)}", call_row(PARIS)) == 0.5, why


@pytest.mark.parametrize(("call", "why"), SPOKEN_OF, ids=[why for _, why in SPOKEN_OF])
def test_tags_in_a_value_are_no_hedge(call: Any, why: str) -> None:
    assert paid(said(call), call_row(call)) == 1.0, why


@pytest.mark.parametrize("tag", ["<tool_call>", "[TOOL_CALLS]", "```json\n{}\n```"])
def test_a_text_may_speak_of_calls_where_none_is_expected(tag: str) -> None:
    example = 'such as ```json\n{"name": "get_weather", "arguments": {"city": "Rome"}}\n```'
    assert paid(f"Calls are written {example}.", text_row("direct")) == 1.0
    assert paid(f"It is written {tag} there.", text_row("direct"), format="llama3_pythonic") == 1.0


@pytest.mark.parametrize("place", ["reasoning_content", "reasoning", "thinking", "parts"])
def test_a_thought_beside_the_content_is_as_long_as_one_within(place: str) -> None:
    thought = "x" * 3 * FREE_CHARACTERS
    beside = {**message(None, PARIS), place: thought}
    parts = [{"type": "thinking", "thinking": [{"type": "text", "text": thought}]}]
    within = f"<think>{thought}</think>{said(PARIS)}"
    given = beside if place != "parts" else message(parts, PARIS)
    assert paid(given, call_row(PARIS)) == pytest.approx(paid(within, call_row(PARIS)), rel=0.01)


@pytest.mark.parametrize(("text", "row", "below_one", "why"), FACTORS, ids=[why for *_, why in FACTORS])
def test_factors(text: str, row: Any, below_one: dict[str, float], why: str) -> None:
    graded = grade(text, row)
    found = {name: factor for name, factor in graded.factors.items() if factor != 1.0}
    assert found == {name: pytest.approx(factor, rel=0.01) for name, factor in below_one.items()}, why
    assert graded.score.value is not None
    assert graded.value == pytest.approx(graded.score.value * math.prod(graded.factors.values()))


def test_gold_answers_of_real_rows_have_the_whole_reward() -> None:
    less = [
        raw["id"] for raw in read("calls_test.jsonl") if paid(gold_completion(raw), canonical(raw)) != 1.0
    ]
    assert less == []


def test_the_order_counts_where_the_row_says_so() -> None:
    row = call_row(PARIS, TIMER, ordered=True)
    assert paid(said(PARIS, TIMER), row) == 1.0
    assert paid(said(TIMER, PARIS), row) < paid(said(ROME, TIMER), row)


STEPS = [PARIS, TIMER, ("book", {"seats": 2}), ("pay", {"euros": 30})]
SPOILED = {"get_weather": ROME, "set_timer": ("set_timer", {"minutes": 6}), "book": ("book", {"seats": 3})}
SPOILED["pay"] = ("pay", {"euros": 31})
OTHERS: list[dict[str, Any]] = [
    {"name": name, "description": "", "parameters": {}} for name in ("book", "pay")
]


@settings(deadline=None)
@given(st.permutations(STEPS), st.integers(2, 4), st.integers(0, 3), st.data())
def test_spoiling_or_dropping_a_call_after_a_swap_never_pays(
    steps: list[Any], length: int, at: int, data: st.DataObject
) -> None:
    expected = steps[:length]
    row = call_row(*expected, ordered=True)
    row["tools"] = json.dumps([*json.loads(row["tools"]), *OTHERS])
    calls = data.draw(st.permutations(expected))
    at %= length
    spoiled = [*calls[:at], SPOILED[calls[at][0]], *calls[at + 1 :]]
    swapped = paid(said(*calls), row)
    assert paid(said(*spoiled), row) < swapped
    assert paid(said(*calls[:at], *calls[at + 1 :]), row) < swapped
    assert paid(said(*(SPOILED[name] for name, _ in calls)), row) < swapped


def test_right_calls_in_reverse_get_more_than_wrong_ones_in_order() -> None:
    row = call_row(PARIS, ROME, ordered=True)
    oslo, bern = ("get_weather", {"city": "Oslo"}), ("get_weather", {"city": "Bern"})
    assert paid(said(ROME, PARIS), row) > paid(said(oslo, bern), row)


def test_what_a_row_expects_may_be_as_long_as_it_is() -> None:
    long = ("get_weather", {"city": "Paris " * FREE_CHARACTERS})
    assert paid(said(long), call_row(long)) == 1.0
    assert paid(said(long), call_row(PARIS)) < 0.2


CALLS = st.lists(st.sampled_from([PARIS, ROME, TIMER, ("weather", {})]), min_size=1, max_size=4)
ROWS = st.sampled_from(
    [call_row(PARIS), call_row(PARIS, TIMER), call_row(TIMER, ROME, ordered=True), text_row("cannot_answer")]
)
WEIGHTS = st.dictionaries(
    st.sampled_from(["decision", "tool", "order", "arguments", "values", "schema"]),
    st.floats(0.01, 10),
    min_size=1,
)


@settings(deadline=None)
@given(CALLS, ROWS, WEIGHTS)
def test_repeating_the_answer_never_pays(calls: Any, row: Any, weights: Any) -> None:
    once = paid(said(*calls), row, weights)
    if len(calls) >= len(row["expected"]["calls"]):
        assert paid(said(*calls, *calls), row, weights) <= once + 1e-9


@settings(deadline=None)
@given(CALLS, ROWS, st.integers(1, 3000), st.booleans())
def test_padding_a_call_never_pays(calls: Any, row: Any, times: int, in_front: bool) -> None:
    text, padding = said(*calls), LOREM * times
    padded = f"{padding}\n{text}" if in_front else f"{text}\n{padding}"
    assert paid(padded, row) <= paid(text, row)


@settings(deadline=None)
@given(st.sampled_from(list(ANSWERS)[2:]), st.sampled_from([ASK, DECLINE]), st.integers(1, 3000))
def test_padding_a_text_never_pays(decision: str, text: str, times: int) -> None:
    assert paid(text + "\n" + LOREM * times, text_row(decision)) <= paid(text, text_row(decision))


@settings(deadline=None)
@given(CALLS, ROWS, WEIGHTS)
def test_a_reward_is_at_most_the_score_and_whole_only_where_it_is_right(
    calls: Any, row: Any, weights: Any
) -> None:
    text = said(*calls)
    score = score_completion(parse_completion(text, "hermes"), row)
    assert score.value is not None
    assert paid(text, row) <= score.value + 1e-9
    assert (paid(text, row, weights) == 1.0) == score.is_correct


GOLD = {"city": "Paris", "days": 3, "unit": "celsius"}
WRONG = {"city": "Rome", "days": 4, "unit": "fahrenheit"}


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(list(GOLD)), st.booleans()), WEIGHTS)
def test_mending_an_argument_never_costs(given_right: dict[str, bool], weights: Any) -> None:
    row = call_row(("get_weather", GOLD))
    arguments = {name: (GOLD if right else WRONG)[name] for name, right in given_right.items()}
    before = paid(said(("get_weather", arguments)), row, weights)
    for name, right in GOLD.items():
        mended = paid(said(("get_weather", {**arguments, name: right})), row, weights)
        assert mended >= before - 1e-9
        if arguments.get(name) != right and "values" in weights and before < HIGHEST_PARTIAL_VALUE:
            assert mended > before
