"""One process a GPU: TRL trains data-parallel under torchrun, and a job is started as a single process."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import torch


def use_every_gpu(module: str, argv: Sequence[str]) -> None:
    """On a machine with several GPUs, become ``torchrun`` with one process for each; else do nothing."""
    gpus = torch.cuda.device_count()
    if gpus < 2 or "LOCAL_RANK" in os.environ:
        return
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(gpus)]
    command = [sys.executable, *launcher, "-m", module, *argv]
    sys.stdout.flush()
    os.execv(sys.executable, command)  # noqa: S606 - the command is our own
