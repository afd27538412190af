"""The jobs' pins install on the container that runs them on AWS, and leave its torch alone."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from infra.staging import PLATFORMS

REQUIREMENTS = Path(__file__).resolve().parents[3] / "training" / "requirements.txt"
# The newest PyTorch training container that the sagemaker SDK knows: Python 3.13, torch 2.10.
CONTAINER_PYTHON = "3.13"
CONTAINER_TORCH = "2.10.0+container"


def pip(*arguments: str, timeout: int = 240) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)


def make_torch_wheel(folder: Path) -> None:
    """Stand in for the container's torch, whose CUDA parts come with it and not from a registry."""
    record = f"torch-{CONTAINER_TORCH}.dist-info"
    with zipfile.ZipFile(folder / f"torch-{CONTAINER_TORCH}-py3-none-any.whl", "w") as wheel:
        wheel.writestr(
            f"{record}/METADATA", f"Metadata-Version: 2.1\nName: torch\nVersion: {CONTAINER_TORCH}\n"
        )
        wheel.writestr(f"{record}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{record}/RECORD", "")


def test_torch_is_left_to_the_container() -> None:
    names = [line.split("==")[0].strip() for line in REQUIREMENTS.read_text(encoding="utf-8").splitlines()]
    assert "torch" not in names
    assert "trl" in names


@pytest.mark.network
def test_pins_resolve_for_the_containers_python(tmp_path: Path) -> None:
    if pip("index", "versions", "trl", timeout=60).returncode:
        pytest.skip("no package registry is reachable from here")
    make_torch_wheel(tmp_path)
    (tmp_path / "constraints.txt").write_text(f"torch=={CONTAINER_TORCH}\n", encoding="utf-8")
    platforms = (*PLATFORMS, "linux_x86_64")
    resolved = pip(
        "install",
        "--dry-run",
        "--ignore-installed",
        "--only-binary=:all:",
        f"--python-version={CONTAINER_PYTHON}",
        *(f"--platform={platform}" for platform in platforms),
        f"--target={tmp_path / 'target'}",
        f"--find-links={tmp_path}",
        f"--constraint={tmp_path / 'constraints.txt'}",
        f"--report={tmp_path / 'report.json'}",
        f"--requirement={REQUIREMENTS}",
    )
    assert resolved.returncode == 0, resolved.stderr[-2000:]
    report = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    versions = {item["metadata"]["name"].lower(): item["metadata"]["version"] for item in report["install"]}
    assert versions["torch"] == CONTAINER_TORCH
    assert "trl" in versions
