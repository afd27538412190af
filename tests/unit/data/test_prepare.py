"""The door: what a preparation writes, what it says, and how it fails."""

import gzip
import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from bench.prepare import measure_preparation
from data.prepare import main, prepare
from data.request import read_request
from jobs.doors import BadInput
from jobs.run import RunReference
from tests.unit.data.conftest import REPOSITORY
from tests.unit.data.test_shapes import ASKS, CALLED, MCQ, USER, chat

pytestmark = pytest.mark.usefixtures("outside_of_any_job")

WriteLines = Callable[[str, Sequence[Any]], Path]
WRITTEN = {
    "train_sft.jsonl",
    "train_pref.jsonl",
    "suites/when2call_mcq.jsonl",
    "suites/own.jsonl",
    "rejected.jsonl",
    "overlap.jsonl",
    "report.json",
    "report.png",
    "run.json",
}


def files_in(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def count_lines(path: Path) -> int:
    return len(path.read_bytes().splitlines())


def rows_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def report_of(folder: Path) -> dict[str, Any]:
    report: dict[str, Any] = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    return report


def test_a_data_set_is_prepared(examples: Path, tmp_path: Path) -> None:
    main([str(examples), "--out", str(tmp_path / "out")])
    assert files_in(tmp_path / "out") == WRITTEN
    report = report_of(tmp_path / "out")
    assert report["splits"]["train_sft"]["rows"] == count_lines(examples / "train_sft.jsonl")
    assert report["splits"]["own"]["lengths"]["unit"] == "characters"
    assert report["rejected"] == []
    assert report["rows"]["duplicates"]["exact"] == report["rows"]["duplicates"]["normalised"] == 0
    assert report["rows"]["conflicts"] == 0
    assert set(report["overlap"]["by_kind"].values()) == {0}
    reference = RunReference.read(tmp_path / "out")
    assert reference == RunReference(data_hash=report["data_hash"])
    assert all("answers" in row for row in rows_of(tmp_path / "out/suites/when2call_mcq.jsonl"))
    assert not any("answers" in row for row in rows_of(tmp_path / "out/suites/own.jsonl"))


def test_progress_runs_to_its_end(
    write_lines: WriteLines, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main([str(write_lines("test.jsonl", [MCQ])), "--out", str(tmp_path / "out")])
    said = [line for line in capsys.readouterr().out.splitlines() if line.startswith("progress")]
    assert said[-1].startswith("progress step=100 total=100 ")


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
    assert splits["train_sft"]["rows"] == 2
    assert splits["own"]["rows"] == count_lines(examples / "test.jsonl")


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
    assert artifacts == {
        f"data/{name}" for name in ("report.json", "report.png", "rejected.jsonl", "overlap.jsonl")
    }


def test_lengths_are_tokens_where_a_template_shows_the_tools(
    examples: Path, tmp_path: Path, tokenizer_of: Callable[[str], Any]
) -> None:
    tokenizer_of("qwen3").save_pretrained(tmp_path / "model")
    request = [str(examples), "--out", str(tmp_path / "out"), "--tokenizer", str(tmp_path / "model")]
    prepare(read_request([*request, "--test-rows", "9", "--sft-rows", "9", "--preference-rows", "9"]))
    lengths = report_of(tmp_path / "out")["splits"]["train_sft"]["lengths"]
    assert (lengths["unit"], lengths["measured_rows"]) == ("tokens", 9)


def test_a_named_model_whose_template_hides_the_tools_stops_the_run(
    examples: Path, tmp_path: Path, tokenizer_of: Callable[[str], Any]
) -> None:
    tokenizer = tokenizer_of("qwen3")
    tokenizer.chat_template = "{% for m in messages %}{{ m.content }}{% endfor %}"
    tokenizer.save_pretrained(tmp_path / "model")
    options = ["--tokenizer", str(tmp_path / "model")]
    with pytest.raises(BadInput, match=r"(?s)leaves the tools out.*tools: .*rendered: "):
        prepare(read_request([str(examples), "--out", str(tmp_path / "o"), *options]))
    assert not (tmp_path / "o").exists()


@pytest.mark.parametrize("option", ["--recipe", "--chat-template"])
def test_an_absent_recipe_is_told_without_a_tokenizer_too(
    option: str, examples: Path, tmp_path: Path
) -> None:
    with pytest.raises(BadInput, match=r"none\.yaml: there is no such file"):
        prepare(
            read_request([str(examples), "--out", str(tmp_path / "o"), option, str(tmp_path / "none.yaml")])
        )


NO_CALLS = [chat({"role": "user", "content": str(number)}, ASKS) for number in range(3)]
WARNINGS: list[tuple[list[Any], str]] = [
    (NO_CALLS, "over-refusal"),
    (NO_CALLS, "100% of the SFT rows are request_for_info"),
    ([chat(USER, CALLED)], "invent argument values"),
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


ASKED = {"role": "user", "content": "Where is my parcel A1 now, please?"}
OVERLAPPING = [
    chat(ASKED, CALLED, id="leaked"),
    chat({"role": "user", "content": "Which depot has it?"}, ASKS, id="apart"),
]
PAIR = {"messages": [USER], "chosen_response": ASKS, "rejected_response": {**ASKS, "content": "No."}}
TESTED = {**MCQ, "question": "where is my parcel A1 now please", "uuid": "tested"}


@pytest.fixture
def overlapping(write_lines: WriteLines, tmp_path: Path) -> Path:
    write_lines("set/train_sft.jsonl", OVERLAPPING)
    write_lines("set/train_pref.jsonl", [PAIR])
    write_lines("set/test.jsonl", [TESTED])
    return tmp_path / "set"


def test_overlap_is_refused_with_its_examples_and_the_ways_out(overlapping: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput) as caught:
        main([str(overlapping), "--out", str(tmp_path / "out")])
    for said in (
        "1 test rows ask what 1 training rows ask (1 normalised)",
        f"{overlapping}/train_sft.jsonl line 1 (leaked) ↔ {overlapping}/test.jsonl line 1 (tested)",
        "--overlap drop",
        "--allow-overlap TEST_ID",
        "allowed_overlap.txt",
    ):
        assert said in str(caught.value)
    assert files_in(tmp_path / "out") == {"overlap.jsonl"}
    (line,) = rows_of(tmp_path / "out/overlap.jsonl")
    assert (line["train"]["id"], line["test"]["id"], line["kind"]) == ("leaked", "tested", "normalised")


def test_overlap_can_be_dropped(overlapping: Path, tmp_path: Path) -> None:
    main([str(overlapping), "--out", str(tmp_path / "out"), "--overlap", "drop"])
    assert [row["id"] for row in rows_of(tmp_path / "out/train_sft.jsonl")] == ["apart"]
    overlap = report_of(tmp_path / "out")["overlap"]
    assert (overlap["policy"], overlap["dropped"], overlap["by_kind"]["normalised"]) == ("drop", 1, 1)


@pytest.mark.parametrize("way", ["option", "file"])
def test_overlap_can_be_allowed_by_the_test_rows_id(way: str, overlapping: Path, tmp_path: Path) -> None:
    if way == "file":
        (overlapping / "allowed_overlap.txt").write_text("tested  # everybody asks it\n")
    options = ["--allow-overlap", "tested"] if way == "option" else []
    main([str(overlapping), "--out", str(tmp_path / "out"), *options])
    report = report_of(tmp_path / "out")
    assert (report["overlap"]["allowed"], report["splits"]["train_sft"]["rows"]) == (1, 2)
    main([str(tmp_path / "out"), "--out", str(tmp_path / "again")])
    assert report_of(tmp_path / "again")["data_hash"] == report["data_hash"], "the permission goes along"


def test_an_idle_permission_is_a_warning(examples: Path, tmp_path: Path) -> None:
    main([str(examples), "--out", str(tmp_path), "--allow-overlap", "nobody"])
    assert any("nobody" in warning for warning in report_of(tmp_path)["warnings"])


def test_compressed_rows_have_the_hash_of_plain_ones(examples: Path, tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    for path in examples.glob("*.jsonl"):
        (tmp_path / "set" / f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
    for name in ("plain", "packed"):
        source = examples if name == "plain" else tmp_path / "set"
        main([str(source), "--out", str(tmp_path / name)])
    plain, packed = (report_of(tmp_path / name)["data_hash"] for name in ("plain", "packed"))
    assert plain == packed


def test_the_hash_tells_what_was_written(examples: Path, tmp_path: Path) -> None:
    caps = ["--preference-rows", "3", "--test-rows", "3"]
    hashes = set()
    for sft_rows in ("5", "6"):
        main([str(examples), "--out", str(tmp_path / sft_rows), "--sft-rows", sft_rows, *caps])
        hashes.add(report_of(tmp_path / sft_rows)["data_hash"])
    assert len(hashes) == 2


def test_duplicates_are_reported_by_kind_purpose_and_source(write_lines: WriteLines, tmp_path: Path) -> None:
    rows = [chat(USER, ASKS), chat(USER, ASKS), chat({**USER, "content": "where is a1"}, ASKS)]
    write_lines("set/train_sft.jsonl", rows)
    write_lines("set/test.jsonl", [MCQ])
    main([str(tmp_path / "set"), "--out", str(tmp_path / "out")])
    assert report_of(tmp_path / "out")["rows"]["duplicates"] == {
        "exact": 1,
        "normalised": 1,
        "by_purpose": {"sft": 2, "preference": 0, "test": 0},
        "by_source": {"train_sft": {"exact": 1, "normalised": 1}},
    }


def test_a_recipes_template_that_hides_the_tools_stops_the_run(
    examples: Path, tmp_path: Path, tokenizer_of: Callable[[str], Any]
) -> None:
    tokenizer_of("qwen3").save_pretrained(tmp_path / "model")
    (tmp_path / "bare.jinja").write_text(
        "{# <tool_call> #}{% for m in messages %}{{ m.content }}{% endfor %}"
    )
    options = ["--tokenizer", str(tmp_path / "model"), "--chat-template", str(tmp_path / "bare.jinja")]
    with pytest.raises(BadInput, match="leaves the tools out"):
        main([str(examples), "--out", str(tmp_path / "out"), *options])
    assert not (tmp_path / "out").exists()


def test_recipes_bring_their_length_and_their_format(
    examples: Path, tmp_path: Path, tokenizer_of: Callable[[str], Any]
) -> None:
    tokenizer_of("qwen3").save_pretrained(tmp_path / "model")
    recipes = [f"training/recipes/{stage}/qwen3-1.7b-lora.yaml" for stage in ("sft", "dpo")]
    options = [part for recipe in recipes for part in ("--recipe", str(REPOSITORY / recipe))]
    main([str(examples), "--out", str(tmp_path / "out"), "--tokenizer", str(tmp_path / "model"), *options])
    splits = report_of(tmp_path / "out")["splits"]
    assert {name: "too_long" in split for name, split in splits.items()} == {
        "train_sft": True,
        "train_pref": True,
        "when2call_mcq": False,
        "own": False,
    }


def test_a_model_in_s3_lends_its_tokenizer(
    examples: Path, tmp_path: Path, tokenizer_of: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(variable, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    tokenizer_of("qwen3").save_pretrained(tmp_path / "model")
    with mock_aws():
        client = boto3.client("s3")
        client.create_bucket(Bucket="models")
        for path in (tmp_path / "model").iterdir():
            client.upload_file(str(path), "models", f"models/qwen/{path.name}")
        client.put_object(Bucket="models", Key="models/qwen/model.safetensors", Body=b"weights")
        options = ["--tokenizer", "s3://models/models/qwen/"]
        main([str(examples), "--out", str(tmp_path / "out"), *options])
        with pytest.raises(BadInput, match=r"s3://models/models/other/: holds no tokenizer_config\.json"):
            main(
                [str(examples), "--out", str(tmp_path / "other"), "--tokenizer", "s3://models/models/other/"]
            )
    assert report_of(tmp_path / "out")["splits"]["own"]["lengths"]["unit"] == "tokens"
    assert files_in(tmp_path / "out") == WRITTEN


def test_the_benchmarks_rows_are_all_different(tmp_path: Path) -> None:
    measured = measure_preparation(tmp_path, 1_500_000)
    report = report_of(tmp_path / "out")
    assert measured.bytes >= 1_500_000
    assert report["splits"]["train_sft"]["rows"] == measured.rows
    assert min(measured.cpu_s, measured.wall_s, measured.mb_per_s) > 0
    assert 20 < measured.peak_rss_mb < 500


def test_real_rows_are_prepared(shared_data: Path, tmp_path: Path) -> None:
    prepare(read_request([str(shared_data), "--out", str(tmp_path)]))
    report = report_of(tmp_path)
    published = {"train_sft": 2331, "train_pref": 1200, "when2call_mcq": 182, "own": 915}
    for name, rows in published.items():
        assert 0.97 * rows <= report["splits"][name]["rows"] <= rows
    assert set(report["overlap"]["by_kind"].values()) == {0}
