"""When two JSON values are the same value, for `enum`, `const` and `uniqueItems`."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

from evaluation.toolcalls.schemas.scope import MAX_DEPTH

# Beyond this, numbers can be chosen so that all their hashes are the same.
_PLAIN_INTEGER = 1 << 60


def identity_of(value: Any, depth: int = 0) -> Hashable:
    """Return what two values have in common exactly when JSON Schema calls them equal, whatever their size.

    1 and 1.0 are equal, 1 and True are not, and objects are whatever the order of their keys. What lies
    deeper than any value that the grader reads is not looked at.

    >>> identity_of([1.0, {"a": 1, "b": 2}]) == identity_of([1, {"b": 2, "a": 1}])
    True
    >>> identity_of(True) == identity_of(1)
    False
    """
    if isinstance(value, str):
        return value
    if isinstance(value, int | float):
        return _identity_of_number(value)
    if isinstance(value, list | Mapping):
        return _identity_of_container(value, depth)
    return (None,) if value is None else (object, id(value))


def _identity_of_number(value: float) -> Hashable:
    if isinstance(value, bool):
        return bool, value
    if isinstance(value, float):
        if not value.is_integer():
            return float, value
        value = int(value)
    return int, value if -_PLAIN_INTEGER < value < _PLAIN_INTEGER else hex(value)


def _identity_of_container(value: list[Any] | Mapping[str, Any], depth: int) -> Hashable:
    if depth > MAX_DEPTH:
        return list
    if isinstance(value, list):
        return list, tuple([identity_of(item, depth + 1) for item in value])
    return dict, frozenset([(key, identity_of(item, depth + 1)) for key, item in value.items()])
