"""Multiple choice: the shared forward gives what four requests give, on two architectures."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from evaluation.model import Subject, load_subject
from evaluation.multiple_choice import encode_answers, predict_choices, score_answers, score_separately
from jobs.doors import BadInput, NotFinite
from tests.unit.evaluation.models import save_tiny_model
from tests.unit.evaluation.rows import ANSWERS, choice_row

WORDS = ["weather", "Paris", "tool", "sunny", "{", "}", '"', "?", "which", "7", "<tool_call>", "é", "\n"]


@pytest.fixture(scope="module", params=["llama", "qwen3"])
def subject(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Subject:
    return load_subject(save_tiny_model(tmp_path_factory.mktemp(request.param), request.param))


def harness_logprob(subject: Subject, prompt: str, answer: str) -> float:
    """What lm_eval's HFLM does with one request, written down again and independently."""
    blanks = len(prompt) - len(prompt.rstrip())
    context = subject.encode(prompt[: len(prompt) - blanks])
    continuation = subject.encode(prompt + answer)[len(context) :]
    with torch.inference_mode():
        logits = subject.model(torch.tensor([context + continuation])).logits[0]
    logprobs = torch.log_softmax(logits.float(), dim=-1)
    at = len(context) - 1
    return sum(float(logprobs[at + number, token]) for number, token in enumerate(continuation))


def test_it_equals_four_requests_of_the_harness(subject: Subject) -> None:
    row = choice_row("direct")
    predicted = predict_choices(subject, row)["choices"]
    prompt = subject.prompt_of(row)
    rendered = {**ANSWERS, "tool_call": "<tool_call>\n" + ANSWERS["tool_call"] + "\n</tool_call>"}
    for name, text in rendered.items():
        assert predicted[name]["logprob"] == pytest.approx(harness_logprob(subject, prompt, text), abs=1e-4)
        assert predicted[name]["characters"] == len(text), "the end of the turn is neither scored nor counted"


@pytest.mark.parametrize("seed", range(12))
def test_sharing_the_prompt_changes_nothing_at_any_length(subject: Subject, seed: int) -> None:
    rng = np.random.default_rng(seed)
    row = choice_row("direct", f"r{seed}")
    row["messages"] = [{"role": "user", "content": " ".join(rng.choice(WORDS, rng.integers(0, 41)))}]
    row["answers"] = {
        **{name: " ".join(rng.choice(WORDS, rng.integers(1, 31))) for name in ANSWERS},
        "tool_call": ANSWERS["tool_call"],
    }
    answers = list(encode_answers(subject, row).values())
    shared, separate = score_answers(subject.model, answers), score_separately(subject.model, answers)
    assert shared == pytest.approx(separate, abs=1e-4)
    assert shared.index(max(shared)) == separate.index(max(separate))


def test_answers_of_one_token_need_no_second_forward(subject: Subject) -> None:
    answers = list(encode_answers(subject, choice_row("direct")).values())
    short = [dataclasses.replace(answer, continuation=answer.continuation[:1]) for answer in answers]
    assert score_answers(subject.model, short) == pytest.approx(
        score_separately(subject.model, short), abs=1e-5
    )


def test_a_merge_across_the_border_falls_back_to_separate_forwards(
    subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A prompt whose last token changes when an answer follows, as with tokenizers that merge across words.
    merging = dataclasses.replace(subject)
    plain = subject.encode

    def encode(self: Subject, text: str) -> list[int]:
        tokens = plain(text)
        return [*tokens[:-1], tokens[-1] ^ 1] if text.endswith("assistant") else tokens

    monkeypatch.setattr(Subject, "encode", encode)
    answers = encode_answers(merging, choice_row("direct"))
    for name, answer in answers.items():
        whole = [*answer.context, *answer.continuation]
        text = ANSWERS[name] if name != "tool_call" else f"<tool_call>\n{ANSWERS[name]}\n</tool_call>"
        assert whole == plain(merging.prompt_of(choice_row("direct")) + text), "not a token is lost"
    assert len({answer.context for answer in answers.values()}) == 1


def test_contexts_that_differ_are_scored_separately(subject: Subject) -> None:
    first, second, *_ = encode_answers(subject, choice_row("direct")).values()
    shifted = dataclasses.replace(
        second, context=second.context[:-1], continuation=(second.context[-1], *second.continuation)
    )
    scores = score_answers(subject.model, [first, shifted])
    assert scores == pytest.approx(score_separately(subject.model, [first, shifted]), abs=1e-5)


def test_a_row_that_is_too_long_or_has_no_answers_is_bad_input(subject: Subject) -> None:
    row = choice_row("direct")
    row["messages"] = [{"role": "user", "content": "Paris " * 600}]
    with pytest.raises(BadInput, match=r"row r1: \d+ tokens, the model has positions for 512"):
        predict_choices(subject, row)
    del row["answers"]
    with pytest.raises(BadInput, match="row r1: has no 'answers'"):
        predict_choices(subject, row)


def test_broken_weights_are_not_finite_numbers(tmp_path: Path) -> None:
    subject = load_subject(save_tiny_model(tmp_path))
    with torch.no_grad():
        subject.model.get_input_embeddings().weight.fill_(float("nan"))
    with pytest.raises(NotFinite, match="row r1"):
        predict_choices(subject, choice_row("direct"))
