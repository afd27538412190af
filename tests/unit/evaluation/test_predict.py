"""Prediction: batches change nothing, failures stay with their rows, and a killed run is gone on with."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
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
from jobs.run import Run
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


ABCD = [text_row("direct", name) for name in "abcd"]


def ids_of(rows: Sequence[Mapping[str, Any]]) -> str:
    return "".join(str(row["id"]) for row in rows)


@pytest.mark.parametrize("cut", ['{"id": "c", "comple', '{"i', ""])
def test_a_cut_line_is_dropped_and_its_row_predicted_again(tmp_path: Path, cut: str) -> None:
    path = tmp_path / "own.jsonl"
    with PredictionFile(path, "abc", ABCD) as file:
        file.append([{"id": "a"}, {"id": "b"}])
    whole = path.read_bytes()
    path.write_bytes(whole + cut.encode())
    with PredictionFile(path, "abc", ABCD) as file:
        assert ids_of(file.missing) == "cd"
        assert path.read_bytes() == whole
        file.append([{"id": "c"}])
    assert ids_of(list(read_jsonl(path))) == "abc"


@pytest.mark.parametrize(
    "content",
    [
        '{"id": "a", "row": "r", "model": "other"}\n',
        '{"id": "a"}\n',
        "nonsense\n",
        "[]\n",
        "a text without an end",
        "{}",
        '{"id": "a", "messages": []}',
    ],
)
def test_a_file_of_anything_else_is_refused_and_left_as_it_is(tmp_path: Path, content: str) -> None:
    path = tmp_path / "own.jsonl"
    path.write_text(content)
    with pytest.raises(BadInput, match=r"own\.jsonl"):
        PredictionFile(path, "abc", ABCD)
    assert path.read_text() == content


def test_two_processes_cannot_write_one_file(tmp_path: Path) -> None:
    path = tmp_path / "own.jsonl"
    with PredictionFile(path, "abc", ABCD), pytest.raises(BadInput, match="another process is writing it"):
        PredictionFile(path, "abc", ABCD)
    with PredictionFile(path, "abc", ABCD) as file:
        assert ids_of(file.missing) == "abcd"


def test_what_failed_for_want_of_memory_is_tried_again_and_a_row_s_own_fault_is_not(tmp_path: Path) -> None:
    path = tmp_path / "own.jsonl"
    with PredictionFile(path, "abc", ABCD) as file:
        file.append([{"id": "a"}, {"id": "b", "error": "OutOfMemoryError", "retry": True}])
        file.append([{"id": "c", "error": "too long"}])
    with PredictionFile(path, "abc", ABCD) as file:
        assert ids_of(file.missing) == "bd"
        file.append([{"id": "b"}, {"id": "d", "error": "too long"}])
        assert file.failure is None
    assert [(one["id"], "error" in one) for one in read_jsonl(path)] == [
        ("a", False),
        ("c", True),
        ("b", False),
        ("d", True),
    ]
    assert [one.name for one in tmp_path.iterdir()] == ["own.jsonl"]


def test_a_row_that_was_another_one_is_not_taken_for_predicted(tmp_path: Path) -> None:
    path = tmp_path / "own.jsonl"
    with PredictionFile(path, "abc", ABCD) as file:
        file.append([{"id": "a"}])
    changed = {**ABCD[0], "messages": [{"role": "user", "content": "Something else"}]}
    with pytest.raises(BadInput, match=r"own\.jsonl, line 1: the row 'a' was another one then"):
        PredictionFile(path, "abc", [changed])
    with PredictionFile(path, "abc", ABCD[2:]) as file:
        assert ids_of(file.missing) == "cd", "rows that are not asked for now may be there"


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


def test_throughput_and_peak_memory_go_to_mlflow(
    tmp_path: Path, model_dir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    logged: dict[str, Any] = {}
    run = Run()
    monkeypatch.setattr(run, "log_metrics", logged.update)
    monkeypatch.setattr(run, "log_params", logged.update)
    monkeypatch.setattr(predict, "child_run", lambda *_, **__: nullcontext(run))
    for name, value in container(tmp_path, model_dir, 3).items():
        monkeypatch.setenv(name, value)
    predict.main(["--max-new-tokens", "4", "--temperature", "0.5"])
    for suite in ("when2call_mcq", "own"):
        assert logged[f"rows_predicted/{suite}"] == 3
        assert logged[f"rows_per_second/{suite}"] > 0
    assert logged["completion_tokens_per_second/own"] > 0
    assert "completion_tokens_per_second/when2call_mcq" not in logged
    assert logged["peak_memory_gib"] > 0.01
    assert (logged["temperature"], logged["few_shot"], logged["suites"]) == (0.5, False, "when2call_mcq,own")
    assert re.search(
        r"^progress step=6 total=6 seconds_left=0 rows_per_second=\d", capsys.readouterr().out, re.M
    )


def test_a_finished_job_loads_no_weights(
    tmp_path: Path, model_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in container(tmp_path, model_dir, 2).items():
        monkeypatch.setenv(name, value)
    predict.main(["--max-new-tokens", "4"])
    monkeypatch.setattr(AutoModelForCausalLM, "from_pretrained", None)
    predict.main(["--max-new-tokens", "4"])


@pytest.mark.parametrize("flags", [["--max-new-tokens", "5"], ["--temperature", "0.7"], ["--constrained"]])
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


def test_a_run_in_which_every_row_fails_is_a_failure_each_time(subject: Subject, tmp_path: Path) -> None:
    rows = rows_of_lengths(400, 401)
    for _ in range(2):
        with pytest.raises(BadInput, match="own: not one of 2 rows"):
            predict.predict(subject, [predict.Work(SUITES["own"], rows, tmp_path / "own.jsonl", Decoding())])


def test_a_run_whose_last_rows_fail_is_none(subject: Subject, tmp_path: Path) -> None:
    good, bad = rows_of_lengths(1, 400)
    out = tmp_path / "own.jsonl"
    for rows in ([good], [good, bad]):
        predict.predict(subject, [predict.Work(SUITES["own"], rows, out, Decoding(max_new_tokens=4))])
    assert [("error" in one) for one in read_jsonl(out)] == [False, True]


@pytest.mark.parametrize("suite", ["when2call_mcq", "own"])
def test_a_broken_device_ends_the_job_and_costs_no_row(
    subject: Subject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suite: str
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    rows, out = [choice_row("direct", f"r{number}") for number in range(3)], tmp_path / "out.jsonl"
    work = predict.Work(SUITES[suite], rows, out, Decoding(max_new_tokens=4))
    monkeypatch.setattr("evaluation.multiple_choice.predictions.score_answers", broken)
    monkeypatch.setattr("evaluation.generation.transformers_engine._generate", broken)
    with pytest.raises(RuntimeError, match="CUDA error"):
        predict.predict(subject, [work])
    monkeypatch.undo()
    assert predict.predict(subject, [work])[suite].rows == 3


def test_rows_that_no_template_or_tokenizer_takes_are_unscored_with_a_reason(
    subject: Subject, tmp_path: Path
) -> None:
    odd = {
        "surrogate": [{"role": "user", "content": "a \ud800 b"}],
        "text": ["hi"],
        "call": [{"role": "assistant", "tool_calls": [{"name": "f"}]}, {"role": "user", "content": "?"}],
        "calls": [{"role": "assistant", "tool_calls": "f"}, {"role": "user", "content": "?"}],
    }
    rows = [{**choice_row("direct", name), "messages": messages} for name, messages in odd.items()]
    rows += [choice_row("direct", "good"), {**choice_row("direct", "answer"), "answers": {"tool_call": {}}}]
    for suite in ("when2call_mcq", "own"):
        out = tmp_path / f"{suite}.jsonl"
        predict.predict(subject, [predict.Work(SUITES[suite], rows, out, Decoding(max_new_tokens=4))])
        errors = {one["id"]: one.get("error") for one in read_jsonl(out)}
        assert errors["good"] is None
        assert all(errors[name] for name in odd)
        assert bool(errors["answer"]) is (suite == "when2call_mcq")


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--rows", "x.jsonl"], "--suite"),
        (["--suite", "own", "--rows", "none.jsonl", "--out", "out.jsonl"], "no such file"),
        (["--suite", "own", "--rows", "none.jsonl"], "--out is absent"),
        (["--suite", "own", "--rows", "tests", "--out", "tests"], "is a directory|is the input"),
        (
            ["--suite", "when2call_mcq", "--rows", "x.jsonl", "--out", "o.jsonl", "--top-k", "3"],
            "by likelihood",
        ),
        (["--suite", "own", "--max-new-tokens", "0"], "give a whole number from 1"),
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
        out = ["--out", str(tmp_path / "out.jsonl")]
        predict.main(["--suite", "own", "--rows", str(rows), "--model", str(model_dir), *out])
