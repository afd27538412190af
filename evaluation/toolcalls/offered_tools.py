"""The tools that a row offers, out of their JSON text; what nobody asks for is not decoded."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from evaluation.toolcalls.scanner import scan

Parameters = Mapping[str, Any]

NO_PARAMETERS: Parameters = MappingProxyType({})
# Rows that follow each other often offer the same tools, and in training a row is graded many times.
REMEMBERED_LISTS = 128
REMEMBERED_TOOLS = 512


class BadRow(ValueError):
    """A row that cannot be graded; its text names the field."""


class OfferedTools:
    """Parameters by tool name. `tools`: a row's list of tools, or the JSON text of it."""

    __slots__ = ("_by_name", "_tools")

    def __init__(self, tools: Any) -> None:
        self._tools = tools
        self._by_name: Mapping[str, Parameters] | None = None

    def get(self, name: str) -> Parameters | None:
        """The parameters of a tool, or None where it is not offered. Raises BadRow."""
        return self._read().get(name)

    def get_expected(self, name: str) -> Parameters | None:
        """The parameters of a tool that the row's own answer calls, or None. Raises BadRow.

        It is looked for in the text, because decoding all tools would take as long as the rest of a score.
        """
        if self._by_name is None and self._tools.__class__ is str:
            found = _parameters_in(self._tools, name)
            if found is not None:
                return found
        return self.get(name)

    def _read(self) -> Mapping[str, Parameters]:
        if self._by_name is None:
            is_text = isinstance(self._tools, str)
            self._by_name = _decoded(self._tools) if is_text else _by_name(self._tools)
        return self._by_name


@lru_cache(maxsize=REMEMBERED_TOOLS)
def _parameters_in(text: str, name: str) -> Parameters | None:
    """Find a tool that is written as `json.dumps` writes it and stands once in a list; else None."""
    opening = f'{{"name": "{name}",'
    at = text.find(opening)
    if at < 1 or text[at - 1] not in "[ ," or text.find(opening, at + 1) >= 0:
        return None
    try:
        parameters = scan(text, at)[0].get("parameters")
    except (ValueError, StopIteration, RecursionError):
        return None
    return parameters if isinstance(parameters, dict) else None


@lru_cache(maxsize=REMEMBERED_LISTS)
def _decoded(text: str) -> Mapping[str, Parameters]:
    try:
        return _by_name(json.loads(text) if text else [])
    except (ValueError, RecursionError) as error:
        raise BadRow(f"'tools' is not JSON: {error}") from None


def _by_name(tools: Any) -> Mapping[str, Parameters]:
    if not isinstance(tools or [], list):
        raise BadRow("'tools' is not a list")
    named = [tool for tool in tools or () if isinstance(tool, Mapping) and isinstance(tool.get("name"), str)]
    return {tool["name"]: _object(tool.get("parameters")) for tool in named}


def _object(value: Any) -> Parameters:
    return value if isinstance(value, Mapping) else NO_PARAMETERS
