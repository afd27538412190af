"""Calls as JSON without any tag, fenced or not: an object or a list of objects that begins a line."""

from __future__ import annotations

from typing import Any

from evaluation.toolcalls.completion import Call, Completion
from evaluation.toolcalls.formats.call_objects import call_of, is_call_object
from evaluation.toolcalls.formats.json_scan import scan_json
from evaluation.toolcalls.formats.offered import Offered


def parse_bare_json(text: str, offered: Offered) -> Completion:
    """Read every ``{"name": …, "arguments": …}`` that begins a line, and every list of such objects."""
    return scan_json(text, 0, _take)


def _take(value: Any) -> list[Call] | None:
    items = value if isinstance(value, list) else [value]
    if not items or not all(is_call_object(item) for item in items):
        return None
    return [call_of(item) for item in items]
