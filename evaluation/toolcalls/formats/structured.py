"""Calls as OpenAI-shaped assistant messages carry them: `tool_calls` with arguments as JSON strings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from evaluation.toolcalls.completion import Call, Completion, ParseError
from evaluation.toolcalls.formats.call_objects import NotACall, call_of
from evaluation.toolcalls.formats.json_values import MAX_DEPTH, TOO_DEEP, Fault, decode_value
from evaluation.toolcalls.formats.offered import Offered

# A list that holds itself twice, sixty levels deep, has more values than any machine counts.
MAX_VALUES = 100_000


def parse_structured(message: str | Mapping[str, Any], offered: Offered) -> Completion:
    """Read an assistant message, or the JSON text of one; `error.position` is the number of the bad call.

    Arguments are a JSON string, or the object itself as TRL's rows hold it.
    """
    if isinstance(message, str):
        try:
            message = decode_value(message)
        except Fault as fault:
            return Completion(error=ParseError(fault.message, fault.position))
    if not isinstance(message, Mapping):
        return Completion(error=ParseError("not an assistant message", 0))
    return _with_calls(message.get("tool_calls"), content_of(message))


def content_of(message: Mapping[str, Any]) -> str:
    """Return what a message says: its content, or the text parts of it, one a line."""
    content = message.get("content")
    parts = content if isinstance(content, list | tuple) else [content]
    texts = [part.get("text") if isinstance(part, Mapping) else part for part in parts]
    return "\n".join(text for text in texts if isinstance(text, str)).strip()


def _with_calls(entries: Any, text: str) -> Completion:
    if entries is None:
        return Completion(text=text)
    if not isinstance(entries, list | tuple):
        return Completion(text=text, error=ParseError("'tool_calls' is not a list", 0))
    calls: list[Call] = []
    error = None
    for number, entry in enumerate(entries):
        try:
            calls.append(_call_of_entry(entry))
        except (NotACall, Fault) as fault:
            error = error or ParseError(str(fault), number)
    return Completion(tuple(calls), text, error)


def _call_of_entry(entry: Any) -> Call:
    function = entry.get("function") if isinstance(entry, Mapping) else None
    if not isinstance(function, Mapping):
        raise NotACall("a tool call has no 'function' object")
    arguments = function.get("arguments")
    if isinstance(arguments, Mapping):
        # Not out of a text, so no decoder has seen it: it may be nested without end, or within itself.
        arguments = plain_value(arguments)
    return call_of({"name": function.get("name"), "arguments": arguments}, strings=True)


def plain_value(value: Any) -> Any:
    """Return a value of a message as JSON would hold it. Raises NotACall where it is too deep or too big."""
    return _plain(value, 0, iter(range(MAX_VALUES)))


def _plain(value: Any, depth: int, budget: Iterator[int]) -> Any:
    if depth > MAX_DEPTH or next(budget, None) is None:
        raise NotACall(TOO_DEEP if depth > MAX_DEPTH else f"more than {MAX_VALUES} values")
    if isinstance(value, Mapping):
        return {str(key): _plain(inner, depth + 1, budget) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner, depth + 1, budget) for inner in value]
    if isinstance(value, float) and value - value != 0:
        raise NotACall("a number that is not finite")
    return value
