"""A suite's figures for one variant: metrics with intervals, recall by decision, confusion, reasons."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

from evaluation.figures import FIGURES, RECALLS
from evaluation.statistics import Estimate, estimate
from evaluation.suites import Suite
from evaluation.toolcalls.metrics import (
    Graded,
    Tally,
    ast_accuracy_by_category,
    confusion,
    graded_of,
    reasons,
    row_share,
)
from evaluation.toolcalls.score import Score


@dataclass(frozen=True)
class Summary:
    """The figures of one variant on one suite; `unscored` rows are counted here and nowhere else.

    `metrics`: by name, those of the suite first that tables show. `categories`: ast_accuracy by the rows'
    source, where the suite has it. `errors`: why rows are unscored, and how many.
    """

    metrics: Mapping[str, Estimate]
    recall: Mapping[str, Estimate]
    categories: Mapping[str, Estimate]
    confusion: Mapping[str, Mapping[str, int]]
    reasons: Mapping[str, int]
    rows: int
    unscored: int
    errors: Mapping[str, int]

    def with_unread(self, causes: Sequence[str]) -> Summary:
        """The same with so many more unscored rows, which could not be read for these causes."""
        errors = Counter(self.errors) + Counter(causes)
        more = len(causes)
        return replace(
            self,
            rows=self.rows + more,
            unscored=self.unscored + more,
            errors=dict(errors.most_common()),
        )

    def to_json(self) -> dict[str, Any]:
        """The figures as ``comparison.json`` carries them."""
        return {
            "metrics": {name: asdict(one) for name, one in self.metrics.items()},
            "recall": {name: asdict(one) for name, one in self.recall.items()},
            "confusion": {expected: dict(taken) for expected, taken in self.confusion.items()},
        }


def summarise(suite: Suite, rows: Sequence[Mapping[str, Any]], scores: Mapping[str, Score]) -> Summary:
    """Summarise a suite: `scores` by row id; a row without a score is unscored."""
    absent = Score(None, error="no score has this id")
    by_row = [scores.get(str(row["id"]), absent) for row in rows]
    graded = [graded_of(row, score) for row, score in zip(rows, by_row, strict=True)]
    unscored = [score for score in by_row if score.value is None]
    categories = ast_accuracy_by_category(graded) if "ast_accuracy" in suite.figures else {}
    of_category = {name: [one for one in graded if one.category == name] for name in categories}
    return Summary(
        metrics={name: estimate_rows(FIGURES[name].tally, graded) for name in suite.figures},
        recall={
            name: estimate_rows(partial(row_share, outcome=one), graded) for name, one in RECALLS.items()
        },
        categories={
            name: estimate_rows(FIGURES["ast_accuracy"].tally, within) for name, within in of_category.items()
        },
        confusion=confusion(graded),
        reasons=reasons(by_row),
        rows=len(by_row),
        unscored=len(unscored),
        errors=dict(Counter(str(score.error) for score in unscored).most_common()),
    )


def estimate_rows(tally: Callable[[Sequence[Graded]], Tally], graded: Sequence[Graded]) -> Estimate:
    """Estimate a figure over these rows, with turns of one conversation taken together."""
    conversations: dict[str | int, list[Graded]] = {}
    for number, one in enumerate(graded):
        conversations.setdefault(one.conversation or number, []).append(one)
    if len(conversations) == len(graded):
        return estimate(tally(graded))
    return estimate(tally(graded), [tally(turns) for turns in conversations.values()])
