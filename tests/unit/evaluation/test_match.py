"""Matching: when values are the same, how a call fits, and that calls are matched one to one."""

from __future__ import annotations

import itertools
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from evaluation.toolcalls.assignment import best_assignment
from evaluation.toolcalls.completion import Call
from evaluation.toolcalls.gold import GoldCall
from evaluation.toolcalls.match import fit_of
from evaluation.toolcalls.schema import fits_parameters, violation_of
from evaluation.toolcalls.values import BFCL_RULES, DEFAULT_RULES, Rules, is_same_value, plain_text
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
    ("C", "C++", False, False, "a sign that names another thing"),
    ("C", "C#", False, False, "so does this one"),
    ("ab", "a.b", False, True, "a dot within a name is part of it"),
    ("report.pdf", "reportpdf", False, True, "or of a file's"),
    ("a@x.com", "a@xcom", False, True, "or of an address"),
    ("/srv/Data", "/srv/data", False, True, "the case of a path counts"),
    ("srv/data", "srvdata", False, True, "and its slashes"),
    ("https://x.com/A", "https://x.com/a", False, True, "and that of an address"),
    (r"\d+", r"\D+", False, True, "and that of a pattern"),
    ("foo_bar", "foobar", False, True, "and the signs of an identifier"),
    ("x^2", "x2", False, True, "and those of a formula"),
    ("x^2 + 1", "x^2+1", True, True, "but not the blanks around them"),
    ("3*4", "34", False, True, "nor is a product a number"),
    ("5 6", "56", False, True, "nor are two numbers one"),
    ("3,4", "34", False, True, "with a comma neither"),
    ("1,000", "1000", True, True, "but thousands may be parted"),
    ("1,2,3", "1, 2, 3", True, True, "and a list written closely"),
    ("2024-01-02", "20240102", False, True, "a date keeps its format"),
    ("10:30", "1030", False, False, "so does a time"),
    ("April 1, 2024", "April 1 2024", True, True, "commas part words as blanks do"),
    ("Berkeley,CA", "Berkeley, CA", True, True, "with a blank or without"),
    ("Washington, D.C.", "Washington DC", True, True, "the stops of initials"),
    ("St. Louis", "St Louis", True, True, "or of an abbreviation"),
    ("3 pm", "3pm", True, True, "a blank between a digit and a letter"),
    ("New York", "NewYork", False, True, "but between words it counts"),
    ("What is an AI?", "what is an AI", True, False, "the mark at the end of a sentence"),
    ("colour?", "colour", False, False, "which a word is not"),
    ("5'", '5"', False, True, "feet are not inches"),
    ("caf\u00e9", "cafe\u0301", True, False, "one letter, composed in two ways"),
    ("caf\u00e9", "cafe", False, False, "and not the one without an accent"),
    ("\u201cHi\u201d", '"Hi"', True, False, "typographic quotes are quotes"),
    ("x\u00b2", "x2", False, False, "a power is no factor"),
    ("", " ", True, True, "blanks alone are nothing"),
    ("", "?", False, False, "a sign alone is something"),
    (0.1 + 0.2, 0.3, True, False, "what a binary float cannot hold"),
    (0.3, 0.30001, False, False, "and no more than that"),
    (2**53, 2**53 + 1, False, False, "integers are exact"),
    (10**400, 1.5, False, False, "and may be larger than any float"),
    (float("nan"), float("nan"), False, False, "NaN is not even itself"),
    (float("inf"), 1e308, False, False, "nothing is near infinity"),
    ("$1,000.00", "$1000.00", True, True, "digits in threes, whatever the currency"),
    ("J. R. Smith", "JR Smith", True, True, "initials are parted or not"),
    ("b.i.d.", "bid", True, True, "as are the letters of an abbreviation"),
    ("Pa55Word", "pa55word", False, True, "a key counts letter by letter"),
    ("rm -r", "rm -R", False, True, "and so does an option"),
    ("Main.java", "main.java", False, True, "and a file name"),
    ("Amazon.com", "amazon.com", True, True, "but not the name of a site"),
    ("print(A)", "print(a)", False, True, "nor is code prose"),
    ([1, 2], [1, 2], True, True, "lists element by element"),
    ([1, 2], [2, 1], False, False, "in order"),
    ([1], [1, 1], False, False, "of equal length"),
    ({"a": 1}, {"a": 1}, True, True, "objects key by key"),
    ({"a": 1}, {"a": 1, "b": 2}, False, False, "with the same keys"),
    ({"a": 1}, [["a", 1]], False, False, "an object is no list"),
]


@pytest.mark.parametrize(
    ("gold", "value", "by_default", "by_bfcl", "why"),
    SAME,
    ids=[f"{n}-{row[4]}" for n, row in enumerate(SAME)],
)
def test_values_are_the_same(gold: Any, value: Any, by_default: bool, by_bfcl: bool, why: str) -> None:
    assert is_same_value(gold, value, DEFAULT_RULES) is by_default, why
    assert is_same_value(gold, value, BFCL_RULES) is by_bfcl, why


def test_each_option_of_the_rules_can_be_set_alone() -> None:
    assert not is_same_value(1, 1.0, Rules(whole_floats_are_integers=False))
    assert not is_same_value("Paris", "paris", Rules(normalise_text=None))
    assert not is_same_value(0.1 + 0.2, 0.3, Rules(relative_tolerance=0.0))
    assert is_same_value(100.0, 100.4, Rules(relative_tolerance=0.01))


TEXTS = st.text(alphabet="aB1 .,-'/_?^é\u2019", max_size=12)


@settings(max_examples=300, deadline=None)
@given(TEXTS, TEXTS)
def test_sameness_of_texts_is_an_equivalence_that_keeps_digits_and_letters(one: str, other: str) -> None:
    assert is_same_value(one, one, DEFAULT_RULES)
    assert is_same_value(one, other, DEFAULT_RULES) is is_same_value(other, one, DEFAULT_RULES)
    if is_same_value(one, other, DEFAULT_RULES):
        assert [c for c in one.casefold() if c.isalnum()] == [c for c in other.casefold() if c.isalnum()]


@pytest.mark.parametrize("text", ["1" + ",000" * 60_000, "A." * 120_000, "a-" * 120_000, "' " * 120_000])
def test_a_long_text_is_normalised_in_linear_time(text: str) -> None:
    started = time.process_time()
    plain_text(text)
    assert time.process_time() - started < 1.5


def test_padding_is_not_read_to_its_end() -> None:
    started = time.process_time()
    assert not any(is_same_value(f"city {n}", "x " * 500_000, DEFAULT_RULES) for n in range(1000))
    assert time.process_time() - started < 0.5


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


LENIENT = {
    "type": "object",
    "properties": {
        "id": {"type": "string"},
        "n": {"type": "integer"},
        "unit": {"enum": ["celsius", "fahrenheit"]},
        "note": {"type": ["string", "null"]},
        "size": {"type": "string", "default": "M"},
        "open": {},
    },
    "required": ["id"],
}
LENIENCE: list[tuple[dict[str, Any], dict[str, Any], dict[str, Any], str]] = [
    ({"id": "a"}, {"id": "a", "note": None}, {}, "a null that may be null says nothing"),
    ({"id": "a"}, {"id": "a", "size": None}, {"extra": ("size",)}, "one that may not be is a value"),
    ({"id": "a", "note": None}, {"id": "a"}, {}, "nor does it where it was expected"),
    ({"id": "a"}, {"id": "a", "size": "M"}, {}, "a written default"),
    ({"id": "a", "size": "M"}, {"id": "a"}, {}, "an expected one that is left out"),
    ({"id": "a"}, {"id": "a", "size": ""}, {"extra": ("size",)}, "an empty text is not nothing"),
    ({"id": "5"}, {"id": 5}, {"wrong": {"id": "wrong_type"}}, "a number for a text"),
    ({"id": 5}, {"id": "5"}, {}, "unless the gold has the type wrong"),
    ({"n": "5", "id": "a"}, {"n": 5, "id": "a"}, {}, "here too"),
    ({"n": "5", "id": "a"}, {"n": "5", "id": "a"}, {}, "what the gold writes is right in any case"),
    ({"n": "5", "id": "a"}, {"n": 6, "id": "a"}, {"wrong": {"n": "wrong_type"}}, "another number is wrong"),
    (
        {"id": "a", "unit": "celsius"},
        {"id": "a", "unit": "Celsius"},
        {"wrong": {"unit": "schema_violation"}},
        "an enum is written as it stands",
    ),
    (
        {"id": "a", "unit": "Celsius"},
        {"id": "a", "unit": "Celsius"},
        {},
        "unless the gold is out of it as well",
    ),
    (
        {"id": "a", "open": 5},
        {"id": "a", "open": "5"},
        {"wrong": {"open": "wrong_type"}},
        "types are told without a schema",
    ),
]


@pytest.mark.parametrize(
    ("expected", "arguments", "faults", "why"), LENIENCE, ids=[row[3] for row in LENIENCE]
)
def test_what_a_schema_says_decides_how_lenient_a_comparison_is(
    expected: dict[str, Any], arguments: dict[str, Any], faults: dict[str, Any], why: str
) -> None:
    gold = GoldCall("f", {key: (value,) for key, value in expected.items()})
    fit = fit_of(Call("f", arguments), gold, LENIENT, DEFAULT_RULES)
    found = {"missing": fit.missing, "extra": fit.extra, "wrong": fit.wrong}
    assert {name: fault for name, fault in found.items() if fault} == faults, why


def test_the_mark_of_an_optional_argument_is_no_value_of_another_type() -> None:
    gold = GoldCall("f", {"id": ("a",), "n": (5, "")}, has_alternatives=True)
    assert fit_of(Call("f", {"id": "a"}), gold, LENIENT, DEFAULT_RULES).is_exact
    assert fit_of(Call("f", {"id": "a", "n": ""}), gold, LENIENT, DEFAULT_RULES).wrong == {"n": "wrong_type"}


def test_a_required_argument_may_not_be_left_out_whatever_the_answer_says() -> None:
    gold = GoldCall("f", {"id": ("a", "")}, has_alternatives=True)
    assert fit_of(Call("f", {}), gold, LENIENT, DEFAULT_RULES).missing == ("id",)


def test_a_value_that_python_cannot_compare_is_wrong_and_no_error() -> None:
    deep: Any = []
    for _ in range(5000):
        deep = [deep]
    gold = GoldCall("f", {"open": (deep,), "n": ("1",)})
    arguments = {"open": [deep], "n": 10**5000}
    assert fit_of(Call("f", arguments), gold, LENIENT, DEFAULT_RULES).wrong.keys() == {"open", "n"}


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


@settings(max_examples=200, deadline=None)
@given(
    st.tuples(st.integers(1, 9), st.integers(1, 9)).flatmap(
        lambda shape: st.lists(
            st.lists(st.floats(0, 1, width=32), min_size=shape[1], max_size=shape[1]),
            min_size=shape[0],
            max_size=shape[0],
        )
    )
)
def test_the_assignment_is_as_good_as_scipys(similarities: list[list[float]]) -> None:
    rows, columns = linear_sum_assignment(similarities, maximize=True)
    theirs = sum(similarities[row][column] for row, column in zip(rows, columns, strict=True))
    assigned = best_assignment(similarities)
    ours = sum(similarities[row][column] for row, column in enumerate(assigned) if column is not None)
    assert ours == pytest.approx(theirs)


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


ENUMS: list[Any] = [
    ({"enum": ["1m", "1M"]}, "1M", "1m", "wrong_value", "a minute is no month"),
    ({"enum": ["1m", "1M"]}, "1M", "1M", None, "the member itself"),
    (
        {"enum": ["Horror", "Drama"]},
        "horror",
        "Horror",
        None,
        "a gold value that is no member, written as one",
    ),
    ({"items": {"enum": ["a", "A"]}}, ["a"], ["A"], "wrong_value", "members of a list"),
    ({"enum": [1, 2]}, 1, 1.0, None, "numbers are the same as JSON Schema has it"),
]


@pytest.mark.parametrize(("schema", "gold", "value", "fault", "why"), ENUMS, ids=[case[4] for case in ENUMS])
def test_the_members_of_an_enum_are_different_values(
    schema: Any, gold: Any, value: Any, fault: str | None, why: str
) -> None:
    parameters = {"type": "object", "properties": {"x": schema}}
    fit = fit_of(Call("f", {"x": value}), GoldCall("f", {"x": [gold]}), parameters, DEFAULT_RULES)
    assert fit.wrong.get("x") == fault, why
