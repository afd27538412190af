"""Replay inputs and print which lines of the parser they run: `python -m fuzz.lines_covered FOLDER...`."""

from __future__ import annotations

import sys
import types
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import coverage

GRADER = Path(__file__).resolve().parent.parent / "evaluation" / "toolcalls"


def replay(folders: Iterable[str]) -> int:
    """Run every file of the folders once, without the fuzzer's own instruments; return their number."""
    # The fuzzer's engine would trace beside the coverage that is measured here.
    engine = types.ModuleType("atheris")
    vars(engine)["instrument_imports"] = _nothing
    sys.modules["atheris"] = engine
    from fuzz.fuzz_parse import test_one  # noqa: PLC0415 - its imports are measured too

    inputs = [path.read_bytes() for folder in folders for path in sorted(Path(folder).iterdir())]
    for data in inputs:
        test_one(data)
    return len(inputs)


def _nothing(include: list[str]) -> AbstractContextManager[None]:
    return nullcontext()


def main() -> int:
    """Print the share of lines, a file a line, and the lines that no input runs."""
    measured = coverage.Coverage(
        include=[f"{GRADER}/formats/*", f"{GRADER}/lenient/*", f"{GRADER}/parse.py"], data_file=None
    )
    measured.start()
    number = replay(sys.argv[1:])
    measured.stop()
    print(f"{number} inputs replayed")
    measured.report(show_missing=True, skip_empty=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
