"""The round trip: what rows call comes back from every template, or the run stops with both texts."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import PreTrainedTokenizerFast

from data.roundtrip import PROBE_TOOL, SHOWN_CHARACTERS, RoundTrip
from data.rows import Expected, Row, RowError, write_json
from data.shapes.reading import read_rows
from data.template import set_tools_rendering
from evaluation.toolcalls import parse_completion
from jobs.doors import BadInput

TokenizerOf = Callable[[str], PreTrainedTokenizerFast]

OURS = ("training/templates/smollm2.jinja", "training/templates/gemma3.jinja")
RENDERED = [(template, rendering) for template in OURS for rendering in ("full", "compact")]
GEMMA_MARKERS = ["<start_of_turn>", "<end_of_turn>"]
TOOLS = write_json(
    [{"name": "f", "description": "", "parameters": {"type": "object", "properties": {"x": {}}}}]
)
QUESTION = {"role": "user", "content": "?"}


@pytest.fixture(scope="module")
def round_trip_of(tokenizer_of: TokenizerOf) -> Callable[[str, str | None], RoundTrip]:
    made: dict[tuple[str, str | None], RoundTrip] = {}

    def make(template: str, rendering: Any = None) -> RoundTrip:
        if (template, rendering) not in made:
            tokenizer = tokenizer_of(template)
            if "gemma3" in template:
                tokenizer.add_special_tokens(
                    {"eos_token": "<eos>", "additional_special_tokens": GEMMA_MARKERS}
                )
            if rendering:
                text = set_tools_rendering(str(tokenizer.chat_template), rendering)
                tokenizer.chat_template = text
            made[template, rendering] = RoundTrip(tokenizer)
        return made[template, rendering]

    return make


def rows_of(folder: Path) -> Iterator[tuple[str, Row]]:
    for path in sorted(folder.glob("t*.jsonl")) + sorted(folder.glob("[cw]*.jsonl")):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            try:
                for row in read_rows(json.loads(line), path.stem):
                    yield f"{path.name} line {number}", row
            except RowError:
                continue


def call(arguments: Any, name: str = "f", content: str = "") -> dict[str, Any]:
    written = arguments if isinstance(arguments, str) else json.dumps(arguments)
    function = {"name": name, "arguments": written}
    return {
        "role": "assistant",
        "content": content,
        "tool_calls": [{"type": "function", "function": function}],
    }


def say(text: str) -> dict[str, Any]:
    return {"role": "assistant", "content": text}


def sft(answer: dict[str, Any], *earlier: dict[str, Any]) -> Row:
    return Row("r7", "s", TOOLS, (QUESTION, *earlier, answer), Expected("tool_call"))


@pytest.mark.parametrize(("template", "rendering"), [*RENDERED, ("qwen3", None), ("qwen2_5", None)])
def test_every_shipped_row_survives(
    template: str, rendering: str | None, examples: Path, round_trip_of: Any
) -> None:
    checked = 0
    for place, row in rows_of(examples):
        round_trip_of(template, rendering).check(row, place)
        checked += 1
    assert checked >= 900


@pytest.mark.parametrize(("template", "rendering"), RENDERED)
def test_real_rows_survive(template: str, rendering: str, shared_data: Path, round_trip_of: Any) -> None:
    checked = 0
    for place, row in rows_of(shared_data):
        round_trip_of(template, rendering).check(row, place)
        checked += 1
    assert checked > 4500


AWKWARD = st.sampled_from(
    [*"'\"\\\né漢", "</tool_call>", "<tool_call>", "</think>", "{{ x }}", "{% raw %}", "&lt;", "<b>"]
)
TEXT = st.lists(st.text(max_size=6) | AWKWARD, max_size=4).map("".join)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
ARGUMENTS = st.dictionaries(TEXT, JSON, max_size=3)


@pytest.mark.parametrize(("template", "rendering"), [*RENDERED, ("qwen3", None)])
def test_any_answer_survives_or_is_refused(template: str, rendering: str | None, round_trip_of: Any) -> None:
    """A text that comes through is read by the parser as the very calls and the very words of the row."""
    trip = round_trip_of(template, rendering)
    end = {"gemma3": "<end_of_turn>"}.get(Path(template).stem, "<|im_end|>")

    @given(st.lists(st.tuples(TEXT.filter(bool), ARGUMENTS), max_size=2), TEXT)
    @settings(max_examples=60, deadline=None)
    def check(calls: list[tuple[str, Any]], content: str) -> None:
        tool_calls = [call(arguments, name)["tool_calls"][0] for name, arguments in calls]
        answer = {"role": "assistant", "content": content, **({"tool_calls": tool_calls} if calls else {})}
        try:
            text = trip.render_answer([QUESTION], TOOLS, answer)
        except BadInput as error:
            assert "rendered: " in str(error) or "refuses this conversation" in str(error)
            return
        assert text.endswith(end)
        found = parse_completion(text.removesuffix(end), trip.tool_call_format)
        assert json.dumps([(one.name, dict(one.arguments)) for one in found.calls]) == json.dumps(calls)
        assert found.text == content.strip() or "</think>" in content

    check()


SURVIVING = [
    ({}, "no arguments"),
    ({"x": "</tool_call>"}, "the closing tag within a value"),
    ({"x": '"quoted" \\ and {{ jinja }} {% if %}'}, "quotes and template syntax"),
    ({"x": "line\nbreak\ttab É 漢 😀 &amp; <b>"}, "controls, Unicode and HTML"),
    ({"x": {"deep": [{"er": None}, True, 1.5, -0.0, 10**30]}}, "nesting and numbers"),
    ({"z": 1, "a": 2}, "names out of order"),
]


@pytest.mark.parametrize(("arguments", "why"), SURVIVING, ids=[row[1] for row in SURVIVING])
@pytest.mark.parametrize(("template", "rendering"), [*RENDERED, ("qwen3", None), ("qwen2_5", None)])
def test_awkward_values_survive(
    template: str, rendering: str | None, arguments: Any, why: str, round_trip_of: Any
) -> None:
    trip = round_trip_of(template, rendering)
    trip.check(sft(call(arguments)), "here")
    trip.check(sft(call(arguments, content="One moment.")), "here")


# A chat template that shows its tools and does something to calls that a server's parser cannot undo.
LOSSY = (
    "{{ (tools or []) | tojson }}{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}"
    "{% for c in m.tool_calls or [] %}"
    '<tool_call>{"name": "{{ c.function.name }}", "arguments": ARGUMENTS}</tool_call>'
    "{% endfor %}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
HISTORY = [call({"x": "<b>"}), {"role": "tool", "content": "1"}, {"role": "user", "content": "?"}]
BASE = Row("r7", "s", TOOLS, (QUESTION,), Expected("direct", text="Hi."))
PAIR = {"chosen": (say("Hi."),), "rejected": (say("Ho."),)}
ESCAPED = "c.function.arguments | tojson | replace('<', '&lt;')"


def with_parts(**parts: Any) -> Row:
    return Row(**{**BASE.__dict__, **parts})


CHECKED_PLACES = [
    (sft(call({"x": "<b>"})), "the gold answer of an SFT row"),
    (sft(say("Hi."), *HISTORY), "an earlier call of the assistant"),
    (with_parts(**{**PAIR, "chosen": (call({"x": "<b>"}),)}), "the chosen answer"),
    (with_parts(**{**PAIR, "rejected": (call({"x": "<b>"}),)}), "the rejected answer"),
    (
        with_parts(expected=Expected("tool_call", calls=({"name": "f", "arguments": '{"x": "<b>"}'},))),
        "the gold call of a test row",
    ),
    (
        with_parts(expected=Expected("tool_call", allowed='[{"f": {"x": ["<b>", "b"], "y": ["", 1]}}]')),
        "the first of the accepted values",
    ),
]


@pytest.mark.parametrize(("row", "why"), CHECKED_PLACES, ids=[row[1] for row in CHECKED_PLACES])
def test_calls_are_checked_wherever_a_row_holds_them(row: Row, why: str, tokenizer_of: TokenizerOf) -> None:
    tokenizer = tokenizer_of("qwen2_5")
    tokenizer.chat_template = LOSSY.replace("ARGUMENTS", f"{{{{ {ESCAPED} }}}}")
    with pytest.raises(BadInput, match=r"own\.jsonl line 3, row r7: .*does not survive") as caught:
        RoundTrip(tokenizer).check(row, "own.jsonl line 3")
    assert "<b>" in str(caught.value).partition("rendered: ")[0]
    assert "&lt;b>" in str(caught.value).partition("rendered: ")[2]


LOSSES = [
    ("c.function.arguments | tojson | replace('1.0', '1')", {"x": 1.0}, "a float becomes an integer"),
    ("c.function.arguments | tojson | replace('true', '1')", {"x": True}, "to Python 1 and True are equal"),
    ("c.function.arguments", {"x": "y"}, "a Python repr is no JSON"),
    ("{}", {"x": "y"}, "arguments are left out"),
    ("c.function.arguments | tojson | tojson", {"x": "y"}, "arguments quoted a second time"),
]


@pytest.mark.parametrize(("written", "arguments", "why"), LOSSES, ids=[row[2] for row in LOSSES])
def test_a_call_that_comes_back_otherwise_is_refused(
    written: str, arguments: Any, why: str, tokenizer_of: TokenizerOf
) -> None:
    tokenizer = tokenizer_of("qwen2_5")
    tokenizer.chat_template = LOSSY.replace("ARGUMENTS", f"{{{{ {written} }}}}")
    with pytest.raises(BadInput, match="does not survive"):
        RoundTrip(tokenizer, "hermes").check(sft(call(arguments)), "here")


REFUSED = [
    (say("It ends <|im_end|> here."), r"holds '<\|im_end\|>' as text", "a marker in what is said"),
    (call({"x": "<|im_end|>"}), r"holds '<\|im_end\|>' as text", "a marker in a value"),
    (call('{"x": "\\u003c|im_end|>"}'), r"holds '<\|im_end\|>' as text", "a marker behind an escape"),
    (say('<tool_call>{"name": "f", "arguments": {}}</tool_call>'), "does not survive", "a call as text"),
    (say("An <tool_call> opened."), "does not survive", "a tag that is never closed"),
    (call({"x": int("9" * 200)}), "does not survive", "a number that the parser refuses"),
    (call("{"), "not JSON", "arguments that are no JSON"),
]


@pytest.mark.parametrize(("answer", "said", "why"), REFUSED, ids=[row[2] for row in REFUSED])
def test_an_answer_that_would_teach_something_else_is_refused(
    answer: dict[str, Any], said: str, why: str, round_trip_of: Any
) -> None:
    with pytest.raises(BadInput, match=rf"here, row r7: .*{said}"):
        round_trip_of("qwen2_5", None).check(sft(answer), "here")


def test_long_texts_are_shown_in_part_so_that_both_fit_the_last_line(round_trip_of: Any) -> None:
    with pytest.raises(BadInput) as caught:
        round_trip_of("qwen2_5", None).check(sft(say("<tool_call>" + "x" * 10_000)), "here")
    assert len(str(caught.value)) < 2 * SHOWN_CHARACTERS + 300
    assert "answer: " in str(caught.value)
    assert "rendered: " in str(caught.value)


SAYS = "{% for m in messages %}{{ m.content }}<|im_end|>{% endfor %}"
NAMES = "{% for t in tools or [] %}{{ t.function.name }}{% endfor %}"
UNFIT = [
    (SAYS, "hermes", "leaves the tools out", "no tools"),
    (NAMES + SAYS, "hermes", "leaves the tools out", "tools without their parameters"),
    (LOSSY, "herms", "'herms' is unknown; known are hermes", "a format that there is not"),
    (LOSSY.replace("tool_call>", "use>"), None, "shows no tool-call format that is known", "no known tags"),
    (LOSSY.replace("<|im_end|>", "<|end|>"), None, "'<|end|>', which is no token", "an end that is no token"),
]


@pytest.mark.parametrize(("template", "format", "said", "why"), UNFIT, ids=[row[3] for row in UNFIT])
def test_a_template_that_cannot_serve_is_refused_before_any_row(
    template: str, format: str | None, said: str, why: str, tokenizer_of: TokenizerOf
) -> None:
    tokenizer = tokenizer_of("qwen2_5")
    tokenizer.chat_template = template.replace("ARGUMENTS", "{{ c.function.arguments | tojson }}")
    with pytest.raises(BadInput) as caught:
        RoundTrip(tokenizer, format)
    assert said in str(caught.value)
    assert "leaves the tools out" not in said or re.search(
        f"tools: .*{PROBE_TOOL}.*\nrendered: ", str(caught.value)
    )


def test_a_template_that_hides_the_tools_of_some_conversations_is_refused(tokenizer_of: TokenizerOf) -> None:
    tokenizer = tokenizer_of("qwen2_5")
    only_without_system = LOSSY.replace("(tools or [])", "(tools if messages[0].role != 'system' else [])")
    tokenizer.chat_template = only_without_system.replace("ARGUMENTS", "{{ c.function.arguments | tojson }}")
    round_trip = RoundTrip(tokenizer)
    round_trip.check(sft(say("Hi.")), "here")
    system = {"role": "system", "content": "Be kind."}
    row = replace(sft(say("Hi.")), messages=(system, QUESTION, say("Hi.")))
    with pytest.raises(
        BadInput, match=r'(?s)here, row r7: .*leaves the tools out.*tools: .*"f".*rendered: .*kind'
    ):
        round_trip.check(row, "here")


@pytest.mark.parametrize("name", ['a"b', "wetter_abfrage_für_köln", "a\\b", "天气"])
def test_a_name_may_be_escaped_in_the_prompt(name: str, tokenizer_of: TokenizerOf) -> None:
    tokenizer = tokenizer_of("qwen2_5")
    for dump in ("tojson", "tojson(ensure_ascii=true)"):
        shown = LOSSY.replace("(tools or []) | tojson", f"(tools or []) | {dump}")
        tokenizer.chat_template = shown.replace("ARGUMENTS", "{{ c.function.arguments | tojson }}")
        tools = write_json(
            [{"name": name, "description": "", "parameters": {"type": "object", "properties": {}}}]
        )
        RoundTrip(tokenizer).check(replace(sft(say("Hi.")), tools=tools), "here")


def test_an_answer_that_is_not_ended_is_refused(tokenizer_of: TokenizerOf) -> None:
    tokenizer = tokenizer_of("qwen2_5")
    unended = LOSSY.replace("<|im_end|>\n", "{% if m.content != 'Hi.' %}<|im_end|>{% endif %}\n")
    tokenizer.chat_template = unended.replace("ARGUMENTS", "{{ c.function.arguments | tojson }}")
    with pytest.raises(BadInput, match=r"does not end with <\|im_end\|>"):
        RoundTrip(tokenizer).check(sft(say("Hi.")), "here")
