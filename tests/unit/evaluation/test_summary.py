"""A suite's summary: what it holds, what it leaves out, and that it is quick and documented."""

from __future__ import annotations

import re
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from evaluation.figures import FIGURES, OUTCOMES
from evaluation.suites import SUITES, Suite
from evaluation.summary import summarise
from evaluation.tables import table_of_summary
from evaluation.toolcalls import score_suite
from evaluation.toolcalls.metrics import CategoryMean, MacroF1, Proportion, Ratio
from evaluation.toolcalls.score import Score
from tests.unit.evaluation.rows import ANSWERS, call_row, choice_row, hermes, text_row

GENERATED_CALLS, MULTIPLE_CHOICE = SUITES["own"], SUITES["when2call_mcq"]
DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "metrics.md"
INTERVALS = {
    Proportion: "Wilson",
    Ratio: "bootstrap",
    MacroF1: "bootstrap",
    CategoryMean: "square and add",
}
GOLD = ("get_weather", {"city": "Paris"})
SAID = (
    hermes(*GOLD),
    hermes("get_weather", {"city": "Rome", "days": 2}),
    hermes("set_timer", {"minutes": 1}) + hermes("fly", {}),
    ANSWERS["request_for_info"],
    "<tool_call>{",
)


def suite_of(count: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Rows of every decision and several sources, and one prediction for all but the last."""
    made = (
        lambda number: call_row(GOLD, row_id=f"r{number}"),
        lambda number: text_row("request_for_info", f"r{number}"),
        lambda number: text_row("cannot_answer", f"r{number}"),
    )
    rows = [{**made[n % 3](n), "source": f"source {n % 4}"} for n in range(count)]
    said = [
        {"id": row["id"], "completion": SAID[number % len(SAID)], "format": "hermes"}
        for number, row in enumerate(rows[:-1])
    ]
    return rows, said


def test_a_row_without_a_score_is_unscored_and_in_no_figure() -> None:
    rows, said = suite_of(31)
    scores = score_suite(rows, said).scores
    summary = summarise(GENERATED_CALLS, rows, scores)
    assert (summary.rows, summary.unscored) == (31, 1)
    assert summary.errors == {"no prediction has this id": 1}
    assert summary.metrics["accuracy"].n == sum(summary.reasons.values()) == 30
    assert sum(sum(row.values()) for row in summary.confusion.values()) == 30
    dropped = {row_id: score for row_id, score in scores.items() if row_id != "r0"}
    assert summarise(GENERATED_CALLS, rows, dropped).errors["no score has this id"] == 1


def test_the_summary_of_any_order_of_rows_is_the_same() -> None:
    rows, said = suite_of(30)
    scores = score_suite(rows, said).scores
    assert asdict(summarise(GENERATED_CALLS, rows, scores)) == asdict(
        summarise(GENERATED_CALLS, rows[::-1], scores)
    )


@pytest.mark.parametrize("suite", [GENERATED_CALLS, MULTIPLE_CHOICE], ids=lambda suite: suite.kind)
def test_nothing_scored_is_none_everywhere(suite: Suite) -> None:
    summary = summarise(suite, [call_row(GOLD)], {"r1": Score(None, error="lost")})
    for one in (*summary.metrics.values(), *summary.recall.values()):
        assert (one.value, one.low, one.high, one.n) == (None, None, None, 0)
    assert (summary.categories, summary.confusion, summary.reasons) == ({}, {}, {})


def test_each_source_has_its_own_ast_accuracy() -> None:
    rows = [{**call_row(GOLD, row_id=str(n)), "source": "ab"[n % 2]} for n in range(4)]
    said = [{"id": str(n), "completion": SAID[n % 2], "format": "hermes"} for n in range(4)]
    found = summarise(GENERATED_CALLS, rows, score_suite(rows, said).scores).categories
    assert {name: (one.value, one.n) for name, one in found.items()} == {"a": (1.0, 2), "b": (0.0, 2)}


def test_multiple_choice_has_the_figures_of_its_choices() -> None:
    rows = [choice_row("cannot_answer", "a"), {**choice_row("cannot_answer", "b"), "tools": "[]"}]
    likely = {name: {"logprob": -9.0, "tokens": 1, "characters": 9} for name in ANSWERS}
    choices = {**likely, "tool_call": {"logprob": -1.0, "tokens": 1, "characters": 9}}
    said = [{"id": row["id"], "choices": choices} for row in rows]
    found = summarise(MULTIPLE_CHOICE, rows, score_suite(rows, said).scores).metrics
    assert {name: (one.value, one.n) for name, one in found.items()} == {
        "acc": (0.0, 2),
        "acc_norm": (0.0, 2),
        "macro_f1": (0.0, 2),
        "macro_f1_all": (0.0, 2),
        "tool_hallucination_rate": (1.0, 1),
        "irrelevance_accuracy": (0.0, 2),
        "over_call_rate": (1.0, 2),
        "under_call_rate": (None, 0),
    }


def test_multiple_choice_has_no_accuracy_of_calls_by_source() -> None:
    rows = [{**choice_row("tool_call", name), "source": name} for name in "ab"]
    likely = {name: {"logprob": -9.0, "tokens": 1, "characters": 9} for name in ANSWERS}
    scores = score_suite(rows, [{"id": row["id"], "choices": likely} for row in rows]).scores
    summary = summarise(MULTIPLE_CHOICE, rows, scores)
    assert summary.categories == {}
    assert "ast_accuracy" not in table_of_summary(summary, [], [])


def test_rows_that_could_not_be_read_are_unscored_rows() -> None:
    rows, said = suite_of(30)
    summary = summarise(GENERATED_CALLS, rows, score_suite(rows, said).scores)
    more = summary.with_unread(["no JSON", "no JSON", "no tools"])
    assert (more.rows, more.unscored) == (33, 4)
    assert more.errors == {"no JSON": 2, "no prediction has this id": 1, "no tools": 1}
    assert more.metrics == summary.metrics
    assert summary.with_unread([]) == summary


@pytest.mark.parametrize("name", SUITES)
def test_what_tables_show_comes_first_and_the_main_metric_can_be_held_row_against_row(name: str) -> None:
    suite = SUITES[name]
    assert suite.figures[: len(suite.shown)] == suite.shown, "what is read first stands first"
    assert len(set(suite.figures)) == len(suite.figures)
    assert suite.main_metric in OUTCOMES


def test_a_conversation_is_right_if_every_turn_is() -> None:
    rows = [
        {**call_row(GOLD, row_id=f"{talk}#{turn}"), "conversation": talk} for talk in "abc" for turn in (1, 2)
    ]
    rows.append(call_row(GOLD, row_id="alone"))
    said = [{"id": row["id"], "completion": SAID[row["id"] == "b#2"], "format": "hermes"} for row in rows]
    # The third talk lacks a turn, so nobody knows whether it is right.
    scores = score_suite(rows, [one for one in said if one["id"] != "c#1"]).scores
    found = summarise(SUITES["multi_turn"], rows, scores).metrics["conversation_accuracy"]
    assert (found.value, found.n) == (0.5, 2)


def test_a_whole_benchmark_s_figures_take_seconds_at_most() -> None:
    rows, said = suite_of(3_652)
    scores = score_suite(rows, said).scores
    started = time.process_time()
    summary = summarise(GENERATED_CALLS, rows, scores)
    assert time.process_time() - started < 5
    assert summary.metrics["argument_f1"].n > 1_000


def test_the_document_says_of_every_figure_what_the_code_does() -> None:
    lines = re.findall(r"^\| `(\w+)` \| (.*) \| (.*) \| (.*) \| (.*) \|$", DOCUMENT.read_text(), re.MULTILINE)
    assert lines == [
        (name, one.counts, one.of, INTERVALS[type(one.tally([]))], one.source)
        for name, one in FIGURES.items()
    ]
