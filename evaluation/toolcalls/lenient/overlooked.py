"""What a lenient parse overlooked in calls that it found, by the names that `repairs` gives it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from evaluation.toolcalls.completion import Call

LETTER = re.compile(r"[^\W_]")
# The signs that belong to a format; a call with another one was written in another format.
_OWN_SIGNS = {
    "hermes": ("<tool_call>", "json"),
    "qwen3": ("<tool_call>", "json"),
    "qwen3_coder": ("<tool_call>", "function"),
    "toolcall_tag": ("<TOOLCALL>", "json"),
    "mistral": ("[TOOL_CALLS]", "json"),
    "mistral_v11": ("[TOOL_CALLS]", "name"),
    "llama3_json": ("", "json"),
    "llama3_pythonic": ("", "list"),
    "bare_json": ("", "json"),
    "xlam": ("", "json"),
}

_MORE_SIGNS = {"llama3_json": ("<|python_tag|>",), "llama3_pythonic": ("<|python_tag|>",)}
_OF_OBJECTS = frozenset({"hermes", "qwen3", "llama3_json"})
_OF_LISTS = frozenset({"mistral", "toolcall_tag", "xlam"})
# What other formats miss and these have by themselves.
OWN_REPAIRS = {
    "llama3_json": frozenset({"parameters_for_arguments"}),
    "xlam": frozenset({"wrapped_call", "arguments_as_string"}),
    "structured": frozenset({"wrapped_call", "arguments_as_string"}),
}


class Found(NamedTuple):
    """Calls at one site: from `start` to `end` all belongs to them, the tags and fences too."""

    calls: list[Call]
    sign: str
    kind: str
    start: int
    end: int
    repairs: list[str]
    is_list: bool = False

    @property
    def is_marked(self) -> bool:
        return self.sign not in ("", "fence")


def left_out(behind: str, several: bool) -> Iterator[str]:
    """Name what a tag holds besides one call: signs and text `behind` its calls, and more calls than one."""
    if LETTER.search(behind):
        yield "text_behind_call"
    elif behind.strip(" \t\r\n`"):
        yield "extra_closer"
    if several:
        yield "several_calls"


def repairs_of(found: Found, format: str) -> list[str]:
    """Name what was overlooked: the signs of the asked format that are absent or another format's."""
    sign, kind = _OWN_SIGNS.get(format, ("", ""))
    own = OWN_REPAIRS.get(format, frozenset())
    repairs = [repair for repair in found.repairs if repair not in own]
    if found.sign == "fence" and format not in ("bare_json", "xlam"):
        repairs.append("fence")
    if sign and found.sign in ("", "fence") and found.kind == kind:
        repairs.insert(0, "missing_tags")
    elif found.kind != kind or found.sign not in (sign, "fence", *_MORE_SIGNS.get(format, ())):
        repairs.append("other_format")
    elif found.kind == "json" and found.is_list and format in _OF_OBJECTS:
        repairs.append("call_in_list")
    elif found.kind == "json" and not found.is_list and format in _OF_LISTS and not found.repairs:
        repairs.append("missing_list")
    return repairs
