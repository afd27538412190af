"""Comparisons made in memory, for the tests of what is drawn and said from one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from evaluation.comparison import Comparison
from evaluation.pairs import compare_suite, sort_variants
from evaluation.suites import SUITES
from evaluation.summary import summarise
from evaluation.toolcalls.score import Score

RIGHT = Score(1.0, "correct", {"decision": 1.0, "acc": 1.0, "acc_norm": 1.0}, "request_for_info")
UNSCORED = Score(None, error="lost")

Scores = Mapping[str, Sequence[Score | None]]


def wrong(reason: str, value: float = 0.0, decision: str = "direct") -> Score:
    """A score for a wrong completion."""
    return Score(value, reason, {"decision": 0.0, "acc": 0.0, "acc_norm": 0.0}, decision)


def comparison_of(
    rows: Mapping[str, Sequence[Mapping[str, Any]]], scores: Mapping[str, Scores]
) -> Comparison:
    """Compare variants whose scores are given in the rows' order, None where a score is absent."""
    by_id = {
        suite: {
            variant: {
                str(row["id"]): score
                for row, score in zip(rows[suite], scores[suite][variant], strict=True)
                if score is not None
            }
            for variant in sort_variants(set(scores[suite]))
        }
        for suite in rows
    }
    summaries = {
        suite: {name: summarise(SUITES[suite], rows[suite], one) for name, one in by_variant.items()}
        for suite, by_variant in by_id.items()
    }
    pairs = [
        pair
        for suite, by_variant in by_id.items()
        for pair in compare_suite(SUITES[suite], rows[suite], by_variant, [SUITES[suite].main_metric])
    ]
    return Comparison("a-run", rows, by_id, summaries, pairs)
