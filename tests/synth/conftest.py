"""The cloud assemblies of all stages, each synthesized once a session as a user without the CDK CLI would."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from infra.assembly import read_state_machines

ROOT = Path(__file__).resolve().parents[2]
CODE_FOLDERS = ("data", "training", "evaluation", "jobs")
LITTER = (
    ".env",
    "data/rows.jsonl",
    "data/.env",
    "training/model.safetensors",
    "training/__pycache__/sft.cpython-311.pyc",
    "evaluation/toolcalls/notes.txt",
    "jobs/credentials.json",
    "lambdas/secret.txt",
    "node_modules/x/index.py",
    "runs/r/execution.json",
    "sub/data/shadow.py",
)


@dataclass(frozen=True)
class Synthesis:
    """What came of `python app.py`."""

    assembly: Path
    returncode: int
    output: str


Synthesize = Callable[..., Synthesis]


@pytest.fixture(scope="session")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of what synthesis reads, with litter in it that must never be shipped.

    A copy, so that an edit in the working tree does not change the code between two assemblies.
    """
    copy = tmp_path_factory.mktemp("root")
    for name in ("app.py", "cdk.json"):
        shutil.copy(ROOT / name, copy)
    for name in ("infra", "lambdas", *CODE_FOLDERS):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    for litter in LITTER:
        (copy / litter).parent.mkdir(parents=True, exist_ok=True)
        (copy / litter).write_text("not to be shipped")
    return copy


@pytest.fixture(scope="session")
def synthesize(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Synthesize:
    """Return a function that synthesizes into a new folder with the given context and command prefix."""

    def run(context: str = "{}", prefix: tuple[str, ...] = (), cwd: Path = root) -> Synthesis:
        assembly = tmp_path_factory.mktemp("assembly")
        done = subprocess.run(
            [*prefix, sys.executable, str(root / "app.py")],
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
