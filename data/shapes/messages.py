"""Conversations in the shapes that rows are published in, as canonical chat messages.

`<TOOLCALL>[…]</TOOLCALL>` in a text becomes structured `tool_calls`, in earlier turns too: left as text, a
model would learn a call format that no server's parser reads.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from data.rows import RowError, read_json
from data.shapes.blocks import expand_blocks
from data.shapes.texts import check_text, write_checked
from data.shapes.turns import Placed, check_roles, order_results

OPEN, CLOSE = "<TOOLCALL>", "</TOOLCALL>"
ROLES = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant"}
TOOL_ROLES = {"tool": "tool", "function": "tool", "ipython": "tool"}
CALL_SHAPE = 'write <TOOLCALL>[{"name": …, "arguments": {…}}]</TOOLCALL>'


def read_messages(
    value: object, field: str = "messages", *, as_published: bool = False
) -> tuple[dict[str, Any], ...]:
    """Read a conversation. Raises RowError naming the message at fault.

    `as_published` takes what check_text then takes.
    """
    if isinstance(value, str):
        value = _read_written(value) or [{"role": "user", "content": value}]
    if not isinstance(value, list) or not value:
        raise RowError(field, "is not a list of messages", "give [{role, content}, …]")
    parts = [part for index, one in enumerate(value) for part in expand_blocks(one, f"{field}[{index}]")]
    placed: list[Placed] = [
        (place, read_message(part, place, as_published=as_published)) for place, part in parts
    ]
    check_roles(placed)
    if any(message["role"] == "tool" for _, message in placed):
        pairs = zip(parts, placed, strict=True)
        placed = order_results(placed, [_call_ids(part, message) for (_, part), (_, message) in pairs])
    messages = tuple(dict(message) for _, message in placed)
    if not any(message["role"] == "user" for message in messages):
        raise RowError(field, "has no user turn", "give the request that the assistant answers")
    return messages


def read_message(value: object, field: str, *, as_published: bool = False) -> dict[str, Any]:
    """Read one message of any role. Raises RowError."""
    if not isinstance(value, Mapping):
        raise RowError(field, "is not an object", "give {role, content}")
    role = value.get("role")
    known = ROLES.get(str(role)) or TOOL_ROLES.get(str(role))
    if known is None:
        raise RowError(f"{field}.role", f"unknown role {role!r}", "use system, user, assistant or tool")
    content = _read_content(value.get("content"), f"{field}.content", as_published)
    if known == "assistant":
        return _read_assistant(content, value, field)
    if known == "user" and not content.strip():
        raise RowError(f"{field}.content", "is empty", "give what the user says, or leave the turn out")
    kept = {key: value[key] for key in ("name", "tool_call_id") if isinstance(value.get(key), str)}
    return {"role": known, "content": content, **(kept if known == "tool" else {})}


def read_answer(value: object, field: str) -> dict[str, Any]:
    """Read a single assistant answer: a message, a list of one message, or the text alone."""
    if isinstance(value, list | tuple):
        if len(value) != 1:
            raise RowError(field, f"holds {len(value)} messages", "give one answer of the assistant")
        value = value[0]
    if isinstance(value, str):
        value = {"role": "assistant", "content": value}
    parts = expand_blocks(value, field)
    message = read_message(parts[0][1] if len(parts) == 1 else value, field)
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
    # Some servers write "" for a call without arguments.
    arguments = value.get("arguments")
    if arguments in (None, ""):
        arguments = {}
    if isinstance(arguments, str):
        try:
            arguments = read_json(arguments)
        except ValueError as error:
            raise RowError(f"{field}.arguments", "is not JSON", f"{error}: give a JSON object") from error
    if not isinstance(arguments, Mapping):
        raise RowError(f"{field}.arguments", "is not an object", "give the arguments by name")
    check_text(value["name"], f"{field}.name")
    return {"name": value["name"], "arguments": write_checked(arguments, f"{field}.arguments")}


def calls_of(message: Mapping[str, Any]) -> tuple[dict[str, str], ...]:
    """The calls of a canonical assistant message, as `{name, arguments}`."""
    return tuple(dict(call["function"]) for call in message.get("tool_calls") or ())


def _read_assistant(content: str, value: Mapping[str, Any], field: str) -> dict[str, Any]:
    text, written = split_toolcalls(content, f"{field}.content")
    calls = [read_call(call, f"{field}.content") for call in written]
    calls += [
        read_call(_function(call), f"{field}.tool_calls[{index}]")
        for index, call in enumerate(_as_list(value.get("tool_calls"), f"{field}.tool_calls"))
    ]
    if value.get("function_call") is not None:
        calls.append(read_call(value["function_call"], f"{field}.function_call"))
    if not calls and not text:
        raise RowError(field, "says and calls nothing", "give content or tool_calls")
    message: dict[str, Any] = {"role": "assistant", "content": text}
    if calls:
        message["tool_calls"] = [{"type": "function", "function": call} for call in calls]
    return message


def _call_ids(given: Any, message: Mapping[str, Any]) -> list[str | None]:
    """The ids that a canonical message's calls were given, None for a call without one."""
    found = message.get("tool_calls") or ()
    calls = given.get("tool_calls") or ()
    if len(calls) != len(found):
        return [None] * len(found)
    ids = [call.get("id") for call in calls]
    return [one if isinstance(one, str) else None for one in ids]


def _read_written(text: str) -> list[Any] | None:
    """A conversation written as JSON in a string, as sets kept in Arrow have them; None for a text."""
    if not text.lstrip().startswith("[{"):
        return None
    try:
        found = read_json(text)
    except ValueError:
        return None
    is_conversation = all(isinstance(one, Mapping) and "role" in one for one in found)
    return found if is_conversation else None


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
        raise RowError(field, f"the block after {OPEN} is not JSON", f"{error}: {CALL_SHAPE}") from error
    while end < len(text) and text[end].isspace():
        end += 1
    if not text.startswith(CLOSE, end):
        raise RowError(field, f"{OPEN} is not closed by {CLOSE} after its JSON", CALL_SHAPE)
    return found, end + len(CLOSE)


def _read_content(value: object, field: str, as_published: bool) -> str:
    if value is None:
        return ""
    if isinstance(value, list) and all(isinstance(part, Mapping) and "text" in part for part in value):
        value = "\n".join(str(part["text"]) for part in value)
    if isinstance(value, str):
        check_text(value, field, as_published=as_published)
        return value
    raise RowError(field, "is neither a string nor a list of text parts", "give the text as a string")
