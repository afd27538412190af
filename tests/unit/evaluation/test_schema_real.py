"""The verdict on real tools' parameters is the `jsonschema` library's, for gold calls and mutated ones."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from bench.bfcl import CATEGORIES, WheelAbsent, load_rows
from data.rows import RowError
from data.shapes.reading import read_rows
from data.shapes.schemas import read_parameters
from evaluation.toolcalls.schema import fits_parameters, unsupported_keywords, violation_of
from tests.unit.evaluation.test_real_rows import read

EXAMPLES = Path(__file__).resolve().parents[3] / "examples" / "rows"
PROBES: tuple[Any, ...] = (
    *(None, True, 0, 1, 7, 3.0, 0.5, -1, 10**9, "", "x", "5", "true", [], ["x"], [1, 2.5], [[]]),
    *({}, {"x": 1}, [{"x": None}]),
)


class Case(NamedTuple):
    """A tool's parameters as they are published, and the arguments of a gold call, where there is one."""

    parameters: Any
    arguments: dict[str, Any] | None


def first_accepted(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: first_accepted(one[0] if isinstance(one, list) and one else one)
            for key, one in value.items()
        }
    return [first_accepted(item) for item in value] if isinstance(value, list) else value


def cases_of_wheel() -> Iterator[Case]:
    try:
        rows = [row for category in CATEGORIES for row in load_rows(category)]
    except WheelAbsent as absent:
        pytest.skip(str(absent))
    for row in rows:
        by_name = {function["name"]: function["parameters"] for function in row.functions}
        yield from (Case(parameters, None) for parameters in by_name.values())
        for entry in row.truth or ():
            for name, accepted in entry.items():
                given = {
                    key: first_accepted(values[0])
                    for key, values in accepted.items()
                    if values and values[0] != ""
                }
                yield Case(by_name[name], given)


def cases_of_rows(lines: Iterable[Mapping[str, Any]]) -> Iterator[Case]:
    for raw in lines:
        try:
            rows = read_rows(raw, "test")
        except RowError:
            continue
        for row in rows:
            by_name = {tool["name"]: tool["parameters"] for tool in json.loads(row.tools)}
            yield from (Case(parameters, None) for parameters in by_name.values())
            for call in row.expected.calls:
                yield Case(by_name[call["name"]], json.loads(call["arguments"]))


def cases_of_examples() -> Iterator[Case]:
    for path in sorted(EXAMPLES.glob("*.jsonl")):
        yield from cases_of_rows(map(json.loads, path.read_text("utf-8").splitlines()))


def cases_of_real_rows() -> Iterator[Case]:
    for name in ("train_sft", "train_pref", "calls_test", "when2call_mcq_test"):
        yield from cases_of_rows(read(f"{name}.jsonl"))


SOURCES = {"examples": cases_of_examples, "wheel": cases_of_wheel, "rows": cases_of_real_rows}


def mutated(arguments: dict[str, Any], seed: int) -> Iterator[dict[str, Any]]:
    yield arguments
    yield {**arguments, "no such argument": 1}
    for at, name in enumerate(arguments):
        yield {key: value for key, value in arguments.items() if key != name}
        yield {**arguments, name: PROBES[(seed + at) % len(PROBES)]}


@pytest.mark.parametrize("source", SOURCES)
def test_gold_and_mutated_calls_get_the_verdict_of_the_library(source: str) -> None:
    verdicts: Counter[bool] = Counter()
    for seed, (parameters, arguments) in enumerate(SOURCES[source]()):
        if arguments is None:
            continue
        canonical = read_parameters(parameters, "parameters")
        library = Draft202012Validator(canonical)
        for given in mutated(arguments, seed):
            verdict = library.is_valid(given)
            verdicts[verdict] += 1
            assert fits_parameters(canonical, given) == verdict, (canonical, given)
    assert min(verdicts.values()) > 0.1 * verdicts.total() > 100, verdicts


def assertions_of(schema: Any) -> Any:
    """A schema without its descriptions, so that each is tried once."""
    if isinstance(schema, dict):
        return {
            key: assertions_of(part) for key, part in schema.items() if key not in ("description", "default")
        }
    return [assertions_of(part) for part in schema] if isinstance(schema, list) else schema


def members_of(schema: Mapping[str, Any]) -> list[Any]:
    """What an enum lists, its items' enum in lists."""
    items = schema.get("items")
    within = members_of(items) if isinstance(items, Mapping) else []
    return [*schema.get("enum", ()), *([member] for member in within)]


@pytest.mark.parametrize("source", SOURCES)
def test_every_schema_of_an_argument_gets_the_verdict_of_the_library(source: str) -> None:
    tried: set[str] = set()
    verdicts: Counter[bool] = Counter()
    for parameters, _ in SOURCES[source]():
        canonical = read_parameters(parameters, "parameters")
        for part in canonical["properties"].values():
            text = json.dumps(assertions_of(part), sort_keys=True)
            if text in tried:
                continue
            tried.add(text)
            library = Draft202012Validator(part)
            for value in (*PROBES, *members_of(part)):
                verdict = library.is_valid(value)
                verdicts[verdict] += 1
                assert (violation_of(part, value) is None) == verdict, (part, value)
    assert min(verdicts.values()) > 0.1 * verdicts.total() > 10, verdicts


def test_the_wheel_s_dialect_means_what_its_canonical_form_means() -> None:
    for seed, (parameters, arguments) in enumerate(cases_of_wheel()):
        canonical = read_parameters(parameters, "parameters")
        for given in mutated(arguments or {}, seed):
            assert fits_parameters(parameters, given) == fits_parameters(canonical, given), (
                parameters,
                given,
            )


def test_the_wheel_s_tools_need_nothing_that_is_not_checked_but_formats() -> None:
    found = {keyword for case in cases_of_wheel() for keyword in unsupported_keywords(case.parameters)}
    assert found <= {"format"}
