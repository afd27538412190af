"""A tool's parameters as llguidance can hold a model to them, never wider than the grader reads them.

What differs from the row's schema: names that tool lists give to types (`float`, `dict`) are JSON Schema's;
an object that names its properties takes no others, for an argument that the tool does not declare is wrong;
numbers have at most 16 digits before the point and 9 behind it, and values without a schema at most 3 levels,
since the parser refuses endless digits and nesting; a `format` that llguidance does not know is left out, as
JSON Schema allows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evaluation.toolcalls.schemas.bounds import is_number
from evaluation.toolcalls.schemas.type_names import TYPES

Schema = dict[str, Any]

LEVELS_WITHOUT_SCHEMA = 3
LARGEST_NUMBER = 10**15
SMALLEST_STEP = 1e-9
# https://github.com/guidance-ai/llguidance/blob/main/docs/json_schema.md
FORMATS = frozenset(
    ("date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid", "uri")
)
# What says nothing about a value, or would change where a `$ref` leads.
_IDLE = frozenset(("$schema", "$id", "$anchor", "$comment", "title", "description", "default", "examples"))
_NAMED_PARTS = ("properties", "patternProperties", "$defs", "definitions")
_COMBINATIONS = ("anyOf", "oneOf", "allOf")
_SAYS_WHICH = frozenset(("type", "enum", "const", "$ref", "not", "if", *_COMBINATIONS))
# Beside one of these, a part of a combination does not say all there is about a value.
_BESIDE = frozenset(("properties", "patternProperties", "required", "additionalProperties", "$ref"))
_TYPE_OF_KEYWORD = {
    "object": {"properties", "required", "additionalProperties", "patternProperties", "minProperties"},
    "array": {"items", "prefixItems", "minItems", "maxItems", "uniqueItems"},
    "number": {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"},
    "string": {"minLength", "maxLength", "pattern", "format"},
}


def values_without_schema() -> dict[str, Schema]:
    """The definitions `any0`, scalars alone, to `any3` for values of as many levels as the digit says."""
    scalars = [{"type": "string"}, _bounded({"type": "number"}), {"type": "boolean"}, {"type": "null"}]
    made: dict[str, Schema] = {"any0": {"anyOf": scalars}}
    for level in range(1, LEVELS_WITHOUT_SCHEMA + 1):
        below = _any(level - 1)
        objects = {"type": "object", "additionalProperties": below}
        made[f"any{level}"] = {"anyOf": [*scalars, {"type": "array", "items": below}, objects]}
    return made


def enforceable_parameters(parameters: Any, root: str) -> Schema:
    """Rewrite a tool's parameters; `root` is the pointer to where they will stand in a larger schema."""
    given = dict(parameters) if isinstance(parameters, Mapping) else {}
    given.setdefault("properties", {})
    made: Schema = _enforceable({**given, "type": "object"}, root, is_whole=True)
    return made


def _enforceable(schema: Any, root: str, *, is_whole: bool) -> Any:
    """Rewrite a schema and all below; not `is_whole` where another schema speaks about the same value."""
    if not isinstance(schema, Mapping):
        return _any() if schema is True and is_whole else schema
    made = _well_formed(schema)
    if isinstance(made.get("$ref"), str) and made["$ref"].startswith("#"):
        made["$ref"] = root + made["$ref"][1:]
    if is_whole and _SAYS_WHICH.isdisjoint(made):
        implied = [name for name, keywords in _TYPE_OF_KEYWORD.items() if made.keys() & keywords]
        if not implied:
            return _any()
        made["type"] = implied
    _rewrite_parts(made, root, is_whole=is_whole)
    if is_whole and not made.keys() & _COMBINATIONS:
        _close(made)
    return _bounded(made)


def _well_formed(schema: Mapping[str, Any]) -> Schema:
    """Copy a schema less the keywords that say nothing, with types by JSON Schema's names."""
    made = {key: value for key, value in schema.items() if key not in _IDLE}
    named = made.pop("type", None)
    names = [TYPES.get(name.lower()) for name in _listed(named) if isinstance(name, str)]
    # A name that nobody knows takes every value.
    if names and None not in names:
        made["type"] = names[0] if len(names) == 1 else list(dict.fromkeys(names))
    if not isinstance(made.get("required", []), list):
        del made["required"]
    if not isinstance(made.get("properties", {}), Mapping):
        del made["properties"]
    if made.get("format") not in FORMATS:
        made.pop("format", None)
    for bound, exclusive in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
        # Draft 4 and OpenAPI 3.0 say that the other bound is exclusive.
        if isinstance(made.get(exclusive), bool) and made.pop(exclusive) and bound in made:
            made[exclusive] = made.pop(bound)
    if isinstance(made.get("items"), list):
        first = made.pop("items")
        made["prefixItems"], made["items"] = first, made.pop("additionalItems", True)
    return made


def _rewrite_parts(made: Schema, root: str, *, is_whole: bool) -> None:
    for keyword in _NAMED_PARTS:
        if isinstance(made.get(keyword), Mapping):
            parts = made[keyword].items()
            made[keyword] = {name: _enforceable(part, root, is_whole=is_whole) for name, part in parts}
    for keyword in ("items", "additionalProperties"):
        if keyword in made:
            made[keyword] = _enforceable(made[keyword], root, is_whole=is_whole)
    if isinstance(made.get("prefixItems"), list):
        made["prefixItems"] = [_enforceable(part, root, is_whole=is_whole) for part in made["prefixItems"]]
    alone = is_whole and _BESIDE.isdisjoint(made)
    for keyword in _COMBINATIONS:
        if isinstance(made.get(keyword), list):
            speaks_alone = alone and (keyword != "allOf" or len(made[keyword]) == 1)
            made[keyword] = [_enforceable(part, root, is_whole=speaks_alone) for part in made[keyword]]


def _close(made: Schema) -> None:
    types = _listed(made.get("type"))
    if "object" in types and "additionalProperties" not in made:
        made["additionalProperties"] = False if "properties" in made else _any()
    if "array" in types and "items" not in made:
        made["items"] = _any()


def _bounded(made: Schema) -> Schema:
    types = _listed(made.get("type"))
    if not {"number", "integer"}.intersection(types) or "enum" in made or "const" in made:
        return made
    limits = {"minimum": -LARGEST_NUMBER, "maximum": LARGEST_NUMBER}
    given: list[Any] = [made.get(key) for key in (*limits, "exclusiveMinimum", "exclusiveMaximum")]
    if any(is_number(bound) and abs(bound) >= LARGEST_NUMBER for bound in given):
        limits = {}
    bounded = {**limits, **made}
    if "number" in types:
        bounded.setdefault("multipleOf", SMALLEST_STEP)
    return bounded


def _any(level: int = LEVELS_WITHOUT_SCHEMA) -> Schema:
    return {"$ref": f"#/$defs/any{level}"}


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
