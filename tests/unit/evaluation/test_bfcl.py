"""Strict mode beside BFCL's own checker, and the literals of Java and JavaScript that its rows have."""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from bench import parity
from bench.bfcl import CATEGORIES, WheelAbsent, load_checker, load_rows
from bench.bfcl_answers import gold_answers
from evaluation.toolcalls import Call, Completion, parse_completion, score_completion
from evaluation.toolcalls.languages import KINDS, literal_types, read_literal
from evaluation.toolcalls.values import BFCL_RULES
from tests.unit.evaluation.rows import call_row, hermes, text_row

# Of the near misses that the bench tries, one in so many.
EVERY = 12
JAVA = (
    "byte",
    "integer",
    "float",
    "double",
    "long",
    "boolean",
    "char",
    "Array",
    "ArrayList",
    "HashMap",
    "any",
)
SCRIPT = ("String", "integer", "float", "Bigint", "Boolean", "dict", "array", "any")


@pytest.fixture(scope="module")
def compared() -> parity.Comparison:
    try:
        return parity.compare(load_checker(), every=EVERY)
    except WheelAbsent as absent:
        pytest.skip(str(absent))


def test_every_verdict_is_bfcls_or_its_row_is_listed(compared: parity.Comparison) -> None:
    assert {category for category, _ in compared.answered} == set(CATEGORIES)
    assert sum(compared.answered.values()) > 60_000
    assert parity.document(compared) == parity.DOCUMENT.read_text(encoding="utf-8")


def test_both_verdicts_are_frequent_among_the_answers(compared: parity.Comparison) -> None:
    for kind in parity.KINDS:
        answered = sum(n for (_, of), n in compared.answered.items() if of == kind)
        accepted = sum(n for (_, of), n in compared.accepted.items() if of == kind)
        assert 0.1 < accepted / answered < 0.95, kind


def test_a_disagreement_that_nobody_judged_stops_the_document(compared: parity.Comparison) -> None:
    known = compared.disagreements[0]
    odd = known._replace(ours=False, theirs=known.theirs._replace(valid=True, error=""))
    with pytest.raises(ValueError, match=known.answer.row.id):
        parity.explain(odd)


@pytest.mark.parametrize("category", ["simple_java", "simple_javascript"])
def test_proper_literals_of_a_language_are_right_by_the_default_rules(category: str) -> None:
    try:
        rows = load_rows(category)
    except WheelAbsent as absent:
        pytest.skip(str(absent))
    wrong = []
    for row in rows:
        calls = [Call(name, arguments) for name, arguments in next(gold_answers(row))]
        score = score_completion(Completion(calls=tuple(calls)), row.row)
        if not score.is_correct:
            wrong.append((row.id, score.reason))
    assert not wrong


TYPED = {
    "name": "f",
    "parameters": {
        "type": "object",
        "properties": {
            "x": {"type": "number"},
            "n": {"type": "integer"},
            "words": {"type": "array", "items": {"type": "string"}},
            "place": {"type": "object"},
            "text": {"type": "string"},
        },
        "required": ["text"],
    },
}
STRICT = [
    ({"text": "a"}, {"text": ["A."]}, True, "case and punctuation do not count"),
    ({"text": "15"}, {"text": ["1.5"]}, True, "nor does the decimal point of a text"),
    ({"text": "a", "x": 5}, {"text": ["a"], "x": [5.0]}, True, "an integer serves as a float"),
    ({"text": "a", "n": 5.0}, {"text": ["a"], "n": [5]}, False, "a float does not serve as an integer"),
    ({"text": "a", "n": True}, {"text": ["a"], "n": [1]}, False, "nor does a boolean"),
    ({}, {"text": ["a", ""]}, False, "a required argument may not be left out, whatever the answer says"),
    ({"text": "a"}, {"text": ["a"], "n": [1, ""]}, True, "an optional one may"),
    ({"text": "a", "odd": 1}, {"text": ["a"], "odd": [1]}, False, "the tool has to list an argument"),
    (
        {"text": "a", "words": []},
        {"text": ["a"], "words": [["b"], ""]},
        True,
        "an optional list is empty too",
    ),
    ({"text": "a", "words": ["B."]}, {"text": ["a"], "words": [["b"]]}, True, "elements are normalised"),
    ({"text": "a", "words": [1]}, {"text": ["a"], "words": [["b"]]}, False, "and have a type"),
    (
        {"text": "a", "place": {"k": 1}},
        {"text": ["a"], "place": [{"k": [True]}]},
        True,
        "true is 1 in objects",
    ),
    ({"text": "a", "place": {}}, {"text": ["a"], "place": [{"k": ["v", ""]}]}, True, "a key left out"),
    (
        {"text": "a", "place": {"k": "v"}},
        {"text": ["a"], "place": [{"k": "v"}]},
        True,
        "one letter is a choice",
    ),
    ({"text": "a", "place": {"k": "vw"}}, {"text": ["a"], "place": [{"k": "vw"}]}, False, "but no two"),
    ({"text": "a", "n": "m"}, {"text": ["a"], "n": ["m"]}, True, "the name of a variable"),
    ({"text": "a", "n": "M"}, {"text": ["a"], "n": ["m"]}, False, "which is taken as it is"),
    ({"text": "a", "n": None}, {"text": ["a"], "n": [None]}, True, "null where null is accepted"),
    ({"text": "a", "n": None}, {"text": ["a"], "n": [3, None]}, False, "but not beside another type"),
]


@pytest.mark.parametrize(("arguments", "accepted", "right", "why"), STRICT, ids=[row[3] for row in STRICT])
def test_strict_mode_judges_to_the_letter(arguments: Any, accepted: Any, right: bool, why: str) -> None:
    row = {**call_row(allowed=json.dumps([{"f": accepted}])), "tools": json.dumps([TYPED])}
    score = score_completion(Completion(calls=(Call("f", arguments),)), row, rules=BFCL_RULES)
    assert score.is_correct is right, why


def test_relevance_is_judged_as_bfcls_runner_does() -> None:
    irrelevant = text_row("cannot_answer")
    irrelevant["expected"]["text"] = None
    relevant = call_row(any_call=True)
    invented = parse_completion(hermes("f", {}), "hermes")
    unreadable = parse_completion("<tool_call>{", "hermes")
    strict: Any = {"rules": BFCL_RULES}
    assert score_completion(unreadable, irrelevant, **strict).is_correct, "what cannot be read is no call"
    assert not score_completion(unreadable, irrelevant).is_correct
    assert not score_completion(invented, irrelevant, **strict).is_correct
    assert score_completion(invented, relevant, **strict).is_correct, "any call is relevant"
    assert score_completion(invented, relevant).reason == "invented_tool"
    assert not score_completion(unreadable, relevant, **strict).is_correct


@pytest.mark.parametrize(
    ("arguments", "reason", "why"),
    [
        ({"city": "Rome"}, "correct", "whatever it asks for"),
        ({"city": 5}, "wrong_type", "it has to fit the schema"),
        ({}, "schema_violation", "with what is required"),
        ({"city": "Rome", "unit": "kelvin"}, "schema_violation", "and within bounds"),
    ],
)
def test_where_any_call_is_right_it_has_to_be_valid(arguments: Any, reason: str, why: str) -> None:
    score = score_completion(Completion(calls=(Call("get_weather", arguments),)), call_row(any_call=True))
    assert score.reason == reason, why
    assert not score.counts


LITERALS = [
    ("5L", "long", None, "java", 5, "a long has a suffix"),
    ("5", "long", None, "java", "5", "and without it is none"),
    ("2.5f", "float", None, "java", 2.5, "so has a float"),
    ("true", "boolean", None, "java", True, "a boolean"),
    ("True", "boolean", None, "java", "True", "which Python's is not"),
    ("new int[]{1, 2}", "Array", "integer", "java", [1, 2], "an array"),
    ('new ArrayList<>(Arrays.asList("a", "b"))', "ArrayList", "String", "java", ["a", "b"], "a list"),
    ("new ArrayList<Integer>() {{ add(1); add(2); }}", "ArrayList", "integer", "java", [1, 2], "in braces"),
    ("new ArrayList<>()", "ArrayList", "String", "java", [], "an empty one"),
    ('new HashMap<String, Integer>() {{ put("a", 1); }}', "HashMap", None, "java", {"a": 1}, "a map"),
    ("new HashMap<>()", "HashMap", None, "java", {}, "an empty one"),
    ("[1, 2]", "array", "integer", "javascript", [1, 2], "an array"),
    ("new Array(1, 2)", "array", "integer", "javascript", [1, 2], "made by name"),
    ("[[1, 2], ['a']]", "array", "array", "javascript", [[1, 2], ["a"]], "of arrays"),
    (
        "{a: 'x, y', b: [1], c: true}",
        "dict",
        None,
        "javascript",
        {"a": "x, y", "b": [1], "c": True},
        "an object",
    ),
    ("12n", "Bigint", None, "javascript", 12, "a big integer"),
    ("'a'", "String", None, "javascript", "a", "quotes come off"),
    ("document", "any", None, "javascript", "document", "a name stays"),
    ("9" * 5000, "integer", None, "java", "9" * 5000, "more digits than Python reads"),
]


@pytest.mark.parametrize(("text", "kind", "element", "language", "value", "why"), LITERALS)
def test_literals_are_read(
    text: str, kind: str, element: str | None, language: str, value: Any, why: str
) -> None:
    assert read_literal(text, kind, element, language) == value, why


def test_the_type_of_an_argument_stands_in_its_description() -> None:
    words = (
        " This is Java Array type parameter in string representation. The list elements are of type String; "
    )
    assert literal_types(f"Names.{words}they are not in string representation.", "java") == (
        "Array",
        "String",
    )
    assert literal_types("A name.", "java") == ("any", None)
    assert literal_types(None, "javascript") == ("any", None)


@pytest.mark.parametrize(
    "text",
    [
        "new HashMap<" + " " * 9000,
        "new HashMap<>() {" + " " * 9000,
        "new int[]{" * 900,
        "new ArrayList<>(Arrays.asList(" * 300,
        "add(" * 2000,
        "[[" + "],[" * 3000,
        "[" * 9000,
        "{" + "a:," * 3000,
        "x" * 2_000_000,
    ],
    ids=lambda text: text[:24],
)
def test_hostile_literals_are_read_in_no_time(text: str) -> None:
    started = time.process_time()
    for kind in KINDS:
        for language in ("java", "javascript"):
            read_literal(text, kind, "any" if KINDS[kind] is list else None, language)
    assert time.process_time() - started < 2.0


PIECES = st.sampled_from(
    [
        "5",
        "-5",
        "5L",
        "5n",
        "3.14",
        "3.14f",
        "1e5",
        "true",
        '"a"',
        "'a'",
        "a",
        " ",
        ", ",
        ", b: ",
        "[1, 2]",
        "x y",
    ]
)
SHAPES = st.sampled_from(
    [
        "{0}",
        "new int[]{{{0}, {1}}}",
        "new String[] {{ {0} }}",
        "new ArrayList<>(Arrays.asList({0}, {1}))",
        "new ArrayList<Integer>() {{{{ add({0}); add({1}); }}}}",
        'new HashMap<String, Object>() {{{{ put("k", {0}); put("l", {1}); }}}}',
        "[{0}, {1}]",
        "[[{0}], [{1}, {0}]]",
        "new Array({0}, {1})",
        "{{k: {0}, 'l': {1}}}",
    ]
)
LITERAL_TEXTS = st.builds(lambda shape, a, b: shape.format(a, b), SHAPES, PIECES, PIECES)


def _peer(language: str) -> Any:
    short = {"java": "java", "javascript": "js"}[language]
    try:
        load_checker()
    except WheelAbsent as absent:
        pytest.skip(str(absent))
    module = importlib.import_module(f"bfcl_eval.eval_checker.ast_eval.type_convertor.{short}_type_converter")
    return getattr(module, f"{short}_type_converter")


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    with contextlib.redirect_stdout(io.StringIO()):
        yield


@settings(max_examples=300, deadline=None)
@given(LITERAL_TEXTS, st.sampled_from(JAVA), st.sampled_from([None, "integer", "String", "any", "boolean"]))
def test_javas_literals_are_read_as_bfcl_reads_them(text: str, kind: str, element: str | None) -> None:
    assume(element is None or KINDS[kind] is list)
    assert read_literal(text, kind, element, "java") == _peer("java")(text, kind, element)


@settings(max_examples=300, deadline=None)
@given(LITERAL_TEXTS, st.sampled_from(SCRIPT), st.sampled_from([None, "integer", "String", "any", "array"]))
def test_javascripts_literals_are_read_as_bfcl_reads_them(text: str, kind: str, element: str | None) -> None:
    assume(element is None or KINDS[kind] is list)
    with _silent():
        theirs = _peer("javascript")(text, kind, element)
    assert read_literal(text, kind, element, "javascript") == theirs
