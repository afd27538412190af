"""Schemas, and values near them, for property tests: about as many that fit as that do not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from hypothesis import strategies as st

from evaluation.toolcalls.schemas.references import resolve_reference

Draw = Callable[[st.SearchStrategy[Any]], Any]
Schema = dict[str, Any] | bool

NAMES = ("a", "b", "c", "d")
TYPES = ("string", "integer", "number", "boolean", "array", "object", "null")
# The last is the greatest power of ten that a float holds as it is written: beyond, the peer divides another.
NUMBERS = st.sampled_from((-2, -1, 0, 0.0, 0.5, 1, 1.0, 1.5, 2, 2.5, 3, 4, 5.0, 6, 10**18, -(2**61), 1e22))
TEXTS = st.sampled_from(("", "a", "b", "ab", "é", "e\u0301", "😀", "😀😀", "abc", "1", "true"))
SCALARS = NUMBERS | TEXTS | st.none() | st.booleans()
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=3),
    max_leaves=5,
)
COUNTS = st.integers(0, 3)
STEPS = st.sampled_from((1, 2, 3, 0.5, 0.25))
# The peer's check of unique items takes [[1], [true], [1]] for unique: it sorts, and looks at neighbours.
TYPED = st.sampled_from([{"type": name} for name in TYPES])
UNIQUE = {"uniqueItems": True, "items": {"type": ["string", "number", "boolean", "null"]}}


@st.composite
def documents(draw: Draw) -> dict[str, Any]:
    """Schemas of draft 2020-12 with definitions that may refer to each other and to the whole."""
    names = draw(st.lists(st.sampled_from(NAMES), max_size=2, unique=True))
    # A reference that leads back to itself on the same value has no answer, so it stands below a keyword.
    defined = {name: schema(draw, 2, names, may_refer=False) for name in names}
    whole = _of_kind(
        draw,
        draw(st.sampled_from(("object", "object", "array", "number"))),
        lambda: schema(draw, 2, names, may_refer=True),
    )
    if draw(st.integers(0, 2)) == 0:
        whole |= _combination(draw, lambda: schema(draw, 2, names, may_refer=False))
    return {**whole, "$defs": defined}


def schema(draw: Draw, depth: int, names: list[str], *, may_refer: bool) -> Schema:
    """Draw a schema of at most `depth` levels that refers to the named definitions."""

    def below() -> Schema:
        return schema(draw, depth - 1, names, may_refer=True)

    def beside() -> Schema:
        return schema(draw, depth - 1, names, may_refer=may_refer)

    if depth == 0 or draw(st.integers(0, 15)) == 0:
        simple: Schema = draw(st.sampled_from((True, False, *({"type": name} for name in TYPES))))
        return simple
    kind = draw(st.sampled_from(TYPES))
    made: dict[str, Any] = {}
    if draw(st.integers(0, 5)):
        made["type"] = [kind, draw(st.sampled_from(TYPES))] if draw(st.integers(0, 3)) == 0 else kind
    made |= _of_kind(draw, kind, below)
    if draw(st.integers(0, 3)) == 0:
        made |= _combination(draw, beside)
    if may_refer and draw(st.integers(0, 4)) == 0:
        made["$ref"] = draw(st.sampled_from(["#", *(f"#/$defs/{name}" for name in names)]))
    if draw(st.integers(0, 9)) == 0:
        made |= draw(
            st.builds(dict, enum=st.lists(VALUES, min_size=1, max_size=4)) | st.builds(dict, const=VALUES)
        )
    return made


def _some(draw: Draw, keywords: Mapping[str, st.SearchStrategy[Any]]) -> dict[str, Any]:
    return {name: draw(values) for name, values in keywords.items() if draw(st.integers(0, 2)) == 0}


def _of_kind(draw: Draw, kind: str, below: Callable[[], Schema]) -> dict[str, Any]:
    if kind in ("integer", "number"):
        bounds = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
        low, high = st.sampled_from((-1, 0, 0.5, 1)), st.sampled_from((2, 2.5, 3.0, 4))
        by_name = {name: low if "Min" in name or name == "minimum" else high for name in bounds}
        return _some(draw, {**by_name, "multipleOf": STEPS})
    if kind == "string":
        return _some(draw, {"minLength": st.integers(0, 2), "maxLength": st.integers(1, 3)})
    if kind == "array":
        return _of_list(draw, below)
    return _of_object(draw, below) if kind == "object" else {}


def _of_list(draw: Draw, below: Callable[[], Schema]) -> dict[str, Any]:
    made = _some(draw, {"minItems": st.integers(0, 2), "maxItems": st.integers(1, 3)})
    if draw(st.integers(0, 2)):
        made["items"] = below()
    if draw(st.integers(0, 3)) == 0:
        made["prefixItems"] = [below() for _ in range(draw(st.integers(1, 2)))]
    return {**made, **UNIQUE} if draw(st.integers(0, 3)) == 0 else made


def _of_object(draw: Draw, below: Callable[[], Schema]) -> dict[str, Any]:
    names = st.lists(st.sampled_from(NAMES), max_size=2, unique=True)
    some = {"minProperties": st.integers(0, 2), "maxProperties": st.integers(1, 3), "required": names}
    made = _some(
        draw, {**some, "dependentRequired": st.dictionaries(st.sampled_from(NAMES), names, max_size=1)}
    )
    made["properties"] = {name: below() for name in draw(st.lists(st.sampled_from(NAMES), max_size=3))}
    if draw(st.integers(0, 2)) == 0:
        made["additionalProperties"] = below() if draw(st.booleans()) else False
    return made


def _combination(draw: Draw, beside: Callable[[], Schema]) -> dict[str, Any]:
    keyword = draw(st.sampled_from(("anyOf", "oneOf", "allOf", "not", "if")))
    if keyword == "not":
        return {"not": beside()}
    if keyword == "if":
        branches = {name: beside() for name in ("then", "else") if draw(st.booleans())}
        return {"if": beside(), **branches}
    return {keyword: [beside() for _ in range(draw(st.integers(1, 3)))]}


def near(draw: Draw, part: Any, root: Any, depth: int = 6) -> Any:
    """Draw a value that is likely to fit a schema, or to miss it by little."""
    if not isinstance(part, dict) or depth == 0 or draw(st.integers(0, 19)) == 0:
        return draw(VALUES)
    if "enum" in part or "const" in part:
        return draw(st.sampled_from(part.get("enum", [part.get("const")])))
    choices = [*part.get("anyOf", ()), *part.get("oneOf", ()), *part.get("allOf", ())]
    if "$ref" in part:
        choices.append(resolve_reference(root, part["$ref"]))
    if choices and draw(st.booleans()):
        return near(draw, draw(st.sampled_from(choices)), root, depth - 1)
    declared = part.get("type", TYPES)
    kind = declared if isinstance(declared, str) else draw(st.sampled_from(declared))
    return _near_kind(draw, kind, part, root, depth)


def _near_kind(draw: Draw, kind: str, part: dict[str, Any], root: Any, depth: int) -> Any:
    if kind == "array":
        first = part.get("prefixItems", [])
        size = part.get("minItems", 0) + draw(st.integers(0, 2))
        rest = part.get("items", {})
        parts = [first[index] if index < len(first) else rest for index in range(size)]
        items = [near(draw, one, root, depth - 1) for one in parts]
        return [*items, items[0]] if items and draw(st.integers(0, 4)) == 0 else items
    if kind == "object":
        listed = part.get("properties", {})
        wanted = [*part.get("required", ()), *(name for name in listed if draw(st.booleans()))]
        more = draw(st.lists(st.sampled_from(NAMES), max_size=1))
        others = part.get("additionalProperties", {})
        return {name: near(draw, listed.get(name, others), root, depth - 1) for name in (*wanted, *more)}
    simple = {"string": TEXTS, "boolean": st.booleans(), "null": st.none(), "number": NUMBERS}
    return draw(simple.get(kind, st.integers(-1, 5) | NUMBERS))


@st.composite
def cases(draw: Draw) -> tuple[dict[str, Any], Any]:
    """A schema and a value near it."""
    made = draw(documents())
    return made, near(draw, made, made)


@st.composite
def cases_of_keyword(draw: Draw, keyword: str) -> tuple[dict[str, Any], Any]:
    """A flat schema with the keyword, and a value of the type that it speaks of."""
    flat = {"type": draw(st.sampled_from(TYPES))}
    many, named = st.lists(SCALARS, max_size=4), st.dictionaries(st.sampled_from(NAMES), SCALARS, max_size=3)
    names = st.lists(st.sampled_from(NAMES), max_size=2)
    low, high = st.sampled_from((-1, 0, 0.5, 1)), st.sampled_from((2, 2.5, 3.0, 4))
    several = st.lists(TYPED | st.booleans(), min_size=1, max_size=3)
    found: dict[str, tuple[st.SearchStrategy[Any], st.SearchStrategy[Any]]] = {
        "type": (st.sampled_from(TYPES) | st.lists(st.sampled_from(TYPES), min_size=1, unique=True), VALUES),
        "enum": (st.lists(SCALARS, min_size=1, max_size=60), SCALARS),
        "const": (VALUES, VALUES | st.just([1, True, {"a": 1.0}])),
        "minimum": (low, NUMBERS),
        "maximum": (high, NUMBERS),
        "exclusiveMinimum": (low, NUMBERS),
        "exclusiveMaximum": (high, NUMBERS),
        "multipleOf": (STEPS, NUMBERS),
        "minLength": (COUNTS, TEXTS),
        "maxLength": (COUNTS, TEXTS),
        "minItems": (COUNTS, many),
        "maxItems": (COUNTS, many),
        "uniqueItems": (st.booleans(), many),
        "items": (TYPED | st.booleans(), many),
        "prefixItems": (several, many),
        "minProperties": (COUNTS, named),
        "maxProperties": (COUNTS, named),
        "required": (names, named),
        "dependentRequired": (st.dictionaries(st.sampled_from(NAMES), names, max_size=3), named),
        "properties": (st.dictionaries(st.sampled_from(NAMES), TYPED, min_size=2), named),
        "additionalProperties": (TYPED | st.booleans(), named),
        "anyOf": (several, SCALARS),
        "oneOf": (several, SCALARS),
        "allOf": (several, SCALARS),
        "not": (TYPED, SCALARS),
        "if": (TYPED, SCALARS),
        "$ref": (st.sampled_from(("#/$defs/a", "#/$defs/a~1b%20c", "#/anyOf/0")), SCALARS),
    }
    written, values = found[keyword]
    beside = {
        "if": {"then": flat, "else": draw(TYPED)},
        "$ref": {"$defs": {"a": flat, "a/b c": draw(TYPED)}, "anyOf": [draw(TYPED), True]},
    }
    return {keyword: draw(written), **beside.get(keyword, {})}, draw(values | VALUES)


KEYWORDS = (
    *("type", "enum", "const", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    *("minLength", "maxLength", "minItems", "maxItems", "uniqueItems", "items", "prefixItems"),
    *("minProperties", "maxProperties", "required", "dependentRequired", "properties"),
    *("additionalProperties", "anyOf", "oneOf", "allOf", "not", "if", "$ref"),
)
