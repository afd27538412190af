"""Row caps: a seeded, stratified sample that depends on the rows' ids and not on their order."""

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence

from data.decisions import infer_decision
from data.rows import Row


def cap_rows(rows: Sequence[Row], cap: int, seed: int) -> list[Row]:
    """Keep `cap` rows (0 keeps all), each stratum in proportion, in the order given.

    A stratum is a decision; of preference rows, the pair of decisions chosen and rejected. The same ids and
    seed give the same rows whatever file or order they come in, and a larger cap keeps those of a smaller
    one as far as the proportions allow.
    """
    if cap <= 0 or cap >= len(rows):
        return list(rows)
    strata: dict[str, list[Row]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: _rank(row, seed)):
        strata[stratum_of(row)].append(row)
    shares = _allot({name: len(members) for name, members in strata.items()}, cap)
    kept = {row.id for name, members in strata.items() for row in members[: shares[name]]}
    return [row for row in rows if row.id in kept]


def stratum_of(row: Row) -> str:
    """The kind of row that a sample keeps in proportion."""
    if row.rejected is None:
        return row.expected.decision
    return f"{row.expected.decision} over {infer_decision(row.rejected[0])}"


def _rank(row: Row, seed: int) -> str:
    return hashlib.sha256(f"{seed}:{row.id}".encode()).hexdigest()


def _allot(sizes: Mapping[str, int], cap: int) -> dict[str, int]:
    """Share `cap` out in proportion: whole parts first, then the largest remainders, ties by name."""
    total = sum(sizes.values())
    shares = {name: cap * size // total for name, size in sizes.items()}
    by_remainder = sorted(sizes, key=lambda name: (-(cap * sizes[name] % total), name))
    for name in by_remainder[: cap - sum(shares.values())]:
        shares[name] += 1
    return shares
