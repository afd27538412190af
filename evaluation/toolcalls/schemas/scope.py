"""What one validation carries along: where `$ref` begins, what it has found before, and what it left open."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, Literal, NamedTuple

Violation = Literal["wrong_type", "schema_violation"]

# Values have at most 64 levels, and a level is at most a property, a `$ref` and an alternative.
MAX_DEPTH = 192


class Breach(NamedTuple):
    """One way in which a value breaks its schema.

    `path`: the keys and indices from the value to the part at fault. `keyword`: the one that is broken, or
    `false` for the schema that takes nothing.
    """

    kind: Violation
    path: tuple[str | int, ...]
    keyword: str


class Scope:
    """The state of one validation.

    `doubts` counts what was passed over unchecked. A value is never condemned for passing there: not by
    `not`, nor as the second match of `oneOf`, nor as the condition of `if`.
    """

    __slots__ = ("depth", "doubts", "enums", "root", "seen", "targets")

    def __init__(self, root: Any) -> None:
        self.root = root
        self.depth = 0
        self.doubts = 0
        # The members of large enums, by the identity of the list.
        self.enums: dict[int, frozenset[Hashable]] = {}
        # What a `$ref` leads to, and what it said of a value, so that no pair of them is looked at twice.
        self.targets: dict[str, Any] = {}
        self.seen: dict[tuple[str, int], tuple[Breach | None, int] | None] = {}
