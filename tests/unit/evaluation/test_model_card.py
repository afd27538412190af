"""The model card: nothing is claimed of licence, language or base model that is not known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from evaluation.comparison import compare
from evaluation.model_card import write_card
from evaluation.registry.candidate import Candidate, choose_candidate
from evaluation.registry.register import Lineage
from evaluation.report.results import Results
from jobs.run import RunReference
from tests.unit.evaluation.scored_run import SKILL, plan_of, write_run

ROWS = [{"language": "en"}] * 19 + [{"language": "de"}]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    folder = tmp_path_factory.mktemp("run")
    write_run(folder)
    return Results(compare("run-1", folder / "data", folder / "scores"), {}, plan_of(tuple(SKILL), "sft"))


def write(
    results: Results, candidate: Candidate | None, rows: list[dict[str, str]]
) -> tuple[dict[str, Any], str]:
    """The card's header and its body."""
    card = write_card(candidate, results, Lineage(RunReference(), "", {}, {}), {}, rows)
    _, header, body = card.split("---\n", 2)
    return yaml.safe_load(header), body


def tuned_from(results: Results, base: str) -> Results:
    plan = plan_of(tuple(SKILL), "sft")
    plan["input"]["base_model"] = base
    return replace(results, plan=plan)


PAGE = "; its page is https://huggingface.co/Qwen/Qwen3-0.6B."
BASES = [
    ("Qwen/Qwen3-0.6B", "Qwen/Qwen3-0.6B", PAGE, "a hub's model"),
    ("Qwen/Qwen3-0.6B@0123abc", "Qwen/Qwen3-0.6B", PAGE, "at a revision, which is part of no hub's name"),
    ("tiny", None, "unknown here.", "a staged name is no hub's"),
    ("s3://bucket/models/a@b/", None, "unknown here.", "nor is an address"),
]


@pytest.mark.parametrize(("base", "named", "words", "why"), BASES, ids=[row[-1] for row in BASES])
def test_the_base_model_is_named_as_the_hub_names_it(
    base: str, named: str | None, words: str, why: str, results: Results
) -> None:
    header, body = write(tuned_from(results, base), choose_candidate(results), ROWS)
    assert header.get("base_model") == named, why
    licence = body.split("## Licence\n")[1].split("##")[0]
    assert words in licence
    assert header["license"] == "unknown", "nobody states it, and it is not made up"


def test_without_a_base_what_fell_is_told_over_what_there_is(tmp_path: Path) -> None:
    write_run(tmp_path, {"prompt": 8, "sft": 3})
    plan = plan_of(("prompt", "sft"), rules=False)
    plan["input"]["gate"] = None
    comparison = compare("run-1", tmp_path / "data", tmp_path / "scores")
    found = Results(comparison, {}, plan)
    _, body = write(found, choose_candidate(found), ROWS)
    assert "Not promoted: the gate had nothing to hold it against." in body
    worse = body.split("## What it got worse at\n")[1].split("##")[0]
    assert "own, accuracy: sft over prompt: -" in worse


LANGUAGES: list[tuple[list[dict[str, str]], list[str] | None, str, str]] = [
    (ROWS, ["en", "de"], "tested for that in en, de.", "one of twenty rows"),
    ([*ROWS, {"language": "en"}], ["en"], "tested for that in en.", "fewer may be wrong guesses"),
    ([{"language": "unsure"}] * 3, None, "a language that was not recognised", "no code of a language"),
    ([], None, "a language that was not recognised", "no rows"),
]


@pytest.mark.parametrize(("rows", "codes", "words", "why"), LANGUAGES, ids=[row[-1] for row in LANGUAGES])
def test_the_languages_are_those_that_it_was_tested_in(
    rows: list[dict[str, str]], codes: list[str] | None, words: str, why: str, results: Results
) -> None:
    header, body = write(results, choose_candidate(results), rows)
    assert header.get("language") == codes, why
    assert words in body.split("## Intended use\n")[1].split("##")[0]


def test_without_a_model_there_is_no_use_and_no_licence_of_it(results: Results) -> None:
    header, body = write(replace(results, plan={}), None, ROWS)
    assert "license" not in header
    assert "## Intended use" not in body
    assert "## Licence" not in body
