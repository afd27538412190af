"""`<TOOLCALL>` in texts becomes structured calls, and nothing that was written is lost."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.messages import (
    calls_of,
    read_answer,
    read_call,
    read_message,
    read_messages,
    split_toolcalls,
    write_toolcalls,
)
from data.rows import RowError

# Any JSON that Python writes and the standard allows; text without lone surrogates, tags welcome.
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20) | st.sampled_from(
    ["</TOOLCALL>", "<TOOLCALL>[", '"}]</TOOLCALL> ', "\\", "{}"]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
CALLS = st.lists(
    st.fixed_dictionaries({"name": TEXT.filter(bool), "arguments": st.dictionaries(TEXT, JSON, max_size=3)}),
    min_size=1,
    max_size=3,
)


@given(CALLS)
def test_written_calls_are_read_back(calls: list[dict[str, Any]]) -> None:
    assert split_toolcalls(write_toolcalls(calls)) == ("", calls)
    message = read_message({"role": "assistant", "content": write_toolcalls(calls)}, "m")
    assert [(call["name"], json.loads(call["arguments"])) for call in calls_of(message)] == [
        (call["name"], call["arguments"]) for call in calls
    ]


@given(TEXT, CALLS, TEXT)
def test_text_around_the_calls_is_kept(before: str, calls: list[dict[str, Any]], after: str) -> None:
    clean = [part.replace("TOOLCALL", "") for part in (before, after)]
    text, found = split_toolcalls(clean[0] + write_toolcalls(calls) + clean[1])
    assert found == calls
    assert "".join(text.split()) == "".join("".join(clean).split())


@given(TEXT | st.text())
def test_any_text_is_read_or_named_as_bad(text: str) -> None:
    try:
        split_toolcalls(text)
    except RowError as error:
        assert "TOOLCALL" in str(error)


BLOCKS: list[tuple[str, tuple[str, list[Any]], str]] = [
    ("Sunny.", ("Sunny.", []), "no block"),
    ('<TOOLCALL>{"name": "f"}</TOOLCALL>', ("", [{"name": "f"}]), "one call without a list"),
    ("<TOOLCALL>\n[ ]\n</TOOLCALL>", ("", []), "an empty list, white space around it"),
    ("a<TOOLCALL>[1]</TOOLCALL>b<TOOLCALL>[2]</TOOLCALL>c", ("a\nb\nc", [1, 2]), "two blocks"),
    ('<TOOLCALL>["</TOOLCALL>"]</TOOLCALL>', ("", ["</TOOLCALL>"]), "the closing tag inside a value"),
]


@pytest.mark.parametrize(("text", "read", "why"), BLOCKS)
def test_blocks(text: str, read: tuple[str, list[Any]], why: str) -> None:
    assert split_toolcalls(text) == read, why


@pytest.mark.parametrize(
    "text",
    ["<TOOLCALL>", "<TOOLCALL>[{]</TOOLCALL>", "<TOOLCALL>[]", "<TOOLCALL>[] and more</TOOLCALL>"],
)
def test_broken_blocks_are_named(text: str) -> None:
    with pytest.raises(RowError, match="TOOLCALL"):
        split_toolcalls(text)


def function(name: str, arguments: str) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "arguments": arguments}}


MESSAGES: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    ({"role": "user", "content": "Hi"}, {"role": "user", "content": "Hi"}, "as it is"),
    ({"role": "developer", "content": "x"}, {"role": "system", "content": "x"}, "OpenAI's newer name"),
    (
        {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
        {"role": "user", "content": "a\nb"},
        "text parts",
    ),
    (
        {"role": "function", "name": "f", "content": None, "extra": 1},
        {"role": "tool", "content": "", "name": "f"},
        "OpenAI's older tool role",
    ),
    (
        {"role": "assistant", "content": 'Let me see. <TOOLCALL>[{"name": "f", "arguments": {}}]</TOOLCALL>'},
        {"role": "assistant", "content": "Let me see.", "tool_calls": [function("f", "{}")]},
        "text beside a call",
    ),
    (
        {"role": "assistant", "tool_calls": [function("f", '{"a": 1}')]},
        {"role": "assistant", "content": "", "tool_calls": [function("f", '{"a": 1}')]},
        "structured already, content absent",
    ),
    (
        {"role": "assistant", "content": "x", "tool_calls": []},
        {"role": "assistant", "content": "x"},
        "an empty list of calls",
    ),
    (
        {"role": "user", "content": "I typed <TOOLCALL>"},
        {"role": "user", "content": "I typed <TOOLCALL>"},
        "only an assistant's text holds calls",
    ),
]


@pytest.mark.parametrize(("raw", "canonical", "why"), MESSAGES)
def test_messages(raw: dict[str, Any], canonical: dict[str, Any], why: str) -> None:
    assert read_message(raw, "m") == canonical, why


BAD_MESSAGES: list[tuple[Any, str, str]] = [
    ("hi", "m", "a string is no message"),
    ({"role": "boss", "content": "x"}, "m.role", "an unknown role"),
    ({"role": "user", "content": 3}, "m.content", "a number as content"),
    ({"role": "user", "content": [{"image": "x"}]}, "m.content", "a part that is not text"),
    ({"role": "assistant", "content": ""}, "m", "an assistant that says nothing"),
    ({"role": "assistant", "content": "x", "tool_calls": {}}, "m.tool_calls", "calls that are no list"),
    ({"role": "assistant", "tool_calls": [{"name": ""}]}, "m.tool_calls[0]", "a call without a name"),
    (
        {"role": "assistant", "tool_calls": [function("f", "[1]")]},
        "m.tool_calls[0].arguments",
        "arguments that are a list",
    ),
    (
        {"role": "assistant", "tool_calls": [function("f", "{")]},
        "m.tool_calls[0].arguments",
        "arguments that are not JSON",
    ),
]


@pytest.mark.parametrize(("raw", "field", "why"), BAD_MESSAGES)
def test_bad_messages_name_their_field(raw: Any, field: str, why: str) -> None:
    with pytest.raises(RowError) as caught:
        read_message(raw, "m")
    assert (caught.value.field, bool(caught.value.mend)) == (field, True), why


@pytest.mark.parametrize("value", [None, [], {}, [{"role": "system", "content": "x"}]])
def test_a_conversation_needs_a_user_turn(value: Any) -> None:
    with pytest.raises(RowError, match="messages"):
        read_messages(value)


def test_answers_are_messages_lists_of_one_or_texts() -> None:
    answer = {"role": "assistant", "content": "Yes."}
    assert read_answer(answer, "chosen") == read_answer([answer], "chosen") == read_answer("Yes.", "chosen")
    with pytest.raises(RowError, match=r"chosen\.role"):
        read_answer({"role": "user", "content": "Yes."}, "chosen")


def test_argument_text_keeps_letters_and_numbers_as_given() -> None:
    call = read_call({"name": "f", "arguments": {"city": "Zürich", "weight": 2.0, "count": 2}}, "c")
    assert call["arguments"] == '{"city": "Zürich", "weight": 2.0, "count": 2}'
