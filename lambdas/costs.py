"""What a run costs at most: each job's longest time at the price of its instance."""

from __future__ import annotations

import datetime
import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

# Prices change a few times a year; an older table is still used, and said to be old.
STALE_DAYS = 180


class BudgetExceeded(Exception):
    """The run may cost more than its budget: the message holds the estimate, line by line."""


@dataclass(frozen=True)
class CostLine:
    """One job's share, of all its instances; `usd` is null where an instance's price is unknown."""

    job: str
    instance_type: str
    instance_count: int
    hours: float
    usd_per_hour: float | None
    usd: float | None


@dataclass(frozen=True)
class Prices:
    """On-demand list prices by instance type, the month (YYYY-MM) when they were read, and a note on both.

    `overridden`: the types whose price is not the list's, but was set by whoever deployed this.
    """

    as_of: str
    usd_per_hour: Mapping[str, float]
    note: str = "on-demand prices"
    overridden: frozenset[str] = frozenset()


def read_prices(path: Path, overrides: Mapping[str, float], today: datetime.date) -> Prices:
    """Return the dated table at `path` with `overrides` (instance type → USD per hour) laid over it."""
    table = json.loads(path.read_text(encoding="utf-8"))
    return Prices(
        as_of=table["as_of"],
        usd_per_hour={**table["usd_per_hour"], **overrides},
        note=_note(table["as_of"], today),
        overridden=frozenset(overrides),
    )


def _note(as_of: str, today: datetime.date) -> str:
    age = (today - datetime.date.fromisoformat(f"{as_of}-01")).days
    if age <= STALE_DAYS:
        return "on-demand prices"
    return (
        f"on-demand prices of {as_of}, {age} days old: read them again at "
        "https://aws.amazon.com/sagemaker/pricing/ and set what changed in instance_prices_usd"
    )


def describe_overridden(overridden: Collection[str]) -> str:
    """Return what a mention of list prices is to be followed by; nothing where all are the list's.

    >>> describe_overridden(["ml.g5.xlarge"])
    ', but ml.g5.xlarge as set in instance_prices_usd'
    """
    return f", but {', '.join(sorted(overridden))} as set in instance_prices_usd" if overridden else ""


def held_instances(config: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    """Yield types and numbers of the instances that a training job's ResourceConfig holds.

    Source: https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_ResourceConfig.html
    """
    if config.get("InstanceGroups"):
        for group in config["InstanceGroups"]:
            yield group["InstanceType"], group["InstanceCount"]
    elif instance_type := config.get("SelectedInstanceType") or config.get("InstanceType"):
        yield instance_type, config.get("SelectedInstanceCount") or config.get("InstanceCount") or 1


def cost_line(
    key: str, job: Mapping[str, Any], instance_type: str, usd_per_hour: Mapping[str, float]
) -> CostLine:
    """Return what the plan's `job` costs on `instance_type` if it runs as long as it may.

    Spot instances cost this or less.
    """
    hours = job["stopping_condition"]["MaxRuntimeInSeconds"] / 3600
    count = job["resource_config"]["InstanceCount"]
    price = usd_per_hour.get(instance_type)
    usd = None if price is None else round(hours * count * price, 2)
    return CostLine(key, instance_type, count, round(hours, 2), price, usd)


def at_most_usd(lines: list[CostLine]) -> float | None:
    """Return the sum of the lines, or None where a price is unknown."""
    amounts = [line.usd for line in lines]
    return None if None in amounts else round(sum(usd for usd in amounts if usd is not None), 2)


def is_affordable(lines: list[CostLine], budget_usd: float | None) -> bool:
    """Say whether the run surely stays within its budget."""
    total = at_most_usd(lines)
    return budget_usd is None or (total is not None and total <= budget_usd)


def explain_budget(
    lines: list[CostLine], budget_usd: float, as_of: str, overridden: Collection[str] = ()
) -> str:
    """Return why a run with these lines is not within its budget, and what can be done.

    `as_of`: the list's month; `overridden`: types whose price is not the list's.
    """
    unpriced = sorted({line.instance_type for line in lines if line.usd is None})
    if unpriced:
        return (
            f"budget_usd is {budget_usd:.2f}, but no price is known for {', '.join(unpriced)}: set it in the "
            "setting instance_prices_usd (instance type to USD an hour), or leave budget_usd out"
        )
    table = "; ".join(
        f"{line.job} {line.hours:g} h on {name_instances(line.instance_type, line.instance_count)} at "
        f"${line.usd_per_hour:g} = ${line.usd:.2f}"
        for line in lines
    )
    set_here = describe_overridden({line.instance_type for line in lines} & set(overridden))
    return (
        f"the run may cost up to ${at_most_usd(lines):.2f}, budget_usd is {budget_usd:.2f} (on-demand list "
        f"prices of {as_of}{set_here}, each job at its longest: {table}). Raise budget_usd, lower "
        "max_runtime_minutes, ask for fewer variants or a cheaper instance"
    )


def name_instances(instance_type: str, count: int) -> str:
    """Return a job's instances in words.

    >>> name_instances("ml.g5.xlarge", 1), name_instances("ml.g5.xlarge", 2)
    ('ml.g5.xlarge', '2 ml.g5.xlarge')
    """
    return instance_type if count == 1 else f"{count} {instance_type}"


def as_cost(
    lines: list[CostLine], prices: Prices, types: Collection[str], *, use_spot: bool
) -> dict[str, object]:
    """Return the `cost` block of the plan of a run that may take instances of these `types`."""
    overridden = sorted(prices.overridden & set(types))
    spot = "; spot instances cost less" if use_spot else ""
    return {
        **as_estimate(lines),
        "prices_as_of": prices.as_of,
        "usd_per_hour": {
            name: prices.usd_per_hour[name] for name in sorted(types) if name in prices.usd_per_hour
        },
        "overridden": overridden,
        "note": f"{prices.note}{describe_overridden(overridden)}{spot}",
    }


def as_estimate(lines: list[CostLine]) -> dict[str, object]:
    """Return what of the `cost` block depends on the instances that were chosen."""
    return {"at_most_usd": at_most_usd(lines), "lines": [asdict(line) for line in lines]}
