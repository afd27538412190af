"""Llama's Python-like calls: ``[get_weather(city="Paris"), set_timer(minutes=5)]``.

Source: Meta's prompt format for Llama 3.2 and 4, and vLLM's parsers `pythonic` and `llama4_pythonic`. Names
may be dotted and keywords of Python may name arguments, which vLLM refuses and BFCL needs.
"""

from __future__ import annotations

import re

from evaluation.toolcalls.completion import Call, Completion
from evaluation.toolcalls.formats.json_scan import without_tag
from evaluation.toolcalls.formats.json_values import MAX_FAULTS, Fault
from evaluation.toolcalls.formats.llama_json import PYTHON_TAG
from evaluation.toolcalls.formats.offered import Offered
from evaluation.toolcalls.formats.python_values import PythonReader
from evaluation.toolcalls.formats.reading import Reading

_OPENING = re.compile(r"(?:^|<\|python_tag\|>)[ \t]*+(\[[ \t\r\n]*+[^\W\d][\w.]*+\()", re.MULTILINE)


def parse_llama3_pythonic(text: str, offered: Offered) -> Completion:
    """Read every list of Python calls that begins a line; their values are literals, all of them named."""
    reading, reader = Reading(), PythonReader(text, lenient=False)
    kept = at = 0
    while (opening := _OPENING.search(text, at)) and reading.faults < MAX_FAULTS:
        start = opening.start(1)
        try:
            calls, at = _read_list(reader, start)
        except Fault as fault:
            reading.fail(fault.message, fault.position)
            at = max(fault.position, opening.end())
        else:
            reading.calls += calls
            reading.outside.append(without_tag(text[kept:start], PYTHON_TAG))
            kept = at
    reading.outside.append(text[kept:])
    return reading.completion()


def read_call_list(text: str, start: int) -> tuple[list[Call], int]:
    """Read the bracketed list of calls at `start`; return them with the index behind it. Raises Fault."""
    return _read_list(PythonReader(text, lenient=False), start)


def _read_list(reader: PythonReader, start: int) -> tuple[list[Call], int]:
    text = reader.text
    at = reader.skip(start + 1)
    calls: list[Call] = []
    while not text.startswith("]", at):
        call = reader.call(at)
        if call.positional:
            raise Fault(f"an argument of {call.name[:80]!r} has no name", at)
        calls.append(Call(call.name, call.arguments))
        at = reader.skip(call.end)
        if text.startswith(",", at):
            at = reader.skip(at + 1)
        elif not text.startswith("]", at):
            raise Fault("expected ',' or ']'", at)
    return calls, at + 1
