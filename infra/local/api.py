"""The API calls that moto answers with constants or not at all, answered by the engine's real state."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from moto.awslambda.models import LambdaFunction
from moto.core.exceptions import JsonRESTError
from moto.core.responses import ActionResult
from moto.sagemaker.responses import SageMakerResponse
from moto.servicequotas.responses import ServiceQuotasResponse

from infra.local.training_jobs import FINISHED
from infra.payloads import payload_faults

if TYPE_CHECKING:
    from infra.local.functions import WarmFunctions
    from infra.local.quotas import Quotas
    from infra.local.training_jobs import TrainingJob, TrainingJobs


class ValidationException(JsonRESTError):
    """The request does not fit the service's model."""

    def __init__(self, message: str) -> None:
        super().__init__("ValidationException", message)


class ResourceInUse(JsonRESTError):
    """A job of that name was created before."""

    def __init__(self, message: str) -> None:
        super().__init__("ResourceInUse", message)


def install_training_jobs(jobs: TrainingJobs) -> None:
    """Put SageMaker's training-job calls on `jobs`."""

    def create_training_job(self: Any) -> ActionResult:
        request = json.loads(self.body)
        faults = payload_faults("sagemaker", "CreateTrainingJob", request)
        if faults:
            listed = "; ".join(f"{fault.path}: {fault.message}" for fault in faults)
            raise ValidationException(f"{len(faults)} validation error(s) detected: {listed}")
        try:
            job = jobs.create(request, self.region)
        except KeyError as error:
            message = (
                f"Training job names must be unique within an AWS account and region, and {error} exists"
            )
            raise ResourceInUse(message) from error
        return ActionResult({"TrainingJobArn": job.arn})

    def described(self: Any) -> TrainingJob:
        name = self._get_param("TrainingJobName")
        if name not in jobs.jobs:
            raise ValidationException(f"Requested resource not found: training job {name}")
        return jobs.jobs[name]

    def describe_training_job(self: Any) -> ActionResult:
        return ActionResult(described(self).response_object)

    def stop_training_job(self: Any) -> ActionResult:
        job = described(self)
        if job.status not in FINISHED:
            jobs.stop(job.name)
        return ActionResult({})

    def list_training_jobs(self: Any) -> ActionResult:
        status = self._get_param("StatusEquals")
        part = self._get_param("NameContains") or ""
        found = [
            {
                "TrainingJobName": job.name,
                "TrainingJobArn": job.arn,
                "CreationTime": job.creation_time,
                "TrainingJobStatus": job.status,
            }
            for job in jobs.jobs.values()
            if part in job.name and status in (None, job.status)
        ]
        return ActionResult({"TrainingJobSummaries": found})

    SageMakerResponse.create_training_job = create_training_job
    SageMakerResponse.describe_training_job = describe_training_job
    SageMakerResponse.stop_training_job = stop_training_job
    SageMakerResponse.list_training_jobs = list_training_jobs


def install_functions(functions: WarmFunctions) -> None:
    """Put Lambda's Invoke on warm subprocesses."""

    def _invoke_lambda(self: LambdaFunction, event: Any = None) -> tuple[str, bool, str]:
        decoded = json.loads(event or "{}") if isinstance(event, str | bytes | None) else event
        answer = functions.invoke(self, decoded)
        return answer.payload, answer.failed, ""

    LambdaFunction._invoke_lambda = _invoke_lambda


def install_quotas(quotas: Quotas) -> None:
    """Put Service Quotas' listing and increase requests on `quotas`."""

    def list_service_quotas(self: Any) -> str:
        service = json.loads(self.body).get("ServiceCode")
        return json.dumps({"Quotas": quotas.listed() if service == "sagemaker" else []})

    def request_service_quota_increase(self: Any) -> str:
        request = json.loads(self.body)
        return json.dumps(
            {"RequestedQuota": {"Id": "local", "Status": "PENDING", "DesiredValue": request["DesiredValue"]}}
        )

    ServiceQuotasResponse.list_service_quotas = list_service_quotas
    ServiceQuotasResponse.list_aws_default_service_quotas = list_service_quotas
    ServiceQuotasResponse.request_service_quota_increase = request_service_quota_increase
