"""Which variant of a run is worth keeping: the promoted one, else the best of those that were trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from evaluation.plan import Plan, gate_of, promoted_of
from evaluation.report.results import Results
from evaluation.statistics import Estimate
from evaluation.summary import Summary
from evaluation.target import Target, best_of, target_of

Verdict = Literal["passed", "failed", "none"]


@dataclass(frozen=True)
class Candidate:
    """A trained variant; `model_uri` is where its job left the weights, `gate` what the gate made of it."""

    variant: str
    model_uri: str
    training_job_name: str
    target: Target
    gate: Verdict


def choose_candidate(results: Results) -> Candidate | None:
    """The variant to register; None where none was trained, or the plan does not say where one lies."""
    target = target_of(results.plan, results.comparison)
    trained = [one for one in results.comparison.variants if _job_of(results.plan, one)]
    promoted = promoted_of(results.plan)
    best = None if target is None else best_of(trained, results.comparison, target)
    if target is None or best is None:
        return None
    variant = promoted if promoted in trained else best
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


def _job_of(plan: Plan, variant: str) -> Mapping[str, Any]:
    jobs = plan.get("jobs") or {}
    job: Mapping[str, Any] = jobs.get(variant.replace("-", "_")) or {}
    return job if job.get("kind") == "train" and job.get("model_uri") and job.get("name") else {}
