"""What the row browser is given: every shape of row, and nothing that a reader cannot see."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.comparison import compare
from evaluation.jsonl import write_jsonl
from evaluation.report.changes import changes_of
from evaluation.report.results import Results
from evaluation.report.rows import DIRECTIONS, Direction, rows_link, rows_of
from evaluation.report.visible import make_visible
from evaluation.suites import SUITES
from evaluation.toolcalls import score_suite
from tests.unit.evaluation.hostile_run import HOSTILE, SHOWN, hostile_rows
from tests.unit.evaluation.rows import ANSWERS, call_row, choice_row, text_row

ANY_TEXT = st.text(st.characters(codec=None), max_size=200)


@given(ANY_TEXT)
def test_visible_text_is_seen_and_encoded(text: str) -> None:
    shown = make_visible(text)
    shown.encode("utf-8")
    # Unassigned and private characters have a glyph of their own in every font; the joiners carry spelling.
    unseen = {sign for sign in shown if unicodedata.category(sign) in ("Cc", "Cf", "Cs", "Zl", "Zp")}
    assert {sign for sign in unseen if ord(sign) not in JOINERS_AND_SIGNS} <= {"\t", "\n"}


# Joiners, and the signs of Arabic, Syriac, Egyptian and others that Unicode files under Cf and fonts draw.
JOINERS_AND_SIGNS = {
    0x200C,
    0x200D,
    *range(0x600, 0x606),
    0x6DD,
    0x70F,
    *range(0x890, 0x892),
    0x8E2,
    0x110BD,
    0x110CD,
    *range(0x13430, 0x13460),
    *range(0x1BCA0, 0x1BCA4),
    *range(0x1D173, 0x1D17B),
}


@given(ANY_TEXT)
def test_making_visible_again_changes_nothing(text: str) -> None:
    assert make_visible(make_visible(text)) == make_visible(text)


@given(
    st.text(
        st.characters(categories=["L", "N", "P", "S", "Zs"], exclude_characters="\u115f\u1160\u3164\uffa0")
    )
)
def test_what_can_be_seen_stays(text: str) -> None:
    assert make_visible(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\r\nb\tc", "a\nb\tc"),
        ("a\rb", "a⟦U+000D⟧b"),
        ("\u202eevil", "⟦U+202E⟧evil"),
        ("\u2067x\u2069", "⟦U+2067⟧x⟦U+2069⟧"),
        ("\x1b[2J", "⟦U+001B⟧[2J"),
        ("a\u200bb", "a⟦U+200B⟧b"),
        ("\U000e0041", "⟦U+E0041⟧"),
        ("\udcff", "⟦U+DCFF⟧"),
        ("می‌خواهم", "می‌خواهم"),
        ("👩‍🔧", "👩‍🔧"),
        ("שלום", "שלום"),
    ],
    ids=[
        "line ends of Windows",
        "a lone return overwrites a line",
        "an override turns the text around",
        "isolates too",
        "a terminal's sequence",
        "a space of no width",
        "a tag carries a hidden prompt",
        "half a character",
        "Persian needs its joiner",
        "so do signs of several parts",
        "right to left by itself is no attack",
    ],
)
def test_visible(text: str, shown: str) -> None:
    assert make_visible(text) == shown


def browse(
    folder: Path, suite: str, row: dict[str, Any], written: dict[str, Any] | None = None
) -> dict[str, Any]:
    """The one row of a run, as the browser is given it."""
    prediction = {"id": row["id"], "format": "hermes", **(written or {"completion": "No."})}
    write_jsonl(folder / "data" / "suites" / f"{suite}.jsonl", [row])
    write_jsonl(folder / "scores" / "base" / f"{suite}.jsonl", score_suite([row], [prediction]).records())
    text = str(prediction.get("completion") or json.dumps(prediction.get("choices")))
    completions = {suite: {"base": {row["id"]: text}}}
    data = rows_of(Results(compare(None, folder / "data", folder / "scores"), completions))
    (found,) = data["rows"]
    return {**found, "tools": data["tool_lists"][found["tools"]]}


def test_a_row_with_a_call(tmp_path: Path) -> None:
    row = browse(tmp_path, "own", {**call_row(("get_weather", {"city": "Paris"})), "source": "mine"})
    assert row["messages"] == [{"role": "user", "text": "How is the weather in Paris?", "calls": []}]
    assert row["gold"] == [{"label": "calls", "text": 'get_weather({"city": "Paris"})'}]
    assert [tool["name"] for tool in row["tools"]] == ["get_weather", "set_timer"]
    assert json.loads(row["tools"][1]["parameters"])["required"] == ["minutes"]
    named = ("suite", "id", "source", "language", "decision", "offered", "overlaps")
    assert [row[name] for name in named] == ["own", "r1", "mine", "en", "tool_call", "2–4 tools", False]
    assert row["results"]["base"] == {
        "outcome": "wrong",
        "reason": "missing_call",
        "decision": "direct",
        "value": "0",
        "parts": "decision 0",
        "text": "No.",
    }


MESSAGES: dict[str, tuple[Any, dict[str, Any]]] = {
    "OpenAI's calls": (
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"function": {"name": "f", "arguments": '{"a": 1}'}}],
        },
        {"role": "assistant", "text": "", "calls": ['f({"a": 1})']},
    ),
    "bare calls": (
        {"role": "assistant", "content": "", "tool_calls": [{"name": "f", "arguments": {"a": 1}}]},
        {"role": "assistant", "text": "", "calls": ['f({"a": 1})']},
    ),
    "a call without a name": (
        {"role": "assistant", "tool_calls": [{"function": {"arguments": "{}"}}]},
        {"role": "assistant", "text": "", "calls": ['{"function": {"arguments": "{}"}}']},
    ),
    "calls that are no list": (
        {"role": "assistant", "tool_calls": {"name": "f", "arguments": "{}"}},
        {"role": "assistant", "text": "", "calls": ["f({})"]},
    ),
    "a tool's answer": (
        {"role": "tool", "name": "f", "content": "22 °C"},
        {"role": "tool (f)", "text": "22 °C", "calls": []},
    ),
    "content in parts": (
        {"role": "user", "content": [{"type": "text", "text": "é"}]},
        {"role": "user", "text": '[{"type": "text", "text": "é"}]', "calls": []},
    ),
    "no message at all": ([1, None], {"role": "unknown", "text": "[1, null]", "calls": []}),
    "nothing in it": ({}, {"role": "unknown", "text": "", "calls": []}),
}


@pytest.mark.parametrize("shape", MESSAGES)
def test_messages_of_every_shape_are_readable(tmp_path: Path, shape: str) -> None:
    given_message, shown = MESSAGES[shape]
    row = text_row("request_for_info")
    row["messages"] = [given_message]
    assert browse(tmp_path, "own", row)["messages"] == [shown]


TOOLS: dict[str, tuple[str, list[dict[str, str]]]] = {
    "none": ("[]", []),
    "no JSON": ("{", [{"name": "not JSON", "description": "{", "parameters": ""}]),
    "no list": ('{"name": "f"}', [{"name": "f", "description": "", "parameters": ""}]),
    "no object": ("[7]", [{"name": "no tool", "description": "7", "parameters": ""}]),
    "wrapped": (
        '[{"type": "function", "function": {"name": "f"}}]',
        [
            {
                "name": "",
                "description": "",
                "parameters": '{\n "type": "function",\n "function": {\n  "name": "f"\n }\n}',
            }
        ],
    ),
}


@pytest.mark.parametrize("shape", TOOLS)
def test_tools_of_every_shape_are_shown(tmp_path: Path, shape: str) -> None:
    text, shown = TOOLS[shape]
    assert browse(tmp_path, "own", {**text_row("request_for_info"), "tools": text})["tools"] == shown


ALLOWED = {
    "BFCL's": ('[{"f": {"a": ["x", "y"], "b": [1, null]}}]', 'f\n  a: "x" or "y"\n  b: 1 or null'),
    "two calls": ('[{"f": {}}, {"g": {"a": [[]]}}]', "f\ng\n  a: []"),
    "another shape": ('{"f": 1}', '{\n "f": 1\n}'),
    "no JSON": ("whatever", "whatever"),
}


@pytest.mark.parametrize("shape", ALLOWED)
def test_accepted_values_are_a_line_each(tmp_path: Path, shape: str) -> None:
    allowed, shown = ALLOWED[shape]
    row = {
        **call_row(("f", {}), row_id="a"),
        "expected": {"decision": "tool_call", "calls": [], "allowed": allowed},
    }
    assert browse(tmp_path, "own", row)["gold"] == [{"label": "accepted values", "text": shown}]


def test_a_multiple_choice_shows_the_likeliest_answer_a_character_first(tmp_path: Path) -> None:
    choices = {
        "tool_call": {"logprob": -30.0, "tokens": 9, "characters": 100},
        "direct": {"logprob": -20.0, "tokens": 9, "characters": 10},
    }
    row = browse(tmp_path, "when2call_mcq", choice_row("tool_call"), {"choices": choices})
    assert row["results"]["base"]["text"].splitlines() == [
        "tool_call: -0.300 nats a character (-30.0 over 100)",
        "direct: -2.000 nats a character (-20.0 over 10)",
    ]
    labels = [one["label"] for one in row["gold"]]
    assert labels == [
        "calls",
        "answer direct",
        "answer tool_call (right)",
        *(f"answer {n}" for n in list(ANSWERS)[2:]),
    ]


BAD_CHOICES = {
    "none": "{}",
    "a list": "[]",
    "no JSON": "nothing",
    "no object": '{"a": 1}',
    "no number": '{"a": {"logprob": "x", "characters": 1}}',
    "no characters": '{"a": {"logprob": 1}}',
    "infinitely many": '{"a": {"logprob": 1, "characters": 1e999}}',
}


@pytest.mark.parametrize("text", BAD_CHOICES.values(), ids=BAD_CHOICES.keys())
def test_a_prediction_of_another_shape_is_shown_as_it_stands(tmp_path: Path, text: str) -> None:
    row = choice_row("tool_call")
    browse(tmp_path, "when2call_mcq", row)
    comparison = compare(None, tmp_path / "data", tmp_path / "scores")
    data = rows_of(Results(comparison, {"when2call_mcq": {"base": {row["id"]: text}}}))
    assert data["rows"][0]["results"]["base"]["text"] == ("" if text == "{}" else text)


def test_the_main_metric_says_what_is_right(tmp_path: Path) -> None:
    """A call with a wrong value is the right decision, which is what When2Call's questions count."""
    row = {**choice_row("tool_call"), "expected": call_row(("get_weather", {"city": "Rome"}))["expected"]}
    said = {"completion": '<tool_call>\n{"name": "get_weather", "arguments": {"city": "Oslo"}}\n</tool_call>'}
    assert SUITES["when2call_generate"].main_metric == "decision_accuracy"
    found = browse(tmp_path / "generate", "when2call_generate", row, said)["results"]["base"]
    assert (found["outcome"], found["reason"]) == ("right", "wrong_value")
    assert browse(tmp_path / "own", "own", row, said)["results"]["base"]["outcome"] == "wrong"


def test_a_row_without_score_or_completion_is_there(tmp_path: Path) -> None:
    row = text_row("request_for_info")
    write_jsonl(tmp_path / "data" / "suites" / "own.jsonl", [row])
    (tmp_path / "scores" / "base").mkdir(parents=True)
    data = rows_of(Results(compare(None, tmp_path / "data", tmp_path / "scores"), {}))
    found = data["rows"][0]["results"]["base"]
    assert (found["outcome"], found["value"]) == ("unscored", "")
    assert found["text"] is None, "nothing is known of what was written, which is not nothing written"
    assert found["reason"] == "no score has this id"


STAGES = {"sft": "base", "sft-dpo": "sft"}


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_what_a_stage_may_do_is_offered_and_linked(tmp_path: Path, direction: Direction) -> None:
    row = text_row("request_for_info")
    write_jsonl(tmp_path / "data" / "suites" / "own.jsonl", [row])
    for variant in ("base", *STAGES):
        scored = score_suite([row], [{"id": row["id"], "completion": "No.", "format": "hermes"}])
        write_jsonl(tmp_path / "scores" / variant / "own.jsonl", scored.records())
    comparison = compare(None, tmp_path / "data", tmp_path / "scores")
    before, after = DIRECTIONS[direction]
    offered = [one for one in rows_of(Results(comparison, {}))["stages"] if one["name"].endswith(direction)]
    assert offered == [
        {
            "name": f"{a} over {b}: {direction}",
            "before": {"variant": b, "outcome": before},
            "after": {"variant": a, "outcome": after},
        }
        for a, b in STAGES.items()
    ]
    change = changes_of(comparison)[0]
    wrong = {"mended": "base", "broken": "sft"}[direction]
    assert dict(parse_qsl(rows_link(change, direction, "wrong_tool")[1:])) == {
        "suite": "own",
        "changed": f"sft over base: {direction}",
        "variant": wrong,
        "reason": "wrong_tool",
    }


@pytest.mark.parametrize(
    ("contaminated", "row", "expected"),
    [
        ({"r1"}, {}, True),
        ({"talk"}, {"conversation": "talk"}, True),
        ({"r2"}, {"conversation": "other"}, False),
        ({""}, {}, False),
    ],
    ids=["by its id", "by its conversation", "another row", "an id that is empty is none"],
)
def test_overlap(tmp_path: Path, contaminated: set[str], row: dict[str, Any], expected: bool) -> None:
    write_jsonl(tmp_path / "data" / "suites" / "own.jsonl", [{**text_row("cannot_answer"), **row}])
    (tmp_path / "scores" / "base").mkdir(parents=True)
    comparison = compare(None, tmp_path / "data", tmp_path / "scores")
    data = rows_of(Results(comparison, {}, contaminated=frozenset(contaminated)))
    assert data["rows"][0]["overlaps"] is expected


def test_equal_tool_lists_are_kept_once(tmp_path: Path) -> None:
    rows = [
        text_row("cannot_answer", "a"),
        text_row("cannot_answer", "b"),
        {**text_row("direct", "c"), "tools": "[]"},
    ]
    write_jsonl(tmp_path / "data" / "suites" / "own.jsonl", rows)
    (tmp_path / "scores" / "base").mkdir(parents=True)
    data = rows_of(Results(compare(None, tmp_path / "data", tmp_path / "scores"), {}))
    assert [row["tools"] for row in data["rows"]] == [0, 0, 1]
    assert len(data["tool_lists"]) == 2


def test_hostile_texts_are_visible_in_every_field(tmp_path: Path) -> None:
    row = browse(tmp_path, "own", hostile_rows()[0], {"completion": HOSTILE})
    texts = json.dumps(row, ensure_ascii=False)
    assert texts.count("⟦U+D800⟧") >= 10
    assert row["id"] == row["source"] == row["messages"][0]["role"] == row["messages"][3]["text"] == SHOWN
    assert row["results"]["base"]["text"] == row["tools"][0]["name"] == SHOWN


def test_a_deeply_nested_value_is_no_error(tmp_path: Path) -> None:
    deep: Any = "end"
    for _ in range(600):
        deep = [deep]
    row = text_row("cannot_answer")
    row["messages"] = [{"role": "user", "content": deep}]
    row["tools"] = json.dumps([{"name": "f", "parameters": deep}])
    shown = browse(tmp_path, "own", row)
    assert shown["messages"][0]["text"]
    assert shown["tools"][0]["parameters"]
