"""The figures of a run as MLflow's metrics, tags and parameters."""

from __future__ import annotations

from collections.abc import Mapping

from evaluation.comparison import Comparison
from evaluation.plan import input_of, promoted_of
from evaluation.registry.candidate import estimates_of, verdict_of
from evaluation.report.costs import costs_of
from evaluation.report.results import Results
from evaluation.suites import SUITES
from evaluation.target import Target, target_of

# What rises where a variant learns to call and not when not to.
OF_UNASKED_CALLS = ("irrelevance_accuracy", "over_call_rate")


def metrics_of(results: Results) -> dict[str, float]:
    """The figures, named ``suite/metric/variant``, ``cost/usd``, ``usd/variant`` and ``gate/promoted``.

    MLflow's pages put the metrics with one prefix into one section, so the variants of a metric stand side by
    side; several executions compare by equal names. Each metric is a chart there, so that only those of the
    suite's tables and the recall are logged; the table holds every figure. The run's page lists them in the
    order in which they are logged: those of the target first.
    """
    return {
        **_scored(results.comparison, target_of(results.plan, results.comparison)),
        **_judged(results.comparison),
        **_costs(results),
        **({"gate/promoted": float(promoted_of(results.plan) is not None)} if results.plan else {}),
    }


def metrics_by_variant(comparison: Comparison) -> dict[str, dict[str, float]]:
    """The main figures of each variant's own run, and those of calls unasked for, named ``suite/metric``.

    Without the variant in the name MLflow draws one chart a figure, with a bar for each run that has it.
    """
    return {
        variant: {
            f"{suite}/{name}": one.value
            for suite, summaries in comparison.summaries.items()
            if variant in summaries
            for name, one in estimates_of(summaries[variant]).items()
            if one.value is not None and name in _compared(suite)
        }
        for variant in comparison.variants
    }


def _compared(suite: str) -> tuple[str, ...]:
    main = SUITES[suite].main_metric
    return (main, *OF_UNASKED_CALLS) if SUITES[suite].kind == "generation" else (main,)


def tags_of(results: Results) -> dict[str, str | None]:
    """What runs are filtered and grouped by."""
    comparison, given = results.comparison, input_of(results.plan)
    target = target_of(results.plan, comparison)
    return {
        "variants": ",".join(comparison.variants),
        "promoted": promoted_of(results.plan),
        "gate": verdict_of(results.plan, None),
        "target": target.name if target else None,
        "recipe": _text(given.get("recipe")),
        "seed": _text(given.get("seed")),
        **{f"test_set.{suite}": one.digest for suite, one in comparison.test_sets.items()},
    }


def params_of(results: Results) -> dict[str, object]:
    """What was asked for, and how many rows tell: the columns of MLflow's list of runs."""
    given = input_of(results.plan)
    asked = {name: given[name] for name in ("base_model", "recipe", "seed", "use_spot") if name in given}
    rows = {f"test_rows.{suite}": one.rows for suite, one in results.comparison.test_sets.items()}
    return {**asked, **rows}


def table_of_figures(comparison: Comparison) -> dict[str, list[object]]:
    """Every figure as columns: a row a suite, variant and metric."""
    columns: dict[str, list[object]] = {
        name: [] for name in ("suite", "variant", "metric", "value", "low", "high", "n")
    }
    for suite, summaries in comparison.summaries.items():
        for variant, summary in summaries.items():
            for name, one in estimates_of(summary).items():
                cells = (suite, variant, name, one.value, one.low, one.high, one.n)
                for column, cell in zip(columns.values(), cells, strict=True):
                    column.append(cell)
    return columns


def _scored(comparison: Comparison, target: Target | None) -> dict[str, float]:
    found = {
        f"{suite}/{name}/{variant}": one.value
        for suite, summaries in comparison.summaries.items()
        for variant, summary in summaries.items()
        for name, one in estimates_of(summary).items()
        if one.value is not None and (name in SUITES[suite].shown or name not in summary.metrics)
    }
    first = (f"{target.name}/", f"{target.suite}/") if target else ()
    return dict(sorted(found.items(), key=lambda one: [not one[0].startswith(start) for start in first]))


def _judged(comparison: Comparison) -> dict[str, float]:
    return {
        f"{suite}/judge_{name}/{variant}": one.value
        for suite, reports in comparison.judge.items()
        for variant, report in reports.items()
        for name, one in report.metrics.items()
        if one.value is not None
    }


def _costs(results: Results) -> Mapping[str, float]:
    costs = costs_of(results.plan, results.comparison)
    if costs is None:
        return {}
    by_variant = {f"usd/{one.variant}": one.usd for one in costs.variants}
    return {name: usd for name, usd in {"cost/usd": costs.usd, **by_variant}.items() if usd is not None}


def _text(value: object) -> str | None:
    return None if value is None else str(value)
