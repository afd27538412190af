"""Python literals and calls out of untrusted text: read sign by sign, never compiled or evaluated.

Numbers, strings with their escapes, True, False, None, lists, tuples and dicts. What is no literal (a name,
an operator, an f-string, bytes, a set, a complex number) is a fault. Nesting and digits are capped.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from evaluation.toolcalls.formats.json_values import MAX_DEPTH, MAX_DIGITS, TOO_DEEP, Fault

_BLANKS = re.compile(r"[ \t\r\n]*+")
_BLANK_SIGNS = frozenset(" \t\r\n")
_NAME = re.compile(r"[^\W\d]\w*+(?:\.[^\W\d]\w*+)*+")
_NUMBER = re.compile(r"[-+]?(?:0[xXoObB][\da-fA-F_]++|(?:\d[\d_]*+\.?[\d_]*+|\.\d[\d_]*+)(?:[eE][-+]?\d++)?)")
_QUOTE = re.compile(r"""([rRuUbBfF]{0,2})('''|\"\"\"|'|")""")
_BODIES = {
    quote: re.compile(body, re.DOTALL)
    for quote, body in {
        "'": r"([^'\\\n]*+(?:\\.[^'\\\n]*+)*+)'",
        '"': r'([^"\\\n]*+(?:\\.[^"\\\n]*+)*+)"',
        "'''": r"([^'\\]*+(?:(?:\\.|'(?!''))[^'\\]*+)*+)'''",
        '"""': r'([^"\\]*+(?:(?:\\.|"(?!""))[^"\\]*+)*+)"""',
    }.items()
}
_ESCAPE = re.compile(r"\\([0-7]{1,3}|x[\da-fA-F]{2}|u[\da-fA-F]{4}|U[\da-fA-F]{8}|.)", re.DOTALL)
_SIGNS = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v", "\n": ""}
_DIGITS = frozenset("0123456789")
_WORDS = {"True": True, "False": False, "None": None}
_LENIENT_WORDS = {**_WORDS, "true": True, "false": False, "null": None}


class PythonCall(NamedTuple):
    """A call as Python writes it: `positional` values have no name; `end` is the index behind it."""

    name: str
    positional: list[Any]
    arguments: dict[str, Any]
    end: int


def read_python_value(text: str) -> Any:
    """Read a text that is one Python literal and nothing else. Raises Fault."""
    reader = PythonReader(text, lenient=False)
    value, end = reader.value(reader.skip(0), 0)
    end = reader.skip(end)
    if end < len(text):
        raise Fault("text after the literal", end)
    return value


class PythonReader:
    """Reads literals and calls at given places of a text; a lenient one takes JSON's words too."""

    def __init__(self, text: str, *, lenient: bool) -> None:
        self.text = text
        self.words = _LENIENT_WORDS if lenient else _WORDS

    def skip(self, at: int) -> int:
        """Return the index of the first sign from `at` on that is no blank."""
        if self.text[at : at + 1] not in _BLANK_SIGNS:
            return at
        match = _BLANKS.match(self.text, at)
        return match.end() if match else at

    def name(self, at: int) -> tuple[str, int]:
        """Read a name, dotted or not, and return it with the index behind it. Raises Fault."""
        match = _NAME.match(self.text, at)
        if match is None:
            raise Fault("expected a name", at)
        return match.group(), match.end()

    def call(self, at: int) -> PythonCall:
        """Read the call that begins at `at`. Raises Fault."""
        name, at = self.name(at)
        return self.arguments(name, at)

    def arguments(self, name: str, at: int) -> PythonCall:
        """Read what stands in the parentheses that open at `at`, behind the callee `name`. Raises Fault."""
        at = self._expect("(", at)
        positional: list[Any] = []
        arguments: dict[str, Any] = {}
        while not self.text.startswith(")", at):
            key = _NAME.match(self.text, at)
            equals = self.skip(key.end()) if key else at
            if key and self.text.startswith("=", equals) and not self.text.startswith("==", equals):
                if key.group() in arguments:
                    raise Fault(f"the argument {key.group()[:80]!r} stands twice", at)
                arguments[key.group()], at = self.value(self.skip(equals + 1), 0)
            else:
                value, at = self.value(at, 0)
                positional.append(value)
            at = self._separated(at, ")")
        return PythonCall(name, positional, arguments, at + 1)

    def value(self, at: int, depth: int) -> tuple[Any, int]:
        """Read the literal at `at`, `depth` levels deep; return it with the index behind it. Raises Fault."""
        if depth > MAX_DEPTH:
            raise Fault(TOO_DEEP, at)
        sign = self.text[at : at + 1]
        if sign in ("[", "("):
            return self._sequence(at + 1, depth, "]" if sign == "[" else ")")
        if sign == "{":
            return self._dict(at + 1, depth)
        if sign in _DIGITS:
            return self._number(at)
        if _QUOTE.match(self.text, at):
            return self._strings(at)
        word = _NAME.match(self.text, at)
        if word and word.group() in self.words:
            return self.words[word.group()], word.end()
        return self._number(at)

    def _sequence(self, at: int, depth: int, closer: str) -> tuple[Any, int]:
        items: list[Any] = []
        at = self.skip(at)
        comma = False
        while not self.text.startswith(closer, at):
            item, after = self.value(at, depth + 1)
            items.append(item)
            at = self._separated(after, closer)
            comma = comma or "," in self.text[after:at]
        # Parentheses around one value only group it.
        return (items[0] if closer == ")" and len(items) == 1 and not comma else items), at + 1

    def _dict(self, at: int, depth: int) -> tuple[Any, int]:
        found: dict[str, Any] = {}
        at = self.skip(at)
        while not self.text.startswith("}", at):
            key, after = self.value(at, depth + 1)
            if isinstance(key, list | dict) or key is None:
                raise Fault("a key that is no string or number", at)
            value_at = self._expect(":", self.skip(after))
            found[key if isinstance(key, str) else str(key)], after = self.value(value_at, depth + 1)
            at = self._separated(after, "}")
        return found, at + 1

    def _strings(self, at: int) -> tuple[str, int]:
        """Read a string, and those that follow it without a comma: Python joins them."""
        parts: list[str] = []
        end = at
        quote = _QUOTE.match(self.text, at)
        while quote:
            prefix = quote.group(1).lower()
            body = _BODIES[quote.group(2)].match(self.text, quote.end())
            if body is None or prefix not in ("", "r", "u"):
                raise Fault("no closed string" if body is None else f"a string with {prefix!r} before it", at)
            parts.append(body.group(1) if prefix == "r" else _ESCAPE.sub(_unescape, body.group(1)))
            end = body.end()
            at = self.skip(end)
            quote = _QUOTE.match(self.text, at)
        return "".join(parts), end

    def _number(self, at: int) -> tuple[Any, int]:
        match = _NUMBER.match(self.text, at)
        if match is None or _NAME.match(self.text, match.end()):
            raise Fault("expected a literal", at)
        digits = match.group()
        if len(digits) > MAX_DIGITS:
            raise Fault(f"a number of more than {MAX_DIGITS} digits", at)
        try:
            whole = digits.lstrip("+-")[:2].lower() in ("0x", "0o", "0b") or not set(digits) & set(".eE")
            value = int(digits, 0) if whole else float(digits)
        except ValueError:
            raise Fault(f"{digits!r} is no number", at) from None
        if value in (float("inf"), float("-inf")):
            raise Fault(f"{digits} is not a finite number", at)
        return value, match.end()

    def _separated(self, at: int, closer: str) -> int:
        """Pass the comma behind a member, or stand at the closer. Raises Fault."""
        at = self.skip(at)
        if self.text.startswith(closer, at):
            return at
        return self._expect(",", at, f"expected ',' or {closer!r}")

    def _expect(self, sign: str, at: int, message: str = "") -> int:
        if not self.text.startswith(sign, at):
            raise Fault(message or f"expected {sign!r}", at)
        return self.skip(at + 1)


def _unescape(match: re.Match[str]) -> str:
    escape = match.group(1)
    if escape[0] in "01234567":
        return chr(int(escape, 8))
    if escape[0] in "xuU" and len(escape) > 1:
        code = int(escape[1:], 16)
        return chr(code) if code < 0x110000 else match.group()
    # Python keeps the backslash of an escape it does not know.
    return _SIGNS.get(escape, escape if escape in "\\'\"" else match.group())
