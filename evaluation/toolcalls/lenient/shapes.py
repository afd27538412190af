"""The shapes that models give a call in JSON when they miss their format: a lenient parse reads them all.

With the offered tools known, a value is a call where it names one of them: under another key than `name`,
with its arguments under another key or flat beside the name, wrapped once more, as the key of its arguments,
or as JSON in a `content` string. An object without any name is a call of the only tool where it fits it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from evaluation.toolcalls.completion import Call
from evaluation.toolcalls.formats.call_objects import NotACall, is_call_object
from evaluation.toolcalls.formats.json_values import Fault, decode_value
from evaluation.toolcalls.formats.offered import Offered, Tool
from evaluation.toolcalls.lenient.repair import repair_value_at

NAME_KEYS = (
    *("name", "tool_name", "toolName", "tool", "function_name", "function", "tool_call", "function_call"),
    *("recipient_name", "action", "action_name", "call", "tool_use", "tool_to_call", "method"),
)
ARGUMENT_KEYS = (
    *("arguments", "parameters", "args", "params", "input", "inputs", "tool_input", "toolInput", "kwargs"),
    *("action_input", "action_args", "tool_args", "tool_arguments", "tool_params", "tool_parameters"),
    *("function_args", "function_arguments", "function_parameters", "toolArgs", "toolArguments"),
)
WRAPPERS = (
    *("tool_calls", "tool_call", "function_calls", "function_call", "functions", "function", "calls", "call"),
    *("tool_uses", "tool_use", "tools", "tool", "actions", "action", "message", "response", "output"),
    "content",
)
# What stands beside a call and is no argument.
MARKS = frozenset({"type", "id", "call_id", "index", "role", "thought", "reasoning"})
PREFIXES = ("functions.", "function.", "tools.", "tool.", "default_api.", "api.")
MAX_WRAPPERS = 4
_PLACEHOLDER = re.compile(
    r"<[^<>]{1,80}>|\{\{?[^{}]{0,80}\}?\}|\[[^\[\]]{0,80}\b(?:your|insert|here)\b[^\[\]]{0,80}\]|YOUR_[A-Z_]{1,80}"
    r"|your_\w{1,80}|\w{1,80}_here|/?path/to/\S{0,80}|\.\.\.|…|insert [\w ]{1,80} here",
    re.IGNORECASE,
)


# Parameters of free text, which may be empty, or hold a tag or dots and nothing else.
_FREE_TEXT = re.compile(r"(?:^|_)(?:content|contents|text|body|data|code|value|note|notes|comment|html)$")


class Shapes:
    """Reads values as calls of the offered tools, and notes in `repairs` what it had to overlook."""

    def __init__(self, offered: Offered) -> None:
        self.offered = offered
        self.repairs: list[str] = []

    def calls_of(self, value: Any, *, marked: bool, alone: bool = False) -> list[Call]:
        """Return the calls that `value` makes; none where it is no call, or one of a list is none.

        `marked`: the text says that this is a call, so one of an unknown tool is a call too. `alone`: the
        value is all that was said, so that a nameless object may be meant for the only tool.
        """
        calls = self._read(value, marked, MAX_WRAPPERS)
        if not calls and alone and isinstance(value, dict):
            calls = self._nameless(value)
        return calls

    def resolve(self, name: str) -> str | None:
        """Return the offered tool that a name means, less a namespace and signs around it, or None."""
        if name in self.offered:
            return name
        for prefix in PREFIXES:
            name = name.removeprefix(prefix)
        bare = name if name in self.offered else name.strip(" \t\r\n_`*'\"():.")
        if bare not in self.offered:
            return None
        self.repairs.append("trimmed_name")
        return bare

    def fits(self, call: Call) -> bool:
        """Tell whether a call has all that its tool requires: present, not empty, not a placeholder.

        Free text, such as a file's content, may be empty, and may be what elsewhere is a placeholder, unless
        all strings of the call are.
        """
        tool = self.offered.get(call.name)
        texts = [(key, value) for key, value in call.arguments.items() if isinstance(value, str)]
        blanks = [key for key, value in texts if _PLACEHOLDER.fullmatch(value.strip())]
        if blanks and (len(blanks) == len(texts) or not all(map(_FREE_TEXT.search, blanks))):
            return False
        return tool is None or all(_is_filled(key, call.arguments.get(key)) for key in tool.required)

    def _read(self, value: Any, marked: bool, depth: int) -> list[Call]:
        if isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
            value = self._decoded(value)
            self.repairs.append("call_as_string")
        if isinstance(value, list):
            found = [self._read(item, marked, depth - 1) for item in value] if depth else []
            return [call for calls in found for call in calls] if all(found) else []
        if not isinstance(value, dict):
            return []
        return self._named(value, marked) or self._by_key(value) or self._wrapped(value, marked, depth)

    def _named(self, value: dict[str, Any], marked: bool) -> list[Call]:
        for key in NAME_KEYS:
            name = value.get(key)
            if not isinstance(name, str) or not name:
                continue
            known = self.resolve(name) if self.offered else None
            if known is None and not (key == "name" and (marked or self._may_be_unknown(value))):
                continue
            arguments = self._arguments(value, key, self.offered.get(known or ""))
            if arguments is None:
                continue
            if key != "name":
                self.repairs.append("other_name_key")
            return [Call(known or name, arguments)]
        return []

    def _may_be_unknown(self, value: dict[str, Any]) -> bool:
        return not self.offered and is_call_object(value)

    def _arguments(self, value: dict[str, Any], name_key: str, tool: Tool | None) -> dict[str, Any] | None:
        for key in ARGUMENT_KEYS:
            if key not in value or (
                tool and key in tool.properties and not isinstance(value[key], dict | str)
            ):
                continue
            found = value[key]
            if isinstance(found, str):
                self.repairs.append("arguments_as_string" if found.strip() else "absent_arguments")
                found = self._decoded(found) if found.strip() else {}
            if value[key] is None and tool and not tool.required:
                self.repairs.append("absent_arguments")
                found = {}
            if isinstance(found, dict):
                if key != "arguments":
                    self.repairs.append(
                        "parameters_for_arguments" if key == "parameters" else "other_arguments_key"
                    )
                return found
        rest = {key: inner for key, inner in value.items() if key != name_key and key not in MARKS}
        if any(key in rest for key in ARGUMENT_KEYS[:2]):
            return None
        if rest and tool and rest.keys() <= tool.properties.keys():
            self.repairs.append("flat_arguments")
            return rest
        if not rest:
            self.repairs.append("absent_arguments")
        return None if rest else {}

    def _by_key(self, value: dict[str, Any]) -> list[Call]:
        calls = []
        for key, inner in value.items():
            name = self.resolve(key) if self.offered and len(value) <= len(self.offered) else None
            arguments = self._decoded(inner) if isinstance(inner, str) else inner
            if name is None or not isinstance(arguments, dict):
                return []
            calls.append(Call(name, arguments))
        if calls:
            self.repairs.append("name_as_key")
        return calls

    def _wrapped(self, value: dict[str, Any], marked: bool, depth: int) -> list[Call]:
        for key in WRAPPERS if depth else ():
            if key not in value or (
                key == "content" and not value.keys() <= {"content", "role", "tool_calls"}
            ):
                continue
            calls = self._read(value[key], marked, depth - 1)
            if calls:
                self.repairs.append("wrapped_call")
                return calls
        return []

    def _nameless(self, value: dict[str, Any]) -> list[Call]:
        if len(self.offered) != 1:
            return []
        tool = next(iter(self.offered.values()))
        for key in (*ARGUMENT_KEYS[:2], None):
            inner = value.get(key) if key and len(value) == 1 else value
            if isinstance(inner, dict) and inner and _covers(tool, inner):
                self.repairs.append("absent_name")
                return [Call(tool.name, inner)]
        return []

    def _decoded(self, text: str) -> Any:
        try:
            return decode_value(text)
        except Fault:
            start = len(text) - len(text.lstrip())
        if text[start : start + 1] not in ("{", "["):
            return None
        try:
            value, _, repairs = repair_value_at(text, start, len(text))
        except Fault:
            return None
        self.repairs += repairs
        return value

    def positional(self, name: str, values: list[Any], arguments: Mapping[str, Any]) -> Call:
        """Give values without a name those of the parameters that must stand. Raises NotACall."""
        tool = self.offered.get(name)
        if not values:
            return Call(name, dict(arguments))
        names = tool.required or tuple(tool.properties) if tool else ()
        leads = tool is not None and (len(names) == 1 or tuple(tool.properties)[: len(names)] == names)
        if len(names) != len(values) or not leads or set(names) & set(arguments):
            raise NotACall(f"values without a name in the call of {name[:80]!r}")
        self.repairs.append("positional_argument")
        return Call(name, {**dict(zip(names, values, strict=True)), **arguments})


def _covers(tool: Tool, arguments: dict[str, Any]) -> bool:
    names = arguments.keys()
    return bool(tool.required) and names <= tool.properties.keys() and set(tool.required) <= names


def _is_filled(key: str, value: Any) -> bool:
    if isinstance(value, str):
        return bool(value.strip()) or _FREE_TEXT.search(key) is not None
    return value is not None
