"""Runs over time on the same test set, or any two of them held against each other.

    python -m evaluation.history [--suite S] [--variant V] [--last N]
    python -m evaluation.history RUN_A[/VARIANT] RUN_B[/VARIANT] [--suite S] [--common-rows]

RUN is a run's name or the start of it, `latest`, or `champion` (the registered model that has this alias).
The runs are those of the MLflow server named by MLFLOW_TRACKING_URI, or by --runs the folders of local ones.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from evaluation.history.differences import print_comparisons
from evaluation.history.groups import group_runs
from evaluation.history.listing import list_group
from evaluation.history.names import find_run, known_champions, nearest
from evaluation.history.plain import comparison_to_json, listing_to_json
from evaluation.history.runs import Run, Store
from evaluation.history.tables import WIDTH, print_faults, print_listing
from evaluation.history.two_runs import compare_runs, other_code
from evaluation.suites import SUITES
from jobs import container
from jobs.doors import BadInput, DoorParser, run_door

LAST = 10


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line, and list or compare. Raises BadInput, TrackingUnavailable."""
    given = _read_arguments(arguments)
    store = _open_store(given.runs, given.pages)
    runs = store.list_runs()
    if not runs:
        raise BadInput("no run is there yet; run the pipeline first")
    if given.names:
        _compare(store, runs, given)
    else:
        _list(store, runs, given)


def _list(store: Store, runs: Sequence[Run], given: argparse.Namespace) -> None:
    groups = group_runs(runs, given.suite, given.variant)
    if not groups and given.variant:
        known = sorted({one[2] for run in runs for one in run.values})
        raise BadInput(
            f"--variant {given.variant}: no run has it; the nearest are {nearest(given.variant, known)}"
        )
    listings = [list_group(store, group, given.last) for group in groups]
    links = [store.link(one.suite, one.digest) if one.digest else None for one in groups]
    champions = known_champions(store)
    if given.json:
        print(json.dumps(listing_to_json(listings, runs, links, champions), indent=1, allow_nan=False))
        return
    console = _console()
    for listing, link in zip(listings, links, strict=True):
        print_listing(console, listing, link, champions)
    print_faults(console, runs)


def _compare(store: Store, runs: Sequence[Run], given: argparse.Namespace) -> None:
    a, b = (find_run(name, runs, store) for name in given.names)
    found = compare_runs(store, a, b, suite=given.suite, any_rows=given.common_rows)
    if given.json:
        print(json.dumps(comparison_to_json(a.run, b.run, found), indent=1, allow_nan=False))
        return
    console = _console()
    print_comparisons(console, found)
    if other_code(a.run, b.run):
        console.print(
            "These runs were made by different code: if its grader changed, part of a difference is its."
        )


def _console() -> Console:
    # Into a file or a pipe no terminal says how wide it is.
    width = None if sys.stdout.isatty() else WIDTH
    return Console(width=width, highlight=False, markup=False, emoji=False)


def _open_store(runs: Path | None, pages: str | None) -> Store:
    if runs is not None:
        # Only here: MLflow takes two seconds to import, which folders need not pay.
        from evaluation.history.folder_store import FolderStore  # noqa: PLC0415

        return FolderStore(runs)
    environment = container.read_environment()
    if not environment.tracking_uri:
        raise BadInput("set MLFLOW_TRACKING_URI to the server, or name a folder of local runs by --runs")
    from evaluation.history.mlflow_store import MlflowStore  # noqa: PLC0415

    return MlflowStore(environment.tracking_uri, environment.experiment_name, pages)


def _read_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = DoorParser(
        prog="python -m evaluation.history",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="RUN[/VARIANT]", help="two runs to compare; none to list")
    parser.add_argument("--suite", choices=SUITES)
    parser.add_argument("--variant", help="list this one alone")
    parser.add_argument("--last", type=_count, default=LAST, metavar="N", help="lines a variant")
    parser.add_argument("--runs", type=Path, metavar="DIR", help="read the folders of local runs")
    parser.add_argument(
        "--pages", metavar="URL", help="where MLflow's pages are, if not at the server; / leaves it open"
    )
    parser.add_argument("--common-rows", action="store_true", help="compare on however few equal rows")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(arguments)
    if len(given.names) not in (0, 2):
        parser.error("name two runs to compare, or none to list them all")
    return given


def _count(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r}: say a number from 1 up")
    return int(text)


if __name__ == "__main__":
    run_door(main)
