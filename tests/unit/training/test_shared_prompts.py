"""Pairs with a shared prompt: the same hidden states, gradients and losses as TRL's own way."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import (
    Gemma3ForCausalLM,
    Gemma3TextConfig,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    Qwen3Config,
    Qwen3ForCausalLM,
)

from tests.unit.training.test_training import DPO, LORA, SHORT, arguments, read_metrics
from training import dpo, trainers
from training.shared_prompts import Pairs, share_prompts

SIZES = {
    "vocab_size": 50,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 128,
}
MODELS: dict[str, Callable[[], PreTrainedModel]] = {
    "llama": lambda: LlamaForCausalLM(LlamaConfig(**SIZES)),
    "qwen3": lambda: Qwen3ForCausalLM(Qwen3Config(**SIZES, head_dim=8)),
    "eager": lambda: LlamaForCausalLM(LlamaConfig(**SIZES, attn_implementation="eager")),
}


def batch(pairs: list[tuple[list[int], list[int], list[int]]]) -> tuple[torch.Tensor, torch.Tensor]:
    """TRL's layout: chosen sequences, then rejected ones, padded on the right."""
    sequences = [prompt + chosen for prompt, chosen, _ in pairs] + [
        prompt + rejected for prompt, _, rejected in pairs
    ]
    longest = max(map(len, sequences))
    ids = torch.tensor([one + [0] * (longest - len(one)) for one in sequences])
    mask = torch.tensor([[1] * len(one) + [0] * (longest - len(one)) for one in sequences])
    return ids, mask


def hidden_and_gradient(
    model: PreTrainedModel, ids: torch.Tensor, mask: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    model.zero_grad()
    hidden = model.base_model(input_ids=ids, attention_mask=mask, use_cache=False).last_hidden_state
    kept = hidden * mask[:, :, None]
    kept.sin().sum().backward()
    gradient = model.base_model.layers[0].mlp.up_proj.weight.grad
    return kept.detach(), gradient.clone()


tokens = st.lists(st.integers(1, 49), min_size=1, max_size=9)


@pytest.mark.parametrize("name", MODELS)
def test_hidden_states_and_gradients_are_those_of_two_forwards(name: str) -> None:
    torch.manual_seed(0)
    plain = MODELS[name]()
    shared = copy.deepcopy(plain)
    assert share_prompts(shared)

    # Answers that begin alike, that are one token, and pairs of unlike length all come up.
    @settings(deadline=None, max_examples=40)
    @given(pairs=st.lists(st.tuples(tokens, tokens, tokens), min_size=1, max_size=3))
    def agree(pairs: list[tuple[list[int], list[int], list[int]]]) -> None:
        ids, mask = batch(pairs)
        (ours, our_gradient), (theirs, their_gradient) = (
            hidden_and_gradient(model, ids, mask) for model in (shared, plain)
        )
        torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(our_gradient, their_gradient, atol=1e-3, rtol=1e-3)

    agree()


def test_what_is_shared_runs_once() -> None:
    ids, mask = batch([([1, 2, 3, 4], [5, 6], [5, 7, 8]), ([1], [2], [3])])
    pairs = Pairs(ids, mask)
    assert pairs.input_ids.tolist() == [[1, 2, 3, 4, 5, 6, 7, 8], [1, 2, 3, 0, 0, 0, 0, 0]]
    assert pairs.position_ids.tolist()[0] == [0, 1, 2, 3, 4, 5, 5, 6]


def test_a_model_whose_attention_slides_is_left_as_it_is() -> None:
    model = Gemma3ForCausalLM(Gemma3TextConfig(**SIZES, head_dim=8, sliding_window=4))
    before = model.base_model.forward
    assert not share_prompts(model)
    assert model.base_model.forward == before


def test_a_batch_padded_on_the_left_runs_as_before() -> None:
    torch.manual_seed(0)
    plain = MODELS["llama"]()
    shared = copy.deepcopy(plain)
    share_prompts(shared)
    ids, mask = (part.flip(1) for part in batch([([1, 2], [3], [4, 5, 6])]))
    (ours, _), (theirs, _) = (hidden_and_gradient(model, ids, mask) for model in (shared, plain))
    assert torch.equal(ours, theirs)


@pytest.mark.parametrize("method", [[], LORA], ids=["full", "lora"])
def test_trl_computes_the_same_losses(
    method: list[str],
    tiny_model: Path,
    preference_rows: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls = []
    monkeypatch.setattr(trainers, "share_prompts", lambda model: calls.append(share_prompts(model)))
    dpo.main(arguments(DPO, tiny_model, preference_rows, tmp_path / "shared", *SHORT, *method))
    assert calls and all(calls)
    monkeypatch.setattr(trainers, "share_prompts", lambda model: False)
    dpo.main(arguments(DPO, tiny_model, preference_rows, tmp_path / "plain", *SHORT, *method))
    shared, plain = (read_metrics(tmp_path / name) for name in ("shared", "plain"))
    for ours, theirs in zip(shared, plain, strict=True):
        assert ours["loss"] == pytest.approx(theirs["loss"], rel=1e-4)
        assert ours["grad_norm"] == pytest.approx(theirs["grad_norm"], rel=1e-3)
