"""Any two runs held against each other, by the same statistics as the variants of one run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from evaluation.history.changes import CommonRows, common_rows, compare_entries
from evaluation.history.names import Named
from evaluation.history.runs import Row, Run, Scores, Store, Unreadable
from evaluation.pairs import Pair, allow_for_all, guarded_metrics
from evaluation.suites import SUITES
from jobs.doors import BadInput

# Below this share of common rows the sets are another test, not the same one with a row mended.
ENOUGH = 0.9


@dataclass(frozen=True)
class SuiteComparison:
    """Two runs on one suite: `pairs` by its main metric, `guarded` by every other share of rows."""

    suite: str
    common: CommonRows
    pairs: Sequence[Pair]
    guarded: Sequence[Pair]


def compare_runs(
    store: Store, a: Named, b: Named, *, suite: str | None = None, any_rows: bool = False
) -> list[SuiteComparison]:
    """Hold `a` against `b`, suite by suite, on the rows that both have with the same content.

    A name without a variant stands for each variant that both have. With `any_rows` they may share as few
    rows as they like. Raises BadInput where they share no suite, no variant or too few rows.
    """
    # A name without a variant takes the other's, so that only two named variants of one run differ.
    if a.run.key == b.run.key and (a.variant == b.variant or None in (a.variant, b.variant)):
        raise BadInput(_named_twice(a, b))
    shared = [name for name in SUITES if name in a.run.suites & b.run.suites and suite in (None, name)]
    if not shared:
        wanted = "a suite" if suite is None else f"the suite {suite!r}"
        raise BadInput(f"{a.run.run_id} and {b.run.run_id}: do not both have {wanted}: {_suites(a, b)}")
    return [_compare_suite(store, a, b, name, any_rows) for name in shared]


def other_code(a: Run, b: Run) -> bool:
    """Whether the two were made by different code, whose grader may differ too."""
    return bool(a.code and b.code and a.code != b.code)


def _compare_suite(store: Store, a: Named, b: Named, suite: str, any_rows: bool) -> SuiteComparison:
    metric = SUITES[suite].main_metric
    variants = _variants(a, b, suite, metric)
    common = common_rows(_rows(store, a.run, suite), _rows(store, b.run, suite))
    _check(common, suite, a.run, b.run, any_rows)
    held = [
        (
            (f"{a.run.run_id}/{one}", f"{b.run.run_id}/{other}"),
            [_scores(store, a.run, one, suite)],
            [_scores(store, b.run, other, suite)],
        )
        for one, other in variants
    ]
    by_metric = [
        allow_for_all([compare_entries(suite, name, names, common.rows, x, y) for names, x, y in held])
        for name in (metric, *guarded_metrics(SUITES[suite]))
    ]
    guarded = [pair for pairs in by_metric[1:] for pair in pairs if pair.result.n]
    return SuiteComparison(suite, common, by_metric[0], guarded)


def _variants(a: Named, b: Named, suite: str, metric: str) -> list[tuple[str, str]]:
    """The variants to compare: those named, or the same ones on both sides where a name says none."""
    ours, theirs = (one.run.variants_of(suite, metric) for one in (a, b))
    for one, known in ((a, ours), (b, theirs)):
        if one.variant is not None and one.variant not in known:
            raise BadInput(
                f"{one.run.run_id}: has no variant {one.variant!r} on {suite}; it has {', '.join(known)}"
            )
    chosen = [
        (one, other)
        for one in ([a.variant] if a.variant else ours)
        for other in ([b.variant] if b.variant else theirs)
        if (a.variant and b.variant) or one == other
    ]
    if not chosen:
        raise BadInput(
            f"{a.run.run_id} and {b.run.run_id}: have no variant in common on {suite}"
            f" ({', '.join(ours)}; {', '.join(theirs)}); name one of each: RUN/VARIANT RUN/VARIANT"
        )
    return chosen


def _check(common: CommonRows, suite: str, a: Run, b: Run, any_rows: bool) -> None:
    if common.rows and (any_rows or common.share >= ENOUGH):
        return
    found = (
        f"{suite}: {a.run_id} and {b.run_id} were not tested on the same rows: {len(common.rows)} are equal, "
        f"{common.only_a} are only in the first, {common.only_b} only in the second, "
        f"{common.changed} have one id and different contents"
    )
    hint = "compare them on the equal ones by --common-rows" if common.rows else "nothing can be compared"
    raise BadInput(f"{found}; {hint}")


def _rows(store: Store, run: Run, suite: str) -> Sequence[Row]:
    try:
        return store.read_rows(run, suite)
    except Unreadable as error:
        raise BadInput(f"{run.run_id}: {error}; it cannot be compared") from error


def _scores(store: Store, run: Run, variant: str, suite: str) -> Scores:
    try:
        return store.read_scores(run, variant, suite)
    except Unreadable as error:
        raise BadInput(f"{run.run_id}: {error}; it cannot be compared") from error


def _named_twice(a: Named, b: Named) -> str:
    name = "/".join(filter(None, (a.run.run_id, a.variant or b.variant)))
    return f"{name}: is what both names stand for; name another run, or two variants of this one"


def _suites(a: Named, b: Named) -> str:
    ours, theirs = (", ".join(sorted(one.run.suites)) or "none" for one in (a, b))
    return f"the first has {ours}, the second {theirs}"
