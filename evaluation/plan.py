"""What an execution planned and came to know: ``plan.json``, as the report's job finds it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evaluation.jsonl import read_object
from jobs.doors import BadInput

PLAN_FILE = "plan.json"
Plan = Mapping[str, Any]


def read_plan(folder: Path) -> dict[str, Any]:
    """Read ``plan.json`` in a folder; without one, as outside of an execution, nothing is planned.

    Raises BadInput where it is no JSON object, or its gate, cost or jobs are none.
    """
    path = folder / PLAN_FILE
    if not path.is_file():
        return {}
    plan = read_object(path)
    for key in ("gate", "cost", "jobs", "input"):
        if not isinstance(plan.get(key) or {}, dict):
            raise BadInput(f"{path}: '{key}' is expected to be an object, as PlanRun and the gate write it")
    rules = gate_of(plan).get("rules") or []
    if not isinstance(rules, list) or not all(isinstance(rule, dict) for rule in rules):
        raise BadInput(f"{path}: gate.rules is expected to be a list of objects, as CheckGate writes it")
    return plan


def gate_of(plan: Plan) -> Mapping[str, Any]:
    """The gate's verdict; nothing is promoted where no gate was asked."""
    return plan.get("gate") or {"promoted": None, "rules": []}


def promoted_of(plan: Plan) -> str | None:
    """The variant that the gate lets pass, None for none."""
    promoted = gate_of(plan).get("promoted")
    return str(promoted) if promoted else None


def is_billed(plan: Plan) -> bool:
    """Whether AWS billed the run; on the embedded AWS nothing is, and its S3 ends with the run."""
    return (plan.get("cost") or {}).get("billed") is not False


def input_of(plan: Plan) -> Mapping[str, Any]:
    """The execution's input, with every default filled in."""
    return plan.get("input") or {}
