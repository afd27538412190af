"""Greedy generation in batches: prompts sorted by length and padded on the left.

A completion is the text up to the end of the turn, markers of calls and thoughts included even where the
tokenizer counts them among its special tokens.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from transformers import GenerationConfig

from evaluation.model import Subject
from jobs.doors import BadInput

DEFAULT_MAX_NEW_TOKENS = 160
# Tokens held at once, prompts and completions of a batch together. On a CPU larger batches gain little, and
# show progress seldom.
TOKENS_PER_BATCH = {"cpu": 4_096, "cuda": 131_072}


@dataclass(frozen=True)
class Prompt:
    """A row's prompt in tokens."""

    row_id: str
    tokens: tuple[int, ...]


def generate_completions(
    subject: Subject, rows: Sequence[Mapping[str, Any]], max_new_tokens: int = DEFAULT_MAX_NEW_TOKENS
) -> Iterator[list[dict[str, Any]]]:
    """Generate for every row, and yield a batch of predictions at a time.

    A prediction is ``{id, completion, format, tokens, stop_reason}``, stop_reason ``end_of_turn`` or
    ``length``; a row that cannot be generated for is ``{id, error}``.
    """
    prompts, failed = _encode_prompts(subject, rows, max_new_tokens)
    if failed:
        yield failed
    budget = TOKENS_PER_BATCH[subject.device.type]
    for batch in batches_by_length(prompts, max_new_tokens, budget):
        yield _generate_or_fail(subject, batch, max_new_tokens)


def batches_by_length(prompts: Sequence[Prompt], max_new_tokens: int, budget: int) -> Iterator[list[Prompt]]:
    """Group prompts of like length so that each padded batch holds at most `budget` tokens.

    The longest come first: if memory does not suffice, the first batch shows it.
    """
    batch: list[Prompt] = []
    for prompt in sorted(prompts, key=lambda one: (-len(one.tokens), one.row_id)):
        longest = len(batch[0].tokens) if batch else len(prompt.tokens)
        if batch and (len(batch) + 1) * (longest + max_new_tokens) > budget:
            yield batch
            batch = []
        batch.append(prompt)
    if batch:
        yield batch


def stop_tokens(subject: Subject) -> list[int]:
    """The tokens that end a turn: the template's, the tokenizer's and the model's own."""
    configured = subject.model.generation_config.eos_token_id
    stops = set(configured if isinstance(configured, list) else [configured])
    stops.add(subject.tokenizer.eos_token_id)
    # Of an end that is several tokens only the first is sure to come first, and only if it is a marker.
    ending = subject.encode(subject.end_of_turn)[:1]
    stops.update(token for token in ending if token in subject.tokenizer.added_tokens_decoder)
    return sorted(token for token in stops if token is not None)


def _encode_prompts(
    subject: Subject, rows: Sequence[Mapping[str, Any]], max_new_tokens: int
) -> tuple[list[Prompt], list[dict[str, Any]]]:
    prompts: list[Prompt] = []
    failed: list[dict[str, Any]] = []
    for row in rows:
        try:
            prompt = Prompt(row["id"], tuple(subject.encode(subject.prompt_of(row))))
        except BadInput as error:
            failed.append({"id": row["id"], "error": str(error)})
            continue
        room = subject.max_tokens - len(prompt.tokens)
        if room >= max_new_tokens:
            prompts.append(prompt)
        else:
            cause = f"a prompt of {len(prompt.tokens)} tokens leaves room for {max(room, 0)} new ones"
            failed.append({"id": row["id"], "error": cause})
    return prompts, failed


def _generate_or_fail(subject: Subject, batch: list[Prompt], max_new_tokens: int) -> list[dict[str, Any]]:
    """Generate for a batch; if it fails, for each row alone, so that one row costs no other."""
    try:
        return _generate(subject, batch, max_new_tokens)
    except RuntimeError as error:
        if len(batch) == 1:
            return [{"id": batch[0].row_id, "error": f"{type(error).__name__}: {error}"}]
    if subject.device.type == "cuda":
        torch.cuda.empty_cache()
    return [one for prompt in batch for one in _generate_or_fail(subject, [prompt], max_new_tokens)]


@torch.inference_mode()
def _generate(subject: Subject, batch: list[Prompt], max_new_tokens: int) -> list[dict[str, Any]]:
    stops = stop_tokens(subject)
    longest = max(len(prompt.tokens) for prompt in batch)
    padding = [longest - len(prompt.tokens) for prompt in batch]
    # Any token serves as padding: it is masked on the left, and cut off behind a stop on the right.
    inputs = [[stops[0]] * pad + list(one.tokens) for pad, one in zip(padding, batch, strict=True)]
    mask = [[0] * pad + [1] * len(one.tokens) for pad, one in zip(padding, batch, strict=True)]
    subject.model.generation_config = GenerationConfig(
        do_sample=False, max_new_tokens=max_new_tokens, eos_token_id=stops, pad_token_id=stops[0]
    )
    output = subject.model.generate(
        torch.tensor(inputs, device=subject.device),
        attention_mask=torch.tensor(mask, device=subject.device),
    )
    generated = output[:, longest:].tolist()
    return [
        _prediction(subject, one.row_id, tokens, stops) for one, tokens in zip(batch, generated, strict=True)
    ]


def _prediction(subject: Subject, row_id: str, tokens: list[int], stops: Sequence[int]) -> dict[str, Any]:
    end = next((number for number, token in enumerate(tokens) if token in stops), None)
    kept = tokens[:end]
    return {
        "id": row_id,
        "completion": str(subject.tokenizer.decode(kept, skip_special_tokens=False)),
        "format": subject.format,
        "tokens": len(kept),
        "stop_reason": "length" if end is None else "end_of_turn",
    }
