"""The list as text; names come from servers and folders, and are no markup."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from evaluation.history.cells import (
    average_cell,
    change_cell,
    cost_cell,
    figure_cell,
    p_cell,
    plain,
    tells_nothing,
)
from evaluation.history.listing import Line, Listing
from evaluation.history.runs import Run

WIDTH = 124
FAULTS_SHOWN = NOTES_SHOWN = 8
DIGEST_SHOWN = 8
PROMOTED, CHAMPION = "*", "@"

# Run id and variant of each champion.
Champions = Collection[tuple[str, str]]


def print_listing(
    console: Console, listing: Listing, link: str | None = None, champions: Champions = ()
) -> None:
    """Print a group: a table by variant and time, and beneath it what the table leaves out."""
    group = listing.group
    known = f"test set {group.digest[:DIGEST_SHOWN]}" if group.digest else "test set not recorded"
    console.print(plain(f"{group.suite}, {known}: {group.metric}, percent"), style="bold")
    setups = _setups(listing)
    console.print(_table_of(listing, setups, champions))
    for said in _legend(listing, setups, champions):
        console.print(plain(f"  {said}"))
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


def _legend(listing: Listing, setups: Mapping[tuple[str, str], str], champions: Champions) -> list[str]:
    """What the table's numbers and marks mean, as far as it has them, and which runs it does not count."""
    said = [
        f"setup {number}: base model {base_model or 'not recorded'}, recipe {recipe or 'not recorded'}"
        for (base_model, recipe), number in setups.items()
    ]
    if not listing.group.digest:
        said.append("Which rows these runs were tested on is not recorded: they cannot be compared.")
    marks = "".join(_marks(run, line.entry.variant, champions) for line, run in _shown(listing))
    if PROMOTED in marks:
        said.append(f"{PROMOTED}: promoted by its run's gate.")
    if CHAMPION in marks:
        said.append(f"{CHAMPION}: the registered model's champion.")
    said += [*_legend_of_changes(listing), *_repeats(listing, champions)]
    if any(line.entry.variant in run.variant_usd for line, run in _shown(listing)):
        said.append("cost: of the jobs that the variant needs, without those that all variants share.")
    if listing.earlier:
        earlier = "line is" if listing.earlier == 1 else "lines are"
        said.append(f"{listing.earlier} earlier {earlier} left out; --last N shows more.")
    return said


def _legend_of_changes(listing: Listing) -> list[str]:
    changes = [line.change for line in listing.lines if line.change is not None]
    if not changes:
        return []
    said = ["change: points over the line before, with the 95% interval of this change alone."]
    if len(changes) == 1:
        said.append("p: decides whether the change is real.")
    else:
        said.append(
            f"p: allows for all {len(changes)} changes shown (Holm) and decides which of them are real."
        )
    if any(map(tells_nothing, changes)):
        said.append("shows nothing: from so few seeds the change could be nearly any; run more of them.")
    return said


def _repeats(listing: Listing, champions: Champions) -> list[str]:
    """Earlier runs of a seed that the table counts once, each said once."""
    by_seed: dict[str, dict[str, str]] = {}
    for line in listing.lines:
        for run in line.entry.repeats:
            marks = by_seed.setdefault(run.seed, {})
            marks[run.run_id] = marks.get(run.run_id, "") + _marks(run, line.entry.variant, champions)
    return [
        f"also run with seed {seed}: {', '.join(name + marks for name, marks in names.items())},"
        " not counted twice"
        for seed, names in by_seed.items()
    ]


def _shown(listing: Listing) -> list[tuple[Line, Run]]:
    return [(line, run) for line in listing.lines for run in (*line.entry.runs, *line.entry.repeats)]


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


def _table_of(listing: Listing, setups: Mapping[tuple[str, str], str], champions: Champions) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    # Names are copied from here: they are folded, never cut.
    table.add_column("date", no_wrap=True)
    table.add_column("run", overflow="fold")
    table.add_column("setup")
    table.add_column("seed")
    for name in (listing.group.metric, "change", "p", "cost"):
        table.add_column(name, justify="right")
    variant = None
    for line in listing.lines:
        if line.entry.variant != variant:
            variant = line.entry.variant
            table.add_row(plain(variant), style="bold")
        _add_line(table, line, setups, champions)
    return table


def _add_line(table: Table, line: Line, setups: Mapping[tuple[str, str], str], champions: Champions) -> None:
    runs, variant = line.entry.runs, line.entry.variant
    setup = setups[runs[-1].base_model, runs[-1].recipe]
    is_several = len(runs) > 1
    change = (change_cell(line.change), p_cell(line.change))
    if is_several:
        cost = cost_cell([run.variant_usd.get(variant) for run in runs])
        name = f"{len(runs)} seeds"
        table.add_row(_date(runs[-1]), name, setup, "", average_cell(line.average), *change, cost)
    for run, figure in zip(runs, line.figures, strict=True):
        cells = (_date(run), _name(run, variant, is_several, champions), setup, plain(run.seed))
        cost = cost_cell([run.variant_usd.get(variant)])
        figures = (figure_cell(figure), *(("", "") if is_several else change), cost)
        table.add_row(*cells, *figures, style="dim" if is_several else None)


def _name(run: Run, variant: str, is_part: bool, champions: Champions) -> Text:
    return plain(f"{'  ' if is_part else ''}{run.run_id}{_marks(run, variant, champions)}")


def _marks(run: Run, variant: str, champions: Champions) -> str:
    promoted = PROMOTED if run.promoted == variant else ""
    champion = CHAMPION if (run.run_id, variant) in champions else ""
    return f" {promoted}{champion}" if promoted or champion else ""


def _date(run: Run) -> str:
    return f"{run.started:%Y-%m-%d}"
