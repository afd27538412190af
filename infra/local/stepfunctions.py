"""Step Functions in moto: SageMaker's `createTrainingJob.sync`, and faults of the interpreter mended.

Error names and the `.sync` behaviour follow
https://docs.aws.amazon.com/step-functions/latest/dg/connect-sagemaker.html
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import botocore.session
from botocore.exceptions import ClientError
from moto.stepfunctions.parser.api import HistoryEventType, TaskFailedEventDetails
from moto.stepfunctions.parser.asl.component.common.error_name import custom_error_name
from moto.stepfunctions.parser.asl.component.common.error_name.custom_error_name import CustomErrorName
from moto.stepfunctions.parser.asl.component.common.error_name.error_name import ErrorName
from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import (
    FailureEvent,
    FailureEventException,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task import state_task_factory
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import (
    state_task_service_callback,
    state_task_service_factory,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.resource import ResourceCondition
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service_callback import (
    StateTaskServiceCallback,
)
from moto.stepfunctions.parser.asl.eval.event.event_detail import EventDetails
from moto.stepfunctions.parser.asl.utils.boto_client import boto_client_for
from moto.stepfunctions.parser.asl.utils.encoding import to_json_str

from infra.local.training_jobs import FINISHED, TrainingJobs

# Errors that keep their own name; everything else is the service's general exception.
_NAMED_ERRORS = {"ResourceLimitExceeded", "ResourceInUse", "ResourceNotFound", "Conflict"}
_SHAPES: Any = botocore.session.get_session().get_service_model("sagemaker")


class TrainingJobService(StateTaskServiceCallback):
    """`arn:aws:states:::sagemaker:createTrainingJob[.sync]`."""

    def __init__(self, jobs: TrainingJobs) -> None:
        self._jobs = jobs
        # The token pattern stays supported because moto's .sync path closes the token's endpoint at its end.
        super().__init__(
            supported_integration_patterns={ResourceCondition.Sync, ResourceCondition.WaitForTaskToken}
        )

    def _get_supported_parameters(self) -> set[str] | None:
        if self.resource.api_action != "createTrainingJob":
            return None
        return set(_SHAPES.operation_model("CreateTrainingJob").input_shape.members)

    def _failure(self, env: Any, error: str, cause: str) -> FailureEvent:
        return FailureEvent(
            env=env,
            error_name=CustomErrorName(error),
            event_type=HistoryEventType.TaskFailed,
            event_details=EventDetails(
                taskFailedEventDetails=TaskFailedEventDetails(
                    error=error,
                    cause=cause,
                    resource=self._get_sfn_resource(),
                    resourceType=self._get_sfn_resource_type(),
                )
            ),
        )

    def _from_error(self, env: Any, ex: Exception) -> FailureEvent:
        if isinstance(ex, ClientError):
            code = ex.response["Error"]["Code"]
            name = f"{code}Exception" if code in _NAMED_ERRORS else "AmazonSageMakerException"
            return self._failure(env, f"SageMaker.{name}", ex.response["Error"]["Message"])
        return super()._from_error(env=env, ex=ex)

    def _eval_service_task(
        self,
        env: Any,
        resource_runtime_part: Any,
        normalised_parameters: dict[str, Any],
        state_credentials: Any,
    ) -> None:
        client = boto_client_for(resource_runtime_part.region, "sagemaker", state_credentials)
        answer = client.create_training_job(**normalised_parameters)
        answer.pop("ResponseMetadata", None)
        env.stack.append(answer)

    def _build_sync_resolver(
        self,
        env: Any,
        resource_runtime_part: Any,
        normalised_parameters: dict[str, Any],
        state_credentials: Any,
    ) -> JobResolver:
        env.stack.pop()
        client = boto_client_for(resource_runtime_part.region, "sagemaker", state_credentials)

        def fail(cause: str) -> FailureEvent:
            return self._failure(env, "States.TaskFailed", cause)

        return JobResolver(client, normalised_parameters["TrainingJobName"], fail, self._jobs)

    def _eval_sync(self, env: Any, sync_resolver: JobResolver, **endpoints: Any) -> Any:
        """Wait for the job; where the state is left before the job's end, stop the job, as AWS does."""
        outcome = super()._eval_sync(env=env, sync_resolver=sync_resolver, **endpoints)
        if outcome is None:
            sync_resolver.stop()
        return outcome


@dataclass(frozen=True)
class JobResolver:
    """Answers None while the job runs, then its description; a job that did not complete is a failure."""

    client: Any
    name: str
    fail: Callable[[str], FailureEvent]
    jobs: TrainingJobs

    def __call__(self) -> Any:
        # Asked several times a second a job: the API is called once, when there is something to tell.
        if self.jobs.jobs[self.name].status not in FINISHED:
            return None
        job = self.client.describe_training_job(TrainingJobName=self.name)
        job.pop("ResponseMetadata", None)
        document = _plain_json(job)
        if job["TrainingJobStatus"] == "Completed":
            return document
        raise FailureEventException(self.fail(to_json_str(document)))

    def stop(self) -> None:
        """End the job on the caller's behalf."""
        self.client.stop_training_job(TrainingJobName=self.name)


def _plain_json(value: Any) -> Any:
    """Times as epoch milliseconds, as `.sync` returns them."""
    if isinstance(value, dict):
        return {key: _plain_json(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain_json(item) for item in value]
    if hasattr(value, "timestamp"):
        return int(value.timestamp() * 1000)
    return value


def _any_error_name(self: CustomErrorName, error_name: str | None) -> None:
    """A Fail state may pass on `States.TaskFailed`; moto refuses the prefix and dies with States.Runtime."""
    ErrorName.__init__(self, error_name=error_name)


def install(jobs: TrainingJobs) -> None:
    """Patch moto's interpreter; training jobs are those of `jobs`."""
    original = state_task_service_factory.state_task_service_for

    def state_task_service_for(service_name: str) -> Any:
        return TrainingJobService(jobs) if service_name == "sagemaker" else original(service_name)

    state_task_factory.state_task_service_for = state_task_service_for
    custom_error_name.CustomErrorName.__init__ = _any_error_name
    state_task_service_callback._DELAY_SECONDS_SYNC_CONDITION_CHECK = 0.2
