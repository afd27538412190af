"""Tool descriptions, in the dialects that public rows use, as JSON Schema."""

import re
from collections.abc import Mapping
from typing import Any

from data.rows import RowError, read_json

Tool = dict[str, Any]

TYPES = {
    "string": "string",
    "str": "string",
    "integer": "integer",
    "int": "integer",
    "long": "integer",
    "number": "number",
    "float": "number",
    "double": "number",
    "boolean": "boolean",
    "bool": "boolean",
    "object": "object",
    "dict": "object",
    "map": "object",
    "hashmap": "object",
    "array": "array",
    "list": "array",
    "tuple": "array",
    "set": "array",
    "arraylist": "array",
    "null": "null",
}
# `List[int]`, `list(str)`, `Tuple[float, float]`.
GENERIC = re.compile(r"(\w+)\s*[\[(](.*)[\])]")
SCHEMA_KEYWORDS = frozenset(
    ("type", "properties", "required", "items", "anyOf", "oneOf", "allOf", "enum", "$ref", "$defs")
)


def read_tools(value: object, field: str = "tools") -> list[Tool]:
    """Read tools given as a list of objects, of JSON strings, or as one JSON string of either.

    An OpenAI wrapper (`{"type": "function", "function": …}`) is taken off. Names stay as given. Raises
    RowError naming the tool at fault.
    """
    listed = _parse(value, field)
    if listed is None:
        return []
    if not isinstance(listed, list):
        raise RowError(field, "is not a list", "give a list of {name, description, parameters}")
    return [_read_tool(tool, f"{field}[{index}]") for index, tool in enumerate(listed)]


def normalise_schema(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Bring a schema's type names to JSON Schema's, at every depth; a type nobody knows is left open.

    >>> normalise_schema({"type": "dict", "properties": {"at": {"type": "float"}, "x": {"type": "any"}}})
    {'type': 'object', 'properties': {'at': {'type': 'number'}, 'x': {}}}
    >>> normalise_schema({"type": "List[int], optional"})
    {'type': 'array', 'items': {'type': 'integer'}}
    """
    result: dict[str, Any] = {}
    for key, value in schema.items():
        if key == "type":
            result.update(_read_type(value))
        elif key in ("properties", "$defs", "definitions") and isinstance(value, Mapping):
            result[key] = {name: _subschema(part) for name, part in value.items()}
        elif key in ("items", "additionalProperties", "not") and isinstance(value, Mapping):
            result[key] = normalise_schema(value)
        elif key in ("anyOf", "oneOf", "allOf", "prefixItems") and isinstance(value, list):
            result[key] = [_subschema(part) for part in value]
        else:
            result[key] = value
    return result


def _read_tool(value: object, field: str) -> Tool:
    tool = _parse(value, field)
    if isinstance(tool, Mapping) and isinstance(tool.get("function"), Mapping):
        tool = tool["function"]
    if not isinstance(tool, Mapping):
        raise RowError(field, "is not an object", "give {name, description, parameters}")
    name = tool.get("name")
    if not isinstance(name, str) or not name.strip():
        raise RowError(f"{field}.name", "is absent or empty", "give the tool a name")
    description = tool.get("description") or ""
    if not isinstance(description, str):
        raise RowError(f"{field}.description", "is not a string", "describe the tool in a string")
    parameters = _read_parameters(tool.get("parameters"), f"{field}.parameters")
    return {"name": name, "description": description, "parameters": parameters}


def _read_parameters(value: object, field: str) -> dict[str, Any]:
    if value is None or value == {}:
        return {"type": "object", "properties": {}}
    if not isinstance(value, Mapping):
        raise RowError(field, "is not an object", "give a JSON Schema of type object")
    if not SCHEMA_KEYWORDS & value.keys() and all(isinstance(part, Mapping) for part in value.values()):
        # A bare map of parameters, as API lists publish it.
        return {"type": "object", "properties": {name: _subschema(part) for name, part in value.items()}}
    schema = normalise_schema(value)
    if schema.get("type", "object") != "object" or not isinstance(schema.get("properties", {}), Mapping):
        raise RowError(field, "is not a schema of type object", "give properties by name under type object")
    return {**schema, "type": "object", "properties": schema.get("properties", {})}


def _subschema(value: object) -> object:
    return normalise_schema(value) if isinstance(value, Mapping) else value


def _read_type(value: object) -> dict[str, Any]:
    if isinstance(value, Mapping):
        # A keyword's place taken by a schema: some rows nest `{"type": {"type": "string"}}`.
        return normalise_schema(value)
    if isinstance(value, list):
        known = [TYPES[str(part).lower()] for part in value if str(part).lower() in TYPES]
        return {"type": known} if len(known) == len(value) and known else {}
    name = str(value).removesuffix(", optional").strip()
    generic = GENERIC.fullmatch(name)
    known_name = TYPES.get((generic.group(1) if generic else name).lower())
    if known_name is None:
        return {}
    if generic is None or known_name != "array":
        return {"type": known_name}
    return {"type": "array", "items": _item_type(generic.group(2))}


def _item_type(inside: str) -> dict[str, Any]:
    parts = {part.strip() for part in inside.split(",")} - {"..."}
    return _read_type(parts.pop()) if len(parts) == 1 else {}


def _parse(value: object, field: str) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return read_json(value)
    except ValueError as error:
        raise RowError(field, f"is not JSON: {error}", "write it as JSON, with double quotes") from error
