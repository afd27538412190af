"""Figures in words: an estimate, a difference between two variants, what a judge found."""

from __future__ import annotations

from evaluation.comparison import Pair
from evaluation.judge import JudgeReport
from evaluation.statistics import Estimate

SIGNIFICANCE = 0.05


def format_estimate(one: Estimate) -> str:
    """Write an estimate in percent with its interval.

    >>> format_estimate(Estimate(0.5, 0.24, 0.76, 10))
    '50.0 (24.0–76.0)'
    """
    if one.value is None or one.low is None or one.high is None:
        return "—"
    return f"{100 * one.value:.1f} ({100 * one.low:.1f}–{100 * one.high:.1f})"


def describe_pair(pair: Pair) -> str:
    """Say in words whether a difference is real, as far as these rows can tell."""
    result = pair.result
    if result.difference is None or result.low is None or result.high is None or pair.p_holm is None:
        return f"{pair.a} over {pair.b}: no row was scored for both"
    interval = f"{100 * result.low:+.1f} to {100 * result.high:+.1f}"
    verdict = "real" if pair.p_holm < SIGNIFICANCE else "within noise"
    return (
        f"{pair.a} over {pair.b}: {100 * result.difference:+.1f} points, 95% interval {interval}, "
        f"p = {pair.p_holm:.2g} (Holm), {result.n} rows: {verdict}"
    )


def describe_judge(report: JudgeReport) -> str:
    """Say what a judge made of a variant's answers, or why it says nothing."""
    if report.status == "not_run":
        return f"not run: {report.reason}"
    kappa = "none" if report.kappa.value is None else f"{report.kappa.value:.2f}"
    judge = f"{report.model}, prompt {report.prompt}, kappa {kappa} on {report.kappa.n} gold answers"
    if report.withheld:
        return f"withheld: {report.reason} ({judge})"
    accuracy, f1 = (format_estimate(report.metrics[name]) for name in ("accuracy", "macro_f1"))
    return f"accuracy {accuracy}, macro F1 {f1}, {report.judged} rows ({judge})"
