"""SmolLM2's template: what is rendered parses back, and what a model may say cannot break it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import PreTrainedTokenizerBase

from data.template import load_tokenizer, render_completion, render_prompt
from evaluation.toolcalls import format_of_template, parse_completion
from tests.tiny_model import TEMPLATE
from tests.unit.training.conftest import TOOLS, ask, call, say

END = "<|im_end|>"
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
CALLS = st.lists(
    st.tuples(st.text(min_size=1, max_size=12), st.dictionaries(st.text(max_size=8), JSON, max_size=4)),
    min_size=1,
    max_size=3,
)


@pytest.fixture(scope="module")
def tokenizer(tiny_model: Path) -> PreTrainedTokenizerBase:
    return load_tokenizer(tiny_model, TEMPLATE, "compact")


def test_any_calls_survive_rendering_and_parsing(tokenizer: PreTrainedTokenizerBase) -> None:
    @given(CALLS)
    @settings(max_examples=60, deadline=None)
    def check(calls: list[tuple[str, dict[str, Any]]]) -> None:
        functions = [{"name": name, "arguments": json.dumps(arguments)} for name, arguments in calls]
        tool_calls = [{"type": "function", "function": function} for function in functions]
        answer = {"role": "assistant", "content": "", "tool_calls": tool_calls}
        text = render_completion(tokenizer, [ask("?")], TOOLS, answer)
        assert text.endswith(END)
        parsed = parse_completion(text.removesuffix(END), "hermes")
        assert parsed.error is None
        assert [(each.name, dict(each.arguments)) for each in parsed.calls] == calls

    check()


def test_the_format_is_found_from_the_template() -> None:
    assert format_of_template(TEMPLATE.read_text(encoding="utf-8")) == "hermes"


def test_arguments_may_be_text_or_an_object(tokenizer: PreTrainedTokenizerBase) -> None:
    text = tokenizer.apply_chat_template([ask("?"), call(city="Oslo")], tokenize=False)
    function = {"name": "get_weather", "arguments": {"city": "Oslo"}}
    as_object = {"role": "assistant", "tool_calls": [{"type": "function", "function": function}]}
    assert tokenizer.apply_chat_template([ask("?"), as_object], tokenize=False) == text


SIGNATURES = [
    ({"type": "string"}, "x?: string", "a plain type"),
    ({"type": "string", "enum": ["a", "b"]}, 'x?: "a"|"b"', "an enumeration shows its values"),
    ({"type": "array", "items": {"type": "integer"}}, "x?: [integer]", "a list"),
    ({"type": ["string", "null"]}, "x?: string|null", "several types"),
    ({"anyOf": [{"type": "string"}, {}]}, "x?: string|any", "alternatives, one of them open"),
    ({"type": "dict", "properties": {"k": {"type": "float"}}, "required": ["k"]}, "x?: {k: float}", "nested"),
    ({"type": "object"}, "x?: object", "an object of anything"),
    ({}, "x?: any", "no type at all"),
    (True, "x?: any", "a schema that is only true"),
]


@pytest.mark.parametrize(("schema", "expected", "why"), SIGNATURES, ids=[row[2] for row in SIGNATURES])
def test_tools_are_shown_as_signatures(
    schema: object, expected: str, why: str, tokenizer: PreTrainedTokenizerBase
) -> None:
    tool = {"name": "f", "description": "Does it.", "parameters": {"properties": {"x": schema}}}
    prompt = render_prompt(tokenizer, [ask("?")], json.dumps([tool]))
    assert f"f({expected}): Does it.\n" in prompt


def test_a_property_named_as_a_dict_method_is_a_property(tokenizer: PreTrainedTokenizerBase) -> None:
    properties = {name: {"type": "string"} for name in ("items", "keys", "get")}
    tool = {"name": "f", "parameters": {"properties": properties, "required": ["items"]}}
    prompt = render_prompt(tokenizer, [ask("?")], json.dumps([tool]))
    assert "f(items: string, keys?: string, get?: string)\n" in prompt


def test_a_conversation_with_every_role(tokenizer: PreTrainedTokenizerBase) -> None:
    system = {"role": "system", "content": "Be brief."}
    answered = {"role": "tool", "content": '{"sky": "clear"}'}
    parts = {"role": "user", "content": [{"type": "text", "text": "And"}, {"type": "text", "text": " now?"}]}
    messages = [system, ask("Weather?"), call(city="Oslo"), answered, say("Clear."), parts]
    prompt = render_prompt(tokenizer, messages, TOOLS)
    assert prompt.startswith("<|im_start|>system\nBe brief.\n\nTools:\nget_weather(")
    assert '<|im_start|>tool\n{"sky": "clear"}<|im_end|>\n' in prompt
    assert prompt.endswith("<|im_start|>user\nAnd now?<|im_end|>\n<|im_start|>assistant\n")


def test_without_tools_the_model_is_told_so(tokenizer: PreTrainedTokenizerBase) -> None:
    assert "You have no tools." in render_prompt(tokenizer, [ask("?")], "[]")
