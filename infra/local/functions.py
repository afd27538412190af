"""Lambda functions of the embedded AWS: warm subprocesses that run the deployed asset."""

from __future__ import annotations

import io
import json
import os
import select
import subprocess
import sys
import threading
import uuid
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HOST = Path(__file__).with_name("function_host.py")
_PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR")


@dataclass(frozen=True)
class Answer:
    """What an invocation returned: JSON text, and whether it is Lambda's error document."""

    payload: str
    failed: bool


def _error(error_type: str, message: str) -> Answer:
    return Answer(json.dumps({"errorMessage": message, "errorType": error_type}), failed=True)


class WarmFunctions:
    """Processes of all functions; an idle one is reused, a busy one gets a sibling."""

    def __init__(self, folder: Path, endpoint_url: str) -> None:
        self._folder = folder
        self._endpoint_url = endpoint_url
        self._lock = threading.Lock()
        self._idle: dict[str, list[subprocess.Popen[str]]] = {}
        self._all: list[subprocess.Popen[str]] = []

    def invoke(self, function: Any, event: Any) -> Answer:
        """Run moto's `function` (a LambdaFunction) on the decoded `event` within its own timeout."""
        host = self._take(function)
        if host.stdin is None or host.stdout is None:
            raise RuntimeError("a function host without pipes")
        request = {
            "event": event,
            "request_id": str(uuid.uuid4()),
            "arn": function.function_arn,
        }
        try:
            host.stdin.write(json.dumps(request) + "\n")
            host.stdin.flush()
        except BrokenPipeError:
            return self._crashed(host)
        ready, _, _ = select.select([host.stdout], [], [], float(function.timeout))
        if not ready:
            host.kill()
            host.wait()
            return _error("Sandbox.Timedout", f"Task timed out after {float(function.timeout):.2f} seconds")
        line = host.stdout.readline()
        if not line:
            return self._crashed(host)
        with self._lock:
            self._idle.setdefault(function.function_arn, []).append(host)
        document = json.loads(line)
        return Answer(document.get("result") or document["error"], failed="error" in document)

    def close(self) -> None:
        """End every process."""
        with self._lock:
            for host in self._all:
                host.kill()
                host.wait()

    def _crashed(self, host: subprocess.Popen[str]) -> Answer:
        return _error("Runtime.ExitError", f"Error: Runtime exited with error: exit status {host.wait()}")

    def _take(self, function: Any) -> subprocess.Popen[str]:
        with self._lock:
            idle = self._idle.get(function.function_arn, [])
            if idle:
                return idle.pop()
            host = self._start(function)
            self._all.append(host)
            return host

    def _start(self, function: Any) -> subprocess.Popen[str]:
        task = self._folder / f"{function.function_name}-{function.code_sha_256[:12].replace('/', '_')}"
        if not task.is_dir():
            with zipfile.ZipFile(io.BytesIO(function.code_bytes)) as archive:
                archive.extractall(task)
        environment = {
            **{name: os.environ[name] for name in _PASSED_ON if name in os.environ},
            "AWS_LAMBDA_FUNCTION_NAME": function.function_name,
            "AWS_LAMBDA_FUNCTION_TIMEOUT": str(function.timeout),
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_size),
            "AWS_REGION": function.region,
            "AWS_DEFAULT_REGION": function.region,
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",
            "AWS_ENDPOINT_URL": self._endpoint_url,
            **(function.environment_vars or {}),
        }
        with (self._folder / f"{function.function_name}.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, str(HOST), function.handler],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                cwd=task,
                env=environment,
                start_new_session=True,
            )
