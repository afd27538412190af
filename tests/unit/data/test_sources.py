"""Sources: a path, S3 and the hub hold the same files, and each failure has a message of its own."""

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from huggingface_hub import constants
from moto import mock_aws

from data.hub import fetch_model
from data.sources import find_source
from jobs.doors import BadInput
from tests.unit.data.loopback_hub import COMMIT, serve_hub
from tests.unit.data.test_shapes import ASKS, MCQ, USER, chat

WriteLines = Callable[[str, Sequence[Any]], Path]

SFT = (json.dumps(chat(USER, ASKS)) + "\n").encode()
TEST = (json.dumps(MCQ) + "\n").encode()
# As nvidia/When2Call lays its files out.
WHEN2CALL = {
    "README.md": b"card",
    "train/when2call_train_sft.jsonl": SFT,
    "train/when2call_train_pref.jsonl": SFT,
    "test/when2call_test_mcq.jsonl": TEST,
    "test/when2call_test_llm_judge.jsonl": TEST,
}
PURPOSES = ["preference", "sft", "test", "test"]


def test_a_folder_is_told_apart_by_file_names(write_lines: WriteLines, tmp_path: Path) -> None:
    for name in ("train_sft.jsonl", "sub/train_pref.jsonl", "my_test_rows.jsonl", "notes.jsonl", "x.txt"):
        write_lines(f"set/{name}", [MCQ])
    source = find_source(str(tmp_path / "set"), tmp_path)
    assert {Path(file.shown).name: file.purpose for file in source.files} == {
        "train_sft.jsonl": "sft",
        "train_pref.jsonl": "preference",
        "my_test_rows.jsonl": "test",
    }
    assert [file.purpose for file in source.of("sft")] == ["sft"]


def test_a_lone_file_serves_what_it_is_named_for(write_lines: WriteLines, tmp_path: Path) -> None:
    source = find_source(str(write_lines("rows.jsonl", [MCQ])), tmp_path)
    assert [source.of(purpose)[0].purpose for purpose in ("sft", "test", None)] == ["sft", "test", None]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("no/such/folder", "no such file or directory"),
        ("./absent.jsonl", "no such file or directory"),
        ("rows", "no such file or directory"),
    ],
)
def test_an_absent_path_is_bad_input(name: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=said):
        find_source(name, tmp_path)


def test_a_folder_without_rows_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"name them \*train_sft\*"):
        find_source(str(tmp_path), tmp_path)


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    for variable in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(variable, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        client = boto3.client("s3")
        client.create_bucket(Bucket="rows")
        for name, content in WHEN2CALL.items():
            client.put_object(Bucket="rows", Key=f"datasets/set/{name}", Body=content)
        client.put_object(Bucket="rows", Key="datasets/settled/test.jsonl", Body=b"of another set")
        yield "rows"


@pytest.mark.parametrize("uri", ["s3://rows/datasets/set", "s3://rows/datasets/set/"])
def test_an_s3_prefix_is_a_folder(uri: str, bucket: str, tmp_path: Path) -> None:
    source = find_source(uri, tmp_path)
    assert sorted(str(file.purpose) for file in source.files) == PURPOSES
    assert {file.shown for file in source.files} == {
        f"s3://rows/datasets/set/{name}" for name in WHEN2CALL if name.endswith(".jsonl")
    }
    assert source.of("sft")[0].path.read_bytes() == SFT


def test_an_s3_object_is_a_file(bucket: str, tmp_path: Path) -> None:
    source = find_source("s3://rows/datasets/set/test/when2call_test_mcq.jsonl", tmp_path)
    assert [(file.purpose, file.path.read_bytes()) for file in source.of("test")] == [("test", TEST)]


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("s3://nowhere/set", "no bucket 'nowhere'"),
        ("s3://rows/datasets/other", r"no \.jsonl file there"),
        ("s3://rows/datasets/set/absent.jsonl", r"no \.jsonl file there"),
    ],
)
def test_absent_objects_are_bad_input(uri: str, said: str, bucket: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=said):
        find_source(uri, tmp_path)


def test_denied_access_says_what_to_grant(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse(*_: object) -> None:
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "ListObjectsV2")

    monkeypatch.setattr("data.sources.boto3.client", refuse)
    with pytest.raises(BadInput, match=r"access denied; grant this role s3:ListBucket"):
        find_source("s3://rows/set", tmp_path)


def test_s3_out_of_reach_is_bad_input(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    for variable in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(variable, "testing")
    with pytest.raises(BadInput, match="S3 cannot be asked"):
        find_source("s3://rows/set", tmp_path)


MODEL = {"model.safetensors": b"weights", "tokenizer.json": b"{}", "pytorch_model.bin": b"pickled"}
REPOSITORIES = {
    "datasets/nvidia/When2Call": WHEN2CALL,
    "datasets/org/gated": WHEN2CALL,
    "org/model": MODEL,
    "org/pickled": {"pytorch_model.bin": b"pickled"},
}


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    with serve_hub(REPOSITORIES, gated="datasets/org/gated") as endpoint:
        monkeypatch.setattr(constants, "ENDPOINT", endpoint)
        # Made from the endpoint when the client is imported.
        template = endpoint + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        yield endpoint


@pytest.mark.parametrize("name", ["nvidia/When2Call", "nvidia/When2Call@v1", f"nvidia/When2Call@{COMMIT}"])
def test_a_hub_dataset_is_read_and_pinned(name: str, hub: str, tmp_path: Path) -> None:
    source = find_source(name, tmp_path)
    assert source.revision == COMMIT
    assert sorted(str(file.purpose) for file in source.files) == PURPOSES
    assert source.of("sft")[0].path.read_bytes() == SFT
    assert not list((tmp_path / "cache").rglob("README.md")), "only rows are downloaded"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nvidia/When2Cal", "no such local path, nor a dataset 'nvidia/When2Cal' on the hub"),
        ("nvidia/When2Call@v9", "no revision 'v9'"),
        ("org/gated", "gated: accept its terms on the hub and set HF_TOKEN"),
    ],
)
def test_what_the_hub_refuses_is_bad_input(name: str, said: str, hub: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=said):
        find_source(name, tmp_path)


@pytest.mark.parametrize("setting", [("ENDPOINT", "http://127.0.0.1:1"), ("HF_HUB_OFFLINE", True)])
def test_no_network_says_how_to_go_on_without(
    setting: tuple[str, object], hub: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(constants, *setting)
    with pytest.raises(BadInput, match="give the folder or an s3:// URI"):
        find_source("nvidia/When2Call", tmp_path)
    with pytest.raises(BadInput, match="give the folder or an s3:// URI"):
        fetch_model("org/model", tmp_path / "base_model")


def test_a_downloaded_dataset_is_found_again_offline(
    hub: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    find_source("nvidia/When2Call", tmp_path)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert find_source("nvidia/When2Call", tmp_path).revision == COMMIT


def test_a_model_brings_safetensors_and_nothing_pickled(hub: str, tmp_path: Path) -> None:
    assert fetch_model("org/model@v1", tmp_path / "base_model") == COMMIT
    assert {path.name for path in (tmp_path / "base_model").rglob("*")} == {
        "model.safetensors",
        "tokenizer.json",
    }
    with pytest.raises(BadInput, match=r"has no \*\.safetensors"):
        fetch_model("org/pickled", tmp_path / "other")
