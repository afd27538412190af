"""Every published shape becomes a canonical row, or a rejection that names the field."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.readers import RowFile, read_line
from data.rows import Expected, Purpose, Row, RowError, write_json
from data.shapes import for_purpose, read_row
from tests.unit.data.test_messages import JSON

TOOL = {
    "name": "track",
    "description": "Track a parcel.",
    "parameters": {"type": "dict", "properties": {"number": {"type": "string"}}, "required": ["number"]},
}
USER = {"role": "user", "content": "Where is A1?"}
CALL = {"name": "track", "arguments": '{"number": "A1"}'}
CALLED = {"role": "assistant", "content": "", "tool_calls": [{"type": "function", "function": CALL}]}
TOOLCALL = '<TOOLCALL>[{"name": "track", "arguments": {"number": "A1"}}]</TOOLCALL>'
ASKS = {"role": "assistant", "content": "Which parcel do you mean?"}
ANSWERS = {
    "direct": "It is in Lyon.",
    "tool_call": '{"name": "track", "arguments": {"number": "A1"}}',
    "request_for_info": "Which parcel do you mean?",
    "cannot_answer": "I cannot track parcels.",
}
MCQ = {
    "uuid": "u1",
    "source": "BFCL",
    "question": "Where is A1?",
    "correct_answer": "tool_call",
    "answers": ANSWERS,
    "target_tool": json.dumps(TOOL),
    "tools": [json.dumps(TOOL)],
}
LABELLED = {"id": "u1", "label": "call", "tools": [TOOL], "messages": [USER]}


def chat(*messages: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"tools": [TOOL], "messages": list(messages), **more}


READS: list[tuple[dict[str, Any], Purpose, tuple[Any, ...], Expected, str]] = [
    (
        chat(USER, {"role": "assistant", "content": TOOLCALL}),
        "sft",
        (USER, CALLED),
        Expected("tool_call", (CALL,)),
        "When2Call's SFT row that calls",
    ),
    (
        chat(USER, {"role": "assistant", "content": f"Sure. {TOOLCALL}"}),
        "sft",
        (USER, {**CALLED, "content": "Sure."}),
        Expected("tool_call", (CALL,), text="Sure."),
        "a call with text beside it",
    ),
    (
        chat(USER, ASKS),
        "sft",
        (USER, ASKS),
        Expected("request_for_info", text=ASKS["content"]),
        "When2Call's SFT row that asks, without a label",
    ),
    (
        chat(USER, ASKS, decision="cannot_answer"),
        "sft",
        (USER, ASKS),
        Expected("cannot_answer", text=ASKS["content"]),
        "a stated decision comes before the words",
    ),
    (
        chat(USER, {"role": "assistant", "content": TOOLCALL}, {"role": "tool", "content": "Lyon"}, ASKS),
        "sft",
        (USER, CALLED, {"role": "tool", "content": "Lyon"}, ASKS),
        Expected("request_for_info", text=ASKS["content"]),
        "an earlier call is structured too",
    ),
    (MCQ, "test", (USER,), Expected("tool_call", (CALL,)), "When2Call's multiple choice, call"),
    (
        {**MCQ, "correct_answer": "cannot_answer", "tools": []},
        "test",
        (USER,),
        Expected("cannot_answer", text="I cannot track parcels."),
        "multiple choice without tools; the tempting call need not be offered",
    ),
    (
        {**LABELLED, "gold_calls": [{"name": "track", "arguments": {"number": "A1"}}], "gold_text": None},
        "test",
        (USER,),
        Expected("tool_call", (CALL,)),
        "a label with gold calls",
    ),
    (
        {**LABELLED, "gold_calls": None, "gold_allowed": [{"track": {"number": ["A1", "a1"]}}]},
        "test",
        (USER,),
        Expected("tool_call", allowed='[{"track": {"number": ["A1", "a1"]}}]'),
        "a label with BFCL's accepted values",
    ),
    (
        {**LABELLED, "label": "refuse", "gold_allowed": [], "tools": []},
        "test",
        (USER,),
        Expected("cannot_answer"),
        "BFCL's irrelevance: nothing is allowed",
    ),
    (
        {**LABELLED, "label": "ask", "gold_text": "Which?"},
        "test",
        (USER,),
        Expected("request_for_info", text="Which?"),
        "a label with gold text",
    ),
]


@pytest.mark.parametrize(("raw", "purpose", "messages", "expected", "why"), READS)
def test_published_rows(
    raw: dict[str, Any], purpose: Purpose, messages: tuple[Any, ...], expected: Expected, why: str
) -> None:
    row = read_row(raw, "file")
    assert (row.purpose, row.messages, row.expected) == (purpose, messages, expected), why
    assert json.loads(row.tools) == read_tools_again(row), why
    assert read_row(row.to_json(), "") == row, "a canonical row is read as itself"


def read_tools_again(row: Row) -> Any:
    return json.loads(read_row({"messages": [USER, ASKS], "tools": row.tools}, "").tools)


PREFERENCES = [
    {
        "tools": [TOOL],
        "messages": [USER],
        "chosen_response": {"role": "assistant", "content": TOOLCALL},
        "rejected_response": ASKS,
    },
    {"tools": [TOOL], "prompt": [USER], "chosen": [CALLED], "rejected": [ASKS]},
]


@pytest.mark.parametrize("raw", PREFERENCES, ids=["When2Call", "TRL"])
def test_preference_rows(raw: dict[str, Any]) -> None:
    row = read_row(raw, "file")
    assert (row.purpose, row.messages, row.chosen, row.rejected) == (
        "preference",
        (USER,),
        (CALLED,),
        (ASKS,),
    )
    assert row.expected == Expected("tool_call", (CALL,))
    assert read_row(row.to_json(), "") == row


def test_identity_is_given_or_made_from_the_content() -> None:
    named, numbered = read_row(chat(USER, ASKS, id="a"), "f"), read_row(chat(USER, ASKS, id=7), "f")
    assert (named.id, numbered.id, read_row(MCQ, "f").id) == ("a", "7", "u1")
    nameless = [read_row(chat(USER, answer), "f").id for answer in (ASKS, ASKS, CALLED)]
    assert nameless[0] == nameless[1] != nameless[2]


def test_source_is_given_or_the_file() -> None:
    assert (read_row(MCQ, "f").source, read_row(chat(USER, ASKS), "f").source) == ("BFCL", "f")


BAD: list[tuple[Any, str, str]] = [
    ([1], "row", "a list is no row"),
    ({"text": "x"}, "row", "no shape has these keys"),
    (chat(USER), "messages", "no answer to learn"),
    (chat(USER, CALLED, tools=[]), "messages[1]", "the gold call is of a tool that is not offered"),
    (
        chat(USER, {"role": "assistant", "content": '<TOOLCALL>[{"name": "track"}]</TOOLCALL>'}),
        "messages[1]",
        "the gold call lacks a required argument",
    ),
    (chat(USER, ASKS, decision="maybe"), "decision", "an unknown decision"),
    (chat(USER, ASKS, decision="tool_call"), "decision", "a label that the answer contradicts"),
    ({**MCQ, "correct_answer": "yes"}, "correct_answer", "an unknown right answer"),
    ({**MCQ, "answers": {"direct": "x"}}, "answers.tool_call", "an answer is absent"),
    ({**MCQ, "answers": {**ANSWERS, "tool_call": "track(A1)"}}, "answers.tool_call", "a call as text"),
    ({**MCQ, "tools": []}, "answers.tool_call", "the right call is of no offered tool"),
    ({**LABELLED, "label": "shrug"}, "label", "an unknown label"),
    (LABELLED, "gold_calls", "a call row without gold"),
    ({"chosen_response": ASKS, "rejected_response": ASKS, "messages": [USER]}, "rejected_response", "equal"),
    ({"chosen_response": ASKS, "messages": [USER]}, "rejected_response", "half a pair"),
    ({"expected": "x"}, "expected", "a canonical row that is none"),
    ({"expected": {"decision": "direct", "text": 3}, "messages": [USER]}, "expected.text", "text as number"),
]


@pytest.mark.parametrize(("raw", "field", "why"), BAD)
def test_bad_rows_name_their_field(raw: Any, field: str, why: str) -> None:
    with pytest.raises(RowError) as caught:
        read_row(raw, "file")
    assert (caught.value.field, bool(caught.value.reason), bool(caught.value.mend)) == (field, True, True), (
        why
    )


def test_a_conversation_with_its_answer_serves_as_a_test_row() -> None:
    row = for_purpose(read_row(chat(USER, CALLED), "f"), "test")
    assert (row.purpose, row.messages, row.expected.calls) == ("test", (USER,), (CALL,))


@pytest.mark.parametrize(
    ("raw", "purpose"), [(MCQ, "sft"), (PREFERENCES[0], "sft"), (chat(USER, ASKS), "preference")]
)
def test_rows_of_another_purpose_are_refused(raw: dict[str, Any], purpose: Purpose) -> None:
    with pytest.raises(RowError, match=f"where {purpose} rows are read"):
        for_purpose(read_row(raw, "f"), purpose)


SHAPES = st.sampled_from([MCQ, LABELLED, *PREFERENCES, *(row for row, *_ in READS)])
FIELDS = ["tools", "messages", "answers", "gold_calls", "gold_allowed", "expected", "chosen", "label", "id"]


@given(SHAPES, st.sampled_from(FIELDS), JSON)
def test_whatever_a_line_holds_it_is_a_row_or_a_named_rejection(
    row: dict[str, Any], field: str, value: Any
) -> None:
    line = json.dumps({**row, field: value}).encode()
    try:
        read = read_line(line, RowFile(Path("f.jsonl"), "f.jsonl", None))
    except RowError as error:
        assert error.field
        assert error.mend
    else:
        assert json.loads(write_json(read.to_json()))["id"] == read.id


LINES: list[tuple[bytes, str, str]] = [
    (b"\xff\xfe", "line", "not UTF-8"),
    (b"{", "line", "not JSON"),
    (b"[" * 100_000, "line", "nested without end"),
    (b'{"messages": NaN}', "line", "NaN is no JSON"),
    (b'{"messages": ' + b"1" * 5000 + b"}", "line", "an endless number"),
    (b'{"messages": [{"role": "user", "content": "\\ud800"}]}', "messages", "half a character"),
]


@pytest.mark.parametrize(("line", "field", "why"), LINES)
def test_hostile_lines_are_rejections(line: bytes, field: str, why: str) -> None:
    with pytest.raises(RowError) as caught:
        read_line(line, RowFile(Path("f.jsonl"), "f.jsonl", None))
    assert caught.value.field == field, why


def test_what_utf8_cannot_hold_is_rejected() -> None:
    line = json.dumps(chat({"role": "user", "content": "half \ud800"}, ASKS)).encode()
    with pytest.raises(RowError, match="JSON in UTF-8"):
        read_line(line, RowFile(Path("f.jsonl"), "f.jsonl", None))
