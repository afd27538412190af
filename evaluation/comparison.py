"""The comparison of a run's variants: every figure that the report, MLflow and the gate show."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from evaluation.jsonl import read_object, read_rows, read_scores
from evaluation.judge import JudgeReport
from evaluation.pairs import (
    PAIRS,
    VARIANTS,
    Pair,
    Row,
    compare_scores,
    compare_suite,
    count_rows,
    guarded_metrics,
    sort_variants,
)
from evaluation.sentences import describe_pair
from evaluation.suites import SUITES, Suite, suite_files
from evaluation.summary import Summary, summarise
from evaluation.toolcalls.score import Score
from jobs.doors import BadInput

__all__ = [
    "PAIRS",
    "VARIANTS",
    "Comparison",
    "Pair",
    "Row",
    "TestSet",
    "compare",
    "compare_scores",
    "digest_of_rows",
    "read_comparison",
    "sort_variants",
]

DIGEST_CHARACTERS = 16
# What the report adds to the file, and what a language model said: neither can be worked out again.
_NOT_FROM_SCORES = ("gate", "cost", "judge")
# What files of earlier versions lack.
_ADDED_LATER = frozenset(("rows_by_figure",))


@dataclass(frozen=True)
class TestSet:
    """Which rows a suite held: runs can be compared where the digests are equal.

    `rows_by_figure`: how many of its `rows` count for each share of rows, recalls as ``recall_<decision>``,
    whether or not a variant has a score for them.
    """

    digest: str
    rows: int
    rows_by_figure: Mapping[str, int]


@dataclass(frozen=True)
class Comparison:
    """All suites by variant.

    `rows`: a suite's rows; `scores`: by suite, variant and row id. `pairs`: the variants held against each
    other by each suite's main metric; `guarded`: by every other share of rows and by each decision's recall.
    `judge`: what a language model made of the suites that ask for one, by suite and variant.
    """

    run_id: str | None
    rows: Mapping[str, Sequence[Row]]
    scores: Mapping[str, Mapping[str, Mapping[str, Score]]]
    summaries: Mapping[str, Mapping[str, Summary]]
    pairs: Sequence[Pair]
    guarded: Sequence[Pair] = ()
    judge: Mapping[str, Mapping[str, JudgeReport]] = field(default_factory=dict)
    test_sets: Mapping[str, TestSet] = field(default_factory=dict)

    @property
    def variants(self) -> list[str]:
        """Every variant that has scores, in the order in which variants are shown."""
        return sort_variants({variant for summaries in self.summaries.values() for variant in summaries})

    def to_json(self) -> dict[str, Any]:
        """The content of ``comparison.json``; the gate is filled by who writes the report.

        `judge` is there where a suite asks for one.
        """
        judge = {
            suite: {variant: report.to_json() for variant, report in reports.items()}
            for suite, reports in self.judge.items()
        }
        return {
            "run_id": self.run_id,
            "test_sets": {suite: asdict(one) for suite, one in self.test_sets.items()},
            "suites": {
                suite: {variant: one.to_json() for variant, one in summaries.items()}
                for suite, summaries in self.summaries.items()
            },
            "paired": [_pair_as_json(pair) for pair in self.pairs],
            "guarded": [_pair_as_json(pair) for pair in self.guarded],
            "gate": {"promoted": None, "rules": []},
            **({"judge": judge} if judge else {}),
        }


def compare(run_id: str | None, data_dir: Path, scores_dir: Path) -> Comparison:
    """Read a run's suites and scores, and compare its variants.

    `data_dir`: what data.prepare wrote; `scores_dir`: ``<variant>/<suite>.jsonl``. Raises BadInput where
    there are no scores, or a line is no score.
    """
    rows = {path.stem: read_rows(path) for path in suite_files(data_dir)}
    folders = [path for path in scores_dir.glob("*") if path.is_dir()] if scores_dir.is_dir() else []
    variants = sort_variants({path.name for path in folders})
    if not variants:
        raise BadInput(f"{scores_dir}: holds no scores (<variant>/<suite>.jsonl); score predictions first")
    scores = {suite: _read_scores(scores_dir, variants, suite) for suite in rows}
    summaries = {
        suite: {
            variant: summarise(SUITES[suite], rows[suite], scored) for variant, scored in by_variant.items()
        }
        for suite, by_variant in scores.items()
    }
    pairs, guarded = [], []
    for name, suite in ((name, SUITES[name]) for name in rows):
        pairs += compare_suite(suite, rows[name], scores[name], [suite.main_metric])
        guarded += compare_suite(suite, rows[name], scores[name], guarded_metrics(suite))
    test_sets = {suite: _test_set(SUITES[suite], found) for suite, found in rows.items()}
    return Comparison(run_id, rows, scores, summaries, pairs, guarded, test_sets=test_sets)


def read_comparison(path: Path, data_dir: Path, scores_dir: Path) -> Comparison:
    """Read ``comparison.json`` beside what it was made from.

    All figures are worked out again from rows and scores; `judge` alone is the file's. Raises BadInput where
    the file cannot be read, or says something else than the scores come to.
    """
    try:
        said = read_object(path)
    except BadInput as error:
        raise BadInput(f"{error}; compare the variants first") from error
    run_id = said.get("run_id")
    if run_id is not None and not isinstance(run_id, str):
        raise BadInput(f"{path}: run_id {run_id!r}: a string or null is expected")
    comparison = replace(compare(run_id, data_dir, scores_dir), judge=_read_judge(said, path))
    found = comparison.to_json()
    for key in sorted({*said, *found} - set(_NOT_FROM_SCORES)):
        difference = _difference(said.get(key), found.get(key), key)
        if difference:
            raise BadInput(f"{path}: {difference}; compare the variants of these scores again")
    return comparison


def _test_set(suite: Suite, rows: Sequence[Row]) -> TestSet:
    counts = {name: count_rows(rows, name) for name in (suite.main_metric, *guarded_metrics(suite))}
    return TestSet(digest_of_rows(rows), len(rows), counts)


def digest_of_rows(rows: Sequence[Row]) -> str:
    """A digest of a suite's rows, whatever their order."""
    lines = sorted(json.dumps(row, sort_keys=True) for row in rows)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:DIGEST_CHARACTERS]


def _pair_as_json(pair: Pair) -> dict[str, Any]:
    result = pair.result
    return {
        "suite": pair.suite,
        "metric": pair.metric,
        "a": pair.a,
        "b": pair.b,
        "difference": result.difference,
        "low": result.low,
        "high": result.high,
        "p": result.p,
        "p_holm": pair.p_holm,
        "n": result.n,
        "detectable": pair.detectable,
        "statement": describe_pair(pair),
    }


def _read_judge(said: Mapping[str, Any], path: Path) -> dict[str, dict[str, JudgeReport]]:
    try:
        return {
            suite: {variant: JudgeReport.from_json(report) for variant, report in reports.items()}
            for suite, reports in said.get("judge", {}).items()
        }
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise BadInput(f"{path}: what it says of a judge cannot be read: {error!r}") from error


def _difference(said: Any, found: Any, where: str) -> str | None:
    """The first thing that two JSON values disagree about, None where they agree but for rounding."""
    if isinstance(said, dict) and isinstance(found, dict):
        keys = sorted({*said, *found} - (_ADDED_LATER - said.keys()))
        return next(
            filter(None, (_difference(said.get(k), found.get(k), f"{where}.{k}") for k in keys)), None
        )
    if isinstance(said, list) and isinstance(found, list) and len(said) == len(found):
        both = enumerate(zip(said, found, strict=True))
        return next(filter(None, (_difference(s, f, f"{where}[{n}]") for n, (s, f) in both)), None)
    if said == found or (_is_number(said) and _is_number(found) and math.isclose(said, found, abs_tol=1e-9)):
        return None
    return f"{where} is {_short(said)}, but the scores come to {_short(found)}"


def _is_number(value: Any) -> bool:
    # A whole number of any length can stand in a file, which no float can hold.
    return isinstance(value, int | float) and not isinstance(value, bool) and -1e300 < value < 1e300


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 80 else f"{text[:79]}…"


def _read_scores(scores_dir: Path, variants: Sequence[str], suite: str) -> dict[str, dict[str, Score]]:
    """The scores by variant; one that lacks the file has no row scored, which the tables then show."""
    paths = {variant: scores_dir / variant / f"{suite}.jsonl" for variant in variants}
    return {variant: read_scores(path) if path.is_file() else {} for variant, path in paths.items()}
