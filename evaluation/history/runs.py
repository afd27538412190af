"""What is known of an execution without fetching its files, and where the files come from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from evaluation.comparison import sort_variants
from evaluation.toolcalls.score import Score

Row = Mapping[str, Any]
Scores = Mapping[str, Score]


@dataclass(frozen=True)
class Run:
    """One execution.

    `key`: by which its store finds it; `revision`: of the base model's weights; `trained_on`: a digest of its
    training rows; `code`: of the code that ran; `promoted`: the variant that its gate let through;
    `cost_usd`: of the whole run; `variant_usd`: of the jobs that a variant needs, without those that all
    share; `test_sets`: a digest by suite; `values`: figures by (suite, metric, variant); `fault`: why it
    cannot be compared, empty where it can. Texts that nobody recorded are empty.
    """

    run_id: str
    key: str
    started: datetime
    base_model: str = ""
    revision: str = ""
    recipe: str = ""
    seed: str = ""
    trained_on: str = ""
    code: str = ""
    promoted: str = ""
    cost_usd: float | None = None
    variant_usd: Mapping[str, float] = field(default_factory=dict)
    test_sets: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[tuple[str, str, str], float] = field(default_factory=dict)
    fault: str = ""

    def variants_of(self, suite: str, metric: str) -> list[str]:
        """The variants that have this figure, in the order in which variants are shown."""
        return sort_variants({one[2] for one in self.values if one[:2] == (suite, metric)})

    @property
    def suites(self) -> set[str]:
        """The suites that have any figure."""
        return {suite for suite, _, _ in self.values}


class Store(Protocol):
    """Where executions are kept: an MLflow server, or the folders of local runs."""

    def list_runs(self) -> Sequence[Run]:
        """Every execution, the oldest first; costs no file a run on a server."""

    def read_comparison(self, run: Run) -> Mapping[str, Any]:
        """The content of its ``comparison.json``. Raises Unreadable."""

    def read_rows(self, run: Run, suite: str) -> Sequence[Row]:
        """The suite's rows. Raises Unreadable."""

    def read_scores(self, run: Run, variant: str, suite: str) -> Scores:
        """The variant's scores by row id. Raises Unreadable."""

    def champions(self) -> Mapping[str, tuple[str, str]]:
        """Run id and variant of each registered model's champion. Raises BadInput where none can be."""

    def link(self, suite: str, digest: str) -> str | None:
        """Where a browser shows the executions on this test set, if anywhere."""


class Unreadable(Exception):
    """A file of an execution is absent or damaged; the text says which and what is wrong."""


def digest_of_row(row: Row) -> str:
    """Tell rows of one content from others, whatever order their fields have."""
    content = json.dumps(row, sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(content.encode()).hexdigest()


def fault_of(status: str, values: Mapping[tuple[str, str, str], float], damage: str = "") -> str:
    """Why an execution cannot be listed, by MLflow's status of it and its figures; empty where it can."""
    if status in ("RUNNING", "SCHEDULED"):
        return "has not ended"
    if status != "FINISHED":
        return f"ended {status}"
    return "" if values else damage or "has no figures"
