"""`python -m infra.local history`: the store is served, the question is evaluation.history's to answer."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from infra.local import __main__ as command


class Server:
    """A tracking server that is ready at once."""

    url = "http://127.0.0.1:5999"

    def wait_until_ready(self) -> None:
        return


@contextmanager
def _served(_store: Path) -> Iterator[Server]:
    yield Server()


def _call(runs: Path, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(command, "tracking_server", _served)
    monkeypatch.setattr(sys, "argv", ["infra.local", "--runs", str(runs), "history", *arguments])
    with pytest.raises(SystemExit) as ended:
        command.main()
    code = ended.value.code
    assert isinstance(code, int)
    return code


@pytest.mark.parametrize("code", [0, 2])
def test_arguments_go_on_as_they_are_and_the_exit_code_comes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    (tmp_path / "mlflow").mkdir()
    (tmp_path / "mlflow" / "mlflow.db").touch()
    asked: list[tuple[list[str], dict[str, str]]] = []

    def run(line: list[str], *, env: dict[str, str], check: bool) -> subprocess.CompletedProcess[Any]:
        asked.append((line, env))
        assert not check
        return subprocess.CompletedProcess(line, code)

    monkeypatch.setattr(subprocess, "run", run)
    given = ("latest/sft", "r1/base", "--suite", "own", "--json")
    assert _call(tmp_path, monkeypatch, *given) == code
    ((line, environment),) = asked
    assert line == [sys.executable, "-m", "evaluation.history", "--pages", "/", *given]
    assert environment["MLFLOW_TRACKING_URI"] == Server.url


def test_without_a_run_there_is_no_history(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _call(tmp_path, monkeypatch) == 2
    assert "ERROR InvalidInput: there is no run to show yet" in capsys.readouterr().out
