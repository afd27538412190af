"""A gold call fits what its tool declares, is rewritten to fit, or is rejected with the reason."""

import json
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.rows import RowError
from data.shapes.arguments import check_allowed, fit_call
from data.shapes.values import MAX_FOLLOWED, Misfit, fit_value
from evaluation.toolcalls.schema import violation_of
from tests.unit.evaluation.schemas import cases

HORROR = {"type": "string", "enum": ["Horror", "Drama"]}
POINT = {"type": "object", "properties": {"x": {"type": "number"}}, "required": ["x"]}
OPTIONAL_LIST = {"anyOf": [{"type": "array", "items": {"type": "integer"}}, {"type": "null"}]}
REFERRING = {
    "type": "object",
    "properties": {"at": {"$ref": "#/$defs/at"}, "then": {"anyOf": [{"$ref": "#"}, {"type": "null"}]}},
    "required": ["at"],
    "$defs": {"at": {"type": "integer"}},
}
FITS: list[tuple[Any, Any, Any, str]] = [
    ({"type": "string"}, "5", "5", "text stays text"),
    ({"type": "integer"}, "5", 5, "a number in a string"),
    ({"type": "integer"}, "5.0", 5, "a whole number in a string"),
    ({"type": "integer"}, 5.0, 5.0, "a whole float is an integer to JSON Schema"),
    ({"type": "number"}, "0.045", 0.045, "a fraction in a string"),
    ({"type": "boolean"}, "True", True, "Python's way to write it"),
    ({"type": "null"}, "null", None, "null in a string"),
    ({"type": "array", "items": {"type": "string"}}, '["a"]', ["a"], "a list in a string"),
    ({"type": "object"}, '{"a": 1}', {"a": 1}, "an object in a string"),
    ({"type": "string"}, 94103, "94103", "a number where text is wanted"),
    ({"type": ["integer", "null"]}, "7", 7, "one type of several"),
    ({"type": "array", "items": {"type": "integer"}}, ["5", 6], [5, 6], "within a list"),
    (POINT, {"x": "1.5"}, {"x": 1.5}, "within an object"),
    (POINT, {"x": 1, "y": None}, {"x": 1, "y": None}, "null says that an optional part is not given"),
    (HORROR, "horror", "Horror", "case is the enum's"),
    ({"type": "boolean", "enum": ["True", "dontcare"]}, True, True, "an enum that contradicts its type"),
    ({"type": "integer", "default": "dontcare"}, "dontcare", "dontcare", "the default fits"),
    (OPTIONAL_LIST, ["5"], [5], "the first alternative that fits"),
    (OPTIONAL_LIST, None, None, "the second alternative"),
    ({"allOf": [{"type": "integer"}, {"minimum": 3}]}, "4", 4, "all of several"),
    ({"minimum": 0, "maximum": 5}, 5, 5, "at the bound"),
    ({"minLength": 2, "maxItems": 1}, "ab", "ab", "a bound of another type says nothing"),
    ({}, {"a": [1]}, {"a": [1]}, "no schema, no rule"),
    (None, "5", "5", "no schema at all"),
    ({"type": "array", "items": {"type": "integer"}}, '["5"]', [5], "what was written as text, within too"),
    ({"prefixItems": [{"type": "integer"}], "items": {"type": "string"}}, ["5", 6], [5, "6"], "by its place"),
    ({"items": [{"type": "integer"}]}, ["5", "6"], [5, "6"], "an older way to give each place its schema"),
    ({"additionalProperties": {"type": "integer"}}, {"a": "5"}, {"a": 5}, "a map from names to numbers"),
    ({"anyOf": [{"type": "integer"}, {"type": "string"}]}, "5", "5", "what is right is left alone"),
    ({"type": "integer", "nullable": True}, None, None, "OpenAPI's null"),
    (REFERRING, {"at": "5", "then": {"at": "7"}}, {"at": 5, "then": {"at": 7}}, "a schema within itself"),
    ({"$ref": "#"}, "5", "5", "a schema that says only that it is itself"),
    ({"$ref": "https://example.com/s"}, "5", "5", "a schema that is elsewhere"),
]


@pytest.mark.parametrize(("schema", "value", "fitted", "why"), FITS)
def test_values_that_fit(schema: Any, value: Any, fitted: Any, why: str) -> None:
    found = fit_value(schema, value)
    assert (found, type(found)) == (fitted, type(fitted)), why
    assert fit_value(schema, found) == found, "a fitted value fits"


MISFITS: list[tuple[dict[str, Any], Any, str]] = [
    ({"type": "integer"}, "5.5", "no integer"),
    ({"type": "integer"}, "five", "a word"),
    ({"type": "integer"}, "007", "a code, not a number"),
    ({"type": "number"}, "1e999", "beyond every number"),
    ({"type": "number"}, True, "a boolean is no number"),
    ({"type": "boolean"}, 1, "a number is no boolean"),
    ({"type": "array"}, '[{"name": "Alice"', "a list that was cut"),
    ({"type": "array"}, "['a']", "a Python list in a string"),
    ({"type": "string"}, ["a"], "a list where text is wanted"),
    ({"type": "number"}, None, "null where a number is wanted"),
    ({"type": "array", "items": {"type": "integer"}}, [1, "x"], "one bad item"),
    (POINT, {"y": 1}, "a part of an object is absent"),
    (POINT, {"x": {}}, "a part of an object is of another type"),
    (HORROR, "Thriller", "not in the enum"),
    (OPTIONAL_LIST, "five", "no alternative fits"),
    ({"allOf": [{"type": "integer"}, {"minimum": 3}]}, 2, "one of all is broken"),
    ({"minimum": 1}, 0, "below the bound"),
    ({"exclusiveMaximum": 1}, 1, "at an exclusive bound"),
    ({"maxLength": 1}, "ab", "too long"),
    ({"minItems": 1}, [], "too few"),
    ({"const": "a"}, "b", "not the constant"),
    ({"const": 5}, "5", "a constant is not rewritten"),
    ({"minLength": 3}, "12", "a text that is too short does not become a number"),
    ({"type": "integer", "multipleOf": 2}, "5", "the wrong number, once it is one"),
    ({"not": {"type": "null"}}, None, "ruled out"),
    ({"minProperties": 1}, {}, "an object of no parts"),
    ({"properties": {"a": {}}, "additionalProperties": False}, {"b": 1}, "a name that is not listed"),
    ({"type": "array", "items": {"type": "integer"}}, '["x"]', "a bad item in a list in a string"),
    (REFERRING, {"at": 5, "then": {"at": "soon"}}, "behind a reference"),
]


@pytest.mark.parametrize(("schema", "value", "why"), MISFITS)
def test_values_that_do_not_fit(schema: dict[str, Any], value: Any, why: str) -> None:
    with pytest.raises(Misfit):
        fit_value(schema, value)


TYPES = st.sampled_from(["string", "integer", "number", "boolean", "array", "object", "null"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
    max_leaves=6,
)
SCHEMAS = st.recursive(
    st.fixed_dictionaries({"type": TYPES | st.lists(TYPES, min_size=1, max_size=2)}),
    lambda inner: (
        st.fixed_dictionaries({"type": st.just("array"), "items": inner})
        | st.fixed_dictionaries(
            {
                "type": st.just("object"),
                "properties": st.fixed_dictionaries({"a": inner}),
                "required": st.just(["a"]),
            }
        )
    ),
    max_leaves=3,
)


@given(SCHEMAS, VALUES)
def test_what_fits_is_right_to_the_grader_and_what_is_right_is_left_alone(schema: Any, value: Any) -> None:
    is_right = violation_of(schema, value) is None
    try:
        fitted = fit_value(schema, value)
    except Misfit:
        assert not is_right
    else:
        assert violation_of(schema, fitted) is None
        assert not is_right or json.dumps(fitted) == json.dumps(value)


@given(cases())
def test_under_any_schema_what_is_right_is_left_alone_and_what_is_fitted_stays(case: tuple[Any, Any]) -> None:
    schema, value = case
    try:
        fitted = fit_value(schema, value)
    except Misfit:
        assert violation_of(schema, value) is not None
    else:
        assert violation_of(schema, value) is not None or fitted is value
        assert json.dumps(fit_value(schema, fitted)) == json.dumps(fitted)


TWO_WAYS = {f"d{n}": {"anyOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(60)}
LEADING_ROUND: list[tuple[Any, str]] = [
    ({"$ref": "#/$defs/d0", "$defs": {**TWO_WAYS, "d60": {"type": "null"}}}, "two ways, 60 times over"),
    ({"allOf": [{"$ref": "#"}, {"$ref": "#"}], "type": "null"}, "back to itself, twice"),
    ({"anyOf": [{"$ref": "#"}, {"items": {"$ref": "#"}}], "maxLength": 1}, "back to itself, and within"),
]


@pytest.mark.parametrize(("schema", "why"), LEADING_ROUND, ids=[case[1] for case in LEADING_ROUND])
@pytest.mark.parametrize("value", ["text", [["text"] * 9] * 9], ids=["text", "lists"])
def test_a_schema_that_leads_round_is_left_in_time(schema: Any, why: str, value: Any) -> None:
    followed = 0

    def count(frame: Any, event: str, argument: Any) -> None:
        nonlocal followed
        followed += event == "call" and frame.f_code.co_name == "_fit_referred"

    sys.setprofile(count)
    try:
        fit_value(schema, value)
    except Misfit as misfit:
        assert misfit.schema, "it says what it wanted"
    finally:
        sys.setprofile(None)
    assert followed <= 4 * MAX_FOLLOWED, why


TRACK = {
    "type": "object",
    "properties": {"number": {"type": "string"}, "days": {"type": "integer"}},
    "required": ["number"],
}
DATED = {
    "type": "object",
    "properties": {"day": {"$ref": "#/$defs/day"}},
    "$defs": {"day": {"type": "integer"}},
}
TOOLS: dict[str, Any] = {
    "dated": DATED,
    "track": TRACK,
    "open": {"type": "object", "properties": {"a": {}}, "additionalProperties": True},
    "free": {"type": "object", "properties": {}},
}


def call(name: str, **arguments: Any) -> dict[str, str]:
    return {"name": name, "arguments": json.dumps(arguments)}


GOOD_CALLS = [
    (call("track", number="A1"), "what is required"),
    (call("track", number="A1", days=2), "and more"),
    (call("track", number="A1", days=None), "an optional argument that is not given"),
    (call("open", a=1, b=2), "a tool that takes other arguments"),
    (call("free", anything=1), "a tool that lists none"),
    (call("dated", day=3), "an argument that is defined elsewhere"),
]


@pytest.mark.parametrize(("given_call", "why"), GOOD_CALLS)
def test_calls_that_fit_stay_as_they_are(given_call: dict[str, str], why: str) -> None:
    assert fit_call(given_call, TOOLS, "f") == given_call, why


BAD_CALLS = [
    (call("trace", number="A1"), "calls a tool that is not offered", "'trace'"),
    (call("track", days=1), "lacks a required argument", "number"),
    (call("track", number=None), "another type", "track.number"),
    (call("track", number="A1", speed=1), "does not list", "speed"),
    (call("track", number="A1", days="soon"), "another type", "track.days"),
    (call("dated", day="soon"), "another type", "dated.day"),
    (call("track", number="A1", **{f"x{n}": 1 for n in range(9)}), "does not list", "and more"),
]


@pytest.mark.parametrize(("given_call", "reason", "mend"), BAD_CALLS)
def test_bad_calls_say_what_to_mend(given_call: dict[str, str], reason: str, mend: str) -> None:
    with pytest.raises(RowError) as caught:
        fit_call(given_call, TOOLS, "messages[1]")
    assert caught.value.field == "messages[1]"
    assert reason in caught.value.reason
    assert mend in caught.value.mend
    assert len(caught.value.mend) < 300, "a mend is a line, however long the value"


ALLOWED = [
    ([{"track": {"number": ["A1", "a1"]}}], "accepted values"),
    ([{"track": {"number": ["A1"], "days": ["", 3]}}], "an argument that may be left out"),
    ([{"track": {"number": ["A1"], "speed": ["", 3]}}], "one that may be left out need not be listed"),
    ([{"track": {"number": ["A1"], "days": ["soon", 3]}}], "one value that fits is enough"),
    ([{"track": {"number": "A1"}}], "a value without its list"),
    ([{"open": {"a": [{"b": [1, 2]}]}}], "objects hold lists of their own"),
    ([{"track": {"number": ["A1"]}}, {"track": {"number": ["B2"]}}], "two calls"),
    ([{"free": {}}], "no arguments"),
    ([{"dated": {"day": ["soon", 3]}}], "by a definition elsewhere"),
]


@pytest.mark.parametrize(("allowed", "why"), ALLOWED)
def test_possible_answers(allowed: Any, why: str) -> None:
    check_allowed(allowed, TOOLS, "gold_allowed")


BAD_ALLOWED: list[tuple[Any, str, str]] = [
    ({"track": {}}, "gold_allowed", "no list"),
    (["track(number='A1')"], "gold_allowed[0]", "code"),
    ([{"track": {}, "open": {}}], "gold_allowed[0]", "two tools in one entry"),
    ([{"track": ["A1"]}], "gold_allowed[0]", "arguments without names"),
    ([{"open": {}}, {"trace": {}}], "gold_allowed[1]", "a tool that is not offered"),
    ([{"track": {"days": [3]}}], "gold_allowed[0]", "a required argument is absent"),
    ([{"track": {"number": [""]}}], "gold_allowed[0]", "a required argument may be left out only"),
    ([{"track": {"number": ["A1"], "speed": [3]}}], "gold_allowed[0]", "an invented argument"),
    ([{"track": {"number": ["A1"], "days": ["soon"]}}], "gold_allowed[0]", "no value fits"),
    ([{"track": {"number": ["A1"], "days": []}}], "gold_allowed[0]", "no value at all"),
    ([{"dated": {"day": ["soon"]}}], "gold_allowed[0]", "no value fits a definition elsewhere"),
]


@pytest.mark.parametrize(("allowed", "field", "why"), BAD_ALLOWED)
def test_bad_possible_answers_name_the_entry(allowed: Any, field: str, why: str) -> None:
    with pytest.raises(RowError) as caught:
        check_allowed(allowed, TOOLS, "gold_allowed")
    assert (caught.value.field, bool(caught.value.mend)) == (field, True), why
