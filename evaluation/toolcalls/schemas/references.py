"""Where a `$ref` within a schema leads: JSON pointers (RFC 6901) as URI fragments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_MAX_CHARACTERS = 10_000
_HEX = frozenset(b"0123456789abcdefABCDEF")


def resolve_reference(root: Any, reference: Any) -> Any:
    """Return the schema that `#`, `#/$defs/…` or another pointer leads to, or None.

    None where it leads out of the document, to an anchor, nowhere, or to what is no schema.

    >>> resolve_reference({"$defs": {"a/b": {"type": "null"}}}, "#/$defs/a~1b")
    {'type': 'null'}
    """
    if not isinstance(reference, str) or len(reference) > _MAX_CHARACTERS or not reference.startswith("#"):
        return None
    pointer = _unescaped(reference[1:])
    if pointer and not pointer.startswith("/"):
        return None
    found = root
    for token in pointer.split("/")[1:]:
        found = _step(found, token.replace("~1", "/").replace("~0", "~"))
    return found if isinstance(found, Mapping | bool) else None


def _step(found: Any, token: str) -> Any:
    if isinstance(found, Mapping):
        return found.get(token)
    if not isinstance(found, list) or not _is_index(token):
        return None
    return found[int(token)] if int(token) < len(found) else None


def _is_index(token: str) -> bool:
    return token.isascii() and token.isdigit() and len(token) < 10 and (len(token) == 1 or token[0] != "0")


def _unescaped(fragment: str) -> str:
    """Decode a URI's `%20` and its like; what is no such escape stays."""
    if "%" not in fragment:
        return fragment
    first, *rest = fragment.encode("utf-8", errors="replace").split(b"%")
    escapes = (
        bytes.fromhex(part[:2].decode()) + part[2:] if _is_escape(part) else b"%" + part for part in rest
    )
    return (first + b"".join(escapes)).decode("utf-8", errors="replace")


def _is_escape(part: bytes) -> bool:
    return len(part) >= 2 and _HEX.issuperset(part[:2])
