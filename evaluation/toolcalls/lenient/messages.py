"""Lenient parsing of OpenAI's messages: `tool_calls` whose entries miss their shape."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evaluation.toolcalls.completion import Completion
from evaluation.toolcalls.formats.call_objects import NotACall
from evaluation.toolcalls.formats.json_values import Fault, decode_value_at, skip_blanks
from evaluation.toolcalls.formats.offered import Offered
from evaluation.toolcalls.formats.structured import content_of, plain_value
from evaluation.toolcalls.lenient.overlooked import OWN_REPAIRS
from evaluation.toolcalls.lenient.repair import repair_value_at
from evaluation.toolcalls.lenient.shapes import Shapes


def recover_message(message: Mapping[str, Any], offered: Offered) -> Completion | None:
    """Read the calls of a message whose entries miss OpenAI's shape, or None where they call nothing."""
    shapes = Shapes(offered)
    try:
        entries = plain_value(message.get("tool_calls"))
        calls = shapes.calls_of(entries, marked=True)
    except NotACall:
        return None
    if not calls:
        return None
    repairs = [each for each in shapes.repairs if each not in OWN_REPAIRS["structured"]]
    if not isinstance(entries, list):
        repairs.append("missing_list")
    elif not all(isinstance(each, dict) and isinstance(each.get("function"), dict) for each in entries):
        repairs.append("missing_function")
    return Completion(tuple(calls), content_of(message), None, tuple(dict.fromkeys(repairs)))


def recover_text_of_message(text: str, offered: Offered) -> Completion | None:
    """Read a message's JSON text, mended if need be, or return None where it calls nothing."""
    start = skip_blanks(text, 0)
    if not text.startswith("{", start):
        return None
    repairs: list[str] = []
    try:
        message, _ = decode_value_at(text, start)
    except Fault:
        try:
            message, _, repairs = repair_value_at(text, start, len(text))
        except Fault:
            return None
    found = recover_message(message, offered) if isinstance(message, dict) else None
    return found and found._replace(repairs=tuple(dict.fromkeys((*repairs, *found.repairs))))
