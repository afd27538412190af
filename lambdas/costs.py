"""What a run costs at most: each job's longest time at the price of its instance."""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

# Prices change a few times a year; an older table is still used, and said to be old.
STALE_DAYS = 180


class BudgetExceeded(Exception):
    """The run may cost more than its budget: the message holds the estimate, line by line."""


@dataclass(frozen=True)
class CostLine:
    """One job's share; `usd` is null where the instance's price is unknown."""

    job: str
    instance_type: str
    hours: float
    usd_per_hour: float | None
    usd: float | None


@dataclass(frozen=True)
class Prices:
    """On-demand list prices by instance type, the month (YYYY-MM) when they were read, and a note on both."""

    as_of: str
    usd_per_hour: Mapping[str, float]
    note: str = "on-demand prices"


def read_prices(path: Path, overrides: Mapping[str, float], today: datetime.date) -> Prices:
    """Return the dated table at `path` with `overrides` (instance type → USD per hour) laid over it."""
    table = json.loads(path.read_text(encoding="utf-8"))
    return Prices(
        as_of=table["as_of"],
        usd_per_hour={**table["usd_per_hour"], **overrides},
        note=_note(table["as_of"], today),
    )


def _note(as_of: str, today: datetime.date) -> str:
    age = (today - datetime.date.fromisoformat(f"{as_of}-01")).days
    if age <= STALE_DAYS:
        return "on-demand prices"
    return (
        f"on-demand prices of {as_of}, {age} days old: read them again at "
        "https://aws.amazon.com/sagemaker/pricing/ and set what changed in instance_prices_usd"
    )


def cost_line(job: str, instance_type: str, max_seconds: int, usd_per_hour: Mapping[str, float]) -> CostLine:
    """Return what `job` costs if it runs as long as it may; spot instances cost this or less."""
    hours = max_seconds / 3600
    price = usd_per_hour.get(instance_type)
    usd = None if price is None else round(hours * price, 2)
    return CostLine(job, instance_type, round(hours, 2), price, usd)


def at_most_usd(lines: list[CostLine]) -> float | None:
    """Return the sum of the lines, or None where a price is unknown."""
    amounts = [line.usd for line in lines]
    return None if None in amounts else round(sum(usd for usd in amounts if usd is not None), 2)


def is_affordable(lines: list[CostLine], budget_usd: float | None) -> bool:
    """Say whether the run surely stays within its budget."""
    total = at_most_usd(lines)
    return budget_usd is None or (total is not None and total <= budget_usd)


def explain_budget(lines: list[CostLine], budget_usd: float, as_of: str) -> str:
    """Return why a run with these lines is not within its budget, and what can be done."""
    unpriced = sorted({line.instance_type for line in lines if line.usd is None})
    if unpriced:
        return (
            f"budget_usd is {budget_usd:.2f}, but no price is known for {', '.join(unpriced)}: set it in the "
            "setting instance_prices_usd (instance type to USD an hour), or leave budget_usd out"
        )
    table = "; ".join(
        f"{line.job} {line.hours:g} h on {line.instance_type} at ${line.usd_per_hour:g} = ${line.usd:.2f}"
        for line in lines
    )
    return (
        f"the run may cost up to ${at_most_usd(lines):.2f}, budget_usd is {budget_usd:.2f} (on-demand list "
        f"prices of {as_of}, each job at its longest: {table}). Raise budget_usd, lower max_runtime_minutes, "
        "ask for fewer variants or a cheaper instance"
    )


def as_cost(
    lines: list[CostLine], as_of: str, usd_per_hour: Mapping[str, float], note: str
) -> dict[str, object]:
    """Return the `cost` block of a run's plan."""
    return {
        "at_most_usd": at_most_usd(lines),
        "lines": [asdict(line) for line in lines],
        "prices_as_of": as_of,
        "usd_per_hour": dict(usd_per_hour),
        "note": note,
    }
