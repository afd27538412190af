"""Which of the four decisions a row's answer takes, stated by the row or told from the answer.

When2Call's training rows carry no label. Where none is stated, the grader's own rule reads the words, so that
a row is counted as what the model that learns it will be graded as.
"""

from collections.abc import Mapping
from typing import Any, cast

from data.rows import DECISIONS, Decision, RowError
from evaluation.toolcalls.decision import decision_of_text

# The names that other shapes use for the same four.
LABELS: Mapping[str, Decision] = {
    **{decision: decision for decision in DECISIONS},
    "call": "tool_call",
    "ask": "request_for_info",
    "refuse": "cannot_answer",
}


def read_decision(value: object, field: str) -> Decision:
    """Read a named decision in any shape's word for it. Raises RowError."""
    decision = LABELS.get(str(value))
    if decision is None:
        raise RowError(field, f"unknown decision {value!r}", f"use one of {', '.join(DECISIONS)}")
    return decision


def infer_decision(answer: Mapping[str, Any]) -> Decision:
    """Tell the decision of a canonical assistant message from its calls, or else from its words.

    >>> infer_decision({"content": "Which city should I look up?"})
    'request_for_info'
    """
    if answer.get("tool_calls"):
        return "tool_call"
    return cast(Decision, decision_of_text(str(answer["content"])))
