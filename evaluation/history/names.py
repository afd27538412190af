"""Names of runs as a person types them: the whole name, its start, `latest` or `champion`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from evaluation.history.runs import Run, Store
from jobs.doors import BadInput

LATEST, CHAMPION = "latest", "champion"
SHOWN = 5


@dataclass(frozen=True)
class Named:
    """A run, and the variant of it where the name says one."""

    run: Run
    variant: str | None


def find_run(name: str, runs: Sequence[Run], store: Store) -> Named:
    """Find what ``RUN[/VARIANT]`` names among `runs`, the oldest first.

    Raises BadInput for none or several, with the nearest names.
    """
    wanted, _, variant = name.partition("/")
    if wanted == CHAMPION:
        wanted, of_champion = _find_champion(store)
        if variant and of_champion and variant != of_champion:
            raise BadInput(
                f"{name}: the champion is {wanted}/{of_champion}; name the run for another variant of it:"
                f" {wanted}/{variant}"
            )
        variant = of_champion or variant
    if wanted == LATEST:
        return Named(_latest(runs), variant or None)
    run = _by_name(wanted, runs)
    if run.fault:
        raise BadInput(f"{run.run_id}: cannot be compared: {run.fault}; name another run")
    return Named(run, variant or None)


def known_champions(store: Store) -> frozenset[tuple[str, str]]:
    """Run id and variant of each champion; none where no registry answers, which a list can do without."""
    try:
        return frozenset(store.champions().values())
    except BadInput:
        return frozenset()


def nearest(name: str, known: Sequence[str]) -> str:
    """The known names that are like this one, or else the last few, as a list in words."""
    like = get_close_matches(name, known, n=SHOWN, cutoff=0.5)
    return ", ".join(like or list(known)[-SHOWN:]) or "none"


def _by_name(name: str, runs: Sequence[Run]) -> Run:
    # A run started again under its name is there twice: the newer one counts.
    whole = [run for run in runs if run.run_id == name]
    found = whole[-1:] or [run for run in runs if name and run.run_id.startswith(name)]
    if len(found) == 1:
        return found[0]
    names = [run.run_id for run in (found or runs)]
    if found:
        which = "the last of them " if len(found) > SHOWN else ""
        raise BadInput(f"{name}: {len(found)} runs begin so: {which}{', '.join(names[-SHOWN:])}")
    raise BadInput(f"{name}: no run has this name; the nearest are {nearest(name, names)}")


def _latest(runs: Sequence[Run]) -> Run:
    usable = [run for run in runs if not run.fault]
    if not usable:
        raise BadInput("latest: no run has come to its end")
    return usable[-1]


def _find_champion(store: Store) -> tuple[str, str]:
    champions = store.champions()
    if not champions:
        raise BadInput("champion: no registered model has this alias, which a run's gate gives")
    if len(champions) > 1:
        each = ", ".join(f"{model}: {run_id}/{variant}" for model, (run_id, variant) in champions.items())
        raise BadInput(f"champion: {len(champions)} models have one; name the run itself ({each})")
    return next(iter(champions.values()))
