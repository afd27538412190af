"""Paths and variables of SageMaker's container contract."""

from __future__ import annotations

from pathlib import Path

import pytest

from jobs import container

PATHS = [
    # (function, variable, default, why)
    (lambda: container.channel("data"), "SM_CHANNEL_DATA", "/opt/ml/input/data/data", "a channel by name"),
    (
        lambda: container.channel("base-model"),
        "SM_CHANNEL_BASE_MODEL",
        "/opt/ml/input/data/base-model",
        "a dash",
    ),
    (container.model_dir, "SM_MODEL_DIR", "/opt/ml/model", "the result"),
    (container.checkpoint_dir, "SM_CHECKPOINT_DIR", "/opt/ml/checkpoints", "what survives a restart"),
    (container.output_dir, "SM_OUTPUT_DIR", "/opt/ml/output", "the failure file's folder"),
]


@pytest.mark.parametrize(("path", "variable", "default", "why"), PATHS, ids=[row[3] for row in PATHS])
def test_paths_are_sagemakers_unless_its_variable_moves_them(
    path: object, variable: str, default: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert callable(path)
    monkeypatch.delenv(variable, raising=False)
    assert path() == Path(default)
    monkeypatch.setenv(variable, "/elsewhere/x")
    assert path() == Path("/elsewhere/x")


def test_the_environment_is_empty_outside_of_an_execution() -> None:
    environment = container.read_environment({})
    assert not environment.is_tracked
    assert (environment.run_id, environment.variant, environment.rank) == ("", "", 0)


TRACKED = [
    ({"MLFLOW_TRACKING_URI": "http://x"}, True, "one process"),
    ({"MLFLOW_TRACKING_URI": "http://x", "RANK": "0"}, True, "the first of several"),
    ({"MLFLOW_TRACKING_URI": "http://x", "RANK": "3"}, False, "one run a job, not one a process"),
    ({"MLFLOW_TRACKING_URI": ""}, False, "no server"),
]


@pytest.mark.parametrize(("environ", "expected", "why"), TRACKED, ids=[row[2] for row in TRACKED])
def test_only_rank_zero_reports(environ: dict[str, str], expected: bool, why: str) -> None:
    assert container.read_environment(environ).is_tracked is expected
