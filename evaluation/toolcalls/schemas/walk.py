"""Whether a value fits a schema, keyword by keyword, and where it does not.

JSON Schema 2020-12, with drafts 4 to 7 where they are written otherwise (`definitions`, lists of `items`,
boolean exclusive bounds) and OpenAPI 3.0's `nullable`. A keyword whose value has the wrong shape says
nothing: schemas come with the data, too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from evaluation.toolcalls.schemas.bounds import broken_number_bound, broken_size
from evaluation.toolcalls.schemas.combinations import COMBINATIONS, COMBINING, Schema
from evaluation.toolcalls.schemas.identity import identity_of
from evaluation.toolcalls.schemas.scope import MAX_DEPTH, Breach, Scope
from evaluation.toolcalls.schemas.type_names import has_type
from evaluation.toolcalls.schemas.unchecked import UNCHECKED

Check = Callable[[Schema, Any, Scope], Breach | None]

# A longer enum is read once into a set: the value may be a long list of texts to be found in it.
_SHORT_ENUM = 32
_WRONG_TYPE = Breach("wrong_type", (), "type")
_NOTHING: Schema = MappingProxyType({})


def find_breach(schema: Any, value: Any, scope: Scope) -> Breach | None:
    """Find the first breach; never raises, in time bounded by the sizes of the schema and the value."""
    if schema.__class__ is not dict and not isinstance(schema, Mapping):
        if schema is False:
            return Breach("schema_violation", (), "false")
        scope.doubts += schema is not True
        return None
    declared = schema.get("type")
    if (
        declared is not None
        and not has_type(declared, value)
        and not (value is None and schema.get("nullable") is True)
    ):
        return _WRONG_TYPE
    return None if _BEYOND_TYPE.isdisjoint(schema) else find_breach_beyond_type(schema, value, scope)


def find_breach_beyond_type(schema: Schema, value: Any, scope: Scope) -> Breach | None:
    """Find the first breach of any keyword but `type`."""
    if scope.depth >= MAX_DEPTH:
        scope.doubts += 1
        return None
    if not _MEMBERS.isdisjoint(schema) and (keyword := _broken_membership(schema, value, scope)):
        return Breach("schema_violation", (), keyword)
    scope.depth += 1
    check = _CHECKS.get(value.__class__) or _check_of(value)
    breach = check(schema, value, scope)
    if not COMBINING.isdisjoint(schema):
        for keyword, combine in COMBINATIONS:
            if breach is None and keyword in schema:
                breach = combine(find_breach, schema, value, scope)
    scope.depth -= 1
    scope.doubts += not UNCHECKED.isdisjoint(schema)
    return breach


def _broken_membership(schema: Schema, value: Any, scope: Scope) -> str | None:
    members = schema.get("enum")
    if isinstance(members, list) and not _is_member(value, members, scope):
        return "enum"
    if "const" in schema and identity_of(schema["const"]) != identity_of(value):
        return "const"
    return None


def _is_member(value: Any, members: list[Any], scope: Scope) -> bool:
    if len(members) <= _SHORT_ENUM:
        if value.__class__ is str:
            return value in members
        own = identity_of(value)
        return any(identity_of(member) == own for member in members)
    known = scope.enums.get(id(members))
    if known is None:
        known = scope.enums[id(members)] = frozenset(map(identity_of, members))
    return identity_of(value) in known


def _find_nothing(schema: Schema, value: Any, scope: Scope) -> None:
    """No keyword of its own bounds a boolean or null."""


def _find_in_text(schema: Schema, value: Any, scope: Scope) -> Breach | None:
    keyword = broken_size(schema, len(value), "minLength", "maxLength")
    return Breach("schema_violation", (), keyword) if keyword else None


def _find_in_number(schema: Schema, value: Any, scope: Scope) -> Breach | None:
    keyword = broken_number_bound(schema, value)
    return Breach("schema_violation", (), keyword) if keyword else None


def _find_in_list(schema: Schema, value: Any, scope: Scope) -> Breach | None:
    keyword = broken_size(schema, len(value), "minItems", "maxItems")
    if keyword is None and schema.get("uniqueItems") is True:
        keyword = "uniqueItems" if len(set(map(identity_of, value))) < len(value) else None
    if keyword:
        return Breach("schema_violation", (), keyword)
    first, rest = item_schemas(schema)
    for index, item in enumerate(value if rest is not None else value[: len(first)]):
        breach = find_breach(first[index] if index < len(first) else rest, item, scope)
        if breach:
            return _below(index, breach)
    return None


def item_schemas(schema: Schema) -> tuple[list[Any], Any]:
    """Return the schemas of a list's first items, and the one of all others, None where there is none."""
    items, prefix = schema.get("items"), schema.get("prefixItems")
    if isinstance(items, list):
        return (prefix, None) if isinstance(prefix, list) else (items, schema.get("additionalItems"))
    return (prefix if isinstance(prefix, list) else []), items


def _find_in_object(schema: Schema, value: Any, scope: Scope) -> Breach | None:
    required = schema.get("required")
    if isinstance(required, list):
        for name in required:
            if name.__class__ is str and name not in value:
                return Breach("schema_violation", (), "required")
    properties = schema.get("properties", _NOTHING)
    if properties.__class__ is not dict and not isinstance(properties, Mapping):
        properties = _NOTHING
    rest = None
    if not _RARE_OF_OBJECTS.isdisjoint(schema):
        rest = other_properties(schema)
        keyword = _broken_names(schema, properties, rest, value)
        if keyword:
            return Breach("schema_violation", (), keyword)
    for name, item in value.items():
        part = properties.get(name, rest)
        breach = find_breach(part, item, scope) if part is not None else None
        if breach:
            return _below(name, breach)
    return None


def other_properties(schema: Schema) -> Any:
    """Return the schema of what `properties` does not name, or None; patterns might name it."""
    rest = schema.get("additionalProperties")
    is_schema = rest is False or isinstance(rest, Mapping)
    return rest if is_schema and not schema.get("patternProperties") else None


def _broken_names(schema: Schema, properties: Schema, rest: Any, value: Mapping[str, Any]) -> str | None:
    if rest is False and not value.keys() <= properties.keys():
        return "additionalProperties"
    dependent = schema.get("dependentRequired")
    if isinstance(dependent, Mapping):
        needed = (names for name, names in dependent.items() if name in value and isinstance(names, list))
        if any(isinstance(name, str) and name not in value for names in needed for name in names):
            return "dependentRequired"
    return broken_size(schema, len(value), "minProperties", "maxProperties")


def _below(place: str | int, breach: Breach) -> Breach:
    return Breach(breach.kind, (place, *breach.path), breach.keyword)


def _check_of(value: Any) -> Check:
    kinds = ((str, _find_in_text), (int | float, _find_in_number), (list, _find_in_list))
    found = (check for kind, check in kinds if isinstance(value, kind))
    return next(found, _find_in_object if isinstance(value, Mapping) else _find_nothing)


_CHECKS: dict[type, Check] = {
    dict: _find_in_object,
    str: _find_in_text,
    int: _find_in_number,
    float: _find_in_number,
    bool: _find_nothing,
    type(None): _find_nothing,
    list: _find_in_list,
}
_RARE_OF_OBJECTS = frozenset(("additionalProperties", "dependentRequired", "maxProperties", "minProperties"))
_MEMBERS = frozenset(("enum", "const"))
_OWN = """
    minimum maximum exclusiveMinimum exclusiveMaximum multipleOf minLength maxLength minItems maxItems
    uniqueItems items prefixItems additionalItems minProperties maxProperties required dependentRequired
    properties additionalProperties
"""
_BEYOND_TYPE = UNCHECKED | COMBINING | _MEMBERS | frozenset(_OWN.split())
