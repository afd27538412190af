"""The decision of an unlabelled answer, told from its words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.decisions import infer_decision, read_decision
from data.rows import DECISIONS, RowError

ANSWERS = [
    ("Which city do you mean?", "request_for_info", "a question"),
    ("Please provide the order number.", "request_for_info", "a demand without a question mark"),
    ("Sure. Where are you going to.", "request_for_info", "a question word without a question mark"),
    ("I'm sorry, but I need the exact ticker first.", "request_for_info", "an apology is no refusal"),
    (
        "I can't find the ticker of that company. Could you please spell it?",
        "request_for_info",
        "a refusal that ends in a question asks",
    ),
    ("I'm sorry, but I can't order pizza.", "cannot_answer", "a refusal"),
    ("None of my tools can do that.", "cannot_answer", "a refusal without an apology"),
    ("I can rent cars, but not search flights.", "cannot_answer", "a refusal by contrast"),
    ("To find coupons I also need the product.", "request_for_info", "a need stated"),
    (
        "I don't have a tool for that. Is there anything else I can help with?",
        "cannot_answer",
        "a courtesy question asks for nothing",
    ),
    ("The capital of Norway is Oslo.", "direct", "an answer"),
    ("Yes. Please enjoy your stay.", "direct", "please alone asks for nothing"),
    ("```python\nprint('who?')\n```", "direct", "code with a question mark"),
    ("First, what is a tensor? " + "It is an array. " * 60, "direct", "a long worked answer"),
    ("", "direct", "no text at all"),
]


@pytest.mark.parametrize(("text", "decision", "why"), ANSWERS)
def test_words(text: str, decision: str, why: str) -> None:
    assert infer_decision({"content": text}) == decision, why


def test_calls_come_before_words() -> None:
    assert infer_decision({"content": "Which?", "tool_calls": [{}]}) == "tool_call"


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
