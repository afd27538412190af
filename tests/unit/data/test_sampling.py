"""Row caps: exact, in proportion, and the same rows whatever their order."""

import random
from collections import Counter
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.rows import DECISIONS, Decision, Expected, Row
from data.sampling import cap_rows, stratum_of


def row(identity: str, decision: Decision, rejected: str | None = None) -> Row:
    answer = None if rejected is None else ({"role": "assistant", "content": rejected},)
    return Row(
        identity, "", "[]", ({"role": "user", "content": "?"},), Expected(decision), None, answer, answer
    )


def rows_of(sizes: Mapping[Decision, int]) -> list[Row]:
    return [row(f"{decision}{i}", decision) for decision, size in sizes.items() for i in range(size)]


SIZES = st.dictionaries(st.sampled_from(DECISIONS), st.integers(1, 30), min_size=1)


@given(SIZES, st.integers(1, 130), st.integers(0, 5), st.randoms(use_true_random=False))
def test_a_cap_is_exact_in_proportion_and_blind_to_order(
    sizes: dict[Decision, int], cap: int, seed: int, shuffler: random.Random
) -> None:
    rows = rows_of(sizes)
    kept = cap_rows(rows, cap, seed)
    assert len(kept) == min(cap, len(rows))
    assert [one for one in rows if one in kept] == kept, "the order given is kept"
    counts = Counter(one.expected.decision for one in kept)
    for decision, size in sizes.items():
        assert abs(counts[decision] - len(kept) * size / len(rows)) < 1
    shuffled = shuffler.sample(rows, len(rows))
    assert {one.id for one in cap_rows(shuffled, cap, seed)} == {one.id for one in kept}


def test_zero_keeps_all() -> None:
    rows = rows_of({"direct": 5})
    assert cap_rows(rows, 0, seed=1) == rows


def test_seeds_differ() -> None:
    rows = rows_of({"direct": 60})
    assert cap_rows(rows, 20, seed=1) != cap_rows(rows, 20, seed=2)


@pytest.mark.parametrize(
    ("rejected", "stratum"),
    [
        (None, "tool_call"),
        ("Which city do you mean?", "tool_call over request_for_info"),
        ("I cannot do that with my tools.", "tool_call over cannot_answer"),
    ],
)
def test_preference_rows_are_sampled_by_the_pair_of_decisions(rejected: str | None, stratum: str) -> None:
    assert stratum_of(row("a", "tool_call", rejected)) == stratum
