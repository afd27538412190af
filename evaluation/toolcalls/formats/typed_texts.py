"""A value that a format writes as plain text, read by the type that the tool's schema gives it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evaluation.toolcalls.formats.json_values import Fault, decode_value
from evaluation.toolcalls.formats.python_values import read_python_value

STRINGS = frozenset({"string", "str", "text", "char", "varchar"})
BOOLEANS = frozenset({"boolean", "bool"})
CONTAINERS = frozenset({"object", "dict", "array", "list", "tuple"})
NULLS = frozenset({"null", "none"})
# How deep unions are followed: schemas of tools nest one or two.
MAX_UNIONS = 4


def read_typed(text: str, schema: Any) -> Any:
    """Read a parameter's text as its schema says, as the parsers of Qwen and vLLM do.

    A string stays a text. A boolean may be ``true`` or ``True``, nothing is ``null`` or ``None``, and the
    rest is JSON or, where that fails, a Python literal. What cannot be read so stays a text, and fails the
    schema later. Without a type (no tools given, an unknown parameter) a text stands for the JSON value it
    spells, if it spells one, and for itself otherwise. Never raises.
    """
    types = _types(schema, MAX_UNIONS)
    word = text.strip().lower()
    if word in NULLS and (not types & STRINGS or types & NULLS):
        return None
    if types & STRINGS:
        return _container(text, types) if types & CONTAINERS else text
    if types and types <= BOOLEANS | NULLS:
        return {"true": True, "false": False}.get(word, text)
    return _literal(text)


def _types(schema: Any, depth: int) -> set[str]:
    if not isinstance(schema, Mapping):
        return set()
    if isinstance(schema.get("enum"), list) and "type" not in schema:
        return {"string"} if all(isinstance(value, str) for value in schema["enum"]) else set()
    named = schema.get("type")
    found = {
        name.lower() for name in (named if isinstance(named, list) else [named]) if isinstance(name, str)
    }
    if schema.get("nullable") is True:
        found.add("null")
    for keyword in ("anyOf", "oneOf"):
        members = schema.get(keyword)
        for member in members if isinstance(members, list) and depth else ():
            found |= _types(member, depth - 1)
    return found


def _container(text: str, types: set[str]) -> Any:
    value = _literal(text) if text.lstrip()[:1] in ("{", "[") else text
    return value if isinstance(value, dict | list) else text


def _literal(text: str) -> Any:
    for read in (decode_value, read_python_value):
        try:
            return read(text)
        except Fault:
            continue
    return text
