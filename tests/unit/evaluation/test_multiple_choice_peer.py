"""Multiple choice against lm-evaluation-harness itself: its task, its evaluator, its model class."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench import multiple_choice as bench
from bench.harness import build_task, render_doc, run_harness
from evaluation.model import Subject, load_subject
from evaluation.multiple_choice import predict_choices
from jobs.doors import BadInput
from tests.unit.evaluation.models import save_tiny_model
from tests.unit.evaluation.rows import choice_row

DECISIONS = ["direct", "tool_call", "request_for_info", "cannot_answer"]


@pytest.fixture(scope="module", params=["llama", "qwen3", "gemma3"])
def subject(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Subject:
    return load_subject(save_tiny_model(tmp_path_factory.mktemp(request.param), request.param))


@pytest.mark.parametrize("batch_size", [1, 4])
def test_scores_and_metrics_are_those_of_the_harness(subject: Subject, batch_size: int) -> None:
    rows = [choice_row(decision, f"r{number}") for number, decision in enumerate(DECISIONS)]
    for number, row in enumerate(rows):
        row["messages"] = [{"role": "user", "content": "How is the weather in Paris? " * (number + 1)}]
    docs = [render_doc(subject, row) for row in rows]
    peer = run_harness(subject, build_task(docs), docs, batch_size)
    ours = {one["id"]: one["choices"] for batch in predict_choices(subject, rows) for one in batch}
    for row_id, scores in peer.logprobs.items():
        assert {name: choice["logprob"] for name, choice in ours[row_id].items()} == pytest.approx(
            scores, abs=1e-4
        )
    right = {"acc": 0, "acc_norm": 0}
    for row in rows:
        choices = ours[row["id"]]
        by_length = {name: one["logprob"] / one["characters"] for name, one in choices.items()}
        right["acc"] += max(choices, key=lambda name: choices[name]["logprob"]) == row["expected"]["decision"]
        right["acc_norm"] += max(by_length, key=by_length.__getitem__) == row["expected"]["decision"]
    assert (peer.acc, peer.acc_norm) == (right["acc"] / 4, right["acc_norm"] / 4)


@pytest.fixture
def rows_file(tmp_path: Path) -> Path:
    file = tmp_path / "rows.jsonl"
    long = {**choice_row("direct", "long"), "messages": [{"role": "user", "content": "Paris " * 600}]}
    rows = [choice_row(decision, f"r{number}") for number, decision in enumerate(DECISIONS)]
    file.write_text("".join(json.dumps(row) + "\n" for row in [*rows, long]), encoding="utf-8")
    return file


def test_the_bench_prints_what_either_side_did(
    tmp_path: Path, rows_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, recipe = save_tiny_model(tmp_path / "model"), tmp_path / "recipe.yaml"
    recipe.write_text("tool_call_format: hermes\n", encoding="utf-8")
    bench.main(
        ["--json", "--rows", str(rows_file), "--model", str(folder), "--recipe", str(recipe), "--limit", "0"]
    )
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (found["rows"], found["rows_left_out"]) == (4, 1)
    assert found["max_abs_diff"] < 1e-4
    assert found["acc_agreement"] == found["acc_norm_agreement"] == 1
    # The four rows are one, which the harness notices too: each answer has its prompt to itself there.
    assert found["peer_tokens"] == found["peer_head_positions"] > 3 * found["tokens"]
    assert found["flop_ratio"] > 3
    assert found["flop_limit"] >= found["flop_ratio"]


@pytest.mark.parametrize(
    ("arguments", "cause"),
    [(["--rounds", "0"], "--rounds takes 1 or more"), (["--limit", "-1"], "--limit 0 or more")],
    ids=["no_round", "negative_limit"],
)
def test_the_bench_refuses_what_measures_nothing(arguments: list[str], cause: str) -> None:
    with pytest.raises(BadInput, match=cause):
        bench.main(arguments)


def test_the_bench_refuses_rows_without_answers(tmp_path: Path) -> None:
    folder, recipe, rows = save_tiny_model(tmp_path / "m"), tmp_path / "r.yaml", tmp_path / "rows.jsonl"
    recipe.write_text("tool_call_format: hermes\n", encoding="utf-8")
    row = {name: value for name, value in choice_row("direct").items() if name != "answers"}
    rows.write_text(json.dumps(row) + "\n", encoding="utf-8")
    with pytest.raises(BadInput, match="no row has 'answers'"):
        bench.main(["--rows", str(rows), "--model", str(folder), "--recipe", str(recipe)])
