"""JSON values that stand in a text without any tag: those that begin a line, fenced or not."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from evaluation.toolcalls.completion import Call, Completion
from evaluation.toolcalls.formats.call_objects import NotACall
from evaluation.toolcalls.formats.json_values import MAX_FAULTS, Fault, decode_value_at, skip_blanks
from evaluation.toolcalls.formats.reading import Reading

FENCE = "```"
SEPARATORS = " \t;,"

_HERE = re.compile(r"[ \t;,]*+[{\[]")
_AT_LINE = re.compile(r"^[ \t;,]*+[{\[]", re.MULTILINE)

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
        self.tagged = (
            re.compile(f"(?:^|{re.escape(tag)})[ \\t;,]*+[{{\\[]", re.MULTILINE) if tag else _AT_LINE
        )

    def run(self) -> Completion:
        reading = self.reading
        at = self._next_opener(self.start)
        while at >= 0 and reading.faults < MAX_FAULTS:
            value, end = self._decode(at) if self._may_be_call(at) else (None, at + 1)
            if value is not None and self._takes(value, at):
                reading.outside.append(without_tag(self.text[self.kept : at], self.tag))
                self.kept = end
            at = self._next_opener(end)
        reading.outside.append(self.text[self.kept :])
        if self.kept > self.start:
            reading.outside = without_fences(reading.outside)
        return reading.completion()

    def _next_opener(self, position: int) -> int:
        """Return the next bracket that begins a line or follows a tag or a call, or -1."""
        match = _HERE.match(self.text, position) if position == self.kept else None
        match = match or self.tagged.search(self.text, position)
        return match.end() - 1 if match else -1

    def _may_be_call(self, start: int) -> bool:
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


def without_tag(text: str, tag: str) -> str:
    """Return a text less the tag that it ends with, and the blanks behind that."""
    stripped = text.rstrip(SEPARATORS)
    return stripped.removesuffix(tag) if tag and stripped.endswith(tag) else text


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
