"""Multiple choice: a forest of rows gives what four requests a row give, on four architectures."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evaluation.model import Subject, load_subject
from evaluation.multiple_choice import predict_choices
from evaluation.multiple_choice.answers import EncodedAnswer, encode_question
from evaluation.multiple_choice.batches import Budget
from evaluation.multiple_choice.scoring import can_share, score_answers, score_separately
from jobs.doors import NotFinite
from tests.unit.evaluation.models import save_tiny_model
from tests.unit.evaluation.rows import ANSWERS, TIMER, WEATHER, choice_row

WORDS = ["weather", "Paris", "tool", "sunny", "{", "}", '"', "?", "which", "7", "<tool_call>", "é", "\n"]
ARCHITECTURES = ["llama", "qwen3", "gemma3", "gemma2"]


@pytest.fixture(scope="module", params=ARCHITECTURES)
def subject(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Subject:
    return load_subject(save_tiny_model(tmp_path_factory.mktemp(request.param), request.param))


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Subject:
    return load_subject(save_tiny_model(tmp_path_factory.mktemp("model")))


def predictions(subject: Subject, rows: Sequence[dict[str, Any]], **options: Any) -> dict[str, Any]:
    found = [one for batch in predict_choices(subject, rows, **options) for one in batch]
    by_id = {one["id"]: one for one in found}
    assert len(found) == len(by_id) == len(rows), "each row once"
    return by_id


def encoded(tokens: Sequence[int], context: int) -> EncodedAnswer:
    return EncodedAnswer(np.asarray(tokens, np.int32), context, 1)


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
    predicted = predictions(subject, [row])["r1"]["choices"]
    prompt = subject.prompt_of(row)
    rendered = {**ANSWERS, "tool_call": "<tool_call>\n" + ANSWERS["tool_call"] + "\n</tool_call>"}
    for name, text in rendered.items():
        assert predicted[name]["logprob"] == pytest.approx(harness_logprob(subject, prompt, text), abs=1e-4)
        assert predicted[name]["characters"] == len(text), "the end of the turn is neither scored nor counted"


def test_every_architecture_shares(subject: Subject) -> None:
    assert can_share(subject.model)


texts = st.lists(st.sampled_from(WORDS), min_size=1, max_size=30).map(" ".join)
toolsets = st.sampled_from([[], [WEATHER], [WEATHER, TIMER], [TIMER]]).map(json.dumps)


@st.composite
def choice_rows(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Rows with shared tools, answers that are equal or begin alike, and answers of one word."""
    rows = []
    for number in range(draw(st.integers(1, 5))):
        row = {**choice_row("direct", f"r{number}"), "tools": draw(toolsets)}
        row["messages"] = [{"role": "user", "content": draw(texts)}]
        first = draw(texts)
        others = st.one_of(texts, st.just(first), texts.map(f"{first} ".__add__))
        row["answers"] = {"direct": first, "request_for_info": draw(others), "cannot_answer": draw(others)}
        if draw(st.booleans()):
            row["answers"]["tool_call"] = ANSWERS["tool_call"]
        rows.append(row)
    return rows


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=choice_rows(), budget=st.sampled_from([Budget(1, 1), Budget(200, 400), Budget(4096, 4096)]))
def test_a_batch_of_rows_equals_a_forward_an_answer(
    subject: Subject, rows: list[dict[str, Any]], budget: Budget
) -> None:
    found = predictions(subject, rows, budget=budget)
    for row in rows:
        answers = list(encode_question(subject, row).answers.values())
        shared = [choice["logprob"] for choice in found[row["id"]]["choices"].values()]
        separate = score_separately(subject.model, answers)
        assert shared == pytest.approx(separate, abs=1e-4)
        assert separate[int(np.argmax(shared))] == pytest.approx(max(separate), abs=1e-4)


tokens = st.integers(0, 3)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    sequences=st.lists(st.lists(tokens, min_size=2, max_size=70), min_size=1, max_size=8),
    least_shared=st.sampled_from([1, 4, 1000]),
    data=st.data(),
)
def test_any_tokens_at_any_length_score_as_alone(
    subject: Subject, sequences: list[list[int]], least_shared: int, data: st.DataObject
) -> None:
    # Four kinds of token: sequences often begin alike, and are often one the beginning of another.
    answers = [encoded(one, data.draw(st.integers(1, len(one) - 1))) for one in sequences]
    owners = [data.draw(st.integers(0, 2)) for _ in answers]
    scores = score_answers(subject.model, answers, owners, least_shared)
    assert scores == pytest.approx(score_separately(subject.model, answers), abs=1e-4)


@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    shared=st.integers(300, 420),
    rests=st.lists(st.integers(1, 80), min_size=2, max_size=4),
    seed=st.integers(0, 2**16),
)
def test_prompts_longer_than_a_block_of_queries(
    subject: Subject, shared: int, rests: list[int], seed: int
) -> None:
    rng = np.random.default_rng(seed)
    prefix = rng.integers(0, 350, shared)
    answers = [
        encoded([*prefix[: -7 * at or None], *rng.integers(0, 350, rest)], 5) for at, rest in enumerate(rests)
    ]
    scores = score_answers(subject.model, answers, list(range(len(answers))))
    separate = score_separately(subject.model, answers)
    # Hundreds of tokens are scored here: the bound is one of 1e-4 nats for every hundred.
    assert scores == pytest.approx(separate, abs=5e-4)


def test_a_merge_across_the_border_belongs_to_the_answer(
    llama: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A prompt whose last token changes when an answer follows, as with tokenizers that merge across words.
    merging = dataclasses.replace(llama)
    plain = llama.encode

    def encode(self: Subject, text: str) -> list[int]:
        tokens = plain(text)
        return [*tokens[:-1], tokens[-1] ^ 1] if text.endswith("assistant") else tokens

    monkeypatch.setattr(Subject, "encode", encode)
    answers = encode_question(merging, choice_row("direct")).answers
    for name, answer in answers.items():
        text = ANSWERS[name] if name != "tool_call" else f"<tool_call>\n{ANSWERS[name]}\n</tool_call>"
        whole = plain(merging.prompt_of(choice_row("direct")) + text)
        assert answer.tokens.tolist() == whole, "not a token is lost"
    asked = len(plain(merging.prompt_of(choice_row("direct")).rstrip()))
    assert {answer.context for answer in answers.values()} == {asked - 1}


def test_contexts_of_one_row_may_differ(subject: Subject) -> None:
    first, second, *_ = encode_question(subject, choice_row("direct")).answers.values()
    shifted = dataclasses.replace(second, context=second.context - 1)
    scores = score_answers(subject.model, [first, shifted])
    assert scores == pytest.approx(score_separately(subject.model, [first, shifted]), abs=1e-4)


def test_a_row_that_cannot_be_used_is_an_error_and_the_others_go_on(llama: Subject) -> None:
    long, bare, call = (choice_row("direct", name) for name in ("long", "bare", "call"))
    long["messages"] = [{"role": "user", "content": "Paris " * 600}]
    del bare["answers"]
    call["answers"] = {**ANSWERS, "tool_call": "get_weather()"}
    found = predictions(llama, [long, bare, call, choice_row("direct")])
    assert "row long: " in found["long"]["error"]
    assert "the model has positions for 512" in found["long"]["error"]
    assert found["bare"]["error"] == "row bare: has no 'answers' to choose from"
    assert "answers.tool_call is not JSON" in found["call"]["error"]
    assert set(found["r1"]["choices"]) == set(ANSWERS)


def test_broken_weights_are_not_finite_numbers(tmp_path: Path) -> None:
    subject = load_subject(save_tiny_model(tmp_path))
    with torch.no_grad():
        subject.model.get_input_embeddings().weight.fill_(float("nan"))
    with pytest.raises(NotFinite, match="row r1"):
        predictions(subject, [choice_row("direct")])


def test_generation_after_scoring_is_unchanged(subject: Subject) -> None:
    prompt = torch.tensor([subject.encode("How is the weather in Paris?")])
    asked = {"max_new_tokens": 12, "do_sample": False, "output_scores": True, "return_dict_in_generate": True}
    before = subject.model.generate(prompt, **asked)
    predictions(subject, [choice_row("direct")])
    after = subject.model.generate(prompt, **asked)
    assert torch.equal(before.sequences, after.sequences)
    assert all(torch.equal(one, other) for one, other in zip(before.scores, after.scores, strict=True))
