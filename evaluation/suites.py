"""The suites that a variant is judged by, and what each is called and measured with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from evaluation.figures import FIGURES
from jobs.doors import BadInput

Kind = Literal["multiple_choice", "generation"]


@dataclass(frozen=True)
class Suite:
    """How a suite is predicted and measured.

    `metrics`: what tables and pictures show, and the part of the score that each counts, None for full
    correctness. `main_metric`: the one by which variants are held against each other. `figures`: every figure
    that the suite is given, those of `metrics` among them.
    """

    kind: Kind
    metrics: Mapping[str, str | None]
    main_metric: str
    figures: tuple[str, ...]


_OF_LIKELIHOODS = ("acc", "acc_norm")
# Multiple choice can neither be malformed nor written wrong: only its decision counts.
_OF_DECISIONS = (
    "macro_f1",
    "macro_f1_all",
    "tool_hallucination_rate",
    "irrelevance_accuracy",
    "over_call_rate",
    "under_call_rate",
)
MULTIPLE_CHOICE = Suite(
    "multiple_choice",
    {"acc": "acc", "acc_norm": "acc_norm"},
    "acc_norm",
    (*_OF_LIKELIHOODS, *_OF_DECISIONS),
)
GENERATED_CALLS = Suite(
    "generation",
    {"accuracy": None, "decision_accuracy": "decision"},
    "accuracy",
    tuple(name for name in FIGURES if name not in _OF_LIKELIHOODS),
)

# In the order in which they are predicted and reported.
SUITES: Mapping[str, Suite] = {"when2call_mcq": MULTIPLE_CHOICE, "own": GENERATED_CALLS}


def suite_files(data_dir: Path) -> list[Path]:
    """The suites of a prepared data directory, in their order. Raises BadInput for none or an unknown one."""
    folder = data_dir / "suites"
    found = {path.stem: path for path in sorted(folder.glob("*.jsonl"))}
    unknown = [name for name in found if name not in SUITES]
    if unknown:
        raise BadInput(f"{found[unknown[0]]}: unknown suite; known are {', '.join(SUITES)}")
    if not found:
        raise BadInput(f"{folder}: holds no suite (*.jsonl); point it to what data.prepare wrote")
    return [found[name] for name in SUITES if name in found]
