"""Whether arguments fit a tool's parameters: JSON Schema as tools use it.

Checked: types, unions of them, and the names that tool lists give to types (`dict`, `float`, `str`, …);
`nullable`; enum and const; bounds of numbers, lengths and sizes; uniqueItems; nested properties, required,
additionalProperties, dependentRequired; items and prefixItems; anyOf, oneOf, allOf, not, if; `$ref` within
the schema. The verdict is that of the `jsonschema` library, save that multiples are decimal (19.99 is one
of 0.01) and that a repeated item is found wherever it stands ([[1], [true], [1]]).
What is not checked, `unsupported_keywords` names: it never condemns a value.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evaluation.toolcalls.schemas.scope import Breach, Scope, Violation
from evaluation.toolcalls.schemas.unchecked import unsupported_keywords
from evaluation.toolcalls.schemas.walk import find_breach, find_breach_beyond_type

__all__ = [
    "Breach",
    "Violation",
    "first_violation",
    "fits_parameters",
    "fits_plainly",
    "unsupported_keywords",
    "violation_of",
]


def fits_parameters(parameters: Mapping[str, Any], arguments: Mapping[str, Any]) -> bool:
    """Tell whether a call's arguments are valid under the tool's parameters, whatever type these declare.

    >>> fits_parameters({"properties": {"days": {"type": "integer"}}, "required": ["days"]}, {"days": 2})
    True
    """
    return fits_plainly(parameters, arguments) or (
        find_breach_beyond_type(parameters, arguments, Scope(parameters)) is None
    )


def fits_plainly(parameters: Mapping[str, Any], arguments: Mapping[str, Any]) -> bool:
    """Tell whether arguments surely fit, because the keywords are the few that most tools are written with.

    True only if every argument is declared too. False says nothing.
    """
    properties, required = parameters.get("properties"), parameters.get("required", _NONE)
    if (
        properties.__class__ is not dict
        or required.__class__ is not list
        or not _PLAIN.issuperset(parameters)
    ):
        return False
    for name in required:
        if name.__class__ is not str or name not in arguments:
            return False
    for name, value in arguments.items():
        part = properties.get(name)
        if part.__class__ is not dict or not _PLAIN_OF_ARGUMENTS.issuperset(part):
            return False
        declared = part.get("type")
        if declared.__class__ is not str or _KINDS.get(declared) is not value.__class__:
            return False
    return True


def violation_of(schema: Any, value: Any, root: Any = None) -> Violation | None:
    """Tell how `value` breaks `schema`: its type (or a part's), another keyword, or not at all.

    `root`: the schema that `$ref` begins from, where `schema` is only a part of it.

    >>> violation_of({"type": "integer", "minimum": 1}, "1"), violation_of({"minimum": 1}, 0)
    ('wrong_type', 'schema_violation')
    """
    breach = find_breach(schema, value, Scope(schema if root is None else root))
    return breach.kind if breach else None


def first_violation(schema: Any, value: Any, root: Any = None) -> Breach | None:
    """Find the first way in which `value` breaks `schema`, with its place and its keyword, or None.

    >>> first_violation({"properties": {"at": {"items": {"maximum": 9}}}}, {"at": [5, 10]})
    Breach(kind='schema_violation', path=('at', 1), keyword='maximum')
    """
    return find_breach(schema, value, Scope(schema if root is None else root))


_NONE: list[str] = []
_PLAIN = frozenset(("type", "properties", "required", "description", "title"))
_PLAIN_OF_ARGUMENTS = frozenset(("type", "description", "title", "default"))
_KINDS = {"string": str, "integer": int, "number": float, "boolean": bool}
