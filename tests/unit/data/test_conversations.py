"""Conversations: each assistant turn once, behind the history that was, and only where it can be graded."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.conversations import (
    AFTER_ASSISTANT,
    MOST_TURNS,
    NO_USER,
    TOO_LONG,
    Conversations,
    add_turns,
    turns_of,
)
from data.overlap import find_overlap
from data.prepare import prepare
from data.request import read_request
from data.rows import Expected, Row, write_json
from data.sampling import choose_conversations
from data.store import Place, RowStore
from jobs.doors import BadInput
from tests.unit.data.test_prepare import report_of, rows_of
from tests.unit.data.test_shapes import ASKS, CALL, CALLED, TOOL, USER, chat

pytestmark = pytest.mark.usefixtures("outside_of_any_job")

WriteLines = Callable[[str, Sequence[Any]], Path]
TOOLS = write_json([{**TOOL, "parameters": {**TOOL["parameters"], "type": "object"}}])  # type: ignore[dict-item]
RESULT = {"role": "tool", "content": '{"place": "Lyon"}'}
SAYS = {"role": "assistant", "content": "It is in Lyon."}
NEXT = {"role": "user", "content": "And where is the other parcel, B2?"}
SYSTEM = {"role": "system", "content": "Be brief."}
GOLD = Expected("cannot_answer", text="I cannot say.")


def called(arguments: str, name: str = "track") -> dict[str, Any]:
    function = {"name": name, "arguments": arguments}
    return {"role": "assistant", "content": "", "tool_calls": [{"type": "function", "function": function}]}


def conversation(*messages: dict[str, Any], expected: Expected = GOLD, identity: str = "c") -> Row:
    return Row(identity, "mine", TOOLS, messages, expected)


CASES: list[tuple[list[dict[str, Any]], list[tuple[int, str]], list[str], str]] = [
    ([USER], [], [], "one answer is no conversation"),
    ([USER, ASKS, NEXT], [(1, "request_for_info"), (2, "cannot_answer")], [], "a question back"),
    (
        [SYSTEM, USER, SAYS, NEXT],
        [(1, "direct"), (2, "cannot_answer")],
        [],
        "an answer behind a system message",
    ),
    (
        [USER, CALLED, RESULT, SAYS, NEXT],
        [(1, "tool_call"), (2, "direct"), (3, "cannot_answer")],
        [],
        "a call, what is said of its result, and the answer that is expected",
    ),
    ([SAYS, USER, ASKS, NEXT], [(2, "request_for_info"), (3, "cannot_answer")], [NO_USER], "a greeting"),
    (
        [USER, ASKS, SAYS, NEXT],
        [(1, "request_for_info"), (3, "cannot_answer")],
        [AFTER_ASSISTANT],
        "said twice",
    ),
    (
        [USER, called("{}"), RESULT, SAYS, NEXT],
        [(2, "direct"), (3, "cannot_answer")],
        ["lacks a required argument"],
        "a call that does not fit its tool is no gold",
    ),
    (
        [USER, called("{}", "guess"), RESULT, NEXT],
        [],
        ["calls a tool that is not offered"],
        "only one turn is left that can be graded",
    ),
]


@pytest.mark.parametrize(("messages", "graded", "left_out", "why"), CASES, ids=[case[-1] for case in CASES])
def test_turns_that_can_be_graded(
    messages: list[dict[str, Any]], graded: list[tuple[int, str]], left_out: list[str], why: str
) -> None:
    found = turns_of(conversation(*messages))
    assert [(row.id, row.expected.decision) for row in found.rows] == [(f"c#{k}", name) for k, name in graded]
    assert sorted(found.left_out) == sorted(left_out)
    assert all(row.conversation == "c" and row.answers is None for row in found.rows)


def test_gold_calls_of_earlier_turns_are_written_as_their_tool_declares_them() -> None:
    first, *_ = turns_of(conversation(USER, called('{"number": 7}'), RESULT, SAYS, NEXT)).rows
    assert first.expected == Expected("tool_call", ({"name": "track", "arguments": '{"number": "7"}'},))
    assert first.expected.fits_tools
    row = conversation(USER, CALLED, RESULT, expected=Expected("tool_call", (CALL,), ordered=True))
    assert turns_of(row).rows[-1].expected == row.expected, (
        "the last is what the row expects, in all its terms"
    )


ASSISTANT: st.SearchStrategy[dict[str, Any]] = st.sampled_from([ASKS, SAYS, CALLED])
USERS = st.lists(st.sampled_from([USER, NEXT]), min_size=1, max_size=2)


@st.composite
def conversations(draw: st.DrawFn) -> Row:
    """Conversations of users, assistants and tools in any order that a row may have."""
    messages: list[dict[str, Any]] = [SYSTEM] if draw(st.booleans()) else []
    messages.extend(draw(USERS))
    for _ in range(draw(st.integers(0, 6))):
        said = draw(ASSISTANT)
        messages.append(said)
        messages.extend([RESULT] if said is CALLED else draw(USERS))
    return conversation(*messages)


@settings(max_examples=100, deadline=None)
@given(conversations())
def test_each_assistant_turn_comes_once_behind_the_whole_history(row: Row) -> None:
    places = [at for at, message in enumerate(row.messages) if message["role"] == "assistant"]
    found = turns_of(row)
    if not places:
        assert found.rows == ()
        return
    assert [len(turn.messages) for turn in found.rows] == [*places, len(row.messages)]
    for number, turn in enumerate(found.rows, start=1):
        assert turn.id == f"c#{number}"
        assert turn.messages == row.messages[: len(turn.messages)]
        if number <= len(places):
            said = row.messages[len(turn.messages)]
            assert turn.expected.calls == tuple(call["function"] for call in said.get("tool_calls", ()))
            assert turn.expected.text == (said["content"] or None)
    assert found.rows[-1].expected == row.expected


def test_endless_conversations_are_left_out() -> None:
    row = conversation(*([USER, ASKS] * MOST_TURNS), NEXT)
    assert turns_of(row).rows == ()
    assert turns_of(row).left_out == {TOO_LONG: MOST_TURNS + 1}
    told = Conversations()
    told.count(turns_of(row))
    assert (told.conversations, told.too_short, told.too_long) == (0, 0, 1)


def stored(folder: Path, *rows: Row) -> tuple[RowStore, list[Row], dict[str, Any]]:
    store = RowStore(folder)
    for number, row in enumerate(rows, start=1):
        store.add(row, Place("test.jsonl", number))
    told = add_turns(store).to_json()
    return store, [store.row(one) for one in store.entries("test") if one.conversation is not None], told


def test_the_beginning_of_a_conversation_is_graded_once_by_its_own_gold(tmp_path: Path) -> None:
    # As published: the same dialogue at two of its turns, the gold of the first labelled by hand.
    short = conversation(USER, ASKS, NEXT, expected=Expected("direct", text="Fine."), identity="short")
    long = conversation(USER, ASKS, NEXT, CALLED, RESULT, identity="long")
    store, turns, told = stored(tmp_path, short, long)
    with store:
        assert [(turn.id, turn.expected.decision) for turn in turns] == [
            ("long#1", "request_for_info"),
            ("long#2", "direct"),
            ("long#3", "cannot_answer"),
        ]
        assert (told["conversations"], told["turns"], told["beginnings"]) == (1, 3, 1)


def test_other_tools_make_another_conversation(tmp_path: Path) -> None:
    short = Row("short", "mine", "[]", (USER, ASKS, NEXT), GOLD)
    long = conversation(USER, ASKS, NEXT, SAYS, USER, identity="long")
    store, turns, _ = stored(tmp_path, short, long)
    with store:
        assert {turn.conversation for turn in turns} == {"short", "long"}


def test_an_opening_is_anybodys_and_the_conversation_is_not(tmp_path: Path) -> None:
    """Of the turns, only the whole conversation is held against training rows, and it may be allowed."""
    opening = {"role": "user", "content": "I want to watch a movie."}
    row = conversation(opening, ASKS, NEXT)
    trained = [Row("t", "s", "[]", (opening, SAYS), Expected("direct", text="It is in Lyon."))]
    store, _, _ = stored(tmp_path, row)
    with store:
        for one in trained:
            store.add(one, Place("train.jsonl", 1))
        assert not find_overlap(store, tmp_path / "overlap.jsonl", "refuse", (), lambda _: None).kinds


@pytest.mark.parametrize("allowed", [[], ["c"]], ids=["refused", "allowed"])
def test_turns_that_came_as_rows_are_compared_too(allowed: list[str], tmp_path: Path) -> None:
    turns = turns_of(conversation(USER, ASKS, NEXT)).rows
    trained = Row("t", "s", "[]", (USER, ASKS, NEXT, SAYS), Expected("direct", text="It is in Lyon."))
    with RowStore(tmp_path) as store:
        for number, one in enumerate((*turns, trained), start=1):
            store.add(one, Place("rows.jsonl", number))
        overlap = find_overlap(store, tmp_path / "overlap.jsonl", "refuse", allowed, lambda _: None)
    assert (list(overlap.kinds.values()), sorted(overlap.allowed_ids)) == (
        ([], ["c"]) if allowed else (["exact"], [])
    )


@pytest.mark.parametrize(
    ("cap", "sizes", "taken"),
    [
        (0, {"a": 3, "b": 2}, 5),
        (5, {"a": 3, "b": 2}, 5),
        (4, {"a": 3, "b": 3}, 3),
        (1, {"a": 3, "b": 3}, 1),
        (7, {}, 0),
    ],
)
def test_caps_take_whole_conversations(cap: int, sizes: dict[str, int], taken: int) -> None:
    chosen = choose_conversations(sizes, cap)
    assert sum(chosen.values()) == taken
    assert cap in (0, 1) or all(chosen[name] == sizes[name] for name in chosen)
    assert chosen == choose_conversations(dict(reversed(sizes.items())), cap), "blind to order"


def rows() -> list[dict[str, Any]]:
    """Test rows of which four are conversations, in the shapes that these come in."""
    words = ["first", "second", "third", "fourth"]
    asked = [{"role": "user", "content": f"Where is the {word} parcel?"} for word in words]
    return [
        chat(asked[0], ASKS, NEXT, CALLED, id="trained"),
        {
            "id": "labelled",
            "label": "call",
            "tools": [TOOL],
            "messages": [asked[1], ASKS, NEXT],
            "gold_calls": [CALL],
        },
        chat(asked[2], CALLED, RESULT, SAYS, NEXT, ASKS, id="results"),
        chat(asked[3], called("{}"), RESULT, SAYS, id="broken"),
        chat({"role": "user", "content": "Hello there!"}, SAYS, id="single"),
    ]


def run(out: Path, source: Path, *more: str) -> list[dict[str, Any]]:
    prepare(read_request([str(source), "--suites", "multi_turn,own", "--out", str(out), *more]))
    return rows_of(out / "suites/multi_turn.jsonl")


def test_a_lone_file_of_conversations_becomes_turns(write_lines: WriteLines, tmp_path: Path) -> None:
    made = run(tmp_path / "out", write_lines("chats.jsonl", rows()))
    assert [row["id"] for row in made] == [
        "trained#1",
        "trained#2",
        "labelled#1",
        "labelled#2",
        *(f"results#{k}" for k in (1, 2, 3)),
    ]
    report = report_of(tmp_path / "out")
    assert report["conversations"] == {
        "conversations": 3,
        "turns": 7,
        "beginnings": 0,
        "too_short": 1,
        "too_long": 0,
        "left_out": {"lacks a required argument": 1},
    }
    assert report["splits"]["multi_turn"]["rows"] == 7
    assert report["splits"]["own"]["rows"] == report["rows"]["kept"]["test"] == 5, "turns are no rows read"
    assert not any("conversation" in row for row in rows_of(tmp_path / "out/suites/own.jsonl"))


@pytest.mark.parametrize("more", [[], ["--test-rows", "4"], ["--test-rows", "1"]], ids=["all", "some", "one"])
def test_what_was_prepared_gives_the_same_turns_again(
    more: list[str], write_lines: WriteLines, tmp_path: Path
) -> None:
    first = run(tmp_path / "a", write_lines("chats.jsonl", rows()), *more)
    assert len(first) == {(): 7, ("4",): 4, ("1",): 1}[tuple(more[1:])]
    again = run(tmp_path / "b", tmp_path / "a", *more)
    assert first == again
    for name in ("own", "multi_turn"):
        pair = [(tmp_path / out / f"suites/{name}.jsonl").read_bytes() for out in "ab"]
        assert pair[0] == pair[1]


def test_turns_alone_can_be_prepared_again(write_lines: WriteLines, tmp_path: Path) -> None:
    first = run(tmp_path / "a", write_lines("chats.jsonl", rows()))
    (tmp_path / "a/suites/own.jsonl").unlink()
    arguments = [str(tmp_path / "a"), "--suites", "multi_turn", "--out", str(tmp_path / "b")]
    prepare(read_request(arguments))
    assert rows_of(tmp_path / "b/suites/multi_turn.jsonl") == first
    with pytest.raises(BadInput, match="no row for own, which takes every test row"):
        prepare(read_request([*arguments[:2], "own,multi_turn", "--out", str(tmp_path / "c")]))


def test_real_conversations(shared_data: Path, tmp_path: Path) -> None:
    """Real rows: both shapes of history, and dialogues that are tested at several turns."""
    made = run(tmp_path, shared_data / "calls_test.jsonl")
    told = report_of(tmp_path)["conversations"]
    assert len(made) == told["turns"] == 628
    assert (told["conversations"], told["beginnings"]) == (181, 21)
    prompts = [json.dumps([row["tools"], row["messages"]]) for row in made]
    assert len(set(prompts)) / len(prompts) > 0.9, "few dialogues are graded twice at one turn"
