"""JSON values that stand in a text without any tag: those that begin a line, fenced or not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from evaluation.toolcalls.completion import Call, Completion
from evaluation.toolcalls.formats.call_objects import NotACall
from evaluation.toolcalls.formats.json_values import MAX_FAULTS, Fault, decode_value_at, skip_blanks
from evaluation.toolcalls.formats.reading import Reading

FENCE = "```"
SEPARATORS = " \t;,"

# The calls that a JSON value makes, or None where it means to be none. Raises NotACall.
Take = Callable[[Any], list[Call] | None]


def scan_json(text: str, start: int, take: Take, tag: str = "") -> Completion:
    """Read every JSON call from `start` on that begins a line, follows `tag` or follows another call.

    JSON that is no call (an answer that shows a JSON example) stays text. A line that begins with
    ``{"name"`` and is no JSON is a malformed call. Behind 32 places that are no JSON all is text.
    """
    return _Scan(text, start, take, tag).run()


class _Scan:
    """One pass over a text that may hold calls as plain JSON."""

    def __init__(self, text: str, start: int, take: Take, tag: str) -> None:
        self.text = text
        self.take = take
        self.tag = tag
        self.reading = Reading()
        self.kept = self.start = start
        self.brace = self.bracket = -1

    def run(self) -> Completion:
        reading = self.reading
        at = self._next_opener(self.start)
        while at < len(self.text) and reading.faults < MAX_FAULTS:
            value, end = self._decode(at) if self._may_be_call(at) else (None, at + 1)
            if value is not None and self._takes(value, at):
                reading.outside.append(self.text[self.kept : at].removesuffix(self.tag))
                self.kept = end
            at = self._next_opener(end)
        reading.outside.append(self.text[self.kept :])
        if self.kept > self.start:
            reading.outside = without_fences(reading.outside)
        return reading.completion()

    def _next_opener(self, position: int) -> int:
        # Each sign is searched again only when it was passed: a sign that occurs no more is looked for once.
        if self.brace < position:
            self.brace = _find(self.text, "{", position)
        if self.bracket < position:
            self.bracket = _find(self.text, "[", position)
        return min(self.brace, self.bracket)

    def _may_be_call(self, start: int) -> bool:
        if not self._begins_line(start):
            return False
        after = skip_blanks(self.text, start + 1)
        first = self.text[after : after + 1]
        return first in ("{", "]") if self.text[start] == "[" else first not in ("}", "")

    def _decode(self, start: int) -> tuple[Any, int]:
        """Decode at `start`; on failure return None and the index from which another value may begin."""
        try:
            return decode_value_at(self.text, start)
        except Fault as fault:
            if self._looks_like_call(start):
                self.reading.fail(fault.message, fault.position)
            else:
                self.reading.faults += 1
            return None, max(fault.position, start + 1)

    def _takes(self, value: Any, start: int) -> bool:
        try:
            calls = self.take(value)
        except NotACall as fault:
            self.reading.fail(str(fault), start)
            return False
        self.reading.calls += calls or []
        return calls is not None

    def _looks_like_call(self, start: int) -> bool:
        first = skip_blanks(self.text, start + 1)
        return self.text.startswith(('"name"', '{"name"', '"tool_calls"'), first)

    def _begins_line(self, start: int) -> bool:
        # Going back ends at the last opener at the latest, so that all calls together stay linear.
        while start > self.kept and self.text[start - 1] in SEPARATORS:
            start -= 1
        if start == self.kept or self.text[start - 1] == "\n":
            return True
        return bool(self.tag) and self.text.endswith(self.tag, 0, start)


def _find(text: str, sign: str, position: int) -> int:
    found = text.find(sign, position)
    return len(text) if found < 0 else found


def without_fences(pieces: list[str]) -> list[str]:
    """Return what stands around the calls, less the fences that held them and the signs that part them."""
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
    return kept
