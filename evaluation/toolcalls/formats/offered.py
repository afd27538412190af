"""The tools that a request offers: what formats without types and lenient parses look names up in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from evaluation.toolcalls.formats.json_values import Fault, decode_value


class Tool(NamedTuple):
    """An offered tool: its parameters' schemas by name, in order, and the names of those it requires."""

    name: str
    properties: Mapping[str, Any]
    required: tuple[str, ...]


Offered = Mapping[str, Tool]


def read_offered(tools: Any) -> Offered:
    """Read the tools of a row (a JSON string, or the list itself), bare or as OpenAI wraps them.

    What is no tool is left out, for a parser has no one to tell. Never raises.
    """
    try:
        entries = decode_value(tools) if isinstance(tools, str) else tools
    except Fault:
        return {}
    found = [_tool_of(entry) for entry in entries] if isinstance(entries, list | tuple) else []
    return {tool.name: tool for tool in found if tool is not None}


def _tool_of(entry: Any) -> Tool | None:
    if isinstance(entry, Mapping) and isinstance(entry.get("function"), Mapping):
        entry = entry["function"]
    if not isinstance(entry, Mapping) or not isinstance(entry.get("name"), str):
        return None
    parameters = entry.get("parameters")
    parameters = parameters if isinstance(parameters, Mapping) else {}
    properties, required = parameters.get("properties"), parameters.get("required")
    return Tool(
        entry["name"],
        properties if isinstance(properties, Mapping) else {},
        tuple(key for key in required if isinstance(key, str)) if isinstance(required, list | tuple) else (),
    )
