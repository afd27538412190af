"""What a score counts of its calls and arguments, for precision and recall over many rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from evaluation.toolcalls.completion import Call
from evaluation.toolcalls.gold import Gold, GoldCall
from evaluation.toolcalls.match import Fit, needed_arguments
from evaluation.toolcalls.offered_tools import NO_PARAMETERS, Parameters
from evaluation.toolcalls.schema import fits_parameters
from evaluation.toolcalls.values import Rules

NOTHING: Mapping[str, int] = MappingProxyType({})


class Made(NamedTuple):
    """The calls that were made, held against what is offered and expected.

    `parameters`: of each call's tool, None where it is not offered. `valid`: how many are of an offered tool
    and fit its schema. `right_tools`: tools that were expected, one to one, whatever their arguments.
    """

    calls: Sequence[Call]
    parameters: Sequence[Parameters | None]
    valid: int
    right_tools: int


def made_calls(calls: Sequence[Call], gold: Gold) -> Made:
    """Hold calls against what a row offers and expects. Raises BadRow."""
    parameters = [gold.parameters_of(call.name) for call in calls]
    valid = 0
    for call, offered in zip(calls, parameters, strict=True):
        valid += offered is not None and fits_parameters(offered, call.arguments)
    return Made(calls, parameters, valid, _right_tools(calls, gold.calls))


def counts_of(made: Made, gold: Gold, assigned: Sequence[Fit | None], rules: Rules) -> Mapping[str, int]:
    """Count what was called, what was expected, and what of it was right; empty where there is no call.

    It is empty too where any call is right, because then none was expected rather than another.

    `assigned`: how each expected call, in order, fits the predicted one that it was assigned, or None; empty
    where nothing was assigned.

    - `calls`, `expected_calls`: how many were predicted and expected.
    - `right_tools`: predicted tools that were expected, one to one, whatever their arguments.
    - `invented_tools`: calls of tools that were not offered.
    - `valid_calls`: calls of offered tools whose arguments fit the schema.
    - `arguments`: arguments written. `expected_arguments`: those of the expected calls that may not be left
      out, and the optional ones that were written, written defaults among them.
    - `right_arguments`, `named_arguments`: written arguments of an assigned call of that tool whose value
      is accepted, or whose name alone is right.
    """
    if gold.any_call or not (made.calls or gold.calls):
        return NOTHING
    right = named = 0
    for fit in assigned:
        if fit is not None and fit.same_tool:
            right += fit.right
            named += fit.right + len(fit.wrong)
    return {
        "calls": len(made.calls),
        "expected_calls": len(gold.calls),
        "right_tools": made.right_tools,
        "invented_tools": made.parameters.count(None),
        "valid_calls": made.valid,
        "arguments": sum([len(call.arguments) for call in made.calls]),
        "expected_arguments": named + _absent_arguments(gold, assigned, rules),
        "right_arguments": right,
        "named_arguments": named,
    }


def counts_as_written(calls: int, arguments: int) -> Mapping[str, int]:
    """What `counts_of` counts of calls that are the expected ones, valid, with so many arguments in all."""
    return {
        "calls": calls,
        "expected_calls": calls,
        "right_tools": calls,
        "invented_tools": 0,
        "valid_calls": calls,
        "arguments": arguments,
        "expected_arguments": arguments,
        "right_arguments": arguments,
        "named_arguments": arguments,
    }


def _right_tools(calls: Sequence[Call], expected: Sequence[GoldCall]) -> int:
    if len(calls) == len(expected) == 1:
        return int(calls[0].name == expected[0].name)
    shared = Counter([call.name for call in calls]) & Counter([call.name for call in expected])
    return sum(shared.values())


def _absent_arguments(gold: Gold, assigned: Sequence[Fit | None], rules: Rules) -> int:
    absent = 0
    for number, one in enumerate(gold.calls):
        fit = assigned[number] if number < len(assigned) else None
        if fit is not None and fit.same_tool:
            absent += len(fit.missing)
        else:
            absent += needed_arguments(one, gold.parameters_of(one.name) or NO_PARAMETERS, rules)
    return absent
