"""One rendering: what the model is asked plus what it must write is the whole conversation."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from transformers import PreTrainedTokenizerFast

from data.template import EMPTY_THOUGHT, load_tokenizer, message_for_answer, render_completion, render_prompt
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
