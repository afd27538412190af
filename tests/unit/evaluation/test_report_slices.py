"""Slices: every row is in one slice of each kind, rare names are summed, and what was dropped is clean."""

from __future__ import annotations

import json
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.overlap import OVERLAP
from evaluation.report.slices import MAX_NAMED, Slice, describe_undivided, read_contaminated, slices_of
from jobs.doors import BadInput
from tests.unit.evaluation.comparisons import RIGHT, UNSCORED, comparison_of, wrong
from tests.unit.evaluation.rows import TIMER, text_row

NOTHING: frozenset[str] = frozenset()


def row(row_id: str, **fields: Any) -> dict[str, Any]:
    return {**text_row("request_for_info", row_id), **fields}


def tools(count: int) -> str:
    return json.dumps([{**TIMER, "name": f"tool_{number}"} for number in range(count)])


def sliced(rows: list[dict[str, Any]], by: str, contaminated: frozenset[str] = NOTHING) -> dict[str, Slice]:
    comparison = comparison_of({"own": rows}, {"own": {"base": [RIGHT] * len(rows)}})
    return {one.name: one for one in slices_of(comparison, contaminated) if one.by == by}


@pytest.mark.parametrize(
    ("offered", "name"),
    [
        pytest.param("[]", "no tools", id="none-offered"),
        pytest.param("", "no tools", id="an-empty-text"),
        pytest.param("{", "no tools", id="not-json"),
        pytest.param("[" * 200_000, "no tools", id="nested-without-end"),
        pytest.param('{"name": "a"}', "no tools", id="no-list"),
        pytest.param(tools(1), "1 tool", id="one"),
        pytest.param(tools(2), "2–4 tools", id="the-fewest-of-a-slice"),
        pytest.param(tools(4), "2–4 tools", id="the-most-of-a-slice"),
        pytest.param(tools(5), "5–9 tools", id="five"),
        pytest.param(tools(9), "5–9 tools", id="nine"),
        pytest.param(tools(10), "10 or more tools", id="ten"),
        pytest.param(tools(60), "10 or more tools", id="many"),
    ],
)
def test_a_row_is_sliced_by_the_tools_that_it_offers(offered: str, name: str) -> None:
    assert list(sliced([row("a", tools=offered)], "tools")) == [name]


@pytest.mark.parametrize(
    ("asked", "language"),
    [
        pytest.param("How is the weather in Paris today, and will it rain?", "en", id="english"),
        pytest.param("Wie wird das Wetter morgen in München am Abend?", "de", id="german"),
        pytest.param("今天北京的天气怎么样？我需要带伞吗", "zh", id="chinese"),
    ],
)
def test_the_language_is_that_of_what_the_user_asks(asked: str, language: str) -> None:
    system = {
        "role": "system",
        "content": "Tu es un assistant très utile, et tu réponds toujours en français.",
    }
    messages = [system, {"role": "user", "content": asked}]
    assert list(sliced([row("a", messages=messages)], "language")) == [language]


def test_a_figure_is_the_share_of_the_slices_own_scored_rows() -> None:
    rows = [row(str(number), source="x" if number < 4 else "y") for number in range(6)]
    base = [RIGHT, wrong("missing_call"), None, UNSCORED, RIGHT, RIGHT]
    comparison = comparison_of({"own": rows}, {"own": {"base": base, "sft": [RIGHT] * 6}})
    x, y = (one for one in slices_of(comparison, NOTHING) if one.by == "source")
    assert (x.name, x.rows, y.name, y.rows) == ("x", 4, "y", 2)
    assert (x.figures["base"].value, x.figures["base"].n) == (0.5, 2), "two of four have no score"
    assert (x.figures["sft"].value, x.figures["sft"].n) == (1.0, 4)
    assert x.figures["base"].low is not None
    assert x.figures["base"].low < 0.1, "two rows say next to nothing, and the interval says so"


def test_a_slice_in_which_nothing_is_scored_has_no_figure() -> None:
    comparison = comparison_of({"own": [row("a")]}, {"own": {"base": [UNSCORED]}})
    assert {one.figures["base"].value for one in slices_of(comparison, NOTHING)} == {None}


@pytest.mark.parametrize(
    ("count", "named", "others"),
    [
        pytest.param(1, 1, 0, id="one"),
        pytest.param(MAX_NAMED + 1, MAX_NAMED + 1, 0, id="the-others-would-be-one"),
        pytest.param(MAX_NAMED + 2, MAX_NAMED, 2, id="two-others"),
        pytest.param(40, MAX_NAMED, 32, id="many"),
    ],
)
def test_rare_sources_are_summed_as_others(count: int, named: int, others: int) -> None:
    # Source 0 has the most rows, the last one row.
    rows = [
        row(f"{number}-{copy}", source=f"s{number:02}")
        for number in range(count)
        for copy in range(count - number)
    ]
    found = sliced(rows, "source")
    assert list(found)[:named] == [f"s{number:02}" for number in range(named)]
    rest = sum(count - number for number in range(named, count))
    assert found["others"].rows == rest if others else "others" not in found


def test_a_row_without_a_source_is_in_a_slice_that_says_so() -> None:
    unnamed = text_row("cannot_answer", "a")
    assert "source" not in unnamed
    assert list(sliced([unnamed], "source")) == ["no source named"]


@given(st.lists(st.integers(0, 40), min_size=1, max_size=60))
@settings(max_examples=60, deadline=None)
def test_lengths_divide_the_rows_into_quarters(lengths: list[int]) -> None:
    rows = [
        row(str(number), tools="[]", messages=[{"role": "user", "content": "x" * length}])
        for number, length in enumerate(lengths)
    ]
    found = list(sliced(rows, "length").values())
    assert 1 <= len(found) <= 4
    assert sum(one.rows for one in found) == len(rows)
    bounds = [[int(end) for end in one.name.removesuffix(" characters").split("–")] for one in found]
    assert all(ends[0] <= ends[-1] for ends in bounds)
    assert all(before[-1] < after[0] for before, after in pairwise(bounds))
    # What surrounds a text of no letters.
    around = len("[]") + len('{"role": "user", "content": ""}')
    for one, ends in zip(found, bounds, strict=True):
        assert one.rows == sum(ends[0] <= length + around <= ends[-1] for length in lengths)
    if len(set(lengths)) == len(lengths) >= 4:
        assert max(one.rows for one in found) - min(one.rows for one in found) <= 2


@given(
    st.lists(
        st.tuples(st.integers(0, 12), st.sampled_from(["a", "b", "", None]), st.booleans()),
        min_size=1,
        max_size=20,
    )
)
@settings(max_examples=40, deadline=None)
def test_every_row_is_in_exactly_one_slice_of_each_kind(made: list[tuple[int, str | None, bool]]) -> None:
    rows = [row(str(n), tools=tools(count), source=source) for n, (count, source, _) in enumerate(made)]
    known = frozenset(str(n) for n, (_, _, is_known) in enumerate(made) if is_known)
    comparison = comparison_of({"own": rows}, {"own": {"base": [RIGHT] * len(rows)}})
    counted: Counter[str] = Counter()
    for one in slices_of(comparison, known):
        counted[one.by] += one.rows
    kinds = {"tools", "length", "language", "source"} | ({"contamination"} if known else set())
    assert counted == dict.fromkeys(kinds, len(rows))


def test_a_turn_of_a_contaminated_conversation_is_contaminated() -> None:
    rows = [row("a", conversation="talk"), row("b", conversation="other"), row("c")]
    found = sliced(rows, "contamination", frozenset({"talk", "c"}))
    assert {name: one.rows for name, one in found.items()} == {"clean": 1, "contaminated": 2}


ENGLISH = "What will the weather be like in Paris tomorrow, and should I take an umbrella?"
GERMAN = "Wie wird das Wetter morgen in München am Abend, und brauche ich einen Schirm?"


@pytest.mark.parametrize(
    ("asked", "contaminated", "said"),
    [
        pytest.param(
            [ENGLISH, ENGLISH],
            NOTHING,
            "All rows of own are in one language as far as a guess can tell (en), so that there are no "
            "slices by language. All rows of own are clean, so that there are no slices by contamination.",
            id="neither",
        ),
        pytest.param(
            [ENGLISH, GERMAN],
            NOTHING,
            "All rows of own are clean, so that there are no slices by contamination.",
            id="two-languages",
        ),
        pytest.param([ENGLISH, GERMAN], frozenset({"0"}), "", id="both"),
        pytest.param(
            ["?!", "..."],
            frozenset({"0"}),
            "No row of own has a language that could be guessed, so that there are no slices by language.",
            id="no-language",
        ),
    ],
)
def test_what_makes_no_slices_is_said(asked: list[str], contaminated: frozenset[str], said: str) -> None:
    rows = [row(str(n), messages=[{"role": "user", "content": text}]) for n, text in enumerate(asked)]
    comparison = comparison_of({"own": rows}, {"own": {"base": [RIGHT] * len(rows)}})
    meaning, _, rest = describe_undivided(slices_of(comparison, contaminated)).partition("none does.")
    assert meaning.startswith("A test row is contaminated where a training row asks the same")
    assert rest.strip() == said


def test_suites_are_sliced_in_their_order_and_by_their_own_main_metric() -> None:
    half = RIGHT._replace(parts={**RIGHT.parts, "acc_norm": 0.0, "acc": 1.0})
    comparison = comparison_of(
        {"when2call_mcq": [row("a")], "own": [row("a")]},
        {"when2call_mcq": {"base": [half]}, "own": {"base": [half]}},
    )
    found = {(one.suite, one.by): one.figures["base"].value for one in slices_of(comparison, NOTHING)}
    assert list(dict.fromkeys(suite for suite, _ in found)) == ["when2call_mcq", "own"]
    assert (found["when2call_mcq", "tools"], found["own", "tools"]) == (0.0, 1.0)


def write_lines(path: Path, *records: object) -> None:
    path.write_text("".join(json.dumps(one) + "\n" for one in records), encoding="utf-8")


def pair(train: str, test: str) -> dict[str, Any]:
    ends = {"train": {"id": train, "file": "a", "line": 1}, "test": {"id": test, "file": "b", "line": 1}}
    return {"kind": "exact", **ends, "text": "the question"}


@pytest.mark.parametrize(
    ("sft", "preference", "expected"),
    [
        pytest.param(["t1"], None, {"a"}, id="trained-on-by-sft"),
        pytest.param([], ["t2"], {"b"}, id="trained-on-by-dpo"),
        pytest.param(["t1"], ["t2", "t1"], {"a", "b"}, id="both"),
        pytest.param(["other"], ["another"], set(), id="dropped-or-capped-away"),
        pytest.param(None, None, set(), id="nothing-was-trained"),
    ],
)
def test_contaminated_is_what_a_row_that_was_trained_on_asks_too(
    tmp_path: Path, sft: list[str] | None, preference: list[str] | None, expected: set[str]
) -> None:
    write_lines(tmp_path / OVERLAP, pair("t1", "a"), pair("t2", "b"), pair("t3", "c"))
    for name, ids in (("train_sft.jsonl", sft), ("train_pref.jsonl", preference)):
        if ids is not None:
            write_lines(tmp_path / name, *({"id": one} for one in ids))
    assert read_contaminated(tmp_path) == expected


def test_without_overlap_nothing_is_contaminated(tmp_path: Path) -> None:
    assert read_contaminated(tmp_path) == NOTHING
    (tmp_path / OVERLAP).write_text("")
    assert read_contaminated(tmp_path) == NOTHING


def test_an_overlap_that_cannot_be_read_is_bad_input(tmp_path: Path) -> None:
    (tmp_path / OVERLAP).write_text("{\n")
    with pytest.raises(BadInput, match=r"overlap\.jsonl, line 1"):
        read_contaminated(tmp_path)
