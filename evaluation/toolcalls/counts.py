"""What a score counts of its calls and arguments, for precision and recall over many rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from evaluation.toolcalls.completion import Call
from evaluation.toolcalls.gold import Gold
from evaluation.toolcalls.match import Fit, needed_arguments
from evaluation.toolcalls.schema import fits_parameters
from evaluation.toolcalls.values import Rules

NOTHING: Mapping[str, int] = MappingProxyType({})


def counts_of(
    calls: Sequence[Call], gold: Gold, assigned: Sequence[Fit | None], rules: Rules
) -> Mapping[str, int]:
    """Count what was called, what was expected, and what of it was right; empty where there is no call.

    It is empty too where any call is right, because then none was expected rather than another.

    `calls`: the predicted ones. `assigned`: how each expected call, in order, fits the predicted one that it
    was assigned, or None; empty where nothing was assigned.

    - `calls`, `expected_calls`: how many were predicted and expected.
    - `right_tools`: predicted tools that were expected, one to one, whatever their arguments.
    - `invented_tools`: calls of tools that were not offered.
    - `valid_calls`: calls of offered tools whose arguments fit the schema.
    - `arguments`: arguments written. `expected_arguments`: those of the expected calls that may not be left
      out, and the optional ones that were written, written defaults among them.
    - `right_arguments`, `named_arguments`: written arguments of an assigned call of that tool whose value
      is accepted, or whose name alone is right.
    """
    if gold.any_call or not (calls or gold.calls):
        return NOTHING
    same = [fit for fit in assigned if fit is not None and fit.same_tool]
    named = sum(fit.right + len(fit.wrong) for fit in same)
    return {
        "calls": len(calls),
        "expected_calls": len(gold.calls),
        "right_tools": sum(shared_names(calls, gold).values()),
        "invented_tools": sum(call.name not in gold.tools for call in calls),
        "valid_calls": valid_calls(calls, gold),
        "arguments": sum(len(call.arguments) for call in calls),
        "expected_arguments": named + _absent_arguments(gold, assigned, rules),
        "right_arguments": sum(fit.right for fit in same),
        "named_arguments": named,
    }


def shared_names(calls: Sequence[Call], gold: Gold) -> Counter[str]:
    """The names that were both predicted and expected, as often as both."""
    return Counter(call.name for call in calls) & Counter(call.name for call in gold.calls)


def valid_calls(calls: Sequence[Call], gold: Gold) -> int:
    """How many calls are of an offered tool, with arguments that fit its schema."""
    return sum(
        call.name in gold.tools and fits_parameters(gold.tools.parameters_of(call.name), call.arguments) for call in calls
    )


def _absent_arguments(gold: Gold, assigned: Sequence[Fit | None], rules: Rules) -> int:
    absent = 0
    for number, one in enumerate(gold.calls):
        fit = assigned[number] if number < len(assigned) else None
        if fit is not None and fit.same_tool:
            absent += len(fit.missing)
        else:
            absent += needed_arguments(one, gold.tools.parameters_of(one.name), rules)
    return absent
