"""Doors: the exit codes and the last line that a person and the platform read when a job fails.

Exit codes: 0 fine, 1 anything unforeseen, 2 bad input, 3 numbers not finite, 4 out of memory.
"""

from __future__ import annotations

import argparse
import signal
import sys
import traceback
from collections.abc import Callable
from types import FrameType
from typing import ClassVar, NoReturn

from jobs.container import failure_file

# SageMaker keeps the first 1,024 characters of the failure file.
MAX_CAUSE_CHARACTERS = 960


class DoorError(Exception):
    """A failure with a name and an exit code of its own; its text says what, where and how to mend it."""

    exit_code: ClassVar[int] = 1

    @property
    def name(self) -> str:
        """The name that follows ``ERROR`` on the last line."""
        return type(self).__name__


class BadInput(DoorError):
    """What the user gave cannot be used: a row, a recipe, a path, an argument."""

    exit_code = 2


class NotFinite(DoorError):
    """A loss or a score became NaN or infinite."""

    exit_code = 3


class OutOfMemory(DoorError):
    """The host or the accelerator has no memory left."""

    exit_code = 4


class Stopped(DoorError):
    """The job was asked to end: a time limit, a spot interruption, or a stop by the user."""


class DoorParser(argparse.ArgumentParser):
    """A parser whose complaints end the job as any bad input does."""

    def error(self, message: str) -> NoReturn:
        raise BadInput(f"{message}; {' '.join(self.format_usage().split())}")


def run_door(main: Callable[[], None]) -> NoReturn:
    """Run `main` and exit with the code of what happened.

    A failure ends stderr with ``ERROR <Name>: <cause>``, and the same line goes to the container's failure
    file when there is a container. Unforeseen errors show their traceback first.
    """
    signal.signal(signal.SIGTERM, _raise_stopped)
    try:
        main()
    except DoorError as error:
        sys.exit(_report(error))
    except KeyboardInterrupt:
        sys.exit(_report(Stopped("interrupted from the keyboard")))
    except Exception as error:
        traceback.print_exc()
        sys.exit(_report(_as_out_of_memory(error) or error))
    sys.exit(0)


def error_line(error: BaseException) -> str:
    """One line that names the error and its cause.

    >>> error_line(BadInput("row 3: 'tools' is absent"))
    "ERROR BadInput: row 3: 'tools' is absent"
    """
    cause = " ".join(str(error).split()) or "no cause given"
    return f"ERROR {type(error).__name__}: {cause[:MAX_CAUSE_CHARACTERS]}"


def _report(error: BaseException) -> int:
    line = error_line(error)
    path = failure_file()
    if path.parent.parent.is_dir():
        try:
            path.parent.mkdir(exist_ok=True)
            path.write_text(line + "\n", encoding="utf-8")
        except OSError as refused:
            print(f"cannot write {path}: {refused}", file=sys.stderr)
    sys.stdout.flush()
    print(line, file=sys.stderr, flush=True)
    return error.exit_code if isinstance(error, DoorError) else 1


def _as_out_of_memory(error: Exception) -> OutOfMemory | None:
    # By name, so that a door that needs no torch does not import it (1.7 s).
    full = isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"
    if full or "can't allocate memory" in str(error):
        return OutOfMemory(
            f"{error} — use a smaller per_device_train_batch_size or max_length, or more memory"
        )
    return None


def _raise_stopped(signum: int, frame: FrameType | None) -> None:
    raise Stopped("received SIGTERM: a time limit, a spot interruption or StopTrainingJob")
