"""What a run came to, for a person who looks once: tables, differences, verdict, costs."""

from __future__ import annotations

import json
import textwrap
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from infra.local.results import read_plan

MAIN_METRICS = 2
# Of the rules that stopped a variant.
MAX_RULES = 3
WIDTH = 118


def print_summary(folder: Path) -> None:
    """Print a run's tables, what each variant's difference comes to, the gate's verdict and the costs."""
    comparison = json.loads((folder / "comparison.json").read_text())
    _print_tables(comparison)
    _print_differences(comparison)
    plan = read_plan(folder)
    _print_verdict(plan.get("gate", {}))
    print_costs(plan)


def _print_tables(comparison: dict[str, Any]) -> None:
    """Print one table a suite: a row a variant, main metrics and recall by decision, with 95% intervals."""
    console = Console(width=WIDTH, highlight=False)
    for suite, variants in comparison["suites"].items():
        table = Table(title=f"{suite}, in percent with 95% intervals", title_justify="left", box=SIMPLE_HEAD)
        table.add_column("variant")
        # The suite's main metrics stand first; the report has them all.
        main = [("metrics", name) for name in _measured(variants, "metrics")[:MAIN_METRICS]]
        columns = [*main, *(("recall", name) for name in _measured(variants, "recall"))]
        for group, name in columns:
            counts = {result[group][name]["n"] for result in variants.values()}
            title = name if group == "metrics" else f"recall of\n{name}"
            table.add_column(f"{title}\nn={'/'.join(map(str, sorted(counts)))}", justify="right")
        for variant, result in variants.items():
            table.add_row(variant, *(_cell(result[group][name]) for group, name in columns))
        console.print(table)


def _measured(variants: dict[str, Any], group: str) -> list[str]:
    """Names with a value in at least one variant: an empty class has no recall to show."""
    names = {name: None for result in variants.values() for name in result[group]}
    return [name for name in names if any(r[group][name]["value"] is not None for r in variants.values())]


def _cell(estimate: dict[str, Any]) -> str:
    if estimate["value"] is None:
        return "—"
    return f"{_percent(estimate['value'], '0.1')} [{_percent(estimate['low'])}, {_percent(estimate['high'])}]"


def _percent(share: float, step: str = "1") -> Decimal:
    """Round halves up, as the report does."""
    return Decimal(repr(round(100 * share, 9))).quantize(Decimal(step), ROUND_HALF_UP)


def _print_differences(comparison: dict[str, Any]) -> None:
    for suite in comparison["suites"]:
        pairs = [pair for pair in comparison["paired"] if pair["suite"] == suite]
        if pairs:
            print(f"{suite}, {pairs[0]['metric']}:")
            for pair in pairs:
                print(_wrapped(pair["statement"], "  "))
            print()


def _print_verdict(gate: dict[str, Any]) -> None:
    """Print which variant is promoted, and the rules that stopped each other one."""
    if not gate:
        return
    failed: dict[str, list[str]] = {}
    for rule in gate["rules"]:
        if not rule["passed"]:
            failed.setdefault(rule["variant"], []).append(rule["statement"])
    refused = gate["promoted"] is None and failed
    print(_wrapped(f"Gate: {'No variant is promoted.' if refused else gate['statement']}"))
    for variant, statements in failed.items():
        for statement in statements[:MAX_RULES]:
            print(_wrapped(f"{variant}: {statement}", "  "))
        if len(statements) > MAX_RULES:
            print(f"  {variant}: and {len(statements) - MAX_RULES} more, in report.html")


def print_costs(plan: dict[str, Any]) -> None:
    """Print what a run's jobs came to, where they were counted: for a failed one, until then."""
    actual = plan.get("cost", {}).get("actual", {})
    if actual:
        said = "nothing was billed here: this machine's seconds at the prices of the planned instances"
        print(_wrapped(f"Cost: {actual['statement']} ({said})."))


def _wrapped(text: str, indent: str = "") -> str:
    return textwrap.fill(
        text, WIDTH, initial_indent=indent, subsequent_indent=f"{indent}  ", break_on_hyphens=False
    )
