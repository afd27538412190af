"""The MLflow server of local runs: one sqlite store and one artifact folder for all of them."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_LIFELINE = Path(__file__).with_name("lifeline.py")
_START_SECONDS = 120.0


class TrackingServerFailed(Exception):
    """The MLflow server did not come up; the message names its log."""


def free_port() -> int:
    """A loopback port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def server_command(store: Path, port: int) -> list[str]:
    """The `mlflow server` command over `store`/mlflow.db and `store`/artifacts."""
    return [
        *(sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)),
        *("--backend-store-uri", f"sqlite:///{store.resolve() / 'mlflow.db'}"),
        *("--artifacts-destination", str(store.resolve() / "artifacts"), "--workers", "1"),
    ]


def server_environment() -> dict[str, str]:
    """Nothing is sent home, and no background workers are started."""
    return {
        **os.environ,
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "PATH": os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath))),
    }


class TrackingServer:
    """A starting or running MLflow server."""

    def __init__(self, store: Path) -> None:
        store.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._log_path = store / "server.log"
        with self._log_path.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-S", "-E", str(_LIFELINE), *server_command(store, self.port)],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=server_environment(),
            )

    def wait_until_ready(self) -> None:
        """Return when the server answers; raises TrackingServerFailed."""
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                with urllib.request.urlopen(f"{self.url}/health", timeout=2):  # noqa: S310  (our own loopback URL)
                    return
            except (urllib.error.URLError, OSError):
                time.sleep(0.2)
        raise TrackingServerFailed(f"The MLflow server did not start; see {self._log_path}")

    def close(self) -> None:
        """Close the lifeline: the server's whole process group ends."""
        if self._process.stdin:
            self._process.stdin.close()
        self._process.wait()


@contextmanager
def tracking_server(store: Path) -> Iterator[TrackingServer]:
    """Start a server (call `wait_until_ready` before use) and stop it on leaving."""
    server = TrackingServer(store)
    try:
        yield server
    finally:
        server.close()
