"""Which rows each suite takes, what is written of them, and what is said where there are none."""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from data.prepare import main, prepare
from data.request import read_request
from data.rows import DECISIONS
from data.suites import DEFAULT, TAKEN, in_order, read_suites
from evaluation.suites import SUITES
from jobs.doors import BadInput
from tests.unit.data.test_prepare import report_of, rows_of
from tests.unit.data.test_sampling import rows_of as rows_by_decision
from tests.unit.data.test_sampling import sample
from tests.unit.data.test_shapes import ASKS, CALLED, MCQ, USER, chat

pytestmark = pytest.mark.usefixtures("outside_of_any_job")

WriteLines = Callable[[str, Sequence[Any]], Path]
NEXT = {"role": "user", "content": "And the other parcel, B2?"}
ROWS: dict[str, Any] = {
    "u1": MCQ,
    "chat": chat({"role": "user", "content": "Where is the blue parcel?"}, ASKS, id="chat"),
    "talk": chat(USER, CALLED, {"role": "tool", "content": "Lyon"}, ASKS, NEXT, ASKS, id="talk"),
    "irrelevance_0": {
        "id": "irrelevance_0",
        "question": [[{"role": "user", "content": "Sing a song for me."}]],
        "function": MCQ["tools"],
        "source": "bfcl_irrelevance",
        "ground_truth": [],
    },
}
TAKES: dict[str, list[str]] = {
    "when2call_mcq": ["u1"],
    "when2call_generate": ["u1"],
    "bfcl_single_turn": ["irrelevance_0"],
    "multi_turn": ["talk#1", "talk#2", "talk#3"],
    "own": list(ROWS),
}
ALL = ",".join(TAKES)


@pytest.fixture
def source(write_lines: WriteLines, tmp_path: Path) -> Path:
    write_lines("set/test.jsonl", list(ROWS.values()))
    return tmp_path / "set"


def run(source: Path, out: Path, suites: str, *more: str) -> dict[str, list[str]]:
    """The ids in each file of a suite that is written."""
    prepare(read_request([str(source), "--suites", suites, "--out", str(out), *more]))
    return {file.stem: [row["id"] for row in rows_of(file)] for file in sorted((out / "suites").iterdir())}


def test_every_suite_has_a_rule_that_is_tried_here() -> None:
    assert TAKES.keys() == SUITES.keys()
    assert {suite.rows for suite in SUITES.values()} == TAKEN.keys()


@pytest.mark.parametrize("suite", TAKES)
def test_a_suite_takes_its_rows_and_no_other_is_written(suite: str, source: Path, tmp_path: Path) -> None:
    assert run(source, tmp_path / "out", suite) == {suite: TAKES[suite]}
    assert list(report_of(tmp_path / "out")["splits"]) == ["train_sft", "train_pref", suite]
    has_answers = [("answers" in row) for row in rows_of(tmp_path / f"out/suites/{suite}.jsonl")]
    assert has_answers == [SUITES[suite].rows == "answers"] * len(TAKES[suite])


@pytest.mark.parametrize("suite", TAKES)
def test_a_suite_alone_can_be_prepared_again(suite: str, source: Path, tmp_path: Path) -> None:
    run(source, tmp_path / "a", suite)
    assert run(tmp_path / "a", tmp_path / "b", suite) == {suite: TAKES[suite]}
    first, again = ((tmp_path / out / f"suites/{suite}.jsonl").read_bytes() for out in "ab")
    assert first == again


def test_all_suites_can_be_prepared_again_as_the_same_items(source: Path, tmp_path: Path) -> None:
    assert run(source, tmp_path / "a", ALL) == TAKES
    assert run(tmp_path / "a", tmp_path / "b", ALL) == TAKES
    first, again = (report_of(tmp_path / out) for out in "ab")
    assert first["data_hash"] == again["data_hash"]
    assert again["rows"]["duplicates"]["exact"] == again["rows"]["rejected"] == 0
    assert again["rows"]["kept"]["test"] == first["rows"]["kept"]["test"] == len(ROWS)


def test_turns_do_not_become_rows_of_ones_own(source: Path, tmp_path: Path) -> None:
    run(source, tmp_path / "a", ALL)
    assert run(tmp_path / "a", tmp_path / "b", ",".join(DEFAULT))["own"] == TAKES["own"]


def test_what_an_earlier_preparation_wrote_and_this_does_not_goes(source: Path, tmp_path: Path) -> None:
    run(source, tmp_path / "out", ALL)
    assert list(run(source, tmp_path / "out", "own")) == ["own"]


def test_a_cap_holds_for_each_suite(source: Path, tmp_path: Path) -> None:
    found = run(source, tmp_path / "out", ALL, "--test-rows", "3")
    assert {name: len(ids) for name, ids in found.items()} == {
        "when2call_mcq": 1,
        "when2call_generate": 1,
        "bfcl_single_turn": 1,
        "multi_turn": 3,
        "own": 3,
    }


def test_capped_samples_are_the_lowest_ranks_as_ever() -> None:
    """Ranked by a hash of seed and id: runs of earlier versions are compared with runs of this one."""
    rows = rows_by_decision(dict.fromkeys(DECISIONS, 10))
    kept = {row.id for row in sample(rows, 8, seed=3)}  # which moves training rows alone
    expected = {
        identity
        for decision in DECISIONS
        for identity in sorted(
            (row.id for row in rows if row.expected.decision == decision),
            key=lambda name: hashlib.sha256(f"0:{name}".encode()).digest(),
        )[:2]
    }
    assert kept == expected


def test_without_a_word_the_default_suites_are_written_though_empty(
    write_lines: WriteLines, tmp_path: Path
) -> None:
    write_lines("set/test.jsonl", [ROWS["chat"]])
    main([str(tmp_path / "set"), "--out", str(tmp_path / "out")])
    suites = {file.name: file.stat().st_size > 0 for file in (tmp_path / "out/suites").iterdir()}
    assert suites == {"when2call_mcq.jsonl": False, "own.jsonl": True}


NONE: list[tuple[str, str]] = [
    # By their names, those that are written unasked are asked for as any other.
    ("when2call_mcq,own", "no row for when2call_mcq, which takes test rows with the four answers"),
    ("when2call_generate", "takes test rows with the four answers of When2Call"),
    ("own,multi_turn", "no row for multi_turn, which takes test rows that are conversations"),
]


@pytest.mark.parametrize(("suites", "said"), NONE)
def test_a_suite_that_was_asked_for_must_get_rows(
    suites: str, said: str, write_lines: WriteLines, tmp_path: Path
) -> None:
    write_lines("set/test.jsonl", [ROWS["chat"]])
    with pytest.raises(BadInput, match=said):
        run(tmp_path / "set", tmp_path / "out", suites)
    assert not (tmp_path / "out").exists()


def test_names_of_suites() -> None:
    assert read_suites(" own, when2call_mcq,") == ["own", "when2call_mcq"]
    assert in_order(["own", "own", "when2call_mcq"]) == DEFAULT
    given = ["x", "--out", "y", "--suites", "own", "--suites", "multi_turn,own"]
    assert read_request(given).suites == ("multi_turn", "own")
    assert read_request(["x", "--out", "y"]).suites == DEFAULT


@pytest.mark.parametrize(("text", "named"), [("mmlu", "'mmlu'"), ("own,bfcl", "'bfcl'")])
def test_an_unknown_suite_is_told_with_those_that_are_known(text: str, named: str) -> None:
    with pytest.raises(BadInput, match=f"{named} is no suite; known are when2call_mcq, when2call_generate"):
        read_request(["x", "--out", "y", "--suites", text])


@pytest.mark.parametrize("text", ["", " ,"])
def test_a_list_of_no_suite_is_told_as_one(text: str) -> None:
    with pytest.raises(BadInput, match=f"--suites '{text}': the list is empty; known are when2call_mcq"):
        read_request(["x", "--out", "y", "--suites", text])
