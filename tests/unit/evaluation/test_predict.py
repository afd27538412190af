"""Prediction: batches change nothing, failures stay with their rows, and a killed run is gone on with."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation import predict
from evaluation.generation import Prompt, batches_by_length, generate_completions
from evaluation.jsonl import read_jsonl, write_jsonl
from evaluation.model import Subject, load_subject
from evaluation.predictions import PredictionFile
from jobs.doors import BadInput
from tests.unit.evaluation.models import save_tiny_model
from tests.unit.evaluation.rows import choice_row, text_row

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def model_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_model(tmp_path_factory.mktemp("model"), "qwen3")


@pytest.fixture(scope="module")
def subject(model_dir: Path) -> Subject:
    return load_subject(model_dir)


def rows_of_lengths(*lengths: int) -> list[dict[str, Any]]:
    made = [text_row("direct", f"r{number}") for number in range(len(lengths))]
    for row, length in zip(made, lengths, strict=True):
        row["messages"] = [{"role": "user", "content": "Paris " * length}]
    return made


def generate(subject: Subject, rows: list[dict[str, Any]], tokens: int = 12) -> dict[str, dict[str, Any]]:
    return {one["id"]: one for batch in generate_completions(subject, rows, tokens) for one in batch}


def test_padding_and_batches_change_no_completion(subject: Subject) -> None:
    rows = rows_of_lengths(1, 9, 3, 20)
    alone = {}
    for row in rows:
        alone.update(generate(subject, [row]))
    assert generate(subject, rows) == alone


def test_completions_stop_at_the_end_of_the_turn_and_keep_markers(
    subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = subject.encode("Hi <tool_call>{}</tool_call><|im_end|>")
    tail = said + [said[-1]] * 3

    def speak(tokens: torch.Tensor, **_: Any) -> torch.Tensor:
        return torch.cat([tokens, torch.tensor([tail] * len(tokens))], dim=1)

    monkeypatch.setattr(subject.model, "generate", speak)
    predicted = generate(subject, rows_of_lengths(1))["r0"]
    assert predicted["completion"] == "Hi <tool_call>{}</tool_call>"
    assert (predicted["stop_reason"], predicted["tokens"]) == ("end_of_turn", len(said) - 1)
    assert predicted["format"] == "hermes"


def test_decoding_is_greedy_whatever_the_model_asks_for(subject: Subject) -> None:
    rows = rows_of_lengths(4)
    first = generate(subject, rows)
    subject.model.generation_config.do_sample = True
    subject.model.generation_config.temperature = 5.0
    subject.model.generation_config.repetition_penalty = 9.0
    assert generate(subject, rows) == first


def test_a_row_that_fails_costs_no_other_and_says_why(
    subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = subject.model.generate

    def fragile(tokens: torch.Tensor, **rest: Any) -> torch.Tensor:
        if tokens.shape[1] > 380:
            raise torch.OutOfMemoryError("no room")
        generated: torch.Tensor = real(tokens, **rest)
        return generated

    monkeypatch.setattr(subject.model, "generate", fragile)
    rows = rows_of_lengths(1, 60, 400, 2)
    rows[3]["tools"] = "{"
    predicted = generate(subject, rows)
    assert "completion" in predicted["r0"]
    assert predicted["r1"]["error"] == "OutOfMemoryError: no room"
    assert "leaves room for 0 new ones" in predicted["r2"]["error"]
    assert "tools: not JSON" in predicted["r3"]["error"]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(1, 300), max_size=40), st.integers(50, 2_000))
def test_batches_hold_every_prompt_once_within_the_budget(lengths: list[int], budget: int) -> None:
    prompts = [Prompt(str(number), (1,) * length) for number, length in enumerate(lengths)]
    batches = list(batches_by_length(prompts, 10, budget))
    assert sorted(one.row_id for batch in batches for one in batch) == sorted(one.row_id for one in prompts)
    for batch in batches:
        held = len(batch) * (max(len(one.tokens) for one in batch) + 10)
        assert held <= budget or len(batch) == 1


def test_a_cut_line_is_dropped_and_its_row_predicted_again(tmp_path: Path) -> None:
    path = tmp_path / "own.jsonl"
    PredictionFile(path, "abc").append([{"id": "a"}, {"id": "b"}])
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"id": "c", "comple')
    file = PredictionFile(path, "abc")
    assert file.missing([{"id": name} for name in "abcd"]) == [{"id": "c"}, {"id": "d"}]
    assert path.read_bytes() == whole


@pytest.mark.parametrize(
    "content", ['{"id": "a", "model": "other"}\n', '{"id": "a"}\n', "nonsense\n", "[]\n"]
)
def test_predictions_of_another_model_are_never_gone_on_with(tmp_path: Path, content: str) -> None:
    path = tmp_path / "own.jsonl"
    path.write_text(content)
    with pytest.raises(BadInput, match=r"own\.jsonl"):
        PredictionFile(path, "abc")
    assert path.read_text() == content


def test_the_digest_tells_weights_template_and_format_apart(tmp_path: Path) -> None:
    first = load_subject(save_tiny_model(tmp_path / "a"))
    assert load_subject(save_tiny_model(tmp_path / "b")).digest == first.digest
    changed = save_tiny_model(tmp_path / "b", "qwen3")
    assert load_subject(changed).digest != first.digest
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("learning_rate: 1.0\ntool_call_format: bare_json\n")
    by_recipe = load_subject(tmp_path / "a", recipe)
    assert by_recipe.format == "bare_json"
    assert by_recipe.digest != first.digest


@pytest.mark.parametrize(
    ("recipe", "named"),
    [
        ("tool_call_format: hermse", "hermse"),
        ("chat_template: no/such.jinja", "no/such.jinja"),
        ("- a list", "field: value"),
        ("a: [", "recipe"),
    ],
)
def test_a_recipe_that_cannot_be_used_says_why(
    model_dir: Path, tmp_path: Path, recipe: str, named: str
) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(recipe)
    with pytest.raises(BadInput, match=named):
        load_subject(model_dir, path)


def test_a_folder_without_a_model_is_bad_input_and_a_training_job_s_folder_is_found(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"no config\.json"):
        load_subject(tmp_path)
    save_tiny_model(tmp_path / "model")
    assert load_subject(tmp_path).format == "hermes"


def container(tmp_path: Path, model_dir: Path, rows: int) -> dict[str, str]:
    suites = tmp_path / "data" / "suites"
    choices = [choice_row("direct", f"m{number}") for number in range(rows)]
    write_jsonl(suites / "when2call_mcq.jsonl", choices)
    write_jsonl(suites / "own.jsonl", [text_row("direct", f"o{number}") for number in range(rows)])
    paths = {"CHANNEL_DATA": tmp_path / "data", "CHANNEL_MODEL": model_dir, "MODEL_DIR": tmp_path / "out"}
    variables = {f"SM_{name}": str(path) for name, path in paths.items()}
    return {**variables, "SM_OUTPUT_DIR": str(tmp_path / "failure" / "none"), "MLFLOW_TRACKING_URI": ""}


def test_a_job_predicts_every_suite_and_a_finished_one_does_nothing_again(
    tmp_path: Path, model_dir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in container(tmp_path, model_dir, 3).items():
        monkeypatch.setenv(name, value)
    predict.main(["--max-new-tokens", "4"])
    assert "progress step=6 total=6" in capsys.readouterr().out
    files = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    assert sorted(files) == ["own.jsonl", "when2call_mcq.jsonl"]
    assert all("choices" in one for one in read_jsonl(tmp_path / "out" / "when2call_mcq.jsonl"))
    predict.main(["--max-new-tokens", "4"])
    assert "0 rows predicted" in capsys.readouterr().out
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == files


def test_no_row_is_lost_or_predicted_twice_after_sigkill(
    tmp_path: Path, model_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    variables = container(tmp_path, model_dir, 150)
    arguments = ["--max-new-tokens", "4"]
    command = [sys.executable, "-m", "evaluation.predict", *arguments]
    out = tmp_path / "out" / "when2call_mcq.jsonl"
    environment = {**os.environ, **variables}
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 120
        while (not out.is_file() or out.stat().st_size < 2_000) and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
    assert 0 < len(out.read_bytes().splitlines()) < 150
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    predict.main(arguments)
    for name, first in (("when2call_mcq", "m"), ("own", "o")):
        ids = [one["id"] for one in read_jsonl(out.with_name(f"{name}.jsonl"))]
        assert sorted(ids) == sorted(f"{first}{number}" for number in range(150))


def test_a_run_in_which_every_row_fails_is_a_failure(subject: Subject, tmp_path: Path) -> None:
    rows = rows_of_lengths(400, 401)
    with pytest.raises(BadInput, match="not one of 2 rows"):
        predict.predict(subject, [predict.Work("own", rows, tmp_path / "own.jsonl")])


@pytest.mark.parametrize(
    ("arguments", "named"),
    [(["--rows", "x.jsonl"], "--suite"), (["--suite", "own", "--rows", "none.jsonl"], "no such file")],
)
def test_arguments_that_do_not_fit_say_so(arguments: list[str], named: str) -> None:
    with pytest.raises(BadInput, match=named):
        predict.main(arguments)


def test_an_unknown_suite_is_refused_before_a_model_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_jsonl(tmp_path / "suites" / "mmlu.jsonl", [])
    monkeypatch.setenv("SM_CHANNEL_DATA", str(tmp_path))
    with pytest.raises(BadInput, match=r"mmlu\.jsonl: unknown suite; known are when2call_mcq, own"):
        predict.main([])


def test_rows_with_one_id_are_refused(tmp_path: Path, model_dir: Path) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_text(json.dumps(text_row("direct")) + "\n" + json.dumps(text_row("direct")) + "\n")
    with pytest.raises(BadInput, match="row 2: the id 'r1' is there twice"):
        predict.main(["--suite", "own", "--rows", str(rows), "--model", str(model_dir)])
