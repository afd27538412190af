"""The parser's door: a completion and the name of its format become calls, text and error."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from evaluation.toolcalls.completion import Completion
from evaluation.toolcalls.formats.bare_json import parse_bare_json
from evaluation.toolcalls.formats.structured import parse_structured
from evaluation.toolcalls.formats.tagged import parse_hermes, parse_qwen3, parse_toolcall_tag

FORMATS: Mapping[str, Callable[[Any, bool], Completion]] = MappingProxyType(
    {
        "hermes": parse_hermes,
        "qwen3": parse_qwen3,
        "toolcall_tag": parse_toolcall_tag,
        "bare_json": parse_bare_json,
        "structured": parse_structured,
    }
)


def parse_completion(
    text: str | Mapping[str, Any],
    format: str,
    *,
    tools: str | None = None,
    lenient: bool = False,
) -> Completion:
    """Parse a completion into its calls, the text around them, and the error if a call is malformed.

    `text`: what the model wrote, without the end-of-turn token; for `structured`, an OpenAI assistant
    message or its JSON text. `tools` gives the argument types to formats that carry none; none of the
    formats known today needs it. A lenient parse mends and names what it mended. Never raises for a text,
    evaluates nothing, and takes time linear in its length. Raises ValueError for an unknown format.

    >>> parse_completion('<tool_call>{"name": "f", "arguments": {"x": 1}}</tool_call>', "hermes").calls
    (Call(name='f', arguments={'x': 1}),)
    """
    if format not in FORMATS:
        raise ValueError(f"unknown tool-call format {format!r}; known are {', '.join(FORMATS)}")
    return FORMATS[format](text, lenient)


def format_of_template(chat_template: str) -> str | None:
    """Find the format that a chat template writes calls in, or None where it shows no sign of one.

    >>> format_of_template("{{ '<tool_call>' + call | tojson + '</tool_call>' }}")
    'hermes'
    """
    if "<function=" in chat_template:
        # Qwen3-Coder's XML within the same tags: reading it as JSON would call every output malformed.
        return None
    if "<tool_call>" in chat_template:
        return "qwen3" if "</think>" in chat_template else "hermes"
    return "toolcall_tag" if "<TOOLCALL>" in chat_template else None
