"""The two kinds of Task states, each with its time limit, named retries and a way to a Fail state."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aws_cdk import Duration, Stack
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from infra.failures import FAILURE_PATH
from infra.functions import PipelineFunction
from infra.jobs import JobPlatform, JobStep

LAMBDA_TRANSIENT_ERRORS = [
    "Lambda.ClientExecutionTimeoutException",
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.TooManyRequestsException",
]
# The names are case-sensitive. The first one is how throttling arrives.
SAGEMAKER_TRANSIENT_ERRORS = ["SageMaker.AmazonSageMakerException"]
SAGEMAKER_CAPACITY_ERRORS = ["SageMaker.ResourceLimitExceededException"]

_START_MARGIN = Duration.seconds(30)


def function_task(
    scope: Construct,
    name: str,
    called: PipelineFunction,
    *,
    payload: Mapping[str, Any] | str,
    output_path: str,
    on_failure: sfn.State,
    failure_path: str = FAILURE_PATH,
) -> sfn.CustomState:
    """Return a state that calls a function.

    `payload` is the event, or the path of it; `failure_path`: where `on_failure` finds the error. Output:
    what the function returned. Errors: the name of the function's exception; the cause is JSON with its
    `errorMessage`.
    """
    event = {"Payload.$": payload} if isinstance(payload, str) else {"Payload": payload}
    state = sfn.CustomState(
        scope,
        name,
        state_json={
            "Type": "Task",
            "Resource": f"arn:{Stack.of(scope).partition}:states:::lambda:invoke",
            "Parameters": {"FunctionName": called.function.function_arn, **event},
            "TimeoutSeconds": called.timeout.to_seconds() + _START_MARGIN.to_seconds(),
            "OutputPath": output_path,
        },
    )
    state.add_retry(
        errors=LAMBDA_TRANSIENT_ERRORS,
        interval=Duration.seconds(2),
        max_attempts=5,
        backoff_rate=2,
        jitter_strategy=sfn.JitterType.FULL,
    )
    state.add_catch(on_failure, result_path=failure_path)
    return state


def job_task(scope: Construct, step: JobStep, platform: JobPlatform, *, on_failure: sfn.State) -> sfn.Chain:
    """Return the states that run a training job and see that it was completed.

    Input and output: the run's plan. Errors: that of the job, whose cause is its description as JSON, or
    TrainingJobStopped. A stopped job counts as failed whatever the integration makes of it: half a model must
    not be evaluated.
    """
    job = sfn.CustomState(
        scope,
        step.state,
        state_json={
            "Type": "Task",
            "Resource": f"arn:{Stack.of(scope).partition}:states:::sagemaker:createTrainingJob.sync",
            "Parameters": platform.payload(step),
            "TimeoutSecondsPath": f"$.jobs.{step.plan}.timeout_seconds",
            "ResultSelector": {
                "TrainingJobName.$": "$.TrainingJobName",
                "TrainingJobStatus.$": "$.TrainingJobStatus",
                "SecondaryStatus.$": "$.SecondaryStatus",
            },
            "ResultPath": "$.finished",
        },
    )
    job.add_retry(
        errors=SAGEMAKER_TRANSIENT_ERRORS,
        interval=Duration.seconds(10),
        max_attempts=4,
        backoff_rate=2,
        jitter_strategy=sfn.JitterType.FULL,
    )
    job.add_retry(
        errors=SAGEMAKER_CAPACITY_ERRORS,
        interval=Duration.minutes(2),
        max_attempts=6,
        backoff_rate=2,
        max_delay=Duration.minutes(15),
    )
    job.add_catch(on_failure, result_path=FAILURE_PATH)
    stopped = sfn.Pass(
        scope,
        f"{step.state}Stopped",
        parameters={
            "Error": "TrainingJobStopped",
            "Cause.$": "States.Format('{}: {} ({}); max_runtime_minutes in the input gives a job more time', "
            "$.finished.TrainingJobName, $.finished.TrainingJobStatus, $.finished.SecondaryStatus)",
        },
        result_path=FAILURE_PATH,
    ).next(on_failure)
    completed = sfn.Condition.string_equals("$.finished.TrainingJobStatus", "Completed")
    outcome = sfn.Choice(scope, f"{step.state}Outcome").when(sfn.Condition.not_(completed), stopped)
    return job.next(outcome.afterwards(include_otherwise=True))
