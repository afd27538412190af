"""MLflow runs: one parent an execution, one child a job, and failures that look like failures."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import mlflow
import pytest
import requests

from jobs import tracking
from jobs.doors import BadInput, Stopped
from jobs.mlflow_answers import PATIENCE, ask
from jobs.mlflow_runs import MlflowRun
from jobs.run import RunReference, TrackingUnavailable

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"sqlite:///{tmp_path_factory.mktemp('mlflow')}/mlflow.db"


@pytest.fixture
def client(store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name, value in {
        "MLFLOW_TRACKING_URI": store,
        "RUN_ID": "run-1",
        "TRAINING_JOB_NAME": tmp_path.name,
        "VARIANT": "sft",
        "CODE_HASH": "c0de",
        "BASE_MODEL": "tiny",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("RANK", raising=False)
    monkeypatch.chdir(tmp_path)
    yield mlflow.MlflowClient(store)
    mlflow.end_run()


@pytest.fixture
def data_dir(client: Any, tmp_path: Path) -> Path:
    """The data channel of an execution whose parent run is open."""
    with tracking.start_parent("run-1") as parent:
        reference = RunReference("run-1", parent.experiment_id, parent.run_id, "da7a", "rev1")
    reference.write(tmp_path)
    return tmp_path


def parent_of(data_dir: Path) -> str:
    return str(RunReference.read(data_dir).parent_run_id)


def status(client: Any, run_id: str | None) -> str:
    return str(client.get_run(run_id).info.status)


def test_the_parent_stays_open_until_a_job_finishes_it(client: Any, data_dir: Path) -> None:
    assert status(client, parent_of(data_dir)) == "RUNNING"
    with tracking.resume_parent(data_dir) as parent:
        parent.log_metrics({"rows": 3})
    assert status(client, parent_of(data_dir)) == "RUNNING"
    with tracking.finish_parent(data_dir) as parent:
        parent.log_metrics({"acc": 0.5})
    run = client.get_run(parent_of(data_dir))
    assert run.info.status == "FINISHED"
    assert run.data.metrics["acc"] == 0.5
    assert run.info.run_name == "run-1"


@pytest.mark.parametrize("resume", [tracking.resume_parent, tracking.finish_parent])
def test_a_job_that_fails_on_the_parent_fails_it(resume: Any, client: Any, data_dir: Path) -> None:
    with pytest.raises(BadInput), resume(data_dir):
        raise BadInput("no scores")
    assert status(client, parent_of(data_dir)) == "FAILED"


def test_a_child_carries_what_it_was_made_from(client: Any, data_dir: Path) -> None:
    rows = data_dir / "rows.jsonl"
    rows.write_text("{}\n{}\n", encoding="utf-8")
    with tracking.child_run("train sft", data_dir, {"recipe_hash": "4ec1"}, {"r": 16}) as child:
        child.log_metrics({"loss": 2.0}, step=1)
        child.log_metrics({"loss": 1.0}, step=2)
        child.log_artifact(rows)
        child.log_dataset(rows, name="rows", context="training")
    run = client.get_run(child.run_id)
    expected = {
        "mlflow.parentRunId": parent_of(data_dir),
        "run_id": "run-1",
        "data_hash": "da7a",
        "code_hash": "c0de",
        "recipe_hash": "4ec1",
        "base_model": "tiny",
        "base_model_revision": "rev1",
        "training_job_name": data_dir.name,
        "variant": "sft",
    }
    assert {key: run.data.tags.get(key) for key in expected} == expected
    assert run.data.params == {"r": "16"}
    assert [point.step for point in client.get_metric_history(child.run_id, "loss")] == [1, 2]
    assert [file.path for file in client.list_artifacts(child.run_id)] == ["rows.jsonl"]
    assert run.inputs.dataset_inputs[0].dataset.profile == '{"num_rows": 2}'
    assert run.info.status == "FINISHED"
    assert status(client, parent_of(data_dir)) == "RUNNING"


ENDS = [
    (BadInput("no rows"), "FAILED", "a failure"),
    (Stopped("time limit"), "KILLED", "a stop"),
    (KeyboardInterrupt(), "FAILED", "not only what inherits Exception"),
]


@pytest.mark.parametrize(("error", "child_status", "why"), ENDS, ids=[row[2] for row in ENDS])
def test_a_failed_child_fails_its_parent(
    error: BaseException, child_status: str, why: str, client: Any, data_dir: Path
) -> None:
    runs = []
    with pytest.raises(type(error)), tracking.child_run("train", data_dir) as child:
        runs.append(child.run_id)
        raise error
    assert status(client, runs[0]) == child_status
    assert status(client, parent_of(data_dir)) == "FAILED"


def test_a_restarted_job_goes_on_in_its_run_and_reopens_the_parent(client: Any, data_dir: Path) -> None:
    runs = []
    with pytest.raises(Stopped), tracking.child_run("train", data_dir, params={"r": 1}) as child:
        runs.append(child.run_id)
        raise Stopped("spot interruption")
    with tracking.child_run("train", data_dir, params={"r": 1}) as child:
        runs.append(child.run_id)
        assert status(client, parent_of(data_dir)) == "RUNNING"
    assert runs[0] == runs[1]
    assert status(client, runs[0]) == "FINISHED"


def test_other_ranks_report_nothing(client: Any, data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "1")
    before = len(client.search_runs([str(RunReference.read(data_dir).experiment_id)]))
    with tracking.child_run("train", data_dir) as child:
        child.log_metrics({"loss": 1.0})
    assert child.run_id is None
    assert len(client.search_runs([str(RunReference.read(data_dir).experiment_id)])) == before


def test_a_server_that_dies_costs_points_and_not_the_job(
    client: Any, data_dir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def dead(*_: object, **__: object) -> None:
        raise ConnectionError("refused")

    with tracking.child_run("train", data_dir) as child:
        with monkeypatch.context() as during:
            during.setattr(mlflow.MlflowClient, "log_batch", dead)
            child.log_metrics({"loss": 1.0}, step=1)
            child.log_metrics({"loss": 1.0}, step=2)
        child.log_metrics({"loss": 1.0}, step=3)
    assert [point.step for point in client.get_metric_history(child.run_id, "loss")] == [3]
    assert capsys.readouterr().err.count("MLflow does not answer") == 1


def test_a_dead_server_at_the_start_is_a_clear_error(
    client: Any, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with (
        pytest.raises(TrackingUnavailable, match=r"127\.0\.0\.1:9 does not answer"),
        tracking.child_run("train", data_dir),
    ):
        pass


CALLS: dict[str, Callable[[MlflowRun], object]] = {
    "params": lambda run: run.log_params({"r": 1}),
    "tags": lambda run: run.set_tags({"a": "b"}),
    "reading tags": lambda run: run.tags(),
    "children": lambda run: run.children(),
    "a curve": lambda run: run.curve("f" * 32, "loss"),
    "a file": lambda run: run.log_artifact(Path(__file__)),
    "a dataset": lambda run: run.log_dataset(Path(__file__), name="rows", context="training"),
    "a table": lambda run: run.log_table({"id": ["a"]}, "answers.json"),
    "the end": lambda run: run.end("FINISHED"),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_server_that_died_is_named_with_a_remedy_by_every_call(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    run = MlflowRun(mlflow.MlflowClient("http://127.0.0.1:9"), "f" * 32, "1")
    with pytest.raises(TrackingUnavailable, match=r"127\.0\.0\.1:9 does not answer; start the server, or"):
        CALLS[name](run)


def test_what_a_server_refuses_is_said_as_a_refusal(client: Any, data_dir: Path) -> None:
    with tracking.resume_parent(data_dir) as parent:
        parent.log_params({"r": 1})
        with pytest.raises(TrackingUnavailable, match=r"refuses this job; mend what it names"):
            parent.log_params({"r": 2})


def _answer(status: int) -> requests.HTTPError:
    response = requests.Response()
    response.status_code = status
    return requests.HTTPError(str(status), response=response)


ERRORS: list[tuple[Exception, type[Exception], str, str]] = [
    (_answer(403), TrackingUnavailable, "refuses this job", "it answered, and would not"),
    (_answer(502), TrackingUnavailable, "does not answer", "what stands before it answered"),
    (ConnectionError("refused"), TrackingUnavailable, "does not answer", "nobody is there"),
    (FileNotFoundError(2, "gone", "rows.jsonl"), FileNotFoundError, "rows.jsonl", "no fault of the server"),
]


@pytest.mark.parametrize(("error", "raised", "said", "reason"), ERRORS, ids=[row[3] for row in ERRORS])
def test_who_is_at_fault_is_told_apart(
    error: Exception, raised: type[Exception], said: str, reason: str
) -> None:
    def fail() -> None:
        raise error

    with pytest.raises(raised, match=said):
        ask("http://127.0.0.1:9", fail)


@pytest.mark.parametrize("given", [None, "7"])
def test_a_dead_server_is_waited_for_a_while_unless_the_environment_says_how_long(
    given: str | None, client: Any, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in PATIENCE:
        # Set first, so that what the job sets is taken back after the test.
        monkeypatch.setenv(name, given or "")
        if given is None:
            monkeypatch.delenv(name)
    with tracking.resume_parent(data_dir):
        assert {os.environ[name] for name in PATIENCE} == ({given} if given else set(PATIENCE.values()))


def test_a_broken_run_file_names_itself(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text("[]", encoding="utf-8")
    with pytest.raises(BadInput, match=r"run\.json"):
        RunReference.read(tmp_path)


def test_without_a_server_nothing_happens_and_mlflow_is_not_even_imported(tmp_path: Path) -> None:
    program = (
        "import sys, pathlib; from jobs import tracking\n"
        "with tracking.child_run('train', pathlib.Path('.'), params={'r': 1}) as run:\n"
        "    run.log_metrics({'loss': 1.0}); run.log_artifact(pathlib.Path('absent'))\n"
        "assert 'mlflow' not in sys.modules\n"
    )
    environ = {"PATH": "", "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, env=environ, check=True, timeout=60)
