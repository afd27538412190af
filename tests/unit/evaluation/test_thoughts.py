"""What a model thinks before it answers is not said, whatever format its calls have."""

from __future__ import annotations

from typing import Any

import pytest

from evaluation.toolcalls import parse_completion
from evaluation.toolcalls.completion import Call

CALL = Call("f", {"a": 1})
WRITTEN = {
    "hermes": '<tool_call>\n{"name": "f", "arguments": {"a": 1}}\n</tool_call>',
    "qwen3": '<tool_call>\n{"name": "f", "arguments": {"a": 1}}\n</tool_call>',
    "qwen3_coder": "<tool_call>\n<function=f>\n<parameter=a>\n1\n</parameter>\n</function>\n</tool_call>",
    "llama3_json": '{"name": "f", "parameters": {"a": 1}}',
    "llama3_pythonic": "[f(a=1)]",
    "mistral": '[TOOL_CALLS] [{"name": "f", "arguments": {"a": 1}}]',
    "mistral_v11": '[TOOL_CALLS]f[ARGS]{"a": 1}',
    "xlam": '[{"name": "f", "arguments": {"a": 1}}]',
    "toolcall_tag": '<TOOLCALL>[{"name": "f", "arguments": {"a": 1}}]</TOOLCALL>',
    "bare_json": '{"name": "f", "arguments": {"a": 1}}',
}
CUT = [name for name in WRITTEN if name not in ("hermes", "qwen3", "qwen3_coder", "xlam")]


@pytest.mark.parametrize("format", WRITTEN)
@pytest.mark.parametrize("lenient", [False, True])
def test_a_call_that_was_only_thought_of_is_not_made(format: str, lenient: bool) -> None:
    text = f"<think>\nPerhaps\n{WRITTEN[format]}\nNo.\n</think>\nThe answer is 4."
    assert parse_completion(text, format, lenient=lenient)[:3] == ((), "The answer is 4.", None)


@pytest.mark.parametrize("format", WRITTEN)
def test_a_call_behind_a_thought_is_made(format: str) -> None:
    parsed = parse_completion(f"<think>I need f.</think>\n{WRITTEN[format]}", format)
    assert parsed.calls == (CALL,) and parsed.text == "" and parsed.error is None


@pytest.mark.parametrize("format", CUT)
def test_mistrals_signs_are_a_thought_too(format: str) -> None:
    said = parse_completion("[THINK]Which city? I cannot.[/THINK]Paris is the capital.", format)
    assert said[:3] == ((), "Paris is the capital.", None)
    called = parse_completion(f"[THINK]I write [TOOL_CALLS] now.[/THINK]{WRITTEN[format]}", format)
    assert called.calls == (CALL,) and called.error is None


@pytest.mark.parametrize("format", WRITTEN)
def test_a_thought_that_is_not_closed_is_an_error_at_the_end(format: str) -> None:
    text = f"<think>{WRITTEN[format]}"
    parsed: Any = parse_completion(text, format)
    assert not parsed.calls and parsed.error.position == len(text)


@pytest.mark.parametrize("format", ["toolcall_tag", "mistral"])
def test_an_error_behind_a_thought_lies_where_it_lies_in_the_text(format: str) -> None:
    broken = WRITTEN[format].replace("1}", "}")
    alone: Any = parse_completion(broken, format)
    behind: Any = parse_completion(f"<think>So.</think>{broken}", format)
    assert behind.error.position == alone.error.position + len("<think>So.</think>")
