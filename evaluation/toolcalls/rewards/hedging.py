"""Hedges: completions that make a call, and give another answer beside it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from evaluation.toolcalls.completion import Call
from evaluation.toolcalls.decision import decision_of_text
from evaluation.toolcalls.formats.endings import BLANKS, without_stop_tokens
from evaluation.toolcalls.parse import parse_completion
from evaluation.toolcalls.rewards.generations import MAX_CHARACTERS_COUNTED, Generation

OPENINGS = ("<tool_call>", "<TOOLCALL>", "[TOOL_CALLS]", "<function=", "<|python_tag|>")
# Read without a look at the tools: what another server would run is a second answer, offered here or not.
UNTAGGED_FORMATS = ("bare_json", "llama3_pythonic")
MAX_VALUES_READ = 10_000


class Reading(NamedTuple):
    """How a completion was read: its format, and the row's tools as a JSON list."""

    format: str
    tools: str | None


def is_hedged(generation: Generation, reading: Reading) -> bool:
    """Tell whether a completion that calls also gives another answer; one without calls never does.

    A call ends the turn: what stands behind the last one was made up before any tool answered, whatever it
    is (a result, a second call in other clothes). Before it a remark is free, unless it asks, declines, or
    holds a call by a lenient parse. More opening tags than calls hold something that is none.
    """
    completion = generation.completion
    if not completion.calls:
        return False
    if _has_surplus_tags(generation):
        return True
    said = completion.text
    if not said:
        return False
    return (
        _is_said_behind(generation, reading)
        or any(opening in said for opening in OPENINGS)
        or decision_of_text(said) in ("request_for_info", "cannot_answer")
        or _holds_a_call(said, reading)
    )


def _is_said_behind(generation: Generation, reading: Reading) -> bool:
    """Tell whether the last sign is no part of a call: without it, all calls are still there."""
    written = without_stop_tokens(generation.text).rstrip(BLANKS)
    # Most remarks stand before a call, and end unlike it: those need no second parse.
    if not written or written[-1] != generation.completion.text[-1]:
        return False
    shorter = parse_completion(written[:-1], reading.format, tools=reading.tools)
    return shorter.error is None and shorter.calls == generation.completion.calls


def _holds_a_call(said: str, reading: Reading) -> bool:
    if any(parse_completion(said, name).calls for name in UNTAGGED_FORMATS):
        return True
    return bool(parse_completion(said, reading.format, tools=reading.tools, lenient=True).calls)


def _has_surplus_tags(generation: Generation) -> bool:
    # A thought may try a call out; only what follows it is the answer.
    answer, calls = generation.text.rpartition("</think>")[2], generation.completion.calls
    surplus = [one for one in OPENINGS if answer.count(one) > len(calls)]
    if not surplus:
        return False
    # A value may speak of tags.
    within = _texts_of(calls)
    return any(answer.count(one) > len(calls) + within.count(one) for one in surplus)


def _texts_of(calls: tuple[Call, ...]) -> str:
    """All names, keys and strings of the calls, as one text."""
    texts: list[str] = []
    waiting: list[object] = [call.arguments for call in calls]
    for _ in range(MAX_VALUES_READ):
        if not waiting:
            break
        one = waiting.pop()
        if isinstance(one, str):
            texts.append(one[:MAX_CHARACTERS_COUNTED])
        elif isinstance(one, Mapping):
            waiting += [*one.keys(), *one.values()]
        elif isinstance(one, list | tuple):
            waiting += one
    return "\n".join(texts)
