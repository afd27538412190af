"""Row caps: a seeded, stratified sample that depends on the rows' ids and not on their order."""

import hashlib
from collections.abc import Mapping

from data.rows import Row
from data.shapes.decisions import infer_decision

# Test rows are drawn by this one: runs of several seeds can be compared on what they were all asked.
TEST_SEED = 0


def stratum_of(row: Row) -> str:
    """The kind of row that a sample keeps in proportion: a decision.

    Of preference rows, the pair of decisions chosen and rejected.
    """
    if row.rejected is None:
        return row.expected.decision
    return f"{row.expected.decision} over {infer_decision(row.rejected[0])}"


def rank_of(identity: str, seed: int) -> bytes:
    """Where a row stands among those of its stratum: a sample of n keeps the n lowest ranks.

    So the same ids and seed give the same rows whatever file or order they come in, and a larger cap keeps
    those of a smaller one as far as the proportions allow.
    """
    return hashlib.sha256(f"{seed}:{identity}".encode()).digest()


def choose_conversations(sizes: Mapping[str, int], cap: int) -> dict[str, int]:
    """Choose whole conversations, of `sizes` rows each, that have `cap` rows together at most; 0 takes all.

    Returns how many rows of each are taken. A conversation is right if all of its turns are, so none is cut,
    but the first where not one would fit.
    """
    if cap <= 0:
        return dict(sizes)
    chosen: dict[str, int] = {}
    left = cap
    ranked = sorted(sizes, key=lambda name: (rank_of(name, TEST_SEED), name))
    for name in ranked:
        if sizes[name] <= left:
            chosen[name] = sizes[name]
            left -= sizes[name]
    return chosen or dict.fromkeys(ranked[:1], cap)


def allot(sizes: Mapping[str, int], cap: int) -> dict[str, int]:
    """Share `cap` rows out in proportion: whole parts first, then the largest remainders, ties by name.

    A cap of 0, or of more than there is, gives all.

    >>> allot({"tool_call": 60, "direct": 30, "cannot_answer": 10}, 11)
    {'tool_call': 7, 'direct': 3, 'cannot_answer': 1}
    """
    total = sum(sizes.values())
    if cap <= 0 or cap >= total:
        return dict(sizes)
    shares = {name: cap * size // total for name, size in sizes.items()}
    by_remainder = sorted(sizes, key=lambda name: (-(cap * sizes[name] % total), name))
    for name in by_remainder[: cap - sum(shares.values())]:
        shares[name] += 1
    return shares
