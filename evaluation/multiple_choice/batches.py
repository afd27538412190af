"""Rows packed into batches of bounded size, so that rows with the same tools lie together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch

from evaluation.multiple_choice.answers import EncodedAnswer, Question
from evaluation.multiple_choice.forest import LEAST_SHARED, common_prefix, order_of, plant


class Budget(NamedTuple):
    """Tokens a forward takes: `apart` of rows that share little, `together` of rows that share most."""

    apart: int
    together: int


# On a CPU a forward gains nothing beyond a thousand tokens, and loses a tenth once they leave the cache;
# but a prefix that many rows share is forwarded again in every batch.
CPU_BUDGET = Budget(2048, 8192)
GPU_BUDGET = Budget(16384, 16384)


def token_budget(device: torch.device) -> Budget:
    """How many tokens one forward takes."""
    return GPU_BUDGET if device.type == "cuda" else CPU_BUDGET


def pack(
    questions: Sequence[Question], budget: Budget, least_shared: int = LEAST_SHARED
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
        room = budget.together if 2 * added <= own else budget.apart
        if batches and sizes[-1] + added <= room:
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
