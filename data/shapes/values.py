"""Values written as their schema declares them, or found not to fit it.

What fits is the grader's own definition, so that a row is judged here as a prediction is judged later: a
value that is right as it stands is left alone. Keywords that the grader does not check are not checked here.
"""

import math
from collections.abc import Mapping
from typing import Any

from data.rows import read_json
from evaluation.toolcalls.schema import violation_of
from evaluation.toolcalls.schemas.references import resolve_reference
from evaluation.toolcalls.schemas.walk import item_schemas, other_properties

Schema = Mapping[str, Any]

BOOLEANS = ("true", "false")
# A text longer than this is no value that was merely written as text.
MAX_READ_CHARACTERS = 100_000
# Schemas may refer to themselves, and in several ways: beyond this, a value must be written right.
MAX_FOLLOWED = 100
MAX_FOLLOWED_DEPTH = 32
# What parts of the value, or other schemas, are fitted by; the rest a schema says of the value itself.
WITHIN = frozenset(("items", "prefixItems", "additionalItems", "additionalProperties", "properties"))
COMBINED = frozenset(("$ref", "allOf", "anyOf", "oneOf"))
# What another writing of the same value can mend.
REWRITTEN = ("type", "nullable", "enum")


class Misfit(Exception):
    """A value that its schema does not take; the text says how it differs."""

    def __init__(self, value: object, schema: Schema) -> None:
        is_type = violation_of(schema, value) == "wrong_type"
        super().__init__("of another type than its tool declares" if is_type else "that its tool rules out")
        self.value = value
        self.schema = schema


class References:
    """The schema that a `$ref` begins from, and how often one may still be followed."""

    def __init__(self, root: object) -> None:
        self.root = root
        self.left = MAX_FOLLOWED
        self.depth = 0


def fit_value(schema: object, value: Any, root: object = None) -> Any:
    """Write a value as its schema declares it, at every depth; raises Misfit where that would change it.

    `root`: the schema that `$ref` begins from, where `schema` is a part of it. Text that spells a number, a
    boolean or JSON becomes that where the schema wants it, and a number text; case is taken from the enum.
    The schema's own default is right whatever type the schema declares.

    >>> fit_value({"type": "array", "items": {"type": "integer"}}, ["5", 7])
    [5, 7]
    >>> fit_value({"enum": ["Horror", "Drama"]}, "horror")
    'Horror'
    """
    root = schema if root is None else root
    return value if violation_of(schema, value, root) is None else _fit(schema, value, References(root))


def fit_property(schema: Schema, key: str, value: Any) -> Any:
    """Fit an argument of the tool whose parameters `schema` is.

    Null says that an optional one is not given, as leaving it out does.
    """
    return None if _is_left_out(schema, key, value) else fit_value(_part_of(schema, key), value, schema)


def _fit(schema: object, value: Any, references: References) -> Any:
    if not isinstance(schema, Mapping) or ("default" in schema and value == schema["default"]):
        return value
    if not isinstance(value, list | Mapping):
        value = _fit_scalar({key: schema[key] for key in REWRITTEN if key in schema}, value)
    if isinstance(value, list):
        value = _fit_items(schema, value, references)
    elif isinstance(value, Mapping):
        value = {
            key: part if _is_left_out(schema, key, part) else _fit(_part_of(schema, key), part, references)
            for key, part in value.items()
        }
    _check_own(schema, value)
    for part in _listed(schema, "allOf"):
        value = _fit(part, value, references)
    if "$ref" in schema:
        value = _fit_referred(schema["$ref"], value, references)
    alternatives = _listed(schema, "anyOf") or _listed(schema, "oneOf")
    return _fit_one_of(alternatives, value, references) if alternatives else value


def _fit_items(schema: Schema, value: list[Any], references: References) -> list[Any]:
    first, rest = item_schemas(schema)
    parts = (first[index] if index < len(first) else rest for index in range(len(value)))
    return [_fit(part, item, references) for part, item in zip(parts, value, strict=True)]


def _part_of(schema: Schema, key: str) -> Any:
    return _properties(schema).get(key, other_properties(schema))


def _properties(schema: Schema) -> Schema:
    properties = schema.get("properties")
    return properties if isinstance(properties, Mapping) else {}


def _is_left_out(schema: Schema, key: str, value: Any) -> bool:
    required = schema.get("required")
    return value is None and not (isinstance(required, list) and key in required)


def _check_own(schema: Schema, value: Any) -> None:
    """Check what a schema says of a value itself; the names within an object are its own, too."""
    checked = WITHIN | COMBINED if isinstance(value, list | Mapping) else COMBINED.union(REWRITTEN)
    own = {key: part for key, part in schema.items() if key not in checked}
    if other_properties(schema) is False:
        own |= {"properties": dict.fromkeys(_properties(schema)), "additionalProperties": False}
    if violation_of(own, value) is not None:
        raise Misfit(value, own)


def _fit_referred(reference: object, value: Any, references: References) -> Any:
    referring = {"$ref": reference}
    if violation_of(referring, value, references.root) is None:
        return value
    if references.left == 0 or references.depth == MAX_FOLLOWED_DEPTH:
        raise Misfit(value, referring)
    target = resolve_reference(references.root, reference)
    references.left -= 1
    references.depth += 1
    try:
        return _fit(target, value, references)
    finally:
        references.depth -= 1


def _fit_one_of(alternatives: list[Any], value: Any, references: References) -> Any:
    for alternative in alternatives:
        if violation_of(alternative, value, references.root) is None:
            return value
    for alternative in alternatives:
        try:
            return _fit(alternative, value, references)
        except Misfit:
            continue
    raise Misfit(value, {"anyOf": alternatives})


def _fit_scalar(schema: Schema, value: Any) -> Any:
    if violation_of(schema, value) is None:
        return value
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


def _listed(schema: Schema, key: str) -> list[Any]:
    value = schema.get(key)
    return value if isinstance(value, list) else []
