"""Thoughts that stand before an answer: nothing in them is said, so no call in them is made."""

from __future__ import annotations

THINK_OPENING, THINK_CLOSING = "<think>", "</think>"


def begins_with_thought(text: str) -> bool:
    """Tell whether a completion opens a thought itself (the prompt may have opened one before it)."""
    return THINK_OPENING in text and text.lstrip().startswith(THINK_OPENING)
