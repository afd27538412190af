"""What jobs were billed: seconds by price, a line a job, and the sum in words."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from lambdas.costs import held_instances, name_instances

NOT_STARTED = "NotStarted"
# The job could not be described, so that nobody knows what it came to.
UNKNOWN = "Unknown"
# While a job goes on its billable seconds grow.
_GOING_ON = ("InProgress", "Stopping")
_UNBILLED = {
    "not ended": _GOING_ON,
    "not started": (NOT_STARTED,),
    "failed without billed seconds": ("Failed",),
    "stopped without billed seconds": ("Stopped",),
    "could not be described": (UNKNOWN,),
}


@dataclass(frozen=True)
class BilledLine:
    """One job: the seconds that are billed, the price of its instances, and what they come to.

    `billable_seconds` is the wall-clock time that SageMaker bills a single instance; with managed spot
    training it is shorter than `training_seconds` by the discount, so that it is multiplied by the on-demand
    price all the same. All three are null for a job that has not ended, that was never started, or that
    failed before it was billed; `usd` is null too where the price is unknown. Of a job on several types
    `instance_type` names all and `usd_per_hour` is an instance's mean. `status`: SageMaker's, or NotStarted,
    or Unknown for a job that could not be described.
    Source: https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_DescribeTrainingJob.html
    """

    job: str
    instance_type: str
    instance_count: int
    status: str
    billable_seconds: int | None
    training_seconds: int | None
    usd_per_hour: float | None
    usd: float | None


def bill_job(
    key: str, job: Mapping[str, Any], described: Mapping[str, Any] | None, usd_per_hour: Mapping[str, float]
) -> BilledLine:
    """Return the line of the job that the plan calls `key`; `described`: None where it was never created."""
    found = described or {"TrainingJobStatus": NOT_STARTED}
    held = list(held_instances(found.get("ResourceConfig") or {})) or list(
        held_instances(job["resource_config"])
    )
    count, price = sum(number for _, number in held), _mean_price(held, usd_per_hour)
    is_final = found["TrainingJobStatus"] not in _GOING_ON
    seconds = found.get("BillableTimeInSeconds") if is_final else None
    return BilledLine(
        job=key,
        instance_type=", ".join(dict.fromkeys(name for name, _ in held)),
        instance_count=count,
        status=found["TrainingJobStatus"],
        billable_seconds=seconds,
        training_seconds=found.get("TrainingTimeInSeconds") if is_final else None,
        usd_per_hour=price,
        usd=None if seconds is None or price is None else round(seconds * count * price / 3600, 4),
    )


def _mean_price(held: Sequence[tuple[str, int]], usd_per_hour: Mapping[str, float]) -> float | None:
    """What an instance costs an hour; None where the price of one is unknown."""
    if any(name not in usd_per_hour for name, _ in held):
        return None
    total = sum(usd_per_hour[name] * number for name, number in held)
    return round(total / sum(number for _, number in held), 6)


def as_actual(
    lines: Sequence[BilledLine], at_most_usd: float | None, planned: Collection[str]
) -> dict[str, Any]:
    """Return the block `cost.actual`; `planned`: the types of instances that the plan chose.

    Its `usd` is null where no job was billed, or one that was has no known price, or one is unknown.
    """
    amounts = [line.usd for line in lines if line.usd is not None]
    usd = round(sum(amounts), 4) if amounts and not any(_is_open(line) for line in lines) else None
    return {
        "usd": usd,
        "lines": [asdict(line) for line in lines],
        "statement": describe_actual(lines, at_most_usd, planned),
    }


def _is_open(line: BilledLine) -> bool:
    """Whether the job cost something that nobody knows."""
    return line.status == UNKNOWN or (line.billable_seconds is not None and line.usd is None)


def describe_actual(lines: Sequence[BilledLine], at_most_usd: float | None, planned: Collection[str]) -> str:
    """Say what the jobs came to, which was the dearest, and which are not in the sum.

    >>> line = BilledLine("sft", "ml.g5.xlarge", 1, "Completed", 1560, 1560, 1.408, 0.6101)
    >>> describe_actual([line], 18.4, ["ml.g5.xlarge"])
    '$0.61 of at most $18.40; dearest: sft $0.61 (1,560 s on ml.g5.xlarge at $1.408)'
    """
    priced = [(line.usd, line) for line in lines if line.usd is not None]
    bound = "" if at_most_usd is None else f" of at most ${at_most_usd:.2f}"
    if priced:
        least = "at least " if any(_is_open(line) for line in lines) else ""
        parts = [
            f"{least}{_dollars(sum(usd for usd, _ in priced))}{bound}",
            _dearest(*max(priced, key=lambda pair: pair[0])),
        ]
    else:
        parts = [
            f"{'an unknown amount' if any(_is_open(line) for line in lines) else 'nothing billed'}{bound}"
        ]
    return "; ".join([*parts, *_unpriced(lines, planned), *_uncounted(lines)])


def _unpriced(lines: Sequence[BilledLine], planned: Collection[str]) -> list[str]:
    unpriced = [line for line in lines if line.billable_seconds is not None and line.usd is None]
    said = {
        "set it in instance_prices_usd": [line for line in unpriced if line.instance_type in planned],
        "the plan holds prices of its own instances alone": [
            line for line in unpriced if line.instance_type not in planned
        ],
    }
    return [
        f"no price is known for {', '.join(sorted({line.instance_type for line in found}))} "
        f"({_jobs(found)}): {why}"
        for why, found in said.items()
        if found
    ]


def _uncounted(lines: Sequence[BilledLine]) -> list[str]:
    unbilled = [line for line in lines if line.billable_seconds is None]
    named = {status: words for words, statuses in _UNBILLED.items() for status in statuses}
    why: dict[str, list[BilledLine]] = {}
    for line in unbilled:
        why.setdefault(named.get(line.status, f"{line.status} without billed seconds"), []).append(line)
    return [f"{words}, so not counted: {_jobs(found)}" for words, found in why.items()]


def _dearest(usd: float, line: BilledLine) -> str:
    instances = name_instances(line.instance_type, line.instance_count)
    seconds = f"{line.billable_seconds:,} s on {instances} at ${line.usd_per_hour:g}"
    return f"dearest: {line.job} {_dollars(usd)} ({seconds})"


def _dollars(usd: float) -> str:
    return f"${usd:.2f}" if usd >= 0.01 or usd == 0 else f"${usd:.4f}"


def _jobs(lines: Sequence[BilledLine]) -> str:
    return ", ".join(line.job for line in lines)
