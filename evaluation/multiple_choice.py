"""Multiple choice by log-likelihood: one forward over the prompt, its cache shared by the four answers.

What is scored is what lm-evaluation-harness scores: the tokens of prompt + answer behind those of the
prompt, blanks at the prompt's end counted with the answer's tokens, log-softmax in float32. The answers are
rendered as assistant turns in the model's own format. The token that ends the turn is neither scored nor
counted among the characters, because the harness scores an answer's text alone: so a call and a sentence
are treated alike.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from transformers import DynamicCache, PreTrainedModel

from data.template import message_for_answer, render_completion
from evaluation.model import Subject
from jobs.doors import BadInput, NotFinite


@dataclass(frozen=True)
class EncodedAnswer:
    """An answer behind its prompt, in tokens; `characters` counts the answer's text."""

    context: tuple[int, ...]
    continuation: tuple[int, ...]
    characters: int


def predict_choices(subject: Subject, row: Mapping[str, Any]) -> dict[str, Any]:
    """Predict one row: ``{id, choices: {name: {logprob, tokens, characters}}}``, logprob in nats.

    Raises BadInput for a row without usable answers or longer than the model's positions, NotFinite where a
    log-probability is NaN.
    """
    answers = encode_answers(subject, row)
    longest = max(len(answer.context) + len(answer.continuation) for answer in answers.values())
    if longest > subject.max_tokens:
        raise BadInput(f"row {row['id']}: {longest} tokens, the model has positions for {subject.max_tokens}")
    logprobs = score_answers(subject.model, list(answers.values()))
    if not all(math.isfinite(logprob) for logprob in logprobs):
        raise NotFinite(
            f"row {row['id']}: the log-probabilities are {logprobs}; the model's weights are broken"
        )
    choices = {
        name: {"logprob": logprob, "tokens": len(answer.continuation), "characters": answer.characters}
        for (name, answer), logprob in zip(answers.items(), logprobs, strict=True)
    }
    return {"id": row["id"], "choices": choices}


def encode_answers(subject: Subject, row: Mapping[str, Any]) -> dict[str, EncodedAnswer]:
    """Render and tokenize the row's answers, by name in the row's order."""
    answers = row.get("answers")
    if not isinstance(answers, Mapping) or not answers:
        raise BadInput(f"row {row['id']}: has no 'answers' to choose from")
    prompt = subject.prompt_of(row)
    texts = {name: _text_of(subject, row, name, text) for name, text in answers.items()}
    return {name: _encode(subject, prompt, text) for name, text in texts.items()}


def score_answers(model: PreTrainedModel, answers: Sequence[EncodedAnswer]) -> list[float]:
    """Sum the log-probabilities of each continuation behind its context."""
    first = answers[0].context
    if first and all(answer.context == first for answer in answers):
        return _score_with_shared_context(model, first, [answer.continuation for answer in answers])
    # The tokenizer merged the end of the prompt with the start of an answer: nothing is shared.
    return score_separately(model, answers)


@torch.inference_mode()
def score_separately(model: PreTrainedModel, answers: Sequence[EncodedAnswer]) -> list[float]:
    """Score each answer by a forward of its own, as lm-evaluation-harness does with its four requests."""
    sums = []
    for answer in answers:
        inputs = torch.tensor([[*answer.context, *answer.continuation[:-1]]], device=model.device)
        logits = model(input_ids=inputs, use_cache=False, logits_to_keep=len(answer.continuation)).logits
        sums += _sum_logprobs(logits, [answer.continuation])
    return sums


@torch.inference_mode()
def _score_with_shared_context(
    model: PreTrainedModel, context: Sequence[int], continuations: Sequence[Sequence[int]]
) -> list[float]:
    cache = DynamicCache(config=model.config)
    prompt = torch.tensor([context], device=model.device)
    first = model(input_ids=prompt, past_key_values=cache, use_cache=True, logits_to_keep=1).logits
    logits = first.expand(len(continuations), -1, -1)
    longest = max(len(continuation) for continuation in continuations)
    if longest > 1:
        cache.batch_repeat_interleave(len(continuations))
        inputs = [[*tokens[:-1], *[0] * (longest - len(tokens))] for tokens in continuations]
        # The padding stands behind the tokens, where a causal model never looks: no mask is needed.
        behind = model(
            input_ids=torch.tensor(inputs, device=model.device), past_key_values=cache, use_cache=True
        ).logits
        logits = torch.cat([logits, behind], dim=1)
    return _sum_logprobs(logits, continuations)


def _sum_logprobs(logits: torch.Tensor, continuations: Sequence[Sequence[int]]) -> list[float]:
    """`logits`: (answers, longest, vocabulary), position i of which predicts token i of the continuation."""
    sums = []
    for scores, tokens in zip(logits, continuations, strict=True):
        logprobs = scores[: len(tokens)].float().log_softmax(-1)
        taken = logprobs.gather(-1, torch.tensor(tokens, device=logits.device).unsqueeze(-1))
        sums.append(float(taken.sum()))
    return sums


def _text_of(subject: Subject, row: Mapping[str, Any], name: str, answer: str) -> str:
    message = message_for_answer(name, answer)
    text = render_completion(subject.tokenizer, row["messages"], row["tools"], message)
    text = text.removesuffix(subject.end_of_turn)
    if not text:
        raise BadInput(f"row {row['id']}: answers.{name} is rendered as an empty text")
    return text


def _encode(subject: Subject, prompt: str, answer: str) -> EncodedAnswer:
    context = subject.encode(prompt.rstrip())
    whole = subject.encode(prompt + answer)
    shared = len(context)
    if whole[:shared] != context:
        # Where the tokenizer merges across the border, the merged token belongs to the answer.
        pairs = zip(context, whole, strict=False)
        shared = next(number for number, (asked, given) in enumerate(pairs) if asked != given)
    if shared == 0:
        raise BadInput(
            "the chat template renders an empty prompt: there is nothing to predict the answer from"
        )
    return EncodedAnswer(tuple(whole[:shared]), tuple(whole[shared:]), len(answer))
