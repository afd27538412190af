"""Rows as strategies see them, the formats that calls are written in, and the honest partial answer."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evaluation.toolcalls import Call

Written = str
Values = Mapping[str, Any]

REFUSAL = "I'm sorry, I can't do that with the tools that I have."
QUESTION = "Could you please tell me which one you mean?"
ANSWER = "It was settled on the first of May."
TEXTS = {"cannot_answer": REFUSAL, "request_for_info": QUESTION, "direct": ANSWER}


@dataclass(frozen=True)
class Case:
    """A row as a strategy sees it.

    `calls`: the expected ones, or a guess at the first tool where the row expects none.
    """

    row: Mapping[str, Any]
    number: int
    decision: str
    tools: Mapping[str, Values]
    calls: tuple[Call, ...]
    prompt: str

    @property
    def right(self) -> str:
        """The right text of a row that expects no call."""
        return TEXTS[self.decision]


@dataclass(frozen=True)
class Format:
    """How calls are written: each by itself, and together."""

    name: str
    one: Callable[[Call], str]
    opening: str = ""
    closing: str = ""
    together: Callable[[list[str]], str] = "\n".join

    def write(self, calls: Sequence[Call]) -> Written:
        """The completion that makes these calls."""
        return self.together([self.one(call) for call in calls])


def as_json(call: Call) -> str:
    """A call as most formats write it."""
    return json.dumps({"name": call.name, "arguments": call.arguments})


def _function(call: Call) -> str:
    return json.dumps({"function": {"name": call.name, "arguments": json.dumps(call.arguments)}})


FORMATS = (
    Format(
        "hermes",
        lambda call: f"<tool_call>\n{as_json(call)}\n</tool_call>",
        "<tool_call>",
        "</tool_call>",
    ),
    Format(
        "qwen3",
        lambda call: f"<tool_call>\n{as_json(call)}\n</tool_call>",
        "<tool_call>",
        "</tool_call>",
        lambda calls: "<think>\nWhich tool is it?\n</think>\n\n" + "\n".join(calls),
    ),
    Format(
        "toolcall_tag", lambda call: f"<TOOLCALL>[{as_json(call)}]</TOOLCALL>", "<TOOLCALL>", "</TOOLCALL>"
    ),
    Format("mistral", as_json, "[TOOL_CALLS]", "", lambda calls: f"[TOOL_CALLS][{', '.join(calls)}]"),
    Format("bare_json", as_json),
)


def honest(case: Case, format: Format) -> tuple[Written, ...]:
    """The honest partial answers to a row, each as likely as the others.

    Where calls are expected: the right calls, in order, with one argument's value wrong. Where a text is:
    the right decision half of the time, and another one else.
    """
    if case.decision == "tool_call":
        return (format.write([with_wrong_value(case, case.calls[0]), *case.calls[1:]]),)
    return case.right, next(text for decision, text in TEXTS.items() if decision != case.decision)


def with_wrong_value(case: Case, call: Call) -> Call:
    """The call with another value of its first argument."""
    name = next(iter(call.arguments), None)
    if name is None:
        return Call(call.name, {"reason": "none"})
    schema = properties_of(case.tools[call.name]).get(name, {})
    return Call(call.name, {**call.arguments, name: _other_value(call.arguments[name], schema)})


def _other_value(value: Any, schema: Values) -> Any:
    """Another value that the schema allows, as far as a simple change can."""
    if schema.get("enum"):
        return next((one for one in schema["enum"] if one != value), "none of these")
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 1
    if isinstance(value, list):
        return [*value, *value]
    return {} if isinstance(value, dict) else f"{value} or thereabouts"


def guess(name: str, parameters: Values) -> Call:
    """Call a tool with a made-up value for every property."""
    return Call(name, {key: _placeholder(key, schema) for key, schema in properties_of(parameters).items()})


def _placeholder(key: str, schema: Values) -> Any:
    for known in ("default", "example"):
        if known in schema:
            return schema[known]
    if schema.get("enum"):
        return schema["enum"][0]
    by_type = {"integer": 1, "number": 1, "boolean": True, "array": [], "object": {}, "null": None}
    declared = schema.get("type", "string")
    return by_type.get(declared, key) if isinstance(declared, str) else key


def properties_of(parameters: Values) -> Values:
    """The properties of a tool's parameters, by name."""
    properties = parameters.get("properties")
    return properties if isinstance(properties, Mapping) else {}
