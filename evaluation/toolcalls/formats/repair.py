"""Mend almost-JSON of a lenient parse: one pass, nothing evaluated, every repair named.

Mended: single quotes, Python's True/False/None, unquoted keys, trailing commas, missing closers.
"""

from __future__ import annotations

from typing import Any

from evaluation.toolcalls.formats.json_values import JsonFault, decode_value

_CLOSERS = {"{": "}", "[": "]"}
_LITERALS = {"True": "true", "False": "false", "None": "null"}


# A call longer than this is not mended: mending reads sign by sign, and may be tried several times.
MAX_CHARACTERS_MENDED = 16_384


def repair_value_at(text: str, start: int, end: int | None = None) -> tuple[Any, int, tuple[str, ...]]:
    """Decode the object or list that begins at `start` and lies before `end`, and name what was mended.

    Returns the value, the index behind it and the repairs. Raises JsonFault where mending does not help.
    """
    end = len(text) if end is None else end
    mending = _Mending(text, start, min(end, start + MAX_CHARACTERS_MENDED))
    mending.run()
    if mending.at >= start + MAX_CHARACTERS_MENDED:
        raise JsonFault("too long to be mended", start)
    try:
        value = decode_value("".join(mending.written))
    except JsonFault as fault:
        # The position in the mended text means nothing to a reader of the original one.
        raise JsonFault(fault.message, start) from None
    return value, mending.at, tuple(dict.fromkeys(mending.repairs))


class _Mending:
    """One pass over the text from an opening bracket to the one that closes it, or to the text's end."""

    def __init__(self, text: str, start: int, end: int) -> None:
        self.text = text
        self.at = start
        self.end = end
        self.open: list[str] = []
        self.written: list[str] = []
        self.repairs: list[str] = []

    def run(self) -> None:
        while self.at < self.end:
            self._take()
            if not self.open:
                return
        self.repairs.append("missing_closer")
        self._drop_trailing_comma()
        self.written.extend(reversed(self.open))
        self.open.clear()

    def _take(self) -> None:
        character = self.text[self.at]
        if character in "\"'":
            self._take_string(character)
        elif character.isalpha() or character == "_":
            self._take_word()
        else:
            self._take_sign(character)

    def _take_sign(self, character: str) -> None:
        if character in _CLOSERS:
            self.open.append(_CLOSERS[character])
        elif self.open and character == self.open[-1]:
            self.open.pop()
            self._drop_trailing_comma()
        self.written.append(character)
        self.at += 1

    def _take_string(self, quote: str) -> None:
        start = self.at + 1
        end = _end_of_string(self.text, start, self.end, quote)
        body = self.text[start:end]
        if quote == "'":
            self.repairs.append("single_quotes")
            body = body.replace("\\'", "'").replace('"', '\\"')
        self.written.append(f'"{body}"')
        if end == self.end:
            self.repairs.append("missing_closer")
        self.at = min(end + 1, self.end)

    def _take_word(self) -> None:
        end = self.at
        while end < self.end and (self.text[end].isalnum() or self.text[end] == "_"):
            end += 1
        word = self.text[self.at : end]
        self.at = end
        if word in _LITERALS:
            self.repairs.append("python_literal")
            word = _LITERALS[word]
        elif self.text[end : end + 1] == ":":
            self.repairs.append("unquoted_key")
            word = f'"{word}"'
        self.written.append(word)

    def _drop_trailing_comma(self) -> None:
        last = len(self.written) - 1
        while last >= 0 and self.written[last].isspace():
            last -= 1
        if last >= 0 and self.written[last] == ",":
            self.repairs.append("trailing_comma")
            del self.written[last]


def _end_of_string(text: str, start: int, end: int, quote: str) -> int:
    at = start
    while at < end and text[at] != quote:
        at += 2 if text[at] == "\\" else 1
    return min(at, end)
