"""What a run cost: a line a job, the estimate beside it, by variant and by point gained.

The plan of an execution holds all of it: seconds that AWS billed, times the dated price of the instance.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evaluation.comparison import Comparison
from evaluation.report.changes import MADE_FROM
from evaluation.report.moves import is_gain, pair_over
from evaluation.rounding import write_number
from evaluation.target import UNTRAINED, Target, target_of


@dataclass(frozen=True)
class JobCost:
    """One job. `usd`: what it cost, None as long as it has not ended or its price is unknown.

    `at_most_usd`: the estimate before the run. `status`: SageMaker's, None for a job that never began.
    """

    job: str
    instance_type: str
    billable_seconds: int | None
    usd_per_hour: float | None
    usd: float | None
    at_most_usd: float | None
    status: str | None


@dataclass(frozen=True)
class VariantCost:
    """What the jobs that a variant needs cost together, and what they gained over variant `over`.

    `points`: the target's figure over that variant, in percentage points, None where there is none to compare
    with. `is_better`: whether they are in the figure's favour. `usd_per_point`: None unless the gain is real.
    """

    variant: str
    usd: float | None
    points: float | None
    is_real: bool
    usd_per_point: float | None
    over: str | None = None
    is_better: bool = False


@dataclass(frozen=True)
class Costs:
    """A run's costs.

    `usd`: of all jobs whose cost is known, None where none is. `target`: the figure whose points are counted.
    `is_billed`: False for a run on the embedded AWS, whose amounts are what AWS would have billed.
    `overridden`: the instances whose price is not the list's, but was set.
    """

    lines: Sequence[JobCost]
    usd: float | None
    at_most_usd: float | None
    prices_as_of: str | None
    variants: Sequence[VariantCost]
    note: str
    target: Target | None = None
    is_billed: bool = True
    overridden: Sequence[str] = ()

    @property
    def prices(self) -> str:
        """Which prices these are."""
        dated = f"list prices of {self.prices_as_of}" if self.prices_as_of else "list prices"
        return f"{dated}, but {', '.join(self.overridden)} as set" if self.overridden else dated

    @property
    def gained(self) -> str:
        """What points are counted of, and over which variants."""
        over = " or ".join(dict.fromkeys(one.over for one in self.variants if one.over))
        figure = f" by {self.target.name}" if self.target else ""
        return f"{figure}{f' over {over}' if over else ''}"


def costs_of(plan: Mapping[str, Any], comparison: Comparison) -> Costs | None:
    """Read a plan's costs; None where the plan has none, as outside of an execution."""
    cost = plan.get("cost")
    if not isinstance(cost, Mapping):
        return None
    actual = cost.get("actual") or {}
    lines = _lines(cost.get("lines") or (), actual.get("lines") or ())
    known = _sum([line.usd for line in lines], whole=False)
    target = target_of(plan, comparison)
    return Costs(
        lines=lines,
        usd=known if known is None or actual.get("usd") is None else actual["usd"],
        at_most_usd=cost.get("at_most_usd"),
        prices_as_of=cost.get("prices_as_of"),
        variants=[_variant_cost(name, lines, target, comparison) for name in comparison.variants],
        note=str(cost.get("note") or ""),
        target=target,
        is_billed=cost.get("billed") is not False,
        overridden=[str(name) for name in cost.get("overridden") or ()],
    )


def describe_costs(costs: Costs) -> str:
    """Say what the run cost, and what each variant's gain came to.

    The amounts are those of the jobs that a variant needs: it alone would have cost so much.
    """
    figure = f" of {costs.target.name}" if costs.target else ""
    return " ".join([describe_total(costs), *(_describe_variant(one, figure) for one in costs.variants)])


def _lines(planned: Sequence[Mapping[str, Any]], actual: Sequence[Mapping[str, Any]]) -> list[JobCost]:
    estimates = {str(line["job"]): line for line in planned}
    found = {str(line["job"]): line for line in actual}
    return [_job_cost(job, estimates.get(job, {}), found.get(job, {})) for job in {**estimates, **found}]


def _job_cost(job: str, planned: Mapping[str, Any], actual: Mapping[str, Any]) -> JobCost:
    # The instance that ran need not be the one that was planned.
    line = {**planned, **{name: value for name, value in actual.items() if value is not None}}
    return JobCost(
        job=job,
        instance_type=str(line.get("instance_type") or ""),
        billable_seconds=actual.get("billable_seconds"),
        usd_per_hour=line.get("usd_per_hour"),
        usd=actual.get("usd"),
        at_most_usd=planned.get("usd"),
        status=actual.get("status"),
    )


def _variant_cost(
    variant: str, lines: Sequence[JobCost], target: Target | None, comparison: Comparison
) -> VariantCost:
    by_job = {line.job: line.usd for line in lines}
    usd = _sum([by_job.get(job) for job in jobs_of(variant)], whole=True)
    pair = pair_over(comparison, target, variant) if target else None
    if pair is None or pair.result.difference is None:
        return VariantCost(variant, usd, None, False, None)
    points = 100 * pair.result.difference
    is_better = points != 0 and is_gain(pair)
    pays = pair.is_real and is_better and usd is not None
    return VariantCost(
        variant=variant,
        usd=usd,
        points=points,
        is_real=pair.is_real,
        usd_per_point=usd / abs(points) if pays and usd is not None else None,
        over=pair.b,
        is_better=is_better,
    )


def jobs_of(variant: str) -> list[str]:
    """The jobs that a variant needs, as the plan names them, without those that all variants share.

    >>> jobs_of("sft-dpo")
    ['sft', 'sft_dpo', 'predict_sft_dpo']
    """
    trained: list[str] = []
    stage: str | None = variant
    while stage is not None and stage not in UNTRAINED:
        trained.insert(0, _job_name(stage))
        stage = MADE_FROM.get(stage)
    return [*trained, f"predict_{_job_name(variant)}"]


def _job_name(variant: str) -> str:
    return variant.replace("-", "_")


def _sum(amounts: Sequence[float | None], whole: bool) -> float | None:
    """The sum of the amounts that are known; with `whole` None where one is not."""
    known = [amount for amount in amounts if amount is not None]
    if not known or (whole and len(known) < len(amounts)):
        return None
    return sum(known)


def describe_total(costs: Costs) -> str:
    """Say what the run cost, or would have cost where nothing is billed, beside the estimate."""
    most = "" if costs.at_most_usd is None else f"estimated at no more than {format_usd(costs.at_most_usd)}"
    open_jobs = [line.job for line in costs.lines if line.usd is None]
    without = f"without {', '.join(open_jobs)}" if open_jobs and costs.usd is not None else ""
    if costs.is_billed:
        spent = "No cost is known yet" if costs.usd is None else f"The run cost {format_usd(costs.usd)}"
        return (
            f"{', '.join(filter(None, (spent, most)))} ({'; '.join(filter(None, (costs.prices, without)))})."
        )
    spent = (
        f"No cost at {costs.prices} is known yet"
        if costs.usd is None
        else f"The run would have cost {format_usd(costs.usd)} at {costs.prices}"
    )
    notes = "; ".join(filter(None, (most, without)))
    return f"{spent}{f' ({notes})' if notes else ''}; nothing was billed."


def _describe_variant(one: VariantCost, figure: str) -> str:
    spent = "cost unknown" if one.usd is None else format_usd(one.usd)
    if one.points is None:
        return f"{one.variant}: {spent}."
    gain = f"{write_number(one.points, signed=True)} points{figure} over {one.over}"
    if one.usd_per_point is not None:
        return f"{one.variant}: {spent} for {gain}, {format_usd(one.usd_per_point)} a point."
    if one.is_real and not one.is_better:
        return f"{one.variant}: {spent}, {gain}: a real loss."
    return f"{one.variant}: {spent}, {gain}: {'a real gain' if one.is_real else 'no gain beyond noise'}."


def format_usd(amount: float) -> str:
    """An amount in dollars; below a cent with the digits that say something.

    >>> format_usd(1234.5), format_usd(0.0042), format_usd(0)
    ('$1,234.50', '$0.0042', '$0.00')
    """
    return f"${amount:.2g}" if 0 < amount < 0.01 else f"${amount:,.2f}"
