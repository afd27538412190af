"""The comparison of a run's variants: every figure that the report, MLflow and the gate show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from evaluation.jsonl import read_jsonl, read_rows
from evaluation.judge import JudgeReport
from evaluation.statistics import PairedDifference, adjust_by_holm, compare_paired
from evaluation.suites import SUITES, suite_files
from evaluation.summary import Summary, rate, summarise
from evaluation.toolcalls.score import Score
from evaluation.toolcalls.suite import score_of
from jobs.doors import BadInput

Row = Mapping[str, Any]

# The order in which variants are shown; any other follows by name.
VARIANTS = ("base", "prompt", "sft", "dpo", "sft-dpo", "rft", "sft-rft", "sft-dpo-rft")
# What each variant is held against: a over b.
PAIRS = (
    ("prompt", "base"),
    ("sft", "base"),
    ("dpo", "base"),
    ("sft-dpo", "base"),
    ("sft-dpo", "sft"),
    # Whether tuning is worth more than a prompt.
    ("sft", "prompt"),
    ("sft-dpo", "prompt"),
)


@dataclass(frozen=True)
class Pair:
    """Variant `a` held against variant `b` by one metric; `p_holm` allows for the suite's other pairs."""

    suite: str
    metric: str
    a: str
    b: str
    result: PairedDifference
    p_holm: float | None = None

    def to_json(self) -> dict[str, Any]:
        """The pair as ``comparison.json`` carries it."""
        figures = asdict(self.result)
        del figures["n"]
        names = {"suite": self.suite, "metric": self.metric, "a": self.a, "b": self.b}
        return {**names, **figures, "p_holm": self.p_holm}


@dataclass(frozen=True)
class Comparison:
    """All suites by variant.

    `rows`: a suite's rows; `scores`: by suite, variant and row id; `judge`: what a language model made of
    the suites that ask for one, by suite and variant.
    """

    run_id: str | None
    rows: Mapping[str, Sequence[Row]]
    scores: Mapping[str, Mapping[str, Mapping[str, Score]]]
    summaries: Mapping[str, Mapping[str, Summary]]
    pairs: Sequence[Pair]
    judge: Mapping[str, Mapping[str, JudgeReport]] = field(default_factory=dict)

    @property
    def variants(self) -> list[str]:
        """Every variant that has scores, in the order in which variants are shown."""
        return sort_variants({variant for summaries in self.summaries.values() for variant in summaries})

    def to_json(self) -> dict[str, Any]:
        """The content of ``comparison.json``; no rules of promotion exist, so nothing is promoted.

        `judge` is there where a suite asks for one.
        """
        judge = {
            suite: {variant: report.to_json() for variant, report in reports.items()}
            for suite, reports in self.judge.items()
        }
        return {
            "run_id": self.run_id,
            "suites": {
                suite: {variant: one.to_json() for variant, one in summaries.items()}
                for suite, summaries in self.summaries.items()
            },
            "paired": [pair.to_json() for pair in self.pairs],
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
    pairs = [pair for suite in rows for pair in compare_suite(suite, rows[suite], scores[suite])]
    return Comparison(run_id, rows, scores, summaries, pairs)


def compare_suite(suite: str, rows: Sequence[Row], scores: Mapping[str, Mapping[str, Score]]) -> list[Pair]:
    """Hold the variants of one suite against each other by its main metric."""
    metric, part = SUITES[suite].main_metric, SUITES[suite].main_part
    pairs = [
        Pair(suite, metric, a, b, _compare_pair(rows, scores[a], scores[b], part))
        for a, b in PAIRS
        if a in scores and b in scores
    ]
    adjusted = adjust_by_holm([pair.result.p for pair in pairs])
    return [replace(pair, p_holm=p) for pair, p in zip(pairs, adjusted, strict=True)]


def sort_variants(variants: set[str]) -> list[str]:
    """Put variants into the order in which they are shown."""
    known = {name: number for number, name in enumerate(VARIANTS)}
    return sorted(variants, key=lambda name: (known.get(name, len(known)), name))


def _compare_pair(
    rows: Sequence[Row], a: Mapping[str, Score], b: Mapping[str, Score], part: str | None
) -> PairedDifference:
    ids = [str(row["id"]) for row in rows if _is_scored(a, row) and _is_scored(b, row)]
    return compare_paired([_is_right(a[i], part) for i in ids], [_is_right(b[i], part) for i in ids])


def _is_scored(scores: Mapping[str, Score], row: Row) -> bool:
    score = scores.get(str(row["id"]))
    return score is not None and score.value is not None


def _is_right(score: Score, part: str | None) -> bool:
    return rate([score], part).successes == 1


def _read_scores(scores_dir: Path, variants: Sequence[str], suite: str) -> dict[str, dict[str, Score]]:
    """The scores by variant; one that lacks the file has no row scored, which the tables then show."""
    paths = {variant: scores_dir / variant / f"{suite}.jsonl" for variant in variants}
    return {variant: _read_file(path) if path.is_file() else {} for variant, path in paths.items()}


def _read_file(path: Path) -> dict[str, Score]:
    scores: dict[str, Score] = {}
    for number, record in enumerate(read_jsonl(path), 1):
        try:
            scores[str(record["id"])] = score_of(record)
        except (KeyError, TypeError, ValueError) as error:
            raise BadInput(
                f"{path}, line {number}: no score ({error!r}); score the predictions again"
            ) from error
    return scores
