"""The vLLM engine against a stand-in that records what it is asked and writes what it is told."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import llguidance
import pytest
import torch

from evaluation.generation import Decoding, generate_completions, vllm_engine
from evaluation.generation.decoding import row_seed
from evaluation.model import Subject, load_subject
from jobs.doors import BadInput
from tests.unit.evaluation.models import save_tiny_model
from tests.unit.evaluation.rows import text_row
from tests.unit.evaluation.test_generation import rows_of_lengths


@dataclass
class SamplingParams:
    """The fields of vLLM 0.11's that are used; any other is a TypeError, as there."""

    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    seed: int | None = None
    max_tokens: int | None = 16
    stop_token_ids: list[int] | None = None
    skip_special_tokens: bool = True
    detokenize: bool = True
    structured_outputs: StructuredOutputsParams | None = None


@dataclass
class StructuredOutputsParams:
    """The one constraint that is used."""

    grammar: str | None = None


@dataclass
class LLM:
    """Write "Hi", as many stops as there are rows of that prompt length, and end or be cut."""

    model: str
    tokenizer: str
    dtype: str
    max_model_len: int
    enable_prefix_caching: bool
    gpu_memory_utilization: float
    generation_config: str
    structured_outputs_config: dict[str, Any]
    seed: int
    calls: list[tuple[list[dict[str, Any]], list[SamplingParams]]] = field(default_factory=list)

    written: tuple[tuple[int, ...], str] = ((), "length")
    refused: int = -1

    def __post_init__(self) -> None:
        made.append(self)

    def generate(self, prompts: Any, sampling_params: Any = None, *, use_tqdm: bool = True) -> list[Any]:
        assert use_tqdm is False
        assert all(len(one["prompt_token_ids"]) < self.max_model_len for one in prompts)
        self.calls.append((prompts, sampling_params))
        if any(len(one["prompt_token_ids"]) == LLM.refused for one in prompts):
            raise ValueError("this prompt is refused")
        tokens, reason = LLM.written
        ended = SimpleNamespace(token_ids=tokens, finish_reason=reason, stop_reason=None)
        return [SimpleNamespace(outputs=[ended]) for _ in prompts]


made: list[LLM] = []
SHORT = Decoding(7)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_model(tmp_path_factory.mktemp("model"))


@pytest.fixture
def subject(folder: Path) -> Subject:
    """A subject whose weights nobody has read yet."""
    return load_subject(folder)


@pytest.fixture(autouse=True)
def vllm(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    package, parameters = ModuleType("vllm"), ModuleType("vllm.sampling_params")
    package.__spec__ = ModuleSpec("vllm", None)
    package.__dict__.update(LLM=LLM, SamplingParams=SamplingParams)
    parameters.__dict__.update(StructuredOutputsParams=StructuredOutputsParams)
    monkeypatch.setitem(sys.modules, "vllm", package)
    monkeypatch.setitem(sys.modules, "vllm.sampling_params", parameters)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (60 * 2**30, 80 * 2**30))
    monkeypatch.setattr(LLM, "written", ((), "length"))
    made.clear()
    vllm_engine.forget_engines()
    yield
    vllm_engine.forget_engines()


def generate(
    subject: Subject, rows: list[dict[str, Any]], decoding: Decoding = SHORT, engine: str = "auto"
) -> dict[str, dict[str, Any]]:
    return {
        one["id"]: one for batch in generate_completions(subject, rows, decoding, engine) for one in batch
    }


def say(monkeypatch: pytest.MonkeyPatch, subject: Subject, text: str, reason: str) -> None:
    monkeypatch.setattr(LLM, "written", (tuple(subject.encode(text)), reason))


@pytest.mark.parametrize(
    ("text", "reason", "completion", "stop_reason", "why"),
    [
        ("Hi<tool_call><|im_end|>", "stop", "Hi<tool_call>", "end_of_turn", "the stop is among the tokens"),
        ("Hi<tool_call>", "stop", "Hi<tool_call>", "end_of_turn", "the stop is left out"),
        ("Hi<tool_call>", "length", "Hi<tool_call>", "length", "cut"),
        ("", "length", "", "length", "nothing"),
    ],
    ids=["stop", "stop left out", "cut", "nothing"],
)
def test_a_prediction_is_what_transformers_would_give(
    subject: Subject,
    monkeypatch: pytest.MonkeyPatch,
    text: str,
    reason: str,
    completion: str,
    stop_reason: str,
    why: str,
) -> None:
    say(monkeypatch, subject, text, reason)
    row = rows_of_lengths(2)[0]
    assert generate(subject, [row]) == {
        "r0": {
            "id": "r0",
            "completion": completion,
            "format": "hermes",
            "tokens": len(subject.encode(completion)),
            "prompt_tokens": len(subject.encode(subject.prompt_of(row))),
            "stop_reason": stop_reason,
        }
    }, why
    assert "model" not in vars(subject), "the weights would lie on the GPU twice"


def test_greedy_requests_carry_no_sampling_and_every_stop(subject: Subject) -> None:
    generate(subject, rows_of_lengths(1), Decoding(7, top_p=0.5, top_k=3, seed=5))
    (prompts, settings), *_ = made[0].calls
    assert prompts == [{"prompt_token_ids": subject.encode(subject.prompt_of(rows_of_lengths(1)[0]))}]
    assert settings == [
        SamplingParams(
            temperature=0.0, max_tokens=7, stop_token_ids=[1], skip_special_tokens=False, detokenize=False
        )
    ]


def test_sampled_requests_carry_a_seed_of_their_row(subject: Subject) -> None:
    generate(subject, rows_of_lengths(1, 1), Decoding(7, temperature=0.7, top_p=0.5, top_k=3, seed=5))
    settings = made[0].calls[0][1]
    assert [one.seed for one in settings] == [row_seed(5, "r0"), row_seed(5, "r1")]
    assert {(one.temperature, one.top_p, one.top_k) for one in settings} == {(0.7, 0.5, 3)}


def test_constrained_requests_carry_a_grammar_that_vllm_s_backend_takes(subject: Subject) -> None:
    bad = {**text_row("direct", "bad"), "tools": '[{"name": "f", "parameters": {"not": {}}}]'}
    predicted = generate(subject, [*rows_of_lengths(1), bad], Decoding(7, constrained=True))
    assert "cannot be enforced" in predicted["bad"]["error"]
    ((_, (settings,)),) = made[0].calls
    assert settings.structured_outputs is not None
    grammar = settings.structured_outputs.grammar
    assert grammar is not None
    assert llguidance.LLMatcher.validate_grammar(llguidance.grammar_from("grammar", grammar), None) == ""
    assert made[0].structured_outputs_config == {"backend": "guidance"}


def test_the_engine_is_made_once_for_what_is_asked_and_leaves_the_memory_that_is_taken(
    subject: Subject,
) -> None:
    for _ in range(2):
        generate(subject, rows_of_lengths(1, 5))
    (engine,) = made
    assert engine.max_model_len == subject.max_tokens
    assert (engine.model, engine.tokenizer) == (str(subject.folder), str(subject.folder))
    assert engine.gpu_memory_utilization == pytest.approx(0.9 * 60 / 80, abs=0.01)
    assert (engine.dtype, engine.enable_prefix_caching, engine.generation_config) == (
        "bfloat16",
        True,
        "vllm",
    )


def test_rows_are_handed_over_in_pieces_the_longest_first(
    subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vllm_engine, "ROWS_PER_CALL", 4)
    batches = list(generate_completions(subject, rows_of_lengths(*range(1, 11)), Decoding(7)))
    assert [len(batch) for batch in batches] == [4, 4, 2]
    lengths = [len(one["prompt_token_ids"]) for prompts, _ in made[0].calls for one in prompts]
    assert lengths == sorted(lengths, reverse=True)


def test_a_request_that_vllm_refuses_costs_its_row_alone(
    subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = rows_of_lengths(1, 2, 3, 4, 5)
    monkeypatch.setattr(LLM, "refused", len(subject.encode(subject.prompt_of(rows[2]))))
    predicted = generate(subject, rows, Decoding(7))
    assert predicted["r2"]["error"] == "ValueError: this prompt is refused"
    assert [name for name, one in sorted(predicted.items()) if "completion" in one] == [
        "r0",
        "r1",
        "r3",
        "r4",
    ]


def test_a_request_that_vllm_aborts_is_a_row_with_its_reason(
    subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LLM, "written", ((), "abort"))
    assert generate(subject, rows_of_lengths(1))["r0"] == {
        "id": "r0",
        "error": "vLLM ended the request: abort",
    }


@pytest.mark.parametrize(
    ("has_gpu", "has_package", "named"),
    [(False, True, "no GPU"), (True, False, "pip install 'vllm"), (False, False, "no GPU")],
    ids=["no GPU", "no package", "neither"],
)
def test_without_a_gpu_or_the_package_vllm_is_refused_and_auto_is_transformers(
    subject: Subject, monkeypatch: pytest.MonkeyPatch, has_gpu: bool, has_package: bool, named: str
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: has_gpu)
    if not has_package:
        monkeypatch.delitem(sys.modules, "vllm")
    with pytest.raises(BadInput, match=named):
        generate(subject, rows_of_lengths(1), Decoding(7), "vllm")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert "completion" in generate(subject, rows_of_lengths(1), Decoding(2))["r0"]
    assert not made
