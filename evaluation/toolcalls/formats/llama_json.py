"""Llama's JSON calls: ``{"name": …, "parameters": {…}}``, behind ``<|python_tag|>`` or not.

Source: the chat templates of Llama 3.1 and 3.2 and vLLM's parser `llama3_json`, which takes `arguments` too.
"""

from __future__ import annotations

from typing import Any

from evaluation.toolcalls.completion import Call, Completion, ParseError
from evaluation.toolcalls.formats.call_objects import ARGUMENTS, PARAMETERS, call_of, is_call_object
from evaluation.toolcalls.formats.json_scan import scan_json
from evaluation.toolcalls.formats.offered import Offered

PYTHON_TAG = "<|python_tag|>"


def parse_llama3_json(text: str, offered: Offered) -> Completion:
    """Read every call that begins a line, follows the tag, or follows another call behind ``;``.

    A tag without a JSON call behind it (code, or a call of a built-in tool) is malformed, for no server
    reads it as a call.
    """
    parsed = scan_json(text, 0, _take, PYTHON_TAG)
    if PYTHON_TAG in parsed.text and parsed.error is None:
        at = text.find(PYTHON_TAG) + len(PYTHON_TAG)
        return parsed._replace(error=ParseError(f"no JSON call behind {PYTHON_TAG}", at))
    return parsed


def _take(value: Any) -> list[Call] | None:
    return [call_of(value, (PARAMETERS, ARGUMENTS))] if is_call_object(value) else None
