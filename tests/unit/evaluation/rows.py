"""Authored rows for the tests of the evaluation side."""

from __future__ import annotations

import json
from typing import Any

WEATHER = {
    "name": "get_weather",
    "description": "Today's weather in a city.",
    "parameters": {
        "type": "object",
        "properties": {
            "city": {"type": "string"},
            "days": {"type": "integer", "default": 1},
            "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]},
        },
        "required": ["city"],
    },
}
TIMER = {
    "name": "set_timer",
    "description": "Start a timer.",
    "parameters": {"type": "object", "properties": {"minutes": {"type": "number"}}, "required": ["minutes"]},
}
ANSWERS = {
    "direct": "It is sunny in Paris.",
    "tool_call": '{"name": "get_weather", "arguments": {"city": "Paris"}}',
    "request_for_info": "Which city should I look in?",
    "cannot_answer": "I'm sorry, none of my tools can do that.",
}


def call_row(*calls: tuple[str, dict[str, Any]], row_id: str = "r1", **expected: Any) -> dict[str, Any]:
    """A row that expects these calls, with both tools at hand."""
    gold = [{"name": name, "arguments": json.dumps(arguments)} for name, arguments in calls]
    return {
        "id": row_id,
        "tools": json.dumps([WEATHER, TIMER]),
        "messages": [{"role": "user", "content": "How is the weather in Paris?"}],
        "expected": {"decision": "tool_call", "calls": gold, "allowed": None, "text": None, **expected},
    }


def text_row(decision: str, row_id: str = "r1") -> dict[str, Any]:
    """A row that expects one of the three decisions that are texts."""
    text = ANSWERS[decision]
    return {
        **call_row(row_id=row_id),
        "expected": {"decision": decision, "calls": [], "allowed": None, "text": text},
    }


def choice_row(decision: str, row_id: str = "r1") -> dict[str, Any]:
    """A multiple-choice row whose right answer is `decision`."""
    row = call_row(("get_weather", {"city": "Paris"}), row_id=row_id)
    row = row if decision == "tool_call" else text_row(decision, row_id)
    return {**row, "answers": dict(ANSWERS)}


def hermes(name: str, arguments: Any) -> str:
    """A call as Hermes models write it."""
    return f"<tool_call>\n{json.dumps({'name': name, 'arguments': arguments})}\n</tool_call>"
