"""The order of a conversation's turns: what chat templates render, and servers accept."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from data.rows import RowError

Message = Mapping[str, Any]
Placed = tuple[str, Message]


def check_roles(placed: Sequence[Placed]) -> None:
    """Check the order of roles. `placed`: each canonical message with the field that it comes from.

    A system message comes before the conversation, a tool's result after a call. Turns of one role in a row
    are left as they are: people do send two messages, and tools may be called before an answer. Raises
    RowError naming the message.
    """
    before: Message | None = None
    for field, message in placed:
        role = message["role"]
        if role == "system" and before is not None and before["role"] != "system":
            raise RowError(
                f"{field}.role", "is system within the conversation", "move it before the first user turn"
            )
        if role == "tool" and not _may_bring_results(before):
            raise RowError(
                f"{field}.role", "is tool where nothing was called", "put it after the assistant's tool_calls"
            )
        before = message


def order_results(placed: Sequence[Placed], ids: Sequence[Sequence[str | None]]) -> list[Placed]:
    """Put the results that follow a turn's calls into the order of these calls.

    `ids`: the ids that the calls of each message were given, [] for a message without calls. Canonical calls
    have no ids, so that the order alone tells which result is whose. Raises RowError for a result that
    answers no call, or a call that was answered before.
    """
    ordered: list[Placed] = []
    at = 0
    while at < len(placed):
        ordered.append(placed[at])
        asked, at = ids[at], at + 1
        results = []
        while asked and at < len(placed) and placed[at][1]["role"] == "tool":
            results.append(placed[at])
            at += 1
        ordered += _sorted_results(results, list(asked))
    return ordered


def _may_bring_results(before: Message | None) -> bool:
    return before is not None and (before["role"] == "tool" or bool(before.get("tool_calls")))


def _sorted_results(results: list[Placed], asked: list[str | None]) -> list[Placed]:
    if len(results) > len(asked):
        field = results[len(asked)][0]
        raise RowError(field, "is one result more than calls", "give one tool message a call")
    named = [message.get("tool_call_id") for _, message in results]
    position = {name: at for at, name in enumerate(asked)}
    if None in named or None in position or len(position) < len(asked):
        return results
    counts = Counter(named)
    for (field, _), name in zip(results, named, strict=True):
        if name not in position or counts[name] > 1:
            raise RowError(
                f"{field}.tool_call_id", "answers no call of the turn before", f"use one of {_shown(asked)}"
            )
    return sorted(results, key=lambda one: position[one[1].get("tool_call_id")])


def _shown(ids: list[str | None]) -> str:
    return ", ".join(repr(one) for one in ids[:5])
