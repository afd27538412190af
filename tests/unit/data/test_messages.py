"""`<TOOLCALL>` in texts becomes structured calls, and nothing that was written is lost."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.rows import RowError
from data.shapes.messages import (
    calls_of,
    read_answer,
    read_call,
    read_message,
    read_messages,
    split_toolcalls,
    write_toolcalls,
)

# Any JSON that Python writes and the standard allows; text without what no text may hold, tags welcome.
LETTERS = st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff") | st.sampled_from(
    "\t\n\r"
)
TEXT = st.text(LETTERS, max_size=20) | st.sampled_from(
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
    (
        {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": '{"a": 1}'}},
        {"role": "assistant", "content": "", "tool_calls": [function("f", '{"a": 1}')]},
        "OpenAI's older call",
    ),
    (
        {"role": "user", "content": "line\tone\r\ntwo"},
        {"role": "user", "content": "line\tone\r\ntwo"},
        "tabs and line ends are text",
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
    ({"role": "user", "content": " "}, "m.content", "a user who says nothing"),
    ({"role": "user", "content": "a\x00b"}, "m.content", "NUL is no text"),
    ({"role": "user", "content": "a<|im_end|>"}, "m.content", "a user's text that ends the turn"),
    ({"role": "tool", "content": "</tool_response>"}, "m.content", "a result that ends its block"),
    (
        {"role": "assistant", "tool_calls": [function("f", '{"a": {"b": ["x\\u0007"]}}')]},
        "m.tool_calls[0].arguments.a.b[0]",
        "a control character deep in an argument",
    ),
    ({"role": "assistant", "function_call": {"name": ""}}, "m.function_call", "an older call without a name"),
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
    with pytest.raises(RowError, match="holds 2 messages"):
        read_answer([answer, answer], "chosen")


@pytest.mark.parametrize("written", ["", None, "{}", {}])
def test_a_call_without_arguments_is_written_in_many_ways(written: object) -> None:
    assert read_call({"name": "f", "arguments": written}, "c") == {"name": "f", "arguments": "{}"}


def test_argument_text_keeps_letters_and_numbers_as_given() -> None:
    call = read_call({"name": "f", "arguments": {"city": "Zürich", "weight": 2.0, "count": 2}}, "c")
    assert call["arguments"] == '{"city": "Zürich", "weight": 2.0, "count": 2}'


USER = {"role": "user", "content": "Hi"}
SAYS = {"role": "assistant", "content": "Yes."}


def calls(*ids: str | None) -> dict[str, Any]:
    listed = [{**function("f", "{}"), **({} if one is None else {"id": one})} for one in ids]
    return {"role": "assistant", "content": None, "tool_calls": listed}


def result(content: str, of: str | None = None) -> dict[str, Any]:
    return {"role": "tool", "content": content, **({} if of is None else {"tool_call_id": of})}


def system(content: str) -> dict[str, Any]:
    return {"role": "system", "content": content}


ORDERS: list[tuple[list[dict[str, Any]], list[str], str]] = [
    ([system("a"), USER, SAYS], ["a", "Hi", "Yes."], "the usual"),
    ([system("a"), system("b"), USER], ["a", "b", "Hi"], "two system messages before the conversation"),
    ([USER, USER, SAYS, SAYS], ["Hi", "Hi", "Yes.", "Yes."], "people send two messages, assistants too"),
    ([SAYS, USER], ["Yes.", "Hi"], "an assistant that greets first"),
    ([USER, calls(None), USER], ["Hi", "", "Hi"], "a call whose result is left out"),
    (
        [USER, calls("1", "2"), result("two", "2"), result("one", "1"), SAYS],
        ["Hi", "", "one", "two", "Yes."],
        "results are put into the order of the calls",
    ),
    (
        [USER, calls("1", "2"), result("two", "2"), USER],
        ["Hi", "", "two", "Hi"],
        "one of two results",
    ),
    (
        [USER, calls(None, None), result("b"), result("a")],
        ["Hi", "", "b", "a"],
        "without ids the order is what there is",
    ),
    (
        [USER, calls("x", "x"), result("b", "x"), result("a", "x")],
        ["Hi", "", "b", "a"],
        "an id that both calls have tells nothing",
    ),
]


@pytest.mark.parametrize(("messages", "contents", "why"), ORDERS)
def test_orders_of_turns(messages: list[dict[str, Any]], contents: list[str], why: str) -> None:
    assert [message["content"] for message in read_messages(messages)] == contents, why


BAD_ORDERS: list[tuple[list[dict[str, Any]], str, str]] = [
    ([USER, system("a"), SAYS], "messages[1].role", "instructions within the conversation"),
    ([result("a"), USER], "messages[0].role", "a result before anything"),
    ([USER, result("a")], "messages[1].role", "a result that nobody asked for"),
    ([USER, SAYS, result("a")], "messages[2].role", "a result after a text"),
    ([USER, calls("1"), USER, result("a", "1")], "messages[3].role", "a result after the user spoke"),
    ([USER, calls("1"), result("a", "2")], "messages[2].tool_call_id", "a result of an unknown call"),
    (
        [USER, calls("1", "2"), result("a", "1"), result("b", "1")],
        "messages[2].tool_call_id",
        "two results of a call, none of the other",
    ),
    ([USER, calls(None), result("a"), result("b")], "messages[3]", "more results than calls"),
]


@pytest.mark.parametrize(("messages", "field", "why"), BAD_ORDERS)
def test_bad_orders_name_the_message(messages: list[dict[str, Any]], field: str, why: str) -> None:
    with pytest.raises(RowError) as caught:
        read_messages(messages)
    assert (caught.value.field, bool(caught.value.mend)) == (field, True), why


USE = {"toolUse": {"toolUseId": "t1", "name": "f", "input": {"a": 1}}}
RESULT = {"toolResult": {"toolUseId": "t1", "content": [{"json": {"ok": True}}, {"text": "done"}]}}
CONVERSE = [
    {"role": "user", "content": [{"text": "Hi"}, {"cachePoint": {"type": "default"}}]},
    {"role": "assistant", "content": [{"text": "Let me see."}, USE]},
    {"role": "user", "content": [RESULT, {"text": "And now?"}]},
    {"role": "assistant", "content": [{"text": "Yes."}]},
]
ANTHROPIC = [
    {"role": "user", "content": "Hi"},
    {
        "role": "assistant",
        "content": [
            {"type": "text", "text": "Let me see."},
            {"type": "tool_use", "id": "t1", "name": "f", "input": {"a": 1}},
        ],
    },
    {
        "role": "user",
        "content": [
            {"type": "tool_result", "tool_use_id": "t1", "content": '{"ok": true}\ndone'},
            {"type": "text", "text": "And now?"},
        ],
    },
    {"role": "assistant", "content": "Yes."},
]


@pytest.mark.parametrize("messages", [CONVERSE, ANTHROPIC], ids=["Converse", "Anthropic"])
def test_blocks_become_calls_and_results(messages: list[dict[str, Any]]) -> None:
    assert read_messages(messages) == (
        USER,
        {"role": "assistant", "content": "Let me see.", "tool_calls": [function("f", '{"a": 1}')]},
        {"role": "tool", "content": '{"ok": true}\ndone', "tool_call_id": "t1"},
        {"role": "user", "content": "And now?"},
        SAYS,
    )


BAD_BLOCKS: list[tuple[Any, str, str]] = [
    ([{"image": {"format": "png"}}], "messages[0].content[0]", "an image"),
    ([{"text": "a"}, 3], "messages[0].content[1]", "a number"),
    ([{"toolUse": "f"}], "messages[0].content[0]", "a call that is no object"),
    ([{"toolResult": {"content": [{"image": {}}]}}], "messages[0].content[0]", "a result that is an image"),
]


@pytest.mark.parametrize(("content", "field", "why"), BAD_BLOCKS)
def test_bad_blocks_name_their_place(content: Any, field: str, why: str) -> None:
    with pytest.raises(RowError) as caught:
        read_messages([{"role": "user", "content": content}])
    assert caught.value.field == field, why


def test_a_conversation_may_be_written_as_json() -> None:
    assert read_messages(json.dumps([USER, SAYS])) == (USER, SAYS)
    question = '[{"price": 3}] - what does that mean?'
    assert read_messages(question) == ({"role": "user", "content": question},)
