"""Hostile completions: no text takes the parser longer than its length allows, or makes it raise."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.toolcalls import FORMATS, format_of_text, parse_completion

TOOLS = json.dumps(
    [{"name": "f", "parameters": {"properties": {"x": {"type": "integer"}}, "required": ["x"]}}]
)
MEGABYTE = 1_000_000
# Half a second is what the slowest takes here; a quadratic parser takes minutes.
SECONDS = 4.0
REPEATED = {
    "function tags": "<function=",
    "open functions": "<tool_call><function=f><parameter=x>",
    "functions without an end": "<tool_call><function=f><parameter=x>1</function></tool_call>",
    "whole functions": "<tool_call><function=f><parameter=x>1</parameter></function></tool_call>",
    "thoughts": "<think>",
    "closed thoughts": "<think></think>",
    "ends of thoughts": "</think>",
    "Mistral's sign": "[TOOL_CALLS]",
    "Mistral's open lists": "[TOOL_CALLS] [",
    "Mistral's open objects": "[TOOL_CALLS]f[ARGS]{",
    "Llama's sign": "<|python_tag|>",
    "open Python calls": "[f(x=",
    "open Python calls, one a line": "[f(x='\n",
    "open long strings": "[f(x='''",
    "Python lists": "[f(x=1)]\n",
    "Python calls": "f(x=1)\n",
    "names before braces": "f{x:1}\n",
    "dots": "a.",
    "alternating brackets": "[{",
    "alternating brackets, one a line": "[\n{",
    "calls": '{"name": "f", "arguments": {"x": 1}}\n',
    "calls that are spoken of": 'for example {"name": "f", "arguments": {"x": 1}} ',
    "half calls, one a line": '{"name": "f", \n',
    "objects": '{"a": 1}\n',
    "keys before keys": '{"a":"b":',
    "stop tokens": "</s> ",
    "XML": "<f><x>1</x></f>\n",
    "fences": "```\n```\n",
    "closers": "}",
    "backticks": "`",
    "actions": "Action: f\nAction Input: {",
}
WHOLE = {
    "one long string": '<tool_call>{"name":"f","arguments":{"x":"' + "a" * MEGABYTE,
    "one long Python string": "[f(x='" + "a\\'" * (MEGABYTE // 3),
    "one long number": "[f(x=" + "9" * MEGABYTE,
    "one long name": "[TOOL_CALLS]" + "a" * MEGABYTE,
    "brackets nested deep": '{"name":"f","arguments":' + "[" * MEGABYTE,
    "Python nested deep": "[f(x=" + "[" * MEGABYTE,
    "blanks before a brace": "<tool_call>" + " " * MEGABYTE + "{",
    "blanks before a parenthesis": "f" + " " * MEGABYTE + "(x=1)",
    "many arguments": "[f(" + ",".join(f"a{number}=1" for number in range(70_000)) + ")]",
    "many strings that Python joins": "[f(x=" + "'a' " * (MEGABYTE // 4) + ")]",
}


@pytest.mark.parametrize(
    "text",
    [*(piece * (MEGABYTE // len(piece)) for piece in REPEATED.values()), *WHOLE.values()],
    ids=[*REPEATED, *WHOLE],
)
def test_a_hostile_megabyte_takes_seconds_at_most(text: str) -> None:
    slowest = {}
    for format in FORMATS:
        for lenient in (False, True):
            started = time.process_time()
            parse_completion(text, format, lenient=lenient, tools=TOOLS)
            slowest[format, lenient] = time.process_time() - started
    started = time.process_time()
    format_of_text(text)
    slowest["signs", False] = time.process_time() - started
    assert max(slowest.values()) < SECONDS, max(slowest, key=lambda key: slowest[key])


# What parsers trip over comes up far oftener than by chance.
PIECES = st.one_of(
    st.sampled_from(
        ["<tool_call>", "</tool_call>", "<TOOLCALL>", "<think>", "</think>", "[TOOL_CALLS]", "[ARGS]", "```"]
    ),
    st.sampled_from(
        ["<function=f>", "<parameter=x>", "</parameter>", "</function>", "<|python_tag|>", "</s>"]
    ),
    st.sampled_from(['{"name": "f", ', '"arguments": {', '"parameters": ', '"x": ', "f(", "f{", "x=", "[f("]),
    st.sampled_from(["[", "]", "{", "}", "(", ")", '"', "'", "'''", "\\", ",", ":", "\\u12", "\\x4", "r'"]),
    st.sampled_from(
        ["NaN", "1e999", "0x", "1_", "True", "\n", "\ud800", "𝟙", "\x00", "for example ", " or "]
    ),
    st.sampled_from(["Action: f\nAction Input: ", '<invoke name="f">', "<arg_key>x</arg_key><arg_value>"]),
)


@settings(max_examples=400, deadline=None)
@given(st.one_of(st.text(), st.lists(PIECES, max_size=30).map("".join)), st.sampled_from([*FORMATS]))
def test_no_text_makes_any_parser_raise_or_leave_its_contract(text: str, format: str) -> None:
    for lenient, tools in ((False, None), (False, TOOLS), (True, None), (True, TOOLS)):
        parsed = parse_completion(text, format, lenient=lenient, tools=tools)
        assert parsed == parse_completion(text, format, lenient=lenient, tools=tools)
        assert all(isinstance(call.name, str) and call.name for call in parsed.calls)
        json.dumps([call.arguments for call in parsed.calls], allow_nan=False)
        assert parsed.error is None or 0 <= parsed.error.position <= len(text)
        assert len(parsed.text) <= len(text)
        assert lenient or parsed.repairs == ()
    assert format_of_text(text) in FORMATS


@settings(max_examples=200, deadline=None)
@given(st.lists(PIECES, max_size=20).map("".join), st.sampled_from([*FORMATS]))
def test_a_lenient_parse_keeps_what_a_strict_one_reads_whole(text: str, format: str) -> None:
    strict = parse_completion(text, format)
    if strict.calls and strict.error is None:
        assert parse_completion(text, format, lenient=True) == strict
