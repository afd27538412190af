"""Files of rows: what is kept, joined, dropped and refused."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from data.readers import Collection, RowFile, check_rejected, read_files
from data.rows import Purpose
from jobs.doors import BadInput
from tests.unit.data.test_shapes import ASKS, CALL, CALLED, LABELLED, MCQ, TOOL, USER, chat

WriteLines = Callable[[str, Sequence[Any]], Path]
GOLD = {**LABELLED, "gold_calls": [{"name": "track", "arguments": {"number": "A1"}}]}


def read(path: Path, purpose: Purpose | None = None) -> Collection:
    return read_files([RowFile(path, path.name, purpose)])


@pytest.mark.parametrize("rows", [[MCQ, GOLD], [GOLD, MCQ]], ids=["choices first", "gold first"])
def test_rows_of_one_id_in_two_test_files_become_one(rows: list[Any], write_lines: WriteLines) -> None:
    files = [write_lines(f"{number}_test.jsonl", [row]) for number, row in enumerate(rows)]
    collection = read_files([RowFile(path, path.name, "test") for path in files])
    (row,) = collection.of("test")
    assert (row.expected.calls, dict(row.answers or {})) == ((CALL,), MCQ["answers"])
    assert (collection.merged, len(collection.rejections)) == (1, 0)


def test_two_wordings_of_a_schema_do_not_part_an_item(write_lines: WriteLines) -> None:
    other = {**TOOL, "description": "Follow a parcel."}
    assert read(write_lines("test.jsonl", [MCQ, {**GOLD, "tools": [other]}])).merged == 1


def test_one_id_for_two_items_is_an_error(write_lines: WriteLines) -> None:
    collection = read(write_lines("test.jsonl", [MCQ, {**MCQ, "question": "Where is B2?"}]))
    assert (len(collection.of("test")), collection.rejections[0].field) == (1, "id")


def test_duplicates_are_dropped_and_counted(write_lines: WriteLines) -> None:
    named = [chat(USER, ASKS, id="a"), chat(USER, ASKS, id="a"), chat(USER, CALLED, id="a")]
    collection = read(write_lines("named.jsonl", named))
    assert (len(collection.of("sft")), collection.duplicates["sft"]) == (1, 1)
    assert [rejection.line for rejection in collection.rejections] == [3], "same id, another answer"
    nameless = read(write_lines("nameless.jsonl", [chat(USER, ASKS)] * 3))
    assert (len(nameless.of("sft")), nameless.duplicates["sft"]) == (1, 2)


def test_a_mixed_file_is_told_apart_row_by_row(write_lines: WriteLines) -> None:
    pair = {"messages": [USER], "chosen_response": ASKS, "rejected_response": {**ASKS, "content": "No."}}
    collection = read(write_lines("mixed.jsonl", [chat(USER, CALLED), MCQ, pair]))
    assert [len(collection.of(purpose)) for purpose in ("sft", "preference", "test")] == [1, 1, 1]


def test_a_rejection_names_file_line_field_reason_and_mend(write_lines: WriteLines) -> None:
    path = write_lines("train_sft.jsonl", [chat(USER, ASKS), "", '{"messages"', chat({"role": "boss"})])
    collection = read(path)
    assert [(one.file, one.line, one.field) for one in collection.rejections] == [
        ("train_sft.jsonl", 3, "line"),
        ("train_sft.jsonl", 4, "messages[0].role"),
    ]
    assert all(one.reason and one.mend for one in collection.rejections)
    assert collection.read == 3, "a blank line is no row"


@pytest.mark.parametrize(("bad", "stops"), [(5, False), (6, True)])
def test_more_than_five_percent_of_bad_rows_stop_the_run(
    bad: int, stops: bool, write_lines: WriteLines
) -> None:
    rows = [chat({"role": "user", "content": str(number)}, ASKS) for number in range(100 - bad)]
    collection = read(write_lines("train_sft.jsonl", [*rows, *["{"] * bad]))
    if not stops:
        check_rejected(collection)
        return
    with pytest.raises(BadInput, match=r"6 of 100 rows.*6 × line: is not JSON.*line 95"):
        check_rejected(collection)


def test_the_five_most_frequent_reasons_are_shown(write_lines: WriteLines) -> None:
    rows = [chat({"role": f"boss{kind}"}) for kind in range(7) for _ in range(7 - kind)]
    with pytest.raises(BadInput) as caught:
        check_rejected(read(write_lines("x.jsonl", rows)))
    assert [f"boss{kind}" in str(caught.value) for kind in range(7)] == [True] * 5 + [False] * 2


@pytest.mark.parametrize("content", ["", "\n\n"])
def test_an_empty_file_is_bad_input(content: str, tmp_path: Path) -> None:
    path = tmp_path / "train_sft.jsonl"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(BadInput, match=r"train_sft\.jsonl: the file is empty"):
        read(path)


def test_a_file_that_is_gone_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot be read"):
        read(tmp_path / "gone.jsonl")


def test_real_rows_are_all_kept(shared_data: Path) -> None:
    purposes: dict[str, Purpose] = {
        "train_sft": "sft",
        "train_pref": "preference",
        "calls_test": "test",
        "when2call_mcq_test": "test",
    }
    files = [RowFile(shared_data / f"{name}.jsonl", name, purpose) for name, purpose in purposes.items()]
    collection = read_files(files)
    counts = [len(collection.of(purpose)) for purpose in ("sft", "preference", "test")]
    assert (counts, collection.merged, collection.rejections) == ([2331, 1200, 915], 182, [])
    assert sum(row.answers is not None for row in collection.of("test")) == 182
    for row in [*collection.of("sft"), *collection.of("preference")]:
        assert "TOOLCALL" not in json.dumps(row.to_json())
