"""Sources: a path, S3 and the hub hold the same files, and each failure has a message of its own."""

import gzip
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError
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


@pytest.mark.parametrize("ending", [".gz", ".zst"])
def test_compressed_files_are_told_by_the_same_names(
    ending: str, write_lines: WriteLines, tmp_path: Path
) -> None:
    for name in ("train_sft.jsonl", "own.jsonl", "notes.jsonl", "test.txt"):
        write_lines(f"set/{name}{ending}", [MCQ])
    source = find_source(str(tmp_path / "set"), tmp_path)
    assert {file.stem: file.purpose for file in source.files} == {"train_sft": "sft", "own": "test"}


def test_files_that_no_name_fits_are_told_of(write_lines: WriteLines, tmp_path: Path) -> None:
    for name in ("train_sft.jsonl", "a/train.jsonl.gz", "rejected.jsonl", "notes.txt"):
        write_lines(name, [1])
    (warning,) = find_source(str(tmp_path), tmp_path).warnings()
    assert "a/train.jsonl.gz; rename" in warning
    assert "rejected" not in warning and "notes" not in warning


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

    monkeypatch.setattr("data.objects.boto3.client", refuse)
    with pytest.raises(BadInput, match=r"access denied; grant this role s3:ListBucket"):
        find_source("s3://rows/set", tmp_path)


REFUSALS = [
    (ClientError({"Error": {"Code": "ExpiredToken"}}, "ListObjectsV2"), "credentials are not valid"),
    (ClientError({"Error": {"Code": "SlowDown", "Message": "slower"}}, "ListObjectsV2"), "SlowDown: slower"),
    (NoCredentialsError(), "no AWS credentials: set AWS_PROFILE"),
    (EndpointConnectionError(endpoint_url="https://s3"), "S3 cannot be asked.*check the network"),
]


@pytest.mark.parametrize(("error", "said"), REFUSALS)
def test_what_s3_refuses_says_what_to_do(
    error: Exception, said: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def refuse(*_: object) -> None:
        raise error

    monkeypatch.setattr("data.objects.boto3.client", refuse)
    with pytest.raises(BadInput, match=rf"s3://rows/set: .*{said}"):
        find_source("s3://rows/set", tmp_path)


def test_no_credentials_are_told_from_no_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for variable in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(variable, raising=False)
    for variable in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(variable, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    # A session keeps the credentials that another test's environment held.
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    with pytest.raises(BadInput, match="no AWS credentials"):
        find_source("s3://rows/set", tmp_path)


@pytest.mark.parametrize("key", ["datasets/up/../../../train_sft.jsonl", "datasets/up/x/../../test.jsonl"])
def test_a_key_never_leads_out_of_the_download_folder(key: str, bucket: str, tmp_path: Path) -> None:
    boto3.client("s3").put_object(Bucket=bucket, Key=key, Body=SFT)
    with pytest.raises(BadInput, match=r"holds '\.\.'"):
        find_source(f"s3://{bucket}/datasets/up/", tmp_path / "downloads")
    assert not list(tmp_path.rglob("*.jsonl"))


def test_compressed_objects_and_permissions_are_fetched(bucket: str, tmp_path: Path) -> None:
    client = boto3.client("s3")
    for name, content in {
        "train_sft.jsonl.gz": gzip.compress(SFT),
        "test.jsonl.zst": b"",
        "allowed_overlap.txt": b"t1\n",
        "model.bin": b"weights",
    }.items():
        client.put_object(Bucket=bucket, Key=f"datasets/packed/{name}", Body=content)
    source = find_source(f"s3://{bucket}/datasets/packed", tmp_path)
    assert {Path(file.shown).name: file.purpose for file in source.files} == {
        "train_sft.jsonl.gz": "sft",
        "test.jsonl.zst": "test",
    }
    assert source.allowed_overlap == ("t1",)
    assert not list(tmp_path.rglob("model.bin"))
    lone = find_source(f"s3://{bucket}/datasets/packed/train_sft.jsonl.gz", tmp_path)
    assert [file.shown for file in lone.of("sft")] == [f"s3://{bucket}/datasets/packed/train_sft.jsonl.gz"]


def test_two_keys_of_which_one_is_the_others_folder_are_refused(bucket: str, tmp_path: Path) -> None:
    for key in ("test.jsonl", "test.jsonl/a_test.jsonl"):
        boto3.client("s3").put_object(Bucket=bucket, Key=f"datasets/odd/{key}", Body=TEST)
    with pytest.raises(BadInput, match="one key is the folder of another"):
        find_source(f"s3://{bucket}/datasets/odd/", tmp_path)


@pytest.mark.parametrize("name", ["Not A Bucket", "x"])
def test_a_name_that_no_bucket_can_have_is_bad_input(name: str, bucket: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"cannot be the name of a bucket|no bucket"):
        find_source(f"s3://{name}/set", tmp_path)


def test_s3_out_of_reach_is_bad_input(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    for variable in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(variable, "testing")
    with pytest.raises(BadInput, match="S3 cannot be asked"):
        find_source("s3://rows/set", tmp_path)


MODEL = {"model.safetensors": b"weights", "tokenizer.json": b"{}", "pytorch_model.bin": b"pickled"}
REPOSITORIES = {
    "datasets/org/packed": {"train_sft.jsonl.gz": gzip.compress(SFT), "allowed_overlap.txt": b"t1"},
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


def test_a_hub_dataset_may_be_compressed_and_may_allow_overlap(hub: str, tmp_path: Path) -> None:
    source = find_source("org/packed", tmp_path)
    assert [(file.stem, file.purpose) for file in source.files] == [("train_sft", "sft")]
    assert source.allowed_overlap == ("t1",)


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
