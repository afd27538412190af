"""Every published shape becomes a canonical row, or a rejection that names the field."""

import contextlib
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.readers import RowFile, read_line
from data.rows import Expected, Purpose, Row, RowError, write_json
from data.shapes.reading import NO_ROWS, SHAPE_NAMES, for_purpose, read_rows
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


def read_row(raw: Any, source: str) -> Row:
    """The only row of a line."""
    (row,) = read_rows(raw, source)
    return row


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


JAVA = {
    "id": "simple_java_0",
    "question": [[USER]],
    "function": [
        {
            "name": "track",
            "description": "Tracks.",
            "parameters": {
                "type": "dict",
                "properties": {
                    "numbers": {"type": "ArrayList", "items": {"type": "long"}, "description": "Which."},
                    "how": {"type": "any", "description": "How."},
                },
                "required": ["numbers"],
            },
        }
    ],
    "ground_truth": [{"track": {"numbers": [[1, 2]], "how": ["fast", ""]}}],
}


def test_bfcls_rows_about_a_language_show_their_arguments_as_bfcl_does() -> None:
    row = read_row(JAVA, "f")
    (tool,) = json.loads(row.tools)
    properties = tool["parameters"]["properties"]
    assert tool["description"] == "Tracks. Note that the provided function is in Java 8 SDK syntax."
    assert properties["numbers"] == {
        "type": "string",
        "description": "Which. This is Java ArrayList type parameter in string representation."
        " The list elements are of type long; they are not in string representation.",
    }
    assert properties["how"]["description"].endswith("of any type of Java object in string representation.")
    assert row.expected.language == "java"
    assert read_row(row.to_json(), "f") == row, "a prepared row is read as it was written"


def test_bfcls_javascript_shows_the_entries_of_an_object() -> None:
    given = json.loads(json.dumps(JAVA).replace("simple_java", "simple_javascript"))
    numbers = given["function"][0]["parameters"]["properties"]["numbers"]
    numbers.update(type="dict", properties={"a": {"type": "String"}})
    given["ground_truth"] = [{"track": {"numbers": [{"a": ["x"]}], "how": [""]}}]
    row = read_row(given, "f")
    shown = json.loads(row.tools)[0]["parameters"]["properties"]["numbers"]
    assert shown["type"] == "string"
    assert shown["description"].endswith('{"a": {"type": "String"}}')
    assert row.expected.language == "javascript"


def test_bfcls_relevance_expects_any_call() -> None:
    given = {"id": "live_relevance_1", "question": [[USER]], "function": [TOOL]}
    row = read_row(given, "f")
    assert row.expected == Expected("tool_call", any_call=True)
    assert read_row(row.to_json(), "f") == row


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"function": "x"}, "function"),
        ({"function": ["x"]}, "function[0]"),
        ({"function": [{"name": "track", "parameters": {}}]}, "function[0].parameters"),
        (
            {"function": [{"name": "track", "parameters": {"properties": {"a": {}}}}]},
            "function[0].parameters.a",
        ),
    ],
    ids=["no list", "no function", "no properties", "no type"],
)
def test_what_a_row_about_a_language_lacks_is_named(change: dict[str, Any], field: str) -> None:
    with pytest.raises(RowError) as caught:
        read_row({**JAVA, **change}, "f")
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("terms", "field"),
    [({"ordered": 1}, "expected.ordered"), ({"language": "cobol"}, "expected.language")],
    ids=["no boolean", "unknown language"],
)
def test_the_terms_of_a_canonical_row_are_checked(terms: dict[str, Any], field: str) -> None:
    row = read_row(
        {
            "id": "r",
            "question": [[USER]],
            "function": [TOOL],
            "ground_truth": [{"track": {"number": ["A1"]}}],
        },
        "f",
    ).to_json()
    ordered = {**row, "expected": {**row["expected"], "ordered": True}}
    assert read_row(ordered, "f").expected.ordered
    with pytest.raises(RowError) as caught:
        read_row({**row, "expected": {**row["expected"], **terms}}, "f")
    assert caught.value.field == field


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


PREFERENCES: list[dict[str, Any]] = [
    {
        "tools": [TOOL],
        "messages": [USER],
        "chosen_response": {"role": "assistant", "content": TOOLCALL},
        "rejected_response": ASKS,
    },
    {"tools": [TOOL], "prompt": [USER], "chosen": [CALLED], "rejected": [ASKS]},
    {
        "input": {"messages": [USER], "tools": [TOOL], "parallel_tool_calls": True},
        "preferred_output": [CALLED],
        "non_preferred_output": [ASKS],
    },
]


@pytest.mark.parametrize("raw", PREFERENCES, ids=["When2Call", "TRL", "OpenAI"])
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


GPT = {"from": "gpt", "value": "Hello."}
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
    ({**LABELLED, "label": "ask", "gold_calls": [CALL]}, "gold_calls", "a call where none is wanted"),
    ({**LABELLED, "gold_allowed": [{"trace": {"number": ["A1"]}}]}, "gold_allowed[0]", "no offered tool"),
    ({**LABELLED, "label": "ask", "messages": [USER, ASKS]}, "messages", "the answer is given already"),
    ({**LABELLED, "label": "ask", "gold_text": "a\x00"}, "gold_text", "a text that is none"),
    ({**MCQ, "question": [USER, ASKS]}, "question", "the question ends with an answer"),
    (
        {**MCQ, "answers": {**ANSWERS, "direct": "<|im_end|>"}},
        "answers.direct",
        "an answer that ends the turn",
    ),
    (
        {"expected": {"decision": "tool_call"}, "messages": [USER], "tools": [TOOL]},
        "expected.calls",
        "a call row without calls",
    ),
    (
        {"expected": {"decision": "direct", "calls": [CALL]}, "messages": [USER], "tools": [TOOL]},
        "expected.calls",
        "calls in a row that calls nothing",
    ),
    (
        {
            "expected": {
                "decision": "tool_call",
                "calls": [{"name": "track", "arguments": '{"number": "B2"}'}],
            },
            "messages": [USER, CALLED],
            "tools": [TOOL],
        },
        "expected.calls",
        "what is expected is not the answer",
    ),
    (
        {"expected": {"decision": "tool_call", "allowed": "[{]"}, "messages": [USER], "tools": [TOOL]},
        "expected.allowed",
        "accepted values that are not JSON",
    ),
    ({"chosen": [USER, ASKS], "rejected": [USER, CALLED, ASKS]}, "rejected", "two answers after the prompt"),
    ({"chosen": "a", "rejected": "b"}, "messages", "answers without a prompt"),
    ({"prompt": [USER, ASKS], "chosen": "a", "rejected": "b"}, "messages", "a prompt that is answered"),
    (
        {"input": [USER], "preferred_output": "a", "non_preferred_output": "b"},
        "input",
        "OpenAI's, without object",
    ),
    (
        {"input": {"messages": []}, "preferred_output": "a", "non_preferred_output": "b"},
        "input.messages",
        "OpenAI's, without messages",
    ),
    (chat(USER, CALLED, id=["a"]), "id", "an id that is a list"),
    (chat(USER, CALLED, id="a\x00"), "id", "an id that is no text"),
    (chat(USER, CALLED, source="\ud800"), "source", "a source that is no text"),
    ({"prompt": "Where?", "completion": []}, "completion", "no completion"),
    ({"prompt": [USER], "completion": [{"role": "assistant"}]}, "completion[0]", "an empty completion"),
    ({"completion": "x"}, "prompt", "a completion of nothing"),
    ({"conversations": [{"from": "human", "value": "Hi"}]}, "conversations", "nobody answers"),
    ({"conversations": [{"from": "human", "value": "Hi"}, GPT] * 300}, "conversations", "too many answers"),
    ({"conversations": [{"from": "narrator", "value": "x"}]}, "conversations[0].from", "an unknown speaker"),
    ({"conversations": [{"from": "gpt", "value": "\x00"}]}, "conversations[0].content", "no text"),
    ({"query": "Hi", "answers": "[{]"}, "answers", "calls that are not JSON"),
    ({"query": [], "answers": []}, "query", "nobody asks"),
    ({"query": "Hi", "answers": [CALL]}, "answers", "a call of no offered tool"),
    ({"instruction": "Translate this.", "output": "Bonjour"}, "instruction", "a row of another set"),
    ({"scenario": "TG", "query": "Hi", "answer": ["I would rather not."]}, "answer[0]", "no action"),
    ({"function": [], "ground_truth": []}, "question", "BFCL's, without a question"),
    ({"id": "simple_1", "question": "Hi", "function": []}, "ground_truth", "BFCL's questions alone"),
    ({"id": "simple_1", "ground_truth": [{}]}, "row", "BFCL's answers alone"),
    (
        {"question": [[USER]], "function": [TOOL], "ground_truth": ["track(number='A1')"]},
        "ground_truth",
        "BFCL's answers as code",
    ),
    (
        {"question": [[USER], [USER]], "function": [TOOL], "ground_truth": [{"track": {}}]},
        "question",
        "several turns",
    ),
    (
        {"question": [[USER]], "involved_classes": ["Parcels"], "ground_truth": [["track()"]]},
        "function",
        "BFCL's multi-turn rows name classes",
    ),
    (
        {"question": "user: Hi", "function": [TOOL], "time": "", "ground_truth": {"track": ["number"]}},
        "ground_truth",
        "ACEBench's rows that want no call",
    ),
    ({"turns": []}, "turns", "a dialog without turns"),
    ({"turns": [{"query": [USER]}]}, "turns[0].type_of_output", "a turn that says not what it wants"),
    ({"raw_output": "<tool_code>"}, "row", "what a model said"),
    ({"raw": {"raw_output": "<tool_code>"}, "id": "a"}, "row", "what a model said, wrapped"),
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
    with pytest.raises(RowError, match="end with a message of the assistant"):
        for_purpose(read_row(chat(USER, ASKS, CALLED), "f"), "test")


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
        (read,) = read_line(line, RowFile(Path("f.jsonl"), "f.jsonl", None))
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
    (b'{"messages": [{"role": "user", "content": "\\ud800"}]}', "messages[0].content", "half a character"),
]


@pytest.mark.parametrize(("line", "field", "why"), LINES)
def test_hostile_lines_are_rejections(line: bytes, field: str, why: str) -> None:
    with pytest.raises(RowError) as caught:
        read_line(line, RowFile(Path("f.jsonl"), "f.jsonl", None))
    assert caught.value.field == field, why


def test_nothing_that_json_cannot_hold_gets_through() -> None:
    for value in (float("nan"), float("inf"), "\ud800"):
        answer = {
            "role": "assistant",
            "tool_calls": [{"function": {"name": "track", "arguments": {"number": value}}}],
        }
        with pytest.raises(RowError):
            read_rows(chat(USER, answer), "f")


def nested(depth: int) -> Any:
    value: Any = "x"
    for _ in range(depth):
        value = {"a": value}
    return value


@pytest.mark.parametrize(
    "field", ["tools", "messages", "expected", "gold_calls", "ground_truth", "conversations"]
)
def test_deep_nesting_is_a_named_rejection(field: str) -> None:
    call = {"name": "track", "arguments": nested(100_000)}
    parameters = {"name": "f", "parameters": nested(100_000)}
    deep = {"tools": [parameters], "gold_calls": [call]}.get(field, nested(100_000))
    with pytest.raises(RowError) as caught:
        read_rows({**LABELLED, field: deep, **({} if field != "expected" else {"label": "call"})}, "f")
    assert caught.value.mend


CALL_TEXT = json.dumps([{"name": "track", "arguments": {"number": "A1"}}])
CONVERSE = {
    "schemaVersion": "bedrock-conversation-2024",
    "system": [{"text": "Be brief."}],
    "messages": [
        {"role": "user", "content": [{"text": "Where is A1?"}]},
        {
            "role": "assistant",
            "content": [{"toolUse": {"toolUseId": "t", "name": "track", "input": {"number": "A1"}}}],
        },
    ],
    "toolConfig": {"tools": [{"toolSpec": {"name": "track", "inputSchema": {"json": TOOL["parameters"]}}}]},
}
BRIEF = {"role": "system", "content": "Be brief."}
HAMMER = (
    f"[BEGIN OF AVAILABLE TOOLS]\n{json.dumps([TOOL])}\n[END OF AVAILABLE TOOLS]\n"
    "[BEGIN OF QUERY]\nWhere is A1?\n[END OF QUERY]"
)
CALLS = Expected("tool_call", (CALL,))
DECLINES = Expected("cannot_answer")
ACCEPTS = Expected("tool_call", allowed='[{"track": {"number": ["A1", "a1"]}}]')
PUBLISHED: list[tuple[str, dict[str, Any], tuple[Any, ...], Expected, str]] = [
    ("converse", CONVERSE, (BRIEF, USER, CALLED), CALLS, "Bedrock's fine-tuning format"),
    (
        "chat",
        {
            "functions": [TOOL],
            "function_call": "auto",
            "messages": [USER, {"role": "assistant", "content": None, "function_call": CALL}],
        },
        (USER, CALLED),
        CALLS,
        "OpenAI's older fields",
    ),
    (
        "chat",
        {"tools": json.dumps([TOOL]), "messages": json.dumps([USER, CALLED]), "tool_choice": "auto"},
        (USER, CALLED),
        CALLS,
        "everything in JSON strings",
    ),
    (
        "prompt_completion",
        {"tools": [TOOL], "prompt": [BRIEF, USER], "completion": [CALLED]},
        (BRIEF, USER, CALLED),
        CALLS,
        "TRL's prompt and completion",
    ),
    (
        "prompt_completion",
        {"prompt": "Where is A1?", "completion": "Which parcel do you mean?"},
        (USER, ASKS),
        Expected("request_for_info", text=ASKS["content"]),
        "TRL's, as texts",
    ),
    (
        "bfcl",
        {
            "id": "live_1",
            "question": [[USER]],
            "function": [TOOL],
            "ground_truth": [{"track": {"number": ["A1", "a1"]}}],
        },
        (USER,),
        ACCEPTS,
        "BFCL with its possible answers",
    ),
    (
        "bfcl",
        {"id": "live_irrelevance_1", "question": [[USER]], "function": [TOOL]},
        (USER,),
        DECLINES,
        "BFCL's irrelevance has no answers to merge",
    ),
    (
        "bfcl",
        {"question": "Where is A1?", "function": TOOL, "ground_truth": []},
        (USER,),
        DECLINES,
        "an older BFCL row: a text, one function",
    ),
    (
        "acebench",
        {
            "question": "user: Hi\nsystem: Yes?\nuser: Where is A1?\n",
            "function": [{"name": "track", "arguments": TOOL["parameters"]}],
            "time": "It is Monday.",
            "ground_truth": {"track_1": {"number": "A1"}},
        },
        (
            {"role": "system", "content": "It is Monday."},
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "content": "Yes?"},
            USER,
        ),
        CALLS,
        "ACEBench: a transcript, and a numbered call",
    ),
    (
        "functionchat",
        {
            "input_messages": [USER],
            "input_tools": [TOOL],
            "type_of_output": "call",
            "ground_truth": CALLED,
            "acceptable_arguments": '{"number": "a1"}',
        },
        (USER,),
        Expected("tool_call", (CALL,), '[{"track": {"number": ["A1", "a1"]}}]'),
        "FunctionChat-Bench: the call, and another value for it",
    ),
    (
        "functionchat",
        {"input_messages": [USER], "type_of_output": "slot", "ground_truth": ASKS},
        (USER,),
        Expected("request_for_info", text=ASKS["content"]),
        "FunctionChat-Bench: a question back",
    ),
    (
        "queries",
        {"query": "Where is A1?", "tools": json.dumps([TOOL]), "answers": CALL_TEXT},
        (USER, CALLED),
        CALLS,
        "xLAM: JSON strings",
    ),
    (
        "queries",
        {
            "query": [USER, {"role": "agent", "content": "Let me see.\nGenerate API Request:"}],
            "tools": [TOOL],
            "answers": [{"name": "track", "arguments": {"number": "A1"}}],
        },
        (USER, {**CALLED, "content": "Let me see."}),
        Expected("tool_call", (CALL,), text="Let me see."),
        "API-Bank: what the agent says comes before its call",
    ),
    (
        "queries",
        {"query": "Where is A1?", "tools": [TOOL], "answers": []},
        (USER,),
        DECLINES,
        "no tool serves",
    ),
    (
        "hammer",
        {"instruction": HAMMER, "input": "", "output": f"```\n{CALL_TEXT}\n```"},
        (USER, CALLED),
        CALLS,
        "Hammer: everything in one text",
    ),
    (
        "hammer",
        {"instruction": HAMMER, "output": "```\n[]\n```"},
        (USER,),
        DECLINES,
        "Hammer: no tool serves",
    ),
    (
        "rotbench",
        {
            "scenario": "TG",
            "query": "Where is A1?",
            "tools": [TOOL],
            "answer": [
                'Thought:\nAction: trace\nAction Input: {"number": "A1"}',
                'Thought:\nAction: track\nAction Input: {"number": "A1"}',
            ],
        },
        (USER, CALLED),
        CALLS,
        "RoTBench: the first of the right actions that the tools allow",
    ),
]


@pytest.mark.parametrize(("name", "raw", "messages", "expected", "why"), PUBLISHED)
def test_rows_of_other_publications(
    name: str, raw: dict[str, Any], messages: tuple[Any, ...], expected: Expected, why: str
) -> None:
    row = read_row(raw, "file")
    assert (row.messages, row.expected) == (messages, expected), why
    assert read_rows(raw, "file", name) == [row], "the shape may be named"
    assert read_rows({"id": "irrelevance_w", "source": "s", "tags": [], "raw": raw}, "file") == [
        replace(row, id="irrelevance_w", source="s")
    ], "the row may be wrapped"
    assert read_row(row.to_json(), "") == row, "a canonical row is read as itself"


def test_every_answer_of_a_conversation_is_a_row() -> None:
    turns = [
        {"from": "human", "value": "Where is A1?"},
        {"from": "gpt", "value": "Let me see."},
        {"from": "function_call", "value": json.dumps({"name": "track", "arguments": {"number": "A1"}})},
        {"from": "observation", "value": "Lyon"},
        {"from": "gpt", "value": "It is in Lyon."},
        {"from": "human", "value": "Thanks"},
    ]
    called, told = read_rows({"id": "c", "conversations": turns, "tools": json.dumps([TOOL])}, "f")
    says_and_calls = {**CALLED, "content": "Let me see."}
    assert (called.id, told.id) == ("c-1", "c-2")
    assert called.messages == (USER, says_and_calls)
    assert told.messages == (
        USER,
        says_and_calls,
        {"role": "tool", "content": "Lyon"},
        {"role": "assistant", "content": "It is in Lyon."},
    )
    nameless = read_rows({"conversations": turns, "tools": [TOOL]}, "f")
    assert len({row.id for row in nameless}) == 2


def test_every_turn_of_a_dialog_is_a_row() -> None:
    dialog = {
        "tools": [TOOL],
        "turns": [
            {"query": [USER], "ground_truth": ASKS, "type_of_output": "slot"},
            {"query": [USER, ASKS, USER], "ground_truth": CALLED, "type_of_output": "call"},
        ],
    }
    asks, call = read_rows(dialog, "f")
    assert (asks.expected.decision, call.expected) == ("request_for_info", CALLS)
    assert call.messages == (USER, ASKS, USER)


def test_what_both_conversations_share_is_the_prompt() -> None:
    row = read_row({"tools": [TOOL], "chosen": [BRIEF, USER, CALLED], "rejected": [BRIEF, USER, ASKS]}, "f")
    assert (row.messages, row.chosen, row.rejected) == ((BRIEF, USER), (CALLED,), (ASKS,))


def test_a_rejected_answer_may_be_as_wrong_as_it_likes() -> None:
    invented = [{"name": "trace", "arguments": {"speed": "fast"}}]
    row = read_row(
        {
            "tools": [TOOL],
            "messages": [USER],
            "chosen_response": CALLED,
            "rejected_response": f"<TOOLCALL>{json.dumps(invented)}</TOOLCALL>",
        },
        "f",
    )
    assert row.rejected is not None
    assert row.rejected[0]["tool_calls"][0]["function"]["name"] == "trace"


def test_gold_calls_are_written_as_their_tool_declares_them() -> None:
    tool = {
        "name": "set",
        "parameters": {"level": {"type": "int", "required": True}, "mode": {"enum": ["Eco"]}},
    }
    call = {"name": "set", "arguments": {"level": "5", "mode": "eco"}}
    written = {"name": "set", "arguments": '{"level": 5, "mode": "Eco"}'}
    answer = {"role": "assistant", "content": f"<TOOLCALL>{json.dumps([call])}</TOOLCALL>"}
    row = read_row({"tools": [tool], "messages": [USER, answer]}, "f")
    assert row.expected.calls == (written,)
    assert row.messages[-1]["tool_calls"][0]["function"] == written


@pytest.mark.parametrize("name", SHAPE_NAMES)
def test_a_row_that_is_not_of_the_named_shape_says_what_it_lacks(name: str) -> None:
    with pytest.raises(RowError, match=f"is not of the shape {name}") as caught:
        read_rows({"text": "Hi"}, "f", name)
    assert caught.value.mend.startswith("give ")


def test_every_shape_is_tried_here() -> None:
    tried = {name for name, *_ in PUBLISHED}
    older = {
        "canonical",
        "when2call_preference",
        "preference",
        "openai_preference",
        "multiple_choice",
        "labelled",
    }
    assert tried | older | {"sharegpt", "functionchat_dialog"} == set(SHAPE_NAMES)
    assert set(NO_ROWS) == {"raw_output", "ground_truth"}


PUBLISHED_ROWS = st.sampled_from([raw for _, raw, *_ in PUBLISHED])


@given(PUBLISHED_ROWS, st.data())
def test_a_published_row_with_anything_in_a_field_is_rows_or_a_named_rejection(
    raw: dict[str, Any], data: st.DataObject
) -> None:
    field = data.draw(st.sampled_from(sorted(raw)))
    try:
        rows = read_rows({**raw, field: data.draw(JSON)}, "f")
    except RowError as error:
        assert error.field
        assert error.mend
    else:
        assert rows
        for row in rows:
            assert read_row(json.loads(write_json(row.to_json())), "") == row


HOSTILE: list[tuple[dict[str, Any], str]] = [
    (
        {"scenario": "TG", "query": "Hi", "answer": ["Action:" * 300_000]},
        "an action that never comes to its input",
    ),
    (chat(USER, ASKS, tools=[{"name": "f", "parameters": {"a": {"type": "List[" * 400_000}}}]), "brackets"),
    (
        chat(
            USER,
            {"role": "assistant", "tool_calls": [{"id": str(n), "function": CALL} for n in range(20_000)]},
            *({"role": "tool", "tool_call_id": str(n), "content": "x"} for n in range(20_000, 0, -1)),
            ASKS,
        ),
        "results of many calls",
    ),
    (chat({"role": "user", "content": "<|" * 1_000_000}, ASKS), "markers that never end"),
    (chat(USER, {"role": "assistant", "content": "<TOOLCALL>" * 200_000}), "calls that never come"),
    (chat(USER, ASKS, tools="[" * 1_000_000), "brackets that never close"),
]


@pytest.mark.parametrize(("raw", "why"), HOSTILE, ids=[why for _, why in HOSTILE])
def test_hostile_rows_take_no_longer_than_their_length(raw: dict[str, Any], why: str) -> None:
    started = time.process_time()
    with contextlib.suppress(RowError):
        read_rows(raw, "f")
    assert time.process_time() - started < 3, why
