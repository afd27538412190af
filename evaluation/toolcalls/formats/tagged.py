"""Formats that wrap calls in tags: Hermes (Qwen 2.5 and 3 too), Qwen3-Coder's XML, When2Call's <TOOLCALL>.

Every scan is a `str.find` that goes forward only: a regular expression over such tags takes minutes on
hostile text. Sources: the models' chat templates, and vLLM's parsers `hermes` and `qwen3_coder`.
"""

from __future__ import annotations

from collections.abc import Callable

from evaluation.toolcalls.completion import Call, Completion, ParseError
from evaluation.toolcalls.formats.call_objects import NotACall, call_of
from evaluation.toolcalls.formats.json_values import (
    MAX_FAULTS,
    SHALLOW,
    Fault,
    decode_value_at,
    is_too_deep,
    scan_value,
    skip_blanks,
)
from evaluation.toolcalls.formats.offered import Offered
from evaluation.toolcalls.formats.reading import Reading
from evaluation.toolcalls.formats.thoughts import THINK_CLOSING, THINK_OPENING, begins_with_thought
from evaluation.toolcalls.formats.xml_parameters import FUNCTION_OPENING, read_function

TOOL_CALL_TAGS = ("<tool_call>", "</tool_call>")
RENDERED_OPENING, RENDERED_CLOSING = "<tool_call>\n{", "\n</tool_call>"
TOOLCALL_TAGS = ("<TOOLCALL>", "</TOOLCALL>")

# From a text and the index behind an opening tag to the calls and the index behind them; raises Fault or
# NotACall.
ReadBlock = Callable[[str, int], tuple[list[Call], int]]


def parse_hermes(text: str, offered: Offered) -> Completion:
    """One JSON call in each ``<tool_call>…</tool_call>``, after a ``<think>`` block if there is one."""
    thought_end = text.find(THINK_CLOSING) if begins_with_thought(text) else -1
    at = _behind_thought(text, thought_end)
    return _read_as_rendered(text, at) or _after_thought(text, thought_end, _json_call)


def parse_qwen3(text: str, offered: Offered) -> Completion:
    """Hermes, where the thought may have been opened by the prompt: all up to ``</think>`` is thought."""
    thought_end = text.find(THINK_CLOSING)
    at = _behind_thought(text, thought_end)
    return _read_as_rendered(text, at) or _after_thought(text, thought_end, _json_call)


def parse_qwen3_coder(text: str, offered: Offered) -> Completion:
    """Qwen3-Coder, Qwen 3.5: ``<function=name>`` with ``<parameter=key>`` in each ``<tool_call>``.

    As in vLLM's parser, ``<tool_call>`` may be left out of all calls: these models often forget it.
    """

    def read(text: str, start: int) -> tuple[list[Call], int]:
        call, end = read_function(text, skip_blanks(text, start), offered)
        return [call], end

    thought_end = text.find(THINK_CLOSING)
    if text.find(TOOL_CALL_TAGS[0], max(thought_end, 0)) < 0 and FUNCTION_OPENING in text:
        return _after_thought(text, thought_end, _behind_opening(read), (FUNCTION_OPENING, ""))
    return _after_thought(text, thought_end, read)


def parse_toolcall_tag(text: str, offered: Offered) -> Completion:
    """A JSON list of calls in ``<TOOLCALL>…</TOOLCALL>``, as When2Call's training rows have it."""
    return _parse(text, 0, _json_list, TOOLCALL_TAGS)


def _behind_thought(text: str, thought_end: int) -> int:
    return skip_blanks(text, thought_end + len(THINK_CLOSING)) if thought_end >= 0 else 0


def _read_as_rendered(text: str, at: int) -> Completion | None:
    """Read an answer that is nothing but calls just as chat templates render them; None for any other.

    Most answers that call are such ones, and this takes half the time of the scan, which reads them alike.
    """
    calls: list[Call] = []
    while text.startswith(RENDERED_OPENING, at):
        start = at + len(RENDERED_OPENING) - 1
        try:
            value, end = scan_value(text, start)
        except (ValueError, StopIteration, RecursionError):
            return None
        name, arguments = value.get("name"), value.get("arguments")
        if name.__class__ is not str or not name or arguments.__class__ is not dict:
            return None
        if end - start > SHALLOW and is_too_deep(text, start, end, value):
            return None
        calls.append(Call(name, arguments))
        if not text.startswith(RENDERED_CLOSING, end):
            return None
        at = end + len(RENDERED_CLOSING)
        if at == len(text):
            return Completion(tuple(calls))
        at += text.startswith("\n", at)
    return None


def _after_thought(
    text: str, thought_end: int, read: ReadBlock, tags: tuple[str, str] = TOOL_CALL_TAGS
) -> Completion:
    if thought_end < 0 and begins_with_thought(text):
        return Completion(error=ParseError(f"the {THINK_OPENING} block is not closed", len(text)))
    start = thought_end + len(THINK_CLOSING) if thought_end >= 0 else 0
    return _parse(text, start, read, tags)


def _parse(text: str, position: int, read: ReadBlock, tags: tuple[str, str]) -> Completion:
    opening, closing = tags
    reading = Reading()
    tag = text.find(opening, position)
    while tag >= 0 and reading.faults < MAX_FAULTS:
        _keep_outside(reading, text, position, tag, closing)
        position = _take_block(reading, text, tag + len(opening), read, closing)
        tag = text.find(opening, position)
    _keep_outside(reading, text, position, len(text), closing)
    return reading.completion()


def _take_block(reading: Reading, text: str, start: int, read: ReadBlock, closing: str) -> int:
    """Read the block that begins at `start`, and return the index where the scan goes on."""
    try:
        calls, end = read(text, start)
    except Fault as fault:
        reading.fail(fault.message, fault.position)
    except NotACall as fault:
        reading.fail(str(fault), start)
    else:
        reading.calls += calls
        end = skip_blanks(text, end)
        if text.startswith(closing, end):
            return end + len(closing)
        reading.fail(f"expected {closing} after the call", end)
    found = text.find(closing, start) if closing else -1
    return len(text) if found < 0 else found + len(closing)


def _keep_outside(reading: Reading, text: str, start: int, end: int, closing: str) -> None:
    if start == end:
        return
    stray = text.find(closing, start, end) if closing else -1
    if stray >= 0:
        reading.fail(f"{closing} closes nothing", stray)
    reading.outside.append(text[start:end])


def _json_call(text: str, start: int) -> tuple[list[Call], int]:
    value, end = decode_value_at(text, start)
    return [call_of(value)], end


def _json_list(text: str, start: int) -> tuple[list[Call], int]:
    value, end = decode_value_at(text, start)
    if not isinstance(value, list):
        raise NotACall("the tag holds no JSON list of calls")
    return [call_of(item) for item in value], end


def _behind_opening(read: ReadBlock) -> ReadBlock:
    """Read a function whose opening sign the scan has passed, and the lone closing tag behind it."""

    def read_whole(text: str, start: int) -> tuple[list[Call], int]:
        calls, end = read(text, start - len(FUNCTION_OPENING))
        after = skip_blanks(text, end)
        closing = TOOL_CALL_TAGS[1]
        return calls, after + len(closing) if text.startswith(closing, after) else end

    return read_whole
