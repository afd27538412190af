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
    names = [f"{RECALL}_{decision}" for decision in DECISIONS]
    return [name for name in names if has_rows(comparison, suite, name)]


def has_rows(comparison: Comparison, suite: str, metric: str) -> bool:
    """Whether the figure of any variant rests on a row; if none does, the suite has no such row.

    Where a suite has rows but no figures of any variant, nobody knows, and it may have all.
    """
    variants = comparison["suites"].get(suite, {})
    if not variants:
        return rows_of(comparison, suite) > 0
    return any(value_of(comparison, suite, variant, metric)[1] for variant in variants)


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
    failed on the very rows that the other lacks.
    """
    (value, n), (over_value, over_n) = (value_of(comparison, suite, one, metric) for one in (variant, over))
    known = Evidence(value, over_value)
    if metric == UNSCORED_RATE:
        return _counted(known, rows_of(comparison, suite))
    pair = _find_pair(comparison, suite, metric, variant, over)
    if pair is None:
        return replace(known, missing=f"not measured, nothing holds {variant} against {over}")
    shared = _count(pair, "n")
    if pair["difference"] is None or not shared:
        return replace(known, missing=f"not measured, no row was scored for both {variant} and {over}")
    most = max(n, over_n)
    if most - shared > max(1, MISSING_SHARE * most):
        scored = f"{variant if n == most else over} has a score on {most:,}"
        both = f"only {shared:,} rows were scored for both {variant} and {over}"
        return replace(known, n=shared, missing=f"not measured, {both}, and {scored}")
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
