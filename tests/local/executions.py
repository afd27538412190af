"""Wait for an execution of the embedded AWS, as a user would: by asking."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any

from infra.local.engine import Engine


@dataclass(frozen=True)
class Run:
    """One finished execution."""

    name: str
    status: str
    output: Any
    error: str | None
    cause: str | None


def wait_for(engine: Engine, arn: str, seconds: float = 60) -> Run:
    """The execution's end; an AssertionError where it takes longer than `seconds`."""
    deadline = time.monotonic() + seconds
    client = engine.client("stepfunctions")
    while time.monotonic() < deadline:
        found = client.describe_execution(executionArn=arn)
        if found["status"] != "RUNNING":
            output = json.loads(found["output"]) if "output" in found else None
            return Run(arn.rsplit(":", 1)[1], found["status"], output, found.get("error"), found.get("cause"))
        time.sleep(0.1)
    raise AssertionError(f"{arn} still runs after {seconds} s")
