"""Whether the alias `champion` moves: only through the gate, and never from a better model to a worse one.

The gate holds a variant against the base of its own run. Two runs may both beat it, so the champion of an
earlier one is asked too, row by row, on the rows that both were measured on.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from evaluation.comparison import Row, compare_scores
from evaluation.history.changes import common_rows
from evaluation.history.files import read_row_file, read_score_file
from evaluation.history.runs import Unreadable
from evaluation.registry.candidate import Candidate
from evaluation.report.results import Results
from evaluation.sentences import format_p
from evaluation.statistics import SIGNIFICANCE
from evaluation.toolcalls.score import Score
from jobs.registry import CHAMPION, ModelVersion, Registry

# Of the rows of both test sets, so many have to be the same and scored for both.
LEAST_COMMON_SHARE = 0.9


@dataclass(frozen=True)
class Decision:
    """Whether the alias moves, and why in words; `is_open` where nothing says which of the two is better."""

    moves: bool
    statement: str
    is_open: bool = False


@dataclass(frozen=True)
class Measured:
    """What a champion was measured on, and its scores by row id."""

    rows: Sequence[Row]
    scores: Mapping[str, Score]


def decide(
    candidate: Candidate, results: Results, champion: ModelVersion | None, registry: Registry
) -> Decision:
    """Say whether `candidate` becomes the champion."""
    if candidate.gate != "passed":
        refused = "the gate had no rules" if candidate.gate == "none" else "the gate did not let it pass"
        return Decision(False, f"not {CHAMPION}: {refused}.")
    if champion is None:
        return Decision(True, f"{CHAMPION}: it passed the gate, and there was none before.")
    stays = f"{CHAMPION} stays version {champion.number}"
    suite = candidate.target.suite
    measured = _read_measured(champion, suite, registry)
    if measured is None:
        return Decision(
            False,
            f"{stays}: its rows or scores of {suite} cannot be read, so nothing says that this one is as"
            " good.",
            is_open=True,
        )
    rows, of = _rows_of_both(candidate, results, measured)
    if not rows or len(rows) < LEAST_COMMON_SHARE * of:
        return Decision(
            False,
            f"{stays}: of the {of} rows of {suite} that either was measured on, only {len(rows)} are the same"
            f" and scored for both; below {LEAST_COMMON_SHARE:.0%}, nothing says that this one is as good.",
            is_open=True,
        )
    return _held_against(candidate, results, measured, rows, champion)


def _rows_of_both(candidate: Candidate, results: Results, measured: Measured) -> tuple[list[Row], int]:
    """The rows that are equal in both test sets and scored for both, and how many rows there are at all."""
    suite = candidate.target.suite
    common = common_rows(results.comparison.rows[suite], measured.rows)
    both = (results.comparison.scores[suite][candidate.variant], measured.scores)
    rows = [row for row in common.rows if all(_is_scored(scores, row) for scores in both)]
    return rows, len(common.rows) + common.left_out


def _is_scored(scores: Mapping[str, Score], row: Row) -> bool:
    score = scores.get(str(row["id"]))
    return score is not None and score.value is not None


def _held_against(
    candidate: Candidate, results: Results, measured: Measured, rows: Sequence[Row], champion: ModelVersion
) -> Decision:
    suite, metric, before = candidate.target.suite, candidate.target.metric, f"version {champion.number}"
    own = results.comparison.scores[suite][candidate.variant]
    found = compare_scores(suite, rows, own, measured.scores, metric)
    if found.difference is None or found.p is None:
        stays = f"{CHAMPION} stays {before}: no row of {suite} counts for {metric}."
        return Decision(False, stays, is_open=True)
    told = (
        f"{100 * found.difference:+.1f} points of {metric} over {before} on the same {found.n} rows of"
        f" {suite}, {format_p(found.p)}"
    )
    gain = -found.difference if candidate.target.is_better_low else found.difference
    if gain < 0 and found.p < SIGNIFICANCE:
        return Decision(False, f"{CHAMPION} stays {before}, which is better beyond noise: {told}.")
    return Decision(True, f"{CHAMPION}: it passed the gate; {told}.")


def _read_measured(champion: ModelVersion, suite: str, registry: Registry) -> Measured | None:
    """What the artifacts of the champion's run say; None where they are not to be had."""
    variant = champion.tags.get("variant")
    if not champion.run_id or not variant:
        return None
    try:
        with tempfile.TemporaryDirectory() as scratch:
            rows = read_row_file(_fetch(registry, champion.run_id, f"rows/{suite}.jsonl", scratch))
            path = _fetch(registry, champion.run_id, f"scores/{variant}/{suite}.jsonl", scratch)
            scores = read_score_file(path)
    except Unreadable:
        return None
    return Measured(rows, scores) if scores else None


def _fetch(registry: Registry, run_id: str, artifact: str, scratch: str) -> Path:
    # Rows and scores of a suite have one name.
    found = registry.fetch(run_id, artifact, Path(tempfile.mkdtemp(dir=scratch)))
    if found is None:
        raise Unreadable(f"{artifact} cannot be fetched")
    return found
