"""Formats that wrap calls in tags: Hermes (Qwen 2.5 and 3 too) and When2Call's <TOOLCALL>.

Every scan is a `str.find` that goes forward only: a regular expression over such tags takes minutes on
hostile text.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from evaluation.toolcalls.completion import Call, Completion, ParseError
from evaluation.toolcalls.formats.bare_json import parse_bare_json
from evaluation.toolcalls.formats.call_objects import NotACall, call_of
from evaluation.toolcalls.formats.json_values import MAX_FAULTS, JsonFault, decode_value_at, skip_blanks
from evaluation.toolcalls.formats.repair import repair_value_at

# From a tag's JSON value to its calls. The list takes the repairs of a lenient parse; None means strict.
ReadCalls = Callable[[Any, list[str] | None], list[Call]]

THINK_OPENING, THINK_CLOSING = "<think>", "</think>"


def parse_hermes(text: str, lenient: bool) -> Completion:
    """One JSON call in each ``<tool_call>…</tool_call>``, after a ``<think>`` block if there is one."""
    begins_with_thought = text.lstrip().startswith(THINK_OPENING)
    return _parse_after_thought(text, lenient, text.find(THINK_CLOSING) if begins_with_thought else -1)


def parse_qwen3(text: str, lenient: bool) -> Completion:
    """Hermes, where the thought may have been opened by the prompt: all up to ``</think>`` is thought."""
    return _parse_after_thought(text, lenient, text.find(THINK_CLOSING))


def parse_toolcall_tag(text: str, lenient: bool) -> Completion:
    """A JSON list of calls in ``<TOOLCALL>…</TOOLCALL>``, as When2Call's training rows have it."""
    return _Tagged("<TOOLCALL>", "</TOOLCALL>", _calls_of_list, lenient).parse(text, 0)


def _parse_after_thought(text: str, lenient: bool, thought_end: int) -> Completion:
    if thought_end < 0 and text.lstrip().startswith(THINK_OPENING):
        return Completion(error=ParseError("the <think> block is not closed", len(text)))
    start = thought_end + len(THINK_CLOSING) if thought_end >= 0 else 0
    return _Tagged("<tool_call>", "</tool_call>", _calls_of_object, lenient).parse(text, start)


class _Tagged:
    """One pass over a text whose calls stand between two tags."""

    def __init__(self, opening: str, closing: str, read: ReadCalls, lenient: bool) -> None:
        self.opening = opening
        self.closing = closing
        self.read = read
        self.lenient = lenient
        self.calls: list[Call] = []
        self.outside: list[str] = []
        self.repairs: list[str] = []
        self.error: ParseError | None = None
        self.faults = 0

    def parse(self, text: str, position: int) -> Completion:
        tag = text.find(self.opening, position)
        if tag < 0 and self.lenient:
            bare = parse_bare_json(text[position:], lenient=True)
            if bare.calls:
                return Completion(bare.calls, bare.text, None, ("missing_tags", *bare.repairs))
        while tag >= 0 and self.faults < MAX_FAULTS:
            self._keep_outside(text, position, tag)
            position = self._take_block(text, tag + len(self.opening))
            tag = text.find(self.opening, position)
        self._keep_outside(text, position, len(text))
        around = "".join(self.outside).strip()
        return Completion(tuple(self.calls), around, self.error, tuple(dict.fromkeys(self.repairs)))

    def _take_block(self, text: str, start: int) -> int:
        """Read the block that begins at `start`, and return the index where the scan goes on."""
        try:
            value, end = self._decode(text, start)
            self.calls += self.read(value, self.repairs if self.lenient else None)
        except JsonFault as fault:
            self._fail(fault.message, fault.position)
        except NotACall as fault:
            self._fail(str(fault), start)
        else:
            end = skip_blanks(text, end)
            if text.startswith(self.closing, end):
                return end + len(self.closing)
            if self.lenient and end == len(text):
                self.repairs.append("missing_closing_tag")
                return end
            self._fail(f"expected {self.closing} after the JSON value", end)
        closing = text.find(self.closing, start)
        return len(text) if closing < 0 else closing + len(self.closing)

    def _decode(self, text: str, start: int) -> tuple[Any, int]:
        try:
            return decode_value_at(text, start)
        except JsonFault:
            if not self.lenient:
                raise
            self.faults += 1
        closing = text.find(self.closing, start)
        limit = len(text) if closing < 0 else closing
        openers = (text.find("{", start, limit), text.find("[", start, limit))
        opener = min((at for at in openers if at >= 0), default=start)
        value, end, repairs = repair_value_at(text, opener, limit)
        self.repairs += repairs
        return value, end

    def _keep_outside(self, text: str, start: int, end: int) -> None:
        stray = text.find(self.closing, start, end)
        if stray >= 0:
            self._fail(f"{self.closing} without {self.opening}", stray)
        self.outside.append(text[start:end])

    def _fail(self, message: str, position: int) -> None:
        self.faults += 1
        self.error = self.error or ParseError(message, position)


def _calls_of_object(value: Any, repairs: list[str] | None) -> list[Call]:
    if repairs is not None and isinstance(value, list):
        repairs.append("list_for_object")
        return [call_of(item, repairs) for item in value]
    return [call_of(value, repairs)]


def _calls_of_list(value: Any, repairs: list[str] | None) -> list[Call]:
    if repairs is not None and isinstance(value, dict):
        repairs.append("object_for_list")
        value = [value]
    if not isinstance(value, list):
        raise NotACall("the tag holds no JSON list of calls")
    return [call_of(item, repairs) for item in value]
