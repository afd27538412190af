"""The grader over real rows, where a folder with them lies beside the repository."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from evaluation.toolcalls import FORMATS, parse_completion, score_completion
from tests.unit.evaluation.rows import hermes

ROOT = Path(__file__).resolve().parents[3]
FOLDER = Path(os.environ.get("TOOLWRIGHT_TEST_DATA", ROOT.parent / "shared" / "data"))
DECISIONS = {"call": "tool_call", "ask": "request_for_info", "refuse": "cannot_answer", "direct": "direct"}
REFUSAL = "I'm sorry, none of my tools can do that."


def read(name: str) -> Iterator[dict[str, Any]]:
    path = FOLDER / name
    if not path.is_file():
        pytest.skip(
            f"no real rows here: {path.name} lies beside no checkout (TOOLWRIGHT_TEST_DATA names a folder)"
        )
    with path.open(encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def canonical(raw: dict[str, Any]) -> dict[str, Any]:
    calls = [
        {"name": c["name"], "arguments": json.dumps(c["arguments"])} for c in raw.get("gold_calls") or ()
    ]
    allowed = raw.get("gold_allowed") or None
    return {
        "tools": json.dumps(raw["tools"]),
        "expected": {
            "decision": DECISIONS[raw["label"]],
            "calls": calls,
            "allowed": allowed and json.dumps(allowed),
            "text": raw.get("gold_text"),
        },
    }


def first_accepted(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            k: first_accepted(v[0] if isinstance(v, list) else v)
            for k, v in value.items()
            if v and v[0] != ""
        }
    return [first_accepted(item) for item in value] if isinstance(value, list) else value


def gold_completion(raw: dict[str, Any]) -> str:
    calls = [(call["name"], call["arguments"]) for call in raw.get("gold_calls") or ()]
    for entry in raw.get("gold_allowed") or ():
        for name, arguments in entry.items():
            given = {k: first_accepted(v[0]) for k, v in arguments.items() if v[0] != ""}
            calls.append((name, given))
    return "\n".join(hermes(name, given) for name, given in calls) or raw.get("gold_text") or REFUSAL


def test_gold_completions_are_all_correct() -> None:
    wrong = []
    for raw in read("calls_test.jsonl"):
        score = score_completion(parse_completion(gold_completion(raw), "hermes"), canonical(raw))
        if not score.is_correct:
            wrong.append((raw["id"], score))
    assert not wrong, wrong[:3]


def test_no_output_seen_in_the_wild_makes_the_parser_raise() -> None:
    for case in read("edge_cases.jsonl"):
        texts = [json.dumps(case["raw"]), str(case["raw"].get("raw_output", ""))]
        for text in texts:
            for format in FORMATS:
                for lenient in (False, True):
                    parse_completion(text, format, lenient=lenient)


def test_the_wording_of_gold_texts_tells_their_decision() -> None:
    right = []
    for raw in read("when2call_mcq_test.jsonl"):
        for decision in ("direct", "request_for_info", "cannot_answer"):
            row = {"expected": {"decision": decision, "text": raw["answers"][decision]}}
            parsed = parse_completion(raw["answers"][decision], "hermes")
            right.append(score_completion(parsed, row).is_correct)
    assert sum(right) / len(right) > 0.97
