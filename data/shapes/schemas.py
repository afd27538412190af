"""The parameters of tools, in the dialects that public rows use, as JSON Schema.

Normalised: type names (`dict`, `float`, `List[int]`), `required` or `optional` said inside a property, a bare
map or list of parameters without the object around it, a property given as its type's name alone.
"""

from collections.abc import Mapping
from typing import Any

from data.rows import RowError
from data.shapes.type_names import schema_of_type
from evaluation.toolcalls.schemas.type_names import TYPES

# A schema stands behind these keywords, by name, alone or in a list.
BY_NAME = frozenset(("$defs", "definitions", "patternProperties", "dependentSchemas"))
ALONE = frozenset(("items", "additionalProperties", "not", "contains", "propertyNames", "if", "then", "else"))
LISTED = frozenset(("anyOf", "oneOf", "allOf", "prefixItems"))
DEFINITIONS = frozenset(("properties", "$ref", "$defs", "definitions"))
# Most schemas are done with these, and need no reading.
SIMPLE = frozenset(("type", "description", "default", "title", "format"))
JSON_TYPES = frozenset(TYPES.values())
TRUE, FALSE = (True, "true", "True", "yes"), (False, "false", "False", "no")


def read_parameters(value: object, field: str) -> dict[str, Any]:
    """Read a tool's parameters as a schema of type object. Raises RowError naming the property at fault."""
    if value is None or value in ({}, []):
        return {"type": "object", "properties": {}}
    if isinstance(value, list):
        value = {"type": "object", "properties": _by_name(value, field)}
    if not isinstance(value, dict):
        raise RowError(field, "is not an object", "give a JSON Schema of type object")
    if _is_bare(value):
        required = value.get("required")
        listed = {"required": required} if isinstance(required, list) else {}
        named = {name: part for name, part in value.items() if name not in listed}
        value = {"type": "object", "properties": named, **listed}
    schema = normalise_schema(value, field)
    if schema.get("type", "object") != "object":
        raise RowError(field, "is not a schema of type object", "give properties by name under type object")
    properties = schema.get("properties", {})
    return _settle_required({**schema, "type": "object", "properties": properties}, None)


def normalise_schema(schema: Mapping[str, Any], field: str = "schema") -> dict[str, Any]:
    """Bring a schema to JSON Schema's own words at every depth; a type nobody knows is left open.

    Raises RowError, with `field` and the way below it, for what no validator could read.

    >>> normalise_schema({"type": "dict", "properties": {"at": {"type": "float"}, "x": {"type": "any"}}})
    {'type': 'object', 'properties': {'at': {'type': 'number'}, 'x': {}}}
    >>> normalise_schema({"properties": {"city": {"type": "str", "required": True}}})
    {'properties': {'city': {'type': 'string'}}, 'required': ['city']}
    """
    if schema.keys() <= SIMPLE and isinstance(schema.get("type"), str) and schema["type"] in JSON_TYPES:
        return dict(schema)
    result: dict[str, Any] = {}
    for key, value in schema.items():
        if key == "type":
            result.update(_read_type(value, field))
        elif key == "properties":
            result[key] = _read_properties(value, f"{field}.properties")
        elif key == "enum":
            result.update(_read_enum(value, field))
        elif key == "required":
            result.update(_read_required(value, field))
        elif key == "optional" and value in (*TRUE, *FALSE):
            continue
        else:
            result[key] = _read_below(key, value, f"{field}.{key}")
    return _settle_required(result, schema.get("properties"))


def _read_below(key: str, value: Any, field: str) -> Any:
    if key in BY_NAME and isinstance(value, dict):
        return {name: _subschema(part, f"{field}.{name}") for name, part in value.items()}
    if key in ALONE and isinstance(value, dict | str):
        return _subschema(value, field)
    if (key in LISTED or key == "items") and isinstance(value, list):
        return [_subschema(part, f"{field}[{index}]") for index, part in enumerate(value)]
    return value


def _is_bare(value: Mapping[str, Any]) -> bool:
    """Whether a map holds parameters by name, as API lists publish them, and not a schema of them."""
    if DEFINITIONS & value.keys():
        return False
    return all(
        isinstance(part, dict) or (name == "required" and isinstance(part, list))
        for name, part in value.items()
    ) and any(isinstance(part, dict) for part in value.values())


def _by_name(listed: list[Any], field: str) -> dict[str, Any]:
    named: dict[str, Any] = {}
    for index, part in enumerate(listed):
        if not isinstance(part, dict) or not isinstance(part.get("name"), str):
            raise RowError(f"{field}[{index}]", "is not a parameter with a name", "give {name, type, …}")
        named[part["name"]] = {key: value for key, value in part.items() if key != "name"}
    return named


def _read_properties(value: object, field: str) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise RowError(field, "are not an object", "give the properties by name")
    return {name: _subschema(part, f"{field}.{name}") for name, part in value.items()}


def _subschema(value: object, field: str) -> dict[str, Any]:
    if isinstance(value, dict):
        return normalise_schema(value, field)
    if isinstance(value, str):
        # In the place of a schema, a type's name or else a description.
        return schema_of_type(value) or {"description": value}
    if value is None or value is True:
        return {}
    raise RowError(field, "is not a schema", 'give an object such as {"type": "string"}')


def _settle_required(schema: dict[str, Any], given: object) -> dict[str, Any]:
    """Lift what properties say of themselves to the object, and describe each name that is required.

    A required name that no property describes is an argument of any type to JSON Schema, and so here.
    """
    properties = schema.get("properties")
    if properties is None:
        return schema
    parts = given.items() if isinstance(given, dict) else ()
    lifted = [name for name, part in parts if isinstance(part, dict) and _says_required(part)]
    names = list(dict.fromkeys([*schema.get("required", ()), *lifted]))
    if names:
        schema["required"] = names
    for name in names:
        properties.setdefault(name, {})
    return schema


def _says_required(part: Mapping[str, Any]) -> bool:
    return part.get("required") in TRUE or part.get("optional") in FALSE


def _read_required(value: object, field: str) -> dict[str, Any]:
    """A list of names stays; what a property says of itself is lifted to its object instead."""
    if value is None or value in (*TRUE, *FALSE):
        return {}
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise RowError(f"{field}.required", "is not a list of names", "list the required parameters by name")
    return {"required": list(dict.fromkeys(value))}


def _read_enum(value: object, field: str) -> dict[str, Any]:
    """No value could be right under an empty list, so it and null say nothing."""
    if value is None or value == []:
        return {}
    if not isinstance(value, list):
        raise RowError(f"{field}.enum", "is not a list", "list the accepted values")
    return {"enum": value}


def _read_type(value: object, field: str) -> dict[str, Any]:
    if isinstance(value, dict):
        # A keyword's place taken by a schema: some rows nest `{"type": {"type": "string"}}`.
        return normalise_schema(value, field)
    if isinstance(value, list):
        known = [TYPES.get(str(part).lower()) for part in value]
        return {"type": known} if known and None not in known else {}
    return schema_of_type(str(value))
