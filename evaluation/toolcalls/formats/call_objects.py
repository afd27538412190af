"""From a decoded JSON value to a call: the object that every JSON format carries."""

from __future__ import annotations

from typing import Any

from evaluation.toolcalls.completion import Call
from evaluation.toolcalls.formats.json_values import Fault, decode_value

ARGUMENTS, PARAMETERS = "arguments", "parameters"


class NotACall(ValueError):
    """A JSON value that does not say which tool is called with what."""


def call_of(value: Any, keys: tuple[str, ...] = (ARGUMENTS,), *, strings: bool = False) -> Call:
    """Read ``{"name": str, "arguments": object}``; other keys are ignored, as servers' parsers ignore them.

    `keys` are the names that the arguments may have, the first that stands there counts. With `strings`,
    arguments may be the JSON text of an object. Raises NotACall.
    """
    if not isinstance(value, dict):
        raise NotACall(f"a call is a JSON object, not {_kind(value)}")
    name = value.get("name")
    if not isinstance(name, str) or not name:
        raise NotACall("the call has no 'name' that is a string")
    key = keys[0] if keys[0] in value else next((each for each in keys if each in value), None)
    arguments = None if key is None else value[key]
    if strings and isinstance(arguments, str):
        arguments = _decoded(arguments, name)
    if not isinstance(arguments, dict):
        found = "absent" if key is None else _kind(arguments)
        raise NotACall(f"the {key or keys[0]!r} of {name[:80]!r} must be a JSON object, but are {found}")
    return Call(name, arguments)


def is_call_object(value: Any) -> bool:
    """Tell whether a JSON value means to be a call, well formed or not."""
    return isinstance(value, dict) and "name" in value and (ARGUMENTS in value or PARAMETERS in value)


def _decoded(arguments: str, name: str) -> Any:
    try:
        return decode_value(arguments)
    except Fault as fault:
        raise NotACall(f"the arguments of {name[:80]!r} are a string that is no JSON: {fault}") from None


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "a string", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")
