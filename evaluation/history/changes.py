"""One thing held against another: runs with runs, or seeds with seeds, on the rows that both have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from evaluation.history.runs import Row, Scores, digest_of_row
from evaluation.pairs import Pair, compare_scores, outcome_of, unit_of
from evaluation.statistics import PairedDifference, compare_seeds


@dataclass(frozen=True)
class CommonRows:
    """The rows that two test sets share, and how many are left out.

    `only_a`, `only_b`: ids that one alone has; `changed`: ids that both have with other content.
    """

    rows: Sequence[Row]
    only_a: int
    only_b: int
    changed: int

    @property
    def left_out(self) -> int:
        """How many ids are not compared."""
        return self.only_a + self.only_b + self.changed

    @property
    def share(self) -> float:
        """The compared rows as a share of all ids."""
        return len(self.rows) / max(len(self.rows) + self.left_out, 1)


def common_rows(a: Sequence[Row], b: Sequence[Row]) -> CommonRows:
    """Find the rows that have one id and one content in both."""
    ours = {str(row["id"]): digest_of_row(row) for row in a}
    theirs = {str(row["id"]): digest_of_row(row) for row in b}
    shared = ours.keys() & theirs.keys()
    equal = {one for one in shared if ours[one] == theirs[one]}
    rows = [row for row in a if str(row["id"]) in equal]
    return CommonRows(rows, len(ours) - len(shared), len(theirs) - len(shared), len(shared) - len(equal))


def compare_entries(
    suite: str,
    metric: str,
    names: tuple[str, str],
    rows: Sequence[Row],
    a: Sequence[Scores],
    b: Sequence[Scores],
) -> Pair:
    """Hold `a` against `b`, each the scores of one seed or of several, on rows that both answered."""
    if len(a) == len(b) == 1:
        result = compare_scores(suite, rows, a[0], b[0], metric)
    else:
        result = _compare_seeds(metric, rows, a, b)
    return Pair(suite, metric, *names, result)


def _compare_seeds(
    metric: str, rows: Sequence[Row], a: Sequence[Scores], b: Sequence[Scores]
) -> PairedDifference:
    columns, conversations = [], []
    for number, row in enumerate(rows):
        column = [outcome_of(row, scores.get(str(row["id"])), metric) for scores in (*a, *b)]
        if None not in column:
            columns.append([bool(one) for one in column])
            conversations.append(unit_of(row, number))
    by_seed = list(zip(*columns, strict=True)) if columns else [()] * (len(a) + len(b))
    found = compare_seeds(by_seed[: len(a)], by_seed[len(a) :], conversations)
    return PairedDifference(found.difference, found.low, found.high, found.p, found.n)
