"""The parser's door: a completion and the name of its format become calls, text and error."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from evaluation.toolcalls.completion import Completion
from evaluation.toolcalls.formats.bare_json import parse_bare_json
from evaluation.toolcalls.formats.endings import without_stop_tokens
from evaluation.toolcalls.formats.llama_json import parse_llama3_json
from evaluation.toolcalls.formats.mistral import parse_mistral, parse_mistral_v11
from evaluation.toolcalls.formats.offered import Offered, read_offered
from evaluation.toolcalls.formats.python_lists import parse_llama3_pythonic
from evaluation.toolcalls.formats.structured import content_of, parse_structured
from evaluation.toolcalls.formats.tagged import (
    parse_hermes,
    parse_qwen3,
    parse_qwen3_coder,
    parse_toolcall_tag,
)
from evaluation.toolcalls.formats.thoughts import behind_thought
from evaluation.toolcalls.formats.xlam import parse_xlam

FORMATS: Mapping[str, Callable[[Any, Offered], Completion]] = MappingProxyType(
    {
        "hermes": parse_hermes,
        "qwen3": parse_qwen3,
        "qwen3_coder": parse_qwen3_coder,
        "llama3_json": behind_thought(parse_llama3_json),
        "llama3_pythonic": behind_thought(parse_llama3_pythonic),
        "mistral": behind_thought(parse_mistral),
        "mistral_v11": behind_thought(parse_mistral_v11),
        "xlam": parse_xlam,
        "toolcall_tag": behind_thought(parse_toolcall_tag),
        "bare_json": behind_thought(parse_bare_json),
        "structured": parse_structured,
    }
)
# Formats whose calls carry no sign of their own: with the tools known, a lenient parse asks more of them.
_UNMARKED = frozenset({"llama3_json", "llama3_pythonic", "xlam", "bare_json"})


def parse_completion(
    text: str | Mapping[str, Any],
    format: str,
    *,
    tools: str | None = None,
    lenient: bool = False,
) -> Completion:
    """Parse a completion into its calls, the text around them, and the error if a call is malformed.

    `text`: what the model wrote; a stop token at its end is overlooked. For `structured`, an OpenAI
    assistant message or its JSON text; a message in another format has its content parsed, unless it holds
    `tool_calls`. `tools`, a row's JSON list, gives `qwen3_coder` the types of its arguments, and a lenient
    parse the names to look for.

    A strict parse reads what a server's parser reads. A lenient one also recovers calls in any other form
    (see `lenient.recovery`) and names in `repairs` what it overlooked; for the formats without tags and
    with `tools`, it takes a call for one only if it fits an offered tool. Never raises for a text or a
    message, evaluates nothing, and takes time linear in the length. Raises ValueError for an unknown format.

    >>> parse_completion('<tool_call>{"name": "f", "arguments": {"x": 1}}</tool_call>', "hermes").calls
    (Call(name='f', arguments={'x': 1}),)
    """
    parse = FORMATS.get(format)
    if parse is None:
        raise ValueError(f"unknown tool-call format {format!r}; known are {', '.join(FORMATS)}")
    offered = read_offered(tools) if tools and (lenient or format == "qwen3_coder") else {}
    if not isinstance(text, str):
        return _parse_message(text, format, offered, lenient)
    spoken = without_stop_tokens(text)
    strict = parse(spoken, offered)
    return _recovered(strict, spoken, format, offered) if lenient else strict


def _parse_message(message: Mapping[str, Any], format: str, offered: Offered, lenient: bool) -> Completion:
    if message.get("tool_calls") is None:
        content = content_of(message)
        strict = Completion(text=content) if format == "structured" else FORMATS[format](content, offered)
        return _recovered(strict, content, format, offered) if lenient else strict
    strict = parse_structured(message, offered)
    if not lenient or (strict.calls and strict.error is None):
        return strict
    from evaluation.toolcalls.lenient.recovery import recover_message  # noqa: PLC0415 - as below

    return recover_message(message, offered) or _recovered(strict, strict.text, "structured", offered)


def _recovered(strict: Completion, text: str, format: str, offered: Offered) -> Completion:
    is_settled = strict.calls and strict.error is None
    if is_settled and not (offered and format in _UNMARKED):
        return strict
    # Imported here, because its patterns take as long to compile as all of a strict parse to import.
    from evaluation.toolcalls.lenient.recovery import recover  # noqa: PLC0415

    recovered = recover(text, format, offered)
    if recovered is None:
        return Completion(text=text.strip()) if is_settled else strict
    is_new = strict.error is not None or recovered.calls != strict.calls
    # What has no name of its own was overlooked all the same.
    return recovered._replace(repairs=("other_form",)) if is_new and not recovered.repairs else recovered
