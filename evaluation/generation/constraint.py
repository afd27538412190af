"""Constrained decoding by llguidance: which tokens may come next, row by row."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
import torch
from transformers import AutoConfig, PreTrainedTokenizerFast

from evaluation.generation.grammars import CallSyntax, grammar_of_calls, syntax_of
from evaluation.generation.prompts import Prediction, Prompt, Row
from evaluation.model import Subject
from evaluation.toolcalls.formats.json_values import Fault, decode_value
from jobs.doors import BadInput

THOUGHTS = (("<think>", "</think>"), ("[THINK]", "[/THINK]"))


@dataclass(frozen=True)
class Constraint:
    """What all rows of a model share: its tokenizer as llguidance sees it, and how it writes calls."""

    library: ModuleType
    tokenizer: Any
    syntax: CallSyntax
    special_tokens: Mapping[str, int]
    ends: tuple[int, ...] = ()

    def grammar_of(self, row: Row, prompt: str) -> str:
        """Write the grammar of a row's completion. Raises BadInput where llguidance cannot hold to it."""
        is_thinking = any(prompt.rfind(opening) > prompt.rfind(closing) for opening, closing in THOUGHTS)
        grammar = grammar_of_calls(
            self.syntax, read_tools(row), self.special_tokens, self.ends, is_thinking=is_thinking
        )
        fault = self.library.LLMatcher.validate_grammar(grammar, self.tokenizer)
        if fault and not fault.startswith("WARNING"):
            raise BadInput(f"the tools' schemas cannot be enforced: {' '.join(fault.split())[:300]}")
        return grammar

    def matcher(self, grammar: str | None) -> Any:
        """A matcher at the beginning of a completion."""
        return self.library.LLMatcher(self.tokenizer, grammar, log_level=0)


def load_constraint(subject: Subject, stops: Sequence[int], named: Sequence[int] = ()) -> Constraint:
    """Prepare to constrain a model's completions; takes about a second.

    `stops`: the tokens that end a turn. `named`: those that the engine will not know as ends of a grammar
    unless the grammar names them. Raises BadInput where llguidance is absent, or the format or the tokenizer
    cannot be constrained.
    """
    syntax = syntax_of(subject.format)
    try:
        import llguidance  # noqa: PLC0415 - an option's library
        import llguidance.hf  # noqa: PLC0415
    except ImportError as error:
        raise BadInput("constrained decoding needs llguidance: pip install llguidance==1.9.1") from error
    if not isinstance(subject.tokenizer, PreTrainedTokenizerFast):
        kind = type(subject.tokenizer).__name__
        raise BadInput(f"constrained decoding needs a fast tokenizer (tokenizer.json); this one is a {kind}")
    config = AutoConfig.from_pretrained(str(subject.folder)).get_text_config()
    words = max(int(config.vocab_size), len(subject.tokenizer))
    known = [token for token in stops if token not in named]
    tokenizer = llguidance.hf.from_tokenizer(subject.tokenizer, n_vocab=words, eos_token=known)
    added = subject.tokenizer.added_tokens_decoder.items()
    special = {token.content: number for number, token in added if tokenizer.is_special_token(number)}
    return Constraint(llguidance, tokenizer, syntax, special, tuple(named))


def read_tools(row: Row) -> list[Mapping[str, Any]]:
    """The tools that a row offers, bare or as OpenAI wraps them, the last of a name. Raises BadInput."""
    try:
        entries = decode_value(row["tools"]) if isinstance(row["tools"], str) else row["tools"]
    except Fault as fault:
        raise BadInput(f"tools: not JSON: {fault}") from fault
    entries = [
        entry.get("function", entry) if isinstance(entry, Mapping) else entry for entry in entries or ()
    ]
    if not all(isinstance(entry, Mapping) and isinstance(entry.get("name"), str) for entry in entries):
        raise BadInput(f"tools: every tool is an object with a name; found {json.dumps(entries)[:80]}")
    return list({entry["name"]: entry for entry in entries}.values())


class TokenMask:
    """Take out of each row's logits the tokens that its grammar does not allow next."""

    def __init__(self, constraint: Constraint, batch: Sequence[Prompt], prompt_length: int) -> None:
        self._matchers = [constraint.matcher(prompt.grammar) for prompt in batch]
        self._read = prompt_length

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Return the scores, of shape (rows, vocabulary), with -inf where a token is not allowed."""
        self._follow(input_ids[:, self._read :].tolist())
        self._read = input_ids.shape[1]
        masks = np.frombuffer(b"".join(one.compute_bitmask() for one in self._matchers), dtype=np.uint8)
        bits = np.unpackbits(masks.reshape(len(scores), -1), axis=1, bitorder="little")
        allowed = torch.from_numpy(bits[:, : scores.shape[1]]).to(scores.device).bool()
        return scores.masked_fill(~allowed, -torch.inf)

    def _follow(self, written: list[list[int]]) -> None:
        for matcher, tokens in zip(self._matchers, written, strict=True):
            for token in tokens:
                # Behind its end a row is filled up until the others end, too.
                if not matcher.is_stopped():
                    matcher.consume_token(token)

    def with_faults(self, predictions: Sequence[Prediction]) -> list[Prediction]:
        """Put an error in the place of each prediction whose grammar gave up on the way."""
        return [
            {"id": one["id"], "error": f"constrained decoding failed: {matcher.get_error()[:300]}"}
            if matcher.is_error()
            else one
            for one, matcher in zip(predictions, self._matchers, strict=True)
        ]
