"""Faults planted in gold completions, each so that it is that fault and no other.

A planter takes a row's gold calls and writes a completion with one fault in it. Where the row lacks what the
fault needs (a second call, an order, an enum), the planter gives it that, from another row's gold.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

Row = Mapping[str, Any]
Arguments = Mapping[str, Any]

ASK = "Which of them do you mean?"
DECLINE = "I'm sorry, none of my tools can do that."
ANSWER = "The museum opens at nine in the morning."
UNKNOWN = "_that_nobody_offers"
SURPLUS = "unasked_detail"
# Beside these keywords a type says all that a value must be.
PLAIN = frozenset(("type", "title", "description", "default", "enum", "items"))
# A value that a declared type never takes.
OF_ANOTHER_TYPE = {
    "string": 12345,
    "integer": "plenty",
    "number": "plenty",
    "boolean": "perhaps",
    "array": "alone",
    "object": "alone",
}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


TYPES: Mapping[str, Callable[[Any], bool]] = {
    "string": lambda value: isinstance(value, str),
    "integer": lambda value: _is_number(value) and isinstance(value, int),
    "number": _is_number,
    "boolean": lambda value: isinstance(value, bool),
}


class Call(NamedTuple):
    """A gold call with one accepted value for each argument; `accepted` holds all of them."""

    name: str
    arguments: Arguments
    accepted: Mapping[str, Sequence[Any]]
    optional: frozenset[str] = frozenset()


class Donor(NamedTuple):
    """A tool that a row does not offer, and another row's gold call of it."""

    tool: Mapping[str, Any]
    call: Call


class Case(NamedTuple):
    """A canonical row, its gold calls, and what it may borrow."""

    row: Row
    calls: tuple[Call, ...]
    donor: Donor

    @property
    def first(self) -> Call:
        """The call that is spoilt."""
        return self.calls[0]


class Planted(NamedTuple):
    """A completion with a fault, and the row that it is graded against."""

    row: Row
    completion: str


Planter = Callable[[Case, random.Random], Planted | None]


def write_calls(*calls: Call) -> str:
    """Write calls as Hermes models do."""
    written = [json.dumps({"name": call.name, "arguments": call.arguments}) for call in calls]
    return "\n".join(f"<tool_call>\n{one}\n</tool_call>" for one in written)


def tools_of(row: Row) -> dict[str, dict[str, Any]]:
    """The tools that a row offers, by name."""
    return {tool["name"]: tool for tool in json.loads(row["tools"])}


def nothing_wrong(case: Case, rng: random.Random) -> Planted | None:
    """The gold calls themselves."""
    return Planted(case.row, write_calls(*case.calls))


def another_offered_tool(case: Case, rng: random.Random) -> Planted | None:
    """The call of a tool that is offered, and not the right one."""
    other = case.first._replace(name=case.donor.call.name)
    return Planted(_offering(case.row, case.donor), write_calls(other, *case.calls[1:]))


def tool_that_is_not_offered(case: Case, rng: random.Random) -> Planted | None:
    """The call of a tool that nobody offers."""
    return Planted(
        case.row, write_calls(case.first._replace(name=case.first.name + UNKNOWN), *case.calls[1:])
    )


def call_left_out(case: Case, rng: random.Random) -> Planted | None:
    """All gold calls but one."""
    row, calls = _of_several(case)
    kept = rng.randrange(len(calls))
    return Planted(row, write_calls(*calls[:kept], *calls[kept + 1 :]))


def call_added(case: Case, rng: random.Random) -> Planted | None:
    """The gold calls, and one of an offered tool that nobody asked for."""
    return Planted(_offering(case.row, case.donor), write_calls(*case.calls, case.donor.call))


def call_repeated(case: Case, rng: random.Random) -> Planted | None:
    """The gold calls, one of them twice."""
    return Planted(case.row, write_calls(*case.calls, rng.choice(case.calls)))


def calls_swapped(case: Case, rng: random.Random) -> Planted | None:
    """The gold calls the other way round, where their order counts."""
    row, calls = _of_several(case)
    expected = {**row["expected"], "ordered": True}
    return Planted({**row, "expected": expected}, write_calls(*reversed(calls)))


def argument_left_out(case: Case, rng: random.Random) -> Planted | None:
    """The call without an argument that it needs."""
    needed = [
        name
        for name, value in case.first.arguments.items()
        if value is not None and name not in case.first.optional and "default" not in _schema_of(case, name)
    ]
    if not needed:
        return None
    left_out = rng.choice(needed)
    return _with_arguments(case, {k: v for k, v in case.first.arguments.items() if k != left_out})


def argument_added(case: Case, rng: random.Random) -> Planted | None:
    """The call with an argument that nobody asked for."""
    return _with_arguments(case, {**case.first.arguments, SURPLUS: "blue"})


def value_changed(case: Case, rng: random.Random) -> Planted | None:
    """An argument with a value that its schema takes, and that is not the right one."""
    others = {name: _other_value(case, name) for name in _plain_types(case)}
    return _with_one_of(case, {name: other for name, other in others.items() if other is not None}, rng)


def type_changed(case: Case, rng: random.Random) -> Planted | None:
    """An argument of another type than its schema's."""
    types = {name: _schema_of(case, name).get("type") for name in case.first.arguments}
    others = {name: OF_ANOTHER_TYPE[type] for name, type in types.items() if type in OF_ANOTHER_TYPE}
    return _with_one_of(case, others, rng)


def value_outside_the_enum(case: Case, rng: random.Random) -> Planted | None:
    """A text that is none of those that the schema lists."""
    texts = [name for name, type in _plain_types(case).items() if type == "string"]
    if not texts:
        return None
    name = rng.choice(texts)
    listed = _accepted(case, name)
    listing = _declaring(case, name, {"type": "string", "enum": listed})
    return _with_arguments(listing, {**case.first.arguments, name: f"none of {listed[0]}"})


def value_out_of_bounds(case: Case, rng: random.Random) -> Planted | None:
    """A number above the schema's maximum."""
    types = {name: type for name, type in _plain_types(case).items() if type in ("integer", "number")}
    if not types:
        return None
    name = rng.choice(list(types))
    most = max(_accepted(case, name))
    bounded = _declaring(case, name, {"type": types[name], "maximum": most})
    return _with_arguments(bounded, {**case.first.arguments, name: most + 1})


def cut_off(case: Case, rng: random.Random) -> Planted | None:
    """The calls, of which the last one ends within its JSON."""
    text = write_calls(*case.calls)
    return Planted(case.row, text[: text.rindex("}")])


def says(text: str) -> Planter:
    """Text alone, whatever the row expects."""
    return lambda case, rng: Planted(case.row, text)


def calls_a_tool(case: Case, rng: random.Random) -> Planted | None:
    """A well-formed call of an offered tool where none was due."""
    return Planted(_offering(case.row, case.donor), write_calls(case.donor.call))


def _offering(row: Row, donor: Donor) -> Row:
    return {**row, "tools": json.dumps([*json.loads(row["tools"]), donor.tool])}


def _of_several(case: Case) -> tuple[Row, tuple[Call, ...]]:
    """The row, and the donor's call beside its own where it expects one alone."""
    if len(case.calls) > 1:
        return case.row, case.calls
    calls = (*case.calls, case.donor.call)
    gold = [{"name": call.name, "arguments": json.dumps(call.arguments)} for call in calls]
    expected = {**case.row["expected"], "calls": gold, "allowed": None}
    return {**_offering(case.row, case.donor), "expected": expected}, calls


def _with_arguments(case: Case, arguments: Arguments) -> Planted:
    return Planted(case.row, write_calls(case.first._replace(arguments=arguments), *case.calls[1:]))


def _with_one_of(case: Case, others: Mapping[str, Any], rng: random.Random) -> Planted | None:
    if not others:
        return None
    name = rng.choice(sorted(others))
    return _with_arguments(case, {**case.first.arguments, name: others[name]})


def _declaring(case: Case, argument: str, schema: Mapping[str, Any]) -> Case:
    tools = tools_of(case.row)
    tools[case.first.name]["parameters"]["properties"][argument] = schema
    return case._replace(row={**case.row, "tools": json.dumps(list(tools.values()))})


def _schema_of(case: Case, argument: str) -> Mapping[str, Any]:
    properties = tools_of(case.row)[case.first.name]["parameters"].get("properties") or {}
    schema = properties.get(argument)
    return schema if isinstance(schema, Mapping) else {}


def _plain_types(case: Case) -> dict[str, str]:
    """The types of the written arguments of which the schema says no more, and which all gold values have."""
    found = {}
    for name in case.first.arguments:
        schema = _schema_of(case, name)
        type = schema.get("type")
        if (
            isinstance(type, str)
            and type in TYPES
            and PLAIN.issuperset(schema)
            and all(map(TYPES[type], _accepted(case, name)))
        ):
            found[name] = type
    return found


def _accepted(case: Case, argument: str) -> list[Any]:
    # BFCL writes "" where an argument may be left out.
    return [value for value in case.first.accepted[argument] if value != ""]


def _other_value(case: Case, argument: str) -> Any:
    accepted, schema = _accepted(case, argument), _schema_of(case, argument)
    if "enum" in schema:
        alike = {str(value).casefold() for value in accepted}
        others = [value for value in schema["enum"] if str(value).casefold() not in alike]
        return next((value for value in others if TYPES[schema["type"]](value)), None)
    if schema["type"] == "string":
        return f"{accepted[0]} of the other kind"
    if schema["type"] == "boolean":
        return None if len(accepted) > 1 else not accepted[0]
    return max(accepted) + 7
