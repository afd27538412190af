"""Whether the alias `champion` moves: only through the gate, and never from a better model to a worse one.

The gate holds a variant against the base of its own run. Two runs may both beat it, so the champion of an
earlier one is asked too, row by row, where both were measured on the same rows.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from evaluation.comparison import compare_scores
from evaluation.jsonl import read_jsonl
from evaluation.registry.candidate import Candidate
from evaluation.report.results import Results
from evaluation.sentences import format_p
from evaluation.statistics import SIGNIFICANCE
from evaluation.toolcalls.score import Score
from evaluation.toolcalls.suite import score_of
from jobs.doors import BadInput
from jobs.registry import CHAMPION, ModelVersion, Registry


@dataclass(frozen=True)
class Decision:
    """Whether the alias moves, and why in words."""

    moves: bool
    statement: str


def decide(
    candidate: Candidate, results: Results, champion: ModelVersion | None, registry: Registry
) -> Decision:
    """Say whether `candidate` becomes the champion."""
    if candidate.gate != "passed":
        refused = "the gate had no rules" if candidate.gate == "none" else "the gate did not let it pass"
        return Decision(False, f"not {CHAMPION}: {refused}.")
    if champion is None:
        return Decision(True, f"{CHAMPION}: it passed the gate, and there was none before.")
    suite = candidate.target.suite
    before = f"version {champion.number}"
    measured_on = champion.tags.get(f"test_set.{suite}")
    if measured_on != results.comparison.test_sets[suite].digest:
        return Decision(
            True, f"{CHAMPION}: it passed the gate; {before} was measured on other rows of {suite}."
        )
    scores = _read_scores(champion, suite, registry)
    if scores is None:
        return Decision(
            False,
            f"{CHAMPION} stays {before}, measured on the same rows of {suite}: its scores cannot be read, so"
            " nothing says that this one is as good.",
        )
    return _held_against(candidate, results, scores, before)


def _held_against(candidate: Candidate, results: Results, scores: dict[str, Score], before: str) -> Decision:
    suite, metric = candidate.target.suite, candidate.target.metric
    rows, own = results.comparison.rows[suite], results.comparison.scores[suite][candidate.variant]
    found = compare_scores(suite, rows, own, scores, metric)
    if found.difference is None or found.p is None:
        return Decision(False, f"{CHAMPION} stays {before}: no row of {suite} counts for both.")
    told = (
        f"{100 * found.difference:+.1f} points of {metric} over {before} on the same {found.n} rows of"
        f" {suite}, {format_p(found.p)}"
    )
    gain = -found.difference if candidate.target.is_better_low else found.difference
    if gain < 0 and found.p < SIGNIFICANCE:
        return Decision(False, f"{CHAMPION} stays {before}, which is better beyond noise: {told}.")
    return Decision(True, f"{CHAMPION}: it passed the gate; {told}.")


def _read_scores(champion: ModelVersion, suite: str, registry: Registry) -> dict[str, Score] | None:
    """The champion's scores by row id, out of its run's artifacts; None where they are not to be had."""
    variant = champion.tags.get("variant")
    if not champion.run_id or not variant:
        return None
    with tempfile.TemporaryDirectory() as folder:
        path = registry.fetch(champion.run_id, f"scores/{variant}/{suite}.jsonl", Path(folder))
        try:
            return (
                None if path is None else {str(one["id"]): score_of(one) for one in read_jsonl(path)} or None
            )
        except (BadInput, KeyError, TypeError, ValueError):
            return None
