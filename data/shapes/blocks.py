"""Messages whose content is a list of blocks, as Bedrock Converse and Anthropic's Messages API have them.

`toolUse` blocks become `tool_calls`, `toolResult` blocks messages of the tool role.
"""

import json
from collections.abc import Mapping
from typing import Any

from data.rows import RowError

Message = Mapping[str, Any]

# What stands between blocks for the provider alone.
IGNORED = frozenset(("cachePoint",))
UNREADABLE = "keep to text, toolUse and toolResult blocks"


def expand_blocks(message: Any, field: str) -> list[tuple[str, Any]]:
    """Split a message into messages without blocks, each with the field that it comes from.

    Tool results come first: they answer the turn before, whatever the user adds to them. A message without
    blocks, and what is no message, is returned as it is. Raises RowError for a block that is neither text,
    call nor result.
    """
    content = message.get("content") if isinstance(message, Mapping) else None
    if not isinstance(content, list) or all(_is_text_part(block) for block in content):
        return [(field, message)]
    texts: list[str] = []
    calls: list[dict[str, Any]] = []
    results: list[tuple[str, Message]] = []
    for index, block in enumerate(content):
        place = f"{field}.content[{index}]"
        if _is_text_part(block):
            texts.append(block["text"])
        elif (use := _inside(block, "toolUse", "tool_use")) is not None:
            calls.append(_read_use(use))
        elif (result := _inside(block, "toolResult", "tool_result")) is not None:
            results.append((place, _read_result(result, place)))
        elif not (isinstance(block, Mapping) and IGNORED & block.keys()):
            raise RowError(place, "is a block that cannot be read", UNREADABLE)
    if texts or calls or not results:
        rest = {**message, "content": "\n".join(texts)}
        results.append((field, {**rest, "tool_calls": calls} if calls else rest))
    return results


def _is_text_part(block: object) -> bool:
    return isinstance(block, Mapping) and isinstance(block.get("text"), str)


def _inside(block: object, converse: str, anthropic: str) -> Mapping[str, Any] | None:
    if not isinstance(block, Mapping):
        return None
    inside = block if block.get("type") == anthropic else block.get(converse)
    return inside if isinstance(inside, Mapping) else None


def _read_use(use: Mapping[str, Any]) -> dict[str, Any]:
    function = {"name": use.get("name"), "arguments": use.get("input")}
    return {"id": use.get("toolUseId", use.get("id")), "type": "function", "function": function}


def _read_result(result: Mapping[str, Any], field: str) -> dict[str, Any]:
    content = result.get("content")
    parts = content if isinstance(content, list) else [{"text": content or ""}]
    return {
        "role": "tool",
        "tool_call_id": result.get("toolUseId", result.get("tool_use_id")),
        "content": "\n".join(_read_result_part(part, field) for part in parts),
    }


def _read_result_part(part: object, field: str) -> str:
    if isinstance(part, Mapping):
        if isinstance(part.get("text"), str):
            return str(part["text"])
        if "json" in part:
            return json.dumps(part["json"], ensure_ascii=False)
    raise RowError(field, "is a result that cannot be read", "give the result as text or json")
