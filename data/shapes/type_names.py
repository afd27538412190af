"""The names that tool lists give to types, Python's and Java's among them, as JSON Schema."""

import re
from collections.abc import Iterable
from typing import Any

from evaluation.toolcalls.schemas.type_names import TYPES

# `List[int]`, `list(str)`, `Tuple[float, float]`, `typing.Optional[str]`.
GENERIC = re.compile(r"(?:typing\.)?(\w+)\s*[\[(](.*)[\])]", re.DOTALL)
OPENING, CLOSING = "[(", "])"
# Brackets are read level by level, so a longer text, which names no type, would take long.
MAX_CHARACTERS = 1000


def schema_of_type(name: str) -> dict[str, Any]:
    """Bring a type's name to a schema; a type nobody knows is left open: `{}`.

    >>> schema_of_type("Optional[List[int]]")
    {'anyOf': [{'type': 'array', 'items': {'type': 'integer'}}, {'type': 'null'}]}
    >>> schema_of_type("str | int"), schema_of_type("any")
    ({'type': ['string', 'integer']}, {})
    """
    name = name.strip().removesuffix(", optional").strip()
    known = TYPES.get(name.lower())
    if known is not None:
        return {"type": known}
    if len(name) > MAX_CHARACTERS:
        return {}
    alternatives = _split(name, "|")
    if len(alternatives) > 1:
        return _union(map(schema_of_type, alternatives))
    if name.endswith("[]"):
        return {"type": "array", "items": schema_of_type(name[:-2])}
    generic = GENERIC.fullmatch(name)
    return {} if generic is None else _read_generic(generic.group(1).lower(), _split(generic.group(2), ","))


def _read_generic(head: str, inside: list[str]) -> dict[str, Any]:
    if head == "union":
        return _union(map(schema_of_type, inside))
    if head == "optional":
        return _union([*map(schema_of_type, inside), {"type": "null"}])
    known = TYPES.get(head)
    if known == "array":
        kinds = {part for part in inside if part != "..."}
        return {"type": "array", "items": schema_of_type(kinds.pop()) if len(kinds) == 1 else {}}
    if known == "object" and len(inside) == 2:
        return {"type": "object", "additionalProperties": schema_of_type(inside[1])}
    return {} if known is None else {"type": known}


def _union(schemas: Iterable[dict[str, Any]]) -> dict[str, Any]:
    different: list[dict[str, Any]] = []
    for schema in schemas:
        if schema not in different:
            different.append(schema)
    if {} in different or not different:
        return {}
    if len(different) == 1:
        return different[0]
    if all(schema.keys() == {"type"} and isinstance(schema["type"], str) for schema in different):
        return {"type": [schema["type"] for schema in different]}
    return {"anyOf": different}


def _split(text: str, separator: str) -> list[str]:
    """Split at the separators that no bracket encloses."""
    parts, depth, start = [], 0, 0
    for at, sign in enumerate(text):
        depth += (sign in OPENING) - (sign in CLOSING)
        if sign == separator and depth == 0:
            parts.append(text[start:at])
            start = at + 1
    return [part.strip() for part in (*parts, text[start:])]
