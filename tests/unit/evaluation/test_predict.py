"""Prediction: batches change nothing, failures stay with their rows, and a killed run is gone on with."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoModelForCausalLM

from evaluation import predict
from evaluation.generation import Decoding
from evaluation.jsonl import read_jsonl, write_jsonl
from evaluation.model import Subject, load_subject
from evaluation.predictions import PredictionFile
from evaluation.suites import SUITES
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


@pytest.mark.parametrize("cut", ['{"id": "c", "comple', '{"i', ""])
def test_a_cut_line_is_dropped_and_its_row_predicted_again(tmp_path: Path, cut: str) -> None:
    path = tmp_path / "own.jsonl"
    with PredictionFile(path, "abc") as file:
        file.append([{"id": "a"}, {"id": "b"}])
    whole = path.read_bytes()
    path.write_bytes(whole + cut.encode())
    with PredictionFile(path, "abc") as file:
        assert file.missing([{"id": name} for name in "abcd"]) == [{"id": "c"}, {"id": "d"}]
        assert path.read_bytes() == whole
        file.append([{"id": "c"}])
    assert [one["id"] for one in read_jsonl(path)] == ["a", "b", "c"]


@pytest.mark.parametrize(
    "content",
    ['{"id": "a", "model": "other"}\n', '{"id": "a"}\n', "nonsense\n", "[]\n", "a text without an end", "{}"],
)
def test_a_file_of_anything_else_is_refused_and_left_as_it_is(tmp_path: Path, content: str) -> None:
    path = tmp_path / "own.jsonl"
    path.write_text(content)
    with pytest.raises(BadInput, match=r"own\.jsonl"):
        PredictionFile(path, "abc")
    assert path.read_text() == content


def test_two_processes_cannot_write_one_file(tmp_path: Path) -> None:
    path = tmp_path / "own.jsonl"
    with PredictionFile(path, "abc"), pytest.raises(BadInput, match="another process is writing it"):
        PredictionFile(path, "abc")
    with PredictionFile(path, "abc") as file:
        assert file.missing([{"id": "a"}])


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


def test_a_finished_job_loads_no_weights(
    tmp_path: Path, model_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in container(tmp_path, model_dir, 2).items():
        monkeypatch.setenv(name, value)
    predict.main(["--max-new-tokens", "4"])
    monkeypatch.setattr(AutoModelForCausalLM, "from_pretrained", None)
    predict.main(["--max-new-tokens", "4"])


@pytest.mark.parametrize("flags", [["--max-new-tokens", "5"], ["--temperature", "0.7"], ["--seed", "3"]])
def test_completions_of_another_decoding_are_not_gone_on_with(
    tmp_path: Path, model_dir: Path, flags: list[str]
) -> None:
    rows, out = tmp_path / "rows.jsonl", tmp_path / "out.jsonl"
    write_jsonl(rows, [text_row("direct")])
    command = ["--suite", "own", "--rows", str(rows), "--model", str(model_dir), "--out", str(out)]
    predict.main([*command, "--max-new-tokens", "4"])
    before = out.read_bytes()
    with pytest.raises(BadInput, match="format or decoding"):
        predict.main([*command, "--max-new-tokens", "4", *flags])
    assert out.read_bytes() == before


def test_what_the_platform_kept_of_a_job_is_gone_on_with_and_delivered(
    tmp_path: Path, model_dir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in container(tmp_path, model_dir, 3).items():
        monkeypatch.setenv(name, value)
    (tmp_path / "kept").mkdir()
    monkeypatch.setenv("SM_CHECKPOINT_DIR", str(tmp_path / "kept"))
    predict.main(["--max-new-tokens", "4"])
    # A spot instance is gone with all but the folder that was kept in step with S3.
    shutil.rmtree(tmp_path / "out")
    own = tmp_path / "kept" / "own.jsonl"
    lines = own.read_bytes().splitlines(keepends=True)
    own.write_bytes(b"".join(lines[:1]) + lines[1][:20])
    capsys.readouterr()
    predict.main(["--max-new-tokens", "4"])
    assert "own: 2 rows predicted" in capsys.readouterr().out
    for name in ("own", "when2call_mcq"):
        delivered = tmp_path / "out" / f"{name}.jsonl"
        assert delivered.read_bytes() == (tmp_path / "kept" / f"{name}.jsonl").read_bytes()
        assert len({one["id"] for one in read_jsonl(delivered)}) == len(list(read_jsonl(delivered))) == 3


ROWS_KILLED = 40
# Dies by SIGKILL at the n-th write of predictions: behind it, or in the middle of a line.
DYING = """
import os, signal, sys
from evaluation import predict, predictions
from evaluation.jsonl import line_of
left, where = int(sys.argv[1]), sys.argv[2]
whole = predictions.PredictionFile.append
def append(self, batch):
    global left
    left -= 1
    if left == 0 and where == "within":
        line = line_of({**batch[0], "model": self._digest}).encode()
        self._lines._file.write(line[: len(line) // 2])
        self._lines._file.flush()
        os.kill(os.getpid(), signal.SIGKILL)
    whole(self, batch)
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
predictions.PredictionFile.append = append
predict.main(sys.argv[3:])
"""


def test_no_row_is_lost_or_predicted_twice_after_sigkill(
    tmp_path: Path, model_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = {**os.environ, **container(tmp_path, model_dir, ROWS_KILLED)}
    arguments = ["--max-new-tokens", "100"]
    paths = {name: tmp_path / "out" / f"{name}.jsonl" for name in ("when2call_mcq", "own")}
    kept = []
    for write, where in ((1, "within"), (2, "within"), (1, "behind")):
        command = [sys.executable, "-c", DYING, str(write), where, *arguments]
        killed = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, check=False)
        assert killed.returncode == -signal.SIGKILL
        kept.append(sum(path.read_bytes().count(b"\n") for path in paths.values() if path.is_file()))
    assert 0 == kept[0] < kept[1] < kept[2] < 2 * ROWS_KILLED, "killed in the middle, and gone on with"
    for name, value in container(tmp_path, model_dir, ROWS_KILLED).items():
        monkeypatch.setenv(name, value)
    predict.main(arguments)
    interrupted = {name: list(read_jsonl(path)) for name, path in paths.items()}
    for name, first in (("when2call_mcq", "m"), ("own", "o")):
        ids = [one["id"] for one in interrupted[name]]
        assert sorted(ids) == sorted(f"{first}{number}" for number in range(ROWS_KILLED))
    monkeypatch.setenv("SM_MODEL_DIR", str(tmp_path / "straight"))
    predict.main(arguments)
    for name, predictions in interrupted.items():
        straight = {one["id"]: one for one in read_jsonl(tmp_path / "straight" / f"{name}.jsonl")}
        for one in predictions:
            assert one.get("completion") == straight[one["id"]].get("completion")
            for choice, scored in one.get("choices", {}).items():
                logprob = straight[one["id"]]["choices"][choice]["logprob"]
                assert scored["logprob"] == pytest.approx(logprob, abs=1e-4)


def test_a_run_in_which_every_row_fails_is_a_failure(subject: Subject, tmp_path: Path) -> None:
    rows = rows_of_lengths(400, 401)
    with pytest.raises(BadInput, match="not one of 2 rows"):
        predict.predict(subject, [predict.Work(SUITES["own"], rows, tmp_path / "own.jsonl", Decoding())])


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--rows", "x.jsonl"], "--suite"),
        (["--suite", "own", "--rows", "none.jsonl"], "no such file"),
        (["--suite", "own", "--max-new-tokens", "0"], "must be 1 or more"),
    ],
)
def test_arguments_that_do_not_fit_say_so(arguments: list[str], named: str) -> None:
    with pytest.raises(BadInput, match=named):
        predict.main(arguments)


def test_an_unknown_suite_is_refused_before_a_model_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_jsonl(tmp_path / "suites" / "mmlu.jsonl", [])
    monkeypatch.setenv("SM_CHANNEL_DATA", str(tmp_path))
    with pytest.raises(BadInput, match=r"mmlu\.jsonl: unknown suite; known are when2call_mcq,"):
        predict.main([])


def test_rows_with_one_id_are_refused(tmp_path: Path, model_dir: Path) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_text(json.dumps(text_row("direct")) + "\n" + json.dumps(text_row("direct")) + "\n")
    with pytest.raises(BadInput, match="row 2: the id 'r1' is there twice"):
        predict.main(["--suite", "own", "--rows", str(rows), "--model", str(model_dir)])
