"""What `python -m evaluation.history` prints; names come from servers and folders, and are no markup."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from evaluation.figures import LOWER_IS_BETTER
from evaluation.history.listing import Line, Listing
from evaluation.history.runs import Run
from evaluation.history.two_runs import SuiteComparison
from evaluation.pairs import Pair
from evaluation.sentences import describe_pair
from evaluation.statistics import Estimate, SeedAverage

WIDTH = 118
FAULTS_SHOWN = NOTES_SHOWN = 8
DIGEST_SHOWN = 8
NONE = "—"
PROMOTED = " *"


def plain(text: str) -> Text:
    """A text as it is: no markup, and nothing that would steer a terminal."""
    return Text("".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in text))


def print_listing(console: Console, listing: Listing, link: str | None) -> None:
    """Print a group: a table by variant and time, and beneath it what the table leaves out."""
    group = listing.group
    known = f"test set {group.digest[:DIGEST_SHOWN]}" if group.digest else "test set not recorded"
    console.print(plain(f"{group.suite}, {known}: {group.metric}, percent"), style="bold")
    setups = _setups(listing)
    console.print(_table_of(listing, setups))
    for (base_model, recipe), number in setups.items():
        made = f"base model {base_model or 'not recorded'}, recipe {recipe or 'not recorded'}"
        console.print(plain(f"  setup {number}: {made}"))
    if not group.digest:
        console.print("  Which rows these runs were tested on is not recorded: they cannot be compared.")
    if any(run.promoted == line.entry.variant for line in listing.lines for run in line.entry.runs):
        console.print("  *: promoted by its run's gate.")
    changes = sum(line.change is not None for line in listing.lines)
    if changes:
        console.print(
            f"  change: points over the line before, 95% interval; p allows for all {changes} changes shown "
            "(Holm)."
        )
    if listing.earlier:
        console.print(f"  {listing.earlier} earlier lines are left out; --last N shows more.")
    _print_notes(console, listing)
    if link:
        console.print(plain(f"  MLflow: {link}"), soft_wrap=True)
    console.print()


def print_faults(console: Console, runs: Sequence[Run]) -> None:
    """Say which runs are in no table, and why."""
    left_out = [run for run in runs if run.fault]
    shown = [f"{run.run_id} {run.fault}" for run in left_out[-FAULTS_SHOWN:]]
    if len(left_out) > len(shown):
        shown.insert(0, f"{len(left_out) - len(shown)} more")
    if shown:
        console.print(plain(f"Not listed: {'; '.join(shown)}"))


def print_comparisons(console: Console, found: Iterable[SuiteComparison]) -> None:
    """Print two runs held against each other: a sentence a pair of variants, then the other figures."""
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
        if one.guarded:
            console.print(_other_figures(one.guarded))
        console.print()


def _print_notes(console: Console, listing: Listing) -> None:
    damaged = list(listing.notes.items())
    for run_id, said in damaged[:NOTES_SHOWN]:
        more = f" (and {len(said) - 1} more)" if len(said) > 1 else ""
        console.print(plain(f"  {run_id}: {said[0]}{more}"))
    if len(damaged) > NOTES_SHOWN:
        console.print(f"  {len(damaged) - NOTES_SHOWN} more runs cannot be read whole; --json says all.")


def _setups(listing: Listing) -> dict[tuple[str, str], str]:
    """A number for each base model and recipe that are shown, as a column for each is too wide."""
    runs = [run for line in listing.lines for run in line.entry.runs]
    setups = dict.fromkeys((run.base_model, run.recipe) for run in runs)
    return {setup: str(number) for number, setup in enumerate(setups, 1)}


def _table_of(listing: Listing, setups: Mapping[tuple[str, str], str]) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    # Names are copied from here: they are folded, never cut.
    table.add_column("date", no_wrap=True)
    table.add_column("run", overflow="fold")
    table.add_column("setup")
    table.add_column("seed")
    for name in (listing.group.metric, "change", "cost $"):
        table.add_column(name, justify="right")
    variant = None
    for line in listing.lines:
        if line.entry.variant != variant:
            variant = line.entry.variant
            table.add_row(plain(variant), style="bold")
        _add_line(table, line, setups)
    return table


def _add_line(table: Table, line: Line, setups: Mapping[tuple[str, str], str]) -> None:
    runs = line.entry.runs
    setup = setups[runs[-1].base_model, runs[-1].recipe]
    if len(runs) > 1:
        name = f"{len(runs)} seeds"
        figures = (_average(line.average), _change(line.change), _cost(runs))
        table.add_row(_date(runs[-1]), name, setup, "", *figures)
    for run, figure in zip(runs, line.figures, strict=True):
        is_part = len(runs) > 1
        change = "" if is_part else _change(line.change)
        cells = (_date(run), _name(run, line.entry.variant, is_part), setup, plain(run.seed))
        table.add_row(*cells, _figure(figure), change, _cost([run]), style="dim" if is_part else None)


def _name(run: Run, variant: str, is_part: bool) -> Text:
    return plain(f"{'  ' if is_part else ''}{run.run_id}{PROMOTED if run.promoted == variant else ''}")


def _average(one: SeedAverage | None) -> str:
    if one is None or one.spread is None:
        return NONE
    return f"{100 * one.mean:.1f} (sd {100 * one.spread:.1f}; {100 * one.lowest:.0f}–{100 * one.highest:.0f})"


def _other_figures(pairs: Sequence[Pair]) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for name in ("figure", "variants"):
        table.add_column(name)
    for name in ("points", "rows"):
        table.add_column(name, justify="right")
    table.add_column("")
    for pair in pairs:
        better = " (lower is better)" if pair.metric in LOWER_IS_BETTER else ""
        names = dict.fromkeys(name.rpartition("/")[2] for name in (pair.a, pair.b))
        variants = plain(" over ".join(names))
        table.add_row(pair.metric + better, variants, _points(pair), str(pair.result.n), _verdict(pair))
    return table


def _date(run: Run) -> str:
    return f"{run.started:%Y-%m-%d}"


def _figure(one: Estimate) -> str:
    if one.value is None:
        return NONE
    # Without comparison.json the server knows the figure alone.
    interval = "" if one.low is None or one.high is None else f" [{100 * one.low:.0f}, {100 * one.high:.0f}]"
    return f"{100 * one.value:.1f}{interval}"


def _change(pair: Pair | None) -> str:
    return NONE if pair is None else f"{_points(pair)} {_verdict(pair)}".strip()


def _points(pair: Pair) -> str:
    result = pair.result
    if result.difference is None or result.low is None or result.high is None:
        return NONE
    return f"{100 * result.difference:+.1f} [{100 * result.low:+.0f}, {100 * result.high:+.0f}]"


def _verdict(pair: Pair) -> str:
    if pair.result.difference is None:
        return ""
    return "real" if pair.is_real else "within noise"


def _cost(runs: Sequence[Run]) -> str:
    known = [run.cost_usd for run in runs if run.cost_usd is not None]
    return f"{sum(known):.2f}" if len(known) == len(runs) else NONE
