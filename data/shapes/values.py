"""Values written as their schema declares them, or found not to fit it.

What a type is, and an enum, is the grader's own definition, so that a row is judged here as a prediction is
judged later. Bounds, constants and alternatives are checked besides. Patterns are not: they come with the
data, and a hostile one takes forever.
"""

import math
from collections.abc import Callable, Mapping
from operator import ge, gt, le, lt
from typing import Any

from data.rows import read_json
from evaluation.toolcalls.schema import violation_of

Schema = Mapping[str, Any]
Bound = tuple[str, Callable[[Any, Any], bool]]

BOOLEANS = ("true", "false")
# A text longer than this is no value that was merely written as text.
MAX_READ_CHARACTERS = 100_000
# A schema's own keywords are those that do not speak of what lies within the value.
WITHIN = frozenset(("properties", "items", "additionalProperties"))
NUMBER_BOUNDS: tuple[Bound, ...] = (
    ("minimum", ge),
    ("maximum", le),
    ("exclusiveMinimum", gt),
    ("exclusiveMaximum", lt),
)
TEXT_BOUNDS: tuple[Bound, ...] = (("minLength", ge), ("maxLength", le))
LIST_BOUNDS: tuple[Bound, ...] = (("minItems", ge), ("maxItems", le))
BOUNDED = frozenset(name for name, _ in (*NUMBER_BOUNDS, *TEXT_BOUNDS, *LIST_BOUNDS)) | {"const"}


class Misfit(Exception):
    """A value that its schema does not take; the text says how it differs."""

    def __init__(self, value: object, schema: Schema) -> None:
        is_type = violation_of(schema, value) == "wrong_type"
        super().__init__("of another type than its tool declares" if is_type else "that its tool rules out")
        self.value = value
        self.schema = schema


def fit_value(schema: object, value: Any) -> Any:
    """Write a value as its schema declares it, at every depth; raises Misfit where that would change it.

    Text that spells a number, a boolean or JSON becomes that where the schema wants it, and a number text;
    case is taken from the enum. The schema's own default is right whatever type the schema declares.

    >>> fit_value({"type": "array", "items": {"type": "integer"}}, ["5", 7])
    [5, 7]
    >>> fit_value({"enum": ["Horror", "Drama"]}, "horror")
    'Horror'
    """
    if not isinstance(schema, Mapping) or ("default" in schema and value == schema["default"]):
        return value
    if isinstance(value, list):
        value = [fit_value(schema.get("items"), item) for item in value]
        _check_own(schema, value)
    elif isinstance(value, Mapping):
        value = {key: fit_property(schema, key, part) for key, part in value.items()}
        _check_own(schema, value)
    elif violation_of(schema, value) is not None:
        value = _fit_scalar(schema, value)
    if not BOUNDED.isdisjoint(schema) and not _is_within_bounds(schema, value):
        raise Misfit(value, schema)
    for part in _listed(schema, "allOf"):
        value = fit_value(part, value)
    alternatives = _listed(schema, "anyOf") or _listed(schema, "oneOf")
    return _fit_one_of(schema, alternatives, value) if alternatives else value


def fit_property(schema: Schema, key: str, value: Any) -> Any:
    """Fit an argument. Null says that an optional one is not given, as leaving it out does."""
    if value is None and key not in schema.get("required", ()):
        return None
    properties = schema.get("properties")
    return fit_value(properties.get(key) if isinstance(properties, Mapping) else None, value)


def _check_own(schema: Schema, value: Any) -> None:
    own = {key: part for key, part in schema.items() if key not in WITHIN}
    if violation_of(own, value) is not None:
        raise Misfit(value, own)


def _fit_one_of(schema: Schema, alternatives: list[Any], value: Any) -> Any:
    for alternative in alternatives:
        try:
            return fit_value(alternative, value)
        except Misfit:
            continue
    raise Misfit(value, {"anyOf": alternatives})


def _fit_scalar(schema: Schema, value: Any) -> Any:
    for other in _other_writings(value):
        if violation_of(schema, other) is None:
            return other
    for member in _listed(schema, "enum"):
        if str(member).casefold() == str(value).casefold():
            # A list of texts under another type contradicts itself: there the type decides.
            return member if violation_of(schema, member) is None else value
    raise Misfit(value, schema)


def _other_writings(value: Any) -> list[Any]:
    """What a scalar may stand for when another JSON type is wanted, without a change of its meaning."""
    if isinstance(value, bool) or value is None:
        return []
    if not isinstance(value, str):
        return [str(value)]
    text = value.lower() if value.lower() in BOOLEANS else value
    try:
        read = read_json(text) if len(text) <= MAX_READ_CHARACTERS else value
    except ValueError:
        return []
    if not isinstance(read, float):
        return [read]
    # "5.0" is an integer to JSON Schema; "1e999" is a number to no one.
    return [int(read), read] if read.is_integer() else [read] if math.isfinite(read) else []


def _is_within_bounds(schema: Schema, value: Any) -> bool:
    if "const" in schema and value != schema["const"]:
        return False
    if isinstance(value, bool):
        return True
    if isinstance(value, int | float):
        return _holds(schema, NUMBER_BOUNDS, value)
    if isinstance(value, str):
        return _holds(schema, TEXT_BOUNDS, len(value))
    return not isinstance(value, list) or _holds(schema, LIST_BOUNDS, len(value))


def _holds(schema: Schema, bounds: tuple[Bound, ...], size: float) -> bool:
    limits = ((schema.get(name), is_within) for name, is_within in bounds)
    return all(
        is_within(size, limit)
        for limit, is_within in limits
        if isinstance(limit, int | float) and not isinstance(limit, bool)
    )


def _listed(schema: Schema, key: str) -> list[Any]:
    value = schema.get(key)
    return value if isinstance(value, list) else []
