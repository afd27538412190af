"""Conversations in the shapes that rows are published in, as canonical chat messages.

`<TOOLCALL>[…]</TOOLCALL>` in a text becomes structured `tool_calls`, in earlier turns too: left as text, a
model would learn a call format that no server's parser reads.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from data.rows import RowError, read_json, write_json

OPEN, CLOSE = "<TOOLCALL>", "</TOOLCALL>"
ROLES = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant"}
TOOL_ROLES = {"tool": "tool", "function": "tool", "ipython": "tool"}
CALL_SHAPE = 'write <TOOLCALL>[{"name": …, "arguments": {…}}]</TOOLCALL>'


def read_messages(value: object, field: str = "messages") -> tuple[dict[str, Any], ...]:
    """Read a conversation. Raises RowError naming the message at fault."""
    if isinstance(value, str):
        value = [{"role": "user", "content": value}]
    if not isinstance(value, list) or not value:
        raise RowError(field, "is not a list of messages", "give [{role, content}, …]")
    messages = tuple(read_message(message, f"{field}[{index}]") for index, message in enumerate(value))
    if not any(message["role"] == "user" for message in messages):
        raise RowError(field, "has no user turn", "give the request that the assistant answers")
    return messages


def read_message(value: object, field: str) -> dict[str, Any]:
    """Read one message of any role. Raises RowError."""
    if not isinstance(value, Mapping):
        raise RowError(field, "is not an object", "give {role, content}")
    role = value.get("role")
    known = ROLES.get(str(role)) or TOOL_ROLES.get(str(role))
    if known is None:
        raise RowError(f"{field}.role", f"unknown role {role!r}", "use system, user, assistant or tool")
    content = _read_content(value.get("content"), f"{field}.content")
    if known == "assistant":
        return _read_assistant(content, value.get("tool_calls"), field)
    kept = {key: value[key] for key in ("name", "tool_call_id") if isinstance(value.get(key), str)}
    return {"role": known, "content": content, **(kept if known == "tool" else {})}


def read_answer(value: object, field: str) -> dict[str, Any]:
    """Read a single assistant answer: a message, a list of one message, or the text alone."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, str):
        value = {"role": "assistant", "content": value}
    message = read_message(value, field)
    if message["role"] != "assistant":
        raise RowError(f"{field}.role", "is not assistant", "give the answer as an assistant message")
    return message


def split_toolcalls(text: str, field: str = "content") -> tuple[str, list[Any]]:
    """Separate a text's `<TOOLCALL>` blocks from what is written around them.

    The JSON decides where a block ends, so that a value may hold the closing tag. Raises RowError for a
    block that is not JSON or is not closed.

    >>> split_toolcalls('Sure. <TOOLCALL>[{"name": "f", "arguments": {}}]</TOOLCALL>')
    ('Sure.', [{'name': 'f', 'arguments': {}}])
    """
    around, calls, at = [], [], 0
    while (start := text.find(OPEN, at)) >= 0:
        around.append(text[at:start])
        found, at = _decode_block(text, start + len(OPEN), field)
        calls.extend(found if isinstance(found, list) else [found])
    around.append(text[at:])
    return "\n".join(part.strip() for part in around if part.strip()), calls


def write_toolcalls(calls: Sequence[Mapping[str, Any]]) -> str:
    """Write `{name, arguments}` objects as When2Call publishes them."""
    return f"{OPEN}{json.dumps(list(calls), ensure_ascii=False)}{CLOSE}"


def read_call(value: object, field: str) -> dict[str, str]:
    """Read `{name, arguments}`, with arguments as an object or a JSON string, into the canonical pair."""
    if not isinstance(value, Mapping) or not isinstance(value.get("name"), str) or not value["name"]:
        raise RowError(field, "is not a call with a name", "give {name, arguments}")
    arguments = value.get("arguments")
    if isinstance(arguments, str):
        try:
            arguments = read_json(arguments)
        except ValueError as error:
            raise RowError(f"{field}.arguments", f"is not JSON: {error}", "give a JSON object") from error
    if arguments is None:
        arguments = {}
    if not isinstance(arguments, Mapping):
        raise RowError(f"{field}.arguments", "is not an object", "give the arguments by name")
    return {"name": value["name"], "arguments": write_json(arguments)}


def calls_of(message: Mapping[str, Any]) -> tuple[dict[str, str], ...]:
    """The calls of a canonical assistant message, as `{name, arguments}`."""
    return tuple(dict(call["function"]) for call in message.get("tool_calls") or ())


def _read_assistant(content: str, tool_calls: object, field: str) -> dict[str, Any]:
    text, written = split_toolcalls(content, f"{field}.content")
    calls = [read_call(call, f"{field}.content") for call in written]
    calls += [
        read_call(_function(call), f"{field}.tool_calls[{index}]")
        for index, call in enumerate(_as_list(tool_calls, f"{field}.tool_calls"))
    ]
    if not calls and not text:
        raise RowError(field, "says and calls nothing", "give content or tool_calls")
    message: dict[str, Any] = {"role": "assistant", "content": text}
    if calls:
        message["tool_calls"] = [{"type": "function", "function": call} for call in calls]
    return message


def _function(call: object) -> object:
    return call["function"] if isinstance(call, Mapping) and "function" in call else call


def _as_list(value: object, field: str) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise RowError(field, "is not a list", 'give [{"type": "function", "function": {name, arguments}}]')
    return value


def _decode_block(text: str, start: int, field: str) -> tuple[Any, int]:
    while start < len(text) and text[start].isspace():
        start += 1
    try:
        found, end = json.JSONDecoder().raw_decode(text, start)
    except (ValueError, RecursionError) as error:
        raise RowError(field, f"the block after {OPEN} is not JSON: {error}", CALL_SHAPE) from error
    while end < len(text) and text[end].isspace():
        end += 1
    if not text.startswith(CLOSE, end):
        raise RowError(field, f"{OPEN} is not closed by {CLOSE} after its JSON", CALL_SHAPE)
    return found, end + len(CLOSE)


def _read_content(value: object, field: str) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(part, Mapping) and "text" in part for part in value):
        return "\n".join(str(part["text"]) for part in value)
    raise RowError(field, "is neither a string nor a list of text parts", "give the text as a string")
