"""Mend almost-JSON of a lenient parse: one pass, nothing evaluated, every repair named.

Mended: single and curly quotes, Python's True/False/None, unquoted keys, trailing and missing commas, line
breaks within strings, comments, a key before a key, and closers that are missing where the text ends. A value
that is cut off in its middle is not mended, for nobody knows how it went on.
"""

from __future__ import annotations

import re
from typing import Any, NoReturn

from evaluation.toolcalls.formats.json_values import Fault, decode_value

# A call longer than this is not mended: mending reads sign by sign, and may be tried several times.
MAX_CHARACTERS_MENDED = 16_384
_STRINGS = ("double", "single", "curly")
_CLOSERS = {"{": "}", "[": "]"}
_WORDS = {"True": "true", "False": "false", "None": "null"}
_TOKEN = re.compile(
    r"""(?P<blank>(?:\s|//[^\n]*+)++)|(?P<curly>“[^”\\]*+”)|(?P<double>"[^"\\]*+(?:\\.[^"\\]*+)*+")|(?P<single>'[^'\\]*+(?:\\.[^'\\]*+)*+')"""
    r"|(?P<word>[^\W\d]\w*+)|(?P<number>-?\d[\w.+\-]*+)|(?P<sign>[{}\[\]:,])",
    re.DOTALL,
)
_CONTROLS = re.compile(r"[\x00-\x1f]")


def repair_value_at(text: str, start: int, end: int) -> tuple[Any, int, list[str]]:
    """Decode the object or list that begins at `start` and lies before `end`, and name what was mended.

    Returns the value, the index behind it and the repairs. Raises Fault where mending does not help.
    """
    mending = _Mending(text, start, min(end, start + MAX_CHARACTERS_MENDED))
    mending.run()
    try:
        value = decode_value("".join(mending.written))
    except Fault as fault:
        # The position in the mended text means nothing to a reader of the original one.
        raise Fault(fault.message, start) from None
    return value, mending.at, mending.repairs


class _Mending:
    """One pass over the text from an opening bracket to the one that closes it, or to the text's end."""

    def __init__(self, text: str, start: int, end: int) -> None:
        self.text = text
        self.at = self.start = start
        self.end = end
        self.open: list[str] = []
        self.written: list[str] = []
        # Where in `written` the last key stands, and the last sign that was no blank.
        self.key = -1
        self.last = ""
        self.repairs: list[str] = []

    def run(self) -> None:
        while self.at < self.end:
            token = _TOKEN.match(self.text, self.at, self.end)
            if token is None:
                self._refuse("no JSON, and no mending helps")
            self.at = token.end()
            self._take(str(token.lastgroup), token.group())
            if not self.open:
                return
        if self.end == self.start + MAX_CHARACTERS_MENDED:
            self._refuse("too long to be mended")
        self._close()

    def _take(self, kind: str, token: str) -> None:
        if kind == "blank":
            self.written.append(" ")
            if "/" in token:
                self.repairs.append("comment")
            return
        if kind in _STRINGS and self.last in (*_STRINGS, "}", "]", "number", "word"):
            self.repairs.append("missing_comma")
            self.written.append(",")
        if kind == "sign":
            self._take_sign(token)
        elif kind == "word":
            self.written.append(self._word(token))
        else:
            self.written.append(self._string(token) if kind in _STRINGS else token)
        self.last = token if kind == "sign" else kind

    def _take_sign(self, sign: str) -> None:
        if sign in _CLOSERS:
            self.open.append(_CLOSERS[sign])
        elif self.open and sign == self.open[-1]:
            self.open.pop()
            self._drop_trailing_comma()
        elif sign == ":":
            self._take_colon()
        self.written.append(sign)

    def _take_colon(self) -> None:
        """Mind the key; ``"tool": "name": {`` has one too many, and the second one goes with the value."""
        if self.key >= 0 and self.last in _STRINGS and self._is_behind_key():
            self.repairs.append("key_before_key")
            del self.written[self.key : len(self.written) - 1]
        while self.written and self.written[-1] == " ":
            self.written.pop()
        self.key = len(self.written) - 1

    def _is_behind_key(self) -> bool:
        between = [piece for piece in self.written[self.key + 1 : -1] if piece != " "]
        return between == [":"]

    def _word(self, word: str) -> str:
        if word in _WORDS:
            self.repairs.append("python_literal")
            return _WORDS[word]
        behind = self.at
        while behind < self.end and self.text[behind] in " \t":
            behind += 1
        if self.last in ("{", ",") and self.text.startswith(":", behind):
            self.repairs.append("unquoted_key")
            return f'"{word}"'
        return word

    def _string(self, token: str) -> str:
        body = token[1:-1]
        if token[0] != '"':
            self.repairs.append("single_quotes" if token[0] == "'" else "curly_quotes")
            body = re.sub(r"\\(.)|\"", _requote, body, flags=re.DOTALL)
        if _CONTROLS.search(body):
            self.repairs.append("raw_line_break")
            body = _CONTROLS.sub(lambda sign: f"\\u{ord(sign.group()):04x}", body)
        return f'"{body}"'

    def _close(self) -> None:
        # Behind a comma, a colon or a number more was to come.
        is_word_whole = self.last != "word" or self.written[-1] in ("true", "false", "null")
        if self.last in (",", ":", "number") or not is_word_whole:
            self._refuse("cut off in the middle of a value")
        self.repairs.append("missing_closer")
        self.written.extend(reversed(self.open))
        self.open.clear()

    def _drop_trailing_comma(self) -> None:
        last = len(self.written) - 1
        while last >= 0 and self.written[last] == " ":
            last -= 1
        if last >= 0 and self.written[last] == ",":
            self.repairs.append("trailing_comma")
            del self.written[last]

    def _refuse(self, message: str) -> NoReturn:
        raise Fault(message, self.at)


def _requote(match: re.Match[str]) -> str:
    if match.group() == '"':
        return '\\"'
    return "'" if match.group(1) == "'" else match.group()
