"""The names that tool lists give to JSON's types, and whether a value has one of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# JSON Schema's own, and those of Python, Java and JavaScript, in lower case.
TYPES = {
    "string": "string",
    "str": "string",
    "char": "string",
    "integer": "integer",
    "int": "integer",
    "long": "integer",
    "short": "integer",
    "byte": "integer",
    "bigint": "integer",
    "number": "number",
    "float": "number",
    "double": "number",
    "boolean": "boolean",
    "bool": "boolean",
    "object": "object",
    "dict": "object",
    "dictionary": "object",
    "mapping": "object",
    "map": "object",
    "hashmap": "object",
    "array": "array",
    "list": "array",
    "sequence": "array",
    "tuple": "array",
    "set": "array",
    "arraylist": "array",
    "null": "null",
    "none": "null",
    "nonetype": "null",
}
_CLASSES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict, Mapping),
    "null": (type(None),),
}
_BY_NAME = {name: _CLASSES[type_name] for name, type_name in TYPES.items()}
_INTEGER = _CLASSES["integer"]


def has_type(declared: Any, value: Any) -> bool:
    """Tell whether a value has the declared type, or one of a list of them.

    5.0 is an integer and True no number, as in JSON Schema. A name nobody knows, `any` among them, takes
    every value, and so does what is no name.

    >>> has_type("integer", 5.0), has_type(["dict", "null"], None), has_type("any", 5)
    (True, True, True)
    """
    if declared.__class__ is str:
        classes = _BY_NAME.get(declared) or _BY_NAME.get(declared.lower())
        return classes is None or value.__class__ in classes or _has_class(classes, value)
    if not isinstance(declared, list) or not declared:
        return True
    return any(not isinstance(name, str) or has_type(name, value) for name in declared)


def _has_class(classes: tuple[type, ...], value: Any) -> bool:
    if isinstance(value, bool):
        return False
    return isinstance(value, classes) or (
        classes is _INTEGER and isinstance(value, float) and value.is_integer()
    )
