"""From a decoded JSON value to a call: the object that every JSON format carries."""

from __future__ import annotations

from typing import Any

from evaluation.toolcalls.completion import Call
from evaluation.toolcalls.formats.json_values import JsonFault, decode_value


class NotACall(ValueError):
    """A JSON value that does not say which tool is called with what."""


def call_of(value: Any, repairs: list[str] | None = None) -> Call:
    """Read ``{"name": str, "arguments": object}``; other keys are ignored, as servers' parsers ignore them.

    With a `repairs` list the reading is lenient: `parameters` for `arguments`, arguments written as a JSON
    string, and absent arguments are accepted, and named in the list. Raises NotACall.
    """
    if not isinstance(value, dict):
        raise NotACall(f"a call is a JSON object, not {_kind(value)}")
    name = value.get("name")
    if not isinstance(name, str) or not name:
        raise NotACall("the call has no 'name' that is a string")
    arguments = value.get("arguments") if repairs is None else _lenient_arguments(value, repairs)
    if not isinstance(arguments, dict):
        found = _kind(arguments) if "arguments" in value else "absent"
        raise NotACall(f"the 'arguments' of {name[:80]!r} must be a JSON object, but are {found}")
    return Call(name, arguments)


def is_call_object(value: Any) -> bool:
    """Tell whether a JSON value means to be a call, well formed or not."""
    return isinstance(value, dict) and "name" in value and ("arguments" in value or "parameters" in value)


def _lenient_arguments(value: dict[str, Any], repairs: list[str]) -> Any:
    if "arguments" in value:
        arguments = value["arguments"]
    elif "parameters" in value:
        repairs.append("parameters_for_arguments")
        arguments = value["parameters"]
    else:
        repairs.append("absent_arguments")
        arguments = {}
    if not isinstance(arguments, str):
        return arguments
    repairs.append("arguments_as_string")
    try:
        return decode_value(arguments)
    except JsonFault as fault:
        raise NotACall(f"the 'arguments' are a string that is no JSON: {fault}") from None


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "a string", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")
