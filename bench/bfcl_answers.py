"""Answers to BFCL's rows, right ones and near misses, derived from the accepted values.

Deterministic: an answer is a function of its row alone.
"""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bench.bfcl import BfclRow, NamedCall

Calls = list[NamedCall]
# What stands for an argument that is left out.
ABSENT = object()
MAX_WAYS = 24
MAX_ORDERS = 12
SURPLUS_VALUES: tuple[Any, ...] = ("", None, 0, [], {}, "x", True)
REFUSALS = ("I'm sorry, none of my functions can do that.", "Which city do you mean?", "")


def gold_answers(row: BfclRow) -> Iterator[Calls]:
    """Answers by the accepted values: the first of each, the last of each, then each of the others."""
    if not row.truth:
        return
    choices = [_choices(entry, row) for entry in row.truth]
    first = [_call(name, {key: values[0] for key, values in args.items()}) for name, args in choices]
    yield first
    yield from _orders(first, row)
    yield [_call(name, {key: values[-1] for key, values in args.items()}) for name, args in choices]
    for at, (name, arguments) in enumerate(choices):
        for key, values in arguments.items():
            for value in values[1:MAX_WAYS]:
                changed = {other: ways[0] for other, ways in arguments.items()} | {key: value}
                yield [*first[:at], _call(name, changed), *first[at + 1 :]]


def mutated_answers(row: BfclRow) -> Iterator[Calls]:
    """Answers with one fault each, or what a careless reader takes for one."""
    right = next(gold_answers(row), [])
    if not right:
        return
    yield from _mutated_lists(right, row)
    for at, (name, arguments) in enumerate(right):
        for changed in _mutated_arguments(name, arguments, row):
            yield [*right[:at], (name, changed), *right[at + 1 :]]


def noisy_texts(row: BfclRow, count: int) -> Iterator[str]:
    """Completions in Hermes' format as a model would write them: sampled values, faults, and words around."""
    # Chance that must be the same every time, which none for cryptography is.
    chance = random.Random(row.id)  # noqa: S311
    right, wrong = list(gold_answers(row)), list(mutated_answers(row))
    for _ in range(count):
        calls = chance.choice(wrong if wrong and chance.random() < 0.5 else right or [_offered_calls(row)])
        text = "\n".join(_hermes(call) for call in calls) or chance.choice(REFUSALS)
        kind = chance.randrange(8)
        if kind == 0:
            text = chance.choice(REFUSALS)
        elif kind == 1:
            text = text[: chance.randrange(len(text) + 1)]
        elif kind == 2:
            text = f"Let me look that up.\n{text}\nDone."
        yield text


def _orders(calls: Calls, row: BfclRow) -> Iterator[Calls]:
    """Some of the orders that several calls can come in."""
    chance = random.Random(row.id)  # noqa: S311
    for _ in range(MAX_ORDERS if len(calls) > 1 else 0):
        yield chance.sample(calls, len(calls))


def _choices(entry: Mapping[str, Any], row: BfclRow) -> tuple[str, dict[str, list[Any]]]:
    ((name, arguments),) = entry.items()
    required = _parameters(row, name).get("required", [])
    return name, {
        key: [
            one
            for value in sorted(accepted, key=lambda value: value == "")
            for one in _values(value, key in required, row, name, key)
        ]
        or [""]
        for key, accepted in arguments.items()
    }


def _values(value: Any, is_required: bool, row: BfclRow, name: str, key: str) -> list[Any]:
    """What a model would write for an accepted value: "" means that an argument may be left out."""
    if value == "":
        return [""] if is_required else ["", ABSENT]
    plain = _first(value)
    kind = _parameters(row, name).get("properties", {}).get(key, {}).get("type", "any")
    if row.category == "simple_java":
        written = _java(plain, kind, _element(row, name, key))
        return [written, written.replace('"', "")] if isinstance(plain, list) else [written]
    return [_script(plain, kind)] if row.category == "simple_javascript" else [plain]


def _first(value: Any) -> Any:
    """The first way to write a value whose objects hold a list of accepted values for each key."""
    if isinstance(value, Mapping):
        ways = {key: one[0] if isinstance(one, list) and one else one for key, one in value.items()}
        return {key: _first(one) for key, one in ways.items() if one != ""}
    return [_first(item) for item in value] if isinstance(value, list) else value


def _java(value: Any, kind: str, element: str | None) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        parts = ", ".join(_java_part(item, element) for item in value)
        if kind == "ArrayList":
            return f"new ArrayList<>(Arrays.asList({parts}))"
        return f"new {element or 'Object'}[]{{{parts}}}"
    if isinstance(value, dict):
        puts = " ".join(f'put("{key}", {_java_part(item, None)});' for key, item in value.items())
        return f"new HashMap<String, Object>() {{{{ {puts} }}}}"
    suffix = {"long": "L", "float": "f"}.get(kind, "")
    return f"{value}{suffix}"


def _java_part(value: Any, element: str | None) -> str:
    if isinstance(value, str) and element in ("String", None) and not value.startswith('"'):
        return f'"{value}"'
    return f"'{value}'" if element == "char" else _java(value, element or "any", None)


def _script(value: Any, kind: str) -> str:
    if isinstance(value, list | dict | bool):
        return json.dumps(value, ensure_ascii=False)
    return f"{value}n" if kind == "Bigint" else str(value)


def _mutated_lists(right: Calls, row: BfclRow) -> Iterator[Calls]:
    yield []
    yield [*right, right[0]]
    yield right[1:]
    yield right[::-1]
    yield [*right[1:], right[0]]
    yield [right[0]] * len(right)
    yield [(f"{name}_x", arguments) for name, arguments in right]
    for other in _offered(row):
        yield [(other, right[0][1]), *right[1:]]
        yield [*right, (other, {})]
        yield [(other, {})]


def _mutated_arguments(name: str, arguments: Mapping[str, Any], row: BfclRow) -> Iterator[dict[str, Any]]:
    properties = _parameters(row, name).get("properties", {})
    yield {}
    yield {**arguments, "surplus": 1}
    yield {key.upper(): value for key, value in arguments.items()}
    for key in properties:
        if key not in arguments:
            yield from ({**arguments, key: value} for value in SURPLUS_VALUES)
    for key, value in arguments.items():
        yield {other: one for other, one in arguments.items() if other != key}
        for changed in near_values(value):
            yield {**arguments, key: changed}


def near_values(value: Any) -> Iterator[Any]:
    """What a value is taken for, rightly or not: other types, other writings, one part more or less."""
    yield from (None, "", [], {}, [value], str(value))
    if isinstance(value, bool):
        yield from (not value, int(value), str(value).lower(), float(value))
    elif isinstance(value, int | float):
        yield from (value + 1, -value, value * 10, value == 1, float(value), int(value), value + 0.5, [value])
    elif isinstance(value, str):
        yield from _near_texts(value)
    elif isinstance(value, list):
        yield from _near_lists(value)
    elif isinstance(value, dict):
        yield from _near_objects(value)


def _near_texts(value: str) -> Iterator[Any]:
    yield from (value.upper(), value.lower(), f" {value} ", value.replace(" ", ""), value.replace(" ", "_"))
    yield from (value.replace(",", ""), value.replace(".", ""), f"{value}.", f'"{value}"', f"'{value}'")
    yield from (
        value.replace("'", '"'),
        value.replace('"', "'"),
        value[1:],
        value[:-1],
        value + "x",
        value * 2,
    )
    yield from ("^".join(value), value.replace("-", "/"), f"-{value}", f"{value}?", f"{value}\n")
    for read in (int, float):
        try:
            yield read(value)
        except ValueError:
            continue


def _near_lists(value: Sequence[Any]) -> Iterator[Any]:
    yield from (
        list(value[::-1]),
        list(value[1:]),
        [*value, *value[:1]],
        {"0": value},
        ", ".join(map(str, value)),
    )
    yield from ([None, *value], [""], [*value, ""], [[item] for item in value], [str(item) for item in value])
    yield [float(item) if type(item) is int else item for item in value]
    for at, item in enumerate(value[:2]):
        for near in near_values(item):
            yield [*value[:at], near, *value[at + 1 :]]


def _near_objects(value: Mapping[str, Any]) -> Iterator[Any]:
    yield from ({**value, "surplus": 1}, [value], json.dumps(value), {k.upper(): v for k, v in value.items()})
    for key, item in value.items():
        yield {other: one for other, one in value.items() if other != key}
        for near in near_values(item):
            yield {**value, key: near}


def _offered_calls(row: BfclRow) -> Calls:
    return [(name, {}) for name in _offered(row)[:1]]


def _offered(row: BfclRow) -> list[str]:
    return [function["name"] for function in row.functions[:4]]


def _call(name: str, arguments: Mapping[str, Any]) -> NamedCall:
    return name, {key: copy.deepcopy(value) for key, value in arguments.items() if value is not ABSENT}


def _parameters(row: BfclRow, name: str) -> Mapping[str, Any]:
    found = (one["parameters"] for one in row.functions if one["name"] == name)
    return next(found, {})


def _element(row: BfclRow, name: str, key: str) -> str | None:
    items = _parameters(row, name).get("properties", {}).get(key, {}).get("items", {})
    element = items.get("type")
    return element if isinstance(element, str) else None


def _hermes(call: NamedCall) -> str:
    name, arguments = call
    return f"<tool_call>\n{json.dumps({'name': name, 'arguments': arguments})}\n</tool_call>"
