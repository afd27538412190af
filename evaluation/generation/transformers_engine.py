"""Decoding on transformers: prompts padded on the left, a batch at a time, the longest first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from transformers import GenerationConfig, LogitsProcessorList

from evaluation.failures import failed_forward, is_out_of_memory, refuse_broken_device
from evaluation.generation.constraint import Constraint, TokenMask
from evaluation.generation.decoding import Decoding
from evaluation.generation.prompts import Prediction, Prompt, batch_size, completed, tokens_held
from evaluation.generation.sampling import Processor, RowNoise, warpers
from evaluation.model import Subject
from jobs.doors import NotFinite

# Tokens held at once, prompts and completions of a batch together. On a CPU each step reads all weights: of
# 16 rows together one takes a quarter less time than of 8, of 32 two fifths less; but then progress shows
# seldom, and the keys and values of a small model fill gigabytes.
TOKENS_PER_BATCH = {"cpu": 8_192, "cuda": 131_072}


def generate_with_transformers(
    subject: Subject,
    prompts: Sequence[Prompt],
    decoding: Decoding,
    stops: Sequence[int],
    constraint: Constraint | None,
) -> Iterator[list[Prediction]]:
    """Generate for prompts, the longest first, and yield a batch of predictions at a time.

    A batch that memory does not suffice for is halved, and no later one holds as many tokens; one that fails
    otherwise is halved until the row that fails stands alone. Raises NotFinite.
    """
    waiting, budget, rows_at_most = list(prompts), TOKENS_PER_BATCH[subject.device.type], len(prompts)
    while waiting:
        batch = waiting[: min(rows_at_most, batch_size(waiting, decoding.max_new_tokens, budget))]
        try:
            predictions = _generate(subject, batch, decoding, stops, constraint)
        except RuntimeError as error:
            refuse_broken_device(error)
            held = tokens_held(batch, decoding.max_new_tokens)
            if is_out_of_memory(error):
                budget = held // 2 if len(batch) > 1 else held - 1
                _free_memory(subject)
            if len(batch) > 1:
                rows_at_most = len(batch) // 2
                continue
            alone = f"a prompt of {len(batch[0].tokens)} tokens and {decoding.max_new_tokens} new ones alone"
            mend = f"{alone} do not fit; lower --max-new-tokens, or use an instance with more memory"
            predictions = [failed_forward(batch[0].row_id, error, mend)]
        rows_at_most = len(waiting)
        waiting = waiting[len(batch) :]
        yield predictions


@torch.inference_mode()
def _generate(
    subject: Subject,
    batch: Sequence[Prompt],
    decoding: Decoding,
    stops: Sequence[int],
    constraint: Constraint | None,
) -> list[Prediction]:
    longest = max(len(prompt.tokens) for prompt in batch)
    padding = [longest - len(prompt.tokens) for prompt in batch]
    # Any token serves as padding: it is masked on the left, and cut off behind a stop on the right.
    inputs = [[stops[0]] * pad + list(one.tokens) for pad, one in zip(padding, batch, strict=True)]
    mask = [[0] * pad + [1] * len(one.tokens) for pad, one in zip(padding, batch, strict=True)]
    token_mask = TokenMask(constraint, batch, longest) if constraint else None
    subject.model.generation_config = GenerationConfig(
        do_sample=False,
        max_new_tokens=decoding.max_new_tokens,
        eos_token_id=list(stops),
        pad_token_id=stops[0],
    )
    output = subject.model.generate(
        torch.tensor(inputs, device=subject.device),
        attention_mask=torch.tensor(mask, device=subject.device),
        logits_processor=_processors(subject, batch, decoding, token_mask),
    )
    written = zip(batch, output[:, longest:].tolist(), strict=True)
    predictions = [completed(subject, prompt, tokens, stops) for prompt, tokens in written]
    return token_mask.with_faults(predictions) if token_mask else predictions


def _processors(
    subject: Subject, batch: Sequence[Prompt], decoding: Decoding, token_mask: TokenMask | None
) -> LogitsProcessorList:
    chain: list[Processor] = [RefuseNotFinite()]
    if token_mask:
        chain.append(token_mask)
    if not decoding.is_greedy:
        chain += warpers(decoding)
        chain.append(RowNoise(decoding, [prompt.row_id for prompt in batch], subject.device))
    return LogitsProcessorList(chain)


class RefuseNotFinite:
    """Raise NotFinite where the prompt's logits are none: a broken model would write one token for ever."""

    def __init__(self) -> None:
        self._is_checked = False

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Return the scores as they are."""
        # Only once a batch: on a GPU each look waits for the step to end.
        if not self._is_checked and not bool(scores.isfinite().all()):
            raise NotFinite(
                "the model's logits are not finite: its weights are damaged, or overflow in bfloat16"
            )
        self._is_checked = True
        return scores


def _free_memory(subject: Subject) -> None:
    if subject.device.type == "cuda":
        torch.cuda.empty_cache()
