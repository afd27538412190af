"""Matching: when values are the same, how a call fits, and that calls are matched one to one."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.toolcalls.assignment import best_assignment
from evaluation.toolcalls.completion import Call
from evaluation.toolcalls.gold import GoldCall
from evaluation.toolcalls.match import fit_of
from evaluation.toolcalls.schema import fits_parameters, violation_of
from evaluation.toolcalls.values import BFCL_RULES, DEFAULT_RULES, is_same_value
from tests.unit.evaluation.rows import WEATHER

SAME = [
    (1, 1.0, True, False, "5.0 is 5 in JSON Schema; BFCL wants the type"),
    (1.0, 1, True, True, "an integer serves as a float everywhere"),
    (1, True, False, False, "a boolean is no number"),
    (0, False, False, False, "nor the other way round"),
    ("5", 5, False, False, "a string is no number"),
    (None, None, True, True, "null is null"),
    (None, "", False, False, "and nothing else"),
    ("Paris", "paris", True, True, "case does not matter"),
    ("Berkeley, CA", "berkeley ca", True, True, "nor do blanks and punctuation"),
    ("it's", 'it"s', True, True, "nor the kind of quotes"),
    ("1.5", "15", False, True, "BFCL drops the decimal point; 1.5 is not 15"),
    ("-5", "5", False, True, "nor is -5 the same as 5"),
    ("New-York", "New York", True, True, "a hyphen between words is punctuation"),
    ("Ｐａｒｉｓ", "paris", True, False, "full-width letters are the same letters"),
    ([1, 2], [1, 2], True, True, "lists element by element"),
    ([1, 2], [2, 1], False, False, "in order"),
    ([1], [1, 1], False, False, "of equal length"),
    ({"a": 1}, {"a": 1}, True, True, "objects key by key"),
    ({"a": 1}, {"a": 1, "b": 2}, False, False, "with the same keys"),
    ({"a": 1}, [["a", 1]], False, False, "an object is no list"),
]


@pytest.mark.parametrize(("gold", "value", "by_default", "by_bfcl", "why"), SAME)
def test_values_are_the_same(gold: Any, value: Any, by_default: bool, by_bfcl: bool, why: str) -> None:
    assert is_same_value(gold, value, DEFAULT_RULES) is by_default, why
    assert is_same_value(gold, value, BFCL_RULES) is by_bfcl, why


@pytest.mark.parametrize(
    ("value", "same", "why"),
    [
        ({"city": "Paris", "days": 2}, True, "each key by one of its values"),
        ({"city": "Paris"}, True, "an empty string makes a key optional"),
        ({"days": 2}, False, "the other key is not"),
        ({"city": "Rome", "days": 2}, False, "not an accepted value"),
        ({"city": "Paris", "x": 1}, False, "a key that is not expected"),
    ],
)
def test_objects_in_possible_answers_hold_alternatives(value: Any, same: bool, why: str) -> None:
    gold = {"city": ["Paris", "Lutetia"], "days": [2, ""]}
    assert is_same_value(gold, value, DEFAULT_RULES, has_alternatives=True) is same, why


FITS = [
    ({"city": "Paris"}, {}, "the same call"),
    ({"city": "Paris", "days": 1}, {}, "an argument that equals its default says nothing new"),
    ({"city": "Paris", "days": 2}, {"extra": ("days",)}, "another value than the default does"),
    ({}, {"missing": ("city",)}, "a required argument"),
    ({"city": "Rome"}, {"wrong": {"city": "wrong_value"}}, "another value"),
    ({"city": 5}, {"wrong": {"city": "wrong_type"}}, "another type than the schema's"),
    (
        {"city": "Paris", "unit": "kelvin"},
        {"extra": ("unit",)},
        "an argument that was not asked for is extra before it is invalid",
    ),
]


@pytest.mark.parametrize(("arguments", "faults", "why"), FITS)
def test_a_call_fits_argument_by_argument(arguments: Any, faults: dict[str, Any], why: str) -> None:
    gold = GoldCall("get_weather", {"city": ("Paris",)})
    fit = fit_of(Call("get_weather", arguments), gold, WEATHER["parameters"], DEFAULT_RULES)  # type: ignore[arg-type]
    found = {"missing": fit.missing, "extra": fit.extra, "wrong": fit.wrong}
    assert {name: fault for name, fault in found.items() if fault} == faults, why
    assert fit.is_exact == (not faults)


def test_a_gold_argument_that_equals_its_default_may_be_left_out_unless_bfcl_is_asked() -> None:
    gold = GoldCall("get_weather", {"city": ("Paris",), "days": (1,)})
    call = Call("get_weather", {"city": "Paris"})
    parameters: Any = WEATHER["parameters"]
    assert fit_of(call, gold, parameters, DEFAULT_RULES).is_exact
    assert fit_of(call, gold, parameters, BFCL_RULES).missing == ("days",)


MATRICES = st.integers(1, 5).flatmap(
    lambda columns: st.lists(
        st.lists(st.sampled_from([0.0, 0.05, 0.08, 1.0]), min_size=columns, max_size=columns),
        min_size=1,
        max_size=5,
    )
)


@settings(max_examples=200, deadline=None)
@given(MATRICES)
def test_the_assignment_is_one_to_one_and_the_best_of_all(similarities: list[list[float]]) -> None:
    assigned = best_assignment(similarities)
    taken = [column for column in assigned if column is not None]
    rows, columns = len(similarities), len(similarities[0])
    assert len(taken) == len(set(taken)) == min(rows, columns)
    reached = sum(similarities[row][column] for row, column in enumerate(assigned) if column is not None)
    padded = [row + [0.0] * max(rows - columns, 0) for row in similarities]
    every = itertools.permutations(range(len(padded[0])), rows)
    assert reached == pytest.approx(max(sum(padded[r][c] for r, c in enumerate(order)) for order in every))


def test_a_greedy_match_would_miss_what_the_best_assignment_finds() -> None:
    # The first expected call accepts both predicted ones, the second only the first.
    assert best_assignment([[1.0, 1.0], [1.0, 0.0]]) == [1, 0]


@pytest.mark.parametrize(
    ("schema", "value", "violation", "why"),
    [
        ({"type": "integer"}, 5.0, None, "5.0 is an integer in JSON Schema"),
        ({"type": "integer"}, 5.5, "wrong_type", "5.5 is not"),
        ({"type": "integer"}, True, "wrong_type", "nor is true"),
        ({"type": "float"}, 5, None, "BFCL's names for types"),
        ({"type": "dict", "properties": {"a": {"type": "str"}}}, {"a": 1}, "wrong_type", "Python's names"),
        ({"type": ["string", "null"]}, None, None, "a union"),
        ({"type": "any"}, object, None, "a type that is not known accepts everything"),
        ({"enum": ["a"]}, "b", "schema_violation", "not one of the enum"),
        ({"type": "array", "items": {"type": "string"}}, ["a", 1], "wrong_type", "an element"),
        ({"type": "object", "required": ["a"]}, {}, "schema_violation", "a required key"),
        ({"type": "object", "additionalProperties": False}, {"a": 1}, "schema_violation", "a key too many"),
        ("nonsense", 1, None, "a schema that is none forbids nothing"),
    ],
)
def test_violations_of_a_schema(schema: Any, value: Any, violation: str | None, why: str) -> None:
    assert violation_of(schema, value) == violation, why


def test_parameters_without_a_type_are_an_object() -> None:
    assert not fits_parameters({"required": ["a"]}, {})
    assert fits_parameters({"required": ["a"]}, {"a": 1})
