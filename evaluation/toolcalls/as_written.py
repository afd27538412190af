"""The short way to the score that most right answers get: calls with values just as their row writes them.

Comparing such calls argument by argument needs no assignment, and not even the tools if it is known that what
the row accepts fits them. `data` finds that out once, when it reads a row to be graded, and notes it in
`expected.fits_tools`. A score found this way is the very score that the long way finds, in a third of its
time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from evaluation.toolcalls.completion import Call
from evaluation.toolcalls.offered_tools import OfferedTools
from evaluation.toolcalls.scanner import scan
from evaluation.toolcalls.schema import fits_plainly

_SCALARS = frozenset((str, int, float, bool))


def count_as_written(calls: Sequence[Call], expected: Mapping[str, Any], tools: object) -> int | None:
    """Count the arguments of calls that are written as `expected` has them first, in its order; else None.

    `expected`, `tools`: a row's own. None too for values other than scalars and lists of them, and where it
    is neither noted that the row fits its tools nor plain to see.
    """
    allowed = expected.get("allowed")
    try:
        if allowed:
            entries, end = scan(allowed, 0)
            arguments = _count_allowed(calls, entries) if end == len(allowed) else None
        else:
            arguments = _count_given(calls, expected.get("calls") or [])
        if arguments is None or expected.get("fits_tools") is True:
            return arguments
        return arguments if "language" not in expected and _fit_plainly(calls, OfferedTools(tools)) else None
    except (ValueError, StopIteration, LookupError, TypeError, AttributeError, RecursionError):
        # No reader of ours wrote this row; the long way says what is wrong with it.
        return None


def _whole(text: str) -> Any:
    value, end = scan(text, 0)
    return value if end == len(text) else None


def _fit_plainly(calls: Sequence[Call], tools: OfferedTools) -> bool:
    for name, written in calls:
        parameters = tools.get_expected(name)
        if parameters is None or not fits_plainly(parameters, written):
            return False
    return True


def _count_allowed(calls: Sequence[Call], entries: Sequence[Any]) -> int | None:
    if len(calls) != len(entries):
        return None
    arguments = 0
    for number, (name, written) in enumerate(calls):
        entry = entries[number]
        accepted = entry.get(name)
        if accepted is None or len(entry) != 1:
            return None
        for argument, value in written.items():
            choices = accepted.get(argument)
            if choices.__class__ is not list or not choices:
                return None
            first = choices[0]
            # The test of `_is_written_as` for texts, here because most values are: a call takes as long.
            if first.__class__ is str and value == first and first:
                continue
            if not _is_written_as(first, value):
                return None
        if len(written) < len(accepted):
            for argument, choices in accepted.items():
                if argument not in written and (choices.__class__ is not list or "" not in choices):
                    return None
        arguments += len(written)
    return arguments


def _count_given(calls: Sequence[Call], expected: Sequence[Any]) -> int | None:
    if expected.__class__ is not list or len(calls) != len(expected):
        return None
    arguments = 0
    for (name, written), one in zip(calls, expected, strict=True):
        if one["name"] != name:
            return None
        given = _whole(one["arguments"])
        if given.keys() != written.keys():
            return None
        if not all(_is_written_as(given[argument], value) for argument, value in written.items()):
            return None
        arguments += len(written)
    return arguments


def _is_written_as(first: Any, value: Any) -> bool:
    """Whether a value is the first accepted one, of the same type at both levels: 1 is not 1.0 or true."""
    kind = value.__class__
    if kind is not first.__class__ or value != first:
        return False
    if kind in _SCALARS:
        return bool(value != "")
    return kind is list and _is_list_of_scalars(value, first)


def _is_list_of_scalars(value: Sequence[Any], first: Sequence[Any]) -> bool:
    kinds = [item.__class__ for item in value]
    return _SCALARS.issuperset(kinds) and kinds == [item.__class__ for item in first]


def is_compared(value: Any) -> bool:
    """Tell whether an accepted value is one that the short way compares: a scalar or a list of scalars."""
    if isinstance(value, list):
        return all(item.__class__ in _SCALARS for item in value)
    return value.__class__ in _SCALARS and value != ""
