"""Samples that repeat row by row: Gumbel noise of the row's own, then the likeliest token."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from transformers import TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

from evaluation.generation.decoding import Decoding, row_seed

# From the tokens so far, of shape (rows, length), and the logits, of shape (rows, vocabulary), to new logits.
Processor = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def warpers(decoding: Decoding) -> list[Processor]:
    """transformers' own temperature, top-k and top-p, in the order in which `generate` applies them."""
    made: list[Processor] = []
    if decoding.temperature != 1:
        made.append(TemperatureLogitsWarper(decoding.temperature))
    if decoding.top_k:
        made.append(TopKLogitsWarper(top_k=decoding.top_k))
    if decoding.top_p < 1:
        made.append(TopPLogitsWarper(top_p=decoding.top_p))
    return made


class RowNoise:
    """Add standard Gumbel noise to each row's logits, from a generator that the row's id seeds.

    The likeliest token under such noise is an exact sample of the softmax: the Gumbel-max trick (Gumbel 1954;
    Maddison, Tarlow and Minka, arXiv 1411.0030). A row draws one number a step for each token of the
    vocabulary, so what it draws does not depend on the rows beside it. Padding moves the last bits of its
    logits, though: where two tokens are all but tied, the batch may decide.
    """

    def __init__(self, decoding: Decoding, row_ids: Sequence[str], device: torch.device) -> None:
        self._generators = [
            torch.Generator(device).manual_seed(row_seed(decoding.seed, row_id)) for row_id in row_ids
        ]

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Return the scores, of shape (rows, vocabulary), with noise."""
        noise = torch.empty_like(scores)
        for row, generator in zip(noise, self._generators, strict=True):
            row.exponential_(generator=generator)
        return scores - noise.log_()
