"""The grammar of a row's completion: text without a call, or calls that its tools and its format allow.

Written in llguidance's variant of Lark: https://github.com/guidance-ai/llguidance/blob/main/docs/syntax.md
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evaluation.generation.tool_schemas import enforceable_parameters, values_without_schema
from jobs.doors import BadInput

THOUGHT = ("<think>", "</think>")
MISTRAL_THOUGHT = ("[THINK]", "[/THINK]")
# As chat templates print JSON: without the bound, a model may fill its turn with blanks. An escape of a sign
# that needs none would let a declared argument pass for one that the tool does not declare.
PRINTING = {
    "whitespace_flexible": False,
    "item_separator": ", ?",
    "key_separator": ": ?",
    "json_allowed_escapes": 'nrbtf\\"',
}
# An escape that JSON cannot do without, and not a backslash that stands before a u.
_CONTROL_SIGN = re.compile(r"(?<!\\)(?:\\\\)*\\u00|\x7f")


@dataclass(frozen=True)
class CallSyntax:
    """How a format writes calls.

    `opening` and `closing`: the tags around them, which no text holds; without an opening tag a call begins
    a line, and no line of text begins with a bracket. `prefix`: a tag that may stand before calls without an
    opening. `is_list`: calls stand in one JSON list. `separator`: between calls without tag or list.
    `arguments`: the key of a call's arguments. `has_id`: a call may carry one.
    """

    opening: str = ""
    closing: str = ""
    prefix: str = ""
    is_list: bool = False
    separator: str = "\n"
    arguments: str = "arguments"
    has_id: bool = False


SYNTAXES: Mapping[str, CallSyntax] = {
    "hermes": CallSyntax("<tool_call>", "</tool_call>"),
    "qwen3": CallSyntax("<tool_call>", "</tool_call>"),
    "toolcall_tag": CallSyntax("<TOOLCALL>", "</TOOLCALL>", is_list=True),
    "mistral": CallSyntax("[TOOL_CALLS]", is_list=True, has_id=True),
    "bare_json": CallSyntax(),
    "llama3_json": CallSyntax(prefix="<|python_tag|>", separator="; ", arguments="parameters"),
    "xlam": CallSyntax(is_list=True),
}


def syntax_of(format: str) -> CallSyntax:
    """The syntax that can be enforced. Raises BadInput, naming the formats there are."""
    if format not in SYNTAXES:
        known = ", ".join(SYNTAXES)
        raise BadInput(f"calls in the format {format!r} cannot be constrained; those that can: {known}")
    return SYNTAXES[format]


def grammar_of_calls(
    syntax: CallSyntax,
    tools: Sequence[Mapping[str, Any]],
    special_tokens: Mapping[str, int],
    ends: Sequence[int] = (),
    *,
    is_thinking: bool = False,
) -> str:
    """Write the grammar of a completion for which `tools` are offered.

    `special_tokens`: those of the tokenizer, which are no text to llguidance, by their text. `ends`: tokens
    that may end a completion beside the tokenizer's own. `is_thinking`: the prompt has opened a thought.
    Raises BadInput for names that cannot be written without an escape.
    """
    writer = _Writer(syntax, special_tokens)
    thought = "thought" if is_thinking else "thought?"
    completion = f"{thought} {writer.calls if tools else 'text'}"
    lines = [
        "%llguidance {}",
        f"start: completion{_tokens(ends, ' (', ')?')}",
        f"completion: {completion}",
        *writer.thought(is_thinking=is_thinking),
        *(writer.call_rules() if tools else ()),
        "text: SAFE",
        f"SAFE: /(?s:.*)/ & ~/{writer.unsafe}/",
    ]
    if tools:
        lines.append(f"json: %json {_printed(schema_of_calls(syntax, tools))}")
    return "\n".join(lines) + "\n"


def schema_of_calls(syntax: CallSyntax, tools: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The JSON Schema of one call, or of the list of calls where the format writes lists."""
    definitions = values_without_schema()
    calls = []
    for number, tool in enumerate(tools):
        place = f"#/$defs/tool{number}"
        definitions[f"tool{number}"] = enforceable_parameters(tool.get("parameters"), place)
        properties: dict[str, Any] = {"name": {"const": tool["name"]}, syntax.arguments: {"$ref": place}}
        required = list(properties)
        if syntax.has_id:
            properties["id"] = {"type": "string", "pattern": "^[a-zA-Z0-9]{9}$"}
        closed = {"type": "object", "additionalProperties": False}
        calls.append({**closed, "properties": properties, "required": required})
    call = {"anyOf": calls}
    whole = {"type": "array", "items": call, "minItems": 1} if syntax.is_list else call
    return {"x-guidance": PRINTING, **whole, "$defs": definitions}


def _printed(schema: Mapping[str, Any]) -> str:
    if _CONTROL_SIGN.search(json.dumps(schema, ensure_ascii=False)):
        raise BadInput(
            "the tools' schemas cannot be enforced: a name or a value in them holds a control sign"
        )
    return json.dumps(schema)


class _Writer:
    """The rules of one syntax over one tokenizer."""

    def __init__(self, syntax: CallSyntax, special_tokens: Mapping[str, int]) -> None:
        self.syntax = syntax
        self.special_tokens = special_tokens
        tags = (syntax.opening, syntax.closing, syntax.prefix, *THOUGHT, *MISTRAL_THOUGHT)
        self.unsafe = "(?s:.*)(" + "|".join(_escaped(tag) for tag in tags if tag) + ")(?s:.*)"
        if not syntax.opening:
            self.unsafe = f"({self.unsafe}|((?s:.*)\\n)?[ \\t;,]*[\\{{\\[](?s:.*))"

    @property
    def calls(self) -> str:
        return "call* text" if self.syntax.opening else "text calls?"

    def call_rules(self) -> list[str]:
        syntax = self.syntax
        if not syntax.opening:
            prefix = self._special(syntax.prefix, "{}? ")
            more = "" if syntax.is_list else f" ({json.dumps(syntax.separator)} json)*"
            return [f"calls: {prefix}json{more}"]
        special = self._special(syntax.opening, " | text {}")
        closing = f' ("\\n" | " ")? ({self._tag(syntax.closing)})' if syntax.closing else ""
        return [
            f'call: opening ("\\n" | " ")? json{closing}',
            f"opening: spelled{special}",
            f"spelled[lazy]: SAFE {json.dumps(syntax.opening)}",
        ]

    def thought(self, *, is_thinking: bool) -> list[str]:
        pairs = [THOUGHT, MISTRAL_THOUGHT] if self.syntax.has_id else [THOUGHT]
        rules = []
        for number, (opening, closing) in enumerate(pairs):
            begun = "" if is_thinking else f"({self._tag(opening)}) "
            special = self._special(closing, " | text {}")
            rules.append(f"thought{number}: {begun}(thought{number}_spelled{special})")
            rules.append(f"thought{number}_spelled[lazy]: SAFE {json.dumps(closing)}")
        return ["thought: " + " | ".join(f"thought{number}" for number in range(len(pairs))), *rules]

    def _tag(self, tag: str) -> str:
        return json.dumps(tag) + self._special(tag, " | {}")

    def _special(self, tag: str, pattern: str) -> str:
        token = self.special_tokens.get(tag)
        return "" if token is None else pattern.format(f"<[{token}]>")


def _tokens(tokens: Sequence[int], before: str, behind: str) -> str:
    return before + " | ".join(f"<[{token}]>" for token in tokens) + behind if tokens else ""


def _escaped(text: str) -> str:
    """Escape a tag for a regular expression between slashes."""
    return "".join(f"\\{sign}" if sign in "[]|/" else sign for sign in text)
