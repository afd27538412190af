"""Completions of a model: greedy, sampled or constrained to the tools, on transformers or vLLM.

A completion is the text up to the end of the turn, markers of calls and thoughts included even where the
tokenizer counts them among its special tokens.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from evaluation.generation.constraint import load_constraint
from evaluation.generation.decoding import Decoding
from evaluation.generation.prompts import encode_prompts, stop_tokens
from evaluation.generation.transformers_engine import generate_with_transformers
from evaluation.generation.vllm_engine import (
    generate_with_vllm,
    is_vllm_usable,
    refuse_without_vllm,
    unknown_ends,
)
from evaluation.model import Subject
from jobs.doors import BadInput

__all__ = ["ENGINES", "Decoding", "Engine", "find_engine", "generate_completions"]

Engine = Literal["auto", "transformers", "vllm"]
ENGINES: tuple[Engine, ...] = ("auto", "transformers", "vllm")


def generate_completions(
    subject: Subject,
    rows: Sequence[Mapping[str, Any]],
    decoding: Decoding = Decoding(),  # noqa: B008 - frozen
    engine: str = "auto",
) -> Iterator[list[dict[str, Any]]]:
    """Generate for every row, and yield a batch of predictions at a time, each row exactly once.

    A prediction is ``{id, completion, format, tokens, prompt_tokens, stop_reason}``, stop_reason
    ``end_of_turn`` or ``length``; a row that cannot be generated for is ``{id, error}``. `engine`:
    ``transformers``, ``vllm``, or ``auto``, vLLM where a GPU and the package are there. Raises BadInput
    before anything is generated for an engine or a constraint that cannot be had, and NotFinite.
    """
    chosen = find_engine(engine)
    stops = stop_tokens(subject)
    named = unknown_ends(subject, stops) if chosen == "vllm" else ()
    constraint = load_constraint(subject, stops, named) if decoding.constrained else None
    prompts, failed = encode_prompts(subject, rows, decoding, constraint.grammar_of if constraint else None)
    if failed:
        yield failed
    if not prompts:
        return
    if chosen == "vllm":
        yield from generate_with_vllm(subject, prompts, decoding, stops)
    else:
        yield from generate_with_transformers(subject, prompts, decoding, stops, constraint)


def find_engine(engine: str) -> str:
    """Name what generates, `transformers` or `vllm`. Raises BadInput for what is unknown or cannot be had."""
    if engine not in ENGINES:
        raise BadInput(f"engine {engine!r} is unknown; known are {', '.join(ENGINES)}")
    if engine == "auto":
        return "vllm" if is_vllm_usable() else "transformers"
    if engine == "vllm":
        refuse_without_vllm()
    return engine
