"""The few-shot prompt: what the shipped one holds, where it goes, and what is said of a wrong one."""

from __future__ import annotations

import doctest
import json
from pathlib import Path
from typing import Any

import pytest
from transformers import PreTrainedTokenizerBase

from data.recipe_format import RECIPES, ROOT, read_format, read_recipe
from data.template import load_tokenizer, render_completion, render_prompt
from evaluation import few_shot as module
from evaluation.few_shot import read_few_shot
from evaluation.toolcalls import parse_completion
from evaluation.toolcalls.decision import DECISIONS, decision_of_text
from jobs.doors import BadInput
from tests.tiny_model import make_tiny_model

SHIPPED = sorted((ROOT / "training" / "few_shot").glob("*.yaml"))
TEMPLATES = ROOT / "training" / "templates"
MAX_CHARACTERS = 2100
ASKED = {"role": "user", "content": "Book a table."}
TOOLS = json.dumps([{"name": "book_table", "description": "Book a table.", "parameters": {}}])
# Turns of the user and the model alone, as Gemma 2 has them: a system turn is refused, or passed over.
NO_SYSTEM = (
    "{% for message in messages %}{% if message['role'] == 'system' %}SYSTEM{% else %}"
    "[{{ message['role'] }}]{{ message['content'] }}{% for call in message['tool_calls'] or [] %}"
    "{{ call | tojson }}{% endfor %}<|im_end|>{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}[assistant]{% endif %}"
)
REFUSED = NO_SYSTEM.replace("SYSTEM", "{{ raise_exception('no system role') }}")
PASSED_OVER = NO_SYSTEM.replace("SYSTEM", "")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_model(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def tokenizer(model: Path) -> PreTrainedTokenizerBase:
    return load_tokenizer(model, TEMPLATES / "smollm2.jinja", "compact")


def _decision(answer: Any) -> str:
    return "tool_call" if answer.get("tool_calls") else decision_of_text(answer["content"])


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_shipped_prompt_shows_every_decision_and_is_short(
    path: Path, tokenizer: PreTrainedTokenizerBase
) -> None:
    few_shot = read_few_shot(path)
    assert {_decision(example.answer) for example in few_shot.examples} == set(DECISIONS)
    assert max(len(example.answer.get("tool_calls", ())) for example in few_shot.examples) > 1
    assert len(few_shot.text_for(tokenizer)) < MAX_CHARACTERS, "every row pays for it"


def test_there_is_a_shipped_prompt_and_every_shipped_recipe_names_one() -> None:
    named = [read_format(read_recipe(path), path).few_shot_prompt for path in RECIPES.rglob("*.yaml")]
    assert len(named) >= 8
    assert set(named) == set(SHIPPED)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_no_example_is_a_test_row(path: Path) -> None:
    rows = (ROOT / "examples" / "rows" / "test.jsonl").read_text(encoding="utf-8").splitlines()
    asked = {_plain(json.loads(row)["question"]) for row in rows}
    names = {name for row in rows for name in _tool_names(json.loads(row))}
    assert len(asked) > 100
    for example in read_few_shot(path).examples:
        for message in example.messages:
            text = _plain(str(message["content"]))
            assert not [one for one in asked if text in one or one in text]
        assert not {tool["name"] for tool in json.loads(example.tools)} & names


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())


def _tool_names(row: dict[str, Any]) -> list[str]:
    return [json.loads(tool)["name"] for tool in row["tools"]]


@pytest.mark.parametrize("template", ["smollm2.jinja", "gemma3.jinja"])
def test_calls_are_shown_as_the_template_writes_them_without_the_end_of_a_turn(
    model: Path, template: str
) -> None:
    tokenizer = load_tokenizer(model, TEMPLATES / template)
    few_shot = read_few_shot(SHIPPED[0])
    text = few_shot.text_for(tokenizer)
    (calling, *_) = few_shot.examples
    written = render_completion(tokenizer, calling.messages, calling.tools, calling.answer)
    for marker in ("<|im_end|>", "<end_of_turn>", "<|im_start|>", "<start_of_turn>"):
        assert marker not in text, "it would end the turn that the prompt stands in"
        written = written.removesuffix(marker)
    assert written in text
    (call,) = parse_completion(written, "hermes").calls
    assert [call.name, call.arguments] == ["dim_lamp", {"room": "study", "percent": 40}]


PLACES: list[tuple[list[dict[str, Any]], list[str], str]] = [
    ([ASKED], ["system", "user"], "a system turn of its own"),
    ([{"role": "system", "content": "Be brief."}, ASKED], ["system", "user"], "before the row's own"),
    ([{"role": "system", "content": ""}, ASKED], ["system", "user"], "an empty one is filled"),
    ([ASKED, {"role": "assistant", "content": "For how many?"}, {"role": "user", "content": "Two."}],
     ["system", "user", "assistant", "user"], "once, before the whole conversation"),
]  # fmt: skip


@pytest.mark.parametrize(("messages", "roles", "reason"), PLACES, ids=[row[2] for row in PLACES])
def test_the_prompt_stands_in_the_system_turn(
    tokenizer: PreTrainedTokenizerBase, messages: list[dict[str, Any]], roles: list[str], reason: str
) -> None:
    few_shot = read_few_shot(SHIPPED[0])
    before = json.dumps(messages)
    placed = few_shot.messages_for(messages, tokenizer)
    assert json.dumps(messages) == before, "the row itself is left alone"
    assert [message["role"] for message in placed] == roles, reason
    own = messages[0]["content"] if messages[0]["role"] == "system" else ""
    assert placed[0]["content"] == few_shot.text_for(tokenizer) + (f"\n\n{own}" if own else "")
    assert placed[-1] == messages[-1]
    prompt = render_prompt(tokenizer, placed, TOOLS)
    assert prompt.count(few_shot.instructions) == 1
    assert prompt.index(few_shot.instructions) < prompt.index("book_table(")
    assert prompt.count("<|im_start|>") == len(roles) + 1


@pytest.mark.parametrize("template", [REFUSED, PASSED_OVER], ids=["refused", "passed over"])
def test_without_a_system_turn_the_prompt_heads_the_first_user_turn(
    tokenizer: PreTrainedTokenizerBase, template: str
) -> None:
    few_shot = read_few_shot(SHIPPED[0])
    again = {"role": "user", "content": "Two."}
    tokenizer.chat_template = template
    placed = few_shot.messages_for([ASKED, {"role": "assistant", "content": "How many?"}, again], tokenizer)
    assert [message["role"] for message in placed] == ["user", "assistant", "user"]
    assert placed[0]["content"] == f"{few_shot.text_for(tokenizer)}\n\n{ASKED['content']}"
    assert placed[2] == again


def test_another_template_gives_another_text(tokenizer: PreTrainedTokenizerBase) -> None:
    few_shot = read_few_shot(SHIPPED[0])
    first = few_shot.text_for(tokenizer)
    assert few_shot.text_for(tokenizer) is first, "rendered once, not once a row"
    tokenizer.chat_template = PASSED_OVER
    assert few_shot.text_for(tokenizer) != first


ONE_CALL = (
    "{%- for m in messages -%}{%- if m['tool_calls'] and m['tool_calls'] | length > 1 -%}"
    "{{ raise_exception('only single tool-calls at once') }}{%- endif -%}"
    "{{ m['role'] + ': ' + m['content'] + '\\n' }}{%- endfor -%}"
)


def test_an_example_that_the_template_cannot_write_is_left_out_and_said(
    tokenizer: PreTrainedTokenizerBase, capsys: pytest.CaptureFixture[str]
) -> None:
    few_shot = read_few_shot(SHIPPED[0])
    whole = few_shot.text_for(tokenizer)
    tokenizer.chat_template = ONE_CALL
    text = few_shot.text_for(tokenizer)
    assert text.count("Example with these tools") == whole.count("Example with these tools") - 1
    assert "only single tool-calls at once; the example is left out" in capsys.readouterr().out
    tokenizer.chat_template = "{% if tools %}{{ raise_exception('no') }}{% endif %}" + ONE_CALL
    with pytest.raises(BadInput, match="not one example is left"):
        few_shot.text_for(tokenizer)


def test_the_digest_is_that_of_the_file(tmp_path: Path) -> None:
    same, other = tmp_path / "same.yaml", tmp_path / "other.yaml"
    text = SHIPPED[0].read_text(encoding="utf-8")
    same.write_text(text, encoding="utf-8")
    other.write_text(text.replace("Decide before", "Think before"), encoding="utf-8")
    assert read_few_shot(SHIPPED[0]).digest == read_few_shot(same).digest != read_few_shot(other).digest


TOOL = "{name: f, description: Do., parameters: {type: object, properties: {n: {type: integer}}}}"
EXAMPLE = "{{tools: [{tool}], messages: [{{role: user, content: Hi}}], {answer}}}"


def _example(answer: str, tool: str = TOOL) -> str:
    return f"instructions: Do.\nexamples:\n  - {EXAMPLE.format(tool=tool, answer=answer)}"


FAULTS = [
    ("- a", "the file: give 'instructions' and 'examples'", "a list"),
    ("instructions: [", "cannot be read", "no YAML"),
    ("instructions: Do.\nexamples: []", "examples: give a list", "no example"),
    ("instructions: 3\nexamples: [{}]", "instructions: give text, not 3", "no text"),
    ("instruction: Do.\nexamples: [{}]", "unknown field 'instruction'", "a typo"),
    ("instructions: Do.\nexamples: [3]", "examples[0]: give a mapping", "a number"),
    ("instructions: Do.\nexamples: [{tools: []}]", "examples[0].messages: give at least one", "no question"),
    ("instructions: Do.\nexamples: [{messages: [{role: user, content: Hi}]}]", "either answer", "no answer"),
    (_example("answer: A, tool_calls: []"), "either answer (text) or tool_calls", "two answers"),
    (_example("answers: A"), "examples[0]: unknown field 'answers'", "a typo in an example"),
    (_example("answer: [A]"), "examples[0].answer: give text", "a list for text"),
    (_example("tool_calls: []"), "tool_calls: give a list", "no call"),
    (_example("tool_calls: [{name: g}]"), "tool_calls[0]: the example offers no tool 'g'", "invented"),
    (_example("tool_calls: [{name: f, arguments: {n: x}}]"), "wrong_type under the tool's", "no integer"),
    (_example("tool_calls: [{name: f, arguments: {n: 1, on: 2026-01-01}}]"), "put quotes", "YAML's date"),
    (_example("answer: A", "{name: f}"), "tools[0].description: give text", "a tool without a description"),
    (_example("answer: A", f"{TOOL}, {TOOL}"), "a second tool is named 'f'", "a tool twice"),
    (_example("answer: A").replace("role: user", "role: system"), "role is user or assistant", "a role"),
    (_example("answer: A").replace("role: user", "role: assistant"), "the last is the user's", "answered"),
]


@pytest.mark.parametrize(("text", "message", "why"), FAULTS, ids=[row[2] for row in FAULTS])
def test_a_fault_names_the_file_and_the_field(text: str, message: str, why: str, tmp_path: Path) -> None:
    path = tmp_path / "prompt.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BadInput) as raised:
        read_few_shot(path)
    assert message in str(raised.value), why
    assert str(path) in str(raised.value)


def test_an_absent_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"few_shot_prompt .*absent\.yaml"):
        read_few_shot(tmp_path / "absent.yaml")


def test_the_example_in_the_docstring_holds() -> None:
    assert doctest.testmod(module) == (0, 2)
