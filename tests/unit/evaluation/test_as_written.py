"""The short way to a score finds what the long way finds, and is taken only where a row allows it."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from data.shapes.fitting import fits_tools
from evaluation.toolcalls import parse_completion, score_completion
from evaluation.toolcalls.as_written import count_as_written
from evaluation.toolcalls.completion import Call, Completion
from evaluation.toolcalls.values import BFCL_RULES, DEFAULT_RULES
from tests.unit.evaluation.rows import call_row, hermes

PARIS = {"city": "Paris", "days": 2}
FITS = [
    ([("get_weather", PARIS)], True, "all fits"),
    ([("get_weather", PARIS), ("set_timer", {"minutes": 1.5})], True, "every call does"),
    ([("get_weather", {"days": 2})], False, "a required argument is absent"),
    ([("get_weather", {"city": "Paris", "day": 2})], False, "an argument is not declared"),
    ([("get_weather", {"city": 5})], False, "a value has another type"),
    ([("get_weather", {"city": "Paris", "unit": "kelvin"})], False, "a value is no member of the enum"),
    ([("get_wether", PARIS)], False, "the tool is not offered"),
]


@pytest.mark.parametrize(("calls", "fits", "why"), FITS, ids=[case[2] for case in FITS])
def test_a_row_fits_its_tools_if_its_own_calls_are_valid(calls: Any, fits: bool, why: str) -> None:
    assert fits_tools(call_row(*calls)) is fits, why


ALLOWED = [
    ({"city": ["Paris", "Lyon"], "days": ["", 2]}, True, "an argument with a default may be left out"),
    ({"city": ["", "Paris"]}, False, "a required one may not, whatever the row says"),
    ({"city": ["Paris"], "unit": ["", "kelvin"]}, True, "what is not written first is not compared"),
    ({"city": []}, True, "no accepted value can be written"),
]


@pytest.mark.parametrize(("arguments", "fits", "why"), ALLOWED, ids=[case[2] for case in ALLOWED])
def test_a_row_fits_its_tools_by_its_first_accepted_values(arguments: Any, fits: bool, why: str) -> None:
    row = call_row(("get_weather", {"city": "Paris"}))
    row["expected"]["allowed"] = json.dumps([{"get_weather": arguments}])
    assert fits_tools(row) is fits, why


SCALAR = st.none() | st.booleans() | st.sampled_from([0, 1, 2, 1.0, 2.5, "", "1", "Paris", "paris"])
VALUE = SCALAR | st.lists(SCALAR, max_size=2)
ARGUMENTS = st.dictionaries(st.sampled_from(["city", "days", "unit", "tags", "minutes"]), VALUE, max_size=4)
CALLS = st.lists(st.tuples(st.sampled_from(["get_weather", "set_timer"]), ARGUMENTS), min_size=1, max_size=2)
TAGS = {"type": "array", "items": {"type": ["string", "integer"]}}


def marked(row: dict[str, Any]) -> dict[str, Any]:
    """The row with the mark that `data` gives it, and with a list among the arguments."""
    tools = json.loads(row["tools"])
    tools[0]["parameters"]["properties"]["tags"] = TAGS
    row["tools"] = json.dumps(tools)
    row["expected"]["fits_tools"] = fits_tools(row)
    return row


@given(CALLS, CALLS, st.booleans(), st.sampled_from([DEFAULT_RULES, BFCL_RULES]))
@example([("get_weather", PARIS)], [("get_weather", PARIS)], False, DEFAULT_RULES)
@example([("get_weather", PARIS)], [("get_weather", {**PARIS, "days": 2.0})], False, BFCL_RULES)
@example(
    [("get_weather", {"city": "a", "tags": [1]})],
    [("get_weather", {"city": "a", "tags": [True]})],
    False,
    DEFAULT_RULES,
)
def test_both_ways_find_the_same_score(expected: Any, written: Any, ordered: bool, rules: Any) -> None:
    row = marked(call_row(*expected, ordered=ordered))
    long_way = copy.deepcopy(row)
    long_way["expected"]["fits_tools"] = False
    for calls in (written, expected):
        completion = Completion(tuple(Call(name, arguments) for name, arguments in calls))
        assert score_completion(completion, row, rules=rules) == score_completion(
            completion, long_way, rules=rules
        )


@given(CALLS, ARGUMENTS, st.sets(st.sampled_from(["city", "days", "unit", "tags"])))
def test_both_ways_find_the_same_score_among_alternatives(
    written: Any, other: dict[str, Any], optional: set[str]
) -> None:
    choices: dict[str, list[Any]] = {"city": ["Paris", "Lyon"], "days": [2, 3], "tags": [["a"], []]}
    allowed = {key: [*values, *([""] if key in optional else [])] for key, values in choices.items()}
    row = call_row(("get_weather", {"city": "Paris"}))
    row["expected"]["allowed"] = json.dumps([{"get_weather": allowed}])
    row, long_way = marked(row), copy.deepcopy(row)
    long_way["expected"]["fits_tools"] = False
    first = {key: values[0] for key, values in choices.items() if key not in optional}
    for calls in (written, [("get_weather", first)], [("get_weather", {**first, **other})]):
        completion = Completion(tuple(Call(name, arguments) for name, arguments in calls))
        for rules in (DEFAULT_RULES, BFCL_RULES):
            assert score_completion(completion, row, rules=rules) == score_completion(
                completion, long_way, rules=rules
            )


def test_what_is_written_as_expected_is_counted_and_all_else_takes_the_long_way() -> None:
    expected = call_row(("get_weather", PARIS))["expected"]
    tools = call_row()["tools"]
    assert count_as_written([Call("get_weather", PARIS)], expected, tools) == 2
    assert count_as_written([Call("get_weather", {"city": "paris", "days": 2})], expected, tools) is None
    assert count_as_written([Call("get_weather", {**PARIS, "days": 2.0})], expected, tools) is None


BROKEN: list[Any] = [
    '[{"get_weather": {"city": "Paris", "days": 2}, "set_timer": {}}]',
    '[{"get_weather": {"city": ["Paris"], "days": [2]}}] and more',
    '[{"get_weather": {"city": "Pa", "days": [2]}}]',
    "[",
    "[1]",
    '[{"get_weather": 1}]',
    '[{"get_weather": {"city": 1}}]',
    5,
]


@pytest.mark.parametrize("allowed", BROKEN, ids=str)
def test_a_row_that_lies_about_its_tools_is_unscored_or_wrong_and_raises_nothing(allowed: Any) -> None:
    row = call_row(("get_weather", PARIS))
    row["expected"] |= {"allowed": allowed, "fits_tools": True}
    assert not score_completion(parse_completion(hermes("get_weather", PARIS), "hermes"), row).is_correct


def test_a_row_that_expects_no_call_is_not_graded_by_the_calls_that_it_holds() -> None:
    row = call_row(("get_weather", PARIS))
    row["expected"] |= {"decision": "cannot_answer", "fits_tools": True}
    assert score_completion(parse_completion(hermes("get_weather", PARIS), "hermes"), row).value is None


@pytest.mark.parametrize("required", [True, 1, [{}], [[]], float("nan")], ids=str)
@pytest.mark.parametrize("city", ["Paris", "Rome"])
def test_parameters_that_are_no_schema_raise_nothing(required: Any, city: str) -> None:
    row = call_row(("get_weather", {"city": "Paris"}))
    tools = json.loads(row["tools"])
    tools[0]["parameters"]["required"] = required
    row["tools"] = json.dumps(tools)
    score = score_completion(parse_completion(hermes("get_weather", {"city": city}), "hermes"), row)
    assert score.is_correct is (city == "Paris")


@pytest.mark.parametrize("row", [None, [], "row", 5], ids=str)
def test_what_is_no_row_is_unscored(row: Any) -> None:
    score = score_completion(parse_completion(hermes("get_weather", PARIS), "hermes"), row)
    assert score.value is None and "not an object" in str(score.error)
