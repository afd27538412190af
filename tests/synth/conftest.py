"""The cloud assemblies of all stages, each synthesized once a session as a user without the CDK CLI would."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from infra.assembly import read_state_machines

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Synthesis:
    """What came of `python app.py`."""

    assembly: Path
    returncode: int
    output: str


Synthesize = Callable[..., Synthesis]


@pytest.fixture(scope="session")
def synthesize(tmp_path_factory: pytest.TempPathFactory) -> Synthesize:
    """Return a function that synthesizes into a new folder, offline, with the given context and prefix."""

    def run(context: str = "{}", prefix: tuple[str, ...] = (), cwd: Path = ROOT) -> Synthesis:
        assembly = tmp_path_factory.mktemp("assembly")
        done = subprocess.run(
            [*prefix, sys.executable, str(ROOT / "app.py")],
            cwd=cwd,
            env=_environment(assembly, context),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return Synthesis(assembly, done.returncode, done.stdout + done.stderr)

    return run


def _environment(assembly: Path, context: str) -> Mapping[str, str]:
    """Return a bare environment: no AWS profile, region or key, and no PATH by which Node could be found."""
    return {
        "PATH": "/usr/bin:/bin",
        "HOME": str(assembly.parent),
        "LANG": os.environ.get("LANG", "C.UTF-8"),
        "CDK_OUTDIR": str(assembly),
        "CDK_CONTEXT_JSON": context,
        "CDK_VALIDATION": "false",
    }


@pytest.fixture(scope="session")
def dev(synthesize: Synthesize) -> Synthesis:
    return _succeeded(synthesize())


@pytest.fixture(scope="session")
def prod(synthesize: Synthesize) -> Synthesis:
    return _succeeded(synthesize('{"stage": "prod"}'))


@pytest.fixture(scope="session")
def local(synthesize: Synthesize) -> Synthesis:
    return _succeeded(synthesize('{"stage": "local", "mlflow_tracking_uri": "http://127.0.0.1:5000"}'))


def _succeeded(synthesis: Synthesis) -> Synthesis:
    assert synthesis.returncode == 0, synthesis.output
    return synthesis


@pytest.fixture(scope="session")
def tune(dev: Synthesis) -> Mapping[str, Any]:
    """Return the definition of the `tune` state machine."""
    (machine,) = read_state_machines(dev.assembly)
    return machine.definition
