"""The shipped rows: what the data sheet says of them holds."""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path
from statistics import mean
from typing import Any

import pytest

from data.decisions import infer_decision
from data.messages import read_answer
from data.readers import Collection, RowFile, read_files
from data.rows import Purpose, Row
from examples.author import compose_preference, compose_sft, compose_test, held_out_tools, seen_tools
from examples.catalogue import Catalogue, Tool, load_catalogue
from lambdas.inputs import Defaults, parse_input
from tests.unit.data.conftest import REPOSITORY

COMPOSED = {"train_sft": compose_sft, "train_pref": compose_preference, "test": compose_test}
INPUTS = sorted((REPOSITORY / "examples").glob("tune-*.json"))


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return load_catalogue()


@pytest.fixture(scope="module")
def collection(examples: Path) -> Collection:
    purposes: dict[str, Purpose] = {"train_sft": "sft", "train_pref": "preference", "test": "test"}
    return read_files(
        RowFile(examples / f"{name}.jsonl", name, purpose) for name, purpose in purposes.items()
    )


def raw_rows(examples: Path, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (examples / f"{name}.jsonl").read_text("utf-8").splitlines()]


@pytest.mark.parametrize("name", COMPOSED)
def test_the_author_reproduces_the_committed_rows(name: str, examples: Path, catalogue: Catalogue) -> None:
    assert list(COMPOSED[name](catalogue)) == raw_rows(examples, name), "run python -m examples.author"


def test_the_readers_keep_every_row(collection: Collection) -> None:
    counts = {purpose: len(rows) for purpose, rows in collection.rows.items()}
    assert counts == {"sft": 480, "preference": 286, "test": 189}
    assert (collection.rejections, sum(collection.duplicates.values())) == ([], 0)


def test_the_set_is_as_wide_as_its_data_sheet_says(catalogue: Catalogue) -> None:
    domains = {tool.domain for tool in catalogue.tools.values()}
    assert (len(seen_tools(catalogue)), len(held_out_tools(catalogue)), len(domains)) == (30, 11, 10)


def test_training_sees_neither_the_questions_nor_the_tools_nor_the_values_of_the_test(
    collection: Collection, catalogue: Catalogue
) -> None:
    trained = [*collection.of("sft"), *collection.of("preference")]
    held_out = {tool.name for tool in held_out_tools(catalogue)}
    assert not held_out & {name for row in trained for name in row.tool_names}
    known = {mask(row, catalogue) for row in trained}
    assert not known & {mask(row, catalogue) for row in collection.of("test")}
    with_held_out = sum(bool(held_out & set(row.tool_names)) for row in collection.of("test"))
    assert with_held_out > len(collection.of("test")) / 3


def test_sft_and_preference_rows_share_no_wording(collection: Collection, catalogue: Catalogue) -> None:
    sft, preference = ({mask(row, catalogue) for row in collection.of(p)} for p in ("sft", "preference"))
    assert not sft & preference


@pytest.mark.parametrize("purpose", ["sft", "preference", "test"])
def test_at_most_three_rows_share_a_wording(
    purpose: Purpose, collection: Collection, catalogue: Catalogue
) -> None:
    wordings = Counter(mask(row, catalogue) for row in collection.of(purpose))
    assert max(wordings.values()) <= 3, wordings.most_common(3)


@pytest.mark.parametrize("purpose", ["sft", "preference", "test"])
def test_the_number_of_tools_tells_nothing_about_the_decision(
    purpose: Purpose, collection: Collection
) -> None:
    counts: dict[str, list[int]] = defaultdict(list)
    for row in collection.of(purpose):
        counts[row.expected.decision].append(len(row.tool_names))
    means = [mean(found) for found in counts.values()]
    assert max(means) - min(means) < 0.15
    assert {len(set(found)) for found in counts.values()} == {4}


@pytest.mark.parametrize("purpose", ["sft", "test"])
def test_requests_do_not_give_the_decision_away_by_length_or_question_mark(
    purpose: Purpose, collection: Collection
) -> None:
    asked: dict[str, list[str]] = defaultdict(list)
    for row in collection.of(purpose):
        if row.expected.decision != "direct" and len(row.messages) < 4:
            asked[row.expected.decision].append(row.question)
    lengths = [mean(map(len, texts)) for texts in asked.values()]
    marks = [mean("?" in text for text in texts) for texts in asked.values()]
    assert max(lengths) / min(lengths) < 1.15
    assert max(marks) - min(marks) < 0.15


def test_an_answer_is_as_long_where_it_is_right_as_where_it_is_wrong(collection: Collection) -> None:
    rows = collection.of("test")
    for decision in ("tool_call", "request_for_info", "cannot_answer"):
        right = [len(answers(row)[decision]) for row in rows if row.expected.decision == decision]
        wrong = [len(answers(row)[decision]) for row in rows if row.expected.decision != decision]
        assert 0.8 < mean(right) / mean(wrong) < 1.25


def test_the_four_answers_are_alike_in_length(collection: Collection) -> None:
    rows = collection.of("test")
    lengths = {name: mean(len(answers(row)[name]) for row in rows) for name in answers(rows[0])}
    assert max(lengths.values()) / min(lengths.values()) < 2


def test_ask_rows_leave_out_exactly_what_the_answer_asks_for(examples: Path, catalogue: Catalogue) -> None:
    asks = [row for row in raw_rows(examples, "test") if row["correct_answer"] == "request_for_info"]
    for row in asks:
        call = json.loads(row["answers"]["tool_call"])
        parameter = catalogue.tools[call["name"]].parameters[row["held_out_param"]]
        answer = row["answers"]["request_for_info"].lower()
        assert parameter.noun in answer or parameter.ask.lower() in answer
        for name, value in call["arguments"].items():
            is_said = re.search(rf"(?<!\w){re.escape(str(value))}(?!\w)", row["question"], re.IGNORECASE)
            assert bool(is_said) == (name != row["held_out_param"]), row["question"]


def test_calls_use_the_values_that_the_user_gave(collection: Collection) -> None:
    for row in [*collection.of("sft"), *collection.of("test")]:
        said = " ".join(message["content"] for message in row.messages if message["role"] == "user").lower()
        for call in row.expected.calls:
            for value in json.loads(call["arguments"]).values():
                assert str(value).lower() in said, said


def test_decline_rows_offer_no_tool_that_could_serve(collection: Collection, catalogue: Catalogue) -> None:
    beyond = {request.say for request in catalogue.out_of_scope["test"]}
    for row in collection.of("test"):
        if row.expected.decision == "cannot_answer":
            tempting = json.loads(answers(row)["tool_call"])["name"]
            is_withheld = tempting not in row.tool_names
            assert is_withheld or row.question in beyond, row.question


def test_preference_pairs_cover_every_confusion(examples: Path) -> None:
    kinds = Counter((row["decision"], row["rejected_kind"]) for row in raw_rows(examples, "train_pref"))
    decisions = {
        "tool_call": {"ask", "decline", "direct", "wrong_tool", "missing_argument", "wrong_value"},
        "request_for_info": {"call", "decline", "direct"},
        "cannot_answer": {"call", "ask", "direct"},
        "direct": {"call", "ask", "decline"},
    }
    assert {decision: {k for d, k in kinds if d == decision} for decision in decisions} == decisions
    assert min(kinds.values()) >= 8


def test_the_grader_reads_every_answer_as_the_decision_it_stands_for(examples: Path) -> None:
    shown = [(row["decision"], row["messages"][-1]["content"]) for row in raw_rows(examples, "train_sft")]
    for row in raw_rows(examples, "train_pref"):
        shown.append((row["decision"], row["chosen_response"]["content"]))
    for row in raw_rows(examples, "test"):
        shown += [item for item in row["answers"].items() if item[0] != "tool_call"]
    told = [(stated, infer_decision(read_answer(text, "")), text) for stated, text in shown]
    assert [one for one in told if one[0] != one[1]] == []


@pytest.mark.parametrize("path", INPUTS, ids=lambda path: path.stem)
def test_execution_inputs_are_valid(path: Path) -> None:
    defaults = Defaults("Qwen/Qwen3-1.7B", "qwen3-1.7b-lora", {}, {}, False, None)
    run = parse_input(json.loads(path.read_text(encoding="utf-8")), defaults)
    for stage in ("sft", "dpo"):
        assert (REPOSITORY / f"training/recipes/{stage}/{run.recipe}.yaml").is_file()


def test_there_are_inputs() -> None:
    assert {path.stem for path in INPUTS} >= {"tune-local", "tune-qwen3-when2call", "tune-own-data"}


def answers(row: Row) -> dict[str, str]:
    assert row.answers is not None
    return dict(row.answers)


def mask(row: Row, catalogue: Catalogue) -> str:
    """The wording of the first request: values of the catalogue replaced by a blank."""
    first = next(message["content"] for message in row.messages if message["role"] == "user")
    return MASKS.setdefault(first, _mask(first, every_value(catalogue.values.values())))


MASKS: dict[str, str] = {}


def every_value(lists: Iterable[Iterable[Any]]) -> list[str]:
    return sorted({str(value) for values in lists for value in values}, key=lambda text: -len(text))


def _mask(text: str, values: list[str]) -> str:
    pattern = "|".join(rf"(?<!\w){re.escape(value)}(?!\w)" for value in values)
    return re.sub(pattern, "_", text, flags=re.IGNORECASE)


def test_tools_have_enough_requests_of_their_own(catalogue: Catalogue) -> None:
    def count(tool: Tool) -> tuple[int, int]:
        return len(set(tool.calls)), len(set(tool.asks))

    assert {count(tool) for tool in seen_tools(catalogue)} == {(9, 7)}
    assert {count(tool) for tool in held_out_tools(catalogue)} == {(3, 3)}
