"""Which of the four decisions an answer makes, where the row does not say so.

When2Call's training rows carry no label. The label serves sampling and the report; no score rests on it.
"""

import re
from collections.abc import Mapping
from typing import Any

from data.rows import DECISIONS, Decision, RowError

# The names that other shapes use for the same four.
LABELS: Mapping[str, Decision] = {
    **{decision: decision for decision in DECISIONS},
    "call": "tool_call",
    "ask": "request_for_info",
    "refuse": "cannot_answer",
}
# An offer to go on, not a question about the request.
COURTESY = re.compile(
    r"is there (any|some)thing|(any|some)thing else (i|that|you)|(can|may) i (help|assist)", re.I
)
ASKS = re.compile(
    r"please (provide|specify|tell|share|give|clarify|say|let|send|indicate|state|name|add)"
    r"|\b(let me know|tell me|may i have|i (still |also )?need|i'll need|did not mention|once you)\b"
    r"|^(sure[.,] )?(which|what|where|when|who|how many)\b",
    re.I,
)
DECLINES = re.compile(
    r"\b(can['’]?t|can ?not|unable|not able|not equipped|no (access|tool|function|way|suitable)|none of"
    r"|out(side)? of|beyond|do(es)?(n['’]t| not) (have|support|let|allow|cover)|isn['’]t something"
    r"|not (supported|available)|i can [^.]* but not)\b",
    re.I,
)
SENTENCE_END = re.compile(r"(?<=[.!?])\s+")
# Longer texts that are not a call are worked answers: a question mark in them is part of the work.
MAX_SHORT_ANSWER_CHARACTERS = 600


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
    >>> infer_decision({"content": "I'm sorry, none of my tools can do that. Can I help with anything else?"})
    'cannot_answer'
    """
    if answer.get("tool_calls"):
        return "tool_call"
    text = str(answer["content"])
    if len(text) > MAX_SHORT_ANSWER_CHARACTERS or "```" in text:
        return "direct"
    kept = " ".join(part for part in SENTENCE_END.split(text) if not COURTESY.search(part))
    if "?" in kept:
        return "request_for_info"
    if DECLINES.search(text):
        return "cannot_answer"
    return "request_for_info" if ASKS.search(kept) else "direct"
