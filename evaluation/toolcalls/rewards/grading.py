"""Rewards for reinforcement: the evaluation's score, less what only a completion that games it would gain.

The reward of a completion is the weighted mean of its score's parts (1 where it is correct, less than 1
where it is not) times four factors in [0, 1]. An answer given in one way and at usual length has them all
at 1, so that its reward under the default weights is its score's value. `docs/reward_hacking.md` shows what
each strategy gets that has no interest in being right.

- `calls`: expected over made calls where more are made than expected: a surplus call acts on the world.
- `order`: half and half with the part of that name: calls in the wrong order are all there, and still wrong.
- `one_answer`: 1/2 for a hedge: calls beside a text that asks or declines, or a call that stands in the text
  once more, in another format or between empty tags.
- `length`: the characters that a completion may take over those that it took, its thoughts included.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from evaluation.toolcalls.completion import Completion
from evaluation.toolcalls.decision import MALFORMED, decision_of_text
from evaluation.toolcalls.gold import Row
from evaluation.toolcalls.parse import FORMATS, parse_completion
from evaluation.toolcalls.rewards.generations import Generated, Generation, read_generation
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
MAX_WEIGHT = 1e6
OPENINGS = ("<tool_call>", "<TOOLCALL>", "[TOOL_CALLS]", "<function=", "<|python_tag|>")
UNTAGGED_FORMATS = ("bare_json", "llama3_pythonic")


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
    generation = read_generation(generated, format, _tools_text(row))
    score = _score(generation.completion, row)
    if score.value is None:
        return Reward(None, score, {})
    # No incorrect completion is paid as much as a correct one, however the weights are set.
    value = 1.0 if score.is_correct else min(weighted_value(score.parts, weights), HIGHEST_PARTIAL_VALUE)
    factors = _factors(generation, score, row) if value else {}
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


def _factors(generation: Generation, score: Score, row: Row) -> dict[str, float]:
    made, expected = score.counts.get("calls", 0), score.counts.get("expected_calls", 0)
    return {
        "calls": min(1.0, expected / made) if made else 1.0,
        "order": (1.0 + score.parts.get("order", 1.0)) / 2,
        "one_answer": HEDGE if _hedges(generation) else 1.0,
        "length": _length_factor(generation.characters, row),
    }


def _hedges(generation: Generation) -> bool:
    calls, said = generation.completion.calls, generation.completion.text
    # A thought may try a call out; only what follows it is the answer.
    answer = generation.text.rpartition("</think>")[2]
    if any(answer.count(opening) > max(len(calls), 1) for opening in OPENINGS):
        return True
    if not said:
        return False
    if calls and decision_of_text(said) in ("request_for_info", "cannot_answer"):
        return True
    untagged = (name for name in UNTAGGED_FORMATS if name in FORMATS)
    return any(opening in said for opening in OPENINGS) or any(
        parse_completion(said, name).calls for name in untagged
    )


def _length_factor(characters: int, row: Row) -> float:
    if characters <= FREE_CHARACTERS:
        return 1.0
    allowed = FREE_CHARACTERS + len(json.dumps(row.get("expected"), default=str))
    return min(1.0, allowed / characters)


def _tools_text(row: Row) -> str | None:
    tools = row.get("tools")
    return tools if isinstance(tools, str) or tools is None else json.dumps(tools, default=str)


def _is_number(weight: object) -> bool:
    return isinstance(weight, int | float) and not isinstance(weight, bool)


def _known() -> str:
    return ", ".join(DEFAULT_WEIGHTS)
