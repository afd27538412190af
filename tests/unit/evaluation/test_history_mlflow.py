"""The history over an MLflow store: parent runs alone, by tags and metrics, whatever state they are in."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from evaluation.history import mlflow_store
from evaluation.history.__main__ import main
from evaluation.history.mlflow_store import MlflowStore
from jobs.doors import BadInput
from jobs.run import TrackingUnavailable
from tests.unit.evaluation.history_runs import SUITE, Authored, log_run, weather_rows

ROWS = weather_rows(40)
FIRST = Authored("tune-a1", {"base": 10, "sft": 15}, ROWS)
RUNS = (
    FIRST,
    replace(FIRST, name="tune-a2", seed=1, right={"base": 10, "sft": 17}, day=1),
    Authored("tune-b1", {"base": 10, "sft": 35}, ROWS, day=2, code="c2", promoted="sft", usd=None),
)

Door = Callable[..., str]


@pytest.fixture(scope="module")
def uri(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A store with three runs, a child, a failed run, one that goes on, and one that lost its files."""
    folder = tmp_path_factory.mktemp("mlflow")
    uri = f"sqlite:///{folder}/mlflow.db"
    client = MlflowClient(uri)
    experiment = client.create_experiment("toolwright", f"file://{folder}/artifacts")
    for one in RUNS:
        parent = log_run(client, experiment, folder / "runs", one)
    child = client.create_run(
        experiment, tags={"mlflow.parentRunId": parent}, run_name="train-sft"
    ).info.run_id
    client.log_metric(child, f"{SUITE}/accuracy/sft", 0.9)
    lost = client.create_run(
        experiment, start_time=1, tags={"run_id": "tune-lost", "test_set.own": "feed"}, run_name="tune-lost"
    ).info.run_id
    client.log_metric(lost, f"{SUITE}/accuracy/sft", 0.5)
    client.log_metric(lost, f"{SUITE}/accuracy/dpo", float("nan"))
    client.log_metric(lost, "system/accuracy/sft", 0.7)
    client.set_terminated(lost, "FINISHED")
    failed = client.create_run(experiment, run_name="tune-failed").info.run_id
    client.set_terminated(failed, "FAILED")
    client.create_run(experiment, run_name="tune-now")
    client.create_registered_model("toolwright-small")
    version = client.create_model_version(
        "toolwright-small", "s3://b/m", tags={"run_id": "tune-b1", "variant": "sft"}
    )
    client.set_registered_model_alias("toolwright-small", "champion", version.version)
    return uri


@pytest.fixture
def door(uri: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Door:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)

    def ask(*arguments: str) -> str:
        main(arguments)
        return capsys.readouterr().out

    return ask


def test_the_list_holds_every_execution_and_no_child(door: Door) -> None:
    content: dict[str, Any] = json.loads(door("--json"))
    lost, group = content["groups"]
    names = [[run["run_id"] for run in line["runs"]] for line in group["lines"]]
    assert names == [["tune-a1", "tune-a2"], ["tune-b1"]] * 2
    assert group["lines"][3]["change"]["difference"] == pytest.approx(19 / 40)
    assert group["lines"][3]["runs"][0]["is_promoted"] and group["lines"][3]["runs"][0]["cost_usd"] is None
    assert group["lines"][2]["average"]["mean"] == pytest.approx(16 / 40)
    (line,) = lost["lines"]
    assert (line["variant"], line["runs"][0]["value"], line["runs"][0]["low"]) == ("sft", 0.5, None)
    assert lost["notes"] == {"tune-lost": ["comparison.json cannot be fetched from MLflow"]}
    assert content["not_listed"] == [
        {"run_id": "tune-failed", "reason": "ended FAILED"},
        {"run_id": "tune-now", "reason": "has not ended"},
    ]


def test_folders_and_server_say_the_same(door: Door, uri: str) -> None:
    runs = Path(uri.removeprefix("sqlite:///")).parent / "runs"
    compared = ("tune-b1/sft", "tune-a1/sft", "--json")
    assert json.loads(door(*compared)) == json.loads(door(*compared, "--runs", str(runs)))


def test_the_champion_is_found_by_its_alias(door: Door) -> None:
    content = json.loads(door("champion", "tune-a1/sft", "--json"))
    assert content["suites"][SUITE]["paired"][0]["a"] == "tune-b1/sft"


@pytest.mark.parametrize(
    ("names", "said"),
    [
        pytest.param(
            ("champion", "tune-b1"), "tune-b1/sft: is what both names stand for", id="its own run, no variant"
        ),
        pytest.param(("tune-b1/sft", "champion"), "is what both names stand for", id="its own variant"),
        pytest.param(
            ("champion/base", "tune-a1"),
            "champion/base: the champion is tune-b1/sft; name the run for another variant",
            id="a variant that is not the champion",
        ),
    ],
)
def test_the_champion_is_one_variant_and_no_comparison_with_itself(
    door: Door, names: tuple[str, str], said: str
) -> None:
    with pytest.raises(BadInput, match=said):
        door(*names)


def test_the_champion_is_held_against_another_variant_of_its_run(door: Door) -> None:
    content = json.loads(door("champion/sft", "tune-b1/base", "--json"))
    (pair,) = content["suites"][SUITE]["paired"]
    assert (pair["a"], pair["b"]) == ("tune-b1/sft", "tune-b1/base")


def test_the_champions_line_is_marked(door: Door) -> None:
    printed = door()
    marked = [line.split()[1:3] for line in printed.splitlines() if "@" in line]
    assert marked == [["tune-b1", "*@"], ["the", "registered"]], "promoted too, and said beneath"
    runs = [
        run
        for group in json.loads(door("--json"))["groups"]
        for line in group["lines"]
        for run in line["runs"]
    ]
    assert sum(run["is_champion"] for run in runs) == 1


def test_without_a_registry_the_list_is_shown_all_the_same(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: MlflowClient, wanted: str) -> Any:
        raise MlflowException("no registry")

    monkeypatch.setattr(MlflowClient, "search_registered_models", refuse)
    assert "@" not in door()
    with pytest.raises(BadInput, match="the model registry does not answer"):
        door("champion", "tune-a1")


def test_runs_of_other_code_may_have_been_graded_otherwise(door: Door) -> None:
    said = "made by different code"
    assert said in door("tune-b1", "tune-a1")
    assert said not in door("tune-a2", "tune-a1")


def test_what_a_lost_run_left_is_not_compared(door: Door) -> None:
    with pytest.raises(BadInput, match=r"tune-lost: rows/own\.jsonl cannot be fetched"):
        door("tune-lost", "tune-a1")


def test_a_store_of_many_pages_is_read_whole(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = door("--json")
    monkeypatch.setattr(mlflow_store, "RUNS_PER_REQUEST", 2)
    assert door("--json") == whole


def test_a_server_that_cannot_ask_for_absent_tags_is_read_all_the_same(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = door("--json")
    search = MlflowClient.search_runs

    def older(self: MlflowClient, ids: list[str], wanted: str, **given: Any) -> Any:
        if "IS NULL" in wanted:
            raise MlflowException("Invalid clause(s) in filter string", error_code=1000)
        return search(self, ids, wanted, **given)

    monkeypatch.setattr(MlflowClient, "search_runs", older)
    assert door("--json") == whole


def test_the_link_filters_the_experiment_to_the_test_set(uri: str) -> None:
    store = MlflowStore(uri, "toolwright")
    assert store.link(SUITE, "feed") is None, "a database has no page"
    link = MlflowStore(uri, "toolwright", "http://127.0.0.1:5000/").link(SUITE, "feed")
    assert link is not None and link.startswith("http://127.0.0.1:5000/#/experiments/")
    query = parse_qs(urlsplit(urlsplit(link).fragment).query)
    assert query == {
        "workflowType": ["machine_learning"],
        "compareRunsMode": ["CHART"],
        "searchFilter": ["tags.`test_set.own` = 'feed'"],
    }
    anywhere = MlflowStore(uri, "toolwright", "/").link(SUITE, "feed")
    assert anywhere == link.removeprefix("http://127.0.0.1:5000"), "to be put behind any address"


def test_no_experiment_and_no_server_are_said(uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BadInput, match="has no experiment 'other'"):
        MlflowStore(uri, "other")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(TrackingUnavailable, match=r"127\.0\.0\.1:9 does not answer"):
        MlflowStore("http://127.0.0.1:9", "toolwright")
