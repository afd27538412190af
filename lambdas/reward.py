"""Reward: grade the answers that reinforcement fine-tuning on AWS generates, a batch at a time.

Nova (SageMaker "Implementing reward functions", Bedrock "Setting up reward functions for Amazon Nova models")
takes the list of rewards itself; open-weight models on SageMaker take it as the body of an HTTP answer.
SageMaker HyperPod calls only functions that have "SageMaker" in their name.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from evaluation.toolcalls import Score
from evaluation.toolcalls.rewards import (
    Reward,
    check_format,
    checked_weights,
    decoded,
    grade,
    lacks_tools,
    row_of,
)

RESPONSES = ("nova", "open")
# Whose turn it was, where it was not the model's.
OTHER_ROLES = ("system", "developer", "user", "tool")


class BadSettings(ValueError):
    """An environment variable of the function that cannot be used; names it and what it may be."""


class BadEvent(ValueError):
    """An event that holds no list of answers to grade."""


class Settings(NamedTuple):
    """How to grade and to answer.

    `response`: nova or open. `format`: how the model writes its calls. `weights`: by part of the score.
    """

    response: str
    format: str
    weights: Mapping[str, float]


def handler(event: Any, _context: object) -> Any:
    """Grade a batch `[{id, messages, reference_answer}]`, the last message of each being the model's.

    `reference_answer` is `{expected, tools}` of a canonical row, or `expected` itself with `tools` beside it;
    as an object or a JSON string, in the entry or in its `metadata`. The batch may be the event, its `body`
    (JSON text or not), or the one list in it; a lone entry is a batch of one.

    Returns `[{id, aggregate_reward_score, metrics_list: [{name, value, type}]}]` in the order of the batch,
    or, with REWARD_RESPONSE=open, `{statusCode: 200, headers, body}` with that list as JSON. Trainers demand
    a number: an entry that cannot be graded gets 0.0 with the metric `graded` at 0, and the log says why; a
    group of answers to the same row then has no advantage over one another, so that it trains nothing.
    Raises BadEvent, BadSettings.
    """
    settings = read_settings(os.environ)
    rewards = [_answer(entry, number, settings) for number, entry in enumerate(_entries(event))]
    if settings.response == "nova":
        return rewards
    body = json.dumps(rewards, allow_nan=False)
    return {"statusCode": 200, "headers": {"Content-Type": "application/json"}, "body": body}


def read_settings(variables: Mapping[str, str]) -> Settings:
    """Read REWARD_RESPONSE (nova), REWARD_FORMAT (hermes) and REWARD_WEIGHTS (JSON, by part of the score)."""
    response = variables.get("REWARD_RESPONSE") or "nova"
    if response not in RESPONSES:
        raise BadSettings(f"REWARD_RESPONSE is {response!r}; it may be {' or '.join(RESPONSES)}")
    format = variables.get("REWARD_FORMAT") or "hermes"
    try:
        check_format(format)
    except ValueError as error:
        raise BadSettings(f"REWARD_FORMAT: {error}") from None
    return Settings(response, format, _weights(variables.get("REWARD_WEIGHTS") or "null"))


def _weights(text: str) -> Mapping[str, float]:
    wanted = 'give a JSON object of weights by part, as {"tool": 1, "values": 3}'
    try:
        weights = json.loads(text)
    except (ValueError, RecursionError):
        raise BadSettings(f"REWARD_WEIGHTS is {text!r:.80}, which is no JSON; {wanted}") from None
    try:
        return checked_weights(weights)
    except ValueError as error:
        raise BadSettings(f"REWARD_WEIGHTS: {error}; {wanted}") from None


def _entries(event: Any) -> Sequence[Any]:
    if isinstance(event, Mapping) and "body" in event:
        event = decoded(event["body"])
    if isinstance(event, list):
        return event
    if isinstance(event, Mapping):
        if "messages" in event:
            return [event]
        lists = [value for value in event.values() if isinstance(value, list)]
        if len(lists) == 1:
            return lists[0]
    raise BadEvent("the event is no list of {id, messages, reference_answer}, nor holds one such list")


def _answer(entry: Any, number: int, settings: Settings) -> dict[str, Any]:
    fields = entry if isinstance(entry, Mapping) else {}
    given_id = fields.get("id")
    is_id = isinstance(given_id, str | int) and not isinstance(given_id, bool)
    # A bare number could be the id of another entry, and trainers join the answers by id.
    row_id = given_id if is_id else f"entry-{number}"
    graded = _grade(fields, settings)
    if graded.value is None:
        print(json.dumps({"id": row_id, "not_graded": graded.score.error}))
    return {
        "id": row_id,
        "aggregate_reward_score": graded.value or 0.0,
        "metrics_list": _metrics(graded),
    }


def _grade(fields: Mapping[str, Any], settings: Settings) -> Reward:
    messages = fields.get("messages")
    said = messages[-1] if isinstance(messages, list) and messages else None
    if not isinstance(said, Mapping) or said.get("role") in OTHER_ROLES:
        why = "'messages' does not end with a message of the model"
        return Reward(None, Score(None, error=why), {})
    row = row_of(_reference(fields))
    if lacks_tools(row):
        return Reward(None, Score(None, error="the row expects calls and has no 'tools'"), {})
    return grade(said, row, settings.weights, format=settings.format)


def _reference(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The first of `expected`, `tools` and `answers` in the reference, the metadata, and the entry itself."""
    metadata = decoded(fields.get("metadata"))
    metadata = metadata if isinstance(metadata, Mapping) else {}
    reference = fields.get("reference_answer")
    reference = decoded(metadata.get("reference_answer") if reference is None else reference)
    reference = reference if isinstance(reference, Mapping) else {}
    if "decision" in reference:
        reference = {**reference, "expected": reference}
    found: dict[str, Any] = {}
    for place in (fields, metadata, reference):
        found |= {
            name: place[name] for name in ("expected", "tools", "answers") if place.get(name) is not None
        }
    return found


def _metrics(graded: Reward) -> list[dict[str, Any]]:
    """The parts and factors that made the reward, and what of it a person wants to watch."""
    made = {**graded.score.parts, **{f"factor_{name}": value for name, value in graded.factors.items()}}
    watched = {"correct": graded.score.is_correct, "graded": graded.value is not None}
    return [
        *({"name": name, "value": value, "type": "Reward"} for name, value in made.items()),
        *({"name": name, "value": float(value), "type": "Metric"} for name, value in watched.items()),
    ]
