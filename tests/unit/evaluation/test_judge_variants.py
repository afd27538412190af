"""The judge in a run: gold is asked about once, and a judge that fails costs nothing but its numbers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from evaluation import compare
from evaluation.jsonl import read_jsonl, write_jsonl
from evaluation.judge.clients import Reply, Request
from evaluation.judge.variants import JudgeEnvironment
from evaluation.toolcalls import score_suite
from jobs.doors import BadInput
from tests.unit.evaluation.rows import ANSWERS, choice_row

DECISIONS = ("tool_call", "request_for_info", "cannot_answer")
ROWS = [choice_row(DECISIONS[number % 3], f"r{number}") for number in range(30)]
SAID = {
    "tool_call": "<tool_call>\n" + ANSWERS["tool_call"] + "\n</tool_call>",
    **{name: ANSWERS[name] for name in ("direct", "request_for_info", "cannot_answer")},
}
MARKS = {"tool_call": "get_weather", "request_for_info": "Which city", "cannot_answer": "none of my tools"}


class Judge:
    """Names the decision whose wording stands in the request; counts what it was asked."""

    model = "a-judge"

    def __init__(self, failure: BadInput | None = None) -> None:
        self.asked: list[str] = []
        self._failure = failure

    def ask(self, request: Request) -> Reply:
        if self._failure:
            raise self._failure
        self.asked.append(request.user)
        # The tools are in every request, so the last sign of a decision is the answer's.
        found = max(MARKS, key=lambda name: request.user.rfind(MARKS[name]))
        sunny = request.user.rfind("It is sunny")
        decision = "direct" if sunny > request.user.rfind(MARKS[found]) else found
        return Reply(json.dumps({"decision": decision, "why": "its wording"}))


def run_of(folder: Path, variants: tuple[str, ...] = ("base", "sft")) -> list[str]:
    """A run whose base always asks back and whose sft is always right; returns compare's arguments."""
    write_jsonl(folder / "data" / "suites" / "when2call_generate.jsonl", ROWS)
    for variant in variants:
        said = [SAID[row["expected"]["decision"] if variant == "sft" else "request_for_info"] for row in ROWS]
        predictions: list[dict[str, Any]] = [
            {"id": row["id"], "completion": text, "format": "hermes"}
            for row, text in zip(ROWS, said, strict=True)
        ]
        write_jsonl(folder / "predictions" / variant / "when2call_generate.jsonl", predictions)
        scored = score_suite(ROWS, predictions)
        write_jsonl(folder / "scores" / variant / "when2call_generate.jsonl", scored.records())
    named = {"data": "data", "predictions": "predictions", "scores": "scores", "out": "out"}
    return [text for name, place in named.items() for text in (f"--{name}", str(folder / place))]


def judged(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / "out" / "comparison.json").read_text())
    return dict(content["judge"]["when2call_generate"])


@pytest.fixture
def bedrock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUDGE_BEDROCK_MODEL_ID", "a-judge")


@pytest.mark.usefixtures("bedrock")
def test_every_variant_is_judged_and_gold_is_asked_about_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    judge = Judge()
    monkeypatch.setattr(JudgeEnvironment, "connect", lambda self: judge)
    compare.main(run_of(tmp_path))
    found = judged(tmp_path)
    assert {name: one["status"] for name, one in found.items()} == {"base": "judged", "sft": "judged"}
    assert found["sft"]["accuracy"]["value"] == 1.0
    assert found["base"]["accuracy"]["value"] == pytest.approx(1 / 3)
    kept = tmp_path / "out" / "judgements" / "when2call_generate"
    gold = list(read_jsonl(kept / "gold.jsonl"))
    assert gold
    assert len(judge.asked) == len(gold) + 2 * len(ROWS)
    assert [len(list(read_jsonl(kept / f"{name}.jsonl"))) for name in found] == [len(ROWS), len(ROWS)]
    told = capsys.readouterr().out
    assert "judge of sft: accuracy 100.0" in told
    assert "kappa 1.00" in told


def test_without_a_judge_it_is_listed_as_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("JUDGE_BEDROCK_MODEL_ID", "JUDGE_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    compare.main(run_of(tmp_path))
    assert {one["status"] for one in judged(tmp_path).values()} == {"not_run"}
    assert "judge of base: not run: no judge is named" in capsys.readouterr().out


@pytest.mark.usefixtures("bedrock")
def test_a_judge_that_cannot_be_asked_costs_nothing_but_its_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(JudgeEnvironment, "connect", lambda self: Judge(BadInput("no such model")))
    compare.main(run_of(tmp_path))
    assert [one["status"] for one in judged(tmp_path).values()] == ["not_run", "not_run"]
    assert "no such model" in judged(tmp_path)["base"]["reason"]
    content = json.loads((tmp_path / "out" / "comparison.json").read_text())
    assert content["suites"]["when2call_generate"]["sft"]["metrics"]["decision_accuracy"]["value"] > 0.9


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, None),
        ({"JUDGE_BEDROCK_MODEL_ID": "m"}, JudgeEnvironment("m")),
        (
            {"JUDGE_ENDPOINT": "http://h/v1", "JUDGE_MODEL": "m", "JUDGE_SECRET_ARN": "arn"},
            JudgeEnvironment("m", "http://h/v1", "arn"),
        ),
    ],
    ids=["none", "bedrock", "endpoint"],
)
def test_the_template_s_variables_name_the_judge(
    variables: dict[str, str], expected: JudgeEnvironment | None
) -> None:
    assert JudgeEnvironment.read(variables) == expected
