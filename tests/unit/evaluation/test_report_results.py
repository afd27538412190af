"""The door of the report: the same pages with and without MLflow, gate and cost in them, once per try."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import mlflow
import pytest
import yaml
from mlflow.exceptions import MlflowException

from evaluation import compare, report_results
from evaluation.report.pictures import Picture
from evaluation.report.results import Results
from jobs import tracking
from jobs.doors import BadInput
from jobs.run import RunReference, TrackingUnavailable
from tests.unit.evaluation.scored_run import HOSTILE, SKILL, arguments, plan_of, write_run

PICTURE = Picture("accuracy", "Accuracy", "bars", "<svg/>", "<svg/>", b"\x89PNG")
MODEL = "toolwright-tiny"


def write_compared(folder: Path, promoted: str | None = "sft", skill: dict[str, int] = SKILL) -> list[str]:
    """A run as the gate leaves it; returns the report's arguments."""
    write_run(folder, skill)
    compare.main(arguments(folder))
    (folder / "plan").mkdir(exist_ok=True)
    (folder / "plan" / "plan.json").write_text(json.dumps(plan_of(tuple(skill), promoted)))
    return told(folder)


def told(folder: Path) -> list[str]:
    named = {"data": "data", "predictions": "predictions", "scores": "scores", "comparison": "out"}
    places = {**named, "plan": "plan", "out": "report"}
    return [text for name, place in places.items() for text in (f"--{name}", str(folder / place))]


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing takes seconds, and is the pictures' own test's to try."""
    monkeypatch.setattr(report_results, "draw_pictures", lambda results: [PICTURE])


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    given = write_compared(folder)
    report = {"data_hash": "da7a", "splits": {"own": {"rows": 60, "sources": {"glaive_demo": 60}}}}
    (folder / "data" / "report.json").write_text(json.dumps(report))
    report_results.main(given)
    return folder


def test_every_page_is_written_without_mlflow(run_dir: Path) -> None:
    names = {path.name for path in (run_dir / "report").iterdir()}
    assert {"comparison.json", "report.html", "model_card.md", "accuracy.png"} <= names
    page = (run_dir / "report" / "report.html").read_text(encoding="utf-8")
    assert "sft is promoted." in page
    assert (run_dir / "report" / "accuracy.png").read_bytes().startswith(b"\x89PNG")


def test_the_final_comparison_has_gate_and_cost_and_the_same_figures(run_dir: Path) -> None:
    plan = json.loads((run_dir / "plan" / "plan.json").read_text())
    first = json.loads((run_dir / "out" / "comparison.json").read_text())
    final = json.loads((run_dir / "report" / "comparison.json").read_text())
    assert final.pop("cost") == plan["cost"]
    assert final.pop("gate") == plan["gate"]
    assert first.pop("gate") == {"promoted": None, "rules": []}
    assert final == first


@pytest.mark.usefixtures("quick")
def test_outside_of_an_execution_there_is_no_gate_and_no_cost(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = write_compared(tmp_path)
    (tmp_path / "plan" / "plan.json").unlink()
    report_results.main(given)
    final = json.loads((tmp_path / "report" / "comparison.json").read_text())
    assert "cost" not in final
    assert final["gate"] == {"promoted": None, "rules": []}
    assert "no gate was asked: nothing is promoted" in capsys.readouterr().out


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "cannot be read"),
        ("[]", "expected a JSON object"),
        ('{"gate": [1]}', "'gate'"),
        ('{"gate": {"rules": [1]}}', r"gate\.rules"),
    ],
)
def test_a_broken_plan_is_named(tmp_path: Path, content: str, words: str) -> None:
    given = write_compared(tmp_path)
    (tmp_path / "plan" / "plan.json").write_text(content)
    with pytest.raises(BadInput, match=rf"plan\.json.*{words}"):
        report_results.main(given)


@pytest.mark.parametrize(
    ("ran", "planned", "is_refused"),
    [
        pytest.param("run-1", "run-1", False, id="its-own"),
        pytest.param("run-1", "run-2", True, id="another-runs"),
        pytest.param(None, "run-2", False, id="a-comparison-outside-of-a-run"),
        pytest.param("run-1", None, False, id="a-plan-that-names-none"),
    ],
)
def test_a_plan_of_another_run_is_refused(
    tmp_path: Path, ran: str | None, planned: str | None, is_refused: bool
) -> None:
    (tmp_path / "plan.json").write_text(json.dumps({"run_id": planned, "gate": {"promoted": "sft"}}))
    if is_refused:
        with pytest.raises(BadInput, match=r"plan\.json is the plan of run run-2, but .* of run run-1: give"):
            report_results._plan_of(ran, tmp_path)
    else:
        assert report_results._plan_of(ran, tmp_path)["gate"] == {"promoted": "sft"}


def test_the_help_says_what_curves_need(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        report_results.main(["--help"])
    assert "MLFLOW_TRACKING_URI" in capsys.readouterr().out


def test_a_comparison_of_other_scores_is_refused(tmp_path: Path) -> None:
    given = write_compared(tmp_path)
    path = tmp_path / "out" / "comparison.json"
    path.write_text(path.read_text().replace('"value": 0.8', '"value": 0.9', 1))
    with pytest.raises(BadInput, match=r"comparison\.json"):
        report_results.main(given)


def read_card(folder: Path) -> tuple[dict[str, Any], str]:
    text = (folder / "report" / "model_card.md").read_text(encoding="utf-8")
    found = re.fullmatch(r"---\n(.*?)---\n(.*)", text, re.DOTALL)
    assert found
    header: dict[str, Any] = yaml.safe_load(found[1])
    return header, found[2]


def test_the_card_says_what_is_known(run_dir: Path) -> None:
    header, body = read_card(run_dir)
    assert header["pipeline_tag"] == "text-generation"
    assert "base_model" not in header, "a name that is no hub's is not claimed to be one"
    (named,) = header["model-index"]
    results = {one["dataset"]["name"]: one["metrics"][0] for one in named["results"]}
    assert results["when2call_mcq"] == {"type": "acc_norm", "value": 0.6}
    for heading in ("Data", "Figures", "Gate", "What it got worse at", "Limits", "Cost", "How to load it"):
        assert f"\n## {heading}\n" in body
    assert "| own | 60 | glaive_demo 60 |" in body
    assert "sft over base: +30.0 points" in body
    assert "- passed: sft over base on own/accuracy" in body
    assert "dpo over base" not in body, "the rules and the pairs of others are not this model's"
    assert "60 rows; they can show a difference of " in body
    assert "Languages of the test rows, guessed: en" in body


def test_the_card_begins_with_a_sentence_and_the_verdict_and_ends_with_the_digests(run_dir: Path) -> None:
    lines = [line for line in read_card(run_dir)[1].split("\n") if line]
    assert lines[0] == "# tiny, sft, for tool calls"
    assert lines[1].startswith("tiny tuned by sft: own/accuracy 59.3%, +32.2 points over the base's 27.1% (")
    assert lines[2] == "**Promoted.**"
    assert lines[3] == "## Figures"
    assert lines[-1] == "| data_hash | da7a |"
    followed = pairwise(lines)
    assert not [one for one, after in followed if one.startswith("## ") and after.startswith("## ")]


VERDICTS: list[tuple[dict[str, Any], str]] = [
    (plan_of(tuple(SKILL)), "Not promoted: 1 of 1 rules broken, sft-dpo over base on own/accuracy."),
    (plan_of(tuple(SKILL), rules=False), "Not promoted: no gate was asked."),
    (plan_of(tuple(SKILL), "sft"), "Promoted."),
]


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(("plan", "words"), VERDICTS, ids=["rules broken", "no rules", "promoted"])
def test_the_card_says_at_once_whether_it_is_promoted(
    plan: dict[str, Any], words: str, tmp_path: Path
) -> None:
    given = write_compared(tmp_path)
    (tmp_path / "plan" / "plan.json").write_text(json.dumps(plan))
    report_results.main(given)
    body = read_card(tmp_path)[1]
    assert f"**{words}**" in body.split("##")[0]
    assert "embedded" not in body, "what AWS bills stays where it is"


UNBILLED = [
    ("sft", "the weights are in runs/run-1/model/.", True),
    (None, "and the weights with it: only a promoted model is copied to runs/<run_id>/model/.", False),
]


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(("promoted", "words", "loads"), UNBILLED, ids=["promoted", "not promoted"])
def test_the_card_of_an_unbilled_run_says_where_the_weights_are(
    promoted: str | None, words: str, loads: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUN_ID", "run-1")
    given = write_compared(tmp_path, promoted)
    plan = plan_of(tuple(SKILL), promoted)
    plan["cost"]["billed"] = False
    plan["cost"]["actual"]["lines"] += [{"job": f"predict_{job}", "usd": 0.25} for job in plan["jobs"]]
    (tmp_path / "plan" / "plan.json").write_text(json.dumps(plan))
    report_results.main(given)
    summary, rest = read_card(tmp_path)[1].split("## Figures")
    assert "The version's source is in an embedded S3, which ended with the run" in summary
    assert words.replace("<", "&lt;") in summary
    assert "at list prices; nothing was billed." in summary
    assert ("## How to load it" in rest) == loads


@pytest.mark.usefixtures("quick")
def test_what_the_rows_can_show_is_rounded_as_in_the_sentences(tmp_path: Path) -> None:
    report_results.main(write_compared(tmp_path, "sft", {"base": 5, "sft": 5}))
    body = read_card(tmp_path)[1]
    said = re.findall(r"- sft over base: .* rows can show ([\d.]+ points)", body)
    limits = re.findall(r" rows; they can show a difference of ([\d.]+ points) between sft and base", body)
    assert len(limits) == 2, "of both suites"
    assert said == limits


@pytest.mark.usefixtures("quick")
def test_the_card_says_what_it_got_worse_at(tmp_path: Path) -> None:
    report_results.main(write_compared(tmp_path, "sft", {"base": 9, "sft": 3}))
    worse = read_card(tmp_path)[1].split("## What it got worse at")[1].split("##")[0]
    assert "when2call_mcq, acc_norm: sft over base: -60.0 points" in worse


@pytest.mark.usefixtures("quick")
def test_names_that_come_from_data_do_not_format_the_card(tmp_path: Path) -> None:
    given = write_compared(tmp_path)
    report = {"data_hash": "d\n# x", "splits": {"own": {"rows": 1, "sources": {HOSTILE + " | y\n\n## z": 1}}}}
    (tmp_path / "data" / "report.json").write_text(json.dumps(report))
    report_results.main(given)
    body = read_card(tmp_path)[1]
    assert "<script" not in body
    assert "\n## z" not in body
    assert "\n# x" not in body


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"sqlite:///{tmp_path_factory.mktemp('mlflow')}/mlflow.db"


@pytest.fixture
def client(store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name, value in {
        "MLFLOW_TRACKING_URI": store,
        "RUN_ID": "run-1",
        "CODE_HASH": "c0de",
        "BASE_MODEL": "tiny",
        # Each test has models of its own.
        "MLFLOW_EXPERIMENT_NAME": tmp_path.name,
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("RANK", raising=False)
    monkeypatch.chdir(tmp_path)
    found = mlflow.MlflowClient(store)
    yield found
    mlflow.end_run()
    for version in found.search_model_versions(f"name = '{MODEL}'"):
        found.delete_model_version(MODEL, version.version)


def track(folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Start the execution's run and its jobs' runs; returns the id of the first."""
    with tracking.start_parent(folder.name) as parent:
        RunReference("run-1", parent.experiment_id, parent.run_id, "da7a", "rev1").write(folder / "data")
    for variant in SKILL:
        for stage in ("train", "predict"):
            monkeypatch.setenv("TRAINING_JOB_NAME", f"{folder.name}-{stage}-{variant}")
            monkeypatch.setenv("VARIANT", variant)
            with tracking.child_run(f"{stage}-{variant}", folder / "data", {"recipe_hash": "4ec1"}) as child:
                for step, loss in enumerate([2.0, 1.0, float("nan")], 1):
                    child.log_metrics({"loss": loss, "grad_norm": 1.0}, step=step)
    return str(parent.run_id)


def children_of(client: Any, parent: str) -> dict[str, dict[str, float]]:
    """The metrics of each job's run by its name."""
    experiment = client.get_run(parent).info.experiment_id
    found = client.search_runs([experiment], f"tags.mlflow.parentRunId = '{parent}'")
    return {one.info.run_name: one.data.metrics for one in found}


@pytest.mark.usefixtures("quick")
def test_mlflow_gets_the_run_at_a_glance_and_a_retry_adds_nothing(
    client: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = write_compared(tmp_path)
    parent = track(tmp_path, monkeypatch)
    seen: list[Any] = []

    def draw(results: Results) -> list[Picture]:
        seen.append(results.curves)
        return [PICTURE]

    monkeypatch.setattr(report_results, "draw_pictures", draw)
    for _ in range(2):
        report_results.main(given)
    run = client.get_run(parent)
    assert run.info.status == "FINISHED"
    assert run.data.metrics["when2call_mcq/acc_norm/sft"] == 0.6
    assert run.data.tags["promoted"] == "sft"
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", run.data.tags["chosen_as_champion"])
    assert run.data.tags["registered_model"].startswith(f"{MODEL}/")
    assert "**sft is promoted.**" in run.data.tags["mlflow.note.content"]
    same = children_of(client, parent)
    assert same["predict-sft"]["when2call_mcq/acc_norm"] == 0.6
    assert same["predict-base"]["when2call_mcq/acc_norm"] == 0.3
    assert "when2call_mcq/acc_norm" not in same["train-sft"]
    top = {one.path for one in client.list_artifacts(parent)}
    assert {
        *("report.html", "model_card.md", "comparison.json", "plan.json", "accuracy.png"),
        *("rows", "scores", "predictions", "comparison_table.json", "answers_own.json"),
    } <= top
    assert len(client.search_model_versions(f"name = '{MODEL}'")) == 1
    experiment = run.info.experiment_id
    traces = client.search_traces(locations=[experiment], run_id=parent, max_results=500)
    assert len(traces) == 25 * len(SKILL)
    assert seen[0]["loss"]["sft"] == [(1, 2.0), (2, 1.0)], "what is not finite is no point of a curve"
    version = client.get_model_version_by_alias(MODEL, "champion")
    assert (version.run_id, version.tags["recipe_hash"]) == (parent, "4ec1")
    assert version.tags["base_model_revision"] == "rev1"


@pytest.mark.usefixtures("quick")
def test_a_retry_with_another_verdict_leaves_no_stale_tag(
    client: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = write_compared(tmp_path)
    parent = track(tmp_path, monkeypatch)
    report_results.main(given)
    assert client.get_run(parent).data.tags["promoted"] == "sft"
    (tmp_path / "plan" / "plan.json").write_text(json.dumps(plan_of(tuple(SKILL))))
    report_results.main(given)
    tags = client.get_run(parent).data.tags
    assert (tags["promoted"], tags["gate"], tags["chosen_as_champion"]) == ("", "failed", "")
    (tmp_path / "plan" / "plan.json").unlink()
    report_results.main(given)
    tags = client.get_run(parent).data.tags
    assert (tags["promoted"], tags["registered_model"], tags["chosen_as_champion"]) == ("", "", "")


@pytest.mark.usefixtures("quick")
def test_code_that_the_environment_does_not_name_is_the_executions(
    client: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = write_compared(tmp_path)
    track(tmp_path, monkeypatch)
    monkeypatch.delenv("CODE_HASH")
    seen: list[Results] = []

    def draw(results: Results) -> list[Picture]:
        seen.append(results)
        return [PICTURE]

    monkeypatch.setattr(report_results, "draw_pictures", draw)
    report_results.main(given)
    assert seen[0].code_hash == "c0de"
    assert "| code_hash | c0de |" in read_card(tmp_path)[1]
    (version,) = client.search_model_versions(f"name = '{MODEL}'")
    assert version.tags["code_hash"] == "c0de"


@pytest.mark.usefixtures("quick")
def test_a_server_without_traces_and_registry_still_gets_the_run(
    client: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def lacking(*_: object, **__: object) -> None:
        raise MlflowException("404: no such API")

    given = write_compared(tmp_path)
    parent = track(tmp_path, monkeypatch)
    for method in ("search_traces", "search_model_versions", "get_registered_model"):
        monkeypatch.setattr(mlflow.MlflowClient, method, lacking)
    report_results.main(given)
    run = client.get_run(parent)
    assert run.info.status == "FINISHED"
    assert "the registry does not answer" in run.data.tags["mlflow.note.content"]
    assert "registered_model" not in run.data.tags
    output = capsys.readouterr()
    assert output.err.count("takes no traces") == 1
    assert "the registry does not answer" in output.out
    monkeypatch.undo()


@pytest.mark.usefixtures("client", "quick")
def test_a_dead_server_is_named_before_anything_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = write_compared(tmp_path)
    track(tmp_path, monkeypatch)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(TrackingUnavailable, match=r"127\.0\.0\.1:9 does not answer"):
        report_results.main(given)


@pytest.mark.usefixtures("quick")
def test_bad_input_fails_the_execution_run(
    client: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = write_compared(tmp_path)
    parent = track(tmp_path, monkeypatch)
    (tmp_path / "plan" / "plan.json").write_text("{")
    with pytest.raises(BadInput):
        report_results.main(given)
    assert client.get_run(parent).info.status == "FAILED"
