"""The report: what a split's profile counts, in bounded memory, and what the warnings make of it."""

import doctest
import importlib
import json
from typing import Any

import pytest

from data.report import profile as report
from data.report.languages import guess_language, script_of
from data.report.profile import BEYOND, Measure, SplitProfile, Tally
from data.report.warnings import list_warnings
from data.rows import Expected, Row

TOOLS = json.dumps([{"name": name, "description": "", "parameters": {}} for name in ("book", "cancel")])
DECISION_ANSWERS = {"request_for_info": "Which one?", "cannot_answer": "I cannot.", "direct": "Paris."}


def row(
    decision: Any = "tool_call", number: int = 0, asked: str = "Book a table for two.", **parts: Any
) -> Row:
    text = DECISION_ANSWERS.get(decision)
    calls = ({"name": "book", "arguments": "{}"},) if decision == "tool_call" else ()
    answer: dict[str, Any] = {"role": "assistant", "content": text or ""}
    if calls:
        answer["tool_calls"] = [{"type": "function", "function": dict(each)} for each in calls]
    messages = ({"role": "user", "content": asked}, answer)
    made = {"id": str(number), "source": "team", "tools": TOOLS, "messages": messages}
    return Row(**{**made, "expected": Expected(decision, calls, None, text), **parts})


def profile(*rows: Row, measure: Measure | None = None, max_length: int | None = None) -> dict[str, Any]:
    split = SplitProfile(measure, max_length)
    for each in rows:
        split.add(each)
    made = split.to_json()
    assert json.loads(json.dumps(made)) == made, "it must survive report.json"
    return made


def length_measure(*lengths: tuple[int, int]) -> Measure:
    return Measure("tokens", lambda each: lengths[int(each.id)])


def test_an_empty_split_has_a_profile() -> None:
    made = profile()
    assert made["rows"] == 0
    assert made["lengths"]["prompt"] == {}
    assert profile(measure=length_measure(), max_length=5)["too_long"] == {
        "max_length": 5,
        "rows": 0,
        "share": 0.0,
    }


BFCL = Expected("tool_call", allowed='[{"book": {"who": ["me"]}}, {"cancel": {}}]')
PAIR: dict[str, Any] = {
    "chosen": ({"role": "assistant", "content": "Which one?"},),
    "rejected": (row().messages[-1],),
}
COUNTS = [
    ("decisions", {"tool_call": 2, "request_for_info": 0, "cannot_answer": 0, "direct": 1}),
    ("sources", {"other": 1, "team": 2}),
    ("turns", {"1": 2, "2": 1}),
    ("tools", {"0": 1, "2": 2}),
    ("calls_a_row", {"0": 1, "1": 1, "2": 1}),
    ("scripts", {"han": 1, "latin": 2}),
    ("languages", {"en": 2, "zh": 1}),
]


@pytest.mark.parametrize(("key", "expected"), COUNTS, ids=[case[0] for case in COUNTS])
def test_a_profile_counts(key: str, expected: dict[str, int]) -> None:
    asked_in_chinese = row(asked="请帮我检索一下公司目前所有未解决的工单").messages
    rows = [
        row(asked="What will the weather be like in the city tomorrow?"),
        row("direct", source="other", tools="[]", asked="Who was the first president of the United States?"),
        row(messages=(*asked_in_chinese, {"role": "user", "content": "北京后天的天气如何"}), expected=BFCL),
    ]
    assert profile(*rows)[key] == expected


def test_pairs_are_counted_by_what_is_preferred_to_what() -> None:
    assert profile(row("request_for_info", **PAIR))["pairs"] == {"request_for_info over tool_call": 1}
    assert "pairs" not in profile(row())


LIMITS = [
    (None, None, "no recipe, no limit"),
    (10, {"max_length": 10, "rows": 2, "share": 0.5}, "a row as long as the limit is kept"),
    (99, {"max_length": 99, "rows": 0, "share": 0.0}, "all fit"),
]


@pytest.mark.parametrize(("limit", "expected", "why"), LIMITS, ids=[case[2] for case in LIMITS])
def test_rows_beyond_the_limit_are_counted(limit: int | None, expected: object, why: str) -> None:
    measure = length_measure((8, 2), (8, 3), (1, 1), (0, 12))
    rows = [row(number=number) for number in range(4)]
    assert profile(*rows, measure=measure, max_length=limit).get("too_long") == expected


def test_characters_are_never_held_against_a_limit_in_tokens() -> None:
    assert "too_long" not in profile(row(), max_length=1)


def test_lengths_are_exact_until_the_sample_is_full_and_then_a_seeded_sample(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(report, "MAX_MEASURED_ROWS", 200)
    measure = Measure("tokens", lambda each: (int(each.id), 0))
    whole = profile(*(row(number=number) for number in range(200)), measure=measure)
    assert whole["lengths"]["prompt"] == {"p50": 99, "p90": 179, "p99": 197, "max": 199}
    many = [row(number=number) for number in range(4000)]
    sampled = profile(*many, measure=measure, max_length=2000)
    assert sampled == profile(*many, measure=measure, max_length=2000)
    assert sampled["lengths"]["measured_rows"] == 200
    # Three standard errors of a share of one half: a sample of the first rows would be far off.
    assert sampled["lengths"]["prompt"]["p50"] == pytest.approx(2000, abs=4000 * 3 * 0.5 / 200**0.5)
    assert sampled["too_long"]["rows"] == pytest.approx(2000, abs=4000 * 3 * 0.5 / 200**0.5)


def test_only_rows_of_the_sample_are_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "MAX_MEASURED_ROWS", 10)
    measured: list[str] = []

    def measure_one(each: Row) -> tuple[int, int]:
        measured.append(each.id)
        return 1, 1

    measure = Measure("tokens", measure_one)
    profile(*(row(number=number) for number in range(3000)), measure=measure)
    assert 10 < len(measured) < 200


def test_a_tally_keeps_a_bounded_number_of_names() -> None:
    tally = Tally(limit=2)
    for value in ["b", "a", "c", "b", "d"]:
        tally.add(value)
    assert tally.to_json() == {"a": 1, "b": 2, BEYOND: 2}


def test_tools_never_called_are_those_offered_often() -> None:
    rare = row(tools=json.dumps([{"name": "rare"}, {"name": "book"}]))
    found = profile(*(row(number=number) for number in range(5)), rare)["tools_never_called"]
    assert (found["tools"], found["count"], found["first"]) == (2, 1, ["cancel"])
    assert "note" not in found


def test_millions_of_tool_names_are_cut_off_with_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Tally.__init__, "__defaults__", (3,))
    rows = [row(number=number, tools=json.dumps([{"name": f"t{number}"}])) for number in range(9)]
    assert "left out" in profile(*rows)["tools_never_called"]["note"]


SCRIPTS = [
    ("Wie warm ist es?", "latin"),
    ("북경 날씨 in Celsius?", "hangul"),
    ("東京の天気は?", "kana"),
    ("查询 GitHub 工单", "han"),
    ("Какая погода?", "cyrillic"),
    ("ما حالة الطقس", "arabic"),
    ("ＦＵＬＬ width", "latin"),
    ("12 + 30 = ?", "none"),
    ("Send the note to 王 please, and tell him that I will be late.", "latin"),
    ("", "none"),
]


@pytest.mark.parametrize(("text", "script"), SCRIPTS)
def test_the_script_is_read_off_the_letters(text: str, script: str) -> None:
    assert script_of(text) == script


LANGUAGES = [
    ("What will the weather be like in Paris tomorrow?", "en"),
    ("Quel temps fera-t-il demain à Paris ?", "fr"),
    ("请帮我检索一下公司目前所有未解决的工单", "zh"),
    ("내일 서울 날씨가 어때요?", "ko"),
    ("42", "unsure"),
]


@pytest.mark.parametrize(("text", "language"), LANGUAGES)
def test_languages_are_guessed_where_there_are_words_enough(text: str, language: str) -> None:
    assert guess_language(text) == language


@pytest.mark.parametrize("module", ["data.report.languages", "data.report.profile"])
def test_examples_hold(module: str) -> None:
    result = doctest.testmod(importlib.import_module(module))
    assert (result.failed, result.attempted > 0) == (0, True)


def rows_of(**decisions: int) -> list[Row]:
    return [row(decision, number) for decision, count in decisions.items() for number in range(count)]


BALANCED = {"tool_call": 40, "request_for_info": 30, "cannot_answer": 30}
GOOD = {"train_sft": rows_of(**BALANCED), "train_pref": rows_of(**BALANCED), "own": rows_of(**BALANCED)}
READ = {"read": 100, "duplicates": {"exact": 6, "normalised": 5, "by_purpose": {"sft": 11}}}
WARNED: list[tuple[dict[str, list[Row]], dict[str, Any], str]] = [
    ({"train_sft": []}, {}, "no SFT rows"),
    ({"train_pref": []}, {}, "no preference rows"),
    ({"train_sft": rows_of(request_for_info=5, cannot_answer=5)}, {}, "over-refusal"),
    ({"train_sft": rows_of(tool_call=81, request_for_info=19)}, {}, "81% of the SFT rows are tool_call"),
    ({"train_sft": rows_of(tool_call=5, cannot_answer=5)}, {}, "invent argument values"),
    ({"train_sft": rows_of(tool_call=5, request_for_info=5)}, {}, "call a tool that does not fit"),
    ({"train_sft": rows_of(**BALANCED, direct=5)}, {}, "calling for small talk goes unseen"),
    (
        {"own": rows_of(tool_call=8, request_for_info=8, cannot_answer=8)},
        {},
        "24 rows: an accuracy of 50% is then known to ±20",
    ),
    ({"own": rows_of(tool_call=60, cannot_answer=60)}, {}, "invented argument values go unseen"),
    (
        {"own": rows_of(request_for_info=60, cannot_answer=60)},
        {},
        "that the model calls at all is not measured",
    ),
    ({"own": rows_of(tool_call=60, request_for_info=60)}, {}, "calls where no tool fits go unseen"),
    ({}, {"rows": READ}, "11 of 100 rows read were duplicates"),
    ({}, {"rows": {"read": 100, "duplicates": {"sft": 9, "test": 2}}}, "11 of 100 rows read were duplicates"),
    ({}, {"rows": {"read": 9, "conflicts": 3}}, "3 SFT questions have gold answers that contradict"),
    ({}, {"overlap": {"allowed": 4}}, "4 test rows overlap"),
    ({}, {"overlap": {"dropped": 22}}, "22 training rows are left out"),
]


@pytest.mark.parametrize(("changed", "facts", "warning"), WARNED, ids=[case[2] for case in WARNED])
def test_a_warning_names_the_consequence(
    changed: dict[str, list[Row]], facts: dict[str, Any], warning: str
) -> None:
    splits = {name: profile(*rows) for name, rows in {**GOOD, **changed}.items()}
    assert any(warning in line for line in list_warnings(splits, **facts))


def test_tools_never_called_are_warned_of_by_name() -> None:
    (warning,) = list_warnings({name: profile(*rows) for name, rows in GOOD.items()})
    assert "1 of 2 tools that 5 or more SFT rows offer are never called (cancel)" in warning


DATED = {"type": "string", "format": "date", "pattern": "^2"}


def test_keywords_that_are_not_checked_are_counted_by_tool_and_warned_of() -> None:
    plain = {"name": "book", "parameters": {"properties": {"pattern": {"type": "string"}}}}
    dated = [{"name": name, "parameters": {"properties": {"on": DATED}}} for name in ("a", "b")]
    zoned = {"name": "c", "parameters": {"properties": {"at": {"type": "string", "format": "time"}}}}
    rows = [row(tools=json.dumps([plain, *dated])), row(tools=json.dumps([dated[0], zoned]))]
    made = profile(*rows)
    assert made["unchecked_keywords"] == {"format": 3, "pattern": 2}
    (warning,) = [line for line in list_warnings({"own": made}) if "not checked" in line]
    assert "tools of the own rows" in warning
    assert "format (3 tools), pattern (2 tools); a call that breaks them counts as valid" in warning


def test_tools_whose_keywords_are_all_checked_warn_of_nothing() -> None:
    made = profile(row(tools=json.dumps([{"name": "book", "parameters": {"properties": {"format": {}}}}])))
    assert made["unchecked_keywords"] == {}
    assert not [line for line in list_warnings({"own": made}) if "not checked" in line]


def test_rows_that_fit_warn_of_nothing() -> None:
    both = json.dumps([{"name": "book"}])
    splits = {
        name: profile(*(row(each.expected.decision, tools=both) for each in rows))
        for name, rows in GOOD.items()
    }
    ten_of_100 = {"read": 100, "duplicates": {"exact": 10, "normalised": 0}, "conflicts": 0}
    assert list_warnings(splits, rows=ten_of_100, overlap={"allowed": 0, "dropped": 0}) == []


def test_answers_that_would_be_left_out_are_counted_and_estimates_are_called_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    measure = Measure("tokens", lambda each: (700, 20))
    rows = rows_of(**BALANCED)
    splits = {**{name: profile(*rows) for name, rows in GOOD.items()}}
    splits["train_sft"] = profile(*rows, measure=measure, max_length=640)
    assert any(line.startswith("100 of 100 train_sft rows (100.0%) exceed") for line in list_warnings(splits))
    monkeypatch.setattr(report, "MAX_MEASURED_ROWS", 10)
    splits["train_sft"] = profile(*rows, measure=measure, max_length=640)
    assert any(line.startswith("about 100 of 100 train_sft rows") for line in list_warnings(splits))
