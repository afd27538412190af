"""The decision of an answer: stated in any shape's word, or told as the grader tells it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.rows import DECISIONS, RowError
from data.shapes.decisions import infer_decision, read_decision
from evaluation.toolcalls import DECISIONS as GRADED

ANSWERS = [
    ("Which city do you mean?", "request_for_info"),
    ("I'm sorry, but I can't order pizza. Is there anything else I can help with?", "cannot_answer"),
    ("The capital of Norway is Oslo.", "direct"),
]


@pytest.mark.parametrize(("text", "decision"), ANSWERS)
def test_words(text: str, decision: str) -> None:
    assert infer_decision({"content": text}) == decision


def test_calls_come_before_words() -> None:
    assert infer_decision({"content": "Which?", "tool_calls": [{}]}) == "tool_call"


def test_rows_and_grader_know_the_same_decisions() -> None:
    assert set(DECISIONS) == set(GRADED)


@given(st.text())
def test_any_text_has_one_decision(text: str) -> None:
    assert infer_decision({"content": text}) in DECISIONS


@pytest.mark.parametrize(
    ("label", "decision"), [("call", "tool_call"), ("ask", "request_for_info"), ("direct", "direct")]
)
def test_labels_of_other_shapes(label: str, decision: str) -> None:
    assert read_decision(label, "label") == decision


@pytest.mark.parametrize("label", [None, "", 3, "TOOL_CALL", ["call"]])
def test_unknown_labels_are_errors(label: object) -> None:
    with pytest.raises(RowError, match="label: unknown decision"):
        read_decision(label, "label")
