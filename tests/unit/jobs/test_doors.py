"""Exit codes, the last line of a failure, and the failure file."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from jobs import doors

ROOT = Path(__file__).resolve().parents[3]


class OutOfMemoryError(RuntimeError):
    """Named as torch names it."""


@pytest.fixture(autouse=True)
def keep_the_signal_handler() -> Iterator[None]:
    handler = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, handler)


def failing(error: BaseException) -> Callable[[], None]:
    def main() -> None:
        raise error

    return main


FAILURES = [
    (doors.BadInput("row 3: no 'tools'"), 2, "ERROR BadInput: row 3: no 'tools'", "the user's to mend"),
    (doors.NotFinite("the loss is nan"), 3, "ERROR NotFinite: the loss is nan", "numbers"),
    (doors.OutOfMemory("the GPU is full"), 4, "ERROR OutOfMemory: the GPU is full", "memory, foreseen"),
    (OutOfMemoryError("CUDA out of memory"), 4, "ERROR OutOfMemory: CUDA out of memory", "memory, torch's"),
    (MemoryError(), 4, "ERROR OutOfMemory: ", "memory, Python's"),
    (
        RuntimeError("DefaultCPUAllocator: can't allocate memory"),
        4,
        "ERROR OutOfMemory: ",
        "memory, the host's",
    ),
    (KeyError("x"), 1, "ERROR KeyError: 'x'", "anything unforeseen keeps its own name"),
    (ValueError("two\n  lines"), 1, "ERROR ValueError: two lines", "a cause is one line"),
    (ValueError(), 1, "ERROR ValueError: no cause given", "never an empty cause"),
    (KeyboardInterrupt(), 1, "ERROR Stopped: ", "Ctrl-C shows no traceback"),
]


@pytest.mark.parametrize(("error", "code", "line", "why"), FAILURES, ids=[row[3] for row in FAILURES])
def test_a_failure_has_its_code_and_says_its_cause_last(
    error: BaseException,
    code: int,
    line: str,
    why: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("SM_OUTPUT_DIR", str(tmp_path / "output"))
    with pytest.raises(SystemExit) as exit_info:
        doors.run_door(failing(error))
    assert exit_info.value.code == code
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith(line)
    assert (tmp_path / "output" / "failure").read_text(encoding="utf-8") == last + "\n"


def test_success_exits_zero_and_leaves_no_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SM_OUTPUT_DIR", str(tmp_path / "output"))
    with pytest.raises(SystemExit) as exit_info:
        doors.run_door(lambda: None)
    assert exit_info.value.code == 0
    assert not (tmp_path / "output").exists()


def test_no_failure_file_outside_of_a_container(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SM_OUTPUT_DIR", str(tmp_path / "opt" / "ml" / "output"))
    with pytest.raises(SystemExit):
        doors.run_door(failing(doors.BadInput("x")))
    assert not list(tmp_path.iterdir())


def test_a_long_cause_fits_what_sagemaker_keeps() -> None:
    assert len(doors.error_line(ValueError("x" * 5000))) <= 1024


def test_sigterm_is_a_failure_with_a_cause(tmp_path: Path) -> None:
    program = (
        "import time; from jobs.doors import run_door;"
        "run_door(lambda: (print('up', flush=True), time.sleep(60)))"
    )
    environ = {**os.environ, "SM_OUTPUT_DIR": str(tmp_path / "output")}
    job = subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert job.stdout is not None
    assert job.stdout.readline() == "up\n"
    time.sleep(0.05)
    job.send_signal(signal.SIGTERM)
    _, errors = job.communicate(timeout=10)
    assert job.returncode == 1
    assert errors.splitlines()[-1].startswith("ERROR Stopped: received SIGTERM")
