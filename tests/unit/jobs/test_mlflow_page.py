"""What a job leaves in MLflow beside figures: tables, traces and models, once however often it is tried."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import mlflow
import pytest
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import RESOURCE_DOES_NOT_EXIST
from mlflow.tracing.client import TracingClient

from jobs.container import read_environment
from jobs.mlflow_registry import MlflowRegistry
from jobs.mlflow_runs import MlflowRun, create_parent
from jobs.registry import ModelVersion, RegistryUnavailable
from jobs.run import ChildRun
from jobs.traces import Trace


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"sqlite:///{tmp_path_factory.mktemp('mlflow')}/mlflow.db"


@pytest.fixture
def client(store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    monkeypatch.delenv("RANK", raising=False)
    monkeypatch.chdir(tmp_path)
    yield mlflow.MlflowClient(store)
    mlflow.end_run()


@pytest.fixture
def parent(client: Any) -> MlflowRun:
    return create_parent(read_environment(), "run-1", {"made_by": "a test"})


@pytest.fixture
def child(client: Any, parent: MlflowRun) -> str:
    tags = {"mlflow.parentRunId": parent.run_id, "variant": "sft", "mlflow.runName": "predict-sft"}
    return str(client.create_run(parent.experiment_id, tags=tags).info.run_id)


def test_a_parent_knows_its_tags_its_children_and_their_curves(
    client: Any, parent: MlflowRun, child: str
) -> None:
    for time, (step, value) in enumerate([(1, 3.0), (2, 2.0), (2, 1.5), (3, 1.0)]):
        client.log_metric(child, "loss", value, step=step, timestamp=time)
    assert parent.tags()["made_by"] == "a test"
    (found,) = parent.children()
    assert (found.run_id, found.name, found.tags["variant"]) == (child, "predict-sft", "sft")
    assert found.metrics == ("loss",)
    assert parent.curve(child, "loss") == [(1, 3.0), (2, 1.5), (3, 1.0)], "the last of a step counts"


def test_more_metrics_than_one_request_takes_are_all_logged(client: Any, parent: MlflowRun) -> None:
    parent.log_metrics({f"m{number}": number for number in range(1001)})
    assert len(client.get_run(parent.run_id).data.metrics) == 1001


def test_a_childs_figures_are_its_own(client: Any, parent: MlflowRun, child: str) -> None:
    parent.log_child_metrics(ChildRun(child, "predict-sft", {}), {"own/accuracy": 0.5})
    assert client.get_run(child).data.metrics == {"own/accuracy": 0.5}
    assert client.get_run(parent.run_id).data.metrics == {}


def test_a_tag_is_emptied_where_it_is_set_to_nothing(parent: MlflowRun) -> None:
    parent.set_tags({"promoted": "sft", "seed": "0"})
    parent.set_tags({"promoted": "", "seed": None})
    assert (parent.tags()["promoted"], parent.tags()["seed"]) == ("", "0")


def test_a_table_that_is_logged_again_is_replaced(client: Any, parent: MlflowRun) -> None:
    for last in ("b", "c"):
        parent.log_table({"id": ["m", "n"], "text": ["a", last]}, "answers.json")
    parent.log_table({"id": []}, "empty.json")
    table = client.load_table(parent.experiment_id, "answers.json", run_ids=[parent.run_id])
    assert {name: list(table[name]) for name in ("id", "text")} == {"id": ["m", "n"], "text": ["a", "c"]}
    listed = json.loads(parent.tags()["mlflow.loggedArtifacts"])
    assert [one["path"] for one in listed] == ["answers.json", "empty.json"]


def trace(child: str, row: str, **changed: Any) -> Trace:
    whole = Trace(
        key=("own", "sft", row),
        run_id=child,
        name="own sft",
        inputs={"messages": [{"role": "user", "content": "hi"}]},
        outputs={"choices": [{"message": {"role": "assistant", "content": "ho \ud800"}}]},
        asked="hi",
        answered="ho \ud800",
        expected={"gold": "direct"},
        found={"correct": False, "reason": "answer_when_should_not"},
        why="because \udfff",
        tags={"row_id": row},
    )
    return replace(whole, **changed)


def test_traces_belong_to_their_job_and_to_the_parent_and_are_logged_once(
    client: Any, parent: MlflowRun, child: str
) -> None:
    traces = [trace(child, f"r{number}") for number in range(3)]
    parent.log_traces(traces[:2])
    parent.log_traces(traces)
    for run_id in (parent.run_id, child):
        found = client.search_traces(locations=[parent.experiment_id], run_id=run_id)
        assert {one.info.tags["row_id"] for one in found} == {"r0", "r1", "r2"}
        assert len(found) == 3
    assert [one.info.tags["row_id"] for one in found][-2:] == ["r0", "r1"], "in the order given"
    one = found[0]
    assert {each.name: each.value for each in one.info.assessments} == {
        "gold": "direct",
        "correct": False,
        "reason": "answer_when_should_not",
    }
    assert one.data.spans[0].outputs == {"choices": [{"message": {"role": "assistant", "content": "ho ?"}}]}
    assert one.info.request_preview == "hi"


def test_more_traces_than_one_request_links_are_all_linked(
    client: Any, parent: MlflowRun, child: str
) -> None:
    parent.log_traces([trace(child, f"r{number}") for number in range(101)])
    found = client.search_traces(
        locations=[parent.experiment_id], run_id=parent.run_id, max_results=200, include_spans=False
    )
    assert len(found) == 101


def test_the_same_row_of_another_run_is_another_trace() -> None:
    assert trace("a", "r").trace_id != trace("b", "r").trace_id
    assert trace("a", "r").trace_id == trace("a", "r", why="another").trace_id


def test_a_server_without_traces_costs_the_traces_alone(
    parent: MlflowRun, child: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def lacking(*_: object, **__: object) -> None:
        raise MlflowException("404: no such API")

    monkeypatch.setattr(TracingClient, "start_trace", lacking)
    parent.log_traces([trace(child, f"r{number}") for number in range(5)])
    assert capsys.readouterr().err.count("takes no traces") == 1
    parent.set_tags({"after": "it"})
    assert parent.tags()["after"] == "it"


@pytest.fixture
def registry(parent: MlflowRun) -> MlflowRegistry:
    return parent.registry


def registered(registry: MlflowRegistry, parent: MlflowRun, name: str, job: str) -> ModelVersion:
    tags = {"training_job_name": job, "run_id": "run-1", "empty": "", "card": "x" * 9000}
    version = registry.register(
        name, source="s3://bucket/model/", run_id=parent.run_id, tags=tags, description="c" * 9000
    )
    assert version is not None
    return version


def test_versions_are_found_by_their_tags_and_the_alias_names_one(
    client: Any, registry: MlflowRegistry, parent: MlflowRun
) -> None:
    assert registry.champion("toolwright-a") is None, "there is no such model"
    assert registry.find("toolwright-a", {"run_id": "run-1"}) is None
    first = registered(registry, parent, "toolwright-a", "job-1")
    assert registry.champion("toolwright-a") is None, "the model has no such alias"
    second = registered(registry, parent, "toolwright-a", "job-2")
    assert [first.number, second.number] == ["1", "2"]
    assert registry.find("toolwright-a", {"training_job_name": "job-1", "run_id": "run-1"}) == first
    assert registry.find("toolwright-a", {"training_job_name": "job-1", "run_id": "run-2"}) is None
    registry.crown(second)
    assert registry.champion("toolwright-a") == second
    registry.describe(second, {"champion_decision": "it passed"}, "why\n\n# Card")
    kept = client.get_model_version("toolwright-a", "2")
    assert (kept.description, kept.tags["champion_decision"]) == ("why\n\n# Card", "it passed")
    assert (kept.source, kept.run_id) == ("s3://bucket/model/", parent.run_id)
    assert "empty" not in kept.tags
    assert len(client.get_model_version("toolwright-a", "1").description) == 5000, "what a database holds"


def test_a_name_that_is_taken_is_refused_with_a_remedy_or_is_anothers_model(
    client: Any, registry: MlflowRegistry, parent: MlflowRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.create_prompt("toolwright-p")
    with pytest.raises(RegistryUnavailable, match=r"a prompt named toolwright-p, .* delete the prompt"):
        registered(registry, parent, "toolwright-p", "job-1")
    asked = mlflow.MlflowClient.get_registered_model
    answers = iter([MlflowException("none", error_code=RESOURCE_DOES_NOT_EXIST)])

    def made_meanwhile(client: Any, name: str) -> Any:
        for error in answers:
            raise error
        return asked(client, name)

    client.create_registered_model("toolwright-q")
    monkeypatch.setattr(mlflow.MlflowClient, "get_registered_model", made_meanwhile)
    assert registered(registry, parent, "toolwright-q", "job-1").number == "1"


def test_an_artifact_of_a_run_is_fetched_or_is_not_there(
    registry: MlflowRegistry, parent: MlflowRun, tmp_path: Path
) -> None:
    scores = tmp_path / "own.jsonl"
    scores.write_text("{}\n")
    parent.log_artifact(scores, "scores/sft")
    into = tmp_path / "fetched"
    into.mkdir()
    found = registry.fetch(parent.run_id, "scores/sft/own.jsonl", into)
    assert found is not None
    assert found.read_text() == "{}\n"
    assert registry.fetch(parent.run_id, "scores/dpo/own.jsonl", into) is None
    assert registry.fetch("f" * 32, "scores/sft/own.jsonl", into) is None


QUESTIONS: dict[str, tuple[str, Callable[[MlflowRegistry], object]]] = {
    "champion": ("get_model_version_by_alias", lambda registry: registry.champion("m")),
    "find": ("search_model_versions", lambda registry: registry.find("m", {"run_id": "r"})),
    "crown": ("set_registered_model_alias", lambda registry: registry.crown(ModelVersion("m", "1", None))),
}


@pytest.mark.parametrize("name", QUESTIONS)
@pytest.mark.parametrize(
    "error",
    [ConnectionError("refused"), MlflowException("404: no such API"), NotImplementedError()],
    ids=["dead", "no registry", "not implemented"],
)
def test_a_registry_that_does_not_answer_is_one_named_error(
    name: str, error: Exception, registry: MlflowRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    method, ask = QUESTIONS[name]

    def failing(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(mlflow.MlflowClient, method, failing)
    with pytest.raises(RegistryUnavailable, match=type(error).__name__):
        ask(registry)
