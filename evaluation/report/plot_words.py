"""The words of pictures that the code has shorter or longer names for."""

from __future__ import annotations

from evaluation.toolcalls.decision import MALFORMED

DECISION_NAMES = {
    "tool_call": "call",
    "request_for_info": "ask",
    "cannot_answer": "decline",
    "direct": "answer",
    MALFORMED: "malformed",
}


def count_rows(count: int) -> str:
    """A number of rows in words.

    >>> count_rows(1), count_rows(1200)
    ('1 row', '1,200 rows')
    """
    return f"{count:,} {'row' if count == 1 else 'rows'}"


def reason_words(reason: str) -> str:
    """A reason of the closed list as words.

    >>> reason_words("call_when_should_ask")
    'call when should ask'
    """
    return reason.replace("_", " ")
