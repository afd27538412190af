"""Rows packed into batches of bounded size, so that rows with the same tools lie together."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from evaluation.multiple_choice.answers import EncodedAnswer, Question
from evaluation.multiple_choice.forest import LEAST_SHARED, common_prefix, order_of, plant

# On a CPU a product of matrices gains nothing beyond a thousand rows, and loses once they leave the cache.
CPU_TOKENS = 2048
GPU_TOKENS = 16384


def token_budget(device: torch.device) -> int:
    """How many tokens one forward takes."""
    return GPU_TOKENS if device.type == "cuda" else CPU_TOKENS


def pack(
    questions: Sequence[Question], budget: int, least_shared: int = LEAST_SHARED
) -> list[list[Question]]:
    """Pack questions into batches of at most `budget` tokens forwarded; one that is longer has its own.

    The largest batch comes first: where memory is short, that shows at once.
    """
    batches: list[list[Question]] = []
    sizes: list[int] = []
    last: EncodedAnswer | None = None
    for question in sorted(questions, key=lambda each: order_of(_first(each).tokens)):
        first = _first(question)
        own = len(plant([answer.inputs for answer in question.answers.values()], [0] * len(question.answers)))
        shared = 0 if last is None else common_prefix(last.inputs, first.inputs)
        added = own - shared if shared >= least_shared else own
        if batches and sizes[-1] + added <= budget:
            batches[-1].append(question)
            sizes[-1] += added
        else:
            batches.append([question])
            sizes.append(own)
        last = first
    by_size = sorted(zip(sizes, batches, strict=True), key=lambda each: -each[0])
    return [batch for _, batch in by_size]


def _first(question: Question) -> EncodedAnswer:
    return min(question.answers.values(), key=lambda answer: order_of(answer.tokens))
