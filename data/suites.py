"""Which suites a preparation writes, and which of its test rows each takes."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from data.rows import Row
from evaluation.suites import SUITES, RowRule
from jobs.doors import BadInput

DEFAULT = ("when2call_mcq", "own")
BFCL, TURNS = "bfcl_single_turn", "multi_turn"
# For the message where there are none.
TAKEN: Mapping[RowRule, str] = {
    "all": "every test row",
    "answers": "test rows with the four answers of When2Call (correct_answer and answers)",
    "bfcl": "rows of BFCL: --bfcl names a folder, a wheel or s3://bucket/prefix, or says bfcl-eval",
    "conversations": "test rows that are conversations with two or more assistant turns that can be graded",
}


def read_suites(text: str) -> list[str]:
    """Read a comma list of suites. Raises BadInput for one that is not known, or none."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise BadInput(f"--suites {text!r}: the list is empty; known are {_known()}")
    unknown = [name for name in names if name not in SUITES]
    if unknown:
        raise BadInput(f"--suites {text}: {unknown[0]!r} is no suite; known are {_known()}")
    return names


def in_order(names: Sequence[str]) -> tuple[str, ...]:
    """The suites, each once, in the order in which they are predicted and reported."""
    return tuple(name for name in SUITES if name in names)


def file_of(suite: str) -> str:
    """The file of a suite, below the folder that a preparation writes."""
    return f"suites/{suite}.jsonl"


def row_for(suite: str, row: Row) -> Row:
    """A test row as the suite's file holds it.

    The four answers stay where they are chosen from, and where a judge of free answers is held against them.
    """
    return row if SUITES[suite].rows == "answers" else replace(row, answers=None)


def absent(suite: str) -> BadInput:
    """What to say where a suite that was asked for gets no row."""
    return BadInput(
        f"--suites: no row for {suite}, which takes {TAKEN[SUITES[suite].rows]}; add some, or leave it out"
    )


def _known() -> str:
    return ", ".join(SUITES)
