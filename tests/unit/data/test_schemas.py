"""Tools in public dialects come out as JSON Schema, names untouched."""

import json
from typing import Any

import pytest

from data.rows import RowError
from data.schemas import normalise_schema
from data.tools import read_tools

SCHEMAS: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    ({"type": "dict", "properties": {}}, {"type": "object", "properties": {}}, "BFCL's dict"),
    ({"type": "float"}, {"type": "number"}, "BFCL's float"),
    (
        {"type": "tuple", "items": {"type": "int"}},
        {"type": "array", "items": {"type": "integer"}},
        "tuple, and what is in it",
    ),
    ({"type": "any", "description": "x"}, {"description": "x"}, "any leaves the type open"),
    ({"type": "Callable[[float], float]"}, {}, "a type nobody knows is left open"),
    ({"type": "str, optional"}, {"type": "string"}, "xLAM's optional"),
    ({"type": "List[float]"}, {"type": "array", "items": {"type": "number"}}, "a Python generic"),
    ({"type": "list(str)"}, {"type": "array", "items": {"type": "string"}}, "API-Bank's generic"),
    (
        {"type": "List[List[int]]"},
        {"type": "array", "items": {"type": "array", "items": {"type": "integer"}}},
        "a nested generic",
    ),
    (
        {"type": "Tuple[float, float]"},
        {"type": "array", "items": {"type": "number"}},
        "a tuple of one type",
    ),
    ({"type": "List[Union[int, float]]"}, {"type": "array", "items": {}}, "mixed items are left open"),
    ({"type": ["string", "null"]}, {"type": ["string", "null"]}, "JSON Schema's list of types"),
    (
        {"anyOf": [{"type": "float"}, {"type": "null"}], "enum": ["dict"]},
        {"anyOf": [{"type": "number"}, {"type": "null"}], "enum": ["dict"]},
        "alternatives, and an enum that only looks like a type",
    ),
    (
        {"type": "object", "properties": {"type": {"type": "dict"}, "items": {"type": "float"}}},
        {"type": "object", "properties": {"type": {"type": "object"}, "items": {"type": "number"}}},
        "parameters named like keywords",
    ),
]


@pytest.mark.parametrize(("given", "canonical", "why"), SCHEMAS)
def test_type_names(given: dict[str, Any], canonical: dict[str, Any], why: str) -> None:
    assert normalise_schema(given) == canonical, why
    assert normalise_schema(canonical) == canonical, "a second reading changes nothing"


PLAIN = {"name": "f", "description": "d", "parameters": {"type": "object", "properties": {}}}
TOOLS: list[tuple[Any, list[dict[str, Any]], str]] = [
    (None, [], "absent"),
    ([], [], "none"),
    ("[]", [], "none, as a string"),
    ([PLAIN], [PLAIN], "objects"),
    ([json.dumps(PLAIN)], [PLAIN], "JSON strings"),
    (json.dumps([PLAIN]), [PLAIN], "one JSON string"),
    ([{"type": "function", "function": PLAIN}], [PLAIN], "OpenAI's wrapper"),
    ([{"name": "f", "description": "d"}], [PLAIN], "no parameters"),
    (
        [{"name": "Get a B.c/d", "description": None, "parameters": {}}],
        [{**PLAIN, "name": "Get a B.c/d", "description": ""}],
        "a name with spaces and dots stays",
    ),
    (
        [{"name": "f", "description": "d", "parameters": {"q": {"type": "str", "default": ""}}}],
        [
            {
                **PLAIN,
                "parameters": {"type": "object", "properties": {"q": {"type": "string", "default": ""}}},
            }
        ],
        "a bare map of parameters",
    ),
]


@pytest.mark.parametrize(("given", "canonical", "why"), TOOLS)
def test_tools(given: Any, canonical: list[dict[str, Any]], why: str) -> None:
    assert read_tools(given) == canonical, why


BAD_TOOLS: list[tuple[Any, str, str]] = [
    ("[{'name': 'f'}]", "tools", "a Python repr is not JSON"),
    ({"name": "f"}, "tools", "an object is no list"),
    ([PLAIN, 3], "tools[1]", "a number is no tool"),
    ([{"description": "d"}], "tools[0].name", "no name"),
    ([{"name": " "}], "tools[0].name", "a blank name"),
    ([{"name": "f", "description": ["d"]}], "tools[0].description", "a description that is a list"),
    ([{"name": "f", "parameters": "none"}], "tools[0].parameters", "parameters as text"),
    (
        [{"name": "f", "parameters": {"type": "array", "items": {}}}],
        "tools[0].parameters",
        "parameters that are no object",
    ),
]


@pytest.mark.parametrize(("given", "field", "why"), BAD_TOOLS)
def test_bad_tools_name_their_place(given: Any, field: str, why: str) -> None:
    with pytest.raises(RowError) as caught:
        read_tools(given)
    assert caught.value.field == field, why
