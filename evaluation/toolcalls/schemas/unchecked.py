"""The keywords that constrain a value and that the grader does not check, found in a schema."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from evaluation.toolcalls.schemas.references import resolve_reference

# Of drafts 4 to 2020-12. Regular expressions among them come with the data: a hostile one takes forever.
UNCHECKED = frozenset(
    (
        "$dynamicRef",
        "$recursiveRef",
        "contains",
        "contentEncoding",
        "contentMediaType",
        "contentSchema",
        "dependencies",
        "dependentSchemas",
        "format",
        "maxContains",
        "minContains",
        "pattern",
        "patternProperties",
        "propertyNames",
        "unevaluatedItems",
        "unevaluatedProperties",
    )
)
_BY_NAME = (
    "$defs",
    "definitions",
    "dependencies",
    "dependentSchemas",
    "patternProperties",
    "properties",
)
_ALONE_OR_LISTED = (
    "additionalItems",
    "additionalProperties",
    "allOf",
    "anyOf",
    "contains",
    "contentSchema",
    "else",
    "if",
    "items",
    "not",
    "oneOf",
    "prefixItems",
    "propertyNames",
    "then",
    "unevaluatedItems",
    "unevaluatedProperties",
)


def unsupported_keywords(schema: Any) -> tuple[str, ...]:
    """Name the constraining keywords anywhere in a schema that are not checked, sorted.

    `$ref` is among them where it leads out of the schema, or nowhere. Properties that are named like
    keywords, and annotations, are not.

    >>> unsupported_keywords({"properties": {"pattern": {"type": "string", "format": "date"}}})
    ('format',)
    """
    found: set[str] = set()
    waiting, seen = [schema], set()
    while waiting:
        part = waiting.pop()
        if not isinstance(part, Mapping) or id(part) in seen:
            continue
        seen.add(id(part))
        found.update(UNCHECKED.intersection(part))
        if "$ref" in part:
            target = resolve_reference(schema, part["$ref"])
            found.update(("$ref",) if target is None else ())
            waiting.append(target)
        waiting.extend(_subschemas(part))
    return tuple(sorted(found))


def _subschemas(schema: Mapping[str, Any]) -> Iterator[Any]:
    for keyword in schema:
        value = schema[keyword]
        if keyword in _BY_NAME and isinstance(value, Mapping):
            yield from value.values()
        elif keyword in _ALONE_OR_LISTED:
            yield from value if isinstance(value, list) else (value,)
