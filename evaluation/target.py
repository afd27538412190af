"""The figure that a run is judged by, and which of its variants is best by it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from evaluation.comparison import PAIRS, Comparison, Pair
from evaluation.figures import LOWER_IS_BETTER
from evaluation.plan import Plan, gate_of
from evaluation.statistics import Estimate
from evaluation.suites import SUITES

UNTRAINED = ("base", "prompt")
DEFAULT_SUITE = "own"
BASELINE = "base"
_RECALL = "recall_"


@dataclass(frozen=True)
class Target:
    """The figure by which variants are ranked, and the variant `over` which it has to rise."""

    suite: str
    metric: str
    over: str = BASELINE

    @property
    def name(self) -> str:
        """The figure as rules name it: ``suite/metric``."""
        return f"{self.suite}/{self.metric}"

    @property
    def is_better_low(self) -> bool:
        """Whether less of it is better, as of figures that count faults."""
        return self.metric in LOWER_IS_BETTER


def target_of(plan: Plan, comparison: Comparison) -> Target | None:
    """The gate's first target that has a figure, else the main metric of `own`, else of the last suite.

    It is held over what the gate names, else over `baseline_of` the comparison. None where that has no suite.
    """
    for rule in gate_of(plan).get("rules") or ():
        suite, metric = str(rule.get("suite")), str(rule.get("metric"))
        if rule.get("kind") == "target" and _has_figure(comparison, suite, metric):
            return Target(suite, metric, str(rule.get("over") or baseline_of(comparison)))
    # By the suites' own order: the report arranges its comparison anew.
    suites = [suite for suite in SUITES if suite in comparison.rows]
    if not suites:
        return None
    suite = DEFAULT_SUITE if DEFAULT_SUITE in suites else suites[-1]
    return Target(suite, SUITES[suite].main_metric, baseline_of(comparison))


def baseline_of(comparison: Comparison) -> str:
    """What variants are held over where no rule says: `base`, else `prompt`, else what others were made from.

    `base` too where the comparison holds no two variants against each other.
    """
    held = {b for a, b in PAIRS if a in comparison.variants}
    return next((one for one in comparison.variants if one in held), BASELINE)


def value_of(comparison: Comparison, suite: str, variant: str, metric: str) -> float | None:
    """A variant's figure, or recall of a decision, as a share; None where it has none."""
    found = _estimate_of(comparison, suite, variant, metric)
    return found.value if found else None


def pair_of(comparison: Comparison, target: Target, variant: str) -> Pair | None:
    """The variant held against the target's `over` by it."""
    wanted = (target.suite, target.metric, variant, target.over)
    pairs = (*comparison.pairs, *comparison.guarded)
    return next((one for one in pairs if (one.suite, one.metric, one.a, one.b) == wanted), None)


def trained_of(comparison: Comparison) -> list[str]:
    """The variants that were trained, in the order in which variants are shown."""
    return [one for one in comparison.variants if one not in UNTRAINED]


def best_of(variants: Iterable[str], comparison: Comparison, target: Target) -> str | None:
    """The variant that is right on the most rows by the target; of equals the first, made by fewest stages.

    A row without a score is not right, as the gate ranks them. Those without a figure come last; None where
    there is no variant.
    """

    def rank(variant: str) -> int:
        found = _estimate_of(comparison, target.suite, variant, target.metric)
        if found is None or found.value is None:
            return -1
        counted = round(found.value * found.n)
        return found.n - counted if target.is_better_low else counted

    return max(variants, key=rank, default=None)


def _estimate_of(comparison: Comparison, suite: str, variant: str, metric: str) -> Estimate | None:
    summary = comparison.summaries.get(suite, {}).get(variant)
    if summary is None:
        return None
    is_recall = metric.startswith(_RECALL)
    return summary.recall.get(metric.removeprefix(_RECALL)) if is_recall else summary.metrics.get(metric)


def _has_figure(comparison: Comparison, suite: str, metric: str) -> bool:
    return any(value_of(comparison, suite, one, metric) is not None for one in comparison.variants)
