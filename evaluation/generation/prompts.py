"""Prompts in tokens, batches of them, and what becomes of a row's tokens."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from transformers import AutoConfig, GenerationConfig

from evaluation.generation.decoding import Decoding
from evaluation.model import Subject
from jobs.doors import BadInput

Row = Mapping[str, Any]
Prediction = dict[str, Any]
# From a row and its rendered prompt to the grammar of its completion. Raises BadInput.
GrammarOf = Callable[[Row, str], str]


@dataclass(frozen=True)
class Prompt:
    """A row's prompt in tokens, and the grammar that its completion must fit, if there is one."""

    row_id: str
    tokens: tuple[int, ...]
    grammar: str | None = None


def encode_prompts(
    subject: Subject, rows: Sequence[Row], decoding: Decoding, grammar_of: GrammarOf | None
) -> tuple[list[Prompt], list[Prediction]]:
    """Render and tokenize rows, the longest first; what fails, or leaves no room, is a prediction already."""
    prompts: list[Prompt] = []
    failed: list[Prediction] = []
    for row in rows:
        try:
            prompts.append(_encode_prompt(subject, row, decoding, grammar_of))
        except BadInput as error:
            failed.append({"id": row["id"], "error": str(error)})
    return sorted(prompts, key=lambda one: (-len(one.tokens), one.row_id)), failed


def _encode_prompt(subject: Subject, row: Row, decoding: Decoding, grammar_of: GrammarOf | None) -> Prompt:
    text = subject.prompt_of(row)
    tokens = tuple(subject.encode(text))
    room = subject.max_tokens - len(tokens)
    if room < decoding.max_new_tokens:
        cause = f"a prompt of {len(tokens)} tokens leaves room for {max(room, 0)} new ones"
        raise BadInput(
            f"{cause}, not for {decoding.max_new_tokens}; lower --max-new-tokens or shorten the row"
        )
    return Prompt(row["id"], tokens, grammar_of(row, text) if grammar_of else None)


def batch_size(prompts: Sequence[Prompt], max_new_tokens: int, budget: int) -> int:
    """How many of the first prompts a padded batch of `budget` tokens holds; one at least."""
    return min(len(prompts), max(1, budget // tokens_held(prompts[:1], max_new_tokens)))


def tokens_held(batch: Sequence[Prompt], max_new_tokens: int) -> int:
    """The tokens that a padded batch and its completions take; the longest prompt comes first."""
    return len(batch) * (len(batch[0].tokens) + max_new_tokens)


def stop_tokens(subject: Subject) -> list[int]:
    """The tokens that end a turn: the template's, the tokenizer's and the model's own."""
    configured = _generation_config(subject).eos_token_id
    stops = set(configured if isinstance(configured, list) else [configured])
    stops.add(subject.tokenizer.eos_token_id)
    # Of an end that is several tokens only the first is sure to come first, and only if it is a marker.
    ending = subject.encode(subject.end_of_turn)[:1]
    stops.update(token for token in ending if token in subject.tokenizer.added_tokens_decoder)
    return sorted(token for token in stops if token is not None)


def _generation_config(subject: Subject) -> GenerationConfig:
    """Read what the model's folder says of ends, as its weights would on loading, without loading them."""
    folder = str(subject.folder)
    try:
        return GenerationConfig.from_pretrained(folder)
    except OSError:
        return GenerationConfig.from_model_config(AutoConfig.from_pretrained(folder))


def completed(subject: Subject, prompt: Prompt, tokens: Sequence[int], stops: Sequence[int]) -> Prediction:
    """The prediction of a row whose model wrote `tokens`, whatever stands behind the first stop."""
    end = next((number for number, token in enumerate(tokens) if token in stops), None)
    kept = list(tokens[:end])
    return {
        "id": prompt.row_id,
        "completion": str(subject.tokenizer.decode(kept, skip_special_tokens=False)),
        "format": subject.format,
        "tokens": len(kept),
        "prompt_tokens": len(prompt.tokens),
        "stop_reason": "length" if end is None else "end_of_turn",
    }
