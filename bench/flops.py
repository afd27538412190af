"""What a forward costs, counted: tokens, head positions and pairs of query and key, and FLOPs from these."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from transformers import PreTrainedModel


@dataclass
class Work:
    """`tokens` forwarded, `positions` that the head saw, `pairs` of query and key in one layer."""

    tokens: int = 0
    positions: int = 0
    pairs: int = 0


def flops(model: PreTrainedModel, work: Work) -> int:
    """Floating-point operations, a multiplication and an addition being two.

    Per token: twice the weights of the linear layers below the head. Per position: twice the head's weights.
    Per pair: twice the size of a head for the score and as much for the value, for each head and layer.
    """
    config = model.config.get_text_config()
    linear = sum(one.weight.numel() for one in model.base_model.modules() if isinstance(one, torch.nn.Linear))
    head = model.get_output_embeddings().weight.numel()
    size = config.to_dict().get("head_dim") or config.hidden_size // config.num_attention_heads
    attention = 2 * size * config.num_attention_heads * config.num_hidden_layers
    return int(2 * (work.tokens * linear + work.positions * head + work.pairs * attention))


@contextmanager
def counted(model: PreTrainedModel) -> Iterator[Work]:
    """Count what the model is given while this is open; a plain forward is taken to attend causally."""
    work = Work()
    forests: list[Any] = []

    def below(_: torch.nn.Module, given: tuple[Any, ...], named: dict[str, Any]) -> None:
        tokens = named["input_ids"] if "input_ids" in named else given[0]
        work.tokens += tokens.numel()
        if "forest" in named:
            forests.append(named["forest"])
        else:
            work.pairs += len(tokens) * causal_pairs(tokens.shape[1])

    def head(_: torch.nn.Module, given: tuple[torch.Tensor, ...]) -> None:
        work.positions += given[0].shape[:-1].numel()

    hooks = [
        model.base_model.register_forward_pre_hook(below, with_kwargs=True),
        model.get_output_embeddings().register_forward_pre_hook(head),
    ]
    try:
        yield work
    finally:
        for hook in hooks:
            hook.remove()
        work.pairs += sum(one.pairs // one.layers for one in forests)


def causal_pairs(length: int) -> int:
    """Pairs of query and key in a causal sequence."""
    return length * (length + 1) // 2
