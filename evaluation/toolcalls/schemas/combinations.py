"""The keywords that combine schemas: `$ref`, allOf, anyOf, oneOf, not, and if with then and else.

Each function gets `find`, which finds the first breach of one of the schemas.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from evaluation.toolcalls.schemas.references import resolve_reference
from evaluation.toolcalls.schemas.scope import Breach, Scope

Schema = Mapping[str, Any]
Find = Callable[[Any, Any, Scope], Breach | None]


def _find_in_reference(find: Find, schema: Schema, value: Any, scope: Scope) -> Breach | None:
    reference = schema["$ref"]
    if not isinstance(reference, str):
        return None
    if reference not in scope.targets:
        scope.targets[reference] = resolve_reference(scope.root, reference)
    target, place = scope.targets[reference], (reference, id(value))
    known = scope.seen.get(place)
    if known is not None:
        scope.doubts += known[1]
        return known[0]
    if target is None or place in scope.seen:
        scope.doubts += 1
        return None
    scope.seen[place], before = None, scope.doubts
    breach = find(target, value, scope)
    scope.seen[place] = breach, scope.doubts > before
    return breach


def _find_in_all(find: Find, schema: Schema, value: Any, scope: Scope) -> Breach | None:
    for part in _listed(schema, "allOf"):
        breach = find(part, value, scope)
        if breach:
            return breach
    return None


def _find_in_any(find: Find, schema: Schema, value: Any, scope: Scope) -> Breach | None:
    breaches = []
    for part in _listed(schema, "anyOf"):
        before = scope.doubts
        breach = find(part, value, scope)
        if breach is None:
            return None
        scope.doubts = before
        breaches.append(breach)
    return _nearest(breaches, "anyOf") if breaches else None


def _find_in_one(find: Find, schema: Schema, value: Any, scope: Scope) -> Breach | None:
    breaches, sure, alternatives = [], 0, _listed(schema, "oneOf")
    for part in alternatives:
        before = scope.doubts
        breach = find(part, value, scope)
        if breach:
            scope.doubts = before
            breaches.append(breach)
        else:
            sure += scope.doubts == before
    if sure > 1:
        return Breach("schema_violation", (), "oneOf")
    return _nearest(breaches, "oneOf") if breaches and len(breaches) == len(alternatives) else None


def _nearest(breaches: list[Breach], keyword: str) -> Breach:
    """Return the breach of the one alternative that takes the value's type, or one of them all."""
    near = [breach for breach in breaches if breach.path or breach.kind != "wrong_type"]
    if len(near) == 1:
        return near[0]
    is_type = all(breach.kind == "wrong_type" for breach in breaches)
    return Breach("wrong_type" if is_type else "schema_violation", (), keyword)


def _find_in_negation(find: Find, schema: Schema, value: Any, scope: Scope) -> Breach | None:
    before = scope.doubts
    if find(schema["not"], value, scope):
        scope.doubts = before
        return None
    return Breach("schema_violation", (), "not") if scope.doubts == before else None


def _find_in_condition(find: Find, schema: Schema, value: Any, scope: Scope) -> Breach | None:
    before = scope.doubts
    holds = find(schema["if"], value, scope) is None
    if holds and scope.doubts > before:
        return None
    scope.doubts = before
    return find(schema.get("then" if holds else "else", True), value, scope)


def _listed(schema: Schema, keyword: str) -> list[Any]:
    value = schema.get(keyword)
    return value if isinstance(value, list) else []


# In the order in which they are looked at.
COMBINATIONS = (
    ("$ref", _find_in_reference),
    ("allOf", _find_in_all),
    ("anyOf", _find_in_any),
    ("oneOf", _find_in_one),
    ("not", _find_in_negation),
    ("if", _find_in_condition),
)
COMBINING = frozenset(keyword for keyword, _ in COMBINATIONS)
