"""The store gives back what it was given, in order, whatever is dropped or joined meanwhile."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.overlap import find_overlap
from data.rows import DECISIONS, Expected, Row, RowError
from data.selection import sample, sample_suite
from data.store import MAX_SOURCES, OTHER_SOURCES, Place, RowStore

TEXT = st.text(st.characters(codec="utf-8"), max_size=12)
TOOLS = st.sampled_from(["[]", '[{"name": "f", "description": "", "parameters": {}}]'])
CALLS = st.lists(st.fixed_dictionaries({"name": TEXT, "arguments": st.just("{}")}), max_size=2).map(tuple)
EXPECTED = st.builds(Expected, st.sampled_from(DECISIONS), CALLS, st.none() | st.just("[]"), st.none() | TEXT)
USER = st.fixed_dictionaries({"role": st.just("user"), "content": TEXT})
ANSWER = st.fixed_dictionaries({"role": st.just("assistant"), "content": TEXT})
PAIR = st.tuples(ANSWER)


@st.composite
def rows(draw: st.DrawFn) -> list[Row]:
    """Rows of the three purposes with ids of their own; no two have the same first turn."""
    made = []
    for number in range(draw(st.integers(1, 8))):
        first = {"role": "user", "content": f"question {number}"}
        purpose = draw(st.sampled_from(["sft", "preference", "test"]))
        turns = [first, draw(USER), *([draw(ANSWER)] if purpose == "sft" else [])]
        pair = (draw(PAIR), draw(PAIR)) if purpose == "preference" else (None, None)
        answers = draw(st.none() | st.dictionaries(TEXT, TEXT, max_size=2)) if purpose == "test" else None
        parts = (draw(TOOLS), tuple(turns), draw(EXPECTED), answers, *pair)
        made.append(Row(f"{draw(TEXT)}-{number}", draw(TEXT), *parts))
    return made


@settings(max_examples=40, deadline=None)
@given(rows(), st.data())
def test_rows_come_back_as_they_were_but_for_the_dropped(given_rows: list[Row], data: st.DataObject) -> None:
    dropped = data.draw(st.sets(st.sampled_from([row.id for row in given_rows])))
    with tempfile.TemporaryDirectory() as folder, RowStore(Path(folder)) as store:
        for number, row in enumerate(given_rows, start=1):
            store.add(row, Place("rows.jsonl", number))
        for purpose in ("sft", "preference", "test"):
            for entry in list(store.entries(purpose)):
                if entry.id in dropped:
                    store.drop(entry)
            kept = [row for row in given_rows if row.purpose == purpose and row.id not in dropped]
            entries = list(store.entries(purpose))
            assert [store.row(entry) for entry in entries] == kept
            assert [given_rows[entry.place.line - 1].id for entry in entries] == [row.id for row in kept]
            assert [entry.id for entry in sample(store, purpose, 0)] == [row.id for row in kept]
            assert store.count(purpose) == len(kept)


def row(identity: str, source: str = "s", question: str = "Where is it?", **parts: object) -> Row:
    turns = ({"role": "user", "content": question},)
    return Row(identity, source, "[]", turns, Expected("direct", text="Here."), **parts)  # type: ignore[arg-type]


def test_one_id_may_serve_in_every_purpose(tmp_path: Path) -> None:
    answer = ({"role": "assistant", "content": "Here."},)
    with RowStore(tmp_path) as store:
        store.add(row("a"), Place("f", 1))
        store.add(row("a", chosen=answer, rejected=({"role": "assistant", "content": "No."},)), Place("f", 2))
        with pytest.raises(RowError, match="id: is taken by another row"):
            store.add(row("a", question="Where is the other one?"), Place("f", 3))
        assert [store.count(purpose) for purpose in ("sft", "preference", "test")] == [0, 1, 1]


def test_sources_that_rows_make_up_do_not_fill_the_memory(tmp_path: Path) -> None:
    with RowStore(tmp_path) as store:
        store.add(row("a"), Place("f", 1))
        for number in range(MAX_SOURCES + 20):
            store.add(row(f"b{number}", source=f"s{number}"), Place("f", number + 2))
    assert len(store.duplicates) == MAX_SOURCES + 1
    assert store.duplicates["test", "exact", OTHER_SOURCES] == 20


def test_a_joined_row_keeps_its_place_and_its_neighbours(tmp_path: Path) -> None:
    answers = dict.fromkeys(DECISIONS, "x")
    with RowStore(tmp_path) as store:
        for number, one in enumerate([row("a"), row("b", question="Which one is it?")], start=1):
            store.add(one, Place("f", number))
        store.add(row("a", answers=answers), Place("g", 1))
        found = [store.row(entry) for entry in store.entries("test")]
        assert [(one.id, one.answers) for one in found] == [("a", answers), ("b", None)]
        assert [entry.id for entry in sample_suite(store, "when2call_mcq", 0)] == ["a"]
        assert (store.merged, store.duplicates.total()) == (1, 0)


def test_no_query_sorts_all_rows_in_memory(tmp_path: Path) -> None:
    asked: list[str] = []
    with RowStore(tmp_path) as store:
        for number in range(50):
            store.add(row(f"{number}", question=f"Where is number {number}?"), Place("f", number + 1))
        store.index.set_trace_callback(asked.append)
        entries = list(store.entries("test"))
        sampled = list(sample_suite(store, "when2call_mcq", 0))
        find_overlap(store, tmp_path / "overlap.jsonl", "refuse", (), lambda compared: None)
        store.index.set_trace_callback(None)
        queries = [text for text in asked if text.startswith("SELECT") and "ORDER BY" in text]
        plans = [store.index.execute(f"EXPLAIN QUERY PLAN {text}").fetchall() for text in queries]
    assert (len(entries), len(sampled), len(queries)) == (50, 0, 3)
    assert not [step for plan in plans for step in plan if "TEMP B-TREE" in str(step)]
