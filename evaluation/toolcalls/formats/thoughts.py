"""Thoughts that stand before an answer: nothing in them is said, so no call in them is made."""

from __future__ import annotations

THINK_OPENING, THINK_CLOSING = "<think>", "</think>"


def begins_with_thought(text: str) -> bool:
    """Tell whether a completion opens a thought itself (the prompt may have opened one before it)."""
    return text.startswith(THINK_OPENING, _first_sign(text))


def _first_sign(text: str) -> int:
    return len(text) - len(text.lstrip())
