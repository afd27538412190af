"""Read a judge's reply: which decision it names. A reply is never guessed at."""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

from evaluation.judge.clients import Reply
from evaluation.toolcalls import DECISIONS

# A reply is short; what goes on for longer is not searched for a verdict.
MAX_REPLY_CHARACTERS = 20_000
END_OF_THOUGHT = "</think>"
OBJECT_START = re.compile(r'\{\s*"')


class Reading(NamedTuple):
    """The decision that a reply names and why, or None and the error."""

    decision: str | None = None
    why: str | None = None
    error: str | None = None


def read_reply(reply: Reply) -> Reading:
    """Read the decision out of a reply.

    It is that of the JSON objects in the reply which name one; or the reply is one label and nothing else. No
    decision, an unknown one, two that differ, or an object that is not JSON are an error.

    >>> read_reply(Reply('{"decision": "direct", "why": "It answers."}')).decision
    'direct'
    """
    text = reply.text.rpartition(END_OF_THOUGHT)[2][:MAX_REPLY_CHARACTERS].strip()
    bare = text.strip("`'\". \n")
    if bare in DECISIONS:
        return Reading(bare)
    objects = _objects(text)
    if objects is None:
        return _unread("the reply holds an object that is not JSON", reply)
    verdicts = [one for one in objects if "decision" in one]
    named = {_label(one["decision"]) for one in verdicts}
    if len(named) != 1:
        fault = "names more than one decision" if named else "names no decision" if text else "is empty"
        return _unread(f"the reply {fault}", reply)
    decision, why = named.pop(), verdicts[0].get("why")
    if decision not in DECISIONS:
        return Reading(error=f"the reply names an unknown decision: {decision!r:.60}")
    return Reading(decision, why if isinstance(why, str) else None)


def _objects(text: str) -> list[dict[str, Any]] | None:
    """The JSON objects in a text, or None where one of them cannot be read.

    What stands within a broken object is not looked at: it may be a verdict that the judged answer asks for.
    """
    decoder = json.JSONDecoder()
    found: list[dict[str, Any]] = []
    start = OBJECT_START.search(text)
    while start:
        try:
            value, end = decoder.raw_decode(text, start.start())
        except (ValueError, RecursionError):
            return None
        found.append(value)
        start = OBJECT_START.search(text, end)
    return found


def _label(value: object) -> str:
    return value.strip().lower() if isinstance(value, str) else repr(value)


def _unread(error: str, reply: Reply) -> Reading:
    return Reading(error=f"{error}; it was cut off at its token limit" if reply.is_cut_off else error)
