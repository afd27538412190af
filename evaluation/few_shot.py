"""The few-shot prompt of the variant `prompt`: instructions and worked examples, as text of the system turn.

Text, and no earlier turns of the conversation, because the examples' tools are not the row's: a template
shows one list of tools. docs/decisions/0013-few-shot-prompt.md says more.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml
from transformers import PreTrainedTokenizerBase

from data.template import PROBE, Message, end_of_turn, message_for_answer, render_completion, render_prompt
from evaluation.toolcalls.schema import first_violation
from jobs.doors import BadInput

DIGEST_CHARACTERS = 12
_FIELDS = {"tools", "messages", "answer", "tool_calls"}
_CLOSING = "The examples end here. Only the tools of this conversation can be called."


@dataclass(frozen=True)
class Example:
    """One worked example. `tools`: JSON text of a list, as in a row; `answer`: an assistant message."""

    tools: str
    messages: tuple[Message, ...]
    answer: Message


@dataclass(frozen=True, eq=False)
class FewShot:
    """Instructions and examples. `digest`: the same for the same file alone."""

    instructions: str
    examples: tuple[Example, ...]
    digest: str

    def text_for(self, tokenizer: PreTrainedTokenizerBase) -> str:
        """Render the prompt, with the answers as this tokenizer's template writes an assistant turn.

        An example that the template refuses is left out, and said. Raises BadInput where none is left.
        """
        return _text(self, tokenizer, str(tokenizer.chat_template))

    def messages_for(
        self, row_messages: Sequence[Message], tokenizer: PreTrainedTokenizerBase
    ) -> list[Message]:
        """Put the prompt before a row's messages: in the system turn, ahead of the row's own system text.

        Where the template shows no system turn it heads the first user turn. The row's own tools remain the
        template's business. Raises BadInput where the template refuses every example.
        """
        text = self.text_for(tokenizer)
        messages = list(row_messages)
        if messages and messages[0]["role"] == "system":
            return [_headed(messages[0], text), *messages[1:]]
        if _shows_system_turn(tokenizer, str(tokenizer.chat_template)):
            return [{"role": "system", "content": text}, *messages]
        at = next((i for i, message in enumerate(messages) if message["role"] == "user"), None)
        if at is None:
            return [{"role": "user", "content": text}, *messages]
        return [*messages[:at], _headed(messages[at], text), *messages[at + 1 :]]


def read_few_shot(path: Path) -> FewShot:
    """Read a prompt's file: `instructions` and `examples`, each {tools, messages, answer | tool_calls}.

    `tools`: a list of {name, description, parameters}; `messages`: user and assistant turns, the user's last;
    `tool_calls`: a list of {name, arguments}, which must be valid under the example's tools. Raises BadInput
    naming the file and the field.
    """
    try:
        raw = path.read_bytes()
        content = yaml.safe_load(raw.decode())
    except (OSError, ValueError, yaml.YAMLError, RecursionError) as error:
        raise BadInput(f"few_shot_prompt {path}: cannot be read: {error}") from error
    try:
        _refuse_unless(isinstance(content, dict), "the file", "give 'instructions' and 'examples'")
        _refuse_unknown(content, {"instructions", "examples"}, "the file")
        instructions = _text_of(content, "instructions", "")
        examples = content.get("examples")
        _refuse_unless(isinstance(examples, list) and bool(examples), "examples", "give a list of them")
        found = tuple(_read_example(one, f"examples[{i}]") for i, one in enumerate(examples))
    except _Fault as fault:
        raise BadInput(f"few_shot_prompt {path}: {fault}") from fault
    return FewShot(instructions, found, hashlib.sha256(raw).hexdigest()[:DIGEST_CHARACTERS])


class _Fault(Exception):
    """What is wrong with a field, the file's name aside."""


def _refuse_unless(condition: bool, where: str, mend: str) -> None:
    if not condition:
        raise _Fault(f"{where}: {mend}")


def _refuse_unknown(given: Mapping[str, Any], known: set[str], where: str) -> None:
    for key in given:
        _refuse_unless(key in known, where, f"unknown field {key!r}; known are {', '.join(sorted(known))}")


def _text_of(given: Mapping[str, Any], field: str, where: str) -> str:
    value = given.get(field)
    place = f"{where}.{field}" if where else field
    if not isinstance(value, str) or not value.strip():
        raise _Fault(f"{place}: give text, not {value!r}")
    return value.strip()


def _read_example(given: Any, where: str) -> Example:
    _refuse_unless(isinstance(given, dict), where, "give a mapping of tools, messages and an answer")
    _refuse_unknown(given, _FIELDS, where)
    tools = _read_tools(given.get("tools", []), f"{where}.tools")
    messages = given.get("messages")
    _refuse_unless(isinstance(messages, list) and bool(messages), f"{where}.messages", "give at least one")
    turns = tuple(_read_turn(one, f"{where}.messages[{i}]") for i, one in enumerate(messages))
    _refuse_unless(turns[-1]["role"] == "user", f"{where}.messages", "the last is the user's")
    both = ("answer" in given) + ("tool_calls" in given)
    _refuse_unless(both == 1, where, "give either answer (text) or tool_calls")
    if "answer" in given:
        answer = message_for_answer("direct", _text_of(given, "answer", where))
    else:
        calls = _read_calls(given["tool_calls"], tools, f"{where}.tool_calls")
        answer = message_for_answer("tool_call", _as_json(calls, f"{where}.tool_calls"))
    return Example(_as_json(list(tools.values()), f"{where}.tools"), turns, answer)


def _as_json(value: Any, where: str) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise _Fault(f"{where}: not JSON ({error}); put quotes around a date") from error


def _read_tools(given: Any, where: str) -> dict[str, dict[str, Any]]:
    _refuse_unless(isinstance(given, list), where, "give a list")
    tools: dict[str, dict[str, Any]] = {}
    for i, tool in enumerate(given):
        place = f"{where}[{i}]"
        _refuse_unless(isinstance(tool, dict), place, "give {name, description, parameters}")
        _refuse_unknown(tool, {"name", "description", "parameters"}, place)
        parameters = tool.get("parameters", {})
        _refuse_unless(isinstance(parameters, dict), f"{place}.parameters", "give a JSON Schema")
        name, description = _text_of(tool, "name", place), _text_of(tool, "description", place)
        _refuse_unless(name not in tools, place, f"a second tool is named {name!r}")
        tools[name] = {"name": name, "description": description, "parameters": parameters}
    return tools


def _read_turn(given: Any, where: str) -> Message:
    _refuse_unless(isinstance(given, dict), where, "give {role, content}")
    _refuse_unknown(given, {"role", "content"}, where)
    _refuse_unless(given.get("role") in ("user", "assistant"), where, "role is user or assistant")
    return {"role": given["role"], "content": _text_of(given, "content", where)}


def _read_calls(given: Any, tools: Mapping[str, Any], where: str) -> list[dict[str, Any]]:
    _refuse_unless(isinstance(given, list) and bool(given), where, "give a list of {name, arguments}")
    calls: list[dict[str, Any]] = given
    for i, call in enumerate(calls):
        place = f"{where}[{i}]"
        _refuse_unless(isinstance(call, dict), place, "give {name, arguments}")
        _refuse_unknown(call, {"name", "arguments"}, place)
        name, arguments = _text_of(call, "name", place), call.get("arguments", {})
        _refuse_unless(name in tools, place, f"the example offers no tool {name!r}")
        _refuse_unless(isinstance(arguments, dict), f"{place}.arguments", "give an object")
        breach = first_violation(tools[name]["parameters"], arguments)
        if breach:
            raise _Fault(f"{place}.arguments: {breach.kind} under the tool's parameters ({breach.keyword})")
    return calls


# A suite asks with one tokenizer; its template can be replaced, so the text of it is part of the key.
@lru_cache(maxsize=4)
def _text(few_shot: FewShot, tokenizer: PreTrainedTokenizerBase, chat_template: str) -> str:
    ending = end_of_turn(tokenizer)
    shown, refusal = [], None
    for number, example in enumerate(few_shot.examples):
        try:
            shown.append("\n".join(_lines(example, tokenizer, ending)))
        except BadInput as error:
            # Llama 3's template, for one, knows no two calls at once: such an answer is no example for it.
            refusal = f"few_shot_prompt: examples[{number}]: {error}"
            print(f"{refusal}; the example is left out", flush=True)
    if not shown:
        raise BadInput(f"{refusal}; not one example is left")
    return "\n\n".join([few_shot.instructions, *shown, _CLOSING])


def _lines(example: Example, tokenizer: PreTrainedTokenizerBase, ending: str) -> Iterator[str]:
    yield "Example with these tools: " + "\n".join(_signature(tool) for tool in json.loads(example.tools))
    for message in example.messages:
        yield f"{str(message['role']).capitalize()}: {message['content']}"
    # The marker itself would end the very turn that the example stands in.
    answer = render_completion(tokenizer, example.messages, example.tools, example.answer)
    yield f"Assistant: {answer.removesuffix(ending).strip()}"


def _signature(tool: Mapping[str, Any]) -> str:
    """Write a tool as the compact rendering of our templates does.

    >>> parameters = {"properties": {"a": {"type": "string"}, "b": {}}, "required": ["a"]}
    >>> _signature({"name": "f", "description": "Do it.", "parameters": parameters})
    'f(a: string, b?: any): Do it.'
    """
    parameters = tool["parameters"]
    required = parameters.get("required", ())
    fields = ", ".join(
        f"{name}{'' if name in required else '?'}: {_type_name(schema)}"
        for name, schema in parameters.get("properties", {}).items()
    )
    return f"{tool['name']}({fields}): {tool['description']}"


def _type_name(schema: Any) -> str:
    if not isinstance(schema, dict):
        return "any"
    if isinstance(schema.get("enum"), list):
        return "|".join(json.dumps(value, ensure_ascii=False) for value in schema["enum"])
    declared = schema.get("type", "any")
    return "|".join(map(str, declared)) if isinstance(declared, list) else str(declared)


def _headed(message: Message, text: str) -> Message:
    own = str(message.get("content") or "")
    return {**message, "content": f"{text}\n\n{own}" if own else text}


@lru_cache(maxsize=4)
def _shows_system_turn(tokenizer: PreTrainedTokenizerBase, chat_template: str) -> bool:
    messages = [{"role": "system", "content": PROBE}, {"role": "user", "content": "?"}]
    try:
        return PROBE in render_prompt(tokenizer, messages, "[]")
    except BadInput:
        return False
