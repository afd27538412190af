"""Several GPUs get a process each; one GPU, none, or a process already started get nothing."""

from __future__ import annotations

import os
import sys

import pytest
import torch

from training.processes import use_every_gpu

CASES = [
    (0, {}, False, "no GPU"),
    (1, {}, False, "one GPU"),
    (8, {}, True, "eight GPUs"),
    (8, {"LOCAL_RANK": "3"}, False, "one of the eight processes"),
]


@pytest.mark.parametrize(("gpus", "environ", "relaunches", "why"), CASES, ids=[row[3] for row in CASES])
def test_torchrun_takes_over_once(
    gpus: int, environ: dict[str, str], relaunches: bool, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[list[str]] = []
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    monkeypatch.setattr(os, "execv", lambda program, command: started.append(command))
    use_every_gpu("training.sft", ["recipe.yaml", "--seed", "1"])
    assert len(started) == int(relaunches)
    if relaunches:
        launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "8"]
        assert started[0] == [sys.executable, *launcher, "-m", "training.sft", "recipe.yaml", "--seed", "1"]
