"""Training rows that ask what test rows ask: found whatever the wording's dress, and nothing else found."""

import json
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.fingerprints import keys_of, normalise, words_of
from data.overlap import COMMON_GRAM_ROWS, Overlap, Policy, find_overlap, grams_of, read_allowed
from data.rows import Expected, Row
from data.selection import sample
from data.store import Place, RowStore
from jobs.doors import BadInput

LONG = "Could you please tell me when the next ferry from the old harbour to Seal Island leaves on Sunday"
OTHER = "Book a table for two at the small place by the river tomorrow night"
CHINESE = "请帮我查询一下下周三从北京飞往上海的所有直飞航班以及它们各自的经济舱票价"
KOREAN = "다음 주 수요일에 서울에서 제주도로 가는 직항편의 요금과 남은 좌석을 모두 알려 주세요"


def row(identity: str, *asked: str, test: bool = False, tools: str = "[]", source: str = "s") -> Row:
    turns: list[dict[str, Any]] = []
    for question in asked:
        turns += [{"role": "user", "content": question}, {"role": "assistant", "content": "Done."}]
    messages = turns[:-1] if test else turns
    return Row(identity, source, tools, tuple(messages), Expected("direct", text="Done."))


def tool(number: int) -> str:
    return json.dumps({"name": f"tool{number}", "description": "", "parameters": {}})


@pytest.fixture
def store(tmp_path: Path) -> Iterator[RowStore]:
    with RowStore(tmp_path) as made:
        yield made


def compare(
    store: RowStore,
    folder: Path,
    train: Sequence[Row],
    test: Sequence[Row],
    policy: Policy = "refuse",
    allowed: Sequence[str] = (),
) -> tuple[Overlap, list[dict[str, Any]]]:
    for name, rows in (("train.jsonl", train), ("test.jsonl", test)):
        for number, one in enumerate(rows, start=1):
            store.add(one, Place(name, number))
    overlap = find_overlap(store, folder / "overlap.jsonl", policy, allowed, lambda compared: None)
    lines = (folder / "overlap.jsonl").read_text(encoding="utf-8").splitlines()
    return overlap, [json.loads(line) for line in lines]


WORDS = LONG.split()
CASES: list[tuple[str, list[str], list[str], str | None]] = [
    ("the same question", ["Where is parcel A1 now?"], ["Where is parcel A1 now?"], "exact"),
    ("case and punctuation", ["where is parcel  A1 now"], ["Where is parcel A1 now?!"], "normalised"),
    ("full width", ["Ｗhere is parcel A1 now"], ["Where is parcel A1 now?"], "normalised"),
    ("a long question inside another", [f"Hello! {LONG}, thanks"], [LONG], "13-gram"),
    ("13 words in a row", ["Well, " + " ".join(WORDS[:13])], ["So " + " ".join(WORDS[:13]) + "?"], "13-gram"),
    ("12 words in a row", ["Well, " + " ".join(WORDS[:12])], ["So " + " ".join(WORDS[:12]) + "?"], None),
    ("13 words of two turns", [" ".join(WORDS[:7]), " ".join(WORDS[7:14])], [" ".join(WORDS[:14])], None),
    ("one turn of a conversation", ["Hi there.", LONG], ["Good day to you.", LONG], "13-gram"),
    ("three words", ["Yes, that's right."], ["Yes, that's right."], None),
    ("four words in two turns", ["Where is it?", "Here."], ["Where is it?", "Here."], "exact"),
    ("the first turn alone", ["Where is parcel A1 now?", "Ok."], ["Where is parcel A1 now?"], None),
    ("another value", ["Where is parcel A1 now?"], ["Where is parcel A2 now?"], None),
    ("Chinese inside another", ["你好。" + CHINESE], [CHINESE], "13-gram"),
    ("a Chinese courtesy", ["请帮我查询一下北京的天气"], ["请帮我查询一下上海的票价"], None),
    ("Korean inside another", ["안녕하세요. " + KOREAN], [KOREAN], "13-gram"),
    ("a Korean courtesy", ["서울 날씨를 알려 주실 수 있을까요"], ["부산 버스를 알려 주실 수 있을까요"], None),
]


@pytest.mark.parametrize(("reason", "train", "test", "kind"), CASES)
def test_questions_overlap_by_the_strongest_kind(
    reason: str, train: list[str], test: list[str], kind: str | None, store: RowStore, tmp_path: Path
) -> None:
    overlap, lines = compare(store, tmp_path, [row("a", *train)], [row("t", *test, test=True)])
    assert [line["kind"] for line in lines] == ([kind] if kind else []), reason
    found = overlap.to_json()
    assert sum(found["by_kind"].values()) == found["training_rows"] == len(lines)
    if kind is None:
        overlap.check()
        return
    assert lines[0]["train"] == {"id": "a", "file": "train.jsonl", "line": 1}
    assert lines[0]["test"] == {"id": "t", "file": "test.jsonl", "line": 1}
    assert lines[0]["text"]
    with pytest.raises(BadInput) as caught:
        overlap.check()
    for said in (
        "train.jsonl line 1 (a)",
        "test.jsonl line 1 (t)",
        f"1 {kind}",
        "--overlap drop",
        "source s",
    ):
        assert said in str(caught.value)


def test_a_pair_is_compared_as_an_sft_row_is(store: RowStore, tmp_path: Path) -> None:
    answers = [({"role": "assistant", "content": text},) for text in ("Yes.", "No.")]
    turns = ({"role": "user", "content": LONG},)
    pair = Row("p", "s", "[]", turns, Expected("direct"), chosen=answers[0], rejected=answers[1])
    overlap, _ = compare(store, tmp_path, [pair], [row("t", LONG, test=True)])
    assert overlap.to_json()["by_kind"]["exact"] == 1


def test_dropping_leaves_the_training_rows_out_and_counts_them(store: RowStore, tmp_path: Path) -> None:
    train = [row("a", LONG), row("b", OTHER), row("c", f"{LONG}!!", tools=f"[{tool(1)}]")]
    overlap, lines = compare(store, tmp_path, train, [row("t", LONG, test=True)], "drop")
    overlap.check()
    assert [entry.id for entry in store.entries("sft")] == ["b"]
    assert [entry.id for entry in sample(store, "sft", 0)] == ["b"]
    assert store.count("test") == 1, "the test rows stay"
    assert (overlap.to_json()["dropped"], len(lines)) == (2, 2)


def test_an_allowed_id_clears_its_test_row_alone(store: RowStore, tmp_path: Path) -> None:
    train = [row("a", LONG), row("b", OTHER)]
    test = [row("t", LONG, test=True), row("u", OTHER, test=True)]
    overlap, lines = compare(store, tmp_path, train, test, "drop", ["t", "gone"])
    found = overlap.to_json()
    assert (found["allowed"], found["dropped"], found["by_kind"]["exact"]) == (1, 1, 1)
    assert [entry.id for entry in store.entries("sft")] == ["a"]
    assert len(lines) == 2, "what is allowed is written down too"
    (warning,) = overlap.warnings()
    assert "gone" in warning


def test_all_allowed_passes(store: RowStore, tmp_path: Path) -> None:
    overlap, _ = compare(store, tmp_path, [row("a", LONG)], [row("t", LONG, test=True)], allowed=["t"])
    overlap.check()
    assert store.count("sft") == 1


def test_a_phrase_of_the_whole_test_set_is_no_question(store: RowStore, tmp_path: Path) -> None:
    phrase = "You are given a request of a customer of ours, answer it as well as you can now: "
    test = [row(f"t{n}", f"{phrase} order {n}", test=True) for n in range(COMMON_GRAM_ROWS + 1)]
    overlap, lines = compare(store, tmp_path, [row("a", f"{phrase} send it back")], test)
    assert lines == []
    overlap.check()


def test_every_overlapping_test_row_is_named_at_least_once(store: RowStore, tmp_path: Path) -> None:
    tools = [f"[{tool(n)}]" for n in range(40)]
    train = [row(f"a{n}", LONG, tools=tools[n]) for n in range(3)]
    test = [row(f"t{n}", LONG, test=True, tools=tools[n]) for n in range(40)]
    overlap, lines = compare(store, tmp_path, train, test)
    assert {line["test"]["id"] for line in lines} == {one.id for one in test}
    assert len(lines) == 40 + 2 * 20, "and pairs beyond that are not all written"
    assert overlap.to_json()["by_kind"]["exact"] == 40


def test_slices_are_counted_by_source_and_file(store: RowStore, tmp_path: Path) -> None:
    test = [row("t", LONG, test=True, source="x"), row("u", f"{LONG}?", "Ok.", test=True, source="y")]
    overlap, _ = compare(store, tmp_path, [row("a", LONG)], test)
    slices = overlap.to_json()["by_slice"]
    assert {(one["source"], one["file"], one["kind"], one["test_rows"]) for one in slices} == {
        ("x", "test.jsonl", "exact", 1),
        ("y", "test.jsonl", "13-gram", 1),
    }


def test_a_shared_tool_set_is_reported_and_not_refused(store: RowStore, tmp_path: Path) -> None:
    one, two = tool(1), tool(2)
    test = [
        row("t", LONG, test=True, tools=f"[{two}, {one}]"),
        row("u", "Where is the old harbour?", test=True, tools=f"[{one}]"),
        row("v", "When does it open today?", test=True),
    ]
    overlap, _ = compare(store, tmp_path, [row("a", OTHER, tools=f"[{one}, {two}]"), row("b", "Hi")], test)
    overlap.check()
    assert overlap.to_json()["tool_sets"] == {
        "shared": 1,
        "by_slice": [{"source": "s", "file": "test.jsonl", "test_rows": 1}],
    }


def test_allowed_ids_come_one_a_line(tmp_path: Path) -> None:
    path = tmp_path / "allowed_overlap.txt"
    path.write_text("\ufeff# greetings\nt1\n\n  t 2  # as everybody says it\n", encoding="utf-8")
    assert read_allowed(path) == ["t1", "t 2"]
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(BadInput, match=r"allowed_overlap\.txt: cannot be read as UTF-8"):
        read_allowed(path)


DRESS = st.tuples(
    st.sampled_from(["", " ", "... ", "¿"]), st.sampled_from(["", "?", " !!", "。"]), st.booleans()
)


@given(st.lists(st.text("abcdefgh", min_size=1, max_size=6), min_size=4, max_size=20), DRESS)
def test_dress_never_hides_a_question(words: list[str], dress: tuple[str, str, bool]) -> None:
    before, after, is_upper = dress
    plain = " ".join(words)
    dressed = before + ("  ".join(words).upper() if is_upper else ", ".join(words)) + after
    assert keys_of(row("a", plain)).normalised_question == keys_of(row("b", dressed)).normalised_question
    assert grams_of(plain) == grams_of(dressed)


@given(st.text())
def test_normalising_is_done_once_for_all(text: str) -> None:
    assert normalise(normalise(text)) == normalise(text)


@given(st.text(st.characters(codec="utf-8")))
def test_words_lose_no_letter_and_no_digit(text: str) -> None:
    folded = unicodedata.normalize("NFKC", text).casefold()
    kept = [one for one in folded if one.isalnum()]
    assert [one for one in "".join(words_of(text)) if one.isalnum()] == kept


def test_real_rows_do_not_overlap(shared_data: Path, tmp_path: Path) -> None:
    from data.prepare import prepare
    from data.request import read_request

    prepare(read_request([str(shared_data), "--out", str(tmp_path / "out")]))
    report = json.loads((tmp_path / "out/report.json").read_text(encoding="utf-8"))
    assert set(report["overlap"]["by_kind"].values()) == {0}
