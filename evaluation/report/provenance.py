"""Where a run's figures come from: what somebody needs who wants to have them again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evaluation.report.costs import costs_of
from evaluation.report.results import Results

NOT_RECORDED = "not recorded"


def provenance_of(results: Results) -> list[tuple[str, str]]:
    """Names and values, for the report's last section; what a run outside of an execution lacks is said."""
    plan, comparison = results.plan, results.comparison
    given: Mapping[str, Any] = plan.get("input") or {}
    costs = costs_of(plan, comparison)
    test_sets = [
        (f"test set {suite}", f"{one.digest}, {one.rows} rows") for suite, one in comparison.test_sets.items()
    ]
    return [
        ("run", str(comparison.run_id or NOT_RECORDED)),
        ("base model", _said(given.get("base_model"))),
        ("recipe", _said(given.get("recipe"))),
        ("variants", ", ".join(comparison.variants)),
        ("training seed", _said(plan.get("seed"))),
        ("data", _said(results.data_hash)),
        ("code", _said(results.code_hash)),
        *test_sets,
        ("contaminated test rows", str(len(results.contaminated))),
        ("prices", _said(costs and costs.prices)),
    ]


def _said(value: object) -> str:
    return NOT_RECORDED if value in (None, "") else str(value)
