"""Row caps: exact, in proportion, and the same rows whatever their order."""

import random
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.rows import DECISIONS, Decision, Expected, Purpose, Row
from data.sampling import allot, stratum_of
from data.selection import sample as take
from data.store import Place, RowStore


def row(identity: str, decision: Decision, rejected: str | None = None) -> Row:
    answer = None if rejected is None else ({"role": "assistant", "content": rejected},)
    question = {"role": "user", "content": f"What about {identity}?"}
    return Row(identity, "", "[]", (question,), Expected(decision), None, answer, answer)


def rows_of(sizes: Mapping[Decision, int]) -> list[Row]:
    return [row(f"{decision}{i}", decision) for decision, size in sizes.items() for i in range(size)]


def sample(rows: Sequence[Row], cap: int, seed: int, purpose: Purpose = "test") -> list[Row]:
    with tempfile.TemporaryDirectory() as folder, RowStore(Path(folder), seed) as store:
        for number, one in enumerate(rows, start=1):
            store.add(one, Place("rows.jsonl", number))
        return [store.row(entry) for entry in take(store, purpose, cap)]


SIZES = st.dictionaries(st.sampled_from(DECISIONS), st.integers(1, 30), min_size=1)


@settings(max_examples=30, deadline=None)
@given(SIZES, st.integers(1, 130), st.integers(0, 5), st.randoms(use_true_random=False))
def test_a_cap_is_exact_in_proportion_and_blind_to_order(
    sizes: dict[Decision, int], cap: int, seed: int, shuffler: random.Random
) -> None:
    rows = rows_of(sizes)
    kept = sample(rows, cap, seed)
    assert len(kept) == min(cap, len(rows))
    assert [one for one in rows if one in kept] == kept, "the order given is kept"
    counts = Counter(one.expected.decision for one in kept)
    for decision, size in sizes.items():
        assert abs(counts[decision] - len(kept) * size / len(rows)) < 1
    shuffled = shuffler.sample(rows, len(rows))
    assert {one.id for one in sample(shuffled, cap, seed)} == {one.id for one in kept}


@given(st.dictionaries(st.text(max_size=3), st.integers(1, 50), min_size=1), st.integers(0, 400))
def test_shares_add_up_and_take_no_more_than_there_is(sizes: dict[str, int], cap: int) -> None:
    shares = allot(sizes, cap)
    assert sum(shares.values()) == (min(cap, sum(sizes.values())) or sum(sizes.values()))
    assert all(0 <= shares[name] <= size for name, size in sizes.items())


def test_zero_keeps_all() -> None:
    rows = rows_of({"direct": 5})
    assert sample(rows, 0, seed=1) == rows


def test_seeds_draw_other_training_rows() -> None:
    pairs = [row(f"pair{i}", "direct", rejected="No.") for i in range(60)]
    assert sample(pairs, 20, 1, "preference") != sample(pairs, 20, 2, "preference")


def test_every_seed_is_tested_on_the_same_rows() -> None:
    rows = rows_of({"direct": 60, "tool_call": 40})
    assert sample(rows, 20, seed=1) == sample(rows, 20, seed=2)


def test_a_sample_stays_what_it_was_with_earlier_versions() -> None:
    kept = sample(rows_of({"direct": 6, "tool_call": 4}), 5, seed=0)
    assert [one.id for one in kept] == ["direct2", "direct4", "direct5", "tool_call0", "tool_call1"]


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
