"""Sampling: exact, and the same for a row whatever stands beside it."""

from __future__ import annotations

import dataclasses
from collections import Counter
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from evaluation.generation import Decoding
from evaluation.generation.decoding import row_seed
from evaluation.generation.sampling import RowNoise, warpers
from evaluation.model import Subject, load_subject
from tests.unit.evaluation.models import save_tiny_model
from tests.unit.evaluation.test_generation import generate, rows_of_lengths

SAMPLED = Decoding(12, temperature=1.0, seed=3)
DEVICE = torch.device("cpu")


@pytest.fixture(scope="module")
def subject(tmp_path_factory: pytest.TempPathFactory) -> Subject:
    return load_subject(save_tiny_model(tmp_path_factory.mktemp("model"), "qwen3"))


@settings(max_examples=20, deadline=None)
@given(st.permutations(range(6)), st.integers(1, 6))
def test_a_row_s_sample_is_the_same_in_any_order_and_company(
    subject: Subject, order: list[int], kept: int
) -> None:
    rows = rows_of_lengths(1, 9, 3, 20, 1, 2)
    alone = {}
    for row in rows:
        alone.update(generate(subject, [row], SAMPLED))
    together = generate(subject, [rows[number] for number in order[:kept]], SAMPLED)
    assert together == {name: alone[name] for name in together}


def test_seeds_and_rows_differ_and_a_seed_repeats(subject: Subject) -> None:
    rows = rows_of_lengths(1, 1)
    first = generate(subject, rows, SAMPLED)
    assert generate(subject, rows, SAMPLED) == first
    assert first["r0"]["completion"] != first["r1"]["completion"]
    other = generate(subject, rows, dataclasses.replace(SAMPLED, seed=4))
    assert other["r0"]["completion"] != first["r0"]["completion"]


@pytest.mark.parametrize(
    "close",
    [{"top_k": 1}, {"temperature": 1e-4}, {"temperature": 1e-6}, {"temperature": 1e-300}, {"top_p": 1e-9}],
)
def test_sampling_of_one_token_alone_is_greedy(subject: Subject, close: dict[str, Any]) -> None:
    rows = rows_of_lengths(1, 9, 3)
    assert generate(subject, rows, dataclasses.replace(SAMPLED, **close)) == generate(subject, rows)


@pytest.mark.parametrize(
    "decoding",
    [
        Decoding(temperature=1.0),
        Decoding(temperature=0.5),
        Decoding(temperature=2.5),
        Decoding(temperature=1.0, top_k=4),
        Decoding(temperature=1.0, top_p=0.7),
        Decoding(temperature=0.8, top_k=6, top_p=0.9),
    ],
    ids=["plain", "cold", "hot", "top-k", "top-p", "all"],
)
def test_tokens_are_as_frequent_as_the_softmax_says(decoding: Decoding) -> None:
    """Draws of many row ids against the distribution that transformers' own sampling draws from."""
    rows, vocabulary = 20_000, 12
    logits = torch.randn(vocabulary, generator=torch.Generator().manual_seed(1)).repeat(rows, 1)
    tokens = torch.zeros(rows, 1, dtype=torch.long)
    for warp in warpers(decoding):
        logits = warp(tokens, logits)
    drawn = RowNoise(decoding, [f"r{number}" for number in range(rows)], DEVICE)(tokens, logits).argmax(-1)
    expected = logits[0].softmax(-1) * rows
    counted = torch.bincount(drawn, minlength=vocabulary)
    possible = expected > 0
    assert not counted[~possible].any()
    assert (
        chisquare(counted[possible].numpy(), expected[possible].double().numpy(), sum_check=False).pvalue
        > 1e-3
    )


def test_the_first_token_of_a_model_follows_its_own_softmax(subject: Subject) -> None:
    """End to end over many rows of one prompt, by what the tokens say: some are parts of a sign."""
    row, draws = rows_of_lengths(1)[0], 600
    prompt = torch.tensor([subject.encode(subject.prompt_of(row))])
    with torch.inference_mode():
        chances = subject.model(prompt).logits[0, -1].double().softmax(-1).tolist()
    expected: Counter[str] = Counter()
    for token, chance in enumerate(chances):
        text = subject.tokenizer.decode([token], skip_special_tokens=False)
        expected["" if text == "<|im_end|>" else text] += chance * draws
    rows = [{**row, "id": f"r{number}"} for number in range(draws)]
    said = Counter(
        one["completion"] for one in generate(subject, rows, Decoding(1, temperature=1.0)).values()
    )
    common = [text for text, _ in expected.most_common(8)]
    counted = [said[text] for text in common]
    shares = [expected[text] for text in common]
    rest = draws - sum(counted), draws - sum(shares)
    assert min(shares) > 5
    assert chisquare([*counted, rest[0]], [*shares, rest[1]], sum_check=False).pvalue > 1e-3


def test_the_steps_of_a_row_draw_anew() -> None:
    noise = RowNoise(SAMPLED, ["a"], DEVICE)
    zeros = torch.zeros(1, 50)
    assert not torch.equal(noise(zeros, zeros), noise(zeros, zeros))


@given(st.integers(), st.text(max_size=20))
def test_a_row_s_seed_is_one_that_every_generator_takes(seed: int, row_id: str) -> None:
    assert 0 <= row_seed(seed, row_id) < 2**63


def test_the_seed_of_a_row_is_fixed_for_all_time() -> None:
    """A change here changes every published sample."""
    assert row_seed(0, "r0") == 8749274275572921667
