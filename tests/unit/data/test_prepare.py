"""The door: what a preparation writes, what it says, and how it fails."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from data.prepare import main, prepare
from data.request import read_request
from jobs.doors import BadInput
from jobs.run import RunReference
from tests.unit.data.conftest import REPOSITORY
from tests.unit.data.test_shapes import ASKS, CALLED, MCQ, USER, chat

WriteLines = Callable[[str, Sequence[Any]], Path]
WRITTEN = {
    "train_sft.jsonl",
    "train_pref.jsonl",
    "suites/when2call_mcq.jsonl",
    "suites/own.jsonl",
    "rejected.jsonl",
    "report.json",
    "report.png",
    "run.json",
}


@pytest.fixture(autouse=True)
def outside_of_any_job(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for variable in ("MLFLOW_TRACKING_URI", "RUN_ID"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("SM_CHANNEL_MODEL", str(tmp_path / "no model"))


def files_in(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def rows_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def report_of(folder: Path) -> dict[str, Any]:
    report: dict[str, Any] = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    return report


def test_a_data_set_is_prepared(examples: Path, tmp_path: Path) -> None:
    main([str(examples), "--out", str(tmp_path / "out")])
    assert files_in(tmp_path / "out") == WRITTEN
    report = report_of(tmp_path / "out")
    assert report["splits"]["train_sft"]["rows"] == 480
    assert report["splits"]["own"]["lengths"]["unit"] == "characters"
    assert report["rejected"] == report["warnings"] == []
    reference = RunReference.read(tmp_path / "out")
    assert reference == RunReference(data_hash=report["data_hash"])
    assert all("answers" in row for row in rows_of(tmp_path / "out/suites/when2call_mcq.jsonl"))
    assert not any("answers" in row for row in rows_of(tmp_path / "out/suites/own.jsonl"))


def test_what_was_prepared_can_be_prepared_again_to_the_same_hash(examples: Path, tmp_path: Path) -> None:
    arguments = ["--sft-rows", "40", "--preference-rows", "20", "--test-rows", "15", "--seed", "3"]
    first = prepare(read_request([str(examples), "--out", str(tmp_path / "a"), *arguments]))
    again = prepare(read_request([str(examples), "--out", str(tmp_path / "b"), *arguments]))
    from_canonical = prepare(read_request([str(tmp_path / "a"), "--out", str(tmp_path / "c")]))
    assert first.data_hash == again.data_hash == from_canonical.data_hash
    other_seed = prepare(read_request([str(examples), "--out", str(tmp_path / "d"), *arguments[:-1], "4"]))
    assert other_seed.data_hash != first.data_hash


def test_caps_hold_for_each_file_and_keep_decisions_in_proportion(examples: Path, tmp_path: Path) -> None:
    caps = ["--sft-rows", "48", "--preference-rows", "30", "--test-rows", "18"]
    prepare(read_request([str(examples), "--out", str(tmp_path), *caps]))
    splits = report_of(tmp_path)["splits"]
    assert {name: split["rows"] for name, split in splits.items()} == {
        "train_sft": 48,
        "train_pref": 30,
        "when2call_mcq": 18,
        "own": 18,
    }
    assert set(splits["own"]["decisions"].values()) == {6, 0}
    suites = [
        {row["id"] for row in rows_of(tmp_path / f"suites/{name}.jsonl")} for name in ("own", "when2call_mcq")
    ]
    assert suites[0] == suites[1], "both suites judge the same items"


def test_sources_named_apart_take_the_place_of_the_folders_own(
    examples: Path, write_lines: WriteLines, tmp_path: Path
) -> None:
    train = write_lines("mine.jsonl", [chat(USER, CALLED), chat(USER, ASKS)])
    prepare(read_request([str(examples), "--train", str(train), "--out", str(tmp_path / "out")]))
    splits = report_of(tmp_path / "out")["splits"]
    assert (splits["train_sft"]["rows"], splits["own"]["rows"]) == (2, 189)


def test_as_a_job_the_model_folder_receives_the_result(
    examples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SM_MODEL_DIR", str(tmp_path / "model"))
    sources = [part for name in ("train", "preference", "test") for part in (f"--{name}", str(examples))]
    main(sources)
    assert files_in(tmp_path / "model") == WRITTEN


def test_a_tracked_job_creates_the_parent_run_with_its_inputs(
    examples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow import MlflowClient

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    monkeypatch.setenv("RUN_ID", "first-run")
    main([str(examples), "--out", str(tmp_path / "out"), "--sft-rows", "12"])
    reference = RunReference.read(tmp_path / "out")
    client = MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")
    run = client.get_run(str(reference.parent_run_id))
    assert (run.info.run_name, run.info.status) == ("first-run", "RUNNING")
    assert run.data.tags["data_hash"] == reference.data_hash
    inputs = {one.dataset.name: one for one in run.inputs.dataset_inputs}
    assert set(inputs) == {"train_sft", "train_pref", "when2call_mcq", "own"}
    assert json.loads(inputs["train_sft"].dataset.profile) == {"num_rows": 12}
    assert str(examples) in inputs["own"].dataset.source
    artifacts = {artifact.path for artifact in client.list_artifacts(run.info.run_id, "data")}
    assert artifacts == {"data/report.json", "data/report.png", "data/rejected.jsonl"}


def test_lengths_are_tokens_where_a_template_shows_the_tools(
    examples: Path, tmp_path: Path, tokenizer_of: Callable[[str], Any]
) -> None:
    tokenizer_of("qwen3").save_pretrained(tmp_path / "model")
    request = [str(examples), "--out", str(tmp_path / "out"), "--tokenizer", str(tmp_path / "model")]
    prepare(read_request([*request, "--test-rows", "9", "--sft-rows", "9", "--preference-rows", "9"]))
    lengths = report_of(tmp_path / "out")["splits"]["train_sft"]["lengths"]
    assert (lengths["unit"], lengths["measured_rows"]) == ("tokens", 9)


def test_a_template_that_hides_the_tools_measures_characters(
    examples: Path, tmp_path: Path, tokenizer_of: Callable[[str], Any]
) -> None:
    tokenizer = tokenizer_of("qwen3")
    tokenizer.chat_template = "{% for m in messages %}{{ m.content }}{% endfor %}"
    tokenizer.save_pretrained(tmp_path / "model")
    prepare(
        read_request([str(examples), "--out", str(tmp_path / "o"), "--tokenizer", str(tmp_path / "model")])
    )
    assert report_of(tmp_path / "o")["splits"]["own"]["lengths"]["unit"] == "characters"


NO_CALLS = [chat({"role": "user", "content": str(number)}, ASKS) for number in range(3)]
WARNINGS: list[tuple[list[Any], str]] = [
    (NO_CALLS, "over-refusal"),
    (NO_CALLS, "100% of the SFT rows are request_for_info"),
    ([chat(USER, CALLED)], "invent argument values"),
    ([chat(USER, ASKS)], "1 test questions are in the training rows word for word"),
    ([chat(USER, ASKS)], "no preference rows"),
]


@pytest.mark.parametrize(("train", "warning"), WARNINGS)
def test_warnings_name_the_consequence(
    train: list[Any], warning: str, write_lines: WriteLines, tmp_path: Path
) -> None:
    write_lines("set/train_sft.jsonl", train)
    write_lines("set/test.jsonl", [MCQ])
    prepare(read_request([str(tmp_path / "set"), "--out", str(tmp_path / "out")]))
    assert any(warning in line for line in report_of(tmp_path / "out")["warnings"])


def test_too_many_bad_rows_leave_only_the_rejections(write_lines: WriteLines, tmp_path: Path) -> None:
    write_lines("set/test.jsonl", [MCQ, "{"])
    with pytest.raises(BadInput, match="1 of 2 rows are rejected"):
        main([str(tmp_path / "set"), "--out", str(tmp_path / "out")])
    assert files_in(tmp_path / "out") == {"rejected.jsonl"}
    assert rows_of(tmp_path / "out/rejected.jsonl")[0]["line"] == 2


BAD: list[tuple[list[str], str]] = [
    ([], "nothing to prepare"),
    (["x"], "--out is absent"),
    (["x", "--out", "y", "--sft-rows", "-1"], "--sft-rows"),
    (["x", "--out", "y", "--rows", "1"], "unrecognized arguments: --rows"),
]


@pytest.mark.parametrize(("arguments", "said"), BAD)
def test_bad_arguments_are_bad_input(arguments: list[str], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        main(arguments)


def test_a_set_without_test_rows_is_bad_input(write_lines: WriteLines, tmp_path: Path) -> None:
    write_lines("set/train_sft.jsonl", [chat(USER, CALLED)])
    with pytest.raises(BadInput, match="no test rows"):
        main([str(tmp_path / "set"), "--out", str(tmp_path / "out")])


def test_a_tokenizer_that_is_none_is_bad_input(examples: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"holds no tokenizer_config\.json"):
        main([str(examples), "--out", str(tmp_path / "out"), "--tokenizer", str(tmp_path)])


def test_the_door_exits_2_and_says_why_last(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "data.prepare", "nowhere", "--out", str(tmp_path)],
        cwd=REPOSITORY,
        env={**os.environ, "SM_OUTPUT_DIR": str(tmp_path / "output")},
        capture_output=True,
        text=True,
        check=False,
    )
    line = "ERROR BadInput: nowhere: there is no such file or directory"
    assert ended.returncode == 2
    assert ended.stderr.splitlines()[-1].startswith(line)
    assert (tmp_path / "output/failure").read_text(encoding="utf-8").startswith(line)


def test_real_rows_are_prepared_whole(shared_data: Path, tmp_path: Path) -> None:
    prepare(read_request([str(shared_data), "--out", str(tmp_path)]))
    report = report_of(tmp_path)
    assert {name: split["rows"] for name, split in report["splits"].items()} == {
        "train_sft": 2331,
        "train_pref": 1200,
        "when2call_mcq": 182,
        "own": 915,
    }
    assert report["rejected"] == []
