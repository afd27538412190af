"""Check a service call's parameters against the service's own model: members, types, enums, patterns, bounds.

botocore itself checks members, types and minima only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import botocore.session
from botocore.model import ListShape, MapShape, Shape, StringShape, StructureShape

_PYTHON_TYPES: Mapping[str, type | tuple[type, ...]] = {
    "string": str,
    "integer": int,
    "long": int,
    "float": (int, float),
    "double": (int, float),
    "boolean": bool,
    "list": list,
    "map": dict,
    "structure": dict,
}
# Patterns are Java's. Letters and digits stand there beside `_`, so that `\w` is no wider.
_CHARACTER_CLASSES = {
    r"\p{Alnum}": "a-zA-Z0-9",
    r"\p{L}": r"\w",
    r"\p{N}": r"\d",
    r"\p{Z}": " \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000",
}


@dataclass(frozen=True)
class Fault:
    """One thing that the service would refuse: where in the payload, and why."""

    path: str
    message: str


def payload_faults(service: str, operation: str, payload: object) -> list[Fault]:
    """Return what in `payload` the service's model forbids.

    Keys that end in `.$` are paths or intrinsic functions of Amazon States Language: their members count as
    given, their values are not looked at.
    """
    shape = _service_model(service).operation_model(operation).input_shape
    return list(_faults(shape, payload, operation))


@cache
def _service_model(service: str) -> Any:
    return botocore.session.get_session().get_service_model(service)


def _faults(shape: Shape, value: object, path: str) -> Iterator[Fault]:
    expected = _PYTHON_TYPES.get(shape.type_name, object)
    if not isinstance(value, expected) or (isinstance(value, bool) and shape.type_name != "boolean"):
        yield Fault(path, f"a {shape.type_name} is needed, not {value!r}")
        return
    yield from _bounds(shape, value, path)
    if isinstance(shape, StructureShape) and isinstance(value, dict):
        yield from _structure(shape, value, path)
    elif isinstance(shape, ListShape) and isinstance(value, list):
        for i, item in enumerate(value):
            yield from _faults(shape.member, item, f"{path}[{i}]")
    elif isinstance(shape, MapShape) and isinstance(value, dict):
        yield from _map(shape, value, path)
    elif isinstance(shape, StringShape) and isinstance(value, str):
        yield from _string(shape, value, path)


def _bounds(shape: Shape, value: object, path: str) -> Iterator[Fault]:
    size = (
        value if isinstance(value, int | float) else len(value) if isinstance(value, str | list | dict) else 0
    )
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if least is not None and size < least:
        yield Fault(path, f"{size} is below the minimum of {least}")
    if most is not None and size > most:
        yield Fault(path, f"{size} is above the maximum of {most}")


def _structure(shape: StructureShape, value: Mapping[str, Any], path: str) -> Iterator[Fault]:
    given = {key.removesuffix(".$") for key in value}
    for name in shape.required_members:
        if name not in given:
            yield Fault(f"{path}.{name}", "missing, and required")
    for key, item in value.items():
        name = key.removesuffix(".$")
        if name not in shape.members:
            yield Fault(f"{path}.{name}", "no such member")
        elif key == name:
            yield from _faults(shape.members[name], item, f"{path}.{name}")


def _map(shape: MapShape, value: Mapping[str, Any], path: str) -> Iterator[Fault]:
    for key, item in value.items():
        yield from _faults(shape.key, key.removesuffix(".$"), f"{path}.{key}")
        if not key.endswith(".$"):
            yield from _faults(shape.value, item, f"{path}.{key}")


def _string(shape: StringShape, value: str, path: str) -> Iterator[Fault]:
    if shape.enum and value not in shape.enum:
        yield Fault(path, f"{value!r} is none of the {len(shape.enum)} values that the service knows")
    pattern = shape.metadata.get("pattern")
    if pattern and not re.fullmatch(_translated(pattern), value):
        yield Fault(path, f"{value!r} does not match {pattern}")


def _translated(pattern: str) -> str:
    for java, python in _CHARACTER_CLASSES.items():
        pattern = pattern.replace(java, python)
    return pattern
