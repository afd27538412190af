"""Schemas by example: what each keyword says, what broken and hostile schemas do, and what is reported."""

from __future__ import annotations

import doctest
import importlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.toolcalls.schema import (
    first_violation,
    fits_parameters,
    unsupported_keywords,
    violation_of,
)
from evaluation.toolcalls.schemas.identity import identity_of
from evaluation.toolcalls.schemas.references import resolve_reference
from evaluation.toolcalls.schemas.type_names import TYPES, has_type
from tests.unit.evaluation.schemas import VALUES

TREE = {
    "$defs": {"node": {"properties": {"next": {"$ref": "#/$defs/node"}, "n": {"type": "integer"}}}},
    "$ref": "#/$defs/node",
}
VERDICTS: list[tuple[Any, Any, str | None, str]] = [
    ({"type": "integer"}, 5.0, None, "a whole float is an integer"),
    ({"type": "integer"}, 10**400, None, "an integer beyond every float"),
    ({"type": "integer"}, float("inf"), "wrong_type", "no integer is infinite"),
    ({"type": "number"}, True, "wrong_type", "true is no number"),
    ({"type": "HashMap"}, [], "wrong_type", "Java's names for types"),
    ({"type": "any"}, [], None, "any type"),
    ({"type": "Callable"}, [], None, "a type nobody knows"),
    ({"type": ["str", "none"]}, 5, "wrong_type", "a union of other names"),
    ({"type": []}, 5, None, "an empty union says nothing"),
    ({"type": {"type": "string"}}, 5, None, "a type that is no name"),
    ({"type": "string", "nullable": True}, None, None, "OpenAPI's null"),
    ({"type": "string", "nullable": "yes"}, None, "wrong_type", "no boolean, no null"),
    ({"type": "string", "nullable": True, "enum": ["a"]}, None, "schema_violation", "an enum names null too"),
    ({"enum": [1]}, True, "schema_violation", "true is not 1"),
    ({"enum": [1]}, 1.0, None, "1.0 is"),
    ({"enum": [[True]]}, [1], "schema_violation", "nor within"),
    ({"enum": [{"a": 1, "b": 2}]}, {"b": 2.0, "a": 1}, None, "objects whatever their order"),
    ({"enum": []}, 1, "schema_violation", "an empty enum takes nothing"),
    ({"enum": "a"}, "b", None, "an enum that is no list says nothing"),
    ({"enum": [*range(40), "x"]}, 40, "schema_violation", "a long enum"),
    ({"enum": [*range(40), "x"]}, 39.0, None, "in a long enum"),
    ({"enum": [*range(40), True, [1]]}, [True], "schema_violation", "true is not 1 in a long one either"),
    ({"const": None}, None, None, "a constant null"),
    ({"const": 0}, False, "schema_violation", "0 is not false"),
    ({"minLength": 2}, "😀", "schema_violation", "one code point, two in UTF-16"),
    ({"maxLength": 1}, "e\u0301", "schema_violation", "two code points, one character"),
    ({"minimum": 1, "exclusiveMinimum": True}, 1, "schema_violation", "draft 4's exclusive bound"),
    ({"exclusiveMinimum": True}, -9, None, "which says nothing by itself"),
    ({"minimum": True}, 0, None, "true is no bound"),
    ({"minimum": "3"}, 0, None, "nor is text"),
    ({"minimum": float("nan")}, 0, None, "nor what is no number"),
    ({"minimum": 2**63}, 2.0**63 - 4096, "schema_violation", "compared exactly"),
    ({"multipleOf": 0.01}, 19.99, None, "a multiple as it is written, though not to binary floats"),
    ({"multipleOf": 0.01}, 19.999, "schema_violation", "not one"),
    ({"multipleOf": 0.1}, 1e300, None, "a large one"),
    ({"multipleOf": 1e-300}, 1e300, None, "and by a small step"),
    ({"multipleOf": 0}, 5, None, "no step says nothing"),
    ({"multipleOf": -2}, 5, None, "nor does a negative one"),
    ({"multipleOf": 3}, float("nan"), None, "nor can it speak of what is no number"),
    ({"uniqueItems": True}, [1, True, "1", [1], [True]], None, "all different"),
    ({"uniqueItems": True}, [{"a": 1}, {"a": 1.0}], "schema_violation", "equal objects"),
    ({"uniqueItems": True}, [[1], [True], [1]], "schema_violation", "equal, but not neighbours"),
    ({"prefixItems": [{"type": "integer"}], "items": False}, [1, 2], "schema_violation", "no more items"),
    ({"items": [{"type": "integer"}]}, [1, "a"], None, "draft 7's list of items"),
    ({"items": [{}], "additionalItems": False}, [1, 2], "schema_violation", "draft 7's end of it"),
    ({"items": {}, "additionalItems": False}, [1, 2], None, "which says nothing of one schema for all"),
    ({"items": 5}, [1], None, "items that are no schema"),
    ({"required": ["a", ["b"], 1]}, {"a": 1}, None, "names that are no names"),
    ({"required": True}, {}, None, "a flag of draft 3"),
    ({"properties": ["a"]}, {"a": 1}, None, "properties without names"),
    ({"properties": {"a": False}}, {"a": 1}, "schema_violation", "a property that takes nothing"),
    ({"properties": {"a": None}}, {"a": 1}, None, "a property that is no schema"),
    ({"additionalProperties": {"type": "integer"}}, {"a": "x"}, "wrong_type", "the schema of all others"),
    ({"additionalProperties": "no"}, {"a": "x"}, None, "neither a schema nor a flag"),
    (
        {"additionalProperties": False, "patternProperties": {"^x": {}}},
        {"xa": 1},
        None,
        "a pattern might allow it",
    ),
    ({"dependentRequired": {"a": ["b"]}}, {"a": 1}, "schema_violation", "b wherever a"),
    ({"dependentRequired": {"a": 5, "b": [["c"]]}}, {"a": 1, "b": 2}, None, "what is no list of names"),
    ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, "5", "wrong_type", "no alternative has its type"),
    ({"anyOf": [{"enum": ["a"]}, {"type": "null"}]}, "b", "schema_violation", "one has, and rules it out"),
    ({"anyOf": []}, 1, None, "no alternatives say nothing"),
    ({"anyOf": {"type": "integer"}}, "a", None, "nor do those that are no list"),
    ({"anyOf": [5]}, 1, None, "an alternative that is no schema"),
    ({"oneOf": [{"type": "integer"}, {"minimum": 0}]}, 3, "schema_violation", "two of one"),
    ({"oneOf": [{"pattern": "^a"}, {"pattern": "^b"}]}, "a", None, "perhaps one: nobody looked"),
    (
        {"oneOf": [{"type": "string"}, {"minLength": 1}, {"pattern": "^a"}]},
        "b",
        "schema_violation",
        "surely 2",
    ),
    ({"not": {"pattern": "^a"}}, "b", None, "perhaps not"),
    ({"not": {"type": "string", "pattern": "^a"}}, 5, None, "surely not"),
    ({"not": {"type": "string"}}, "b", "schema_violation", "ruled out"),
    ({"not": {"not": {"$ref": "elsewhere"}}}, "b", None, "what is elsewhere condemns nothing"),
    ({"if": {"type": "string"}, "then": {"minLength": 2}}, "b", "schema_violation", "then"),
    ({"if": {"type": "string"}, "else": {"minimum": 2}}, 1, "schema_violation", "else"),
    ({"if": {"pattern": "^a"}, "then": False, "else": False}, "b", None, "a condition nobody looked at"),
    ({"then": False, "else": False}, 1, None, "no condition"),
    (TREE, {"next": {"next": {"n": "x"}}}, "wrong_type", "a schema within itself"),
    ({"$ref": "#"}, 1, None, "a schema that only names itself"),
    ({"anyOf": [{"$ref": "#"}, False]}, 1, None, "and one that may"),
    ({"$defs": {"a b": {"type": "null"}}, "$ref": "#/$defs/a%20b"}, 1, "wrong_type", "an escaped name"),
    ({"$ref": "https://example.com/a"}, 1, None, "a schema elsewhere"),
    ({"$ref": "#/$defs/none"}, 1, None, "a schema nowhere"),
    ({"$ref": 5}, 1, None, "no reference"),
    ({"$ref": "#/enum/1", "enum": [1, 2]}, 1, None, "to what is no schema"),
    (False, 1, "schema_violation", "nothing at all"),
    (True, 1, None, "everything"),
    (None, 1, None, "no schema"),
]


@pytest.mark.parametrize(
    ("schema", "value", "violation", "why"), VERDICTS, ids=[case[3] for case in VERDICTS]
)
def test_verdicts(schema: Any, value: Any, violation: str | None, why: str) -> None:
    assert violation_of(schema, value) == violation, why


PLACES: list[tuple[Any, Any, tuple[str, tuple[str | int, ...], str] | None]] = [
    ({"type": "integer"}, "a", ("wrong_type", (), "type")),
    (
        {"properties": {"a": {"items": {"maximum": 1}}}},
        {"a": [0, 2]},
        ("schema_violation", ("a", 1), "maximum"),
    ),
    (
        {"required": ["a"], "properties": {"b": {"type": "null"}}},
        {"b": 1},
        ("schema_violation", (), "required"),
    ),
    ({"additionalProperties": False}, {"a": 1}, ("schema_violation", (), "additionalProperties")),
    ({"properties": {"a": False}}, {"a": 1}, ("schema_violation", ("a",), "false")),
    (TREE, {"next": {"n": 0.5}}, ("wrong_type", ("next", "n"), "type")),
    # The alternative of the value's own type says what is wrong with it.
    ({"anyOf": [{"type": "null"}, {"items": {"type": "null"}}]}, [1], ("wrong_type", (0,), "type")),
    ({"oneOf": [{"type": "null"}, {"type": "array"}]}, 1, ("wrong_type", (), "oneOf")),
    ({"oneOf": [{"minimum": 2}, {"enum": [3]}]}, 1, ("schema_violation", (), "oneOf")),
    ({"type": "integer"}, 1, None),
]


@pytest.mark.parametrize(("schema", "value", "found"), PLACES, ids=[str(case[0]) for case in PLACES])
def test_the_first_violation_names_its_place_and_keyword(schema: Any, value: Any, found: Any) -> None:
    assert first_violation(schema, value) == found
    assert violation_of(schema, value) == (found and found[0])


@given(VALUES, st.permutations(["type", "minimum", "enum", "anyOf", "minLength", "required", "items"]))
def test_the_violation_does_not_depend_on_the_order_of_the_keywords(value: Any, order: list[str]) -> None:
    full = {
        "type": ["string", "number", "object", "array"],
        "minimum": 1,
        "enum": ["a", 0, 2, {}, [1]],
        "anyOf": [{"type": "number"}, {"type": "object"}, {"const": [1]}],
        "minLength": 2,
        "required": ["a"],
        "items": {"type": "string"},
    }
    assert first_violation({name: full[name] for name in order}, value) == first_violation(full, value)


def test_parameters_are_of_an_object_whatever_type_they_declare() -> None:
    for declared in ("object", "dict", "string", ["null"], 5):
        assert fits_parameters({"type": declared, "required": ["a"]}, {"a": 1})
        assert not fits_parameters({"type": declared, "required": ["a"]}, {})


def test_a_part_of_a_schema_finds_its_definitions_from_the_root() -> None:
    root = {"properties": {"at": {"$ref": "#/$defs/at"}}, "$defs": {"at": {"type": "integer"}}}
    part = root["properties"]["at"]
    assert violation_of(part, "x", root=root) == "wrong_type"
    assert violation_of(part, "x") is None, "without the root it leads nowhere"
    assert not fits_parameters(root, {"at": "x"})


UNSUPPORTED: list[tuple[Any, tuple[str, ...], str]] = [
    ({"type": "string", "pattern": "^a", "format": "date"}, ("format", "pattern"), "sorted"),
    ({"properties": {"pattern": {"type": "string"}, "format": {"format": "date"}}}, ("format",), "by place"),
    ({"required": ["pattern"], "enum": ["format"], "default": {"format": 1}}, (), "in data"),
    ({"const": {"pattern": "a"}, "examples": [{"contains": 1}]}, (), "in more data"),
    ({"items": [{"contains": {}}], "not": {"propertyNames": {}}}, ("contains", "propertyNames"), "within"),
    ({"anyOf": [{"if": {"pattern": "a"}}, {"then": {"format": "x"}}]}, ("format", "pattern"), "everywhere"),
    ({"$defs": {"a": {"unevaluatedProperties": False}}}, ("unevaluatedProperties",), "in definitions"),
    ({"patternProperties": {"^a": {"format": "date"}}}, ("format", "patternProperties"), "under a pattern"),
    ({"dependencies": {"a": ["b"]}}, ("dependencies",), "draft 7"),
    ({"$ref": "https://example.com/a"}, ("$ref",), "a reference that leads out"),
    ({"$ref": "#/$defs/a"}, ("$ref",), "one that leads nowhere"),
    ({"$ref": "#name"}, ("$ref",), "one to an anchor"),
    ({"$ref": "#/x-models/a", "x-models": {"a": {"format": "date"}}}, ("format",), "where it leads"),
    ({"properties": {"$ref": {"type": "string"}}}, (), "a property of that name"),
    ({"title": "a", "description": "b", "deprecated": True, "$comment": "c", "$id": "d"}, (), "annotations"),
    (TREE, (), "all of it checked"),
    ("pattern", (), "no schema"),
]


@pytest.mark.parametrize(("schema", "keywords", "why"), UNSUPPORTED, ids=[case[2] for case in UNSUPPORTED])
def test_what_is_not_checked_is_reported(schema: Any, keywords: tuple[str, ...], why: str) -> None:
    assert unsupported_keywords(schema) == keywords, why


@given(VALUES, VALUES)
def test_the_same_value_is_what_json_calls_the_same(one: Any, other: Any) -> None:
    def canonical(value: Any) -> Any:
        if isinstance(value, float) and value.is_integer():
            return int(value)
        if isinstance(value, list):
            return [canonical(item) for item in value]
        return {key: canonical(item) for key, item in value.items()} if isinstance(value, dict) else value

    as_text = [json.dumps(canonical(value), sort_keys=True) for value in (one, other)]
    assert (identity_of(one) == identity_of(other)) == (as_text[0] == as_text[1])
    assert identity_of(one) == identity_of(json.loads(json.dumps(one)))


def test_every_name_of_a_type_is_understood_whatever_its_case() -> None:
    values = {
        "string": "a",
        "integer": 1,
        "number": 0.5,
        "boolean": True,
        "array": [],
        "object": {},
        "null": None,
    }
    for name, type_name in TYPES.items():
        for written in (name, name.upper(), name.title()):
            takes = {other for other, value in values.items() if has_type(written, value)}
            assert takes == {type_name, *(["integer"] if type_name == "number" else [])}, written


POINTERS: list[tuple[str, Any]] = [
    ("#", "whole"),
    ("#/a", "a"),
    ("#/a~1b", "slash"),
    ("#/a~0b", "tilde"),
    ("#/a~01b", "both"),
    ("#/%C3%A9", "accent"),
    ("#/é", "accent"),
    ("#/%zz%", "no escape"),
    ("#/l/1", "second"),
    ("#/l/01", None),
    ("#/l/9", None),
    ("#/l/-1", None),
    ("#/", "empty"),
    ("#a", None),
    ("a", None),
    ("", None),
]


@pytest.mark.parametrize(("reference", "title"), POINTERS)
def test_references_are_json_pointers(reference: str, title: str | None) -> None:
    parts = {
        "a": "a",
        "a/b": "slash",
        "a~b": "tilde",
        "a~1b": "both",
        "é": "accent",
        "": "empty",
        "%zz%": "no escape",
    }
    root: dict[str, Any] = {name: {"title": text} for name, text in parts.items()}
    root |= {"title": "whole", "l": [{"title": "first"}, {"title": "second"}]}
    found = resolve_reference(root, reference)
    assert (found and found["title"]) == title


@pytest.mark.parametrize("name", ["schema", "schemas.identity", "schemas.references", "schemas.type_names"])
def test_examples_hold(name: str) -> None:
    result = doctest.testmod(importlib.import_module(f"evaluation.toolcalls.{name}"))
    assert (result.failed, result.attempted > 0) == (0, True)
