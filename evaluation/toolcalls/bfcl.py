"""Whether BFCL's checker accepts an argument: its rules to the letter, so that figures can be compared.

After `ast_checker` of `bfcl-eval` 2026.3.23. Kept, though the default rules know better: a string is compared
without blanks, case and ``,./-_*^``, so that 1.5 is 15; below the first level of a list, and in the values of
an object, true is 1 and strings are not normalised; an optional list may be empty. Where the checker dies of
an exception, nothing is accepted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from evaluation.toolcalls.languages import KINDS, literal_types, read_literal
from evaluation.toolcalls.values import bfcl_text

# JSON Schema's names, and BFCL's own; what has no type is `any` there, which is a string.
_TYPES: Mapping[str, type] = {
    "integer": int,
    "number": float,
    "float": float,
    "boolean": bool,
    "array": list,
    "tuple": list,
    "object": dict,
    "dict": dict,
}


class _Expected(NamedTuple):
    """The type of an argument, and of a list's elements where they are looked at."""

    outer: type
    element: type | None


def is_bfcl_value(accepted: Sequence[Any], value: Any, schema: Any, language: str | None) -> bool:
    """Tell whether the checker takes `value` for an argument with these accepted values.

    `schema`: the argument's own. `language`: `java` or `javascript` where values are its literals in strings.
    """
    schema = schema if isinstance(schema, Mapping) else {}
    if language is None:
        return _is_accepted(accepted, value, _expected(schema), widens=True)
    if not isinstance(value, str):
        return False
    kind, element = literal_types(schema.get("description"), language)
    expected = _Expected(KINDS.get(kind, str), None if element is None else KINDS.get(element, str))
    return _is_accepted(accepted, read_literal(value, kind, element, language), expected, widens=False)


def _expected(schema: Mapping[str, Any]) -> _Expected:
    outer = _type_of(schema)
    items = schema.get("items")
    return _Expected(outer, _type_of(items) if outer is list and isinstance(items, Mapping) else None)


def _type_of(schema: Mapping[str, Any]) -> type:
    name = schema.get("type")
    return _TYPES.get(name, str) if isinstance(name, str) else str


def _is_accepted(accepted: Sequence[Any], value: Any, expected: _Expected, *, widens: bool) -> bool:
    if widens and expected.outer is float and type(value) is int:
        value = _float(value)
    stands_for = _first_type(accepted)
    if type(value) is expected.outer:
        if expected.element is not None and not _has_elements(accepted, value, expected.element):
            return False
    elif type(value) is not stands_for:
        return False
    # An accepted value of another type than the schema's is the name of a variable, and is taken as it is.
    if stands_for not in (None, expected.outer) or type(value) is not expected.outer:
        return value in accepted
    return any(_is_same(one, value, expected) for one in accepted)


def _is_same(accepted: Any, value: Any, expected: _Expected) -> bool:
    if isinstance(value, dict):
        return accepted != "" and _is_object(accepted, value)
    if isinstance(value, list):
        if expected.element is dict:
            return _is_list_of_objects(accepted, value)
        return isinstance(accepted, list | str) and _normal(value) == _normal(accepted)
    if isinstance(value, str):
        return isinstance(accepted, str) and bfcl_text(accepted) == bfcl_text(value)
    return bool(value == accepted)


def _float(value: int) -> float | int:
    try:
        return float(value)
    except OverflowError:
        return value


def _first_type(accepted: Sequence[Any]) -> type | None:
    return next((type(one) for one in accepted if one != ""), None)


def _has_elements(accepted: Sequence[Any], value: Any, element: type) -> bool:
    """Whether the elements have the type that the schema, or the first element of an accepted list, has."""
    for one in accepted:
        if not isinstance(one, list):
            return True
        also = _first_type(one)
        if all(type(item) is element or type(item) is also for item in value):
            return True
    return False


def _is_object(accepted: Any, value: Mapping[str, Any]) -> bool:
    if not isinstance(accepted, Mapping):
        return False
    for key, item in value.items():
        choices = accepted.get(key, ())
        if not isinstance(choices, list | str) or _normal_item(item) not in _normal(choices):
            return False
    return all(
        key in value or (isinstance(choices, list | str | dict) and "" in choices)
        for key, choices in accepted.items()
    )


def _is_list_of_objects(accepted: Any, value: Sequence[Any]) -> bool:
    return (
        isinstance(accepted, list | str)
        and len(accepted) == len(value)
        and all(
            isinstance(item, Mapping) and _is_object(one, item)
            for one, item in zip(accepted, value, strict=True)
        )
    )


def _normal(values: Sequence[Any]) -> list[Any]:
    return [_normal_item(item) for item in values]


def _normal_item(value: Any) -> Any:
    return bfcl_text(value) if isinstance(value, str) else value
