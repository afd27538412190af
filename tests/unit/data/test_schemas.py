"""Tools in public dialects come out as JSON Schema, names untouched."""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from data.rows import RowError
from data.shapes.schemas import normalise_schema
from data.shapes.tools import read_tools, read_toolset

LIST_OR_OBJECT = [{"type": "array", "items": {"type": "object"}}, {"type": "object"}]


def nested_list(depth: int) -> dict[str, Any]:
    return {"type": "array", "items": nested_list(depth - 1)} if depth else {"type": "integer"}


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
    (
        {"type": "List[Union[int, float]]"},
        {"type": "array", "items": {"type": ["integer", "number"]}},
        "a union of two",
    ),
    ({"type": "Optional[str]"}, {"type": ["string", "null"]}, "Optional may be null"),
    ({"type": "str | None"}, {"type": ["string", "null"]}, "Python's newer way to write it"),
    ({"type": "Union[List[dict], dict]"}, {"anyOf": LIST_OR_OBJECT}, "API-Bank's union"),
    ({"type": "Dict[str, int]"}, {"type": "object", "additionalProperties": {"type": "integer"}}, "a map"),
    ({"type": "string[]"}, {"type": "array", "items": {"type": "string"}}, "TypeScript's list"),
    ({"type": "List[" * 40 + "int" + "]" * 40}, nested_list(40), "as deep as anyone writes"),
    (
        {
            "properties": {
                "a": {"type": "string", "required": True},
                "b": {"type": "int", "required": "false"},
            }
        },
        {"properties": {"a": {"type": "string"}, "b": {"type": "integer"}}, "required": ["a"]},
        "required, said inside a property",
    ),
    (
        {"properties": {"a": {"optional": False}, "b": {"optional": True}}, "required": ["b"]},
        {"properties": {"a": {}, "b": {}}, "required": ["b", "a"]},
        "optional, said inside a property, and the object's own list",
    ),
    (
        {"properties": {"a": {"properties": {"b": {"type": "str", "required": "true"}}}}},
        {"properties": {"a": {"properties": {"b": {"type": "string"}}, "required": ["b"]}}},
        "at every depth",
    ),
    (
        {"properties": {"a": {"type": "string"}}, "required": ["a", "z", "a"]},
        {"properties": {"a": {"type": "string"}, "z": {}}, "required": ["a", "z"]},
        "a required name that nobody describes may be anything",
    ),
    ({"type": "List[" * 400 + "int" + "]" * 400}, {}, "a text of brackets names no type"),
    ({"type": "string", "enum": []}, {"type": "string"}, "an empty enum says nothing"),
    ({"type": "string", "enum": None}, {"type": "string"}, "nor does null"),
    (
        {"properties": {"a": "str", "b": "The name of the city."}},
        {"properties": {"a": {"type": "string"}, "b": {"description": "The name of the city."}}},
        "a type or a description in the place of a schema",
    ),
    ({"required": True, "type": "string"}, {"type": "string"}, "a flag that no object lifts"),
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
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


def takes(key: str, schema: Any) -> dict[str, Any]:
    return {"name": "weather", "description": "", key: schema}


CITY = takes("parameters", SCHEMA)
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
    ([takes("parameters", SCHEMA)], [CITY], "a schema, as it is"),
    ([takes("parameters", json.dumps(SCHEMA))], [CITY], "a schema in a JSON string"),
    ([takes("arguments", SCHEMA)], [CITY], "ACEBench's word for parameters"),
    ([takes("input_schema", SCHEMA)], [CITY], "Anthropic's"),
    ([takes("inputSchema", SCHEMA)], [CITY], "MCP's"),
    ([{"toolSpec": takes("inputSchema", {"json": SCHEMA})}], [CITY], "Bedrock's"),
    ([{"toolSpec": takes("inputSchema", {"json": json.dumps(SCHEMA)})}], [CITY], "Bedrock's, as a string"),
    ([{"type": "function", "function": json.dumps(CITY)}], [CITY], "a function in a JSON string"),
    (
        [takes("parameters", {"city": {"type": "string"}, "required": ["city"]})],
        [CITY],
        "a bare map with its required names beside",
    ),
    (
        [takes("parameters", [{"name": "city", "type": "string", "required": True}])],
        [CITY],
        "a list of parameters",
    ),
    ([CITY, CITY], [CITY], "a tool that is listed twice"),
    ("  ", [], "no text, no tools"),
    (
        [takes("parameters", {"type": {"type": "string"}, "items": {"type": "int"}})],
        [
            takes(
                "parameters",
                {"type": "object", "properties": {"type": {"type": "string"}, "items": {"type": "integer"}}},
            )
        ],
        "a bare map whose parameters are named like keywords",
    ),
]


@pytest.mark.parametrize(("given", "canonical", "why"), TOOLS)
def test_tools(given: Any, canonical: list[dict[str, Any]], why: str) -> None:
    assert read_tools(given) == canonical, why
    read = read_toolset(given)
    assert json.loads(read.text) == canonical, why
    assert read.parameters == {tool["name"]: tool["parameters"] for tool in canonical}
    assert read_toolset(read.text) == read, "canonical tools are read as themselves"


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
    ([CITY, {**CITY, "description": "Another."}], "tools[1].name", "two tools of one name"),
    (
        [takes("parameters", {"city": {"enum": "a, b"}})],
        "tools[0].parameters.properties.city.enum",
        "an enum in words",
    ),
    (
        [takes("parameters", {"type": "object", "properties": ["city"]})],
        "tools[0].parameters.properties",
        "properties without names",
    ),
    (
        [takes("parameters", {"type": "object", "properties": {"city": ["string"]}})],
        "tools[0].parameters.properties.city",
        "a property that is a list",
    ),
    (
        [takes("parameters", {**SCHEMA, "required": [1]})],
        "tools[0].parameters.required",
        "a number is required",
    ),
    ([takes("parameters", ["city"])], "tools[0].parameters[0]", "a list of names"),
    (
        [{"toolSpec": takes("inputSchema", {"json": "{"})}],
        "tools[0].inputSchema.json",
        "a broken JSON string",
    ),
]


@pytest.mark.parametrize(("given", "field", "why"), BAD_TOOLS)
def test_bad_tools_name_their_place(given: Any, field: str, why: str) -> None:
    with pytest.raises(RowError) as caught:
        read_tools(given)
    assert caught.value.field == field, why


TEXTS: list[tuple[Any, str, str]] = [
    ([{**CITY, "name": "a\x07"}], "tools[0].name", "a control character in a name"),
    ([{**CITY, "description": "<|im_start|>"}], "tools[0].description", "a template's marker"),
    (
        [takes("parameters", {"type": "object", "properties": {"a": {"enum": ["\ud800"]}}})],
        "tools[0].parameters.properties.a.enum[0]",
        "half a character, deep within",
    ),
    (
        [takes("parameters", {"type": "object", "properties": {"\x7f": {}}})],
        "tools[0].parameters.properties",
        "a key",
    ),
]


@pytest.mark.parametrize(("given", "field", "why"), TEXTS)
def test_tools_hold_nothing_that_is_no_text(given: Any, field: str, why: str) -> None:
    with pytest.raises(RowError) as caught:
        read_toolset(given)
    assert caught.value.field == field, why


KEYWORDS = st.sampled_from(
    ["type", "properties", "required", "enum", "items", "anyOf", "optional", "description", "default", "a"]
)
NAMES = st.sampled_from(
    ["dict", "List[int]", "Optional[str]", "any", "tuple", "int | None", "Union[str", "list("]
)
SCHEMA_LIKE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text("ab[](),|", max_size=8) | NAMES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYWORDS, inner, max_size=4),
    max_leaves=12,
)


@example({"required": ["name that no property describes"]})
@given(SCHEMA_LIKE)
def test_whatever_parameters_are_they_are_a_schema_or_a_named_rejection(value: Any) -> None:
    try:
        tools = read_tools([takes("parameters", value)])
    except RowError as error:
        assert error.field.startswith("tools[0].parameters")
    else:
        assert tools[0]["parameters"]["type"] == "object"
        assert read_tools(json.dumps(tools)) == tools, "a second reading changes nothing"
