"""A row's answers in tokens, as lm-evaluation-harness tokenizes them where prompt and answer part cleanly.

Where the tokenizer merges across the border the merged token is scored with the answer. The harness then
scores as many tokens as the prompt has fewer of, which need not be the answer's.
The answers are rendered as assistant turns in the model's own format. The token that ends the turn is
neither scored nor counted among the characters, because the harness scores an answer's text alone: so a call
and a sentence are treated alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data.template import message_for_answer
from evaluation.model import Subject
from jobs.doors import BadInput

Tokens = NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class EncodedAnswer:
    """A prompt with an answer behind it.

    `tokens`: of both, a vector. `context`: how many of them come first and are not scored, at least one.
    `characters`: the length of the answer's text.
    """

    tokens: Tokens
    context: int
    characters: int

    @property
    def inputs(self) -> Tokens:
        """What the model reads: the last token is only predicted."""
        return self.tokens[:-1]

    @property
    def targets(self) -> Tokens:
        """What is scored; token i of it is predicted at input ``context - 1 + i``."""
        return self.tokens[self.context :]


@dataclass(frozen=True, eq=False)
class Question:
    """A row to be scored: its id and its answers by name, in the row's order."""

    id: str
    answers: Mapping[str, EncodedAnswer]


def encode_question(subject: Subject, row: Mapping[str, Any]) -> Question:
    """Render and tokenize a row.

    Raises BadInput for a row without usable answers, or longer than the model's positions.
    """
    answers = row.get("answers")
    if not isinstance(answers, Mapping) or not answers:
        raise BadInput(f"row {row['id']}: has no 'answers' to choose from")
    prompt = subject.prompt_of(row)
    context = subject.encode(prompt.rstrip())
    texts = {name: render_answer(subject, row, name, text) for name, text in answers.items()}
    encoded = {name: _encode(subject, prompt, context, text) for name, text in texts.items()}
    empty = next((name for name, answer in encoded.items() if not len(answer.targets)), None)
    if empty is not None:
        raise BadInput(f"row {row['id']}: answers.{empty} has no token to score")
    longest = max(len(answer.tokens) for answer in encoded.values())
    if longest > subject.max_tokens:
        raise BadInput(f"row {row['id']}: {longest} tokens, the model has positions for {subject.max_tokens}")
    return Question(row["id"], encoded)


def render_answer(subject: Subject, row: Mapping[str, Any], name: str, answer: str) -> str:
    """Render an answer as the text that is scored behind the row's prompt. Raises BadInput if it is empty."""
    text = subject.completion_of(row, message_for_answer(name, answer)).removesuffix(subject.end_of_turn)
    if not text:
        raise BadInput(f"row {row['id']}: answers.{name} is rendered as an empty text")
    return text


def _encode(subject: Subject, prompt: str, context: list[int], answer: str) -> EncodedAnswer:
    whole = subject.encode(prompt + answer)
    shared = len(context)
    if whole[:shared] != context:
        # Where the tokenizer merges across the border, the merged token belongs to the answer.
        pairs = enumerate(zip(context, whole, strict=False))
        shared = next((at for at, (asked, given) in pairs if asked != given), min(shared, len(whole)))
    if shared == 0:
        raise BadInput(
            "the chat template renders an empty prompt: there is nothing to predict the answer from"
        )
    return EncodedAnswer(np.asarray(whole, dtype=np.int32), shared, len(answer))
