"""The shipped rows: what the data sheet says of them holds."""

import json
import random
import re
from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import Path
from statistics import mean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.readers import RowFile, read_line
from data.rows import Purpose
from data.shapes.decisions import infer_decision
from data.shapes.messages import read_answer
from examples.author import compose_preference, compose_sft
from examples.catalogue import Tool, placeholders
from examples.multiple_choice import compose_test
from lambdas.inputs import Defaults, parse_input
from tests.unit.data.conftest import REPOSITORY
from tests.unit.data.shipped_rows import (
    CATALOGUE,
    DECISIONS,
    EXAMPLES,
    call_in,
    chosen,
    copied_words,
    counts_of_the_data_sheet,
    decision,
    is_said,
    mask,
    names,
    offered,
    question,
    raw_rows,
    right_calls,
    seeks,
    training_rows,
    wording_of,
    written_for,
)

INPUTS = sorted(EXAMPLES.glob("tune-*.json"))
PURPOSES: Mapping[str, Purpose] = {"train_sft": "sft", "train_pref": "preference", "test": "test"}
TEXT_DECISIONS = {"ask": "request_for_info", "decline": "cannot_answer", "direct": "direct"}


@pytest.mark.parametrize("name", PURPOSES)
def test_the_author_reproduces_the_committed_rows(name: str) -> None:
    composed = {
        "train_sft": lambda: compose_sft(CATALOGUE),
        "train_pref": lambda: compose_preference(CATALOGUE),
        "test": compose_test,
    }[name]()
    lines = [json.dumps(row, ensure_ascii=False) for row in composed]
    committed = (EXAMPLES / "rows" / f"{name}.jsonl").read_text("utf-8")
    assert lines == committed.splitlines(), "run python -m examples.author"


def test_the_data_sheet_counts_the_rows_that_there_are() -> None:
    counted = {}
    for name in PURPOSES:
        found = Counter(map(decision, raw_rows(name)))
        counted[name] = {"rows": len(raw_rows(name)), **{one: found[one] for one in DECISIONS}}
    assert counts_of_the_data_sheet() == counted


@pytest.mark.parametrize("name", PURPOSES)
def test_the_reader_reads_every_row_as_what_it_says_it_is(name: str, examples: Path) -> None:
    file = RowFile(examples / f"{name}.jsonl", name, PURPOSES[name])
    read = [row for line in file.path.read_bytes().splitlines() for row in read_line(line, file)]
    stated = [(row.get("id") or row["uuid"], decision(row)) for row in raw_rows(name)]
    assert [(row.id, row.expected.decision) for row in read] == stated
    assert len({row.id for row in read}) == len(read)


def test_the_set_is_as_large_and_wide_as_it_has_to_be() -> None:
    assert len(raw_rows("train_sft")) >= 600
    assert len(raw_rows("train_pref")) >= 300
    assert len(raw_rows("test")) >= 300
    assert len(CATALOGUE.tools) >= 44
    assert len({tool.domain for tool in CATALOGUE.tools.values()}) == 10
    assert len({name for row in raw_rows("test") for name in names(row)}) >= 20
    assert {"search_clauses", "check_regulation", "search_case_law"} <= set(CATALOGUE.tools)


def test_every_tool_is_called_asked_about_and_withheld() -> None:
    sft = raw_rows("train_sft")
    called = {call_in(chosen(row))["name"] for row in sft if decision(row) == "tool_call"}
    said = {one: {written_for(row) for row in sft if decision(row) == one} for one in DECISIONS}
    tools = set(CATALOGUE.tools)
    assert called == tools
    assert said["request_for_info"] == tools
    assert said["cannot_answer"] - {""} == tools


def test_training_sees_none_of_the_tools_of_the_test() -> None:
    trained = {name for row in training_rows() for name in names(row)}
    assert not trained & {name for row in raw_rows("test") for name in names(row)}


def test_training_sees_none_of_the_wordings_of_the_test() -> None:
    trained: set[tuple[str, ...]] = set()
    for row in training_rows():
        texts = [message["content"] for message in row["messages"]]
        texts += [row[key]["content"] for key in ("chosen_response", "rejected_response") if key in row]
        trained.update(*map(copied_words, texts))
    copies = [
        text
        for row in raw_rows("test")
        for text in (row["question"], *row["answers"].values())
        if copied_words(text) & trained
    ]
    assert copies == []


def test_training_sees_none_of_the_names_of_the_test() -> None:
    trained: set[str] = set()
    tested: set[str] = set()
    for row, call in right_calls():
        # Small numbers and words like "high" are everybody's.
        spoken = {v.lower() for v in call["arguments"].values() if isinstance(v, str) and len(v) > 4}
        (tested if "correct_answer" in row else trained).update(spoken)
    assert not trained & tested


def test_every_request_of_training_is_one_of_the_catalogue() -> None:
    # Else the tests below that count wordings count too few.
    assert [question(row) for row in training_rows() if not wording_of(row)] == []


def test_sft_and_preference_rows_share_no_wording() -> None:
    sft, preference = ({mask(row) for row in raw_rows(name)} for name in ("train_sft", "train_pref"))
    assert not sft & preference


@pytest.mark.parametrize("name", PURPOSES)
def test_at_most_three_rows_share_a_wording(name: str) -> None:
    shared = Counter(mask(row) for row in raw_rows(name))
    assert max(shared.values()) <= 3, shared.most_common(3)


@pytest.mark.parametrize("name", PURPOSES)
def test_the_number_of_tools_tells_nothing_about_the_decision(name: str) -> None:
    counts: dict[str, list[int]] = defaultdict(list)
    for row in raw_rows(name):
        counts[decision(row)].append(len(names(row)))
    means = [mean(found) for found in counts.values()]
    assert max(means) - min(means) < 0.2
    assert {len(set(found)) for found in counts.values()} == {4}


@pytest.mark.parametrize("name", PURPOSES)
def test_requests_do_not_give_the_decision_away_by_length_or_question_mark(name: str) -> None:
    asked: dict[str, list[str]] = defaultdict(list)
    for row in raw_rows(name):
        if decision(row) != "direct" and len(row.get("messages", [])) < 4:
            asked[decision(row)].append(question(row))
    lengths = [mean(map(len, texts)) for texts in asked.values()]
    marks = [mean("?" in text for text in texts) for texts in asked.values()]
    assert max(lengths) / min(lengths) < 1.15
    assert max(marks) - min(marks) < 0.15


def test_an_answer_is_as_long_where_it_is_right_as_where_it_is_wrong() -> None:
    for one in ("tool_call", "request_for_info", "cannot_answer"):
        lengths: dict[bool, list[int]] = defaultdict(list)
        for row in raw_rows("test"):
            lengths[decision(row) == one].append(len(row["answers"][one]))
        assert 0.8 < mean(lengths[True]) / mean(lengths[False]) < 1.25, one


def test_the_four_answers_are_alike_in_length() -> None:
    rows = raw_rows("test")
    lengths = {name: mean(len(row["answers"][name]) for row in rows) for name in DECISIONS}
    assert max(lengths.values()) / min(lengths.values()) < 2, lengths


def test_calls_use_the_values_that_the_user_gave() -> None:
    for row, call in right_calls():
        turns = [message["content"] for message in row.get("messages", []) if message["role"] == "user"]
        said = " ".join([*turns, row.get("question", "")])
        for value in call["arguments"].values():
            assert is_said(value, said), said


def test_calls_fit_the_tool_that_is_offered() -> None:
    types: dict[str, type | tuple[type, ...]] = {"string": str, "integer": int, "number": (int, float)}
    for row, call in right_calls():
        schema = next(tool for tool in offered(row) if tool["name"] == call["name"])["parameters"]
        assert set(schema["required"]) <= set(call["arguments"]) <= set(schema["properties"]), row
        for name, value in call["arguments"].items():
            given_schema = schema["properties"][name]
            assert isinstance(value, types[given_schema["type"]]), (name, value)
            assert value in given_schema.get("enum", [value])


def test_some_calls_leave_an_optional_parameter_out_and_some_give_it() -> None:
    given_or_not = Counter(
        name in call["arguments"]
        for row, call in right_calls()
        if "decision" in row
        for name, part in CATALOGUE.tools[call["name"]].parameters.items()
        if part.optional
    )
    assert min(given_or_not[True], given_or_not[False]) >= 12


def test_ask_rows_of_training_ask_for_what_the_user_left_out() -> None:
    asks = [row for row in training_rows() if decision(row) == "request_for_info"]
    for row in asks:
        tool = CATALOGUE.tools[written_for(row)]
        assert tool.name in names(row)
        sought = [part for part in tool.parameters.values() if seeks(part.noun, part.ask, chosen(row))]
        assert sought, chosen(row)
        assert not any(part.optional for part in sought)


def test_ask_rows_of_the_test_leave_out_exactly_one_required_value() -> None:
    for row in raw_rows("test"):
        if decision(row) != "request_for_info":
            continue
        call = json.loads(row["answers"]["tool_call"])
        schema = json.loads(row["target_tool"])["parameters"]
        assert call["name"] in names(row)
        assert row["held_out_param"] in schema["required"]
        for name in schema["required"]:
            is_given = is_said(call["arguments"][name], row["question"])
            assert is_given == (name != row["held_out_param"]), (row["uuid"], name)


def test_decline_rows_of_training_offer_no_tool_that_could_serve() -> None:
    for row in training_rows():
        if decision(row) == "cannot_answer":
            # An empty name: the request is beyond every tool.
            assert written_for(row) not in names(row), question(row)


def test_half_of_the_declines_of_the_test_are_near_a_tool_that_is_offered() -> None:
    tempting = [
        json.loads(row["answers"]["tool_call"])["name"] in names(row)
        for row in raw_rows("test")
        if decision(row) == "cannot_answer"
    ]
    assert 0.35 < mean(tempting) < 0.65


def test_preference_pairs_cover_every_confusion() -> None:
    kinds = Counter((row["decision"], row["rejected_kind"]) for row in raw_rows("train_pref"))
    expected = {
        "tool_call": {"ask", "decline", "direct", "wrong_tool", "missing_argument", "wrong_value"},
        "request_for_info": {"call", "decline", "direct"},
        "cannot_answer": {"call", "ask", "direct"},
        "direct": {"call", "ask", "decline"},
    }
    assert {one: {kind for d, kind in kinds if d == one} for one in expected} == expected
    assert min(kinds.values()) >= 5


def test_no_decision_is_preferred_to_the_others() -> None:
    rows = raw_rows("train_pref")
    for one in DECISIONS[:3]:
        assert 0.27 < mean(row["decision"] == one for row in rows) < 0.36, one


def test_a_rejected_answer_is_never_the_chosen_one() -> None:
    rows = raw_rows("train_pref")
    assert [row for row in rows if row["rejected_response"]["content"] == chosen(row)] == []


def test_the_grader_reads_every_answer_as_the_decision_it_stands_for() -> None:
    shown = [(row["decision"], chosen(row)) for row in training_rows()]
    for row in raw_rows("train_pref"):
        stated = TEXT_DECISIONS.get(row["rejected_kind"], "tool_call")
        shown.append((stated, row["rejected_response"]["content"]))
    for row in raw_rows("test"):
        shown += [item for item in row["answers"].items() if item[0] != "tool_call"]
    told = [(stated, infer_decision(read_answer(text, "")), text) for stated, text in shown]
    assert [one for one in told if one[0] != one[1]] == []


@pytest.mark.parametrize("tool", CATALOGUE.tools.values(), ids=lambda tool: tool.name)
def test_a_tool_is_short_and_its_requests_say_what_they_should(tool: Tool) -> None:
    assert len(tool.about) <= 70
    assert 1 <= len(tool.parameters) <= 3
    assert len({*tool.calls}) == len(tool.calls) >= 8
    assert len({wording for _, wording in tool.asks}) == len(tool.asks) >= 6
    required = set(tool.required)
    for wording in tool.calls:
        assert required <= set(placeholders(wording)) <= set(tool.parameters), wording
    for missing, wording in tool.asks:
        assert missing in required
        assert set(placeholders(wording)) & required == required - {missing}, wording


@given(st.sampled_from(sorted(CATALOGUE.values.kinds)), st.integers(0, 2**32))
def test_a_drawn_value_matches_the_pattern_of_its_kind(kind: str, seed: int) -> None:
    value = CATALOGUE.values.draw(kind, random.Random(seed))  # noqa: S311 — values, no secrets
    assert re.fullmatch(CATALOGUE.values.pattern(kind), str(value)), value


def test_a_tool_near_a_request_beyond_all_tools_exists() -> None:
    near = {request.near for group in CATALOGUE.out_of_scope.values() for request in group}
    assert near - {""} <= set(CATALOGUE.tools)


@pytest.mark.parametrize("path", INPUTS, ids=lambda path: path.stem)
def test_execution_inputs_are_valid(path: Path) -> None:
    defaults = Defaults("Qwen/Qwen3-1.7B", "qwen3-1.7b-lora", {}, {}, False, None)
    run = parse_input(json.loads(path.read_text(encoding="utf-8")), defaults)
    for stage in ("sft", "dpo"):
        assert (REPOSITORY / f"training/recipes/{stage}/{run.recipe}.yaml").is_file()


def test_there_are_inputs() -> None:
    assert {path.stem for path in INPUTS} >= {"tune-local", "tune-qwen3-when2call", "tune-own-data"}
