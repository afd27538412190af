"""Rewards for reinforcement: the evaluation's score, less what only a completion that games it would gain.

The reward of a completion is the weighted mean of its score's parts (1 where it is correct, less than 1
where it is not) times four factors in [0, 1]. An answer given in one way and at usual length has them all
at 1, so that its reward under the default weights is its score's value. `docs/reward_hacking.md` shows what
each strategy gets that has no interest in being right.

- `calls`: expected over made calls where more are made than expected: a surplus call acts on the world.
- `order`: 0.9 to 1, by the part of that name: two right calls the wrong way round get less than two in order
  of which one value is wrong, and more than two whose values are all wrong.
- `one_answer`: 1/2 for a hedge, where calls are expected: anything said behind the last call, for a call ends
  the turn; a text beside the calls that asks or declines, or that holds a call of its own; empty tags.
- `length`: the characters that a completion may take over those that it took, its thoughts included.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from evaluation.toolcalls.completion import Completion
from evaluation.toolcalls.decision import MALFORMED
from evaluation.toolcalls.gold import Row
from evaluation.toolcalls.parse import FORMATS
from evaluation.toolcalls.rewards.generations import (
    Generated,
    Generation,
    count_characters,
    read_generation,
)
from evaluation.toolcalls.rewards.hedging import Reading, is_hedged
from evaluation.toolcalls.score import (
    DEFAULT_WEIGHTS,
    HIGHEST_PARTIAL_VALUE,
    Score,
    score_completion,
    weighted_value,
)

__all__ = ["Generated", "Reward", "check_format", "checked_weights", "grade", "reward"]

# About 4,000 tokens: a thought of usual length is free. What a row expects is free on top of it.
FREE_CHARACTERS = 16_000
HEDGE = 0.5
OUT_OF_ORDER = 0.9
MAX_WEIGHT = 1e6


# What `json.dumps` raises for objects nested too deep, within themselves, or with keys that are no strings.
UNWRITABLE = (RecursionError, ValueError, TypeError)


class Reward(NamedTuple):
    """A graded completion: `value` in [0, 1], or None where `score` is unscored, with the factors in it."""

    value: float | None
    score: Score
    factors: Mapping[str, float]


def reward(
    completions: Sequence[Generated],
    rows: Sequence[Row],
    weights: Mapping[str, float] | None = None,
    *,
    format: str = "hermes",
) -> list[float | None]:
    """Reward each completion in [0, 1]: the weighted parts of its score, times the factors of this module.

    `completions`: texts in `format`, assistant messages (or TRL's lists of them), or parsed completions.
    `weights`: by part (decision, tool, order, arguments, values, schema); None takes the evaluation's. A
    malformed completion gets 0.0, whatever it is; None only means that the row itself cannot be graded.
    Raises ValueError for weights that `checked_weights` refuses, an unknown format, or unequal lengths.
    """
    weights = checked_weights(weights)
    check_format(format)
    if len(completions) != len(rows):
        raise ValueError(f"{len(completions)} completions for {len(rows)} rows; give a row for each")
    return [grade(one, row, weights, format=format).value for one, row in zip(completions, rows, strict=True)]


def grade(
    generated: Generated, row: Row, weights: Mapping[str, float] = DEFAULT_WEIGHTS, *, format: str = "hermes"
) -> Reward:
    """Reward one completion as `reward` does, and say by what; the weights are taken as they are."""
    if not isinstance(row, Mapping):
        return Reward(None, Score(None, error="the row is not an object"), {})
    try:
        tools = _tools_text(row)
    except UNWRITABLE:
        return Reward(
            None, Score(None, error="the row cannot be graded: 'tools' cannot be written as JSON"), {}
        )
    generation = read_generation(generated, format, tools)
    score = _score(generation.completion, row)
    if score.value is None:
        return Reward(None, score, {})
    # No incorrect completion is paid as much as a correct one, however the weights are set.
    value = (
        1.0 if score.is_correct else min(weighted_value(_paid_parts(score), weights), HIGHEST_PARTIAL_VALUE)
    )
    factors = _factors(generation, score, row, Reading(format, tools)) if value else {}
    return Reward(value * math.prod(factors.values()), score, factors)


def checked_weights(weights: Mapping[str, float] | None) -> dict[str, float]:
    """Return the weights to use, the greatest of them 1; None takes the evaluation's.

    Raises ValueError for an unknown part, a weight that is no number from 0 to 1e6, or none above 0.
    """
    if weights is None:
        weights = DEFAULT_WEIGHTS
    if not isinstance(weights, Mapping):
        raise ValueError(f"the reward weights are {weights!r:.80}; give a weight by part, {_known()}")
    for name, weight in weights.items():
        if name not in DEFAULT_WEIGHTS:
            raise ValueError(f"unknown reward part {name!r:.80}; known are {_known()}")
        if not _is_number(weight) or not -MAX_WEIGHT <= weight <= MAX_WEIGHT:
            raise ValueError(f"the reward weight of {name!r} is {weight!r:.80}; give a number from 0 to 1e6")
        if weight < 0:
            raise ValueError(f"the reward weight of {name!r} is negative, {weight!r}; give 0 to leave it out")
    greatest = max(weights.values(), default=0)
    if not greatest:
        raise ValueError(f"no reward weight is above 0; give one to a part, {_known()}")
    return {name: weight / greatest for name, weight in weights.items()}


def check_format(format: str) -> None:
    """Raise ValueError for a format that no parser knows, naming those that are known."""
    if format not in FORMATS:
        raise ValueError(f"unknown tool-call format {format!r}; known are {', '.join(FORMATS)}")


def _score(completion: Completion, row: Row) -> Score:
    try:
        return score_completion(completion, row)
    except RecursionError:
        # Parsed text is capped in depth; objects that a caller hands over may be nested without an end.
        return Score(0.0, "malformed_call", {"decision": 0.0}, MALFORMED)


def _paid_parts(score: Score) -> Mapping[str, float]:
    """The parts of a score, less the order of surplus calls: calling all of them twice holds any order."""
    if "order" not in score.parts or score.counts["calls"] <= score.counts["expected_calls"]:
        return score.parts
    return {**score.parts, "order": 0.0}


def _factors(generation: Generation, score: Score, row: Row, reading: Reading) -> dict[str, float]:
    made, expected = score.counts.get("calls", 0), score.counts.get("expected_calls", 0)
    return {
        "calls": min(1.0, expected / made) if made else 1.0,
        "order": OUT_OF_ORDER + (1 - OUT_OF_ORDER) * _paid_parts(score).get("order", 1.0),
        "one_answer": HEDGE if is_hedged(generation, reading) else 1.0,
        "length": _length_factor(generation.characters, row),
    }


def _length_factor(characters: int, row: Row) -> float:
    if characters <= FREE_CHARACTERS:
        return 1.0
    expected = row.get("expected")
    try:
        free = len(json.dumps(expected, default=str))
    except UNWRITABLE:
        free = count_characters(expected)
    return min(1.0, (FREE_CHARACTERS + free) / characters)


def _tools_text(row: Row) -> str | None:
    tools = row.get("tools")
    return tools if isinstance(tools, str) or tools is None else json.dumps(tools, default=str)


def _is_number(weight: object) -> bool:
    return isinstance(weight, int | float) and not isinstance(weight, bool)


def _known() -> str:
    return ", ".join(DEFAULT_WEIGHTS)
