"""Upload what a run reads into the deployed bucket: `python -m infra.staging --stage dev …` (`make stage`).

Base models go under `models/<name>/`, data sets under `datasets/<name>/`; an execution input then names them
by `<name>` alone. `--wheels` uploads what the jobs install, for accounts whose jobs reach no package registry
(setting `use_wheels_channel`).
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from infra.images import PYTHON_VERSION
from infra.settings import SettingsError, read_settings

REQUIREMENTS = Path("training/requirements.txt")
# BFCL's rows, which PrepareData takes out of the wheel; what the wheel asks for is not needed.
ROWS_OF_BFCL = Path("requirements-bfcl.txt")
# The container brings torch in the build that fits its drivers, and all of CUDA with it.
_BROUGHT_BY_THE_CONTAINER = ("torch", "triton", "nvidia-cu", "nvidia-nccl", "nvidia-nv", "cuda-")
# AWS's containers are Ubuntu 22.04 or Amazon Linux 2023, whose glibc is 2.34 or newer; pip wants every older
# one named that a wheel may be made for.
PLATFORMS = (*(f"manylinux_2_{minor}_x86_64" for minor in range(34, 16, -1)), "manylinux2014_x86_64")


class StagingFailed(Exception):
    """Nothing could be uploaded; the message says why and what to do."""


def stage_region(stage: str) -> str:
    """The region that cdk.json deploys the stage to; raises StagingFailed for a stage that is not there."""
    context = json.loads(Path("cdk.json").read_text())["context"]
    try:
        return read_settings({**context, "stage": stage}).region
    except SettingsError as error:
        raise StagingFailed(str(error)) from error


def bucket_name(stage: str, cloudformation: Any) -> str:
    """The bucket of a deployed stage; raises StagingFailed where there is none."""
    stack = f"Toolwright-{stage}-Foundation"
    try:
        outputs = cloudformation.describe_stacks(StackName=stack)["Stacks"][0].get("Outputs", [])
    except (ClientError, BotoCoreError) as error:
        raise StagingFailed(f"stack {stack}: {error}. Deploy it first: make deploy") from error
    names: dict[str, str] = {output["OutputKey"]: output["OutputValue"] for output in outputs}
    if "BucketName" not in names:
        raise StagingFailed(f"stack {stack} has no output BucketName: its deployment did not finish")
    return names["BucketName"]


def upload(source: Path, bucket: str, prefix: str, s3: Any) -> int:
    """Upload every file below `source` under `prefix`; returns the count. Raises StagingFailed if none."""
    files = sorted(path for path in source.rglob("*") if path.is_file())
    if not files:
        raise StagingFailed(f"{source}: no such directory, or nothing in it")
    for path in files:
        s3.upload_file(str(path), bucket, f"{prefix}/{path.relative_to(source).as_posix()}")
    return len(files)


def resolved_requirements() -> list[str]:
    """`name==version` of all that the jobs install in the AWS container, torch and CUDA left out."""
    platforms = [word for platform in PLATFORMS for word in ("--platform", platform)]
    with tempfile.TemporaryDirectory() as target:
        command = [
            *(sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--quiet"),
            *("--report", "-", "--only-binary=:all:", "--python-version", PYTHON_VERSION, *platforms),
            *("--target", target, "-r", str(REQUIREMENTS)),
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise StagingFailed(
            f"{REQUIREMENTS} has no solution for Python {PYTHON_VERSION}: {done.stderr[-600:]}"
        )
    pins = {
        item["metadata"]["name"].lower(): item["metadata"]["version"]
        for item in json.loads(done.stdout)["install"]
    }
    return [f"{name}=={pins[name]}" for name in sorted(pins) if not brought_by_the_container(name)]


def brought_by_the_container(name: str) -> bool:
    """Whether a distribution is torch or part of CUDA.

    >>> brought_by_the_container("nvidia-cublas"), brought_by_the_container("nvidia-ml-py")
    (True, False)
    """
    return name.startswith(_BROUGHT_BY_THE_CONTAINER)


def download_wheels(target: Path) -> None:
    """Fetch the wheels of `resolved_requirements`, and BFCL's, for the container's Python and platform."""
    platforms = [word for platform in PLATFORMS for word in ("--platform", platform)]
    command = [
        *(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"),
        *("--python-version", PYTHON_VERSION, *platforms, "--dest", str(target), *resolved_requirements()),
        *("-r", str(ROWS_OF_BFCL)),
    ]
    if subprocess.run(command, check=False).returncode != 0:
        raise StagingFailed("the wheels could not be downloaded; pip said why above")


def parse_arguments() -> argparse.Namespace:
    """The command line; `make stage` fills it from its variables."""
    parser = argparse.ArgumentParser(prog="python -m infra.staging", description=__doc__)
    parser.add_argument("--stage", default="dev", help="dev or prod")
    parser.add_argument("--model", type=Path, help="folder of a Hugging Face model")
    parser.add_argument("--dataset", type=Path, help="folder of a data set")
    parser.add_argument("--wheels", action="store_true", help="also upload what the jobs install")
    return parser.parse_args()


def main() -> None:
    """Upload what was asked for and say where it lies."""
    arguments = parse_arguments()
    try:
        region = stage_region(arguments.stage)
        bucket = bucket_name(arguments.stage, boto3.client("cloudformation", region_name=region))
        s3 = boto3.client("s3", region_name=region)
        for kind, source in (("models", arguments.model), ("datasets", arguments.dataset)):
            if source is not None:
                prefix = f"{kind}/{source.resolve().name}"
                print(f"{upload(source, bucket, prefix, s3)} files → s3://{bucket}/{prefix}/")
        if arguments.wheels:
            with tempfile.TemporaryDirectory() as folder:
                download_wheels(Path(folder))
                print(f"{upload(Path(folder), bucket, 'wheels', s3)} wheels → s3://{bucket}/wheels/")
    except StagingFailed as error:
        print(f"ERROR StagingFailed: {error}", file=sys.stderr)
        raise SystemExit(2) from error


if __name__ == "__main__":
    main()
