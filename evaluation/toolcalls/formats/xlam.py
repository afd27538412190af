"""xLAM's calls: one JSON list, plain or fenced, or the same below ``tool_calls``.

Source: the chat templates of Salesforce's xLAM-2 (a list), the prompt of xLAM-1 (``{"tool_calls": […]}``)
and vLLM's parser `xlam`, which passes arguments on that are a JSON string.
"""

from __future__ import annotations

from typing import Any

from evaluation.toolcalls.completion import Call, Completion, ParseError
from evaluation.toolcalls.formats.call_objects import NotACall, call_of, is_call_object
from evaluation.toolcalls.formats.json_scan import scan_json
from evaluation.toolcalls.formats.offered import Offered
from evaluation.toolcalls.formats.thoughts import THINK_CLOSING, begins_with_thought


def parse_xlam(text: str, offered: Offered) -> Completion:
    """Read the list of calls that begins a line, after a thought if there is one; ``[]`` calls nothing."""
    thought_end = text.find(THINK_CLOSING)
    if thought_end < 0 and begins_with_thought(text):
        return Completion(error=ParseError("the thought is not closed", len(text)))
    return scan_json(text, thought_end + len(THINK_CLOSING) if thought_end >= 0 else 0, _take)


def _take(value: Any) -> list[Call] | None:
    if is_call_object(value):
        raise NotACall("a call outside of a JSON list of calls")
    if isinstance(value, dict):
        value = value.get("tool_calls")
    if not isinstance(value, list) or not all(is_call_object(item) for item in value):
        return None
    return [call_of(item, strings=True) for item in value]
