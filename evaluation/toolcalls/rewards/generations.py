"""What a model generated, in each shape that a trainer hands it over, read into a completion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from evaluation.toolcalls.completion import Call, Completion, ParseError
from evaluation.toolcalls.parse import parse_completion

Generated = Completion | str | Mapping[str, Any] | Sequence[Mapping[str, Any]]

# Counting ends here: what is longer is not worth more exactness, and a list may hold itself.
MAX_CHARACTERS_COUNTED = 200_000
# Where servers put a thought: vLLM and DeepSeek, vLLM's newer releases, Mistral's and Ollama's.
THOUGHTS = ("reasoning_content", "reasoning", "thinking")
UNREADABLE = Completion(error=ParseError("neither a text nor an assistant message", 0))


class Generation(NamedTuple):
    """A completion that was read, and how many characters it took in all, its thoughts included.

    `text`: what was parsed, as it was written; empty where the calls did not stand in a text.
    """

    completion: Completion
    text: str
    characters: int


def read_generation(generated: object, format: str, tools: str | None = None) -> Generation:
    """Read a text in `format`, an assistant message, a list of messages, or a parsed completion.

    Of a list the first assistant message is read: it is the answer to the prompt, what comes behind it
    answers tool results. Anything else is malformed. Raises ValueError for an unknown format alone.
    """
    if isinstance(generated, Completion):
        return _checked(generated)
    if isinstance(generated, str):
        return Generation(parse_completion(generated, format, tools=tools), generated, len(generated))
    if isinstance(generated, list | tuple):
        generated = _first_assistant(generated)
    if not isinstance(generated, Mapping):
        return Generation(UNREADABLE, "", 0)
    text, calls = _text_of(generated.get("content")), generated.get("tool_calls")
    written = len(text) + _characters_of_thoughts(generated)
    if not calls:
        return Generation(parse_completion(text, format, tools=tools), text, written)
    message = {"content": text, "tool_calls": calls}
    # The calls do not stand in the text, so that nothing can be said behind them.
    return Generation(parse_completion(message, "structured"), "", written + count_characters(calls))


def _first_assistant(messages: Sequence[object]) -> object:
    for message in messages:
        if isinstance(message, Mapping) and message.get("role", "assistant") == "assistant":
            return message
    return None


def _checked(given: Completion) -> Generation:
    """A completion may be made by hand: what the grader takes for granted is looked at here."""
    calls = given.calls if isinstance(given.calls, list | tuple) else (None,)
    readable = isinstance(given.text, str) and all(
        isinstance(call, Call) and isinstance(call.name, str) and isinstance(call.arguments, Mapping)
        for call in calls
    )
    if not readable:
        return Generation(UNREADABLE, "", 0)
    return Generation(given, "", len(given.text) + count_characters(given.calls))


def _text_of(content: object) -> str:
    """A message's content: a string, or a list of parts that hold one each."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list | tuple) else ()
    texts = [part.get("text") if isinstance(part, Mapping) else part for part in parts]
    return "".join(text for text in texts if isinstance(text, str))


def _characters_of_thoughts(message: Mapping[str, Any]) -> int:
    """The characters of a message's thoughts, which servers hand over beside what is said."""
    content = message.get("content")
    parts = content if isinstance(content, list | tuple) else ()
    places = [message, *(part for part in parts if isinstance(part, Mapping))]
    return sum(count_characters(place[name]) for place in places for name in THOUGHTS if place.get(name))


def count_characters(value: object) -> int:
    """Roughly the characters of a JSON value: its strings and keys, and one for everything else."""
    counted, waiting = 0, [value]
    while waiting and counted < MAX_CHARACTERS_COUNTED:
        one = waiting.pop()
        counted += len(one) if isinstance(one, str) else 1
        if isinstance(one, Mapping):
            waiting += [*one.keys(), *one.values()]
        elif isinstance(one, list | tuple):
            waiting += one
    return counted
