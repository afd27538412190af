"""Which decision a text takes: a table of wordings, properties of the rule, and its cost on hostile text."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.toolcalls import wording
from evaluation.toolcalls.completion import Call, Completion
from evaluation.toolcalls.decision import (
    DECISIONS,
    MALFORMED,
    MAX_CHARACTERS_READ,
    decision_of,
    decision_of_text,
)
from tests.unit.evaluation.test_real_rows import ROOT, read

CASES = yaml.safe_load((Path(__file__).parent / "decision_cases.yaml").read_text(encoding="utf-8"))
TEXT_DECISIONS = DECISIONS[1:]


def lines(block: str) -> list[str]:
    return [line.replace("\\n", "\n") for line in block.splitlines()]


READ = [
    pytest.param(text, decision, why, id=f"{decision}-{why}-{number}")
    for decision in TEXT_DECISIONS
    for why, block in CASES[decision].items()
    for number, text in enumerate(lines(block))
]
MISREAD = [
    pytest.param(text, *reading.split(", read as "), id=f"{reading}-{number}")
    for reading, block in CASES["misread"].items()
    for number, text in enumerate(lines(block))
]


@pytest.mark.parametrize(("text", "decision", "why"), READ)
def test_a_wording_takes_its_decision(text: str, decision: str, why: str) -> None:
    assert decision_of_text(text) == decision, why


@pytest.mark.parametrize(("text", "truth", "reading"), MISREAD)
def test_what_is_said_to_be_misread_still_is(text: str, truth: str, reading: str) -> None:
    assert truth in TEXT_DECISIONS
    assert decision_of_text(text) == reading != truth


@pytest.mark.parametrize("decision", TEXT_DECISIONS)
def test_each_decision_has_many_wordings_and_none_twice(decision: str) -> None:
    texts = [text for block in CASES[decision].values() for text in lines(block)]
    assert len(texts) >= 150
    assert len(set(texts)) == len(texts)


def accuracy(rows: Iterable[Mapping[str, Any]]) -> float:
    """Over the written answers of multiple-choice rows: the share that is read as what it was written for."""
    verdicts = [decision_of_text(row["answers"][name]) == name for row in rows for name in TEXT_DECISIONS]
    assert len(verdicts) > 500
    return sum(verdicts) / len(verdicts)


def test_the_answers_of_the_shipped_rows_are_read_right() -> None:
    text = (ROOT / "examples" / "rows" / "test.jsonl").read_text(encoding="utf-8")
    assert accuracy(map(json.loads, text.splitlines())) >= 0.995


def test_the_answers_of_when2call_are_read_right() -> None:
    assert accuracy(read("when2call_mcq_test.jsonl")) >= 0.985


COMPLETIONS = [
    (Completion(calls=(Call("a", {}),)), "tool_call", "a call decides"),
    (Completion(calls=(Call("a", {}),), text="I can't do that."), "tool_call", "whatever is said around it"),
    (Completion(calls=(Call("a", {}),), text="Which city?"), "tool_call", "even a question"),
    (Completion(text="Which city?"), "request_for_info", "no call: the words decide"),
    (Completion(text=""), MALFORMED, "nothing at all"),
    (Completion(text=" \n\t "), MALFORMED, "white space is nothing"),
    (Completion(text="..."), "direct", "something, however little"),
]


@pytest.mark.parametrize(("completion", "decision", "why"), COMPLETIONS)
def test_a_completion_is_decided_by_its_calls_first(completion: Completion, decision: str, why: str) -> None:
    assert decision_of(completion) == decision, why


def test_an_error_is_malformed_whatever_else_was_read() -> None:
    broken = Completion(text="Which city?", error="unbalanced")  # type: ignore[arg-type]
    assert decision_of(broken) == MALFORMED


PIECES = st.sampled_from(
    [
        "I can't",
        "do that",
        "Which city",
        "?",
        ".",
        "!",
        "\n",
        " ",
        '"',
        "```",
        "please",
        "’",
        "请问",
        "。",
        "sorry",
        "n't",
    ]
)


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.text(max_size=200), st.lists(PIECES, max_size=30).map(" ".join)))
def test_any_text_takes_one_of_three_decisions(text: str) -> None:
    assert decision_of_text(text) in TEXT_DECISIONS


ORDINARY = [pytest.param(*case.values[:2], id=case.id) for case in READ if "\n" not in str(case.values[0])]


@pytest.mark.parametrize(("text", "decision"), ORDINARY[::7])
def test_form_changes_no_decision(text: str, decision: str) -> None:
    """White space around it, typographic quotes and apostrophes, bold type, capital letters."""
    assert decision_of_text(f"\n  {text}  \n") == decision
    assert decision_of_text(text.replace("'", "’")) == decision
    if '"' not in text:
        assert decision_of_text(f"**{text}**") == decision
    assert decision_of_text(text.upper() if text.isascii() else text) == decision


@pytest.mark.parametrize("decision", TEXT_DECISIONS)
def test_padding_at_the_end_is_not_read(decision: str) -> None:
    text = {"request_for_info": "Which city?", "cannot_answer": "I can't do that.", "direct": "It is sunny."}[
        decision
    ]
    padded = text + " " * MAX_CHARACTERS_READ + "Which city? I can't do that."
    assert decision_of_text(padded) == decision


def test_a_long_answer_is_read_at_its_ends() -> None:
    steps = " ".join(f"Step {number} is done in minute {number}." for number in range(20))
    assert decision_of_text(f"{steps} Which file is it? {steps}") == "direct", "the middle is matter"
    assert decision_of_text(f"{steps} Which file is it?") == "request_for_info", "the end speaks to the user"
    assert decision_of_text(f"I can't do that. {steps}") == "cannot_answer", "and so does the beginning"


HOSTILE = {
    "one word": "a",
    "white space": " ",
    "sentences": ". ",
    "questions": "? ",
    "open quotations": '"a',
    "fences": "```",
    "contractions": "n't",
    "apostrophes": "'",
    "question words": "what ",
    "prepositions": "and in ",
    "refusals": "i cannot not tool me ",
    "brackets": ".)",
    "lines": "\n",
    "Chinese": "请",
    "Turkish capital, longer in lower case": "İ",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_megabyte_of_anything_is_read_at_once(name: str) -> None:
    text = HOSTILE[name] * (1_000_000 // len(HOSTILE[name]))
    start = time.process_time()
    assert decision_of_text(text) in TEXT_DECISIONS
    assert time.process_time() - start < 1


PLAIN_FORMS = [
    ("i can't do that.", " i cannot do that ", "contractions are written out"),
    ("we won't, unfortunately", " i not ", "one speaker, no filler, no future"),
    ("that's not our call", " that is not my call ", "the assistant's own"),
    ("i'm going to have to ask", " i must ask ", "an obligation is one word"),
    ("i'll need it", " i need it ", "so is a need"),
    ("we can't divide by zero", " one cannot divide by zero ", "that is anyone"),
    ("", "  ", "nothing stays nothing"),
]


@pytest.mark.parametrize(("sentence", "plain", "why"), PLAIN_FORMS)
def test_a_sentence_is_brought_to_the_form_of_the_phrases(sentence: str, plain: str, why: str) -> None:
    assert wording.plain_form(sentence) == plain, why


def phrase_lists() -> dict[str, tuple[str, ...]]:
    return {
        name: value
        for name, value in vars(wording).items()
        if name.isupper() and isinstance(value, tuple) and not name.startswith("_")
    }


@pytest.mark.parametrize("name", [name for name in phrase_lists() if not name.startswith(("ASIAN", "LATIN"))])
def test_every_phrase_can_be_found(name: str) -> None:
    """A phrase that the plain form never contains ("i will need") would be dead weight."""
    for phrase in phrase_lists()[name]:
        assert phrase.rstrip() in wording.plain_form(phrase.strip()), (name, phrase)
