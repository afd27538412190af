"""What a comparison knows about a rule: two values, and their difference on the rows they share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from lambdas.fields import shown
from lambdas.gate_rules import DECISIONS, RECALL, ROW_SHARES, UNSCORED_RATE

Comparison = Mapping[str, Any]
# Of the rows that a figure rests on, so many may be missing from a pair: what they hide is far below any
# tolerance. One row may always be, since it is more than this share of a small suite.
MISSING_SHARE = 0.01
# Of the rows that the test set has for a figure, so many have to be scored for both variants.
LEAST_SCORED_SHARE = 0.5
_RECALLS = tuple(f"{RECALL}_{decision}" for decision in DECISIONS)


@dataclass(frozen=True)
class Evidence:
    """Two variants' values of one figure and their paired difference, as shares; None where unknown.

    `difference` is the variant's value less that of `over`, on the `n` rows which were scored for both;
    `low` and `high` are its 95% interval, `p` McNemar's, `p_holm` the same within its family of comparisons.
    """

    value: float | None = None
    over_value: float | None = None
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    p_holm: float | None = None
    n: int = 0
    missing: str | None = None


def suites_with_rows(comparison: Comparison) -> list[str]:
    """Return the suites that have a row, in the order in which they are evaluated."""
    return [suite for suite in ROW_SHARES if rows_of(comparison, suite)]


def decisions_with_rows(comparison: Comparison, suite: str) -> list[str]:
    """Return the decisions that a row of `suite` expects, as figures: `recall_<decision>`."""
    return [name for name in _RECALLS if rows_of_figure(comparison, suite, name)]


def value_of(comparison: Comparison, suite: str, variant: str, metric: str) -> tuple[float | None, int]:
    """Return a variant's figure on all of its own scored rows, and how many these are."""
    summary = comparison["suites"].get(suite, {}).get(variant)
    if summary is None:
        return None, 0
    if metric == UNSCORED_RATE:
        return _unscored(comparison, suite, summary)
    decision = metric.removeprefix(f"{RECALL}_")
    group = summary["metrics"] if decision == metric else summary["recall"]
    found = group.get(decision, {"value": None, "n": 0})
    return _number(found, "value", 0, 1), _count(found, "n")


def evidence_for(comparison: Comparison, suite: str, metric: str, variant: str, over: str) -> Evidence:
    """Return what is known about `variant` over `over`; `missing` says why nothing can be built on it.

    A difference on the rows of both says little where one of the two was scored on many more: it may have
    failed on the very rows that the other lacks. It says as little where most rows were scored for neither.
    """
    (value, n), (over_value, over_n) = (value_of(comparison, suite, one, metric) for one in (variant, over))
    known = Evidence(value, over_value)
    if metric == UNSCORED_RATE:
        return _counted(known, rows_of(comparison, suite))
    pair = _find_pair(comparison, suite, metric, variant, over)
    if pair is None:
        return replace(known, missing=f"not measured, nothing holds {variant} against {over}")
    shared, rows = _count(pair, "n"), rows_of_figure(comparison, suite, metric)
    if pair["difference"] is None or not shared:
        none = "no row was scored for both" if rows else "the test set has no row that counts for"
        return replace(known, missing=f"not measured, {none} {variant} and {over}")
    both = f"not measured, only {shared:,} rows were scored for both {variant} and {over}"
    most = max(n, over_n)
    if most - shared > max(1, MISSING_SHARE * most):
        scored = f"{variant if n == most else over} has a score on {most:,}"
        return replace(known, n=shared, missing=f"{both}, and {scored}")
    if shared < LEAST_SCORED_SHARE * rows:
        return replace(known, n=shared, missing=f"{both}, of {rows:,}")
    difference, low, high = (_number(pair, name, -1, 1) for name in ("difference", "low", "high"))
    p, p_holm = (_number(pair, name, 0, 1) for name in ("p", "p_holm"))
    return Evidence(value, over_value, difference, low, high, p, p_holm, shared)


def _number(found: Mapping[str, Any], name: str, least: float, most: float) -> float | None:
    """Return a number or null; a share beyond its bounds is a broken file, and no reason to promote."""
    value = found[name]
    if value is None:
        return None
    if not isinstance(value, int | float) or isinstance(value, bool) or not least <= value <= most:
        raise ValueError(f"{name} {shown(value)} is no number from {least} to {most}")
    return value


def _count(found: Mapping[str, Any], name: str) -> int:
    value = found[name]
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(f"{name} {shown(value)} is no number of rows")
    return value


def _find_pair(
    comparison: Comparison, suite: str, metric: str, variant: str, over: str
) -> Mapping[str, Any] | None:
    for pair in [*comparison["paired"], *comparison["guarded"]]:
        if (pair["suite"], pair["metric"]) != (suite, metric):
            continue
        if (pair["a"], pair["b"]) == (variant, over):
            return dict(pair)
        if (pair["a"], pair["b"]) == (over, variant):
            return _turned(pair)
    return None


def _turned(pair: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return b over a, where a comparison has a over b."""

    def negated(name: str) -> float | None:
        return None if pair[name] is None else -pair[name]

    turned = {"difference": negated("difference"), "low": negated("high"), "high": negated("low")}
    return {**pair, **turned}


def _counted(known: Evidence, rows: int) -> Evidence:
    if known.value is None or known.over_value is None:
        return replace(known, missing="its rows were not counted")
    return replace(known, difference=known.value - known.over_value, n=rows)


def _unscored(comparison: Comparison, suite: str, summary: Mapping[str, Any]) -> tuple[float | None, int]:
    rows = rows_of(comparison, suite)
    scored = _count(summary["metrics"].get(ROW_SHARES[suite][0], {"n": 0}), "n")
    if scored > rows:
        raise ValueError(f"{suite} has {rows} rows, and {scored} of them were scored")
    return ((rows - scored) / rows if rows else None), rows


def rows_of(comparison: Comparison, suite: str) -> int:
    """Return how many rows a suite has, scored or not."""
    return _count(comparison["test_sets"].get(suite, {"rows": 0}), "rows")


def rows_of_figure(comparison: Comparison, suite: str, metric: str) -> int:
    """Return how many rows of the test set count for a figure, scored or not; for `recall`, for any of it."""
    if metric == RECALL:
        return sum(rows_of_figure(comparison, suite, name) for name in _RECALLS)
    if metric == UNSCORED_RATE or not rows_of(comparison, suite):
        return rows_of(comparison, suite)
    test_set = comparison["test_sets"][suite]
    if "rows_by_figure" not in test_set:
        raise ValueError(f"test_sets.{suite} lacks rows_by_figure")
    rows = _count(test_set["rows_by_figure"], metric)
    scored = [value_of(comparison, suite, one, metric)[1] for one in comparison["suites"].get(suite, {})]
    if max(scored, default=0) > rows:
        raise ValueError(f"{suite}/{metric} has {rows} rows, and {max(scored)} of them were scored")
    return rows
