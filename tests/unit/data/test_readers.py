"""Files of rows: what is kept, joined, dropped and refused."""

import gzip
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow  # type: ignore[import-untyped]
import pytest

from data.lines import read_lines
from data.readers import Reading, ReadingProgress, RowFile, read_files
from data.rejections import MAX_REASONS, Rejections
from data.rows import Purpose, Rejection, Row
from data.selection import sample_suite
from data.store import RowStore
from jobs.doors import BadInput
from tests.unit.data.test_shapes import ASKS, CALL, CALLED, LABELLED, MCQ, TOOL, USER, chat

WriteLines = Callable[[str, Sequence[Any]], Path]
GOLD = {**LABELLED, "gold_calls": [{"name": "track", "arguments": {"number": "A1"}}]}
PAIR = {"messages": [USER], "chosen_response": ASKS, "rejected_response": {**ASKS, "content": "No."}}


def asks(number: int) -> dict[str, Any]:
    """An SFT row like no other number's."""
    return chat({"role": "user", "content": f"Where is parcel {number}?"}, ASKS)


@dataclass
class Read:
    """What became of the rows of some files."""

    store: RowStore
    rejections: Rejections
    rows: int
    folder: Path

    def of(self, purpose: Purpose) -> list[Row]:
        return [self.store.row(entry) for entry in self.store.entries(purpose)]

    def rejected(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.folder / "rejected.jsonl").read_text().splitlines()]

    @property
    def duplicates(self) -> dict[tuple[str, str], int]:
        return {(purpose, kind): count for (purpose, kind, _), count in self.store.duplicates.items()}


Reader = Callable[..., Read]


@pytest.fixture
def read(tmp_path: Path) -> Iterator[Reader]:
    """Read files, each for the purpose given."""
    stores: list[RowStore] = []

    def run(*paths: Path, purpose: Purpose | None = None, reading: Reading | None = None) -> Read:
        folder = tmp_path / f"store {len(stores)}"
        folder.mkdir()
        store = RowStore(folder)
        stores.append(store)
        files = [RowFile(path, path.name, purpose) for path in paths]
        with Rejections(folder / "rejected.jsonl") as rejections:
            rows = read_files(files, store, rejections, reading or Reading())
        return Read(store, rejections, rows, folder)

    yield run
    for store in stores:
        store.__exit__(None, None, None)


@pytest.mark.parametrize("rows", [[MCQ, GOLD], [GOLD, MCQ]], ids=["choices first", "gold first"])
def test_rows_of_one_id_in_two_test_files_become_one(
    rows: list[Any], write_lines: WriteLines, read: Reader
) -> None:
    files = [write_lines(f"{number}_test.jsonl", [row]) for number, row in enumerate(rows)]
    found = read(*files, purpose="test")
    (row,) = found.of("test")
    assert (row.expected.calls, dict(row.answers or {})) == ((CALL,), MCQ["answers"])
    assert (found.store.merged, found.rejections.count) == (1, 0)
    assert [entry.id for entry in sample_suite(found.store, "when2call_mcq", 0)] == [row.id]


def test_two_wordings_of_a_schema_do_not_part_an_item(write_lines: WriteLines, read: Reader) -> None:
    other = {**TOOL, "description": "Follow a parcel."}
    assert read(write_lines("test.jsonl", [MCQ, {**GOLD, "tools": [other]}])).store.merged == 1


def test_one_id_for_two_items_is_an_error(write_lines: WriteLines, read: Reader) -> None:
    found = read(write_lines("test.jsonl", [MCQ, {**MCQ, "question": "Where is B2?"}]))
    assert (len(found.of("test")), found.rejected()[0]["field"]) == (1, "id")


DUPLICATES: list[tuple[str, list[Any], str | None]] = [
    ("the same row again", [chat(USER, ASKS)] * 2, "exact"),
    ("the same row under two ids", [chat(USER, ASKS, id="a"), chat(USER, ASKS, id="b")], "exact"),
    ("one id twice", [chat(USER, ASKS, id="a")] * 2, "exact"),
    (
        "case, width, spaces and punctuation",
        [chat(USER, ASKS), chat({"role": "user", "content": "where  is Ａ1"}, ASKS)],
        "normalised",
    ),
    ("another answer", [chat(USER, ASKS), chat(USER, CALLED)], None),
    ("a chat row and a pair", [chat(USER, ASKS), PAIR], None),
    ("a question of its own", [asks(1), asks(2)], None),
]


@pytest.mark.parametrize(("reason", "rows", "kind"), DUPLICATES)
def test_duplicates_within_a_purpose_are_dropped_and_counted_by_kind(
    reason: str, rows: list[Any], kind: str | None, write_lines: WriteLines, read: Reader
) -> None:
    found = read(write_lines("rows.jsonl", rows))
    assert found.duplicates == ({("sft", kind): 1} if kind else {}), reason
    kept = sum(found.store.count(purpose) for purpose in ("sft", "preference", "test"))
    assert (kept, found.rejections.count) == (len(rows) - (1 if kind else 0), 0)


def test_an_argument_that_differs_in_case_alone_is_no_duplicate(
    write_lines: WriteLines, read: Reader
) -> None:
    lower = {**CALLED, "tool_calls": [{"function": {**CALL, "arguments": '{"number": "a1"}'}}]}
    found = read(write_lines("rows.jsonl", [chat(USER, CALLED), chat(USER, lower)]))
    assert (found.store.count("sft"), found.duplicates) == (2, {})


def test_one_id_for_two_answers_is_an_error(write_lines: WriteLines, read: Reader) -> None:
    rows = [chat(USER, ASKS, id="a"), chat(USER, CALLED, id="a")]
    assert [one["line"] for one in read(write_lines("named.jsonl", rows)).rejected()] == [2]


CONFLICTS: list[tuple[str, list[Any], int]] = [
    ("ask or call", [chat(USER, ASKS), chat(USER, CALLED)], 1),
    ("two wordings of one question", [chat(USER, ASKS), chat(USER, {**ASKS, "content": "Which one?"})], 0),
    ("other tools", [chat(USER, CALLED), {**chat(USER, ASKS), "tools": []}], 0),
    ("another question", [asks(1), chat(USER, CALLED)], 0),
]


@pytest.mark.parametrize(("reason", "rows", "conflicts"), CONFLICTS)
def test_one_question_with_two_gold_answers_is_a_conflict(
    reason: str, rows: list[Any], conflicts: int, write_lines: WriteLines, read: Reader
) -> None:
    found = read(write_lines("train_sft.jsonl", rows), purpose="sft")
    assert found.rejected() == []
    assert found.store.count_conflicts() == conflicts, reason


def test_a_mixed_file_is_told_apart_row_by_row(write_lines: WriteLines, read: Reader) -> None:
    found = read(write_lines("mixed.jsonl", [chat(USER, CALLED), MCQ, PAIR]))
    assert [len(found.of(purpose)) for purpose in ("sft", "preference", "test")] == [1, 1, 1]


def test_a_named_shape_refuses_all_others(write_lines: WriteLines, read: Reader) -> None:
    path = write_lines("mixed.jsonl", [chat(USER, CALLED), MCQ])
    found = read(path, reading=Reading(shape="multiple_choice"))
    assert [len(found.of(purpose)) for purpose in ("sft", "test")] == [0, 1]
    assert "multiple_choice" in json.dumps(found.rejected()[0])


def test_a_rejection_names_file_line_field_reason_and_mend(write_lines: WriteLines, read: Reader) -> None:
    path = write_lines("train_sft.jsonl", [chat(USER, ASKS), "", '{"messages"', chat({"role": "boss"})])
    found = read(path)
    rejected = found.rejected()
    assert [(one["file"], one["line"], one["field"]) for one in rejected] == [
        ("train_sft.jsonl", 3, "line"),
        ("train_sft.jsonl", 4, "messages[0].role"),
    ]
    assert all(one["reason"] and one["mend"] for one in rejected)
    assert found.rows == 3, "a blank line is no row"


@pytest.mark.parametrize(
    ("bad", "share", "stops"), [(5, 0.05, False), (6, 0.05, True), (6, 0.06, False), (1, 0.0, True)]
)
def test_more_than_the_share_of_bad_rows_stops_the_run(
    bad: int, share: float, stops: bool, write_lines: WriteLines, read: Reader
) -> None:
    rows = [asks(number) for number in range(100 - bad)]
    found = read(write_lines("train_sft.jsonl", [*rows, *["{"] * bad]))
    if not stops:
        found.rejections.check(found.rows, share)
        return
    with pytest.raises(BadInput, match=rf"{bad} of 100 rows.*{bad} × line: is not JSON.*line {101 - bad}"):
        found.rejections.check(found.rows, share)


def test_faults_of_json_are_counted_as_one_reason_and_placed_by_character(
    write_lines: WriteLines, read: Reader
) -> None:
    calls = [{"name": "track", "arguments": '{"number": ' + " " * spaces} for spaces in range(3)]
    broken = [chat(USER, {"role": "assistant", "tool_calls": [{"function": call}]}) for call in calls]
    found = read(write_lines("train_sft.jsonl", [*broken, '{"a":', '{"a": ']))
    assert [(one["reason"], one["rows"]) for one in found.rejections.describe()] == [
        ("is not JSON", 3),
        ("is not JSON", 2),
    ]
    assert [one["mend"].partition(":")[0] for one in found.rejected()[3:]] == [
        "Expecting value at character 7",
        "Expecting value at character 8",
    ]


def test_a_set_of_which_nothing_is_left_stops_whatever_the_share(
    write_lines: WriteLines, read: Reader
) -> None:
    found = read(write_lines("train_sft.jsonl", ["{", "{}"]))
    with pytest.raises(BadInput, match="2 of 2 rows are rejected, all of them"):
        found.rejections.check(found.rows, 1.0)


def test_the_five_most_frequent_reasons_are_shown(write_lines: WriteLines, read: Reader) -> None:
    rows = [chat({"role": f"boss{kind}"}) for kind in range(7) for _ in range(7 - kind)]
    found = read(write_lines("x.jsonl", rows))
    with pytest.raises(BadInput) as caught:
        found.rejections.check(found.rows)
    assert [f"boss{kind}" in str(caught.value) for kind in range(7)] == [True] * 5 + [False] * 2


def test_reasons_that_quote_the_rows_do_not_fill_the_memory(tmp_path: Path) -> None:
    with Rejections(tmp_path / "rejected.jsonl") as rejections:
        for number in range(MAX_REASONS + 50):
            rejections.add(Rejection("f", number, f"messages[{number}]", f"is {number}", "mend"))
    described = rejections.describe()
    assert (len(described), sum(one["rows"] for one in described)) == (MAX_REASONS + 1, MAX_REASONS + 50)
    assert {one["field"] for one in described} == {"messages[]", "row"}, "places in a list are one field"


COMPRESSED: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.compress,
    ".zst": lambda content: pyarrow.compress(content, codec="zstd", asbytes=True),
}


@pytest.mark.parametrize("ending", COMPRESSED)
@pytest.mark.parametrize("parts", [1, 2], ids=["whole", "in two frames"])
def test_compressed_files_are_read_as_what_they_hold(
    ending: str, parts: int, tmp_path: Path, read: Reader
) -> None:
    lines = [json.dumps(asks(number)).encode() + b"\n" for number in range(4)]
    chunks = [b"".join(lines[start::parts]) for start in range(parts)]
    path = tmp_path / f"train_sft.jsonl{ending}"
    path.write_bytes(b"".join(COMPRESSED[ending](chunk) for chunk in chunks))
    rows = read(path).of("sft")
    assert (len(rows), {row.source for row in rows}) == (4, {"train_sft"})


def test_lines_are_read_as_they_are_whatever_their_ends(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"a": 1}\r\n\n  \n{"b": 2}\n{"c": "\xe2\x80\xa8"}')
    lines = list(read_lines(path, "x"))
    assert [line.number for line in lines] == [1, 4, 5]
    assert [json.loads(line.content) for line in lines] == [{"a": 1}, {"b": 2}, {"c": "\u2028"}]
    assert lines[0].content.startswith(b"{"), "a byte order mark is no part of the row"


BOUND = 100
LONG: list[tuple[str, bytes, list[bool]]] = [
    ("at the bound, with its end", b"a" * (BOUND - 1) + b"\n{}\n", [True, True]),
    ("one more", b"a" * BOUND + b"\n{}\n", [False, True]),
    ("far longer", b"a" * 200_000 + b"\n{}\n", [False, True]),
    ("without an end", b"{}\n" + b"a" * 200_000, [True, False]),
    ("two of them", b"a" * 150 + b"\n" + b"b" * 150 + b"\n{}", [False, False, True]),
    ("white space alone", b" " * 150 + b"\n{}", [False, True]),
]


@pytest.mark.parametrize(("reason", "content", "taken"), LONG)
def test_a_line_beyond_the_bound_is_passed_over(
    reason: str, content: bytes, taken: list[bool], tmp_path: Path
) -> None:
    (tmp_path / "x.jsonl").write_bytes(content)
    lines = list(read_lines(tmp_path / "x.jsonl", "x", BOUND))
    assert [line.fault is None for line in lines] == taken, reason
    assert [line.number for line in lines] == list(range(1, len(taken) + 1))


def test_progress_is_said_in_rows_and_in_share_of_bytes(capsys: pytest.CaptureFixture[str]) -> None:
    shares: list[float] = []
    seconds = iter([0.0, 1.0, 6.0, 7.0, 12.0])
    progress = ReadingProgress(200, shares.append, lambda: next(seconds))
    progress.advance(50)
    progress.advance(100)
    progress.end_file(100)
    progress.advance(20)
    progress.advance(100)
    assert shares == [0.25, 0.5, 0.6, 1.0]
    assert capsys.readouterr().out.splitlines() == [
        "read 2 rows, 50% of 0 MB, 0 rows/s",
        "read 4 rows, 100% of 0 MB, 0 rows/s",
    ]


def test_real_rows_are_kept(shared_data: Path, read: Reader) -> None:
    names = ("train_sft", "train_pref", "calls_test", "when2call_mcq_test")
    found = read(*(shared_data / f"{name}.jsonl" for name in names))
    kept = sum(found.store.count(purpose) for purpose in ("sft", "preference", "test"))
    dropped = found.rejections.count + sum(found.duplicates.values())
    assert found.rows == 2331 + 1200 + 915 + 182 == kept + dropped + found.store.merged
    assert dropped < 0.02 * found.rows
    for row in [*found.of("sft"), *found.of("preference")]:
        assert "TOOLCALL" not in json.dumps(row.to_json())
