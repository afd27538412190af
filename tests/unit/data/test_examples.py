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
INPUTS = sorted((REPOSITORY / "examples").glob("*.json"))


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


def test_the_four_answers_are_alike_in_length_whatever_is_right(collection: Collection) -> None:
    rows = collection.of("test")
    for decision in ("tool_call", "request_for_info", "cannot_answer", "direct"):
        right = [len(answers(row)[decision]) for row in rows if row.expected.decision == decision]
        told = [(stated, infer_decision(read_answer(text, "")), text) for stated, text in shown]
    wrong = [one for one in told if one[0] != one[1]]
    assert wrong == []


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
