"""Score one completion against its row: a value in [0, 1], one reason out of a closed list, and parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import pairwise
from types import MappingProxyType
from typing import NamedTuple

from evaluation.toolcalls.as_written import count_as_written
from evaluation.toolcalls.assignment import best_assignment
from evaluation.toolcalls.completion import Call, Completion
from evaluation.toolcalls.counts import NOTHING, Made, counts_as_written, counts_of, made_calls
from evaluation.toolcalls.decision import DECISIONS, MALFORMED, decision_of
from evaluation.toolcalls.gold import BadRow, Gold, GoldCall, Row, gold_of
from evaluation.toolcalls.match import Fit, fit_of
from evaluation.toolcalls.offered_tools import NO_PARAMETERS, Parameters
from evaluation.toolcalls.schema import violation_of
from evaluation.toolcalls.values import DEFAULT_RULES, Rules

__all__ = ["DECISIONS", "DEFAULT_WEIGHTS", "REASONS", "Score", "decision_reason", "score_completion"]

REASONS = (
    "correct",
    "wrong_tool",
    "invented_tool",
    "missing_call",
    "extra_call",
    "duplicate_call",
    "wrong_order",
    "missing_argument",
    "extra_argument",
    "wrong_value",
    "wrong_type",
    "schema_violation",
    "malformed_call",
    "call_when_should_ask",
    "call_when_should_decline",
    "ask_when_should_call",
    "decline_when_should_call",
    "ask_when_should_decline",
    "decline_when_should_ask",
    "answer_when_should_not",
)

DEFAULT_WEIGHTS: Mapping[str, float] = MappingProxyType(
    {"decision": 1.0, "tool": 3.0, "order": 1.0, "arguments": 2.0, "values": 3.0, "schema": 1.0}
)
RIGHT: Mapping[str, float] = MappingProxyType(
    {"decision": 1.0, "tool": 1.0, "arguments": 1.0, "values": 1.0, "schema": 1.0}
)
RIGHT_IN_ORDER: Mapping[str, float] = MappingProxyType({**RIGHT, "order": 1.0})
# What calls in the expected order add to the similarity; smaller than any fault.
IN_ORDER = 1e-14
# In the order in which a reader would mend them.
_ARGUMENT_REASONS = ("missing_argument", "extra_argument", "wrong_type", "schema_violation", "wrong_value")
# A score of 1 means correct and nothing else, however the parts round.
HIGHEST_PARTIAL_VALUE = 0.99

# By (expected, taken). The closed list has no reason for a wrong text where the row expects a plain answer:
# `…_when_should_call` says there that the model held back when it should have acted.
_DECISION_REASONS = {
    ("tool_call", "request_for_info"): "ask_when_should_call",
    ("tool_call", "cannot_answer"): "decline_when_should_call",
    ("tool_call", "direct"): "missing_call",
    ("request_for_info", "tool_call"): "call_when_should_ask",
    ("request_for_info", "cannot_answer"): "decline_when_should_ask",
    ("request_for_info", "direct"): "answer_when_should_not",
    ("cannot_answer", "tool_call"): "call_when_should_decline",
    ("cannot_answer", "request_for_info"): "ask_when_should_decline",
    ("cannot_answer", "direct"): "answer_when_should_not",
    ("direct", "tool_call"): "extra_call",
    ("direct", "request_for_info"): "ask_when_should_call",
    ("direct", "cannot_answer"): "decline_when_should_call",
}


class Score(NamedTuple):
    """The grade of one completion.

    `value`: in [0, 1], 1.0 exactly if correct; None if unscored, which is never counted as zero, and
    `error` then says why. `reason`: one of REASONS. `parts`: each in [0, 1] (decision, tool, order,
    arguments, values, schema; acc and acc_norm for multiple choice). `decision`: the one the model took, or
    `malformed_call`. `counts`: what `counts_of` counted, where calls were expected or made.
    """

    value: float | None
    reason: str | None = None
    parts: Mapping[str, float] = MappingProxyType({})
    decision: str | None = None
    error: str | None = None
    counts: Mapping[str, int] = MappingProxyType({})

    @property
    def is_correct(self) -> bool:
        """Whether the completion is right in every respect."""
        return self.value == 1.0


def score_completion(completion: Completion, row: Row, *, rules: Rules = DEFAULT_RULES) -> Score:
    """Grade a parsed completion against a canonical row; a row that cannot be graded is unscored."""
    if row.__class__ is not dict and not isinstance(row, Mapping):
        return Score(None, error="the row cannot be graded: it is not an object")
    calls, expected = completion.calls, row.get("expected")
    if (
        calls
        and completion.error is None
        and expected.__class__ is dict
        and expected.get("decision") == "tool_call"
    ):
        arguments = count_as_written(calls, expected, row.get("tools"))
        if arguments is not None:
            return _score_as_written(len(calls), arguments, expected.get("ordered") is True)
    try:
        return _score(completion, gold_of(row), rules)
    except BadRow as error:
        return Score(None, error=f"the row cannot be graded: {error}")


def _score(completion: Completion, gold: Gold, rules: Rules) -> Score:
    decision = decision_of(completion)
    # Calls beside one that cannot be read are not judged: a server would hand on none of them.
    made = made_calls(completion.calls if decision == "tool_call" else (), gold)
    if made.calls and gold.decision == "tool_call":
        return (_score_any_call if gold.any_call else _score_calls)(made, gold, rules)
    counts = counts_of(made, gold, (), rules)
    if decision == MALFORMED and not (gold.any_text and rules.as_bfcl):
        return Score(0.0, "malformed_call", {"decision": 0.0}, decision, counts=counts)
    if decision == gold.decision or (gold.any_text and decision != "tool_call"):
        return Score(1.0, "correct", {"decision": 1.0}, decision, counts=counts)
    reason = decision_reason(gold.decision, decision)
    return Score(0.0, reason, {"decision": 0.0}, decision, counts=counts)


def decision_reason(expected: str, taken: str) -> str:
    """The reason for having taken one decision where another was expected."""
    return "correct" if expected == taken else _DECISION_REASONS[expected, taken]


def weighted_value(parts: Mapping[str, float], weights: Mapping[str, float]) -> float:
    """Average the parts that a row has, by weight; 0.0 where none of them has a weight."""
    total = sum([weights.get(name, 0.0) for name in parts])
    return sum([weights.get(name, 0.0) * part for name, part in parts.items()]) / total if total else 0.0


def _score_calls(made: Made, gold: Gold, rules: Rules) -> Score:
    in_place = _fits_in_place(made, gold, rules)
    if in_place and all(fit.is_exact for fit in in_place):
        return _right_score(made, gold)
    assigned, assignment = _assign(made, gold, in_place, rules)
    pairs = [fit for fit in assigned if fit is not None]
    parts = _parts(made, gold, pairs)
    if gold.ordered:
        parts["order"] = _share_in_order(assigned, assignment)
    counts = counts_of(made, gold, assigned, rules)
    return _score_of(_reason(made, gold, pairs, assignment), parts, counts)


# So few are different that making them over and over would be an eighth of the work.
@lru_cache(maxsize=256)
def _score_as_written(calls: int, arguments: int, ordered: bool) -> Score:
    counts = MappingProxyType(counts_as_written(calls, arguments))
    return Score(1.0, "correct", RIGHT_IN_ORDER if ordered else RIGHT, "tool_call", None, counts)


def _right_score(made: Made, gold: Gold) -> Score:
    calls = len(made.calls)
    arguments = sum([len(call.arguments) for call in made.calls])
    score = _score_as_written(calls, arguments, gold.ordered)
    if made.valid == calls:
        return score
    parts = {**score.parts, "schema": made.valid / calls}
    return score._replace(parts=parts, counts={**score.counts, "valid_calls": made.valid})


def _score_of(reason: str, parts: Mapping[str, float], counts: Mapping[str, int]) -> Score:
    if reason == "correct":
        return Score(1.0, reason, parts, "tool_call", None, counts)
    value = min(weighted_value(parts, DEFAULT_WEIGHTS), HIGHEST_PARTIAL_VALUE)
    return Score(value, reason, parts, "tool_call", None, counts)


def _fits_in_place(made: Made, gold: Gold, rules: Rules) -> list[Fit]:
    """How each call fits the expected one in its place; empty where they are not as many."""
    if len(made.calls) != len(gold.calls):
        return []
    places = zip(made.calls, gold.calls, made.parameters, strict=True)
    return [_fit(call, one, offered, rules) for call, one, offered in places]


def _assign(
    made: Made, gold: Gold, in_place: Sequence[Fit], rules: Rules
) -> tuple[Sequence[Fit | None], Sequence[int | None]]:
    """How each expected call fits the one that it is assigned, and the place of that one."""
    if len(in_place) == 1:
        return in_place, (0,)
    fits = [
        [_fit(call, one, offered, rules) for call, offered in zip(made.calls, made.parameters, strict=True)]
        for one in gold.calls
    ]
    # Where the order counts, what is as good in order is better: products of places are greatest there.
    in_order = IN_ORDER if gold.ordered else 0.0
    assignment = best_assignment(
        [[fit.similarity + in_order * r * c for c, fit in enumerate(row)] for r, row in enumerate(fits)]
    )
    return [None if at is None else fits[number][at] for number, at in enumerate(assignment)], assignment


def _fit(call: Call, one: GoldCall, offered: Parameters | None, rules: Rules) -> Fit:
    return fit_of(call, one, NO_PARAMETERS if offered is None else offered, rules)


def _score_any_call(made: Made, gold: Gold, rules: Rules) -> Score:
    """BFCL's relevance: that a call is made is right; by the default rules it also has to be a valid one."""
    reason = "correct" if rules.as_bfcl else _first_fault(made)
    return _score_of(reason, {"decision": 1.0, "schema": made.valid / len(made.calls)}, NOTHING)


def _first_fault(made: Made) -> str:
    for call, offered in zip(made.calls, made.parameters, strict=True):
        if offered is None:
            return "invented_tool"
        violation = violation_of({**offered, "type": "object"}, call.arguments)
        if violation is not None:
            return violation
    return "correct"


def _parts(made: Made, gold: Gold, pairs: Sequence[Fit]) -> dict[str, float]:
    most = max(len(made.calls), len(gold.calls))
    return {
        "decision": 1.0,
        "tool": made.right_tools / most,
        "arguments": sum([_share_of_names(pair) for pair in pairs]) / most,
        "values": sum([_share_of_values(pair) for pair in pairs]) / most,
        "schema": made.valid / len(made.calls),
    }


def _share_in_order(assigned: Sequence[Fit | None], assignment: Sequence[int | None]) -> float:
    """The share of neighbouring expected calls of which both tools were called, the first one first."""
    places = [
        at if fit is not None and fit.same_tool else None
        for fit, at in zip(assigned, assignment, strict=True)
    ]
    if len(places) == 1:
        return float(places[0] is not None)
    in_order = sum(a is not None and b is not None and a < b for a, b in pairwise(places))
    return in_order / (len(places) - 1)


def _share_of_names(fit: Fit) -> float:
    if not fit.same_tool:
        return 0.0
    named = fit.right + len(fit.wrong)
    every = named + len(fit.missing) + len(fit.extra)
    return named / every if every else 1.0


def _share_of_values(fit: Fit) -> float:
    if not fit.same_tool:
        return 0.0
    every = fit.right + len(fit.wrong) + len(fit.missing) + len(fit.extra)
    return fit.right / every if every else 1.0


def _is_in_order(assignment: Sequence[int | None]) -> bool:
    taken = [at for at in assignment if at is not None]
    return taken == sorted(taken)


def _reason(made: Made, gold: Gold, pairs: Sequence[Fit], assignment: Sequence[int | None]) -> str:
    """Name the first fault in the order in which a reader would mend them."""
    if not all(pair.is_exact for pair in pairs):
        return _reason_of_unlike(made, pairs)
    if len(made.calls) < len(gold.calls):
        return "missing_call"
    if len(made.calls) > len(gold.calls):
        return _reason_of_surplus(made, assignment)
    return "wrong_order" if gold.ordered and not _is_in_order(assignment) else "correct"


def _reason_of_unlike(made: Made, pairs: Sequence[Fit]) -> str:
    if None in made.parameters:
        return "invented_tool"
    if not all(pair.same_tool for pair in pairs):
        return "wrong_tool"
    faults = _faults_of_arguments(pairs)
    return next(reason for reason in _ARGUMENT_REASONS if reason in faults)


def _faults_of_arguments(pairs: Sequence[Fit]) -> set[str]:
    faults = {reason for pair in pairs for reason in pair.wrong.values()}
    if any(pair.missing for pair in pairs):
        faults.add("missing_argument")
    if any(pair.extra for pair in pairs):
        faults.add("extra_argument")
    return faults


def _reason_of_surplus(made: Made, assignment: Sequence[int | None]) -> str:
    taken = set(assignment)
    matched = [made.calls[at] for at in assignment if at is not None]
    surplus = [number for number in range(len(made.calls)) if number not in taken]
    if any(made.parameters[number] is None for number in surplus):
        return "invented_tool"
    return "duplicate_call" if all(made.calls[number] in matched for number in surplus) else "extra_call"
