"""Scoring a suite: what is missing, doubled or unknown is counted apart, and nothing is scored twice."""

from __future__ import annotations

from typing import Any

import pytest

from evaluation.toolcalls import score_suite
from evaluation.toolcalls.metrics import Graded, accuracy, confusion, part_rate, recall_by_decision
from evaluation.toolcalls.score import Score
from evaluation.toolcalls.suite import record_of, score_of
from tests.unit.evaluation.rows import ANSWERS, call_row, hermes, text_row

GOOD = {"id": "r1", "completion": hermes("get_weather", {"city": "Paris"}), "format": "hermes"}
ROW = call_row(("get_weather", {"city": "Paris"}))
CALLED = {"type": "function", "function": {"name": "get_weather", "arguments": '{"city": "Paris"}'}}
MESSAGE = {"role": "assistant", "content": None, "tool_calls": [CALLED]}


@pytest.mark.parametrize(
    ("predictions", "error", "why"),
    [
        ([GOOD], None, "one prediction"),
        ([GOOD, GOOD], None, "the same line twice is one prediction"),
        ([], "no prediction", "none"),
        ([GOOD, {**GOOD, "completion": ""}], "2 different predictions", "neither can be trusted"),
        ([{"id": "r1", "error": "no memory"}], "not predicted: no memory", "the predictor said why"),
        ([{**GOOD, "error": None}], None, "null is no error"),
        ([{**GOOD, "error": ""}], None, "nor is nothing"),
        ([{**GOOD, "error": False}], None, "nor is false"),
        ([{**GOOD, "error": True}], "not predicted: True", "true is one"),
        ([{"id": "r1"}], "needs 'choices'", "neither choices nor a completion"),
        ([{**GOOD, "format": "hermse"}], "hermes, qwen3", "an unknown format names the known ones"),
        ([{**GOOD, "completion": 5}], "needs 'choices'", "a completion that is no text"),
        ([{**GOOD, "format": None}], "needs 'choices'", "no format"),
        ([{**GOOD, "completion": MESSAGE}], None, "a message needs none, whatever it says"),
    ],
)
def test_a_row_without_a_usable_prediction_is_unscored(
    predictions: list[Any], error: str | None, why: str
) -> None:
    scored = score_suite([ROW], predictions)
    score = scored.scores["r1"]
    assert (score.value == 1.0) == (error is None), why
    assert (error or "") in (score.error or ""), why
    assert scored.scored == (error is None)


def test_unknown_ids_are_told_and_rows_with_one_id_are_refused() -> None:
    assert score_suite([ROW], [GOOD, {**GOOD, "id": "other"}]).unknown_ids == ("other",)
    with pytest.raises(ValueError, match="'r1'"):
        score_suite([ROW, ROW], [])


@pytest.mark.parametrize(
    "score", [Score(0.5, "wrong_value", {"values": 0.5}, "tool_call"), Score(None, error="no prediction")]
)
def test_a_score_survives_its_line(score: Score) -> None:
    assert score_of(record_of("r1", score)) == score


GOOD_LINE = {
    **record_of("r1", score_suite([ROW], [GOOD]).scores["r1"]),
    "error": None,
}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"value": "1.0"}, "value"),
        ({"value": float("nan")}, "value"),
        ({"value": 1.5}, "value"),
        ({"value": -0.1}, "value"),
        ({"value": 10**400}, "value"),
        ({"value": True}, "value"),
        ({"decision": ["a"]}, "decision"),
        ({"decision": "call"}, "decision"),
        ({"decision": None}, "decision"),
        ({"reason": 5}, "reason"),
        ({"reason": None}, "reason"),
        ({"parts": [["decision", 1.0]]}, "parts"),
        ({"parts": {"decision": "x"}}, "parts"),
        ({"parts": {"decision": float("inf")}}, "parts"),
        ({"parts": None}, "parts"),
        ({"error": {}}, "error"),
        ({"counts": {"calls": "x"}}, "counts"),
        ({"counts": {"calls": 1}}, "counts"),
        ({"counts": None}, "counts"),
        ({"counts": {**GOOD_LINE["counts"], "calls": 0.5}}, "counts"),
        ({"counts": {**GOOD_LINE["counts"], "calls": -1}}, "counts"),
        ({"counts": {**GOOD_LINE["counts"], "calls": True}}, "counts"),
        ({"counts": {**GOOD_LINE["counts"], "calls": 10**400}}, "counts"),
    ],
    ids=lambda one: one if isinstance(one, str) else str(sorted(one.items()))[:60],
)
def test_a_line_that_no_figure_could_count_is_no_score(change: dict[str, Any], field: str) -> None:
    assert score_of(GOOD_LINE).is_correct
    with pytest.raises(ValueError, match=f"'{field}'"):
        score_of({**GOOD_LINE, **change})


@pytest.mark.parametrize("field", ["value", "reason", "parts"])
def test_a_score_has_every_field(field: str) -> None:
    with pytest.raises(ValueError, match=f"'{field}' is absent"):
        score_of({name: one for name, one in GOOD_LINE.items() if name != field})


def graded(*outcomes: tuple[str, str | None]) -> list[Graded]:
    made = []
    for expected, taken in outcomes:
        right = float(taken == expected)
        score = Score(right, "correct", {"decision": right}, taken) if taken else Score(None, error="lost")
        made.append(Graded(expected, score))
    return made


def test_metrics_leave_unscored_rows_out_and_give_none_for_nothing() -> None:
    rows = graded(
        ("tool_call", "tool_call"), ("tool_call", "direct"), ("tool_call", None), ("direct", "direct")
    )
    scores = [one.score for one in rows]
    assert accuracy(scores).value == pytest.approx(2 / 3)
    assert accuracy([]).value is None
    assert accuracy([Score(None)]).value is None
    assert part_rate(scores, "acc").value is None
    recall = recall_by_decision(rows)
    assert (recall["tool_call"].value, recall["tool_call"].n) == (0.5, 2)
    assert recall["cannot_answer"].value is None
    assert confusion(rows) == {"direct": {"direct": 1}, "tool_call": {"tool_call": 1, "direct": 1}}


def test_partial_values_are_not_counted_as_correct() -> None:
    assert accuracy([Score(0.99, "wrong_value", {})]).value == 0.0


def test_text_rows_and_call_rows_are_scored_in_one_suite() -> None:
    rows = [ROW, text_row("cannot_answer", "r2")]
    said = {"id": "r2", "completion": ANSWERS["cannot_answer"], "format": "hermes"}
    assert [one["value"] for one in score_suite(rows, [said, GOOD]).records()] == [1.0, 1.0]


def test_the_row_s_tools_give_the_types_that_a_format_does_not_write() -> None:
    written = "<function=set_timer>\n<parameter=minutes>\n5\n</parameter>\n</function>"
    said = {"id": "r1", "completion": f"<tool_call>\n{written}\n</tool_call>", "format": "qwen3_coder"}
    assert score_suite([call_row(("set_timer", {"minutes": 5}))], [said]).scores["r1"].is_correct
    texts = call_row(("get_weather", {"city": "5"}))
    said["completion"] = said["completion"].replace("set_timer", "get_weather").replace("minutes", "city")
    assert score_suite([texts], [said]).scores["r1"].is_correct, "a city named 5 is no number"
