"""What a comparison knows about a rule: two values, and their difference on the rows they share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from lambdas.gate_rules import DECISIONS, RECALL, ROW_SHARES, UNSCORED_RATE

Comparison = Mapping[str, Any]


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
    return [suite for suite in ROW_SHARES if _rows(comparison, suite)]


def decisions_with_rows(comparison: Comparison, suite: str) -> list[str]:
    """Return the decisions that a row of `suite` expects, as figures: `recall_<decision>`."""
    names = [f"{RECALL}_{decision}" for decision in DECISIONS]
    variants = comparison["suites"].get(suite, {})
    return [name for name in names if any(value_of(comparison, suite, one, name)[1] for one in variants)]


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
    return found["value"], found["n"]


def evidence_for(comparison: Comparison, suite: str, metric: str, variant: str, over: str) -> Evidence:
    """Return what is known about `variant` over `over`; `missing` says why a difference is not."""
    value, over_value = (value_of(comparison, suite, one, metric)[0] for one in (variant, over))
    known = Evidence(value, over_value)
    if metric == UNSCORED_RATE:
        return _counted(known, _rows(comparison, suite))
    pair = _find_pair(comparison, suite, metric, variant, over)
    if pair is None:
        return replace(known, missing=f"nothing holds {variant} against {over}")
    if pair["difference"] is None:
        return replace(known, missing=f"no row was scored for both {variant} and {over}")
    figures = {name: pair[name] for name in ("difference", "low", "high", "p", "p_holm", "n")}
    return replace(known, **figures)


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
    rows = _rows(comparison, suite)
    scored = summary["metrics"].get(ROW_SHARES[suite][0], {"n": 0})["n"]
    return ((rows - scored) / rows if rows else None), rows


def _rows(comparison: Comparison, suite: str) -> int:
    rows: int = comparison["test_sets"].get(suite, {"rows": 0})["rows"]
    return rows
