"""Calls as OpenAI-shaped assistant messages carry them: `tool_calls` with arguments as JSON strings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evaluation.toolcalls.completion import Call, Completion, ParseError
from evaluation.toolcalls.formats.call_objects import NotACall, call_of
from evaluation.toolcalls.formats.json_values import JsonFault, decode_value


def parse_structured(message: str | Mapping[str, Any], lenient: bool) -> Completion:
    """Read an assistant message, or the JSON text of one; `error.position` is the number of the bad call."""
    if isinstance(message, str):
        try:
            message = decode_value(message)
        except JsonFault as fault:
            return Completion(error=ParseError(fault.message, fault.position))
    if not isinstance(message, Mapping):
        return Completion(error=ParseError("not an assistant message", 0))
    content = message.get("content")
    text = content.strip() if isinstance(content, str) else ""
    return _with_calls(message.get("tool_calls") or [], text, lenient)


def _with_calls(entries: Any, text: str, lenient: bool) -> Completion:
    if not isinstance(entries, list | tuple):
        return Completion(text=text, error=ParseError("'tool_calls' is not a list", 0))
    calls: list[Call] = []
    repairs: list[str] = []
    error = None
    for number, entry in enumerate(entries):
        try:
            calls.append(_call_of_entry(entry, repairs if lenient else None))
        except (NotACall, JsonFault) as fault:
            error = error or ParseError(str(fault), number)
    return Completion(tuple(calls), text, error, tuple(dict.fromkeys(repairs)))


def _call_of_entry(entry: Any, repairs: list[str] | None) -> Call:
    function = entry.get("function") if isinstance(entry, Mapping) else None
    if not isinstance(function, Mapping):
        raise NotACall("a tool call has no 'function' object")
    arguments = function.get("arguments")
    # The protocol says string; servers that hand over the object mean the same.
    read = decode_value(arguments) if isinstance(arguments, str) and arguments.strip() else arguments
    return call_of({**function, "arguments": read}, repairs)
