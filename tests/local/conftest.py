"""One synthesized assembly and one embedded AWS for all tests that run the real pipeline."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from infra.local.__main__ import synthesize
from infra.local.deploy import Deployment
from infra.local.engine import Engine, running_engine
from infra.local.tracking_server import TrackingServer, tracking_server
from tests.local.executions import Run, wait_for


@dataclass(frozen=True)
class LocalAws:
    """The product, deployed into the embedded AWS."""

    engine: Engine
    deployment: Deployment
    tracking: TrackingServer
    folder: Path

    @property
    def bucket(self) -> str:
        return self.deployment.outputs["BucketName"]

    def start(self, name: str, given: dict[str, Any]) -> str:
        answer = self.engine.client("stepfunctions").start_execution(
            stateMachineArn=self.deployment.outputs["TuneStateMachineArn"], name=name, input=json.dumps(given)
        )
        arn: str = answer["executionArn"]
        return arn

    def wait(self, arn: str) -> Run:
        return wait_for(self.engine, arn, seconds=900)

    def run(self, name: str, given: dict[str, Any]) -> Run:
        return self.wait(self.start(name, given))


@pytest.fixture(scope="session")
def local_aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAws]:
    folder = tmp_path_factory.mktemp("local-aws")
    with tracking_server(folder / "mlflow") as tracking, running_engine(folder / "jobs") as engine:
        synthesize(folder / "cdk.out", tracking.url)
        deployment = engine.deploy(folder / "cdk.out")
        tracking.wait_until_ready()
        yield LocalAws(engine, deployment, tracking, folder)
