"""Whether each kind of fault is given its own reason: `python -m bench.mutations [ROWS] [--json] [--seed N]`.

Plants every fault of `bench.planting` in the gold completions of the rows (the shipped test rows where none
are named) and scores them. Prints how often each fault was given which reason, and exits with 1 where one
was given another than its own.
"""

import argparse
import json
import random
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import planting
from bench.planting import Call, Case, Donor, Planter, tools_of
from evaluation.inputs import read_rows_of_any_shape
from evaluation.toolcalls import REASONS, parse_completion, score_completion
from jobs.doors import BadInput, DoorParser, run_door

ROWS = Path(__file__).resolve().parent.parent / "examples" / "rows" / "test.jsonl"
SEED = 20_260_101


@dataclass(frozen=True)
class Mutation:
    """A fault, the decision of the rows that it is planted in, and the reason that it must be given."""

    planter: Planter
    expected: str
    reason: str


MUTATIONS: Mapping[str, Mutation] = {
    "gold calls": Mutation(planting.nothing_wrong, "tool_call", "correct"),
    "another offered tool": Mutation(planting.another_offered_tool, "tool_call", "wrong_tool"),
    "tool that is not offered": Mutation(planting.tool_that_is_not_offered, "tool_call", "invented_tool"),
    "call left out": Mutation(planting.call_left_out, "tool_call", "missing_call"),
    "answer for a call": Mutation(planting.says(planting.ANSWER), "tool_call", "missing_call"),
    "call added": Mutation(planting.call_added, "tool_call", "extra_call"),
    "call repeated": Mutation(planting.call_repeated, "tool_call", "duplicate_call"),
    "calls swapped": Mutation(planting.calls_swapped, "tool_call", "wrong_order"),
    "argument left out": Mutation(planting.argument_left_out, "tool_call", "missing_argument"),
    "argument added": Mutation(planting.argument_added, "tool_call", "extra_argument"),
    "value changed": Mutation(planting.value_changed, "tool_call", "wrong_value"),
    "type changed": Mutation(planting.type_changed, "tool_call", "wrong_type"),
    "value outside the enum": Mutation(planting.value_outside_the_enum, "tool_call", "schema_violation"),
    "value out of bounds": Mutation(planting.value_out_of_bounds, "tool_call", "schema_violation"),
    "call cut off": Mutation(planting.cut_off, "tool_call", "malformed_call"),
    "question for a call": Mutation(planting.says(planting.ASK), "tool_call", "ask_when_should_call"),
    "refusal for a call": Mutation(planting.says(planting.DECLINE), "tool_call", "decline_when_should_call"),
    "call for a question": Mutation(planting.calls_a_tool, "request_for_info", "call_when_should_ask"),
    "refusal for a question": Mutation(
        planting.says(planting.DECLINE), "request_for_info", "decline_when_should_ask"
    ),
    "answer for a question": Mutation(
        planting.says(planting.ANSWER), "request_for_info", "answer_when_should_not"
    ),
    "call for a refusal": Mutation(planting.calls_a_tool, "cannot_answer", "call_when_should_decline"),
    "question for a refusal": Mutation(
        planting.says(planting.ASK), "cannot_answer", "ask_when_should_decline"
    ),
    "answer for a refusal": Mutation(
        planting.says(planting.ANSWER), "cannot_answer", "answer_when_should_not"
    ),
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Plant, score, and print. Raises BadInput for rows in which nothing can be planted."""
    given = _parser().parse_args(arguments)
    matrix = reasons_by_mutation(read_rows_of_any_shape(given.rows).rows, given.seed)
    missed = [name for name, reasons in matrix.items() if set(reasons) - {MUTATIONS[name].reason}]
    print(json.dumps({"matrix": matrix, "missed": missed}) if given.json else table_of(matrix, missed))
    if missed:
        sys.exit(1)


def reasons_by_mutation(rows: Sequence[Mapping[str, Any]], seed: int = SEED) -> dict[str, dict[str, int]]:
    """Count the reasons that each mutation is given, over the rows in which it can be planted."""
    cases = list(_cases(rows, _seeded(seed, "cases")))
    return {
        # Each has a generator of its own, so that what one plants does not hang on the others.
        name: dict(Counter(_reasons(mutation, cases, _seeded(seed, name))))
        for name, mutation in MUTATIONS.items()
    }


def table_of(matrix: Mapping[str, Mapping[str, int]], missed: Sequence[str]) -> str:
    """Write the matrix, reasons by their number, and what was missed."""
    numbered = [f"{number:>3} {reason:<26}" for number, reason in enumerate(REASONS, 1)]
    lines = ["".join(numbered[start : start + 4]).rstrip() for start in range(0, len(numbered), 4)]
    width = max([3, *(len(str(count)) for reasons in matrix.values() for count in reasons.values())]) + 1
    lines += ["", f"{'':<24}" + "".join(f"{number:>{width}}" for number in range(1, len(REASONS) + 1))]
    for name, reasons in matrix.items():
        cells = (f"{reasons.get(reason) or '.':>{width}}" for reason in REASONS)
        lines.append(f"{name:<24}{''.join(cells)}")
    planted = sum(sum(reasons.values()) for reasons in matrix.values())
    right = sum(reasons.get(MUTATIONS[name].reason, 0) for name, reasons in matrix.items())
    lines += ["", f"{planted} completions, {right} given the reason of what was planted in them"]
    return "\n".join([*lines, *(f"given another reason: {name}" for name in missed)])


def _seeded(seed: int, use: str) -> random.Random:
    return random.Random(f"{seed} {use}")  # noqa: S311 — where faults are planted, no secret


def _reasons(mutation: Mutation, cases: Sequence[Case], rng: random.Random) -> Iterator[str]:
    for case in cases:
        if case.row["expected"]["decision"] != mutation.expected:
            continue
        planted = mutation.planter(case, rng)
        if planted is not None:
            score = score_completion(parse_completion(planted.completion, "hermes"), planted.row)
            yield score.reason or f"unscored: {score.error}"


def _cases(rows: Sequence[Mapping[str, Any]], rng: random.Random) -> Iterator[Case]:
    gold = [(row, _gold_calls(row)) for row in rows if _is_plain(row)]
    donors = [
        Donor(tools_of(row)[call.name], call)
        for row, calls in gold
        for call in calls
        if call.name in tools_of(row)
    ]
    if not donors:
        raise BadInput("the rows hold no gold call to plant a fault in; give rows that expect calls")
    for row, calls in gold:
        offered = tools_of(row)
        lent = [donor for donor in rng.sample(donors, len(donors)) if donor.tool["name"] not in offered]
        if lent and all(call.name in offered for call in calls):
            yield Case(row, calls, lent[0])


def _is_plain(row: Mapping[str, Any]) -> bool:
    """Whether one reason is right: not where any call or text will do, or values are another language's."""
    expected = row["expected"]
    any_text = (
        expected["decision"] == "cannot_answer" and expected.get("text") is None and "answers" not in row
    )
    return not (any_text or expected.get("any_call") or expected.get("language"))


def _gold_calls(row: Mapping[str, Any]) -> tuple[Call, ...]:
    expected = row["expected"]
    if expected.get("allowed"):
        entries = [item for entry in json.loads(expected["allowed"]) for item in entry.items()]
        return tuple(_call_of_possible_answer(name, arguments) for name, arguments in entries)
    return tuple(_call_of_gold(call["name"], json.loads(call["arguments"])) for call in expected["calls"])


def _call_of_gold(name: str, arguments: Mapping[str, Any]) -> Call:
    return Call(name, arguments, {key: (value,) for key, value in arguments.items()})


def _call_of_possible_answer(name: str, possible: Mapping[str, Any]) -> Call:
    accepted = {key: values if isinstance(values, list) else [values] for key, values in possible.items()}
    written = {key: _first_accepted(values[0]) for key, values in accepted.items() if values[0] != ""}
    return Call(name, written, accepted, frozenset(key for key, values in accepted.items() if "" in values))


def _first_accepted(value: Any) -> Any:
    """A value of which the objects hold a list of accepted values by key, with the first of each."""
    if isinstance(value, dict):
        lists = {key: values if isinstance(values, list) else [values] for key, values in value.items()}
        return {
            key: _first_accepted(values[0]) for key, values in lists.items() if values and values[0] != ""
        }
    return [_first_accepted(item) for item in value] if isinstance(value, list) else value


def _parser() -> argparse.ArgumentParser:
    parser = DoorParser(prog="python -m bench.mutations", description=__doc__)
    parser.add_argument("rows", type=Path, nargs="?", default=ROWS, help="rows in any shape")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--seed", type=int, default=SEED, help="what is planted where there is a choice")
    return parser


if __name__ == "__main__":
    run_door(main)
