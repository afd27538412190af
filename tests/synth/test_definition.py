"""The synthesized state machine: valid, the same everywhere, and all that it renders is legal."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import botocore.session
import pytest
from botocore.model import Shape
from botocore.validate import ParamValidator
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from infra.assembly import read_state_machines
from infra.payloads import payload_faults
from infra.rules import check_assembly
from infra.settings import DECLARED_LOCAL_SETTINGS, read_settings
from lambdas.check_quotas import Quota, peak_instances, quota_name
from lambdas.inputs import SUITES, VARIANTS
from lambdas.plan_run import plan_run
from tests.synth.conftest import ROOT, Synthesis
from tests.synth.interpreter import StateError
from tests.synth.runs import ENVIRONMENT, Execution

JOB_STATES = {
    "PrepareData", "TrainSft", "TrainDpo", "TrainSftDpo", "PredictBase", "PredictPrompt", "PredictSft",
    "PredictDpo", "PredictSftDpo", "CompareVariants", "ReportResults",
}  # fmt: skip


EVERYTHING = {"dataset": "nvidia/When2Call", "variants": list(VARIANTS), "suites": list(SUITES)}


@pytest.mark.parametrize("stage", ["local", "dev", "prod"])
def test_no_rule_is_broken(stage: str, request: pytest.FixtureRequest) -> None:
    synthesis: Synthesis = request.getfixturevalue(stage)
    assert check_assembly(synthesis.assembly) == []


def test_the_definition_passes_the_asl_validator(tune: Mapping[str, Any], tmp_path: Path) -> None:
    validator = ROOT / "node_modules" / "asl-validator" / "dist" / "bin" / "asl-validator.js"
    node = Path(sys.executable).with_name("node")
    if not validator.exists() or not node.exists():
        pytest.skip("node_modules is missing: npm ci")
    definition = tmp_path / "tune.json"
    definition.write_text(json.dumps(tune))
    done = subprocess.run(
        [str(node), str(validator), "--json-path", str(definition)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def _raw_definition(synthesis: Synthesis) -> str:
    template = json.loads(next(synthesis.assembly.glob("*Pipelines.template.json")).read_text())
    (machine,) = [
        r for r in template["Resources"].values() if r["Type"] == "AWS::StepFunctions::StateMachine"
    ]
    return json.dumps(machine["Properties"]["DefinitionString"])


def _comparable(synthesis: Synthesis, stage: str) -> Any:
    """Return the definition without account, region and the values of the declared settings."""
    context = json.loads((ROOT / "cdk.json").read_text())["context"]
    given = (
        {"stage": stage, "mlflow_tracking_uri": "http://127.0.0.1:5000"}
        if stage == "local"
        else {"stage": stage}
    )
    own = read_settings({**context, **given})
    (machine,) = read_state_machines(synthesis.assembly)
    text = json.dumps(machine.definition, sort_keys=True)
    text = text.replace(own.region, "REGION").replace("123456789012", "ACCOUNT")
    for setting in DECLARED_LOCAL_SETTINGS:
        value = getattr(own, setting)
        # Left to its default, MLflow is reached by the ARN of the server that the stack makes.
        text = (
            text.replace(value, "URI")
            if value
            else re.sub(r'arn:aws:sagemaker:REGION:ACCOUNT:mlflow-[^"]*', "URI", text)
        )
    return json.loads(text)


def test_what_runs_on_one_machine_is_what_runs_in_production(local: Synthesis, prod: Synthesis) -> None:
    assert _comparable(local, "local") == _comparable(prod, "prod")
    differing = _raw_definition(local) != _raw_definition(prod)
    assert differing, "the comparison above compares something: the raw texts differ in account and URI"


@pytest.mark.parametrize(
    "wanted", [[v for i, v in enumerate(VARIANTS) if mask >> i & 1] for mask in range(1, 2 ** len(VARIANTS))]
)
def test_every_choice_of_variants_runs_the_jobs_it_needs_and_no_other(
    tune: Mapping[str, Any], wanted: list[str]
) -> None:
    execution = Execution(tune, {"dataset": "nvidia/When2Call", "variants": wanted})
    plan = execution.run()
    camel = {"base": "Base", "prompt": "Prompt", "sft": "Sft", "dpo": "Dpo", "sft-dpo": "SftDpo"}
    needed = {"PrepareData", "CompareVariants", "ReportResults", *(f"Predict{camel[v]}" for v in wanted)}
    needed |= {f"Train{camel[v]}" for v in wanted if v not in ("base", "prompt")}
    needed |= {"TrainSft"} if "sft-dpo" in wanted else set()
    assert set(execution.payloads) == needed
    assert {p["TrainingJobName"] for p in execution.payloads.values()} == {
        job["name"] for job in plan["jobs"].values()
    }
    assert [event["variant"] for event in execution.scored] == wanted


def test_each_job_reads_what_the_one_before_it_wrote(tune: Mapping[str, Any]) -> None:
    execution = Execution(tune, EVERYTHING)
    plan = execution.run()

    def written(state: str) -> str:
        payload = execution.payloads[state]
        return f"{payload['OutputDataConfig']['S3OutputPath']}{payload['TrainingJobName']}/output/model/"

    def channels(state: str) -> dict[str, str]:
        config = execution.payloads[state]["InputDataConfig"]
        return {c["ChannelName"]: c["DataSource"]["S3DataSource"]["S3Uri"] for c in config}

    base = f"{written('PrepareData')}base_model/"
    # A training job leaves the whole model in a folder beside its adapter and metrics.
    models = {
        "TrainSft": base,
        "TrainDpo": base,
        "TrainSftDpo": f"{written('TrainSft')}model/",
        "PredictBase": base,
        "PredictPrompt": base,
        "PredictSft": f"{written('TrainSft')}model/",
        "PredictDpo": f"{written('TrainDpo')}model/",
        "PredictSftDpo": f"{written('TrainSftDpo')}model/",
    }
    for state, model in models.items():
        assert channels(state)["model"] == model, state
        assert channels(state)["data"] == written("PrepareData")
    for event in execution.scored:
        assert event["predictions_uri"].startswith(channels("CompareVariants")["predictions"])
        assert event["scores_uri"].startswith(channels("CompareVariants")["scores"])
    assert len({event["predictions_uri"] for event in execution.scored}) == len(VARIANTS)
    assert channels("ReportResults") == {
        **channels("CompareVariants"),
        "comparison": written("CompareVariants"),
        "plan": plan["plan_uri"],
    }


def test_the_verdict_and_the_costs_are_in_the_executions_output(tune: Mapping[str, Any]) -> None:
    execution = Execution(tune, EVERYTHING)
    plan = execution.run()
    tail = [state for state in execution.entered if not state.endswith("Outcome")][-6:]
    assert tail == [
        *("CompareVariants", "CheckGate", "CountCosts", "ReportResults", "CountFinalCosts", "Tuned"),
    ]
    assert plan["gate"]["promoted"] is None
    assert plan["gate"]["statement"] == "No variant is promoted: no suite has rows."
    actual = plan["cost"]["actual"]
    assert [line["job"] for line in actual["lines"]] == list(plan["jobs"])
    assert {line["billable_seconds"] for line in actual["lines"]} == {3600}, "the report's own line too"
    assert "no price is known for ml.g5.2xlarge, ml.g6e.2xlarge (" in actual["statement"]


def test_the_report_cannot_show_its_own_cost_and_says_so(tune: Mapping[str, Any]) -> None:
    execution = Execution(tune, EVERYTHING, failures={"ReportResults": StateError("Seen", "enough")})
    with pytest.raises(StateError, match="enough"):
        execution.run()
    assert execution.entered.count("CountCosts") == 1
    assert "CountFinalCosts" not in execution.entered


# https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartExecution.html
_ILLEGAL_IN_NAMES = ' <>{}[]?*"#%\\^|~`$&,;:/'
EXECUTION_NAMES = st.text(
    st.characters(exclude_characters=_ILLEGAL_IN_NAMES, exclude_categories=("Cc", "Cs", "Zs", "Zl", "Zp")),
    min_size=1,
    max_size=80,
)
INSTANCE_TYPES = ["ml.m5.large", "ml.m5.xlarge", "ml.g5.2xlarge", "ml.g6e.2xlarge", "ml.p5.4xlarge"]
KINDS = ["prepare", "train", "predict", "compare"]
SOURCES = st.sampled_from(["nvidia/When2Call", "org/name@0123abc", "staged-rows", "s3://rows/of/mine/"])
INPUTS = st.fixed_dictionaries(
    {
        "dataset": st.one_of(
            SOURCES, st.fixed_dictionaries(dict.fromkeys(("train", "preference", "test"), SOURCES))
        )
    },
    optional={
        "base_model": st.sampled_from(["Qwen/Qwen3-1.7B", "staged-model", "s3://models/of/mine"]),
        "suites": st.lists(st.sampled_from(SUITES), min_size=1, unique=True),
        "variants": st.lists(st.sampled_from(VARIANTS), min_size=1, unique=True),
        "instances": st.dictionaries(
            st.sampled_from(KINDS), st.lists(st.sampled_from(INSTANCE_TYPES), min_size=1, max_size=5)
        ),
        "use_spot": st.booleans(),
        "gate": st.sampled_from([None, []]),
        "rows": st.dictionaries(st.sampled_from(["sft", "preference", "test"]), st.integers(0, 10**9)),
        "seed": st.integers(0, 2**31 - 1),
        "max_runtime_minutes": st.dictionaries(st.sampled_from(KINDS), st.integers(1, 40320)),
    },
)
_SHAPE = (
    botocore.session.get_session()
    .get_service_model("sagemaker")
    .operation_model("CreateTrainingJob")
    .input_shape
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=EXECUTION_NAMES, given_input=INPUTS)
def test_every_payload_is_legal_whatever_the_input_and_the_name(
    tune: Mapping[str, Any], name: str, given_input: dict[str, Any]
) -> None:
    execution = Execution(tune, given_input, name=name)
    plan = execution.run()
    names = [payload["TrainingJobName"] for payload in execution.payloads.values()]
    assert len(set(names)) == len(names) == len(plan["jobs"])
    for state, payload in execution.payloads.items():
        assert payload_faults("sagemaker", "CreateTrainingJob", payload) == [], state
        assert not ParamValidator().validate(payload, cast("Shape", _SHAPE)).has_errors()
        stopping = payload["StoppingCondition"]
        assert payload["EnableManagedSpotTraining"] is ("MaxWaitTimeInSeconds" in stopping)
        assert stopping.get("MaxWaitTimeInSeconds", 10**9) >= stopping["MaxRuntimeInSeconds"]
    for job in plan["jobs"].values():
        longest = job["stopping_condition"].get("MaxWaitTimeInSeconds", 0)
        assert job["timeout_seconds"] > max(longest, job["stopping_condition"]["MaxRuntimeInSeconds"])


@settings(max_examples=150, deadline=None)
@given(first=EXECUTION_NAMES, second=EXECUTION_NAMES)
def test_two_executions_share_no_name_and_no_key(first: str, second: str) -> None:
    if first == second:
        return
    plans = [
        plan_run(
            name,
            f"arn:aws:states:us-east-1:1:execution:tune:{name}",
            {"dataset": "a/b"},
            ENVIRONMENT,
            lambda *_: True,
        )
        for name in (first, second)
    ]

    def claims(plan: Mapping[str, Any]) -> set[str]:
        jobs = plan["jobs"].values()
        uris = {job["output_uri"] for job in jobs} | {job.get("checkpoint_uri", "") for job in jobs}
        shared = {plan["scores_uri"], plan["predictions_uri"], plan["plan_uri"]}
        return ({job["name"] for job in jobs} | uris | shared) - {""}

    assert claims(plans[0]).isdisjoint(claims(plans[1]))


def test_payloads_say_what_the_container_contract_promises(tune: Mapping[str, Any]) -> None:
    execution = Execution(tune, EVERYTHING)
    execution.run()
    assert set(execution.payloads) == JOB_STATES
    for state, payload in execution.payloads.items():
        environment = payload["Environment"]
        assert environment["RUN_ID"] == "run-1"
        assert environment["TRAINING_JOB_NAME"] == payload["TrainingJobName"]
        assert environment["BASE_MODEL"] == "Qwen/Qwen3-1.7B"
        assert (
            environment["CODE_HASH"] in payload["InputDataConfig"][0]["DataSource"]["S3DataSource"]["S3Uri"]
        )
        assert ("VARIANT" in environment) is state.startswith(("Train", "Predict"))
        assert payload["OutputDataConfig"]["CompressionType"] == "NONE"
        assert payload["OutputDataConfig"]["KmsKeyId"].startswith("arn:aws:kms:")
        kept = payload.get("CheckpointConfig")
        assert (kept is not None) is state.startswith(("Train", "Predict")), (
            "what a replaced job goes on with"
        )
        if kept:
            assert kept["LocalPath"] == "/opt/ml/checkpoints"
            assert kept["S3Uri"].startswith("s3://toolwright-bucket/checkpoints/run-1/")
        kind = "gpu" if state.startswith(("Train", "Predict")) else "cpu"
        assert f"-{kind}-" in payload["AlgorithmSpecification"]["TrainingImage"]
    kept_apart = [
        p["CheckpointConfig"]["S3Uri"] for p in execution.payloads.values() if "CheckpointConfig" in p
    ]
    assert len(set(kept_apart)) == len(kept_apart) == 3 + len(VARIANTS)
    arguments = {s: p["AlgorithmSpecification"]["ContainerArguments"] for s, p in execution.payloads.items()}
    recipe = "training/recipes/{}/qwen3-1.7b-lora.yaml"
    assert arguments["TrainSft"] == ["training.sft", recipe.format("sft"), "--seed", "0"]
    assert arguments["TrainSftDpo"] == ["training.dpo", recipe.format("dpo"), "--seed", "0"]
    assert arguments["PredictBase"] == ["evaluation.predict", "--recipe", recipe.format("sft")]
    prompted = ["evaluation.predict", "--recipe", recipe.format("sft"), "--few-shot"]
    assert arguments["PredictPrompt"] == prompted
    assert arguments["CompareVariants"] == ["evaluation.compare"]
    assert arguments["ReportResults"] == ["evaluation.report_results"]
    assert arguments["PrepareData"][:3] == ["data.prepare", "--train", "nvidia/When2Call"]
    assert ",".join(SUITES) in arguments["PrepareData"]


METRIC_LINES = [
    (
        "progress step=12 total=90 seconds_left=83 loss=1.2345",
        {"step": "12", "total": "90", "seconds_left": "83", "loss": "1.2345"},
    ),
    ("progress step=1 total=3 seconds_left=0", {"step": "1", "total": "3", "seconds_left": "0"}),
    ("progress step=3 total=3 seconds_left=1 loss=2e-05", {"loss": "2e-05"}),
    (
        "progress step=3 total=9 seconds_left=1 rows_per_second=12.34",
        {"step": "3", "total": "9", "seconds_left": "1", "rows_per_second": "12.34"},
    ),
    ("progress step=3 total=3 seconds_left=1 loss=nan", {"loss": "nan"}),
    ("loss=3 step=2", {}),
]


@pytest.mark.parametrize(("line", "expected"), METRIC_LINES)
def test_metrics_are_read_from_progress_lines(
    tune: Mapping[str, Any], line: str, expected: dict[str, str]
) -> None:
    definitions = tune["States"]["PrepareData"]["Parameters"]["AlgorithmSpecification"]["MetricDefinitions"]
    found = {d["Name"]: m[1] for d in definitions if (m := re.search(d["Regex"], line))}
    assert expected.items() <= found.items()
    assert bool(found) == line.startswith("progress")


@pytest.mark.parametrize("state", sorted(JOB_STATES))
def test_a_failed_job_ends_the_execution_with_its_name_and_reason(
    tune: Mapping[str, Any], state: str
) -> None:
    description = {
        "TrainingJobName": "toolwright-run-1-0123abcd-x",
        "TrainingJobStatus": "Failed",
        "SecondaryStatus": "Failed",
        "FailureReason": "AlgorithmError: ERROR NotFinite: loss is nan at step 3, exit code: 3",
    }
    error = StateError("States.TaskFailed", json.dumps(description))
    execution = Execution(tune, EVERYTHING, failures={state: error})
    with pytest.raises(StateError) as raised:
        execution.run()
    assert raised.value.error == "TrainingJobFailed"
    assert raised.value.cause == f"toolwright-run-1-0123abcd-x: {description['FailureReason']}"
    assert "Tuned" not in execution.entered
    assert execution.entered.count("CountFailedCosts") == 1, "what ran until then is billed"


@pytest.mark.parametrize("state", sorted(JOB_STATES))
def test_a_stopped_job_is_a_failure_even_if_the_integration_reports_success(
    tune: Mapping[str, Any], state: str
) -> None:
    execution = Execution(tune, EVERYTHING, statuses={state: "Stopped"})
    with pytest.raises(StateError) as raised:
        execution.run()
    assert raised.value.error == "TrainingJobStopped"
    assert execution.payloads[state]["TrainingJobName"] in raised.value.cause
    assert "Stopped" in raised.value.cause
    assert execution.entered.count("CountFailedCosts") == 1


_STOPPED = '{"TrainingJobName": "j", "TrainingJobStatus": "Stopped", "SecondaryStatus": "MaxRuntimeExceeded"}'
_LIMIT = "SageMaker.ResourceLimitExceededException"
FAILURES = [
    ("PlanRun", "Lambda.Unknown", '{"errorMessage": "Task timed out"}', "Lambda.Unknown", "Task timed out"),
    (
        "PlanRun",
        "Sandbox.Timedout",
        '{"errorType":"Sandbox.Timedout","errorMessage":"Task timed out after 60.00 seconds"}',
        "Sandbox.Timedout",
        "timed out after 60.00 seconds",
    ),
    ("CheckQuotas", "AccessDenied", "not authorized", "AccessDenied", "not authorized"),
    ("ScorePredictions", "NoPredictions", '{"errorMessage":"none for own"}', "NoPredictions", "none for own"),
    ("CheckGate", "BadComparison", '{"errorMessage":"lacks paired"}', "BadComparison", "lacks paired"),
    ("CountFinalCosts", "AccessDenied", "not authorized", "AccessDenied", "not authorized"),
    ("TrainDpo", "States.Timeout", "", "TimedOut", "max_runtime_minutes"),
    ("TrainSft", _LIMIT, "the limit is 0", _LIMIT, "the limit is 0"),
    ("PredictBase", "States.TaskFailed", _STOPPED, "TrainingJobStopped", "j: Stopped (MaxRuntimeExceeded)"),
]


@pytest.mark.parametrize(("state", "error", "cause", "ends_as", "says"), FAILURES)
def test_every_failure_ends_with_one_error_and_a_human_cause(
    tune: Mapping[str, Any], state: str, error: str, cause: str, ends_as: str, says: str
) -> None:
    failures = {state: StateError(error, cause)}
    with pytest.raises(StateError) as raised:
        Execution(tune, {"dataset": "nvidia/When2Call"}, failures=failures).run()
    assert raised.value.error == ends_as
    assert says in raised.value.cause
    assert "{" not in raised.value.cause


@pytest.mark.parametrize(
    "counting",
    [{}, {"CountFailedCosts": StateError("AccessDenied", "no key")}],
    ids=["counted", "not counted"],
)
@pytest.mark.parametrize("state", ["PrepareData", "PredictSftDpo", "ScorePredictions", "CheckGate"])
def test_a_failed_run_is_counted_and_ends_with_its_own_error_all_the_same(
    tune: Mapping[str, Any], state: str, counting: Mapping[str, StateError]
) -> None:
    failures = {state: StateError("NoPredictions", '{"errorMessage":"none for own"}'), **counting}
    execution = Execution(tune, EVERYTHING, failures=failures)
    with pytest.raises(StateError) as raised:
        execution.run()
    assert (raised.value.error, raised.value.cause) == ("NoPredictions", "none for own")
    assert execution.entered.count("CountFailedCosts") == 1
    counted = {line["job"] for line in execution.billed if line["billable_seconds"]}
    ran = {job["TrainingJobName"] for job in execution.payloads.values()}
    assert len(counted) == (0 if counting else len(ran))


class NoQuotas(dict[str, Quota]):
    """An account that was never granted an instance."""

    def get(self, name: str, default: Any = None) -> Quota:
        return Quota(name, "L-12345678", 0)


def test_bad_input_and_no_quota_end_before_any_job(tune: Mapping[str, Any]) -> None:
    cases: list[tuple[Any, Mapping[str, Quota], str, str]] = [
        ({"dataset": "a/b", "varaints": []}, {}, "InvalidInput", "'varaints'"),
        (["dataset"], {}, "InvalidInput", "object"),
        ({"dataset": "a/b"}, NoQuotas(), "QuotaExceeded", "--quota-code L-12345678"),
    ]
    for given_input, quotas, error, says in cases:
        execution = Execution(tune, given_input, quotas=quotas)
        with pytest.raises(StateError) as raised:
            execution.run()
        assert (raised.value.error, execution.payloads) == (error, {})
        assert says in raised.value.cause


def _peak(scope: Mapping[str, Any], weights: Mapping[str, int]) -> int:
    """Return the most instances that a scope can hold at once: a row's largest, side by side the sum."""
    return max(
        sum(_peak(branch, weights) for branch in state.get("Branches", [])) or weights.get(name, 0)
        for name, state in scope["States"].items()
    )


@pytest.mark.parametrize(
    "wanted", [[v for i, v in enumerate(VARIANTS) if mask >> i & 1] for mask in range(1, 2 ** len(VARIANTS))]
)
def test_the_quota_check_counts_what_the_state_machine_runs_at_once(
    tune: Mapping[str, Any], wanted: list[str]
) -> None:
    execution = Execution(tune, {"dataset": "a/b", "variants": wanted})
    plan = execution.run()
    weights = dict.fromkeys(execution.payloads, 1)
    assert peak_instances(plan, lambda _job: 1) == _peak(tune, weights)
    assert quota_name("ml.x.y", use_spot=True) == "ml.x.y for spot training job usage"
