"""What a canonical row expects, read once: the decision, and the calls with all their accepted values."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from evaluation.toolcalls.decision import DECISIONS
from evaluation.toolcalls.languages import LANGUAGES
from evaluation.toolcalls.offered_tools import BadRow, OfferedTools, Parameters
from evaluation.toolcalls.scanner import scan

__all__ = ["BadRow", "Gold", "GoldCall", "Row", "gold_of"]

Row = Mapping[str, Any]


class GoldCall(NamedTuple):
    """One expected call.

    `accepted`: the accepted values of each argument. `has_alternatives`: as BFCL's possible_answer writes
    them, "" among them says that the argument may be left out, and objects within them hold a list of
    accepted values per key. `language`: `java` or `javascript` where arguments are its literals in
    strings, and the accepted values what these stand for.
    """

    name: str
    accepted: Mapping[str, Sequence[Any]]
    has_alternatives: bool = False
    language: str | None = None

    def may_lack(self, argument: str) -> bool:
        """Whether an argument may be left out because the row says so."""
        return self.has_alternatives and "" in self.accepted[argument]


class Gold(NamedTuple):
    """What a row expects.

    `any_text`: a row that declines without a text for it only forbids calls, whatever is said instead. That
    is BFCL's irrelevance, whose questions may well have a plain answer. `any_call`: any call of the offered
    tools is right and `calls` is empty; that is BFCL's relevance.
    """

    decision: str
    calls: tuple[GoldCall, ...]
    ordered: bool
    any_text: bool
    any_call: bool
    tools: OfferedTools

    def parameters_of(self, name: str) -> Parameters | None:
        """The parameters of a tool, or None where it is not offered. Raises BadRow."""
        for call in self.calls:
            if call.name == name:
                return self.tools.get_expected(name)
        return self.tools.get(name)


def gold_of(row: Row) -> Gold:
    """Read `expected` and `tools` of a canonical row.

    `expected.allowed` (a possible_answer list) is preferred to `expected.calls`, which is one answer of
    several. Raises BadRow naming the field.
    """
    expected = row.get("expected")
    if not isinstance(expected, Mapping) or expected.get("decision") not in DECISIONS:
        raise BadRow(f"'expected.decision' must be one of {', '.join(DECISIONS)}")
    decision, any_call = expected["decision"], expected.get("any_call") is True
    calls = _calls_of(expected)
    if (decision == "tool_call" and not any_call) != bool(calls):
        raise BadRow("'expected.calls' must hold calls where the decision is tool_call, and only there")
    return Gold(
        decision=decision,
        calls=calls,
        ordered=expected.get("ordered") is True,
        any_text=decision == "cannot_answer" and expected.get("text") is None and "answers" not in row,
        any_call=any_call and decision == "tool_call",
        tools=OfferedTools(row.get("tools")),
    )


def _calls_of(expected: Mapping[str, Any]) -> tuple[GoldCall, ...]:
    allowed = _decode(expected.get("allowed"), "expected.allowed")
    calls = _from_allowed(allowed) if allowed else _from_calls(expected.get("calls"))
    language = expected.get("language")
    if language is None:
        return calls
    if language not in tuple(LANGUAGES):
        raise BadRow(f"'expected.language' must be one of {', '.join(LANGUAGES)}")
    return tuple(call._replace(language=language) for call in calls)


def _from_allowed(allowed: Any) -> tuple[GoldCall, ...]:
    if not isinstance(allowed, list):
        raise BadRow("'expected.allowed' is not a list")
    return tuple(_from_possible_answer(entry) for entry in allowed)


def _from_possible_answer(entry: Any) -> GoldCall:
    if not isinstance(entry, Mapping) or len(entry) != 1:
        raise BadRow("'expected.allowed' holds an entry that is not {tool: {argument: [values]}}")
    ((name, arguments),) = entry.items()
    if not isinstance(arguments, Mapping):
        raise BadRow(f"'expected.allowed': the arguments of {name} are not an object")
    if any(values.__class__ is not list for values in arguments.values()):
        arguments = {key: one if isinstance(one, list) else [one] for key, one in arguments.items()}
    return GoldCall(name, arguments, has_alternatives=True)


def _from_calls(calls: Any) -> tuple[GoldCall, ...]:
    if not isinstance(calls or [], list):
        raise BadRow("'expected.calls' is not a list")
    return tuple(_from_call(call) for call in calls or [])


def _from_call(call: Any) -> GoldCall:
    if not isinstance(call, Mapping) or not isinstance(call.get("name"), str):
        raise BadRow("'expected.calls' holds an entry that is not {name, arguments}")
    arguments = _decode(call.get("arguments") or "{}", "expected.calls.arguments")
    if not isinstance(arguments, Mapping):
        raise BadRow(f"'expected.calls': the arguments of {call['name']} are not an object")
    return GoldCall(call["name"], {key: [value] for key, value in arguments.items()})


def _decode(value: Any, field: str) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return _load(value)
    except (ValueError, RecursionError) as error:
        raise BadRow(f"'{field}' is not JSON: {error}") from None


def _load(text: str) -> Any:
    """What `json.loads` returns, in half its time for a text that is written without blanks around it."""
    try:
        value, end = scan(text, 0)
    except StopIteration:
        return json.loads(text)
    return value if end == len(text) else json.loads(text)
