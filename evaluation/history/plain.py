"""The same as JSON, for programs."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict
from typing import Any

from evaluation.history.listing import Line, Listing
from evaluation.history.runs import Run
from evaluation.history.two_runs import SuiteComparison
from evaluation.pairs import Pair
from evaluation.sentences import describe_pair


def listing_to_json(
    listings: Sequence[Listing],
    runs: Sequence[Run],
    links: Sequence[str | None],
    champions: Collection[tuple[str, str]] = (),
) -> dict[str, Any]:
    """`groups`: a test set each, with its lines and `links`; `not_listed`: runs without figures, and why."""
    return {
        "groups": [
            {
                "suite": one.group.suite,
                "test_set": one.group.digest or None,
                "metric": one.group.metric,
                "lines": [_line(line, champions) for line in one.lines],
                "earlier": one.earlier,
                "notes": dict(one.notes),
                "mlflow": link,
            }
            for one, link in zip(listings, links, strict=True)
        ],
        "not_listed": [{"run_id": run.run_id, "reason": run.fault} for run in runs if run.fault],
    }


def comparison_to_json(a: Run, b: Run, found: Sequence[SuiteComparison]) -> dict[str, Any]:
    """Two runs held against each other; pairs have the shape of those in ``comparison.json``."""
    return {
        "a": a.run_id,
        "b": b.run_id,
        "suites": {
            one.suite: {
                "rows": len(one.common.rows),
                "only_a": one.common.only_a,
                "only_b": one.common.only_b,
                "changed": one.common.changed,
                "paired": [_pair(pair) for pair in one.pairs],
                "guarded": [_pair(pair) for pair in one.guarded],
            }
            for one in found
        },
    }


def _line(line: Line, champions: Collection[tuple[str, str]]) -> dict[str, Any]:
    variant = line.entry.variant
    return {
        "variant": variant,
        "runs": [
            {
                **_run(run),
                "variant_usd": run.variant_usd.get(variant),
                **asdict(figure),
                "is_promoted": run.promoted == variant,
                "is_champion": (run.run_id, variant) in champions,
            }
            for run, figure in zip(line.entry.runs, line.figures, strict=True)
        ],
        "repeats": [run.run_id for run in line.entry.repeats],
        "average": None if line.average is None else asdict(line.average),
        "before": line.before,
        "change": None if line.change is None else _pair(line.change),
    }


def _pair(pair: Pair) -> dict[str, Any]:
    result = pair.result
    return {
        **{"suite": pair.suite, "metric": pair.metric, "a": pair.a, "b": pair.b},
        **{"difference": result.difference, "low": result.low, "high": result.high},
        **{"p": result.p, "p_holm": pair.p_holm, "n": result.n, "detectable": pair.detectable},
        "statement": describe_pair(pair),
    }


def _run(run: Run) -> dict[str, Any]:
    return {
        "run_id": run.run_id,
        "started": run.started.isoformat(),
        "base_model": run.base_model,
        "recipe": run.recipe,
        "seed": run.seed,
        "cost_usd": run.cost_usd,
    }
