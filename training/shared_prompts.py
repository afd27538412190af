"""Preference pairs with one forward for what the two answers share.

TRL runs a batch of pairs as one of twice the size: every prompt goes through the model twice, although a
causal model computes the same for both. Here a pair is one sequence, prompt | chosen | rejected, in which the
rejected answer does not see the chosen one and counts its positions from the prompt's end. The hidden states
are laid out again as TRL expects them, so that its losses, references and adapters stay its own.
"""

from __future__ import annotations

import types
from typing import Any

import torch
from transformers import PreTrainedModel
from transformers.modeling_outputs import BaseModelOutputWithPast

# What takes a mask of any shape. Flash attention takes none.
MASKED_ATTENTION = ("sdpa", "eager")


def share_prompts(model: PreTrainedModel) -> bool:
    """Let a causal model run pairs this way, batches of (chosen…, rejected…) padded on the right.

    Returns False, and leaves the model as it is, where its attention cannot be masked so: flash attention,
    sliding windows, and models that are not attention alone.
    """
    if not _is_masked_freely(model):
        return False
    backbone = model.base_model
    forward_alone = backbone.forward

    def forward(self: PreTrainedModel, **inputs: Any) -> Any:
        ids, mask = inputs.get("input_ids"), inputs.get("attention_mask")
        if ids is None or mask is None or mask.dim() != 2 or len(ids) % 2 or not bool(mask[:, 0].all()):
            return forward_alone(**inputs)
        pairs = Pairs(ids, mask)
        given = {**inputs, "input_ids": pairs.input_ids, "position_ids": pairs.position_ids}
        hidden = forward_alone(**{**given, "attention_mask": pairs.mask(self.dtype)}).last_hidden_state
        return BaseModelOutputWithPast(last_hidden_state=pairs.unpack(hidden))

    backbone.forward = types.MethodType(forward, backbone)
    return True


class Pairs:
    """A batch of pairs as one sequence each.

    `input_ids`, `mask`: (2 × pairs, tokens), the chosen half first. The packed tensors are (pairs, width),
    width the longest of prompt + chosen + rejected.
    """

    def __init__(self, input_ids: torch.Tensor, mask: torch.Tensor) -> None:
        chosen, rejected = input_ids.chunk(2)
        kept, kept_rejected = mask.bool().chunk(2)
        same = (chosen == rejected) & kept & kept_rejected
        shared = same.long().cumprod(dim=1).sum(dim=1, keepdim=True)
        places = torch.arange(input_ids.shape[1], device=input_ids.device).expand_as(chosen)
        after = kept.sum(dim=1, keepdim=True)
        moved = torch.where(places < shared, places, places + after - shared)
        width = int((after - shared + kept_rejected.sum(dim=1, keepdim=True)).max())
        # Padding goes to a place behind the last, which is cut off.
        self._chosen_places = places.masked_fill(~kept, width)
        self._rejected_places = moved.masked_fill(~kept_rejected, width)
        self._width = width
        self._starts = (shared, after)
        self.input_ids = self._pack(chosen, rejected)
        self.position_ids = self._pack(places, places)

    def mask(self, dtype: torch.dtype) -> torch.Tensor:
        """What each position sees, to be added to the attention's scores: (pairs, 1, width, width)."""
        shared, after = self._starts
        places = torch.arange(self._width, device=self.input_ids.device)
        is_chosen = (places >= shared) & (places < after)
        is_rejected = places >= after
        hidden = is_rejected[:, :, None] & is_chosen[:, None, :] | (places[None, :] > places[:, None])
        return torch.zeros(hidden.shape, dtype=dtype, device=hidden.device).masked_fill(
            hidden, torch.finfo(dtype).min
        )[:, None]

    def unpack(self, hidden: torch.Tensor) -> torch.Tensor:
        """Lay (pairs, width, size) out as (2 × pairs, tokens, size), with anything in the padding."""
        places = torch.cat([self._chosen_places, self._rejected_places]).clamp(max=self._width - 1)
        doubled = hidden.repeat(2, 1, 1)
        return doubled.gather(1, places[:, :, None].expand(-1, -1, hidden.shape[-1]))

    def _pack(self, chosen: torch.Tensor, rejected: torch.Tensor) -> torch.Tensor:
        packed = chosen.new_zeros(len(chosen), self._width + 1)
        packed.scatter_(1, self._rejected_places, rejected)
        packed.scatter_(1, self._chosen_places, chosen)
        return packed[:, : self._width]


def _is_masked_freely(model: PreTrainedModel) -> bool:
    config = model.config.get_text_config()
    layers = set(getattr(config, "layer_types", None) or ["full_attention"])
    return layers == {"full_attention"} and config._attn_implementation in MASKED_ATTENTION
