"""Where a `$ref` within a schema leads: JSON pointers (RFC 6901) as URI fragments."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_MAX_CHARACTERS = 10_000
_INDEX = re.compile("0|[1-9][0-9]{0,8}")
_PERCENT = re.compile(r"(?:%[0-9a-fA-F]{2})+")


def resolve_reference(root: Any, reference: Any) -> Any:
    """Return the schema that `#`, `#/$defs/…` or another pointer leads to, or None.

    None where it leads out of the document, to an anchor, nowhere, or to what is no schema.

    >>> resolve_reference({"$defs": {"a/b": {"type": "null"}}}, "#/$defs/a~1b")
    {'type': 'null'}
    """
    if not isinstance(reference, str) or len(reference) > _MAX_CHARACTERS or not reference.startswith("#"):
        return None
    pointer = _PERCENT.sub(_decoded, reference[1:])
    if pointer and not pointer.startswith("/"):
        return None
    found = root
    for token in pointer.split("/")[1:]:
        found = _step(found, token.replace("~1", "/").replace("~0", "~"))
    return found if isinstance(found, Mapping | bool) else None


def _step(found: Any, token: str) -> Any:
    if isinstance(found, Mapping):
        return found.get(token)
    if not isinstance(found, list) or not _INDEX.fullmatch(token):
        return None
    return found[int(token)] if int(token) < len(found) else None


def _decoded(match: re.Match[str]) -> str:
    return bytes.fromhex(match.group().replace("%", "")).decode("utf-8", errors="replace")
