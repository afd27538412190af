"""The `tune` state machine end to end in the embedded AWS, on a model of 0.4 million random weights."""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from infra.local import api
from infra.local.deploy import _create_stack
from infra.local.objects import download_prefix, upload_directory
from infra.local.quotas import Quotas
from tests.local.conftest import LocalAws
from tests.local.executions import Run
from tests.tiny_model import make_tiny_model

EXAMPLES = Path("examples/rows")
INPUT = {
    "dataset": "examples",
    "base_model": "tiny",
    "recipe": "tiny-full",
    "rows": {"sft": 48, "preference": 16, "test": 12},
    "seed": 3,
}
VARIANTS = ["base", "sft", "dpo", "sft-dpo"]
UNTRAINED = "x" * 80


@pytest.fixture(scope="session")
def staged(local_aws: LocalAws, tmp_path_factory: pytest.TempPathFactory) -> LocalAws:
    model = make_tiny_model(tmp_path_factory.mktemp("tiny"))
    upload_directory(model, f"s3://{local_aws.bucket}/models/tiny")
    upload_directory(EXAMPLES, f"s3://{local_aws.bucket}/datasets/examples")
    return local_aws


@pytest.fixture(scope="session")
def runs(staged: LocalAws) -> tuple[Run, Run]:
    """Two executions at once: all default variants, and the untrained ones; names that no job may have."""
    with ThreadPoolExecutor() as pool:
        whole = pool.submit(staged.run, "Whole_run.1", INPUT)
        untrained = pool.submit(staged.run, UNTRAINED, {**INPUT, "variants": ["base", "prompt"]})
        return whole.result(), untrained.result()


@pytest.fixture(scope="session")
def results(staged: LocalAws, runs: tuple[Run, Run], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("results")
    download_prefix(f"s3://{staged.bucket}/runs/Whole_run.1/", folder)
    return folder


def comparison(results: Path, stage: str = "compare") -> dict[str, Any]:
    (path,) = results.glob(f"{stage}/*/output/model/comparison.json")
    loaded: dict[str, Any] = json.loads(path.read_text())
    return loaded


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_two_executions_at_once_both_succeed(runs: tuple[Run, Run]) -> None:
    assert [run.status for run in runs] == ["SUCCEEDED", "SUCCEEDED"], runs


def test_they_share_no_job_and_no_key(staged: LocalAws, runs: tuple[Run, Run]) -> None:
    names = [{job["name"] for job in run.output["jobs"].values()} for run in runs]
    assert not names[0] & names[1]
    outputs = [{job["output_uri"] for job in run.output["jobs"].values()} for run in runs]
    assert not outputs[0] & outputs[1]


@pytest.mark.parametrize("suite", ["when2call_mcq", "own"])
@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant_is_predicted_and_scored(results: Path, variant: str, suite: str) -> None:
    (rows,) = results.glob(f"prepare/*/output/model/suites/{suite}.jsonl")
    (predictions,) = results.glob(f"predict/{variant}/*/output/model/{suite}.jsonl")
    scores = results / "scores" / variant / f"{suite}.jsonl"
    ids = [row["id"] for row in lines(rows)]
    assert len(ids) == INPUT["rows"]["test"]  # type: ignore[index]
    assert sorted(row["id"] for row in lines(predictions)) == sorted(ids)
    assert sorted(row["id"] for row in lines(scores)) == sorted(ids)
    assert all(0 <= row["value"] <= 1 for row in lines(scores))


def test_training_changed_the_model(results: Path) -> None:
    """A pipeline that evaluates the same weights four times would pass every test of form."""
    likelihoods = set()
    for variant in VARIANTS:
        (path,) = results.glob(f"predict/{variant}/*/output/model/when2call_mcq.jsonl")
        first = lines(path)[0]["choices"]
        likelihoods.add(tuple(choice["logprob"] for choice in first.values()))
    assert len(likelihoods) == len(VARIANTS)


def test_the_prompt_alone_changes_what_the_base_model_makes_of_every_row(
    staged: LocalAws, runs: tuple[Run, Run], tmp_path: Path
) -> None:
    download_prefix(f"s3://{staged.bucket}/runs/{UNTRAINED}/", tmp_path)
    choices = {}
    for variant in ("base", "prompt"):
        (path,) = tmp_path.glob(f"predict/{variant}/*/output/model/when2call_mcq.jsonl")
        choices[variant] = {row["id"]: row["choices"] for row in lines(path)}
    assert choices["base"].keys() == choices["prompt"].keys()
    for row, base in choices["base"].items():
        prompted = choices["prompt"][row]
        assert base.keys() == prompted.keys()
        for answer, likelihood in base.items():
            assert likelihood["characters"] == prompted[answer]["characters"], "the answers are the same"
            assert likelihood["logprob"] != prompted[answer]["logprob"], "what stands before them is not"
    (written,) = tmp_path.glob("compare/*/output/model/comparison.json")
    compared = json.loads(written.read_text())["suites"]
    assert {suite: list(variants) for suite, variants in compared.items()} == {
        "when2call_mcq": ["base", "prompt"],
        "own": ["base", "prompt"],
    }


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_replaced_prediction_would_go_on_with_what_was_predicted(
    staged: LocalAws, results: Path, variant: str, tmp_path: Path
) -> None:
    download_prefix(f"s3://{staged.bucket}/checkpoints/Whole_run.1/predict/{variant}/", tmp_path)
    for suite in ("when2call_mcq", "own"):
        (delivered,) = results.glob(f"predict/{variant}/*/output/model/{suite}.jsonl")
        assert (tmp_path / f"{suite}.jsonl").read_bytes() == delivered.read_bytes()


def test_the_comparison_keeps_its_contract(results: Path) -> None:
    found = comparison(results)
    assert found["run_id"] == "Whole_run.1"
    assert list(found["suites"]["when2call_mcq"]) == VARIANTS
    for suite, metric in (("when2call_mcq", "acc_norm"), ("own", "accuracy")):
        for variant in VARIANTS:
            estimate = found["suites"][suite][variant]["metrics"][metric]
            assert estimate["low"] <= estimate["value"] <= estimate["high"]
            assert estimate["n"] == 12
            recalls = found["suites"][suite][variant]["recall"]
            assert sum(recall["n"] for recall in recalls.values()) == 12
            assert found["suites"][suite][variant]["confusion"]
    assert {"suite", "metric", "a", "b", "difference", "low", "high", "p", "p_holm"} <= set(
        found["paired"][0]
    )
    assert set(found["gate"]) == {"promoted", "rules"}
    assert found["test_sets"]["own"]["rows"] == 12


def test_the_verdict_is_in_the_output_in_the_plan_and_in_the_final_comparison(
    runs: tuple[Run, Run], results: Path
) -> None:
    gate = runs[0].output["gate"]
    assert gate["statement"].startswith(("No variant is promoted. ", "sft", "dpo"))
    assert {rule["variant"] for rule in gate["rules"]} == {"sft", "dpo", "sft-dpo"}
    for rule in gate["rules"]:
        # 12 rows can move no p below the level; whatever a guard says, its figures are there.
        assert rule["difference"] is not None
        assert f"{rule['suite']}/{rule['metric']}" in rule["statement"]
    final = comparison(results, "report")
    assert final["gate"]["statement"] == gate["statement"]
    assert final["paired"] == comparison(results)["paired"], "the report computes the same figures again"
    assert runs[1].output["gate"]["statement"] == "No variant is promoted: the run trained none."


def test_every_job_is_counted_the_report_too(runs: tuple[Run, Run], results: Path) -> None:
    for run in runs:
        actual = run.output["cost"]["actual"]
        assert [line["job"] for line in actual["lines"]] == list(run.output["jobs"])
        assert all(line["billable_seconds"] >= 1 and line["usd"] > 0 for line in actual["lines"])
        assert actual["usd"] == pytest.approx(sum(line["usd"] for line in actual["lines"]), abs=1e-3)
    written = json.loads((results / "plan" / "plan.json").read_text())
    assert written["cost"] == runs[0].output["cost"]
    counted = comparison(results, "report")["cost"]["actual"]["statement"]
    assert counted.endswith("not started, so not counted: report"), "what the report could know"


def test_the_report_is_a_page_that_stands_alone(results: Path) -> None:
    (page,) = results.glob("report/*/output/model/report.html")
    text = page.read_text()
    assert "Whole_run.1" in text
    assert not re.search(r"""(?:src|href)=["']?https?:""", text), "no network is needed to open it"


def test_mlflow_shows_one_parent_and_a_child_a_job(
    staged: LocalAws, runs: tuple[Run, Run], results: Path
) -> None:
    client = MlflowClient(staged.tracking.url)
    experiment = client.get_experiment_by_name("toolwright")
    assert experiment
    found = client.search_runs([experiment.experiment_id], max_results=100)
    (parent,) = [run for run in found if run.info.run_name == "Whole_run.1"]
    children = [run for run in found if run.data.tags.get("mlflow.parentRunId") == parent.info.run_id]
    assert parent.info.status == "FINISHED"
    assert {run.info.status for run in children} == {"FINISHED"}
    names = {run.info.run_name for run in children}
    assert names >= {"train-sft", "train-dpo", "train-sft-dpo", *(f"predict-{name}" for name in VARIANTS)}
    assert len(names) == len(children)
    (sft,) = [run for run in children if run.info.run_name == "train-sft"]
    assert len(client.get_metric_history(sft.info.run_id, "loss")) > 1
    assert any(name.startswith("system/") for name in sft.data.metrics)
    for tag in ("data_hash", "code_hash", "recipe_hash", "base_model", "base_model_revision"):
        assert sft.data.tags[tag]
    for tag in ("data_hash", "code_hash", "base_model", "base_model_revision"):
        assert parent.data.tags[tag]
    assert len(parent.inputs.dataset_inputs) == 4
    artifacts = {item.path for item in client.list_artifacts(parent.info.run_id)}
    assert {"comparison.json", "report.html", "accuracy.png"} <= artifacts
    assert any("acc_norm" in name for name in parent.data.metrics)


FAILURES = [
    ({"datasets": "examples"}, "InvalidInput", "datasets", "an unknown key"),
    ({"variants": ["base", "sfft"]}, "InvalidInput", "sfft", "an unknown variant"),
    ({"dataset": "nothing-here"}, "NoSuchDataset", "datasets/nothing-here/", "no such data set"),
    ({"base_model": "nobody"}, "NoSuchModel", "models/nobody/", "no such model"),
    ({"recipe": "tiny-ful"}, "InvalidInput", "tiny-full", "a misspelt recipe"),
    ({"gate": [{"target": "own/acuracy"}]}, "InvalidInput", "'accuracy'", "a misspelt rule"),
    ({"budget_usd": 0.01}, "BudgetExceeded", "0.01", "a budget too small"),
    ({"dataset": "junk"}, "TrainingJobFailed", "BadInput", "a job that exits nonzero"),
]


@pytest.mark.parametrize(("changes", "error", "said", "reason"), FAILURES, ids=[row[3] for row in FAILURES])
def test_a_failure_looks_like_one(
    staged: LocalAws, tmp_path: Path, changes: dict[str, Any], error: str, said: str, reason: str
) -> None:
    (tmp_path / "test.jsonl").write_text("not a row\n" * 3)
    upload_directory(tmp_path, f"s3://{staged.bucket}/datasets/junk")
    finished = staged.run(re.sub(r"\W+", "-", reason), {**INPUT, **changes})
    assert (finished.status, finished.error) == ("FAILED", error), finished
    assert said in (finished.cause or "")
    assert not (finished.cause or "").startswith("{"), "a cause is for a person, not for a parser"


def test_a_quota_of_zero_is_told_before_anything_runs(staged: LocalAws) -> None:
    kind = "ml.g5.xlarge"
    given = {**INPUT, "instances": {"train": [kind], "predict": [kind]}}
    api.install_quotas(Quotas({f"{kind} for training job usage": 0}))
    try:
        finished = staged.run("quota", given)
    finally:
        api.install_quotas(Quotas())
    assert (finished.status, finished.error) == ("FAILED", "QuotaExceeded")
    for part in (f"{kind} for training job usage", "request-service-quota-increase"):
        assert part in (finished.cause or "")
    assert not any("-quota-" in name for name in staged.engine.jobs.jobs)


def test_a_changed_entrypoint_changes_the_job_and_its_failure_is_counted(
    staged: LocalAws, tmp_path: Path
) -> None:
    path = staged.folder / "cdk.out" / "Toolwright-local-Pipelines.template.json"
    install = "pip install -qr training/requirements.txt"
    assert install in path.read_text()
    template = path.read_text().replace(install, "echo another entrypoint; exit 9")
    template = template.replace("toolwright-local-tune", "toolwright-changed-tune")
    outputs = _create_stack("Changed", template, staged.engine.client("cloudformation"))
    started = staged.engine.client("stepfunctions").start_execution(
        stateMachineArn=outputs["TuneStateMachineArn"], name="changed", input=json.dumps(INPUT)
    )
    finished = staged.wait(started["executionArn"])
    assert (finished.status, finished.error) == ("FAILED", "TrainingJobFailed")
    assert "another entrypoint, exit code: 9" in (finished.cause or "")
    download_prefix(f"s3://{staged.bucket}/runs/changed/plan/", tmp_path)
    plan = json.loads((tmp_path / "plan.json").read_text())
    assert plan["failure"]["Error"] == "States.TaskFailed"
    statuses = {line["job"]: line["status"] for line in plan["cost"]["actual"]["lines"]}
    assert (statuses.pop("prepare"), set(statuses.values())) == ("Failed", {"NotStarted"})


def test_the_definition_that_runs_is_the_synthesized_one(staged: LocalAws) -> None:
    template = json.loads(
        (staged.folder / "cdk.out" / "Toolwright-local-Pipelines.template.json").read_text()
    )
    (machine,) = [
        resource
        for resource in template["Resources"].values()
        if resource["Type"] == "AWS::StepFunctions::StateMachine"
    ]
    _, parts = machine["Properties"]["DefinitionString"]["Fn::Join"]
    pattern = "".join(re.escape(part) if isinstance(part, str) else r'[^"]+?' for part in parts)
    running = staged.engine.client("stepfunctions").describe_state_machine(
        stateMachineArn=staged.deployment.outputs["TuneStateMachineArn"]
    )["definition"]
    assert re.fullmatch(pattern, running)
