"""Two runs held against each other, as text: the main figure in a sentence, then what else moved."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from evaluation.figures import LOWER_IS_BETTER
from evaluation.history.cells import p_cell, plain, points_cell, verdict_cell
from evaluation.history.two_runs import SuiteComparison
from evaluation.pairs import Pair
from evaluation.sentences import describe_pair

# As a share: what the table would show as +0.0 points.
UNSEEN = 0.0005


def print_comparisons(console: Console, found: Iterable[SuiteComparison]) -> None:
    """Print a suite each: a sentence a pair of variants, then the other figures that moved."""
    for one in found:
        rows = f"{one.suite}: {len(one.common.rows)} rows that both were tested on"
        console.print(plain(rows), style="bold")
        if one.common.left_out:
            console.print(
                f"  left out: {one.common.only_a} rows only in the first, {one.common.only_b} only in the "
                f"second, {one.common.changed} whose content differs"
            )
        for pair in one.pairs:
            console.print(plain(f"  {pair.metric}: {describe_pair(pair)}"), soft_wrap=True)
        _print_others(console, one.guarded)
        console.print()


def _print_others(console: Console, pairs: Sequence[Pair]) -> None:
    moved = [pair for pair in pairs if _has_moved(pair)]
    if moved:
        console.print(_table_of(moved))
        families = {pair.comparisons for pair in moved}
        if families != {1}:
            console.print(f"  p allows for the {max(families)} pairs of variants by each figure (Holm).")
    still = len(pairs) - len(moved)
    if still:
        others = "other figure did" if still == 1 else "other figures did"
        console.print(f"  {still} {others} not move{'; --json says all' if moved else ''}.")


def _has_moved(pair: Pair) -> bool:
    return pair.is_real or abs(pair.result.difference or 0.0) >= UNSEEN


def _table_of(pairs: Sequence[Pair]) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for name in ("figure", "variants"):
        table.add_column(name)
    for name in ("points", "p", "rows"):
        table.add_column(name, justify="right")
    table.add_column("")
    for pair in pairs:
        better = " (lower is better)" if pair.metric in LOWER_IS_BETTER else ""
        variants = " over ".join(dict.fromkeys(name.rpartition("/")[2] for name in (pair.a, pair.b)))
        figures = (points_cell(pair), p_cell(pair), str(pair.result.n), verdict_cell(pair))
        table.add_row(pair.metric + better, plain(variants), *figures)
    return table
