"""Executions put side by side: those on one test set, and of these the ones that differ in the seed alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from evaluation.comparison import sort_variants
from evaluation.history.runs import Run
from evaluation.suites import SUITES


@dataclass(frozen=True)
class Entry:
    """What is shown as one: a variant of a run, or of several that differ in the seed alone.

    `runs`: the oldest first, one a seed; `repeats`: earlier runs of a seed that is among them.
    """

    variant: str
    runs: tuple[Run, ...]
    repeats: tuple[Run, ...] = ()


@dataclass(frozen=True)
class Group:
    """The executions on one test set of a suite, whose `digest` is empty where no run recorded it."""

    suite: str
    digest: str
    entries: Sequence[Entry]

    @property
    def metric(self) -> str:
        """The suite's main metric."""
        return SUITES[self.suite].main_metric

    @property
    def last_used(self) -> datetime:
        """When the newest of its runs began."""
        return max(entry.runs[-1].started for entry in self.entries)


def group_runs(runs: Sequence[Run], suite: str | None = None, variant: str | None = None) -> list[Group]:
    """Group usable runs, the oldest first, by suite and test set; `suite` and `variant` leave out all others.

    As the lines in them, groups go by date: the last used test set comes last, and suites of one run follow
    the suites' order.
    """
    groups = []
    for name in SUITES if suite is None else [suite]:
        by_digest: dict[str, list[Run]] = {}
        for run in runs:
            if not run.fault and run.variants_of(name, SUITES[name].main_metric):
                by_digest.setdefault(run.test_sets.get(name, ""), []).append(run)
        groups += [Group(name, digest, _entries(name, on_it, variant)) for digest, on_it in by_digest.items()]
    return sorted((group for group in groups if group.entries), key=lambda group: group.last_used)


def _entries(suite: str, runs: Sequence[Run], only: str | None) -> list[Entry]:
    """By variant, and of one variant the oldest first."""
    by_run = [(run, set(run.variants_of(suite, SUITES[suite].main_metric))) for run in runs]
    variants = sort_variants(set().union(*(variants for _, variants in by_run)))
    return [
        entry
        for variant in variants
        if only in (None, variant)
        for entry in _join_seeds(variant, [run for run, its in by_run if variant in its])
    ]


def _join_seeds(variant: str, runs: Sequence[Run]) -> list[Entry]:
    alike: dict[tuple[str, ...], list[Run]] = {}
    for run in runs:
        alike.setdefault(_all_but_seed(run), []).append(run)
    entries = [entry for same in alike.values() for entry in _join(variant, same)]
    return sorted(entries, key=lambda entry: entry.runs[-1].started)


def _join(variant: str, runs: Sequence[Run]) -> list[Entry]:
    by_seed = {run.seed: run for run in runs}
    if len(by_seed) == 1:
        return [Entry(variant, (run,)) for run in runs]
    newest = tuple(run for run in runs if by_seed[run.seed] is run)
    return [Entry(variant, newest, tuple(run for run in runs if by_seed[run.seed] is not run))]


def _all_but_seed(run: Run) -> tuple[str, ...]:
    """What two runs must share to be one experiment; where any of it is unknown, a run is alone."""
    known = (run.base_model, run.recipe, run.trained_on, run.seed)
    shared = (run.base_model, run.revision, run.recipe, run.trained_on, run.code)
    return shared if all(known) else (run.key,)
