"""Decoding on vLLM (0.11 or later), where a GPU and the package are there.

Source: vLLM's `LLM`, `SamplingParams`, `StructuredOutputsParams`, and its `guidance` backend: llguidance.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from typing import Any

import torch

from evaluation.generation.decoding import Decoding, row_seed
from evaluation.generation.prompts import Prediction, Prompt, completed
from evaluation.model import Subject
from jobs.doors import BadInput

# Rows handed over at once: enough to keep the engine full, few enough that a kill costs little.
ROWS_PER_CALL = 256
# Engines are made for prompts a little longer than asked for, so that the next suite finds one that fits.
SHORTEST_CONTEXT = 8_192
MEMORY_SHARE = 0.9

# The one engine that this process holds, by what it was made for.
_held: dict[tuple[str, int], Any] = {}


def is_vllm_usable() -> bool:
    """Whether there is a GPU, and vLLM beside it."""
    return torch.cuda.is_available() and find_spec("vllm") is not None


def refuse_without_vllm() -> None:
    """Raise BadInput that says what vLLM lacks here."""
    if not torch.cuda.is_available():
        raise BadInput("engine vllm: there is no GPU here; leave --engine out, or say --engine transformers")
    if find_spec("vllm") is None:
        raise BadInput(
            "engine vllm: the package is not installed: pip install 'vllm>=0.11', or leave --engine out"
        )


def forget_engines() -> None:
    """Let go of the engine that this process holds, and of its memory."""
    _held.clear()


def unknown_ends(subject: Subject, stops: Sequence[int]) -> list[int]:
    """The stops that a grammar must name: of itself vLLM ends one with the tokenizer's own alone."""
    return [token for token in stops if token != subject.tokenizer.eos_token_id]


def generate_with_vllm(
    subject: Subject, prompts: Sequence[Prompt], decoding: Decoding, stops: Sequence[int]
) -> Iterator[list[Prediction]]:
    """Generate for prompts, the longest first, and yield the predictions of at most 256 rows at a time.

    Requests that vLLM refuses are rows with an error; what kills its engine ends the job.
    """
    engine = _engine(subject, len(prompts[0].tokens) + decoding.max_new_tokens)
    for start in range(0, len(prompts), ROWS_PER_CALL):
        yield _generate(engine, subject, prompts[start : start + ROWS_PER_CALL], decoding, stops)


def _generate(
    engine: Any, subject: Subject, batch: Sequence[Prompt], decoding: Decoding, stops: Sequence[int]
) -> list[Prediction]:
    inputs = [{"prompt_token_ids": list(prompt.tokens)} for prompt in batch]
    settings = [_sampling_params(prompt, decoding, stops) for prompt in batch]
    try:
        outputs = engine.generate(inputs, settings, use_tqdm=False)
    except ValueError as error:
        if len(batch) == 1:
            return [{"id": batch[0].row_id, "error": f"{type(error).__name__}: {error}"}]
        halves = batch[: len(batch) // 2], batch[len(batch) // 2 :]
        return [one for half in halves for one in _generate(engine, subject, half, decoding, stops)]
    return [
        _prediction(subject, prompt, output, stops) for prompt, output in zip(batch, outputs, strict=True)
    ]


def _prediction(subject: Subject, prompt: Prompt, output: Any, stops: Sequence[int]) -> Prediction:
    written = output.outputs[0]
    if written.finish_reason not in ("stop", "length"):
        return {"id": prompt.row_id, "error": f"vLLM ended the request: {written.finish_reason}"}
    predicted = completed(subject, prompt, list(written.token_ids), stops)
    # Whether the stop is among the tokens is vLLM's affair; that it stopped is not in doubt.
    return {**predicted, "stop_reason": "end_of_turn" if written.finish_reason == "stop" else "length"}


def _sampling_params(prompt: Prompt, decoding: Decoding, stops: Sequence[int]) -> Any:
    vllm = importlib.import_module("vllm")
    constraint: dict[str, Any] = {}
    if prompt.grammar is not None:
        parameters = importlib.import_module("vllm.sampling_params")
        constraint["structured_outputs"] = parameters.StructuredOutputsParams(grammar=prompt.grammar)
    chosen: dict[str, Any] = {"temperature": 0.0}
    if not decoding.is_greedy:
        chosen = {
            "temperature": decoding.temperature,
            "top_p": decoding.top_p,
            "top_k": decoding.top_k,
            "seed": row_seed(decoding.seed, prompt.row_id),
        }
    return vllm.SamplingParams(
        **chosen,
        **constraint,
        max_tokens=decoding.max_new_tokens,
        stop_token_ids=list(stops),
        skip_special_tokens=False,
        detokenize=False,
    )


def _engine(subject: Subject, length: int) -> Any:
    """Make an engine for sequences of `length` tokens, or take the one that was made for as many."""
    folder = str(subject.folder)
    for (held_folder, held_length), engine in _held.items():
        if held_folder == folder and held_length >= length:
            return engine
    # Before the next is made: two do not fit on one GPU.
    forget_engines()
    context = min(subject.max_tokens, max(length, SHORTEST_CONTEXT))
    free, total = torch.cuda.mem_get_info()
    _held[folder, context] = importlib.import_module("vllm").LLM(
        model=folder,
        tokenizer=folder,
        dtype="bfloat16",
        max_model_len=context,
        enable_prefix_caching=True,
        # What is loaded beside it (the weights of multiple choice) is not free.
        gpu_memory_utilization=round(MEMORY_SHARE * free / total, 2),
        # The model's own sampling settings are not the suite's.
        generation_config="vllm",
        structured_outputs_config={"backend": "guidance"},
        seed=0,
    )
    return _held[folder, context]
