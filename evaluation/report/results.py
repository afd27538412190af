"""All that the report is made from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from evaluation.comparison import Comparison
from evaluation.completions import Completions

# Points (step, value) by metric (`loss`, `reward`, …) and trained variant.
Curves = Mapping[str, Mapping[str, Sequence[tuple[int, float]]]]


@dataclass(frozen=True)
class Results:
    """What a run came to.

    `plan`: what the execution planned, with `gate` and `cost`; empty outside of one. `curves`: of the
    trainings. `contaminated`: ids of test rows that a training row asks too. `data_hash`: of the prepared
    rows; `code_hash`: of the code that the jobs ran.
    """

    comparison: Comparison
    completions: Completions
    plan: Mapping[str, Any] = field(default_factory=dict)
    curves: Curves = field(default_factory=dict)
    contaminated: frozenset[str] = frozenset()
    data_hash: str | None = None
    code_hash: str | None = None
