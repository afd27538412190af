"""The functions of the pipeline, each with what it alone may do."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

from aws_cdk import Duration
from aws_cdk import aws_iam as iam
from constructs import Construct

from infra.access import (
    JOB_NAME_PREFIX,
    decrypt,
    list_prefixes,
    read_objects,
    training_jobs,
    use_key,
    write_objects,
)
from infra.acknowledgements import acknowledge_prefixes, acknowledge_resource
from infra.functions import PipelineFunction
from infra.settings import Settings
from infra.storage import Storage

_SCORE_READS = ("runs/*/prepare/", "runs/*/predict/")
_SCORE_WRITES = ("runs/*/scores/",)
_GATE_READS = ("runs/*/compare/",)
_COST_WRITES = ("runs/*/plan/",)
# A recipe's own field stands at the beginning of a line; synthesis has no YAML parser.
_FEW_SHOT = re.compile(r"^few_shot_prompt:[ \t]+(?!null\b|~)[^\s#]", re.MULTILINE)

# Without the metrics, the rewards, and what finds formats or mends calls: scoring needs none of them.
SCORE_FILES = (
    "lambdas/__init__.py",
    "lambdas/score_predictions.py",
    "evaluation/__init__.py",
    "evaluation/toolcalls/*.py",
    "evaluation/toolcalls/formats/*.py",
    "evaluation/toolcalls/schemas/*.py",
)
# The rules, as PlanRun checks them and CheckGate applies them.
_RULE_FILES = (
    "lambdas/__init__.py",
    "lambdas/fields.py",
    "lambdas/gate_rules.py",
    "lambdas/gate_input.py",
)


class PipelineFunctions(Construct):
    """PlanRun, CheckQuotas, ScorePredictions, CheckGate and CountCosts."""

    def __init__(
        self, scope: Construct, construct_id: str, *, settings: Settings, storage: Storage, root: Path
    ) -> None:
        super().__init__(scope, construct_id)
        self.plan_run = self._plan_run(settings, storage, root)
        self.check_quotas = self._check_quotas(settings, storage, root)
        self.score_predictions = self._score_predictions(settings, storage, root)
        self.check_gate = self._check_gate(settings, storage, root)
        self.count_costs = self._count_costs(settings, storage, root)

    def _plan_run(self, settings: Settings, storage: Storage, root: Path) -> PipelineFunction:
        return PipelineFunction(
            self,
            "PlanRun",
            settings=settings,
            root=root,
            module="plan_run",
            files=(
                *_RULE_FILES,
                "lambdas/plan_run.py",
                "lambdas/costs.py",
                "lambdas/inputs.py",
                "lambdas/plan_size.py",
                "lambdas/run_jobs.py",
                "lambdas/prices.json",
            ),
            environment={
                "BUCKET_NAME": storage.bucket.bucket_name,
                "DEFAULTS": json.dumps(_defaults(settings), sort_keys=True),
                "RECIPES": json.dumps(_recipes(root)),
                "INSTANCE_PRICES_USD": json.dumps(dict(settings.instance_prices_usd), sort_keys=True),
            },
            statements=[list_prefixes(storage, ["datasets/", "models/"])],
            timeout=Duration.seconds(30),
        )

    def _check_quotas(self, settings: Settings, storage: Storage, root: Path) -> PipelineFunction:
        function = PipelineFunction(
            self,
            "CheckQuotas",
            settings=settings,
            root=root,
            module="check_quotas",
            files=("lambdas/__init__.py", "lambdas/check_quotas.py", "lambdas/costs.py"),
            environment={"VOLUME_KMS_KEY_ARN": storage.key.key_arn},
            statements=_quota_statements(self),
            timeout=Duration.seconds(60),
        )
        acknowledge_resource(function.role, "*", "Listing quotas and training jobs knows no resources.")
        acknowledge_resource(
            function.role,
            f"{training_jobs(self)}/*",
            "Every running job counts against the quota, whoever started it.",
        )
        return function

    def _score_predictions(self, settings: Settings, storage: Storage, root: Path) -> PipelineFunction:
        function = PipelineFunction(
            self,
            "ScorePredictions",
            settings=settings,
            root=root,
            module="score_predictions",
            files=SCORE_FILES,
            environment={},
            statements=[
                *_read(storage, _SCORE_READS),
                write_objects(storage, _SCORE_WRITES),
                use_key(storage),
            ],
            timeout=Duration.minutes(5),
            memory_mib=1769,  # one whole virtual CPU
        )
        acknowledge_prefixes(function.role, storage, [*_SCORE_READS, *_SCORE_WRITES])
        return function

    def _check_gate(self, settings: Settings, storage: Storage, root: Path) -> PipelineFunction:
        function = PipelineFunction(
            self,
            "CheckGate",
            settings=settings,
            root=root,
            module="check_gate",
            files=(
                *_RULE_FILES,
                "lambdas/check_gate.py",
                "lambdas/gate.py",
                "lambdas/gate_evidence.py",
                "lambdas/gate_words.py",
            ),
            environment={},
            statements=[*_read(storage, _GATE_READS), decrypt(storage)],
            timeout=Duration.seconds(30),
        )
        acknowledge_prefixes(function.role, storage, _GATE_READS)
        return function

    def _count_costs(self, settings: Settings, storage: Storage, root: Path) -> PipelineFunction:
        jobs = f"{training_jobs(self)}/{JOB_NAME_PREFIX}*"
        function = PipelineFunction(
            self,
            "CountCosts",
            settings=settings,
            root=root,
            module="count_costs",
            files=("lambdas/__init__.py", "lambdas/count_costs.py", "lambdas/billing.py", "lambdas/costs.py"),
            # The embedded AWS runs what the stage `local` describes, and sends nobody a bill.
            environment={"BILLED": "false" if settings.stage == "local" else "true"},
            statements=[
                iam.PolicyStatement(actions=["sagemaker:DescribeTrainingJob"], resources=[jobs]),
                write_objects(storage, _COST_WRITES),
                use_key(storage),
            ],
            timeout=Duration.minutes(2),
        )
        acknowledge_prefixes(function.role, storage, _COST_WRITES)
        acknowledge_resource(function.role, jobs, "PlanRun names the jobs; all names start so.")
        return function


def _read(storage: Storage, prefixes: Sequence[str]) -> list[iam.PolicyStatement]:
    return [list_prefixes(storage, prefixes), read_objects(storage, prefixes)]


def _defaults(settings: Settings) -> dict[str, object]:
    return {
        "base_model": settings.base_model,
        "recipe": settings.recipe,
        "instances": {kind: list(types) for kind, types in settings.instances.items()},
        "max_runtime_minutes": dict(settings.max_runtime_minutes),
        "use_spot": settings.use_spot,
        "budget_usd": settings.budget_usd,
    }


def _recipes(root: Path) -> dict[str, list[str]]:
    """Return the recipes' names by stage, and as `few_shot` those of SFT that name a few-shot prompt."""
    folder = root / "training" / "recipes"
    found = {stage: sorted((folder / stage).glob("*.yaml")) for stage in ("sft", "dpo")}
    prompted = [path for path in found["sft"] if _FEW_SHOT.search(path.read_text(encoding="utf-8"))]
    return {stage: [path.stem for path in paths] for stage, paths in {**found, "few_shot": prompted}.items()}


def _quota_statements(scope: Construct) -> list[iam.PolicyStatement]:
    return [
        iam.PolicyStatement(
            actions=[
                "servicequotas:ListServiceQuotas",
                "servicequotas:ListAWSDefaultServiceQuotas",
                "sagemaker:ListTrainingJobs",
            ],
            resources=["*"],
        ),
        iam.PolicyStatement(
            actions=["sagemaker:DescribeTrainingJob"], resources=[f"{training_jobs(scope)}/*"]
        ),
    ]
