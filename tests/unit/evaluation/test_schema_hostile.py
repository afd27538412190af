"""Schemas come with the data: broken or hostile ones never raise, and end in time that both sizes bound."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.toolcalls.schema import first_violation, unsupported_keywords, violation_of
from evaluation.toolcalls.schemas.identity import identity_of
from tests.unit.evaluation.schemas import KEYWORDS

WORDS = {"a", "$defs", "additionalItems", "else", "nullable", "patternProperties", "then", *KEYWORDS}
ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=3)
    | st.just("#")
    | st.just("$ref"),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(sorted(WORDS)),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)


@given(ANYTHING, ANYTHING)
def test_no_schema_and_no_value_raises(schema: Any, value: Any) -> None:
    breach = first_violation(schema, value)
    assert breach is None or breach.kind in ("wrong_type", "schema_violation")
    assert all(isinstance(keyword, str) for keyword in unsupported_keywords(schema))


def nested(keyword: str, depth: int, *, listed: bool = False) -> Any:
    made: Any = {"type": "integer"}
    for _ in range(depth):
        made = {keyword: [made] if listed else made}
    return made


def deep(depth: int) -> Any:
    made: Any = 1
    for _ in range(depth):
        made = [made]
    return made


DOUBLING = {f"d{n}": {"anyOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(100)}
SELF_DOUBLING = {"allOf": [{"$ref": "#/$defs/s"}, {"items": {"$ref": "#/$defs/s"}}] * 2}
HOSTILE: list[tuple[Any, Any, str]] = [
    (nested("items", 10_000), deep(10_000), "10,000 levels of lists"),
    (nested("not", 10_000), 1, "10,000 negations"),
    (nested("anyOf", 10_000, listed=True), "a", "10,000 alternatives of one"),
    ({"items": {"$ref": "#"}}, deep(10_000), "a schema as deep as the value"),
    ({"const": deep(10_000)}, deep(10_000), "a deep constant"),
    ({"uniqueItems": True}, [deep(10_000), deep(10_000)], "deep items"),
    ({"$ref": "#/$defs/d0", "$defs": {**DOUBLING, "d100": {"type": "null"}}}, 1, "two ways, 100 times over"),
    ({"$ref": "#/$defs/s", "$defs": {"s": SELF_DOUBLING}}, deep(60), "four ways at each of 60 levels"),
    ({"$ref": "#" + "/a" * 100_000}, 1, "a pointer of 100,000 steps"),
    ({"$ref": "#" + "%41" * 100_000}, 1, "an escaped one"),
]


@pytest.mark.parametrize(("schema", "value", "why"), HOSTILE, ids=[case[2] for case in HOSTILE])
def test_hostile_schemas_end(schema: Any, value: Any, why: str) -> None:
    calls = 0

    def count(frame: Any, event: str, argument: Any) -> None:
        nonlocal calls
        calls += event == "call"

    sys.setprofile(count)
    try:
        first_violation(schema, value)
        unsupported_keywords(schema)
    finally:
        sys.setprofile(None)
    assert calls < 400_000, why


def test_a_long_value_in_a_long_enum_costs_what_both_are_long() -> None:
    members = [f"m{n}" for n in range(5000)]
    compared = 0

    class Counted(str):
        __slots__ = ()

        def __eq__(self, other: object) -> bool:
            nonlocal compared
            compared += 1
            return super().__eq__(other)

        __hash__ = str.__hash__

    value = [Counted(f"m{n % 5000}") for n in range(10_000)]
    assert violation_of({"items": {"enum": members}}, value) is None
    assert compared < 50_000


def test_numbers_that_hash_alike_do_not_make_unique_items_slow() -> None:
    alike = [n * (2**61 - 1) for n in range(1, 2000)]
    assert len({hash(number) for number in alike}) == 1
    assert len({hash(identity_of(number)) for number in alike}) > 1900
