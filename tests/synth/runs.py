"""Executions of the synthesized `tune` machine with the real functions and jobs that only say they ran."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lambdas.check_gate import with_verdict
from lambdas.check_quotas import Quota, choose_instances
from lambdas.costs import Prices
from lambdas.count_costs import with_actual_cost
from lambdas.inputs import Defaults
from lambdas.plan_run import Environment, plan_run
from tests.synth.interpreter import Interpreter, StateError

DEFAULTS = Defaults(
    base_model="Qwen/Qwen3-1.7B",
    recipe="qwen3-1.7b-lora",
    instances={
        "prepare": ["ml.m5.xlarge"],
        "train": ["ml.g6e.2xlarge", "ml.g5.2xlarge"],
        "predict": ["ml.g5.2xlarge"],
        "compare": ["ml.m5.large"],
    },
    max_runtime_minutes={"prepare": 60, "train": 240, "predict": 120, "compare": 30},
    use_spot=False,
    budget_usd=None,
)
ENVIRONMENT = Environment(
    bucket="toolwright-bucket",
    defaults=DEFAULTS,
    recipes={stage: [DEFAULTS.recipe] for stage in ("sft", "dpo", "few_shot")},
    prices=Prices(as_of="2026-09", usd_per_hour={"ml.m5.large": 0.1, "ml.m5.xlarge": 0.2}),
)
NOTHING_COMPARED: Mapping[str, Any] = {"suites": {}, "paired": [], "guarded": [], "test_sets": {}}


class PlentifulQuotas(dict[str, Quota]):
    """Quotas under which everything may run."""

    def get(self, name: str, default: Any = None) -> Quota:
        return Quota(name, "L-00000000", 1000)


@dataclass
class Execution:
    """One execution: what it was given, what it asked of SageMaker and of the functions, how it ended."""

    machine: Mapping[str, Any]
    given: Any
    name: str = "run-1"
    quotas: Mapping[str, Quota] = field(default_factory=PlentifulQuotas)
    failures: Mapping[str, StateError] = field(default_factory=dict)
    statuses: Mapping[str, str] = field(default_factory=dict)
    payloads: dict[str, dict[str, Any]] = field(default_factory=dict)
    scored: list[dict[str, Any]] = field(default_factory=list)
    entered: list[str] = field(default_factory=list)
    billed: list[dict[str, Any]] = field(default_factory=list)
    comparison: Mapping[str, Any] = field(default_factory=lambda: NOTHING_COMPARED)

    def run(self) -> Any:
        """Return the execution's output; raise StateError, as the execution's end, where it fails."""
        arn = f"arn:aws:states:us-east-1:123456789012:execution:tune:{self.name}"
        context = {"Execution": {"Name": self.name, "Id": arn}}
        interpreter = Interpreter(self._call, context, self.entered)
        return interpreter.run(self.machine, self.given)

    def _call(self, state: str, resource: str, parameters: Any) -> Any:
        if state in self.failures:
            raise self.failures[state]
        if resource.endswith(":lambda:invoke"):
            return {"Payload": self._call_function(state, parameters["Payload"])}
        assert resource.endswith(":sagemaker:createTrainingJob.sync")
        self.payloads[state] = parameters
        return {
            "TrainingJobName": parameters["TrainingJobName"],
            "TrainingJobStatus": self.statuses.get(state, "Completed"),
            "SecondaryStatus": self.statuses.get(state, "Completed"),
        }

    def _describe(self, name: str) -> Mapping[str, Any] | None:
        """Describe a job as SageMaker would: each that ran took an hour."""
        if name not in {payload["TrainingJobName"] for payload in self.payloads.values()}:
            return None
        return {
            "TrainingJobStatus": "Completed",
            "BillableTimeInSeconds": 3600,
            "TrainingTimeInSeconds": 3600,
        }

    def _call_function(self, state: str, event: Any) -> Any:
        # What passes between states is JSON.
        event = json.loads(json.dumps(event))
        try:
            if state == "PlanRun":
                arguments = (event["execution_name"], event["execution_arn"], event["input"])
                return plan_run(*arguments, ENVIRONMENT, lambda _bucket, _prefix: True)
            if state == "CheckQuotas":
                key = "arn:aws:kms:us-east-1:123456789012:key/k"
                return choose_instances(event, self.quotas, {}, key)
        except Exception as error:
            name = type(error).__name__
            cause = {"errorMessage": str(error), "errorType": name, "stackTrace": ["…"]}
            raise StateError(name, json.dumps(cause)) from error
        if state == "CheckGate":
            comparison = {"run_id": event["run_id"], **self.comparison}
            return with_verdict(event, json.dumps(comparison).encode(), "s3://b/comparison.json")
        if state in ("CountCosts", "CountFailedCosts", "CountFinalCosts"):
            counted = with_actual_cost(event, self._describe, billed=True)
            self.billed[:] = counted["cost"]["actual"]["lines"]
            return counted
        assert state == "ScorePredictions"
        self.scored.append(event)
        return {"variant": event["variant"], "suites": {}}
