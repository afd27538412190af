"""Predictions of multiple choice: rows in, log-probabilities of their answers out."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch

from evaluation.failures import failed_forward, refuse_broken_device
from evaluation.model import Subject
from evaluation.multiple_choice.answers import Question, encode_question
from evaluation.multiple_choice.batches import Budget, pack, token_budget
from evaluation.multiple_choice.scoring import can_share, score_answers, score_separately
from jobs.doors import BadInput, NotFinite

Row = Mapping[str, Any]
Prediction = dict[str, Any]

# Rows that are tokenized at a time: it bounds memory, and the first predictions need not wait for all.
WINDOW = 1024


def predict_choices(
    subject: Subject, rows: Sequence[Row], budget: Budget | None = None
) -> Iterator[list[Prediction]]:
    """Predict rows, in batches and in an order of their own, each row once.

    Yields ``{id, choices: {name: {logprob, tokens, characters}}}``, logprob in nats, or ``{id, error}`` for a
    row that cannot be used or that memory does not suffice for. `budget`: tokens a forward; None chooses by
    the device. Raises NotFinite where a log-probability is no number.
    """
    budget = budget or token_budget(subject.device)
    shared: bool | None = None
    for start in range(0, len(rows), WINDOW):
        questions, failed = _encode(subject, rows[start : start + WINDOW])
        if failed:
            yield failed
        for batch in pack(questions, budget):
            shared = _shares(subject) if shared is None else shared
            yield _predict(subject, batch, shared)


def _shares(subject: Subject) -> bool:
    shared = can_share(subject.model)
    if not shared:
        print(
            "this model's answers share nothing: each takes a forward of its own, which is slow", flush=True
        )
    return shared


def _encode(subject: Subject, rows: Sequence[Row]) -> tuple[list[Question], list[Prediction]]:
    questions, failed = [], []
    for row in rows:
        try:
            questions.append(encode_question(subject, row))
        except BadInput as error:
            failed.append({"id": row["id"], "error": str(error)})
    return questions, failed


def _predict(subject: Subject, batch: Sequence[Question], shared: bool) -> list[Prediction]:
    try:
        return _score(subject, batch, shared)
    except RuntimeError as error:
        refuse_broken_device(error)
        if len(batch) == 1:
            longest = max(len(answer.tokens) for answer in batch[0].answers.values())
            mend = f"{longest} tokens alone do not fit; use an instance with more memory"
            return [failed_forward(batch[0].id, error, mend)]
    # Beyond the handler, which would keep the failed forward's tensors alive.
    if subject.device.type == "cuda":
        torch.cuda.empty_cache()
    middle = len(batch) // 2
    return _predict(subject, batch[:middle], shared) + _predict(subject, batch[middle:], shared)


def _score(subject: Subject, batch: Sequence[Question], shared: bool) -> list[Prediction]:
    answers = [answer for question in batch for answer in question.answers.values()]
    owners = [number for number, question in enumerate(batch) for _ in question.answers]
    scores = (
        score_answers(subject.model, answers, owners) if shared else score_separately(subject.model, answers)
    )
    remaining = iter(scores)
    return [_prediction(question, [next(remaining) for _ in question.answers]) for question in batch]


def _prediction(question: Question, logprobs: Sequence[float]) -> Prediction:
    if not all(math.isfinite(logprob) for logprob in logprobs):
        raise NotFinite(
            f"row {question.id}: the log-probabilities are {list(logprobs)}; the model's weights are broken"
        )
    choices = {
        name: {"logprob": logprob, "tokens": len(answer.targets), "characters": answer.characters}
        for (name, answer), logprob in zip(question.answers.items(), logprobs, strict=True)
    }
    return {"id": question.id, "choices": choices}
