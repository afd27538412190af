"""Thoughts that stand before an answer: nothing in them is said, so no call in them is made."""

from __future__ import annotations

from collections.abc import Callable

from evaluation.toolcalls.completion import Completion, ParseError
from evaluation.toolcalls.formats.offered import Offered

THINK_OPENING, THINK_CLOSING = "<think>", "</think>"
# Mistral's reasoning models write the second kind.
_SIGNS = ((THINK_OPENING, THINK_CLOSING), ("[THINK]", "[/THINK]"))

Parse = Callable[[str, Offered], Completion]


def begins_with_thought(text: str) -> bool:
    """Tell whether a completion opens a thought itself (the prompt may have opened one before it)."""
    return THINK_OPENING in text and text.lstrip().startswith(THINK_OPENING)


def behind_thought(parse: Parse) -> Parse:
    """Make a parser read what follows a thought that the completion opens, and call an open one an error."""

    def parse_speech(text: str, offered: Offered) -> Completion:
        start = _end_of_thought(text)
        if start == 0:
            return parse(text, offered)
        if start < 0:
            return Completion(error=ParseError("the thought is not closed", len(text)))
        said = parse(text[start:], offered)
        if said.error is None:
            return said
        return said._replace(error=ParseError(said.error.message, said.error.position + start))

    return parse_speech


def _end_of_thought(text: str) -> int:
    """Return where speech begins, or -1 where a thought is not closed."""
    for opening, closing in _SIGNS:
        if opening in text and text.lstrip().startswith(opening):
            end = text.find(closing)
            return -1 if end < 0 else end + len(closing)
    return 0
