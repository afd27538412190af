"""Attention over a forest of tokens, registered with transformers under a name of its own.

The queries are taken in blocks, each over the keys of its ancestors and its own alone, so that the cost stays
near the forest's own pairs of query and key: there is no mask of all tokens by all tokens. A tree's first
sequence attends causally to itself and needs no mask, which is what the kernels are fastest at.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.nn.functional import scaled_dot_product_attention, softmax
from transformers import AttentionInterface, PreTrainedModel

from evaluation.multiple_choice.forest import Forest, Indices

NAME = "toolwright_forest"
# Queries a block. A block looks at all of its own keys, those of other branches too, which is in vain.
BLOCK = 256
# What models hand to their attention that does not change what is attended to.
HARMLESS = {"position_ids", "use_cache", "cache_position", "output_attentions", "output_hidden_states"}


class NotShareable(Exception):
    """The model attends in a way that a forest does not follow."""


class Block(NamedTuple):
    """Queries `start` to `end` over `keys`. `mask` (queries, keys) is added to the scores; None is causal."""

    start: int
    end: int
    keys: Sequence[slice]
    mask: torch.Tensor | None

    @property
    def pairs(self) -> int:
        """Pairs of query and key that are weighed, those that the mask hides among them."""
        queries = self.end - self.start
        return queries * (queries + 1) // 2 if self.mask is None else self.mask.numel()


class ForestAttention:
    """What the layers attend to in one forward.

    `layers` counts those that asked, `windowed` those of them that see a window, `pairs` the pairs of query
    and key that they weighed, heads not counted.
    """

    def __init__(self, forest: Forest, device: torch.device, dtype: torch.dtype) -> None:
        """Masks are made in `dtype` on `device`, each when the first layer needs it."""
        self.forest, self.device, self.dtype = forest, device, dtype
        self.layers = self.windowed = self.pairs = 0
        self._plans: dict[tuple[int | None, bool], list[Block]] = {}

    def blocks(self, window: int | None, masked: bool) -> list[Block]:
        """The blocks of a layer that sees `window` positions; `masked`: give each a mask."""
        if (window, masked) not in self._plans:
            bounds = block_bounds(self.forest, 0 if masked else window)
            self._plans[window, masked] = [self._block(*each, window) for each in bounds]
        return self._plans[window, masked]

    def _block(self, start: int, end: int, causal: bool, window: int | None) -> Block:
        if causal:
            return Block(start, end, [slice(start, end)], None)
        keys = visible_keys(self.forest, start, end, window)
        hidden = ~visible(self.forest, np.arange(start, end), keys, window)
        mask = torch.zeros(hidden.shape, dtype=self.dtype, device=self.device)
        mask.masked_fill_(torch.from_numpy(hidden).to(self.device), -torch.inf)
        return Block(start, end, runs(keys), mask)


@contextmanager
def forest_attention(model: PreTrainedModel) -> Iterator[None]:
    """Have the model attend over a forest, which its forward is then to be given as ``forest``."""
    config = model.config.get_text_config()
    before = config._attn_implementation
    config._attn_implementation = NAME
    try:
        yield
    finally:
        config._attn_implementation = before


def attend(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    *,
    scaling: float | None = None,
    dropout: float = 0.0,
    sliding_window: int | None = None,
    softcap: float | None = None,
    forest: ForestAttention | None = None,
    **others: Any,
) -> tuple[torch.Tensor, None]:
    """Attend as `transformers.AttentionInterface` asks: (1, heads, tokens, size) to (1, tokens, heads, size).

    Raises NotShareable where a layer wants more than scaling, a window and a soft cap.
    """
    more = sorted(name for name, given in others.items() if given is not None and name not in HARMLESS)
    if forest is None or attention_mask is not None or dropout or more:
        raise NotShareable(f"the attention of {type(module).__name__} takes {', '.join(more) or 'a mask'}")
    forest.layers += 1
    forest.windowed += sliding_window is not None
    _, heads, tokens, size = query.shape
    groups = key.shape[1]
    # A group of query heads lies before its one key head, which is seen by all of them without being copied.
    queries = query[0].view(groups, heads // groups, tokens, size)
    keys, values = (each[0][:, None].expand(-1, heads // groups, -1, -1) for each in (key, value))
    out = value.new_empty(1, tokens, heads, value.shape[-1])
    for block in forest.blocks(sliding_window, softcap is not None):
        some = queries[:, :, block.start : block.end]
        seen, worth = _taken(keys, block.keys), _taken(values, block.keys)
        if softcap is None:
            found = scaled_dot_product_attention(
                some, seen, worth, attn_mask=block.mask, is_causal=block.mask is None, scale=scaling
            )
        else:
            found = _softcapped(some, seen, worth, block.mask, scaling or size**-0.5, softcap)
        forest.pairs += block.pairs
        out[0, block.start : block.end] = found.flatten(0, 1).transpose(0, 1)
    return out, None


AttentionInterface.register(NAME, attend)


def block_bounds(forest: Forest, window: int | None) -> list[tuple[int, int, bool]]:
    """Cut the queries: (start, end, whether the block is a tree's first sequence, causal over itself alone).

    Sequences that are longer than `window` are never taken as causal.
    """
    bounds: list[tuple[int, int, bool]] = []
    open_for: int | None = None
    ends = [start for start, _ in forest.parts[1:]] + [len(forest)]
    for (start, owner), end in zip(forest.parts, ends, strict=True):
        if forest.positions[start] == 0 and (window is None or end - start <= window):
            bounds.append((start, end, True))
            open_for = None
            continue
        if open_for == owner and end - bounds[-1][0] <= BLOCK:
            # The branches of one row are few tokens each: one block takes them together.
            bounds[-1] = (bounds[-1][0], end, False)
            continue
        bounds += [(at, min(at + BLOCK, end), False) for at in range(start, end, BLOCK)]
        open_for = owner
    return bounds


def visible_keys(forest: Forest, start: int, end: int, window: int | None) -> Indices:
    """The keys that any query of a block sees: the ancestors of its first one, and the block itself.

    In depth-first order an ancestor of a later query is either in the block or an ancestor of the first.
    """
    ancestors = np.flatnonzero(forest.ends[:start] > start)
    if window is not None:
        ancestors = ancestors[forest.positions[ancestors] > forest.positions[start:end].min() - window]
    return np.concatenate([ancestors, np.arange(start, end)])


def visible(forest: Forest, queries: Indices, keys: Indices, window: int | None) -> np.ndarray:
    """Which query sees which key, (queries, keys)."""
    seen = (keys <= queries[:, None]) & (queries[:, None] < forest.ends[keys])
    if window is not None:
        seen &= forest.positions[queries][:, None] - forest.positions[keys] < window
    return np.asarray(seen)


def runs(indices: Indices) -> list[slice]:
    """Ascending indices as slices."""
    breaks = np.flatnonzero(np.diff(indices) != 1) + 1
    return [slice(int(run[0]), int(run[-1]) + 1) for run in np.split(indices, breaks)]


def _taken(states: torch.Tensor, keys: Sequence[slice]) -> torch.Tensor:
    if len(keys) == 1:
        return states[:, :, keys[0]]
    # Copied once a group, and expanded again.
    copied = torch.cat([states[:, :1, each] for each in keys], dim=2)
    return copied.expand(-1, states.shape[1], -1, -1)


def _softcapped(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    mask: torch.Tensor | None,
    scaling: float,
    softcap: float,
) -> torch.Tensor:
    """Gemma 2's attention, whose scores pass through a tanh that no fused kernel has."""
    scores = torch.tanh(query @ key.transpose(-1, -2) * (scaling / softcap)) * softcap
    weights = softmax(scores if mask is None else scores + mask, dim=-1, dtype=torch.float32)
    return weights.to(query.dtype) @ value
