"""Rewards for reinforcement: the evaluation's score in another shape."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from evaluation.toolcalls.completion import Completion
from evaluation.toolcalls.gold import Row
from evaluation.toolcalls.parse import parse_completion
from evaluation.toolcalls.score import (
    DEFAULT_WEIGHTS,
    HIGHEST_PARTIAL_VALUE,
    score_completion,
    weighted_value,
)

Generated = Completion | str | Mapping[str, Any] | Sequence[Mapping[str, Any]]


def reward(
    completions: Sequence[Generated],
    rows: Sequence[Row],
    weights: Mapping[str, float] | None = None,
    *,
    format: str = "hermes",
) -> list[float | None]:
    """Reward each completion in [0, 1] by the weighted parts of its score.

    `completions`: texts in `format`, assistant messages (or TRL's lists of one), or parsed completions.
    `weights`: by part (decision, tool, order, arguments, values, schema); the default weights make the
    reward the score's value. A malformed completion gets 0.0; None only means that the row itself cannot be
    graded. Raises ValueError for a weight of an unknown part, a negative one, or unequal lengths.
    """
    weights = DEFAULT_WEIGHTS if weights is None else weights
    unknown = [name for name in weights if name not in DEFAULT_WEIGHTS]
    if unknown:
        raise ValueError(f"unknown reward part {unknown[0]!r}; known are {', '.join(DEFAULT_WEIGHTS)}")
    if any(weight < 0 for weight in weights.values()):
        raise ValueError("a reward weight is negative")
    parsed = [_parse(completion, format) for completion in completions]
    return [_reward(one, row, weights) for one, row in zip(parsed, rows, strict=True)]


def _reward(completion: Completion, row: Row, weights: Mapping[str, float]) -> float | None:
    score = score_completion(completion, row)
    if score.value is None or score.is_correct:
        return score.value
    # No incorrect completion is paid as much as a correct one, however the weights are set.
    return min(weighted_value(score.parts, weights), HIGHEST_PARTIAL_VALUE)


def _parse(completion: Generated, format: str) -> Completion:
    if isinstance(completion, Completion):
        return completion
    if isinstance(completion, str):
        return parse_completion(completion, format)
    message = completion if isinstance(completion, Mapping) else (completion or [{}])[-1]
    if message.get("tool_calls"):
        return parse_completion(message, "structured")
    return parse_completion(str(message.get("content") or ""), format)
