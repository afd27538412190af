"""Whether the alias `champion` moves: only through the gate, and only to a model that is at least as good.

The gate holds a variant against the base of its own run. Two runs may both beat it, so the champion of an
earlier one is asked too, row by row, on the rows that both were measured on: by the new one's target, and by
the target that the champion was chosen by. Within noise is not enough: five steps down, each within noise,
are a real one.
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
from evaluation.rounding import write_points
from evaluation.sentences import format_p
from evaluation.statistics import SIGNIFICANCE
from evaluation.suites import SUITES
from evaluation.target import Target
from evaluation.toolcalls.score import Score
from jobs.registry import ModelVersion, Registry

# Of the rows of both test sets, so many have to be the same and scored for both.
LEAST_COMMON_SHARE = 0.9


@dataclass(frozen=True)
class Decision:
    """Whether the alias moves, and why in words; `is_open` where nothing says which of the two is better."""

    moves: bool
    why: str
    is_open: bool = False


@dataclass(frozen=True)
class Measured:
    """What a champion was measured on, and its scores by row id."""

    rows: Sequence[Row]
    scores: Mapping[str, Score]


class _Unclear(Exception):
    """Nothing says which of the two is better; the message is why."""


def decide(
    candidate: Candidate, results: Results, champion: ModelVersion | None, registry: Registry, base: str = ""
) -> Decision:
    """Say whether `candidate`, tuned from the model `base`, becomes the champion."""
    if candidate.gate != "passed":
        return Decision(
            False, "the gate had no rules." if candidate.gate == "none" else "the gate did not let it pass."
        )
    if champion is None:
        return Decision(True, "it passed the gate, and no version had the alias.")
    stays = f"version {champion.number} stays"
    try:
        _check_base(champion, base)
        targets = dict.fromkeys(
            (target.suite, target.metric) for target in (candidate.target, _target_of(champion))
        )
        gains = [
            _gain_over(candidate.variant, Target(suite, metric), results, champion, registry)
            for suite, metric in targets
        ]
    except _Unclear as unclear:
        return Decision(False, f"{stays}; {unclear}.", is_open=True)
    losses = [(p, words) for gain, p, words in gains if gain < 0]
    if losses:
        # The surest first: a loss within noise must not hide a real one.
        p, words = min(losses)
        noise = "better beyond noise" if p < SIGNIFICANCE else "the better one on these rows, within noise"
        return Decision(False, f"{stays}, which is {noise}: {words}.", is_open=p >= SIGNIFICANCE)
    return Decision(True, f"it passed the gate; {'; '.join(words for _, _, words in gains)}.")


def without_revision(base_model: str) -> str:
    """The model that a name means at whichever revision.

    >>> without_revision("Qwen/Qwen3-1.7B@main"), without_revision("s3://bucket/a@b/")
    ('Qwen/Qwen3-1.7B', 's3://bucket/a@b/')
    """
    return base_model if base_model.startswith("s3://") else base_model.partition("@")[0]


def _check_base(champion: ModelVersion, base: str) -> None:
    # org/m and org-m are registered under one name.
    other = champion.tags.get("base_model")
    if base and other and without_revision(other) != without_revision(base):
        raise _Unclear(f"it was tuned from {other}, another model than {base}")


def _target_of(champion: ModelVersion) -> Target:
    suite, _, metric = champion.tags.get("target", "").partition("/")
    if suite not in SUITES or not metric:
        raise _Unclear("it does not say by which figure it was chosen")
    return Target(suite, metric)


def _gain_over(
    variant: str, target: Target, results: Results, champion: ModelVersion, registry: Registry
) -> tuple[float, float, str]:
    """By how much the variant is better than the champion as a share, its p, and both in words."""
    suite, metric = target.suite, target.metric
    own = results.comparison.scores.get(suite, {}).get(variant)
    if own is None:
        raise _Unclear(f"it was chosen by {target.name}, and this run has no scores of {suite}")
    measured = _read_measured(champion, suite, registry)
    rows, of = _rows_of_both(results.comparison.rows[suite], own, measured)
    if not rows or len(rows) < LEAST_COMMON_SHARE * of:
        raise _Unclear(
            f"of the {of} rows of {suite} that either was measured on, only {len(rows)} are the same and"
            f" scored for both; below {LEAST_COMMON_SHARE:.0%}, nothing says that this one is as good"
        )
    try:
        found = compare_scores(suite, rows, own, measured.scores, metric)
    except ValueError as error:
        raise _Unclear(str(error)) from error
    if found.difference is None or found.p is None:
        raise _Unclear(f"no row of {suite} counts for {metric}")
    gain = -found.difference if target.is_better_low else found.difference
    words = (
        f"{write_points(found.difference)} points of {metric} over version {champion.number} on the same"
        f" {found.n} rows of {suite}, {format_p(found.p)}"
    )
    return gain, found.p, words


def _rows_of_both(ours: Sequence[Row], own: Mapping[str, Score], measured: Measured) -> tuple[list[Row], int]:
    """The rows that are equal in both test sets and scored for both, and how many rows there are at all."""
    common = common_rows(ours, measured.rows)
    both = (own, measured.scores)
    rows = [row for row in common.rows if all(_is_scored(scores, row) for scores in both)]
    return rows, len(common.rows) + common.left_out


def _is_scored(scores: Mapping[str, Score], row: Row) -> bool:
    score = scores.get(str(row["id"]))
    return score is not None and score.value is not None


def _read_measured(champion: ModelVersion, suite: str, registry: Registry) -> Measured:
    """What the artifacts of the champion's run say. Raises _Unclear where they are not to be had."""
    run_id, variant = champion.run_id, champion.tags.get("variant")
    try:
        if not run_id or not variant:
            raise Unreadable("it names no run or no variant")
        with tempfile.TemporaryDirectory() as scratch:
            rows = read_row_file(_fetch(registry, run_id, f"rows/{suite}.jsonl", scratch))
            scores = read_score_file(_fetch(registry, run_id, f"scores/{variant}/{suite}.jsonl", scratch))
    except Unreadable:
        scores = {}
    if not scores:
        raise _Unclear(f"its rows or scores of {suite} cannot be read, so nothing says that this is as good")
    return Measured(rows, scores)


def _fetch(registry: Registry, run_id: str, artifact: str, scratch: str) -> Path:
    # Rows and scores of a suite have one name.
    found = registry.fetch(run_id, artifact, Path(tempfile.mkdtemp(dir=scratch)))
    if found is None:
        raise Unreadable(f"{artifact} cannot be fetched")
    return found
