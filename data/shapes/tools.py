"""The tools that a row offers, from any of the wrappers and dialects that rows are published in."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from data.rows import RowError, read_json
from data.shapes.schemas import read_parameters
from data.shapes.texts import write_checked

Tool = dict[str, Any]

# The keys that the parameters stand behind, in the order of preference; the first that is given counts.
PARAMETER_KEYS = ("parameters", "arguments", "input_schema", "inputSchema")
# Rows share their tools: reading a list once saves most of the work, and these bounds keep it to some MiB.
CACHED_LISTS = 2048
CACHED_CHARACTERS = 16_384


@dataclass(frozen=True)
class Toolset:
    """The tools of a row: `text`, the canonical JSON of the list, and each tool's parameters by its name.

    `as_published`: whether the row is taken as it is, whatever its tools declare.
    """

    text: str
    parameters: Mapping[str, Mapping[str, Any]]
    as_published: bool = False


def read_toolset(value: object, field: str = "tools") -> Toolset:
    """Read tools as `read_tools` does, remembering lists that were read before. Raises RowError."""
    if isinstance(value, list):
        # Its JSON text is the key; what is wrong in it is named where it is read.
        value = json.dumps(value, ensure_ascii=False)
    if isinstance(value, str) and len(value) <= CACHED_CHARACTERS:
        return _remembered(value, field)
    return _toolset(read_tools(value, field), field)


def read_tools(value: object, field: str = "tools") -> list[Tool]:
    """Read tools given as a list of objects, of JSON strings, or as one JSON string of either.

    The wrappers of OpenAI (`function`) and Bedrock (`toolSpec`) are taken off. Names stay as given, and a
    tool that is listed twice counts once. Raises RowError naming the tool at fault.
    """
    listed = _parse(value, field)
    if listed is None:
        return []
    if not isinstance(listed, list):
        raise RowError(field, "is not a list", "give a list of {name, description, parameters}")
    tools: dict[str, Tool] = {}
    for index, given in enumerate(listed):
        tool = _read_tool(given, f"{field}[{index}]")
        if tools.setdefault(tool["name"], tool) != tool:
            raise RowError(
                f"{field}[{index}].name", "is another tool's name", f"rename one of the two {tool['name']!r}"
            )
    return list(tools.values())


@lru_cache(maxsize=CACHED_LISTS)
def _remembered(text: str, field: str) -> Toolset:
    return _toolset(read_tools(text, field), field)


def _toolset(tools: list[Tool], field: str) -> Toolset:
    return Toolset(write_checked(tools, field), {tool["name"]: tool["parameters"] for tool in tools})


def _read_tool(value: object, field: str) -> Tool:
    tool = _parse(value, field)
    for wrapper in ("function", "toolSpec"):
        if isinstance(tool, dict) and tool.get(wrapper) is not None:
            tool = _parse(tool[wrapper], f"{field}.{wrapper}")
    if not isinstance(tool, dict):
        raise RowError(field, "is not an object", "give {name, description, parameters}")
    name = tool.get("name")
    if not isinstance(name, str) or not name.strip():
        raise RowError(f"{field}.name", "is absent or empty", "give the tool a name")
    description = tool.get("description") or ""
    if not isinstance(description, str):
        raise RowError(f"{field}.description", "is not a string", "describe the tool in a string")
    key = next((key for key in PARAMETER_KEYS if tool.get(key) is not None), PARAMETER_KEYS[0])
    parameters = _parse(tool.get(key), f"{field}.{key}")
    if key == "inputSchema" and isinstance(parameters, dict) and parameters.keys() == {"json"}:
        parameters = _parse(parameters["json"], f"{field}.{key}.json")
    return {
        "name": name,
        "description": description,
        "parameters": read_parameters(parameters, f"{field}.{key}"),
    }


def _parse(value: object, field: str) -> Any:
    if not isinstance(value, str):
        return value
    if not value.strip():
        return None
    try:
        return read_json(value)
    except ValueError as error:
        raise RowError(field, "is not JSON", f"{error}: write it as JSON, with double quotes") from error
