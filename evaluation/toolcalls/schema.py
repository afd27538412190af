"""Whether arguments fit a tool's parameters: types, required, enum, nested objects and lists.

Reads JSON Schema and the dialects that tool lists are written in (`dict`, `float`, `str`, …). Keywords
beyond these are not checked.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

Violation = Literal["wrong_type", "schema_violation"]

_DIALECTS = {
    "str": "string",
    "int": "integer",
    "float": "number",
    "double": "number",
    "bool": "boolean",
    "list": "array",
    "tuple": "array",
    "dict": "object",
    "none": "null",
}


def fits_parameters(parameters: Mapping[str, Any], arguments: Mapping[str, Any]) -> bool:
    """Tell whether a call's arguments are valid under the tool's parameters."""
    return violation_of({**parameters, "type": "object"}, arguments) is None


def violation_of(schema: Any, value: Any) -> Violation | None:
    """Find the first way in which `value` breaks `schema`, or None."""
    if not isinstance(schema, Mapping):
        return None
    if not _has_type(schema.get("type"), value):
        return "wrong_type"
    if "enum" in schema and isinstance(schema["enum"], list) and value not in schema["enum"]:
        return "schema_violation"
    if isinstance(value, Mapping):
        return _violation_of_object(schema, value)
    if isinstance(value, list):
        found = (violation_of(schema.get("items"), item) for item in value)
        return next((violation for violation in found if violation), None)
    return None


def _violation_of_object(schema: Mapping[str, Any], value: Mapping[str, Any]) -> Violation | None:
    required = schema.get("required")
    if isinstance(required, list) and any(name not in value for name in required):
        return "schema_violation"
    properties = schema.get("properties")
    properties = properties if isinstance(properties, Mapping) else {}
    if schema.get("additionalProperties") is False and any(name not in properties for name in value):
        return "schema_violation"
    found = (violation_of(properties.get(name), item) for name, item in value.items())
    return next((violation for violation in found if violation), None)


def _has_type(declared: Any, value: Any) -> bool:
    if isinstance(declared, list):
        return any(_has_type(one, value) for one in declared)
    if not isinstance(declared, str):
        return True
    name = _DIALECTS.get(declared.lower(), declared.lower())
    if name in ("integer", "number"):
        return _is_number(value) and (name == "number" or float(value).is_integer())
    kinds: dict[str, type | tuple[type, ...]] = {
        "string": str,
        "boolean": bool,
        "array": list,
        "object": Mapping,
        "null": type(None),
    }
    return isinstance(value, kinds.get(name, object))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
