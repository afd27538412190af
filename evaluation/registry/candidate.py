"""Which variant of a run is worth keeping: the promoted one, else the best of those that were trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from evaluation.comparison import Comparison
from evaluation.figures import LOWER_IS_BETTER
from evaluation.plan import Plan, gate_of, promoted_of
from evaluation.report.results import Results
from evaluation.statistics import Estimate
from evaluation.suites import SUITES
from evaluation.summary import Summary

# As in the report: of the suites that a run may have, the one that its gains are counted by.
DEFAULT_SUITE = "own"

Verdict = Literal["passed", "failed", "none"]


@dataclass(frozen=True)
class Target:
    """The figure by which variants are ranked."""

    suite: str
    metric: str

    @property
    def is_better_low(self) -> bool:
        """Whether less of it is better, as of figures that count faults."""
        return self.metric in LOWER_IS_BETTER


@dataclass(frozen=True)
class Candidate:
    """A trained variant; `model_uri` is where its job left the weights, `gate` what the gate made of it."""

    variant: str
    model_uri: str
    training_job_name: str
    target: Target
    gate: Verdict


def target_of(plan: Plan, comparison: Comparison) -> Target:
    """The gate's first target, else the main metric of `own`, else that of the last suite."""
    for rule in gate_of(plan).get("rules") or ():
        if rule.get("kind") == "target" and rule.get("suite") in comparison.rows:
            return Target(str(rule["suite"]), str(rule["metric"]))
    suites = list(comparison.rows)
    suite = DEFAULT_SUITE if DEFAULT_SUITE in suites else suites[-1]
    return Target(suite, SUITES[suite].main_metric)


def choose_candidate(results: Results) -> Candidate | None:
    """The variant to register; None where none was trained, or the plan does not say where one lies."""
    target = target_of(results.plan, results.comparison)
    trained = [one for one in results.comparison.variants if _job_of(results.plan, one)]
    if not trained:
        return None
    promoted = promoted_of(results.plan)
    variant = promoted if promoted in trained else _best(trained, results.comparison, target)
    job = _job_of(results.plan, variant)
    return Candidate(
        variant, str(job["model_uri"]), str(job["name"]), target, verdict_of(results.plan, variant)
    )


def verdict_of(plan: Plan, variant: str | None) -> Verdict:
    """What the gate says of a variant, or of the whole run for None; ``none`` where it had no rules."""
    if not gate_of(plan).get("rules"):
        return "none"
    promoted = promoted_of(plan)
    return "passed" if promoted is not None and variant in (promoted, None) else "failed"


def estimates_of(summary: Summary) -> dict[str, Estimate]:
    """All figures of a variant on a suite by name, recalls as ``recall_<decision>``."""
    return {**summary.metrics, **{f"recall_{name}": one for name, one in summary.recall.items()}}


def value_of(comparison: Comparison, variant: str, target: Target) -> float | None:
    """A variant's figure; None where it has none."""
    summary = comparison.summaries.get(target.suite, {}).get(variant)
    one = None if summary is None else estimates_of(summary).get(target.metric)
    return None if one is None else one.value


def _best(trained: list[str], comparison: Comparison, target: Target) -> str:
    sign = -1 if target.is_better_low else 1

    def rank(variant: str) -> tuple[bool, float]:
        value = value_of(comparison, variant, target)
        return value is not None, 0.0 if value is None else sign * value

    # Of equals the first, which the fewest stages made.
    return max(trained, key=rank)


def _job_of(plan: Plan, variant: str) -> Mapping[str, Any]:
    jobs = plan.get("jobs") or {}
    job: Mapping[str, Any] = jobs.get(variant.replace("-", "_")) or {}
    return job if job.get("kind") == "train" and job.get("model_uri") and job.get("name") else {}
