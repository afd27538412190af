"""What the forest forwards: every distinct prefix once, and nothing of it where a model does not allow it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import LlamaConfig, LlamaForCausalLM, MambaConfig, MambaForCausalLM, PreTrainedModel

from evaluation.model import Subject, load_subject
from evaluation.multiple_choice import attention, batches, predict_choices, predictions, scoring
from evaluation.multiple_choice.answers import EncodedAnswer, encode_question
from evaluation.multiple_choice.attention import block_bounds, runs, visible, visible_keys
from evaluation.multiple_choice.batches import Budget
from evaluation.multiple_choice.forest import Forest, plant
from evaluation.multiple_choice.scoring import can_share, score_answers
from tests.unit.evaluation.models import save_tiny_model
from tests.unit.evaluation.rows import ANSWERS, WEATHER, choice_row

sequences_of_tokens = st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=40), min_size=1, max_size=9)


@pytest.fixture(scope="module")
def subject(tmp_path_factory: pytest.TempPathFactory) -> Subject:
    return load_subject(save_tiny_model(tmp_path_factory.mktemp("model")))


def grow(sequences: Sequence[Sequence[int]], owners: Sequence[int], least_shared: int) -> Forest:
    return plant([np.asarray(one, np.int32) for one in sequences], owners, least_shared)


def prefixes(sequences: Sequence[Sequence[int]]) -> set[tuple[int, ...]]:
    return {tuple(one[:length]) for one in sequences for length in range(1, len(one) + 1)}


def a_row(number: int, question: str) -> dict[str, Any]:
    return {**choice_row("direct", f"r{number}"), "messages": [{"role": "user", "content": question}]}


@given(sequences=sequences_of_tokens)
def test_every_distinct_prefix_is_one_token_of_the_forest(sequences: list[list[int]]) -> None:
    forest = grow(sequences, list(range(len(sequences))), 1)
    assert len(forest) == len(prefixes(sequences))


@given(sequences=sequences_of_tokens, least_shared=st.integers(1, 8), data=st.data())
def test_a_token_sees_its_own_sequence_and_nothing_else(
    sequences: list[list[int]], least_shared: int, data: st.DataObject
) -> None:
    owners = [data.draw(st.integers(0, 2)) for _ in sequences]
    forest = grow(sequences, owners, least_shared)
    everything = np.arange(len(forest))
    seen = visible(forest, everything, everything, None)
    for sequence, path in zip(sequences, forest.paths, strict=True):
        assert forest.tokens[path].tolist() == sequence
        assert forest.positions[path].tolist() == list(range(len(sequence)))
        for depth, at in enumerate(path):
            assert np.flatnonzero(seen[at]).tolist() == path[: depth + 1].tolist()


@given(
    sequences=sequences_of_tokens,
    block=st.integers(1, 12),
    window=st.none() | st.integers(1, 20),
    data=st.data(),
)
def test_blocks_cover_every_query_once_and_every_key_it_sees(
    sequences: list[list[int]], block: int, window: int | None, data: st.DataObject
) -> None:
    owners = [data.draw(st.integers(0, 2)) for _ in sequences]
    forest = grow(sequences, owners, 3)
    everything = np.arange(len(forest))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(attention, "BLOCK", block)
        bounds = block_bounds(forest, window)
    assert [at for start, end, _ in bounds for at in range(start, end)] == everything.tolist()
    for start, end, causal in bounds:
        keys = np.arange(start, end) if causal else visible_keys(forest, start, end, window)
        seen = visible(forest, np.arange(start, end), everything, window)
        assert set(np.flatnonzero(seen.any(axis=0))) <= set(keys)
        assert (
            np.concatenate([np.arange(run.start, run.stop) for run in runs(keys)]).tolist() == keys.tolist()
        )
        if causal:
            assert (seen[:, start:end] == np.tri(end - start, dtype=bool)).all()


class Counts:
    """Tokens below the head and positions at it, of each forward."""

    def __init__(self) -> None:
        self.tokens: list[int] = []
        self.positions: list[int] = []


@pytest.fixture
def counts(subject: Subject) -> Iterator[Counts]:
    found = Counts()
    # Not counted: what finds out whether the model allows a forest at all.
    assert can_share(subject.model)

    def below(_: Any, given: Any, named: dict[str, Any]) -> None:
        found.tokens.append(named["input_ids"].numel())

    def head(_: Any, given: tuple[torch.Tensor, ...]) -> None:
        found.positions.append(len(given[0]))

    hooks = [
        subject.model.base_model.register_forward_pre_hook(below, with_kwargs=True),
        subject.model.get_output_embeddings().register_forward_pre_hook(head),
    ]
    yield found
    for hook in hooks:
        hook.remove()


def test_the_model_forwards_each_distinct_prefix_once(
    subject: Subject, counts: Counts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(predictions, "can_share", lambda model: True)
    rows = [a_row(number, text) for number, text in enumerate(["Paris?", "Paris, please", "7", "7"])]
    answers = [answer for row in rows for answer in encode_question(subject, row).answers.values()]
    found = [one for batch in predict_choices(subject, rows, budget=Budget(4096, 4096)) for one in batch]
    assert {one["id"] for one in found} == {"r0", "r1", "r2", "r3"}
    # The tools are shared by all rows, and two rows are the same.
    assert counts.tokens == [len(prefixes([answer.inputs.tolist() for answer in answers]))]
    scored = {
        tuple(answer.inputs[:length].tolist())
        for answer in answers
        for length in range(answer.context, len(answer.tokens))
    }
    assert sum(counts.positions) == len(scored), "the head sees what an answer is predicted at, once"


def test_the_head_takes_positions_in_parts_that_change_nothing(
    subject: Subject, counts: Counts, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = list(encode_question(subject, choice_row("direct")).answers.values())
    whole = score_answers(subject.model, answers)
    monkeypatch.setattr(scoring, "LOGITS_BYTES", 7 * 4 * subject.model.config.vocab_size)
    assert score_answers(subject.model, answers) == pytest.approx(whole, abs=1e-4)
    assert len(counts.positions) > 2
    assert max(counts.positions[1:]) == 7


@pytest.mark.parametrize(
    "budget", [(1, 1), (250, 250), (200, 600), (10_000, 10_000)], ids=["alone", "few", "shared", "all"]
)
def test_batches_hold_the_budget_and_begin_with_the_largest(
    subject: Subject, budget: tuple[int, int]
) -> None:
    rng = np.random.default_rng(0)
    rows = [a_row(number, "Paris " * int(rng.integers(1, 90))) for number in range(12)]
    questions = [encode_question(subject, row) for row in rows]
    packed = batches.pack(questions, Budget(*budget))
    assert sorted(one.id for batch in packed for one in batch) == sorted(row["id"] for row in rows)
    sizes = []
    for batch in packed:
        answers = [(answer.inputs, at) for at, one in enumerate(batch) for answer in one.answers.values()]
        sizes.append(len(plant([inputs for inputs, _ in answers], [owner for _, owner in answers])))
        assert sizes[-1] <= budget[1] or len(batch) == 1
    assert sizes == sorted(sizes, reverse=True)


def test_a_batch_that_memory_does_not_hold_is_split_until_one_row_fails(
    subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = scoring.score_answers
    tried = []
    usual = encode_question(subject, a_row(0, "Paris?")).answers.values()
    longest = max(len(answer.tokens) for answer in usual)

    def scarce(
        model: PreTrainedModel, answers: Sequence[EncodedAnswer], owners: Sequence[int]
    ) -> list[float]:
        tried.append(len(set(owners)))
        if len(set(owners)) > 2 or max(len(answer.tokens) for answer in answers) > longest:
            raise torch.OutOfMemoryError("no memory left")
        return real(model, answers, owners)

    monkeypatch.setattr(predictions, "score_answers", scarce)
    rows = [a_row(number, "Paris?") for number in range(5)] + [a_row(5, "Paris " * 100)]
    found = {
        one["id"]: one
        for batch in predict_choices(subject, rows, budget=Budget(10_000, 10_000))
        for one in batch
    }
    assert found["r5"]["error"].startswith("OutOfMemoryError: no memory left: ")
    assert found["r5"]["retry"] is True
    assert all(set(found[f"r{number}"]["choices"]) == set(ANSWERS) for number in range(5))
    assert tried[0] == 6, "it is tried whole first"


SIZES = {"vocab_size": 64, "hidden_size": 32, "num_hidden_layers": 2, "eos_token_id": 1, "bos_token_id": None}
HEADS = {"intermediate_size": 64, "num_attention_heads": 2, "max_position_embeddings": 64}


def llama_with(**fields: Any) -> PreTrainedModel:
    return LlamaForCausalLM(LlamaConfig(**{**SIZES, **HEADS, **fields})).eval()


def llama_of_other_attention() -> PreTrainedModel:
    model = llama_with()
    attend = model.model.layers[1].self_attn.forward

    # As a layer that does not ask for its attention by name.
    def fixed(*given: Any, **named: Any) -> Any:
        before, model.config._attn_implementation = model.config._attn_implementation, "sdpa"
        try:
            return attend(*given, **{name: one for name, one in named.items() if name != "forest"})
        finally:
            model.config._attn_implementation = before

    model.model.layers[1].self_attn.forward = fixed
    return model


def llama_whose_head_scales() -> PreTrainedModel:
    model = llama_with()
    plain = model.forward

    def forward(*given: Any, **named: Any) -> Any:
        found = plain(*given, **named)
        found.logits = found.logits * 3
        return found

    model.forward = forward
    return model


@pytest.mark.parametrize(
    ("build", "why"),
    [
        (lambda: MambaForCausalLM(MambaConfig(**SIZES)).eval(), "no attention at all"),
        (llama_of_other_attention, "one layer attends in its own way"),
        (llama_whose_head_scales, "the logits are more than the head's product"),
        (
            lambda: llama_with(rope_parameters={"rope_type": "dynamic", "factor": 2.0, "rope_theta": 1e4}),
            "positions turn by the longest of a forward",
        ),
        (lambda: llama_with(sliding_window=8), "a window of which the attention is not told"),
    ],
    ids=["mamba", "own_attention", "own_head", "dynamic_rope", "untold_window"],
)
def test_a_model_that_does_not_allow_it_is_not_shared(build: Any, why: str) -> None:
    torch.manual_seed(0)
    assert not can_share(build()), why


def test_a_plain_model_is_shared_where_those_are_not() -> None:
    torch.manual_seed(0)
    assert can_share(llama_with())


def test_rows_of_a_model_that_is_not_shared_are_scored_one_by_one(
    subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = [one for batch in predict_choices(subject, [choice_row("direct")]) for one in batch]
    monkeypatch.setattr(predictions, "can_share", lambda model: False)
    monkeypatch.setattr(predictions, "score_answers", None)
    alone = [one for batch in predict_choices(subject, [choice_row("direct")]) for one in batch]
    for name, choice in alone[0]["choices"].items():
        assert choice == pytest.approx(shared[0]["choices"][name], abs=1e-4)


def test_predictions_are_plain_json(subject: Subject) -> None:
    (batch,) = predict_choices(subject, [choice_row("direct")])
    assert json.loads(json.dumps(batch)) == batch


def test_rows_that_share_little_end_a_batch_before_rows_that_share_most(subject: Subject) -> None:
    alike = [a_row(number, f"Paris {number}?") for number in range(6)]
    apart = [
        {**a_row(number, "Paris?"), "tools": json.dumps([{**WEATHER, "name": f"{number} {WEATHER['name']}"}])}
        for number in range(6, 12)
    ]
    answers = list(encode_question(subject, apart[0]).answers.values())
    own = len(plant([answer.inputs for answer in answers], [0] * len(answers)))
    budget = Budget(own + own // 2, 20 * own)
    for rows, expected in ((alike, 1), (apart, 6)):
        assert len(batches.pack([encode_question(subject, row) for row in rows], budget)) == expected
