"""Constrained decoding: all that is written parses, calls offered tools alone and fits their schemas."""

from __future__ import annotations

import dataclasses
import json
import random
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import llguidance
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import AddedToken

from evaluation.generation import Decoding
from evaluation.generation.constraint import Constraint, load_constraint, read_tools
from evaluation.generation.grammars import SYNTAXES
from evaluation.generation.prompts import stop_tokens
from evaluation.model import Subject, load_subject
from evaluation.toolcalls import FORMATS, Completion, parse_completion
from evaluation.toolcalls.schema import fits_parameters
from jobs.doors import BadInput
from tests.unit.evaluation.models import build_model, build_tokenizer
from tests.unit.evaluation.rows import TIMER, WEATHER, text_row
from tests.unit.evaluation.test_generation import generate

# A prompt that leaves a tiny model room to answer.
TEMPLATE = """
{%- for message in messages -%}{{ '<|im_start|>' + message['role'] + message['content'] + '<|im_end|>' }}
{%- for call in message['tool_calls'] or [] -%}
{{ '<tool_call>' + (call['function'] | tojson) + '</tool_call>' }}
{%- endfor -%}{%- endfor -%}{%- if add_generation_prompt -%}{{ '<|im_start|>assistant' }}{%- endif -%}
"""
NESTED: dict[str, Any] = {
    "name": "plan",
    "parameters": {
        "type": "dict",
        "properties": {
            "stops": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {"at": {"type": "float"}, "note": {}},
                    "required": ["at"],
                },
                "minItems": 1,
            },
            "free": {"type": "object"},
            "mode": {"enum": ["a", "b", 3, None]},
            "maybe": {"anyOf": [{"type": "string", "maxLength": 3}, {"type": "null"}]},
            "lat": {"type": "number", "minimum": -90, "maximum": 90},
            "count": {"type": "integer", "exclusiveMinimum": True, "minimum": 2},
            "sure": {"$ref": "#/$defs/yes"},
            "day": {"type": "string", "format": "date"},
        },
        "required": ["stops"],
        "$defs": {"yes": {"type": "boolean"}},
    },
}
TOOLS: list[dict[str, Any]] = [WEATHER, TIMER, NESTED, {"name": "now", "parameters": {}}, {"name": "off"}]
BY_NAME = {tool["name"]: tool for tool in TOOLS}
ROW = {"id": "r", "tools": json.dumps(TOOLS)}
NAMES = st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1, max_size=8)
MARKERS = "special", "added", "spelled"


def save_model(folder: Path, markers: str = "special") -> Subject:
    """A model whose tokenizer has the tags as special tokens, as added ones that are not, or not at all."""
    tokenizer = build_tokenizer()
    if markers != "special":
        text = tokenizer.backend_tokenizer.to_str()
        for tag in ("<tool_call>", "</tool_call>"):
            text = text.replace(f'"content":"{tag}"', f'"content":"<unused{len(tag)}>"').replace(
                f'"{tag}":', f'"<unused{len(tag)}>":'
            )
        tokenizer = type(tokenizer)(tokenizer_object=type(tokenizer.backend_tokenizer).from_str(text))
        tokenizer.eos_token = "<|im_end|>"
    if markers == "added":
        tokenizer.add_tokens(
            [AddedToken("<tool_call>", special=False), AddedToken("</tool_call>", special=False)]
        )
    tokenizer.chat_template = TEMPLATE
    build_model("llama", len(tokenizer)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return load_subject(folder)


@pytest.fixture(scope="module")
def subjects(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Subject]:
    return {markers: save_model(tmp_path_factory.mktemp(markers), markers) for markers in MARKERS}


@pytest.fixture(scope="module")
def constraints(subjects: dict[str, Subject]) -> dict[tuple[str, str], Constraint]:
    made = {}
    for markers, subject in subjects.items():
        for format in SYNTAXES:
            made[markers, format] = load_constraint(
                dataclasses.replace(subject, format=format), stop_tokens(subject)
            )
    return made


def walk(
    constraint: Constraint, grammar: str, subject: Subject, rng: random.Random, start: str
) -> str | None:
    """Write one random completion token by token, in a hurry to close what is open; None where it is cut."""
    matcher, written, stops = constraint.matcher(grammar), [], set(stop_tokens(subject))
    hurried = {
        subject.encode(sign)[-1] for sign in ('"', "}", "]", ",", "<tool_call>", "{", "[", "\n")
    } | stops
    for token in subject.encode(start):
        assert matcher.consume_token(token), f"{start!r} is not allowed"
        written.append(token)
    for _ in range(300):
        bits = np.frombuffer(matcher.compute_bitmask(), np.uint8)
        allowed = np.flatnonzero(np.unpackbits(bits, bitorder="little")).tolist()
        assert allowed, "a completion that can neither go on nor end"
        closing = sorted(hurried.intersection(allowed))
        token = rng.choice(closing if closing and rng.random() < 0.5 else allowed)
        if token in stops:
            return str(subject.tokenizer.decode(written, skip_special_tokens=False))
        assert matcher.consume_token(token), matcher.get_error()
        written.append(token)
    return None


def faults_of(completion: Completion) -> Iterator[str]:
    if completion.error is not None:
        yield f"malformed: {completion.error}"
    for call in completion.calls:
        if call.name not in BY_NAME:
            yield f"invented: {call.name}"
        elif not fits_parameters(BY_NAME[call.name].get("parameters", {}), call.arguments):
            yield f"does not fit: {call}"


OPENINGS = {
    "hermes": "Hi <tool_call>",
    "toolcall_tag": "<TOOLCALL>",
    "mistral": "[TOOL_CALLS] ",
    "xlam": "Hi\n[",
}


@pytest.mark.parametrize("markers", MARKERS)
@pytest.mark.parametrize("format", SYNTAXES)
@pytest.mark.parametrize("prompt", ["", "Think: <think>\n"], ids=["speaking", "thinking"])
def test_whatever_a_model_writes_parses_and_fits(
    subjects: dict[str, Subject],
    constraints: dict[tuple[str, str], Constraint],
    markers: str,
    format: str,
    prompt: str,
) -> None:
    subject, constraint = subjects[markers], constraints[markers, format]
    grammar = constraint.grammar_of(ROW, prompt)
    start = OPENINGS.get("hermes" if format == "qwen3" else format, '{"')
    counts: Counter[str] = Counter()
    for seed in range(16):
        begun = "a thought</think>\n" if prompt else ""
        begun += start if seed % 2 else ""
        text = walk(constraint, grammar, subject, random.Random(seed), begun)  # noqa: S311
        if text is None:
            continue
        # The parsers that know no opened thought read all of it, and find no call in it.
        parsed = parse_completion(text, format)
        assert not list(faults_of(parsed)), text
        counts["calls"] += len(parsed.calls)
        counts["texts"] += not parsed.calls
    assert counts["calls"] > 2
    assert counts["texts"] > 2


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    format=st.sampled_from(sorted(SYNTAXES)),
    names=st.lists(NAMES, min_size=1, max_size=4, unique=True),
    data=st.data(),
)
def test_random_tools_are_held_to(
    subjects: dict[str, Subject],
    constraints: dict[tuple[str, str], Constraint],
    seed: int,
    format: str,
    names: list[str],
    data: st.DataObject,
) -> None:
    plain = st.sampled_from(
        [
            {"type": "string"},
            {"type": "integer", "minimum": -3, "maximum": 12},
            {"type": "number", "exclusiveMinimum": 0},
            {"type": "boolean"},
            {"type": ["integer", "null"]},
            {"enum": ["x", 1, None, True]},
            {"const": "é\n"},
            {"type": "any"},
            {"type": "object", "additionalProperties": {"type": "integer"}},
            {},
        ]
    )
    part = st.recursive(
        plain,
        lambda inner: st.one_of(
            st.builds(lambda item: {"type": "array", "items": item, "maxItems": 3}, inner),
            st.builds(lambda one: {"type": "object", "properties": {"k": one}, "required": ["k"]}, inner),
            st.builds(lambda one, two: {"anyOf": [one, two]}, inner, inner),
        ),
        max_leaves=3,
    )
    properties = st.dictionaries(NAMES, part, max_size=3)
    tools = {}
    for name in names:
        declared = data.draw(properties)
        tools[name] = {"type": "object", "properties": declared, "required": sorted(declared)[:1]}
    row = {"tools": [{"name": name, "parameters": schema} for name, schema in tools.items()]}
    subject, constraint = subjects["special"], constraints["special", format]
    grammar = constraint.grammar_of(row, "")
    start = OPENINGS.get("hermes" if format == "qwen3" else format, '{"')
    text = walk(constraint, grammar, subject, random.Random(seed), start)  # noqa: S311
    if text is None:
        return
    parsed = parse_completion(text, format)
    assert parsed.error is None, text
    for call in parsed.calls:
        assert fits_parameters(tools[call.name], call.arguments), text


def accepts(
    constraint: Constraint, row: dict[str, Any], subject: Subject, text: str, prompt: str = ""
) -> bool:
    matcher = constraint.matcher(constraint.grammar_of(row, prompt))
    tokens = subject.encode(text)
    return bool(matcher.try_consume_tokens(tokens) == len(tokens) and matcher.is_accepting())


CALL = '{"name": "set_timer", "arguments": {"minutes": 3}}'
OTHER = '{"name":"get_weather","arguments":{"city":"Paris","days":2}}'


@pytest.mark.parametrize("markers", MARKERS)
@pytest.mark.parametrize(
    ("format", "text", "is_allowed", "reason"),
    [
        ("hermes", "Which city?", True, "a text without a call"),
        ("hermes", "", True, "an empty turn"),
        ("hermes", f"<tool_call>\n{CALL}\n</tool_call>", True, "a call as templates render it"),
        ("hermes", f"Sure. <tool_call>{OTHER}</tool_call>", True, "text before a call, compact JSON"),
        (
            "hermes",
            f"<tool_call>\n{CALL}\n</tool_call>\n<tool_call>\n{OTHER}\n</tool_call>",
            True,
            "two calls",
        ),
        ("hermes", "<think>\nhm\n</think>\nWhich city?", True, "a thought that is closed"),
        ("hermes", "<think>hm", False, "a thought that is not closed"),
        ("hermes", f"<tool_call>\n{CALL}", False, "a call that is not closed"),
        ("hermes", "</tool_call>", False, "closes nothing"),
        ("hermes", '<tool_call>\n{"name": "fly", "arguments": {}}\n</tool_call>', False, "an invented tool"),
        ("hermes", CALL.join(("<tool_call>", "</tool_call>")).replace("3", '"3"'), False, "a wrong type"),
        (
            "hermes",
            "<tool_call>" + OTHER.replace("days", "dayz") + "</tool_call>",
            False,
            "undeclared argument",
        ),
        (
            "hermes",
            '<tool_call>{"name": "get_weather", "arguments": {}}</tool_call>',
            False,
            "lacks the city",
        ),
        (
            "hermes",
            '<tool_call>{"name": "set_timer", "arguments": {"minutes": 1e999}}</tool_call>',
            False,
            "inf",
        ),
        ("hermes", "<|im_start|>", False, "a marker of the chat's own"),
        ("qwen3", f"<tool_call>\n{CALL}\n</tool_call>", True, "as hermes"),
        ("qwen3", f"<tool_call>\n{CALL}\n</tool_call></think>", False, "would make a thought of the call"),
        ("toolcall_tag", f"<TOOLCALL>[{CALL}, {OTHER}]</TOOLCALL>", True, "a list of calls"),
        ("toolcall_tag", "<TOOLCALL>[]</TOOLCALL>", False, "a list of none"),
        ("mistral", f"[TOOL_CALLS][{CALL}]", True, "a list behind the tag"),
        ("mistral", f'[TOOL_CALLS] [{CALL[:-1]}, "id": "abc123XYZ"}}]', True, "with an id"),
        ("mistral", "[TOOL_CALLS][]", False, "a list of none is malformed"),
        ("mistral", "[TOOL_CALLS] later", False, "a tag without a list"),
        ("bare_json", CALL, True, "a call is all there is"),
        ("bare_json", f"Sure:\n{CALL}", True, "behind a line of text"),
        ("bare_json", f"{CALL}\n{OTHER}", True, "a call a line"),
        ("bare_json", '{"name": "set_timer"', False, "an object that is cut"),
        ("bare_json", 'Like {"name": 1}', True, "brackets within a line are text"),
        ("bare_json", "Like\n  {1}", False, "a line that begins with a bracket is a call"),
        ("llama3_json", CALL.replace("arguments", "parameters"), True, "Llama's key"),
        ("llama3_json", CALL, False, "not Llama's key"),
        ("llama3_json", f"{CALL}; {OTHER}".replace("arguments", "parameters"), True, "two calls"),
        ("xlam", f"[{CALL}, {OTHER}]", True, "a list"),
        ("xlam", CALL, False, "a call outside of a list is malformed"),
    ],
)
def test_what_is_allowed(
    subjects: dict[str, Subject],
    constraints: dict[tuple[str, str], Constraint],
    markers: str,
    format: str,
    text: str,
    is_allowed: bool,
    reason: str,
) -> None:
    constraint = constraints[markers, format]
    assert accepts(constraint, ROW, subjects[markers], text) is is_allowed, reason
    if is_allowed:
        assert not list(faults_of(parse_completion(text, format))), reason


def test_a_row_without_tools_can_call_nothing(
    subjects: dict[str, Subject], constraints: dict[tuple[str, str], Constraint]
) -> None:
    row = {"tools": "[]"}
    for (markers, format), constraint in constraints.items():
        assert accepts(constraint, row, subjects[markers], "I cannot.")
        opening = SYNTAXES[format].opening or "{"
        assert not accepts(constraint, row, subjects[markers], opening), format


def test_a_thought_that_the_prompt_opened_is_closed_before_anything_else(
    subjects: dict[str, Subject], constraints: dict[tuple[str, str], Constraint]
) -> None:
    constraint, subject = constraints["special", "qwen3"], subjects["special"]
    called = f"<tool_call>\n{CALL}\n</tool_call>"
    assert accepts(constraint, ROW, subject, f"hm</think>\n\n{called}", "<think>\n")
    assert not accepts(constraint, ROW, subject, called, "<think>\n")
    assert accepts(constraint, ROW, subject, called, "<think>\n\n</think>\n\n")


@pytest.mark.parametrize(
    "decoding", [Decoding(40), Decoding(40, temperature=1.0, top_k=50)], ids=["greedy", "sampled"]
)
def test_a_model_is_held_to_the_grammar_in_batches_and_alone(
    subjects: dict[str, Subject], decoding: Decoding
) -> None:
    subject = subjects["special"]
    rows = [{**text_row("direct", f"r{number}"), "tools": json.dumps([TIMER])} for number in range(6)]
    for number, row in enumerate(rows):
        row["messages"] = [{"role": "user", "content": "Paris " * number}]
    constrained = dataclasses.replace(decoding, constrained=True)
    together = generate(subject, rows, constrained)
    assert together != generate(subject, rows, decoding)
    alone: dict[str, Any] = {}
    for row in rows:
        alone.update(generate(subject, [row], constrained))
    assert together == alone
    for one in together.values():
        if one["stop_reason"] == "end_of_turn":
            assert parse_completion(one["completion"], "hermes").error is None


@pytest.mark.parametrize(
    "tool",
    [
        {"name": "a\x1fb"},
        {"name": "f", "parameters": {"properties": {"\x00": {"type": "string"}}}},
        {"name": "f", "parameters": {"properties": {"a": {"enum": ["\x7f"]}}}},
    ],
    ids=["name", "property", "value"],
)
def test_a_control_sign_in_a_schema_is_refused(
    constraints: dict[tuple[str, str], Constraint], tool: dict[str, Any]
) -> None:
    with pytest.raises(BadInput, match="control sign"):
        constraints["special", "hermes"].grammar_of({"tools": json.dumps([tool])}, "")


def test_signs_that_only_look_like_control_signs_are_none(
    constraints: dict[tuple[str, str], Constraint],
) -> None:
    tool = {"name": "f", "description": "\x00", "parameters": {"properties": {"a\\u00": {"const": "\n"}}}}
    assert "\\\\u00" in constraints["special", "hermes"].grammar_of({"tools": json.dumps([tool])}, "")


def test_a_schema_that_cannot_be_enforced_costs_its_row_alone(subjects: dict[str, Subject]) -> None:
    row = text_row("direct", "r0")
    unique = {"type": "object", "properties": {"of": {"type": "array", "uniqueItems": True}}}
    bad = {**row, "id": "r1", "tools": json.dumps([{"name": "f", "parameters": unique}])}
    predicted = generate(subjects["special"], [row, bad], Decoding(8, constrained=True))
    assert "completion" in predicted["r0"]
    assert "cannot be enforced" in predicted["r1"]["error"]
    assert "uniqueItems" in predicted["r1"]["error"]


@pytest.mark.parametrize("format", sorted(set(FORMATS) - set(SYNTAXES)))
def test_a_format_that_cannot_be_constrained_is_refused_before_anything_is_generated(
    subjects: dict[str, Subject], format: str
) -> None:
    subject = dataclasses.replace(subjects["special"], format=format)
    with pytest.raises(BadInput, match=f"'{format}' cannot be constrained; those that can: hermes, qwen3"):
        generate(subject, [text_row("direct")], Decoding(constrained=True))
    assert "model" not in vars(subject)


def test_without_the_library_it_says_what_to_install(
    subjects: dict[str, Subject], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "llguidance", None)
    with pytest.raises(BadInput, match="pip install llguidance"):
        generate(subjects["special"], [text_row("direct")], Decoding(constrained=True))


@pytest.mark.parametrize("tools", ['"f"', "[1]", '[{"parameters": {}}]', "{", '{"name": "f"}'])
def test_tools_that_are_none_cost_their_row(tools: str) -> None:
    with pytest.raises(BadInput, match="tools"):
        read_tools({"tools": tools})


def test_vllm_reads_every_grammar_as_it_is(constraints: dict[tuple[str, str], Constraint]) -> None:
    """vLLM passes grammars through `grammar_from`, and validates them without the tokenizer."""
    for constraint in constraints.values():
        grammar = constraint.grammar_of(ROW, "")
        assert llguidance.grammar_from("grammar", grammar) == llguidance.grammar_from("lark", grammar)
        assert llguidance.LLMatcher.validate_grammar(grammar, None) == ""


def named_ends(subject: Subject, named: Sequence[int]) -> Constraint:
    return load_constraint(subject, stop_tokens(subject), named)


def test_a_stop_that_the_engine_does_not_know_as_an_end_can_be_written(subjects: dict[str, Subject]) -> None:
    subject = subjects["special"]
    other = subject.encode("<|im_start|>")[0]
    matcher = named_ends(subject, [other]).matcher(named_ends(subject, [other]).grammar_of(ROW, ""))
    assert matcher.try_consume_tokens([*subject.encode("Hi"), other]) == len(subject.encode("Hi")) + 1
    assert not matcher.is_error()
