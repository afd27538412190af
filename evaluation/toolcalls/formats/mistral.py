"""Both generations of Mistral's ``[TOOL_CALLS]``.

Until tokenizer version 7: ``[TOOL_CALLS] [{"name": …, "arguments": {…}, "id": …}]``. From version 11 on:
``[TOOL_CALLS]name[ARGS]{…}`` a call, with ``[CALL_ID]id`` before ``[ARGS]`` in version 11, and without any
sign between name and arguments as vLLM sees it. Source: mistral-common and vLLM's parser `mistral`.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from evaluation.toolcalls.completion import Call, Completion
from evaluation.toolcalls.formats.call_objects import NotACall, call_of
from evaluation.toolcalls.formats.json_values import MAX_FAULTS, Fault, decode_value_at
from evaluation.toolcalls.formats.offered import Offered
from evaluation.toolcalls.formats.reading import Reading

TOOL_CALLS, ARGS = "[TOOL_CALLS]", "[ARGS]"
# Raises Fault or NotACall.
ReadCalls = Callable[[str, int], tuple[list[Call], int]]
_HEAD = re.compile(r"\s*+([\w.\-]{1,256}+)\s*+(?:\[CALL_ID\][\w\-]{0,64}+\s*+)?(?:\[ARGS\])?\s*+(?=\{)")


def parse_mistral(text: str, offered: Offered) -> Completion:
    """Read the JSON list of calls behind each ``[TOOL_CALLS]``; all other text is kept."""
    return _parse(text, read_list)


def parse_mistral_v11(text: str, offered: Offered) -> Completion:
    """Read the name and the JSON arguments behind each ``[TOOL_CALLS]``; all other text is kept."""
    return _parse(text, read_named)


def read_list(text: str, start: int) -> tuple[list[Call], int]:
    """Read a JSON list of calls at `start`. Raises Fault or NotACall."""
    value, end = decode_value_at(text, start)
    if not isinstance(value, list) or not value:
        raise NotACall(f"expected a JSON list of calls behind {TOOL_CALLS}")
    return [call_of(item) for item in value], end


def read_named(text: str, start: int) -> tuple[list[Call], int]:
    """Read a name and its arguments at `start`. Raises Fault or NotACall."""
    head = _HEAD.match(text, start)
    if head is None:
        raise Fault(f"expected a name, {ARGS} and a JSON object behind {TOOL_CALLS}", start)
    value, end = decode_value_at(text, head.end())
    return [call_of({"name": head.group(1), "arguments": value})], end


def _parse(text: str, read: ReadCalls) -> Completion:
    reading = Reading()
    kept = 0
    tag = text.find(TOOL_CALLS)
    while tag >= 0 and reading.faults < MAX_FAULTS:
        start = tag + len(TOOL_CALLS)
        reading.outside.append(text[kept:tag])
        kept = start
        try:
            calls, kept = read(text, start)
            reading.calls += calls
        except Fault as fault:
            reading.fail(fault.message, fault.position)
        except NotACall as fault:
            reading.fail(str(fault), start)
        tag = text.find(TOOL_CALLS, kept)
    reading.outside.append(text[kept:])
    return reading.completion()
