"""Generation: batches change nothing, failures stay with their rows, a model's own settings do not matter."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.generation import Decoding, generate_completions
from evaluation.generation.prompts import Prompt, batch_size, tokens_held
from evaluation.generation.transformers_engine import TOKENS_PER_BATCH
from evaluation.model import Subject, load_subject
from jobs.doors import BadInput, NotFinite
from tests.unit.evaluation.models import save_tiny_model
from tests.unit.evaluation.rows import text_row

GREEDY = Decoding(12)


@pytest.fixture(scope="module")
def subject(tmp_path_factory: pytest.TempPathFactory) -> Subject:
    return load_subject(save_tiny_model(tmp_path_factory.mktemp("model"), "qwen3"))


def rows_of_lengths(*lengths: int) -> list[dict[str, Any]]:
    made = [text_row("direct", f"r{number}") for number in range(len(lengths))]
    for row, length in zip(made, lengths, strict=True):
        row["messages"] = [{"role": "user", "content": "Paris " * length}]
    return made


def generate(
    subject: Subject, rows: list[dict[str, Any]], decoding: Decoding = GREEDY
) -> dict[str, dict[str, Any]]:
    batches = list(generate_completions(subject, rows, decoding, "transformers"))
    assert sorted(one["id"] for batch in batches for one in batch) == sorted(row["id"] for row in rows)
    return {one["id"]: one for batch in batches for one in batch}


def test_padding_and_batches_change_no_completion(subject: Subject) -> None:
    rows = rows_of_lengths(1, 9, 3, 20)
    alone = {}
    for row in rows:
        alone.update(generate(subject, [row]))
    assert generate(subject, rows) == alone


def test_completions_stop_at_the_end_of_the_turn_and_keep_markers(
    subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = subject.encode("Hi <tool_call>{}</tool_call><|im_end|>")
    tail = said + [said[-1]] * 3

    def speak(tokens: torch.Tensor, **_: Any) -> torch.Tensor:
        return torch.cat([tokens, torch.tensor([tail] * len(tokens))], dim=1)

    monkeypatch.setattr(subject.model, "generate", speak)
    row = rows_of_lengths(1)[0]
    predicted = generate(subject, [row])["r0"]
    assert predicted["completion"] == "Hi <tool_call>{}</tool_call>"
    assert (predicted["stop_reason"], predicted["tokens"]) == ("end_of_turn", len(said) - 1)
    assert predicted["prompt_tokens"] == len(subject.encode(subject.prompt_of(row)))
    assert predicted["format"] == "hermes"


def test_a_completion_that_does_not_end_is_cut_and_says_so(subject: Subject) -> None:
    predicted = generate(subject, rows_of_lengths(1), Decoding(3))["r0"]
    assert (predicted["stop_reason"], predicted["tokens"]) == ("length", 3)


def test_decoding_is_greedy_whatever_the_model_asks_for(subject: Subject) -> None:
    rows = rows_of_lengths(4)
    first = generate(subject, rows)
    subject.model.generation_config.do_sample = True
    subject.model.generation_config.temperature = 5.0
    subject.model.generation_config.repetition_penalty = 9.0
    assert generate(subject, rows) == first


def test_a_row_that_fails_costs_no_other_and_says_why(
    subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = subject.model.generate

    def fragile(tokens: torch.Tensor, **rest: Any) -> torch.Tensor:
        if tokens.shape[1] > 380:
            raise RuntimeError("the long one is cursed")
        generated: torch.Tensor = real(tokens, **rest)
        return generated

    monkeypatch.setattr(subject.model, "generate", fragile)
    rows = rows_of_lengths(1, 60, 400, 2, 3)
    rows[3]["tools"] = "{"
    predicted = generate(subject, rows)
    assert "completion" in predicted["r0"]
    assert predicted["r1"]["error"] == "RuntimeError: the long one is cursed"
    assert "leaves room for 0 new ones" in predicted["r2"]["error"]
    assert "tools: not JSON" in predicted["r3"]["error"]
    assert "completion" in predicted["r4"]


@pytest.mark.parametrize(
    "error",
    [torch.OutOfMemoryError("no room"), RuntimeError("DefaultCPUAllocator: can't allocate memory: no room")],
    ids=["gpu", "cpu"],
)
def test_a_batch_that_memory_does_not_suffice_for_is_halved_and_none_is_as_large_again(
    subject: Subject, monkeypatch: pytest.MonkeyPatch, error: RuntimeError
) -> None:
    real, sizes = subject.model.generate, []

    def small(tokens: torch.Tensor, **rest: Any) -> torch.Tensor:
        sizes.append(len(tokens))
        if len(tokens) > 3:
            raise error
        generated: torch.Tensor = real(tokens, **rest)
        return generated

    monkeypatch.setattr(subject.model, "generate", small)
    monkeypatch.setitem(TOKENS_PER_BATCH, "cpu", 20_000)
    rows = rows_of_lengths(*[1] * 19)
    predicted = generate(subject, rows)
    assert all("completion" in one for one in predicted.values())
    assert sizes == [19, 9, 4, *[2] * 9, 1]


def test_a_row_too_large_for_memory_says_what_to_do(
    subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(tokens: torch.Tensor, **_: Any) -> torch.Tensor:
        raise torch.OutOfMemoryError("no room")

    monkeypatch.setattr(subject.model, "generate", full)
    error = generate(subject, rows_of_lengths(1))["r0"]["error"]
    assert error.startswith("OutOfMemoryError: no room: a prompt of ")
    assert "lower --max-new-tokens" in error


def test_weights_that_give_no_numbers_end_the_job(tmp_path: Path) -> None:
    broken = load_subject(save_tiny_model(tmp_path))
    with torch.no_grad():
        broken.model.get_input_embeddings().weight.fill_(torch.nan)
    with pytest.raises(NotFinite, match="logits"):
        generate(broken, rows_of_lengths(1))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(1, 300), min_size=1, max_size=40), st.integers(50, 2_000))
def test_a_batch_is_as_large_as_the_budget_allows(lengths: list[int], budget: int) -> None:
    prompts = [Prompt(str(number), (1,) * length) for number, length in enumerate(sorted(lengths)[::-1])]
    size = batch_size(prompts, 10, budget)
    assert size == 1 or tokens_held(prompts[:size], 10) <= budget
    assert size == len(prompts) or tokens_held(prompts[: size + 1], 10) > budget


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"max_new_tokens": 0}, "max_new_tokens"),
        ({"temperature": -1.0}, "temperature"),
        ({"temperature": float("nan")}, "temperature"),
        ({"temperature": float("inf")}, "temperature"),
        ({"top_p": 0.0}, "top_p"),
        ({"top_p": 1.1}, "top_p"),
        ({"top_p": float("nan")}, "top_p"),
        ({"top_k": -1}, "top_k"),
    ],
)
def test_settings_that_no_engine_can_decode_with_are_refused(wrong: dict[str, Any], named: str) -> None:
    with pytest.raises(BadInput, match=named):
        Decoding(**wrong)


def test_an_unknown_engine_is_refused_and_names_those_there_are(subject: Subject) -> None:
    with pytest.raises(BadInput, match="'trt' is unknown; known are auto, transformers, vllm"):
        next(generate_completions(subject, rows_of_lengths(1), engine="trt"))
