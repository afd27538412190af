"""One training container as a process: its /opt/ml, its environment, its start and its end."""

from __future__ import annotations

import functools
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import psutil

HERE = Path(__file__).parent
# pid 1 of the namespace dies with `unshare`, and with it everything the job started, daemons included.
_NAMESPACES = ("unshare", "--user", "--map-root-user", "--mount", "--pid", "--fork", "--kill-child")
_PASSED_ON = (
    "PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "SSL_CERT_FILE",
    "REQUESTS_CA_BUNDLE", "HF_TOKEN", "HF_ENDPOINT",
)  # fmt: skip


@functools.cache
def namespace_command() -> tuple[str, ...]:
    """The `unshare` command with which a job gets a real /opt/ml, or () where the system allows none."""
    if sys.platform != "linux" or shutil.which("unshare") is None:
        return ()
    for command in ((*_NAMESPACES, "--mount-proc"), _NAMESPACES):
        with tempfile.TemporaryDirectory() as probe:
            started = subprocess.run(
                [*command, "sh", str(HERE / "container.sh"), probe, "true"], capture_output=True, check=False
            )
        if started.returncode == 0:
            return command
    return ()


@dataclass(frozen=True)
class ContainerSpec:
    """What CreateTrainingJob says of the container, ready to run.

    `ml` is the directory that becomes /opt/ml: `input/data/<channel>/` is filled by the caller.
    """

    name: str
    ml: Path
    command: tuple[str, ...]
    environment: dict[str, str]
    hyperparameters: dict[str, str]
    channels: tuple[dict[str, Any], ...]
    instance_type: str
    threads: int
    endpoint_url: str
    region: str


def _visible_ml(spec: ContainerSpec) -> str:
    return "/opt/ml" if namespace_command() else str(spec.ml)


def _container_environment(spec: ContainerSpec) -> dict[str, str]:
    ml = _visible_ml(spec)
    passed_on = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    paths = os.pathsep.join((str(Path(sys.executable).parent), passed_on.get("PATH", os.defpath)))
    # As torchrun and the SageMaker toolkit would set them on one host of one process.
    platform = {
        "SM_MODEL_DIR": f"{ml}/model",
        "SM_OUTPUT_DIR": f"{ml}/output",
        "SM_OUTPUT_DATA_DIR": f"{ml}/output/data",
        "SM_CHECKPOINT_DIR": f"{ml}/checkpoints",
        "SM_CODE_DIR": f"{ml}/code",
        "SM_CHANNELS": json.dumps([channel["ChannelName"] for channel in spec.channels]),
        "SM_HPS": json.dumps(spec.hyperparameters),
        "SM_CURRENT_HOST": "algo-1",
        "SM_HOSTS": '["algo-1"]',
        "SM_NUM_CPUS": str(spec.threads),
        "SM_NUM_GPUS": "0",
        "TRAINING_JOB_NAME": spec.name,
        "AWS_REGION": spec.region,
        "AWS_DEFAULT_REGION": spec.region,
        "AWS_ENDPOINT_URL": spec.endpoint_url,
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "OMP_NUM_THREADS": str(spec.threads),
        "MKL_NUM_THREADS": str(spec.threads),
        "TOKENIZERS_PARALLELISM": "false",
        "PYTHONUNBUFFERED": "1",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_ROOT_USER_ACTION": "ignore",
    }
    channels = {
        f"SM_CHANNEL_{channel['ChannelName'].upper()}": f"{ml}/input/data/{channel['ChannelName']}"
        for channel in spec.channels
    }
    return {**passed_on, "PATH": paths, **platform, **channels, **spec.environment}


def write_input_config(spec: ContainerSpec) -> None:
    """Write /opt/ml/input/config/*.json and the empty folders that SageMaker mounts.

    Source: https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-training-algo-running-container.html
    """
    for folder in ("input/config", "input/data", "model", "checkpoints", "output/data", "code"):
        (spec.ml / folder).mkdir(parents=True, exist_ok=True)
    inputs = {
        channel["ChannelName"]: {
            "ContentType": channel.get("ContentType"),
            "TrainingInputMode": "File",
            "S3DistributionType": "FullyReplicated",
            "RecordWrapperType": "None",
        }
        for channel in spec.channels
    }
    documents = {
        "hyperparameters": spec.hyperparameters,
        "inputdataconfig": inputs,
        "resourceconfig": {
            "current_host": "algo-1",
            "hosts": ["algo-1"],
            "current_instance_type": spec.instance_type,
            "network_interface_name": "lo",
        },
    }
    for name, document in documents.items():
        (spec.ml / "input/config" / f"{name}.json").write_text(json.dumps(document))


def start_container(spec: ContainerSpec, log: IO[bytes]) -> subprocess.Popen[bytes]:
    """Start the rendered entrypoint with its arguments; stdout and stderr go to `log`."""
    inside = (
        (*namespace_command(), "sh", str(HERE / "container.sh"), str(spec.ml)) if namespace_command() else ()
    )
    return subprocess.Popen(
        [sys.executable, "-S", "-E", str(HERE / "lifeline.py"), *inside, *spec.command],
        stdin=subprocess.PIPE,
        stdout=log,
        stderr=subprocess.STDOUT,
        env=_container_environment(spec),
        cwd=spec.ml,
    )


def stop_container(process: subprocess.Popen[bytes], grace_seconds: float) -> None:
    """End the whole process tree: SIGTERM first, SIGKILL after `grace_seconds`, as SageMaker does."""
    try:
        tree = psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        tree = []
    if grace_seconds > 0:
        _signal_all(_workers(tree), signal.SIGTERM)
        psutil.wait_procs(_workers(tree), timeout=grace_seconds)
    _signal_all(tree, signal.SIGKILL)
    if process.poll() is None:
        process.kill()
    process.wait()


def _workers(tree: list[psutil.Process]) -> list[psutil.Process]:
    """The job's own processes: `unshare` must live until they had their time to end."""
    return tree[1:] if namespace_command() else tree


def _signal_all(processes: list[psutil.Process], number: int) -> None:
    for process in processes:
        if process.is_running():
            try:
                process.send_signal(number)
            except psutil.NoSuchProcess:
                continue
