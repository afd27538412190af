"""The embedded AWS as one object: started on a free loopback port, stopped without leaving a process."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from moto.core.config import default_user_config
from moto.moto_api._internal.models import moto_api_backend
from moto.server import ThreadedMotoServer
from moto.stepfunctions.parser.models import stepfunctions_parser_backends

from infra.local import api, cloudformation, stepfunctions
from infra.local.deploy import Deployment, deploy
from infra.local.functions import WarmFunctions
from infra.local.objects import ACCOUNT
from infra.local.quotas import Quotas
from infra.local.training_jobs import TrainingJobs

_STOP_GRACE_SECONDS = 10.0


class Engine:
    """A running embedded AWS: boto3 clients, training jobs, what it stands in for."""

    def __init__(self, endpoint_url: str, jobs: TrainingJobs) -> None:
        self.endpoint_url = endpoint_url
        self.jobs = jobs

    def client(self, service: str, region: str = "us-east-1") -> Any:
        """A boto3 client of the embedded AWS."""
        return boto3.client(
            service,  # type: ignore[call-overload]
            region_name=region,
            endpoint_url=self.endpoint_url,
            aws_access_key_id="local",
            aws_secret_access_key="local",  # noqa: S106  (moto takes any)
            config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 0}),
        )

    def deploy(self, assembly: Path) -> Deployment:
        """Deploy a cloud assembly and return its outputs."""
        return deploy(assembly, self.client)

    def history(self, execution_arn: str, region: str) -> list[dict[str, Any]]:
        """GetExecutionHistory's events; asked twice a second, so not through HTTP."""
        backend = stepfunctions_parser_backends[ACCOUNT][region]
        events: list[dict[str, Any]] = backend.get_execution_history(execution_arn)["events"]
        return events

    @property
    def stood_in(self) -> list[str]:
        """Resource types that only keep their properties here."""
        return sorted(cloudformation.stood_in)


def default_slots() -> int:
    """Jobs at once: two on a small machine, three on a larger one."""
    return min(3, max(1, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 2))


@contextmanager
def running_engine(
    jobs_folder: Path,
    quotas: Quotas | None = None,
    *,
    slots: int | None = None,
    stop_grace_seconds: float = _STOP_GRACE_SECONDS,
) -> Iterator[Engine]:
    """Start the embedded AWS; on leaving, every process it started is gone.

    `jobs_folder` receives `<job>/{log,status.json}`. Memory starts empty: each engine is a new account.
    """
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    logging.getLogger("moto").setLevel(logging.CRITICAL)
    default_user_config["stepfunctions"] = {"execute_state_machine": True}
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    slots = slots or default_slots()
    moto_api_backend.reset()
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    port = server.get_host_and_port()[1]
    os.environ["MOTO_PORT"] = str(port)
    endpoint_url = f"http://127.0.0.1:{port}"
    scratch = Path(tempfile.mkdtemp(prefix="embedded-aws-"))
    jobs = TrainingJobs(
        jobs_folder,
        scratch,
        endpoint_url,
        slots=slots,
        threads=max(1, cores // slots),
        grace_seconds=stop_grace_seconds,
    )
    functions = WarmFunctions(scratch, endpoint_url)
    cloudformation.install()
    stepfunctions.install(jobs)
    api.install_training_jobs(jobs)
    api.install_functions(functions)
    api.install_quotas(quotas or Quotas())
    try:
        yield Engine(endpoint_url, jobs)
    finally:
        jobs.close()
        functions.close()
        server.stop()
        shutil.rmtree(scratch, ignore_errors=True)
