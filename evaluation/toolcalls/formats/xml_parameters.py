"""Qwen3-Coder's calls: a function tag, a tag a parameter, and every value a text.

    <function=get_weather>
    <parameter=city>
    Paris
    </parameter>
    </function>

A closing tag may be forgotten: as in vLLM's parser, a value ends at ``</parameter>`` or before the next tag
of the format, whichever comes first, and a function ends at ``</function>`` or before ``</tool_call>``.

Source: the chat template of Qwen/Qwen3-Coder-30B-A3B-Instruct, and the parser `qwen3_coder` of vLLM and of
SGLang.
"""

from __future__ import annotations

import re
from typing import Any

from evaluation.toolcalls.completion import Call
from evaluation.toolcalls.formats.json_values import Fault, skip_blanks
from evaluation.toolcalls.formats.offered import Offered
from evaluation.toolcalls.formats.typed_texts import read_typed

FUNCTION_OPENING, FUNCTION_CLOSING = "<function=", "</function>"
PARAMETER_OPENING, PARAMETER_CLOSING = "<parameter=", "</parameter>"
_CALL_CLOSING = "</tool_call>"
_VALUE_END = re.compile(f"{PARAMETER_CLOSING}|(?={PARAMETER_OPENING}|{FUNCTION_CLOSING}|{_CALL_CLOSING})")
# A name is short; without a bound, every opening sign of a hostile text would be read to the text's end.
MAX_NAME = 256


def read_function(text: str, start: int, offered: Offered) -> tuple[Call, int]:
    """Read the call that begins at `start`; return it and the index behind ``</function>``.

    Where that is forgotten, the index is that of ``</tool_call>``. One line break behind an opening tag and
    one before a closing one belong to the tags. The tool's schema says how a value is read (`read_typed`).
    Raises Fault.
    """
    name, at = _read_opening(text, start, FUNCTION_OPENING)
    tool = offered.get(name)
    arguments: dict[str, Any] = {}
    at = skip_blanks(text, at)
    while text.startswith(PARAMETER_OPENING, at):
        key, at = _read_opening(text, at, PARAMETER_OPENING)
        end = _VALUE_END.search(text, at)
        if end is None:
            raise Fault(f"the parameter {key[:80]!r} is not closed", at)
        if key in arguments:
            raise Fault(f"the parameter {key[:80]!r} stands twice", at)
        schema = tool.properties.get(key) if tool else None
        arguments[key] = read_typed(_without_line_breaks(text, at, end.start()), schema)
        at = skip_blanks(text, end.end())
    if text.startswith(_CALL_CLOSING, at):
        return Call(name, arguments), at
    if not text.startswith(FUNCTION_CLOSING, at):
        raise Fault(f"expected {PARAMETER_OPENING} or {FUNCTION_CLOSING}", at)
    return Call(name, arguments), at + len(FUNCTION_CLOSING)


def _read_opening(text: str, start: int, opening: str) -> tuple[str, int]:
    if not text.startswith(opening, start):
        raise Fault(f"expected {opening}", start)
    start += len(opening)
    end = text.find(">", start, start + MAX_NAME)
    name = text[start:end].strip() if end >= 0 else ""
    if not name or "\n" in name or "<" in name:
        raise Fault(f"no name behind {opening}", start)
    return name, end + 1


def _without_line_breaks(text: str, start: int, end: int) -> str:
    start += text.startswith("\n", start, end)
    end -= text.endswith("\n", start, end)
    return text[start:end]
