"""Calls as JSON without any tag: an object or a list of objects that begins a line, fenced or not."""

from __future__ import annotations

from typing import Any

from evaluation.toolcalls.completion import Call, Completion, ParseError
from evaluation.toolcalls.formats.call_objects import NotACall, call_of, is_call_object
from evaluation.toolcalls.formats.json_values import MAX_FAULTS, JsonFault, decode_value_at, skip_blanks
from evaluation.toolcalls.formats.repair import repair_value_at

FENCE = "```"
SEPARATORS = " \t;,"
MAX_REPAIRS = 8


def parse_bare_json(text: str, lenient: bool) -> Completion:
    """Read every JSON call that begins a line or follows another; a lenient parse finds calls anywhere.

    JSON that is no call (an answer that shows a JSON example) stays text. A line that begins with
    ``{"name"`` and is no JSON is a malformed call. Behind 32 places that are no JSON all is text.
    """
    return _Scan(text, lenient).run()


class _Scan:
    """One pass over a text that may hold calls as plain JSON."""

    def __init__(self, text: str, lenient: bool) -> None:
        self.text = text
        self.lenient = lenient
        self.calls: list[Call] = []
        self.outside: list[str] = []
        self.repairs: list[str] = []
        self.error: ParseError | None = None
        self.kept = 0
        self.faults = 0
        self.brace = self.bracket = -1

    def run(self) -> Completion:
        start = self._next_opener(0)
        while start < len(self.text) and self.faults < MAX_FAULTS:
            value, end = self._decode(start) if self._may_be_call(start) else (None, start + 1)
            if value is not None and self._take(value, start):
                self.outside.append(self.text[self.kept : start])
                self.kept = end
            start = self._next_opener(end)
        self.outside.append(self.text[self.kept :])
        around = _without_fences(self.outside) if self.calls else self.text
        repairs = tuple(dict.fromkeys(self.repairs)) if self.calls else ()
        return Completion(tuple(self.calls), around.strip(), self.error, repairs)

    def _next_opener(self, position: int) -> int:
        # Each sign is searched again only when it was passed: a sign that occurs no more is looked for once.
        if self.brace < position:
            self.brace = _find(self.text, "{", position)
        if self.bracket < position:
            self.bracket = _find(self.text, "[", position)
        return min(self.brace, self.bracket)

    def _may_be_call(self, start: int) -> bool:
        if not self.lenient and not self._begins_line(start):
            return False
        after = skip_blanks(self.text, start + 1)
        first = self.text[after : after + 1]
        return first == "{" if self.text[start] == "[" else first not in ("}", "")

    def _decode(self, start: int) -> tuple[Any, int]:
        """Decode at `start`; on failure return None and the index from which another value may begin."""
        try:
            return decode_value_at(self.text, start)
        except JsonFault as fault:
            self.faults += 1
            if self.lenient and self.faults <= MAX_REPAIRS:
                return self._mend(start)
            if self._looks_like_call(start):
                self._fail(fault.message, fault.position)
            return None, max(fault.position, start + 1)

    def _mend(self, start: int) -> tuple[Any, int]:
        try:
            value, end, repairs = repair_value_at(self.text, start)
        except JsonFault:
            return None, start + 1
        if not is_call_object(value):
            return None, start + 1
        self.repairs += repairs
        return value, end

    def _take(self, value: Any, start: int) -> bool:
        items = value if isinstance(value, list) else [value]
        if not items or not all(is_call_object(item) for item in items):
            return False
        try:
            self.calls += [call_of(item, self.repairs if self.lenient else None) for item in items]
        except NotACall as fault:
            self._fail(str(fault), start)
            return False
        return True

    def _looks_like_call(self, start: int) -> bool:
        first = skip_blanks(self.text, start + 1)
        return self._begins_line(start) and self.text.startswith(('"name"', '{"name"'), first)

    def _begins_line(self, start: int) -> bool:
        # Going back ends at the last opener at the latest, so that all calls together stay linear.
        while start > self.kept and self.text[start - 1] in SEPARATORS:
            start -= 1
        return start == self.kept or self.text[start - 1] == "\n"

    def _fail(self, message: str, position: int) -> None:
        self.error = self.error or ParseError(message, position)


def _find(text: str, sign: str, position: int) -> int:
    found = text.find(sign, position)
    return len(text) if found < 0 else found


def _without_fences(pieces: list[str]) -> str:
    """Join what stands around the calls, less the fences that held them and the signs that part them."""
    kept = []
    for number, piece in enumerate(pieces):
        parts_two_calls = 0 < number < len(pieces) - 1 and not piece.strip(SEPARATORS + "\n\r")
        rest = "" if parts_two_calls else piece
        if number > 0 and rest.lstrip().startswith(FENCE):
            rest = rest.lstrip()[len(FENCE) :]
        last_line = rest.rstrip().rpartition("\n")[2].strip()
        if number < len(pieces) - 1 and last_line.startswith(FENCE):
            rest = rest.rstrip()[: -len(last_line)]
        kept.append(rest)
    return "".join(kept)
