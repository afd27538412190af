"""Comparisons made in memory, for the tests of what is drawn and said from one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from evaluation.comparison import Comparison
from evaluation.pairs import compare_suite, guarded_metrics, sort_variants
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
    rows: Mapping[str, Sequence[Mapping[str, Any]]], scores: Mapping[str, Scores], has_guarded: bool = False
) -> Comparison:
    """Compare variants whose scores are given in the rows' order, None where a score is absent.

    `has_guarded`: by every share of rows, rather than by each suite's main figure alone.
    """
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
    pairs, guarded = [], []
    for suite, by_variant in by_id.items():
        one = SUITES[suite]
        pairs += compare_suite(one, rows[suite], by_variant, [one.main_metric])
        if has_guarded:
            guarded += compare_suite(one, rows[suite], by_variant, guarded_metrics(one))
    return Comparison("a-run", rows, by_id, summaries, pairs, guarded)
