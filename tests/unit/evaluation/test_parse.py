"""Parsing: what each format reads as a call, as text, and as a malformed call."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.toolcalls import FORMATS, Completion, format_of_template, parse_completion
from tests.unit.evaluation.rows import hermes

CALL = '{"name": "f", "arguments": {"x": 1}}'


def calls_of(completion: Completion) -> list[tuple[str, Any]]:
    return [(call.name, dict(call.arguments)) for call in completion.calls]


WELL_FORMED = [
    ("hermes", hermes("f", {"x": 1}), [("f", {"x": 1})], "", "the plain case"),
    ("hermes", "It is sunny.", [], "It is sunny.", "no tag is no call, and no error"),
    ("hermes", "", [], "", "an empty completion is no call either"),
    ("hermes", f"Sure. {hermes('f', {})} Done.", [("f", {})], "Sure.  Done.", "text around a call is kept"),
    ("hermes", hermes("f", {}) + "\n" + hermes("g", {}), [("f", {}), ("g", {})], "", "parallel calls"),
    (
        "hermes",
        hermes("f", {"t": "</tool_call>"}),
        [("f", {"t": "</tool_call>"})],
        "",
        "a tag within a string ends nothing",
    ),
    (
        "hermes",
        f"<think>{hermes('f', {})}</think>Hello",
        [],
        "Hello",
        "a call that is only thought of is none",
    ),
    ("hermes", hermes("f", {"t": "</think>"}), [("f", {"t": "</think>"})], "", "no thought was opened"),
    ("hermes", CALL, [], CALL, "a server's parser finds nothing without the tags"),
    (
        "qwen3",
        f"I should call.</think>\n\n{hermes('f', {})}",
        [("f", {})],
        "",
        "the prompt opened the thought",
    ),
    ("toolcall_tag", f"<TOOLCALL>[{CALL}, {CALL}]</TOOLCALL>", [("f", {"x": 1})] * 2, "", "a list of calls"),
    ("toolcall_tag", "<TOOLCALL>[]</TOOLCALL>", [], "", "an empty list says that nothing is called"),
    ("bare_json", CALL, [("f", {"x": 1})], "", "the whole completion is the call"),
    ("bare_json", f"```json\n{CALL}\n```", [("f", {"x": 1})], "", "fences go with the call"),
    ("bare_json", f"Sure:\n[{CALL}]\nDone.", [("f", {"x": 1})], "Sure:\n\nDone.", "a list on its own line"),
    ("bare_json", f"{CALL}; {CALL}", [("f", {"x": 1})] * 2, "", "one call behind another"),
    ("bare_json", f"Send {CALL} to me.", [], f"Send {CALL} to me.", "JSON within a sentence is quoted"),
    ("bare_json", '{"title": "Book"}', [], '{"title": "Book"}', "JSON that is no call is an answer"),
    (
        "structured",
        {"content": " Hi ", "tool_calls": [{"function": {"name": "f", "arguments": '{"x": 1}'}}]},
        [("f", {"x": 1})],
        "Hi",
        "arguments as a JSON string",
    ),
    (
        "structured",
        '{"content": null, "tool_calls": [{"function": {"name": "f", "arguments": {}}}]}',
        [("f", {})],
        "",
        "a message as text, arguments as an object",
    ),
]


@pytest.mark.parametrize(("format", "text", "calls", "around", "why"), WELL_FORMED)
def test_reads_calls_and_keeps_the_text_around(
    format: str, text: Any, calls: list[Any], around: str, why: str
) -> None:
    parsed = parse_completion(text, format)
    assert (calls_of(parsed), parsed.text, parsed.error, parsed.repairs) == (calls, around, None, ()), why


MALFORMED = [
    ("hermes", '<tool_call>{"name": "f", "arguments": {"x": 1}', 11, "cut off in the middle"),
    ("hermes", f"<tool_call>{CALL}", len(CALL) + 11, "no closing tag"),
    ("hermes", "<tool_call>{'name': 'f', 'arguments': {}}</tool_call>", 12, "Python is not JSON"),
    ("hermes", "<tool_call>[1]</tool_call>", 11, "a list is no call"),
    ("hermes", '<tool_call>{"name": "f"}</tool_call>', 11, "no arguments"),
    ("hermes", '<tool_call>{"name": "f", "arguments": "{}"}</tool_call>', 11, "arguments as a string"),
    ("hermes", '<tool_call>{"name": "", "arguments": {}}</tool_call>', 11, "an empty name"),
    ("hermes", "Well </tool_call>", 5, "a closing tag that closes nothing"),
    ("hermes", "<think>Let me see", 17, "the thought never ended, so nothing was said"),
    ("toolcall_tag", f"<TOOLCALL>{CALL}</TOOLCALL>", 10, "the tag holds a list"),
    ("bare_json", '{"name": "f", "arguments": {"x": ', 33, "begins as a call and is cut off"),
    ("structured", {"tool_calls": [{"function": {"name": "f", "arguments": "{"}}]}, 0, "bad arguments"),
    ("structured", {"tool_calls": [{"name": "f"}]}, 0, "no function"),
    ("structured", "[]", 0, "no message"),
]


@pytest.mark.parametrize(("format", "text", "least_position", "why"), MALFORMED)
def test_a_malformed_call_is_an_error_with_a_position(
    format: str, text: Any, least_position: int, why: str
) -> None:
    error = parse_completion(text, format).error
    assert error is not None, why
    assert error.position >= least_position, why


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("NaN", "JSON has no NaN"),
        ("-Infinity", "nor infinity"),
        ("1e999", "nor a number that overflows to infinity"),
        ("9" * 5000, "Python refuses such a number with an exception of its own"),
        ("9" * 200, "digits are capped below that"),
        ("[" * 100 + "]" * 100, "nesting is capped"),
        ("[" * 100_000, "nesting deep enough for a RecursionError"),
    ],
)
def test_numbers_and_nesting_are_capped(value: str, why: str) -> None:
    text = f'<tool_call>{{"name": "f", "arguments": {{"x": {value}}}}}</tool_call>'
    assert parse_completion(text, "hermes").error is not None, why


def test_a_good_call_beside_a_malformed_one_is_read_and_the_error_kept() -> None:
    parsed = parse_completion("<tool_call>{</tool_call>" + hermes("f", {}), "hermes")
    assert calls_of(parsed) == [("f", {})]
    assert parsed.error is not None


@pytest.mark.parametrize(
    ("text", "calls", "repair"),
    [
        (f"<tool_call>{CALL}", [("f", {"x": 1})], "missing_closing_tag"),
        (CALL, [("f", {"x": 1})], "missing_tags"),
        (
            '<tool_call>{"name": "f", "parameters": {}}</tool_call>',
            [("f", {})],
            "parameters_for_arguments",
        ),
        ('<tool_call>{"name": "f", "arguments": "{}"}</tool_call>', [("f", {})], "arguments_as_string"),
        ('<tool_call>{"name": "f"}</tool_call>', [("f", {})], "absent_arguments"),
        ("<tool_call>{'name': 'f', 'arguments': {'x': \"it's\"}}", [("f", {"x": "it's"})], "single_quotes"),
        ('<tool_call>{"name": "f", "arguments": {"x": [1, 2,],},}', [("f", {"x": [1, 2]})], "trailing_comma"),
        ('<tool_call>{"name": "f", "arguments": {"x": True}}', [("f", {"x": True})], "python_literal"),
        ('<tool_call>{"name": "f", "arguments": {"x": "a"', [("f", {"x": "a"})], "missing_closer"),
        ('<tool_call>{name: "f", "arguments": {}}', [("f", {})], "unquoted_key"),
        (f"Sure: {CALL} bye", [("f", {"x": 1})], "missing_tags"),
    ],
)
def test_a_lenient_parse_mends_and_says_so_where_a_strict_one_finds_no_call(
    text: str, calls: list[Any], repair: str
) -> None:
    lenient = parse_completion(text, "hermes", lenient=True)
    assert calls_of(lenient) == calls
    assert repair in lenient.repairs
    assert lenient.error is None
    strict = parse_completion(text, "hermes")
    assert strict.error is not None or not strict.calls


def test_a_lenient_parse_leaves_prose_alone() -> None:
    for text in ("I could call get_weather, but I won't.", "Use {braces} and [brackets] freely.", ""):
        parsed = parse_completion(text, "hermes", lenient=True)
        assert (parsed.calls, parsed.text, parsed.repairs) == ((), text, ())


def test_an_unknown_format_names_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"'hermse'.*hermes, qwen3, qwen3_coder, .*structured"):
        parse_completion("", "hermse")


@pytest.mark.parametrize(
    ("template", "format"),
    [
        ("{{ '<tool_call>' }}", "hermes"),
        ("{{ '<think>' }}{{ content.split('</think>') }}<tool_call>", "qwen3"),
        ("<TOOLCALL>", "toolcall_tag"),
        ("<tool_call>\n<function=f>\n<parameter=x>", "qwen3_coder"),
        ("<tool_call>{{ name }}<arg_key>", None),
        ("{{ messages }}", None),
    ],
)
def test_the_format_is_found_from_the_template(template: str, format: str | None) -> None:
    assert format_of_template(template) == format


# Pieces that texts are put together from: what a parser trips over comes up far oftener than by chance.
PIECES = st.one_of(
    st.sampled_from(["<tool_call>", "</tool_call>", "<TOOLCALL>", "</TOOLCALL>", "<think>", "</think>"]),
    st.sampled_from(['{"name": "f", ', '"arguments": {', '"x": ', "[", "]", "{", "}", '"', "'", "\\", ","]),
    st.sampled_from(["NaN", "1e999", "True", "name:", "```json\n", "\n", "\ud800", "𝟙", CALL]),
)


@settings(max_examples=300, deadline=None)
@given(
    st.one_of(st.text(), st.lists(PIECES, max_size=30).map("".join)),
    st.sampled_from([*FORMATS]),
    st.booleans(),
)
def test_no_text_makes_the_parser_raise(text: str, format: str, lenient: bool) -> None:
    parsed = parse_completion(text, format, lenient=lenient)
    assert all(isinstance(call.name, str) and call.name for call in parsed.calls)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**9), 10**9)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
CALLS = st.lists(st.tuples(st.text(min_size=1), st.dictionaries(st.text(), JSON, max_size=4)), max_size=4)


@settings(max_examples=200, deadline=None)
@given(CALLS)
def test_what_is_written_in_a_format_is_read_back(calls: list[tuple[str, dict[str, Any]]]) -> None:
    objects = [{"name": name, "arguments": arguments} for name, arguments in calls]
    message = {
        "tool_calls": [
            {"type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}
            for name, arguments in calls
        ]
    }
    written: dict[str, Any] = {
        "hermes": "\n".join(hermes(name, arguments) for name, arguments in calls),
        "toolcall_tag": f"<TOOLCALL>{json.dumps(objects)}</TOOLCALL>",
        "bare_json": "\n".join(json.dumps(one) for one in objects),
        "structured": message,
    }
    for format, text in written.items():
        for lenient in (False, True):
            parsed = parse_completion(text, format, lenient=lenient)
            assert parsed.error is None
            assert calls_of(parsed) == calls
            assert parsed.repairs == ()


HOSTILE = {
    "opening tags": "<tool_call>",
    "closing tags": "</tool_call>",
    "empty blocks": "<tool_call></tool_call>",
    "open strings": '<tool_call>"</tool_call>',
    "open lists": "<tool_call>[",
    "strings over tags": '<tool_call>[","</tool_call>',
    "braces": "{",
    "empty objects": "{}",
    "nested objects": '{"x":[',
    "half calls": '{"name": "f", ',
    "escaped quotes": '{\\"',
    "single quotes": "{'",
    "commas": "[,",
    "blanks": " \n",
    "fences": "```json\n{",
    "list tags": "<TOOLCALL>[",
    "digits": "<tool_call>" + "9" * 5000,
    "words": "[a",
}


@pytest.mark.parametrize("piece", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_megabyte_of_hostile_text_takes_under_a_second(piece: str) -> None:
    text = piece * (1_000_000 // len(piece))
    for format in FORMATS:
        for lenient in (False, True):
            started = time.process_time()
            parse_completion(text, format, lenient=lenient)
            seconds = time.process_time() - started
            assert seconds < 1, f"{format}, lenient={lenient}: {seconds:.2f} s"
