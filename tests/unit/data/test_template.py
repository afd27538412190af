"""One rendering: what the model is asked plus what it must write is the whole conversation."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from transformers import PreTrainedTokenizerFast

from data.template import (
    EMPTY_THOUGHT,
    end_of_turn,
    load_tokenizer,
    message_for_answer,
    render_completion,
    render_prompt,
    set_tools_rendering,
)
from jobs.doors import BadInput

TokenizerOf = Callable[[str], PreTrainedTokenizerFast]

TOOLS = json.dumps(
    [
        {
            "name": "track",
            "description": "Track a parcel.",
            "parameters": {"type": "object", "properties": {"number": {"type": "string"}}},
        }
    ]
)
OURS = "training/templates/smollm2.jinja"
GEMMA = "training/templates/gemma3.jinja"
CHATML_TEMPLATES = ["qwen3", "qwen3_training", "qwen3_instruct_2507", "qwen2_5", OURS]
TEMPLATES = [*CHATML_TEMPLATES, "llama3_2"]
HERMES = '<tool_call>\n{"name": "track", "arguments": {"number": "É 7"}}\n</tool_call><|im_end|>'


def call(**arguments: Any) -> dict[str, Any]:
    function = {"name": "track", "arguments": json.dumps(arguments)}
    return {"role": "assistant", "content": "", "tool_calls": [{"type": "function", "function": function}]}


QUESTION = [{"role": "user", "content": "Where is it?"}]
HISTORY = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Where is it?"},
    call(number="A1"),
    {"role": "tool", "name": "track", "content": '{"at": "Lyon"}'},
    {"role": "assistant", "content": "In Lyon."},
    {"role": "user", "content": "And B2?"},
]
CONVERSATIONS = [
    pytest.param(QUESTION, id="one turn"),
    pytest.param(HISTORY, id="earlier turns with a call and its result"),
    pytest.param(HISTORY[:4], id="a tool result to answer"),
]


@pytest.mark.parametrize("template", TEMPLATES)
@pytest.mark.parametrize("messages", CONVERSATIONS)
def test_completion_is_the_answer_through_end_of_turn(
    template: str, messages: list[Any], tokenizer_of: TokenizerOf
) -> None:
    tokenizer = tokenizer_of(template)
    completion = render_completion(tokenizer, messages, TOOLS, {"role": "assistant", "content": "In Oslo."})
    assert completion == f"In Oslo.{tokenizer.eos_token}"


@pytest.mark.parametrize("template", CHATML_TEMPLATES)
@pytest.mark.parametrize("messages", CONVERSATIONS)
def test_calls_are_written_as_hermes_parsers_read_them(
    template: str, messages: list[Any], tokenizer_of: TokenizerOf
) -> None:
    assert render_completion(tokenizer_of(template), messages, TOOLS, call(number="É 7")) == HERMES


def test_llama_gets_objects_and_no_second_quoting(tokenizer_of: TokenizerOf) -> None:
    completion = render_completion(tokenizer_of("llama3_2"), QUESTION, TOOLS, call(number="É 7"))
    assert completion == '{"name": "track", "parameters": {"number": "É 7"}}<|eot_id|>'


@pytest.mark.parametrize("template", TEMPLATES)
def test_prompt_shows_the_tools_and_ends_where_the_model_answers(
    template: str, tokenizer_of: TokenizerOf
) -> None:
    prompt = render_prompt(tokenizer_of(template), QUESTION, TOOLS)
    assert "track" in prompt
    assert prompt.rstrip().endswith(("assistant", "assistant<|end_header_id|>", EMPTY_THOUGHT.rstrip()))


def test_qwen3_is_asked_not_to_think(tokenizer_of: TokenizerOf) -> None:
    assert render_prompt(tokenizer_of("qwen3"), QUESTION, TOOLS).endswith(EMPTY_THOUGHT)


def test_a_template_without_the_empty_thought_in_answers_loses_it_from_neither_side(
    tokenizer_of: TokenizerOf,
) -> None:
    tokenizer = tokenizer_of("qwen3")
    tokenizer.chat_template = (
        "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
        "{% if add_generation_prompt %}<|im_start|>assistant\n<think>\n\n</think>\n\n{% endif %}"
    )
    assert render_prompt(tokenizer, QUESTION, "[]").endswith(EMPTY_THOUGHT)
    assert render_completion(tokenizer, QUESTION, "[]", {"role": "assistant", "content": "Yes."}) == (
        "Yes.<|im_end|>"
    )


def test_rendering_does_not_depend_on_the_day(tokenizer_of: TokenizerOf) -> None:
    assert "Today Date: 26 Jul 2024" in render_prompt(tokenizer_of("llama3_2"), QUESTION, TOOLS)


def test_no_tools_leave_no_preamble(tokenizer_of: TokenizerOf) -> None:
    assert "functions" not in render_prompt(tokenizer_of("llama3_2"), QUESTION, "[]")


def test_end_of_turn_inside_the_answer_is_kept(tokenizer_of: TokenizerOf) -> None:
    answer = {"role": "assistant", "content": "It ends with <|im_end|> as a word."}
    completion = render_completion(tokenizer_of("qwen3"), QUESTION, TOOLS, answer)
    assert completion == "It ends with <|im_end|> as a word.<|im_end|>"


TWO_CALLS = {"role": "assistant", "content": "", "tool_calls": call()["tool_calls"] * 2}
BAD = [
    pytest.param(QUESTION, "{}", call(), "tools: expected a JSON list", id="tools are an object"),
    pytest.param(QUESTION, "[", call(), "tools: not JSON", id="tools are not JSON"),
    pytest.param(
        [{"role": "assistant", "content": ""}], TOOLS, TWO_CALLS, "refuses", id="Llama has one call a turn"
    ),
]


@pytest.mark.parametrize(("messages", "tools", "answer", "said"), BAD)
def test_what_cannot_be_rendered_is_bad_input(
    messages: list[Any], tools: str, answer: dict[str, Any], said: str, tokenizer_of: TokenizerOf
) -> None:
    with pytest.raises(BadInput, match=said):
        render_completion(tokenizer_of("llama3_2"), messages, tools, answer)


def test_a_template_whose_answer_changes_the_prompt_is_refused_with_both_texts(
    tokenizer_of: TokenizerOf,
) -> None:
    tokenizer = tokenizer_of("qwen3")
    tokenizer.chat_template = "{{ messages | length }}{% for m in messages %}{{ m.content }}{% endfor %}"
    with pytest.raises(BadInput, match=r"(?s)prompt: '1Where.*whole:  '2Where"):
        render_completion(tokenizer, QUESTION, "[]", {"role": "assistant", "content": "Here."})


ANSWERS = [
    ("direct", "It is {here}.", {"role": "assistant", "content": "It is {here}."}),
    ("tool_call", '{"name": "track", "arguments": {"number": "A1"}}', call(number="A1")),
    ("tool_call", '[{"name": "track", "arguments": "{\\"number\\": \\"A1\\"}"}]', call(number="A1")),
    ("tool_call", '{"name": "track", "arguments": null}', call()),
]


@pytest.mark.parametrize(("name", "text", "message"), ANSWERS)
def test_answers_become_messages(name: str, text: str, message: dict[str, Any]) -> None:
    assert message_for_answer(name, text) == message


@pytest.mark.parametrize("text", ["call it", "[1]", '{"arguments": {}}', "[" * 100_000])
def test_an_answer_that_is_no_call_is_bad_input(text: str) -> None:
    with pytest.raises(BadInput, match=r"answers\.tool_call"):
        message_for_answer("tool_call", text)


def test_a_tokenizer_takes_our_template_and_must_have_one(tokenizer_of: TokenizerOf, tmp_path: Path) -> None:
    tokenizer = tokenizer_of("qwen3")
    tokenizer.chat_template = None
    tokenizer.save_pretrained(tmp_path)
    with pytest.raises(BadInput, match="no chat template"):
        load_tokenizer(tmp_path, None)
    with pytest.raises(BadInput, match=r"absent\.jinja"):
        load_tokenizer(tmp_path, tmp_path / "absent.jinja")
    (tmp_path / "ours.jinja").write_text("ours", encoding="utf-8")
    assert load_tokenizer(tmp_path, tmp_path / "ours.jinja").chat_template == "ours"
    with pytest.raises(BadInput, match="no tokenizer can be loaded"):
        load_tokenizer(tmp_path / "nowhere", None)


def fixed(tokenizer: PreTrainedTokenizerFast, rendering: Any) -> PreTrainedTokenizerFast:
    tokenizer.chat_template = set_tools_rendering(str(tokenizer.chat_template), rendering)
    return tokenizer


@pytest.mark.parametrize("template", [OURS, GEMMA])
def test_tools_are_printed_in_full_or_as_signatures(template: str, tokenizer_of: TokenizerOf) -> None:
    schema = json.dumps(json.loads(TOOLS)[0]["parameters"])
    as_it_is, full, compact = (
        render_prompt(tokenizer, QUESTION, TOOLS)
        for tokenizer in (
            tokenizer_of(template),
            fixed(tokenizer_of(template), "full"),
            fixed(tokenizer_of(template), "compact"),
        )
    )
    assert as_it_is == full
    assert schema in full
    assert schema not in compact
    assert "\ntrack(number?: string): Track a parcel.\n" in compact
    assert "\ntrack(" not in full


def test_the_rendering_travels_with_the_saved_tokenizer(tokenizer_of: TokenizerOf, tmp_path: Path) -> None:
    tokenizer_of("qwen3").save_pretrained(tmp_path / "base")
    template = Path(__file__).parents[3] / OURS
    trained = load_tokenizer(tmp_path / "base", template, "compact")
    trained.save_pretrained(tmp_path / "trained")
    served = load_tokenizer(tmp_path / "trained", None)
    assert render_prompt(served, QUESTION, TOOLS) == render_prompt(trained, QUESTION, TOOLS)
    again = load_tokenizer(tmp_path / "trained", None, "full")
    assert str(again.chat_template).count("set tools_rendering") == 1
    assert render_prompt(again, QUESTION, TOOLS) != render_prompt(trained, QUESTION, TOOLS)


def test_a_template_without_the_choice_prints_in_full_and_refuses_compact(tokenizer_of: TokenizerOf) -> None:
    stock = str(tokenizer_of("qwen3").chat_template)
    assert set_tools_rendering(stock, "full") == stock
    with pytest.raises(BadInput, match="name one of training/templates as chat_template"):
        set_tools_rendering(stock, "compact")


ENDINGS = [
    ("qwen3", "<|im_end|>", "the tokenizer's own"),
    ("llama3_2", "<|eot_id|>", "the tokenizer's own, after a header"),
    ("gemma3", "<end_of_turn>", "not the tokenizer's eos, and a newline behind it"),
    (GEMMA, "<end_of_turn>", "ours as Google's"),
    ("phi3", "<|end|>", "the text's end is written behind the turn's"),
]


@pytest.mark.parametrize(("template", "marker", "why"), ENDINGS, ids=[row[2] for row in ENDINGS])
def test_a_turn_ends_with_the_templates_marker(
    template: str, marker: str, why: str, tokenizer_of: TokenizerOf
) -> None:
    tokenizer = tokenizer_of(template)
    if tokenizer.eos_token != marker:
        added = {"eos_token": "<eos>", "additional_special_tokens": [marker]}
        tokenizer.add_special_tokens(added)
    assert end_of_turn(tokenizer) == marker
    answer = {"role": "assistant", "content": "Here."}
    assert render_completion(tokenizer, QUESTION, "[]", answer) == f"Here.{marker}"


def test_a_template_that_fails_on_a_row_is_bad_input(tokenizer_of: TokenizerOf) -> None:
    tokenizer = tokenizer_of("qwen3")
    tokenizer.chat_template = "{{ messages | length + 'x' }}"
    with pytest.raises(BadInput, match="refuses this conversation"):
        render_prompt(tokenizer, QUESTION, "[]")


def test_gemma_puts_system_and_tools_into_the_first_user_turn(tokenizer_of: TokenizerOf) -> None:
    prompt = render_prompt(fixed(tokenizer_of(GEMMA), "compact"), [*HISTORY[:4], HISTORY[3]], TOOLS)
    first, *turns = prompt.split("<start_of_turn>")[1:]
    assert first.startswith("user\nBe brief.\n\nTools:\ntrack(")
    assert first.endswith("Where is it?<end_of_turn>\n")
    assert turns[0].startswith('model\n<tool_call>\n{"name": "track"')
    result = '<tool_response>\n{"at": "Lyon"}\n</tool_response>'
    assert turns[1:] == [f"user\n{result}\n{result}<end_of_turn>\n", "model\n"]
    assert "system" not in prompt
