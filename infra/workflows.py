"""The `tune` state machine: plan, prepare, train and predict side by side, score, compare, gate, report."""

from __future__ import annotations

from aws_cdk import RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from infra import jobs
from infra.access import JOB_NAME_PREFIX, training_jobs
from infra.acknowledgements import acknowledge_resource
from infra.failures import FAILURE_PATH, branch_failed, explain_failure
from infra.functions import PipelineFunction, drop_redundant_dependencies, retention
from infra.jobs import JobPlatform, JobStep
from infra.pipeline_functions import PipelineFunctions
from infra.settings import Settings
from infra.tasks import function_task, job_task

_LOG_DELIVERY = (
    "logs:CreateLogDelivery",
    "logs:GetLogDelivery",
    "logs:UpdateLogDelivery",
    "logs:DeleteLogDelivery",
    "logs:ListLogDeliveries",
    "logs:PutResourcePolicy",
    "logs:DescribeResourcePolicies",
    "logs:DescribeLogGroups",
)
_TRACING = (
    "xray:PutTraceSegments",
    "xray:PutTelemetryRecords",
    "xray:GetSamplingRules",
    "xray:GetSamplingTargets",
)


class TuneWorkflow(Construct):
    """Fine-tune a model on tool calls, compare the variants, and say which may be promoted.

    Input: the execution input (see PlanRun). Output: the plan that PlanRun made of it, job names and URIs
    included, with the verdict in `gate` and what each job was billed in `cost.actual`. Errors: each ends in a
    Fail state with the first error's name and a cause in words.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: Settings,
        functions: PipelineFunctions,
        platform: JobPlatform,
    ) -> None:
        super().__init__(scope, construct_id)
        self._functions = functions
        self._platform = platform
        stage = settings.stage
        log_group = logs.LogGroup(
            self,
            "Log",
            # Names below this prefix spare the resource policy of log delivery, which has a size limit.
            log_group_name=f"/aws/vendedlogs/states/toolwright-{stage}-tune",
            retention=retention(settings.log_retention_days),
            removal_policy=RemovalPolicy.DESTROY,
        )
        role = iam.Role(
            self,
            "Role",
            assumed_by=iam.ServicePrincipal("states.amazonaws.com"),
            description="What the tune state machine may start",
            inline_policies={"Steps": iam.PolicyDocument(statements=self._statements())},
        )
        self.state_machine = sfn.StateMachine(
            self,
            "StateMachine",
            definition_body=sfn.DefinitionBody.from_chainable(self._definition()),
            # All that the role may do stands above; CDK shall add nothing to it.
            role=role.without_policy_updates(),
            tracing_enabled=True,
            # Every transition, so that a run can be followed; never the data, which may hold private rows.
            logs=sfn.LogOptions(destination=log_group, level=sfn.LogLevel.ALL, include_execution_data=False),
        )

        drop_redundant_dependencies(self.state_machine)
        acknowledge_resource(
            role, f"{training_jobs(self)}/{JOB_NAME_PREFIX}*", "PlanRun names the jobs; all names start so."
        )
        acknowledge_resource(role, "*", "Log delivery and X-Ray know no resources.")

    def _definition(self) -> sfn.IChainable:
        explanation = explain_failure(self)
        failure = self._count_costs_of_failure(explanation)
        plan = function_task(
            self,
            "PlanRun",
            self._functions.plan_run,
            payload={
                "execution_name.$": "$$.Execution.Name",
                "execution_arn.$": "$$.Execution.Id",
                "input.$": "$",
            },
            output_path="$.Payload",
            on_failure=explanation,
            # There is no plan yet to lay the error beside, and the input may be no object.
            failure_path="$",
        )
        return (
            sfn.Chain.start(plan)
            .next(self._call("CheckQuotas", self._functions.check_quotas, failure))
            .next(self._job(jobs.PREPARE, failure))
            .next(self._tune_and_predict(failure))
            .next(self._score_variants(failure))
            .next(self._job(jobs.COMPARE, failure))
            .next(self._call("CheckGate", self._functions.check_gate, failure))
            .next(self._call("CountCosts", self._functions.count_costs, failure))
            .next(self._job(jobs.REPORT, failure))
            # The report shows what the jobs before it cost; its own share is known only now.
            .next(self._call("CountFinalCosts", self._functions.count_costs, failure))
            .next(sfn.Succeed(self, "Tuned"))
        )

    def _count_costs_of_failure(self, explanation: sfn.State) -> sfn.State:
        """Return the states that count what a failed run cost, or fail at that, and explain the failure."""
        only_failure = sfn.Pass(self, "KeepFailure", output_path=FAILURE_PATH)
        only_failure.next(explanation)
        count = function_task(
            self,
            "CountFailedCosts",
            self._functions.count_costs,
            payload="$",
            output_path="$.Payload",
            on_failure=only_failure,
            failure_path=sfn.JsonPath.DISCARD,
        )
        count.next(only_failure)
        return count

    def _call(self, state: str, function: PipelineFunction, on_failure: sfn.State) -> sfn.CustomState:
        """Return a state in which `function` takes the plan and returns it with more in it."""
        return function_task(
            self, state, function, payload="$", output_path="$.Payload", on_failure=on_failure
        )

    def _job(self, step: JobStep, on_failure: sfn.State) -> sfn.Chain:
        return job_task(self, step, self._platform, on_failure=on_failure)

    def _tune_and_predict(self, on_failure: sfn.State) -> sfn.Parallel:
        """Return the critical path (SFT, then DPO on it), the base twice and DPO alone beside it."""
        parallel = sfn.Parallel(self, "TuneAndPredict", result_path=sfn.JsonPath.DISCARD)
        parallel.branch(self._sft_branch(), self._base_branch(), self._prompt_branch(), self._dpo_branch())
        parallel.add_catch(on_failure, result_path=FAILURE_PATH)
        return parallel

    def _sft_branch(self) -> sfn.IChainable:
        failed = branch_failed(self, "SftBranchFailed")
        after = sfn.Parallel(self, "AfterSft", result_path=sfn.JsonPath.DISCARD)
        after.branch(self._sft_dpo_branch(), self._sft_prediction_branch())
        after.add_catch(failed, result_path=FAILURE_PATH)
        return self._wanted("Sft", "$.train.sft", self._job(jobs.TRAIN_SFT, failed).next(after))

    def _sft_dpo_branch(self) -> sfn.IChainable:
        failed = branch_failed(self, "SftDpoBranchFailed")
        steps = self._job(jobs.TRAIN_SFT_DPO, failed).next(self._job(jobs.PREDICT_SFT_DPO, failed))
        return self._wanted("SftDpo", "$.train.sft_dpo", steps)

    def _sft_prediction_branch(self) -> sfn.IChainable:
        failed = branch_failed(self, "SftPredictionBranchFailed")
        return self._wanted("SftPrediction", "$.variants.sft", self._job(jobs.PREDICT_SFT, failed))

    def _base_branch(self) -> sfn.IChainable:
        failed = branch_failed(self, "BaseBranchFailed")
        return self._wanted("BasePrediction", "$.variants.base", self._job(jobs.PREDICT_BASE, failed))

    def _prompt_branch(self) -> sfn.IChainable:
        failed = branch_failed(self, "PromptBranchFailed")
        return self._wanted("PromptPrediction", "$.variants.prompt", self._job(jobs.PREDICT_PROMPT, failed))

    def _dpo_branch(self) -> sfn.IChainable:
        failed = branch_failed(self, "DpoBranchFailed")
        steps = self._job(jobs.TRAIN_DPO, failed).next(self._job(jobs.PREDICT_DPO, failed))
        return self._wanted("Dpo", "$.train.dpo", steps)

    def _wanted(self, what: str, path: str, steps: sfn.Chain) -> sfn.IChainable:
        """Return a branch that takes `steps` where the plan says so at `path`, and else ends at once."""
        done = sfn.Succeed(self, f"{what}Done")
        return (
            sfn.Choice(self, f"Wants{what}")
            .when(sfn.Condition.boolean_equals(path, True), steps.next(done))
            .otherwise(done)
        )

    def _score_variants(self, on_failure: sfn.State) -> sfn.Map:
        score = function_task(
            self,
            "ScorePredictions",
            self._functions.score_predictions,
            payload="$",
            output_path="$.Payload",
            on_failure=branch_failed(self, "ScoringFailed"),
        )
        variants = sfn.Map(
            self,
            "ScoreVariants",
            items_path="$.scoring",
            item_selector={
                "run_id.$": "$.run_id",
                "bucket.$": "$.bucket",
                "data_uri.$": "$.data_uri",
                "variant.$": "$$.Map.Item.Value.variant",
                "predictions_uri.$": "$$.Map.Item.Value.predictions_uri",
                "scores_uri.$": "$$.Map.Item.Value.scores_uri",
            },
            max_concurrency=4,
            result_path=sfn.JsonPath.DISCARD,
        )
        variants.item_processor(score)
        variants.add_catch(on_failure, result_path=FAILURE_PATH)
        return variants

    def _statements(self) -> list[iam.PolicyStatement]:
        stack = Stack.of(self)
        functions = self._functions
        called = [
            functions.plan_run,
            functions.check_quotas,
            functions.score_predictions,
            functions.check_gate,
            functions.count_costs,
        ]
        rule = "StepFunctionsGetEventsForSageMakerTrainingJobsRule"
        return [
            _invoke(called),
            iam.PolicyStatement(
                actions=[
                    "sagemaker:CreateTrainingJob",
                    "sagemaker:DescribeTrainingJob",
                    "sagemaker:StopTrainingJob",
                    "sagemaker:AddTags",
                    "sagemaker:ListTags",
                ],
                resources=[f"{training_jobs(self)}/{JOB_NAME_PREFIX}*"],
            ),
            iam.PolicyStatement(
                actions=["iam:PassRole"],
                resources=list(self._platform.role_arns.values()),
                conditions={"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}},
            ),
            iam.PolicyStatement(
                actions=["events:PutTargets", "events:PutRule", "events:DescribeRule"],
                resources=[f"arn:{stack.partition}:events:{stack.region}:{stack.account}:rule/{rule}"],
            ),
            iam.PolicyStatement(actions=[*_LOG_DELIVERY, *_TRACING], resources=["*"]),
        ]


def _invoke(functions: list[PipelineFunction]) -> iam.PolicyStatement:
    arns = [function.function.function_arn for function in functions]
    return iam.PolicyStatement(actions=["lambda:InvokeFunction"], resources=arns)
