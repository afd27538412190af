"""The verdict on schemas and values is that of the `jsonschema` library, on every keyword that is checked."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import (  # type: ignore[import-untyped]
    Draft4Validator,
    Draft6Validator,
    Draft7Validator,
    Draft202012Validator,
)
from jsonschema.validators import extend  # type: ignore[import-untyped]

from evaluation.toolcalls.schema import fits_parameters, unsupported_keywords, violation_of
from tests.unit.evaluation.schemas import (
    KEYWORDS,
    NAMES,
    NUMBERS,
    SCALARS,
    TYPED,
    TYPES,
    VALUES,
    Draw,
    cases,
    cases_of_keyword,
)

# Draft 4 in all but that 1.0 is an integer, as in every later one.
Draft4WithWholeFloats = extend(Draft4Validator, type_checker=Draft6Validator.TYPE_CHECKER)
PATIENT = settings(deadline=None, suppress_health_check=list(HealthCheck))


def test_nested_schemas_get_the_verdict_of_the_library_and_both_verdicts_are_frequent() -> None:
    verdicts: Counter[bool] = Counter()

    @settings(PATIENT, max_examples=300)
    @given(cases())
    def hold(case: tuple[dict[str, Any], Any]) -> None:
        schema, value = case
        verdict = Draft202012Validator(schema).is_valid(value)
        verdicts[verdict] += 1
        assert (violation_of(schema, value) is None) == verdict
        assert unsupported_keywords(schema) == ()
        if isinstance(value, dict):
            assert fits_parameters(schema, value) == verdict

    hold()
    assert min(verdicts[True], verdicts[False]) > 0.15 * verdicts.total()


@pytest.mark.parametrize("keyword", KEYWORDS)
def test_each_keyword_gets_the_verdict_of_the_library(keyword: str) -> None:
    verdicts = set()

    # The same cases each time: by chance alone none of them might break the keyword.
    @settings(PATIENT, max_examples=100, derandomize=True)
    @given(cases_of_keyword(keyword))
    def hold(case: tuple[dict[str, Any], Any]) -> None:
        schema, value = case
        verdict = Draft202012Validator(schema).is_valid(value)
        verdicts.add(verdict)
        assert (violation_of(schema, value) is None) == verdict

    hold()
    assert verdicts == {True, False}, "a keyword that nothing breaks is not tested"


@st.composite
def draft_7(draw: Draw) -> dict[str, Any]:
    made: dict[str, Any] = {"items": draw(st.lists(TYPED, max_size=2))}
    if draw(st.booleans()):
        made["additionalItems"] = draw(st.booleans() | TYPED | st.just({"$ref": "#/definitions/a"}))
    return {**made, "definitions": {"a": draw(TYPED)}}


@PATIENT
@given(draft_7(), st.lists(SCALARS, max_size=4))
def test_lists_of_items_and_definitions_are_those_of_draft_7(schema: dict[str, Any], value: Any) -> None:
    assert (violation_of(schema, value) is None) == Draft7Validator(schema).is_valid(value)


BOUNDS = st.sampled_from((0, 0.5, 1, 2.0, 3))
DRAFT_4 = st.fixed_dictionaries(
    {"minimum": BOUNDS, "maximum": BOUNDS},
    optional={"exclusiveMinimum": st.booleans(), "exclusiveMaximum": st.booleans()},
)


@PATIENT
@given(DRAFT_4, NUMBERS)
def test_boolean_exclusive_bounds_are_those_of_draft_4(schema: dict[str, Any], value: float) -> None:
    assert (violation_of(schema, value) is None) == Draft4WithWholeFloats(schema).is_valid(value)


@PATIENT
@given(st.sampled_from(TYPES), st.booleans(), VALUES)
def test_nullable_adds_null_to_the_type(kind: str, nullable: bool, value: Any) -> None:
    written = Draft202012Validator({"type": [kind, "null"] if nullable else kind})
    assert (violation_of({"type": kind, "nullable": nullable}, value) is None) == written.is_valid(value)


UNCHECKED: dict[str, st.SearchStrategy[Any]] = {
    "pattern": st.sampled_from(("^a", "b", "[0-9]")),
    "contains": TYPED,
    "propertyNames": st.sampled_from(({"maxLength": 0}, {"enum": ["a"]}, True)),
    "patternProperties": st.dictionaries(st.sampled_from(("^a", "b|c")), TYPED, min_size=1),
    "dependentSchemas": st.dictionaries(st.sampled_from(NAMES), TYPED, min_size=1),
    "unevaluatedProperties": st.just(False),
    "unevaluatedItems": st.just(False),
}


@st.composite
def with_unchecked_keywords(draw: Draw, part: Any) -> Any:
    if isinstance(part, list):
        return [draw(with_unchecked_keywords(one)) for one in part]
    if not isinstance(part, dict):
        return part
    made = {}
    for key, value in part.items():
        if key in ("properties", "$defs"):
            made[key] = {name: draw(with_unchecked_keywords(one)) for name, one in value.items()}
        else:
            is_data = key in ("enum", "const", "dependentRequired", "required", "type")
            made[key] = value if is_data else draw(with_unchecked_keywords(value))
    if draw(st.integers(0, 2)) == 0:
        keyword = draw(st.sampled_from(sorted(UNCHECKED)))
        made[keyword] = draw(UNCHECKED[keyword])
    return made


def test_what_is_not_checked_never_condemns_what_the_library_accepts() -> None:
    condemned: Counter[bool] = Counter()

    @settings(PATIENT, max_examples=300)
    @given(st.data())
    def hold(data: st.DataObject) -> None:
        plain, value = data.draw(cases())
        schema = data.draw(with_unchecked_keywords(plain))
        is_valid = Draft202012Validator(schema).is_valid(value)
        is_condemned = violation_of(schema, value) is not None
        condemned[is_condemned] += bool(unsupported_keywords(schema))
        assert not (is_condemned and is_valid)

    hold()
    assert min(condemned[True], condemned[False]) > 0.05 * condemned.total(), "and it still condemns"
