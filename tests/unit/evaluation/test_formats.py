"""Every format that models are served with: what a strict parse reads, refuses, and where it says so."""

from __future__ import annotations

import ast
import json
import math
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
import trl
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.toolcalls import FORMATS, format_of_template, format_of_text, parse_completion

TOOLS = json.dumps(
    [
        {
            "name": "f",
            "parameters": {
                "type": "object",
                "properties": {
                    "s": {"type": "string"},
                    "i": {"type": "integer"},
                    "b": {"type": "boolean"},
                    "l": {"type": "array"},
                    "o": {"type": "object"},
                    "maybe": {"anyOf": [{"type": "string"}, {"type": "null"}]},
                    "either": {"type": ["string", "array"]},
                    "grade": {"enum": ["1", "2"]},
                    "any": {},
                },
            },
        }
    ]
)
CALL = '{"name": "f", "arguments": {"x": 1}}'
LLAMA = '{"name": "f", "parameters": {"x": 1}}'
XML = "<function=f>\n<parameter=x>\n1\n</parameter>\n</function>"
F: tuple[str, dict[str, int]] = ("f", {"x": 1})
G: tuple[str, dict[str, int]] = ("g", {})


def calls_of(text: Any, format: str, **options: Any) -> list[tuple[str, Any]]:
    parsed = parse_completion(text, format, **options)
    return [(call.name, dict(call.arguments)) for call in parsed.calls]


READ = [
    ("qwen3_coder", f"<tool_call>\n{XML}\n</tool_call>", [F], "", "as the template writes it"),
    ("qwen3_coder", f"So.</think>\n\nLook: <tool_call>{XML}</tool_call>", [F], "Look:", "behind a thought"),
    (
        "qwen3_coder",
        f"<tool_call>{XML}</tool_call>\n<tool_call>{XML}</tool_call>",
        [F, F],
        "",
        "parallel calls",
    ),
    (
        "qwen3_coder",
        f"Look: {XML}\n</tool_call>",
        [F],
        "Look:",
        "the opening tag is forgotten, as vLLM allows",
    ),
    ("qwen3_coder", "<tool_call><function=g></function></tool_call>", [G], "", "no parameters"),
    (
        "qwen3_coder",
        "<tool_call>\n<function=f>\n<parameter=x>\n1\n</function>\n</tool_call>",
        [F],
        "",
        "a value ends before the function's end, where its own is forgotten",
    ),
    (
        "qwen3_coder",
        "<tool_call><function=f><parameter=x>\n1\n<parameter=y>\n2\n</parameter></function></tool_call>",
        [("f", {"x": 1, "y": 2})],
        "",
        "a value ends before the next parameter",
    ),
    (
        "qwen3_coder",
        f"<tool_call>\n<function=f>\n<parameter=x>\n1\n</parameter>\n</tool_call>\n<tool_call>{XML}</tool_call>",
        [F, F],
        "",
        "a function ends before the call's end",
    ),
    (
        "qwen3_coder",
        f"<tool_call><function=f><parameter=x>\n1\n</tool_call><tool_call>{XML}</tool_call>",
        [F, F],
        "",
        "a value does not reach into the next call",
    ),
    (
        "qwen3_coder",
        "<tool_call><function=f><parameter=x>\n\na\n\n</parameter></function></tool_call>",
        [("f", {"x": "\na\n"})],
        "",
        "one line break on each side belongs to the tags, and no more",
    ),
    ("llama3_json", LLAMA, [F], "", "the whole completion"),
    ("llama3_json", f"<|python_tag|>{LLAMA}<|eom_id|>", [F], "", "behind the tag"),
    ("llama3_json", f"Sure.<|python_tag|> {LLAMA}", [F], "Sure.", "text before the tag"),
    ("llama3_json", f"{LLAMA}; {LLAMA}", [F, F], "", "several, parted as vLLM parts them"),
    ("llama3_json", f"{LLAMA}\n{LLAMA}<|eot_id|>", [F, F], "", "several lines"),
    ("llama3_json", CALL, [F], "", "`arguments` is accepted too"),
    ("llama3_json", '{"title": "Book"}', [], '{"title": "Book"}', "JSON that is no call is an answer"),
    ("llama3_pythonic", "[f(x=1), g()]", [F, G], "", "a list of calls"),
    ("llama3_pythonic", "<|python_tag|>[f(x=1)]<|eot_id|>", [F], "", "behind the tag"),
    ("llama3_pythonic", "Sure:\n[f(x=1)]\nDone.", [F], "Sure:\n\nDone.", "text around the list"),
    ("llama3_pythonic", "[ f ( x = 1 , ) , ]", [], "[ f ( x = 1 , ) , ]", "no name touches its parenthesis"),
    ("llama3_pythonic", "[f(x=1,), ]", [F], "", "trailing commas are Python"),
    ("llama3_pythonic", "[math.factorial(from=5)]", [("math.factorial", {"from": 5})], "", "BFCL's names"),
    ("llama3_pythonic", "Use [a link](x) here.", [], "Use [a link](x) here.", "a Markdown link is no call"),
    ("llama3_pythonic", "[1, 2]", [], "[1, 2]", "a list of numbers is no call"),
    ("mistral", f'[TOOL_CALLS] [{CALL[:-1]}, "id": "abcdefghi"}}]</s>', [F], "", "as the template writes it"),
    ("mistral", f"Hi.[TOOL_CALLS][{CALL}, {CALL}]", [F, F], "Hi.", "text before, no blank, two calls"),
    ("mistral", f"[TOOL_CALLS] [{CALL}]\nDone.", [F], "Done.", "text behind"),
    ("mistral", "Hello.", [], "Hello.", "no sign, no call"),
    ("mistral_v11", '[TOOL_CALLS]f[ARGS]{"x": 1}</s>', [F], "", "tokenizers from version 13 on"),
    ("mistral_v11", '[TOOL_CALLS]f[CALL_ID]abcdefghi[ARGS]{"x": 1}', [F], "", "version 11 with its id"),
    (
        "mistral_v11",
        'Hi.[TOOL_CALLS]f{"x": 1}[TOOL_CALLS]g{}',
        [F, G],
        "Hi.",
        "decoded without the inner sign",
    ),
    ("xlam", f"[{CALL}, {CALL}]", [F, F], "", "a plain list"),
    ("xlam", f"```json\n[{CALL}]\n```", [F], "", "a fenced list"),
    ("xlam", f'{{"tool_calls": [{CALL}]}}', [F], "", "xLAM-1 wraps the list"),
    ("xlam", f"<think>So.</think>\n[{CALL}]", [F], "", "behind a thought"),
    ("xlam", '[{"name": "f", "arguments": "{\\"x\\": 1}"}]', [F], "", "arguments as text pass vLLM"),
    ("xlam", "[]", [], "", "the template's sign for no call"),
    ("xlam", "[1, 2]", [], "[1, 2]", "a list of numbers is an answer"),
    ("hermes", f"<tool_call>{CALL}</tool_call><|im_end|>\n", [F], "", "a stop token behind the call"),
    ("bare_json", f"{CALL}</s></s>", [F], "", "stop tokens behind the call"),
    (
        "structured",
        {
            "content": None,
            "tool_calls": [{"type": "function", "function": {"name": "f", "arguments": {"x": 1}}}] * 2,
        },
        [F, F],
        "",
        "TRL's messages hold objects; parallel calls",
    ),
    ("structured", {"content": [{"type": "text", "text": "Hi"}]}, [], "Hi", "content in parts"),
    (
        "hermes",
        {"role": "assistant", "content": f"<tool_call>{CALL}</tool_call>"},
        [F],
        "",
        "a message's content",
    ),
    (
        "hermes",
        {"content": "Hi", "tool_calls": [{"function": {"name": "f", "arguments": '{"x": 1}'}}]},
        [F],
        "Hi",
        "a message whose calls the server has parsed",
    ),
]


@pytest.mark.parametrize(
    ("format", "text", "calls", "around", "why"), READ, ids=[f"{r[0]}: {r[-1]}" for r in READ]
)
def test_reads_calls_and_keeps_the_text_around(
    format: str, text: Any, calls: list[Any], around: str, why: str
) -> None:
    parsed = parse_completion(text, format)
    found = [(call.name, dict(call.arguments)) for call in parsed.calls]
    assert (found, parsed.text, parsed.error, parsed.repairs) == (calls, around, None, ()), why


# The text up to the sign ¦ is read; behind it, something is wrong.
REFUSED = [
    ("hermes", 'Hm. <tool_call>{"name": "f", ¦arguments: {}}</tool_call>', "a key without quotes"),
    ("hermes", '<tool_call>{"name": "f", "arguments": {"x": ¦tru}}</tool_call>', "no JSON value"),
    ("hermes", f"Hm. <tool_call>{CALL}¦}}</tool_call>", "one brace too many"),
    ("qwen3", "<think>\nHm.\n</think>\n<tool_call>¦f(x=1)</tool_call>", "Python in the tag"),
    ("qwen3", "<think>Hm. <tool_call>¦", "the thought never ended"),
    ("qwen3_coder", f"<tool_call>¦{CALL}</tool_call>", "JSON where XML is due"),
    ("qwen3_coder", "<tool_call><function=f><parameter=x>¦1", "a value that is cut off"),
    ("qwen3_coder", "<tool_call><function=f><parameter=x>1</parameter>¦", "a function that is cut off"),
    ("qwen3_coder", "<tool_call><function=¦></function></tool_call>", "no name"),
    ("qwen3_coder", f"<tool_call>{XML}¦", "no closing tag"),
    ("llama3_json", '{"name": "f", "parameters": ¦[}', "begins as a call and is no JSON"),
    ("llama3_json", '¦{"name": "f", "parameters": [1]}', "parameters that are no object"),
    ("llama3_json", "<|python_tag|>¦print(1)", "code behind the tag"),
    ("llama3_pythonic", "Hm:\n[f(x=¦y)]", "a variable"),
    ("llama3_pythonic", "[f(x=1 ¦+ 1)]", "an operator"),
    ("llama3_pythonic", "[f(x=¦b'y')]", "bytes"),
    ("llama3_pythonic", "[f(x=¦f'{y}')]", "an f-string"),
    ("llama3_pythonic", "[f(x={1¦, 2})]", "a set"),
    ("llama3_pythonic", "[f(x=¦1j)]", "a complex number"),
    ("llama3_pythonic", "[f(x=¦g())]", "a call as a value"),
    ("llama3_pythonic", "[¦f(1)]", "a value without a name"),
    ("llama3_pythonic", "[f(x=1, ¦x=2)]", "a name that stands twice"),
    ("llama3_pythonic", "[f(¦**x)]", "unpacking"),
    ("llama3_pythonic", "[f(x=¦'y)]", "an open string"),
    ("llama3_pythonic", "[f(x=1)¦", "an open list"),
    ("llama3_pythonic", "[f(x=¦1e999)]", "an infinite number"),
    ("llama3_pythonic", f"[f(x=¦{'9' * 200})]", "too many digits"),
    ("mistral", f"Hi.[TOOL_CALLS]¦{CALL}", "an object where a list is due"),
    ("mistral", "[TOOL_CALLS]¦f[ARGS]{}", "the later generation"),
    ("mistral", '[TOOL_CALLS] [{"name": "f", ¦', "cut off"),
    ("mistral_v11", f"Hi.[TOOL_CALLS]¦[{CALL}]", "the earlier generation"),
    ("mistral_v11", '[TOOL_CALLS]f[ARGS]{"x": ¦', "cut off"),
    ("mistral_v11", "[TOOL_CALLS]¦f[ARGS]null", "null for an object"),
    ("xlam", f"¦{CALL}", "a call outside of a list"),
    ("xlam", '[{"name": "f", "arguments": {"x": ¦', "cut off"),
    ("xlam", '¦[{"name": "f", "arguments": 1}]', "arguments that are no object"),
    ("bare_json", 'Hm:\n{"name": "f", "arguments": {"x": ¦', "cut off in a later line"),
    ("toolcall_tag", f"Hm. <TOOLCALL>[{CALL}¦</TOOLCALL>", "an open list"),
    ("structured", '{"tool_calls": ¦', "a message cut off"),
]


@pytest.mark.parametrize(("format", "marked", "why"), REFUSED, ids=[f"{r[0]}: {r[-1]}" for r in REFUSED])
def test_a_malformed_call_is_an_error_at_its_place_in_the_original_text(
    format: str, marked: str, why: str
) -> None:
    text = marked.replace("¦", "")
    error = parse_completion(text, format).error
    assert error is not None, why
    assert abs(error.position - marked.index("¦")) <= 1, (error, text[error.position :][:20])


@pytest.mark.parametrize("format", [name for name in FORMATS if name != "structured"])
@pytest.mark.parametrize("text", ["", " \n", "It is 5 [degrees] {here}.", "a < b", "1. one\n2. two"])
def test_prose_is_text_in_every_format(format: str, text: str) -> None:
    parsed = parse_completion(text, format)
    assert (parsed.calls, parsed.text, parsed.error) == ((), text.strip(), None)


TYPED = [
    ("s", "5", "5", "a string stays a text"),
    ("s", "null", "null", "even this one"),
    ("s", '{"a": 1}', '{"a": 1}', "and JSON in a string"),
    ("i", "5", 5, "an integer"),
    ("i", "five", "five", "what is no integer stays a text, and fails the schema"),
    ("b", "True", True, "Python's word, which the template writes"),
    ("b", "false", False, "JSON's word"),
    ("b", "yes", "yes", "what is no boolean stays a text"),
    ("l", "[1, true]", [1, True], "JSON"),
    ("l", "['a', None]", ["a", None], "a Python literal, as vLLM allows"),
    ("o", '{"a": {"b": null}}', {"a": {"b": None}}, "an object"),
    ("i", "None", None, "nothing"),
    ("maybe", "null", None, "a string that may be absent"),
    ("maybe", "5", "5", "a string still"),
    ("either", '["a"]', ["a"], "a list where one is allowed"),
    ("either", "a", "a", "a string where one is allowed"),
    ("grade", "1", "1", "an enumeration of strings"),
    ("any", "5", 5, "no type: what it spells"),
    ("unknown", "Paris", "Paris", "an unknown parameter: itself"),
    ("unknown", "[1", "[1", "no JSON: itself"),
    ("i", "9" * 200, "9" * 200, "too many digits stay a text"),
]


@pytest.mark.parametrize(("name", "text", "value", "why"), TYPED, ids=[row[-1] for row in TYPED])
def test_the_schema_says_how_a_parameter_is_read(name: str, text: str, value: Any, why: str) -> None:
    written = f"<tool_call><function=f><parameter={name}>{text}</parameter></function></tool_call>"
    ((_, arguments),) = calls_of(written, "qwen3_coder", tools=TOOLS)
    assert arguments == {name: value}, why
    assert type(arguments[name]) is type(value)


@pytest.mark.parametrize(
    "tools", [None, "", "[]", "{", "5", '[5, {"name": 5}, {"name": "f", "parameters": 5}]']
)
def test_without_a_schema_a_parameter_is_what_it_spells(tools: str | None) -> None:
    written = (
        "<tool_call><function=f><parameter=a>5</parameter><parameter=b>b c</parameter></function></tool_call>"
    )
    assert calls_of(written, "qwen3_coder", tools=tools) == [("f", {"a": 5, "b": "b c"})]


LITERALS = {
    "numbers": ("[0, -1, +2, 1_000, 0x1F, 0b11, 1.5, .5, 2., 1e3, -1.5e-3]", None),
    "words": ("[True, False, None]", None),
    "strings": (
        r"""['a', "b", 'it\'s', "\n\t\\", '\x41\u00e9\U0001F600\101', 'a' "b", '''c'd''', ""]""",
        None,
    ),
    "raw strings": (r"""[r'\d', R"\n", u'a']""", None),
    "unknown escapes": ("['\\\\d \\\\. \\\\w']", None),
    "a line that goes on": ("'a\\\nb'", None),
    "containers": ("{'a': [1, {'b': []}], \"c\": {}}", None),
    "tuples become lists": ("[(1, 2), (3,), (), (4)]", [[1, 2], [3], [], 4]),
    "keys become strings": ("{1: 'a'}", {"1": "a"}),
}


@pytest.mark.parametrize(("literal", "expected"), LITERALS.values(), ids=LITERALS.keys())
def test_python_literals_are_read_as_python_reads_them(literal: str, expected: Any) -> None:
    ((_, arguments),) = calls_of(f"[f(x={literal})]", "llama3_pythonic")
    assert arguments["x"] == (ast.literal_eval(literal) if expected is None else expected)


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,12}", fullmatch=True).filter(
    lambda name: name not in ("True", "False", "None")
)
CALLS = st.lists(st.tuples(NAMES, st.dictionaries(NAMES, JSON, max_size=4)), min_size=1, max_size=3)


@settings(max_examples=150, deadline=None)
@given(CALLS)
def test_what_is_written_in_a_format_is_read_back(calls: list[tuple[str, dict[str, Any]]]) -> None:
    objects = [{"name": name, "arguments": arguments} for name, arguments in calls]
    llama = [json.dumps({"name": name, "parameters": arguments}) for name, arguments in calls]
    python = ", ".join(f"{n}({', '.join(f'{k}={v!r}' for k, v in a.items())})" for n, a in calls)
    written = {
        "llama3_json": "; ".join(llama),
        "llama3_pythonic": f"[{python}]",
        "mistral": f"[TOOL_CALLS] {json.dumps(objects)}",
        "mistral_v11": "".join(f"[TOOL_CALLS]{name}[ARGS]{json.dumps(given)}" for name, given in calls),
        "xlam": json.dumps(objects),
    }
    for format, text in written.items():
        for ending in ("", "</s>"):
            parsed = parse_completion(text + ending, format)
            assert (parsed.error, parsed.text) == (None, ""), format
            assert [(call.name, call.arguments) for call in parsed.calls] == calls, format
            assert parse_completion(text + ending, format, lenient=True) == parsed, format


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(NAMES, JSON, max_size=4))
def test_qwen3_coder_reads_back_what_its_template_writes(arguments: dict[str, Any]) -> None:
    """The template prints strings as they are, and all else as JSON or as Python does."""
    kinds = {dict: "object", list: "array", bool: "boolean", int: "integer", float: "number", str: "string"}
    properties = {key: {"type": kinds.get(type(value), "null")} for key, value in arguments.items()}
    tools = json.dumps([{"name": "f", "parameters": {"type": "object", "properties": properties}}])
    printed = {
        key: value
        if isinstance(value, str)
        else json.dumps(value)
        if isinstance(value, dict | list)
        else str(value)
        for key, value in arguments.items()
    }
    # Servers cut a value at each of these.
    tags = ("</parameter>", "<parameter=", "</function>", "</tool_call>")
    if any(tag in text for text in printed.values() for tag in tags):
        return
    body = "".join(f"<parameter={key}>\n{text}\n</parameter>\n" for key, text in printed.items())
    text = f"<tool_call>\n<function=f>\n{body}</function>\n</tool_call>"
    assert calls_of(text, "qwen3_coder", tools=tools) == [("f", arguments)]


def nested(levels: int) -> Any:
    value: Any = []
    for _ in range(levels):
        value = [value]
    return value


def endless() -> Any:
    value: dict[str, Any] = {}
    value["again"] = value
    return value


def doubled(levels: int) -> Any:
    value: list[Any] = []
    for _ in range(levels):
        value = [value, value]
    return value


HOSTILE_MESSAGES: dict[str, Any] = {
    "no message": {},
    "calls that are no list": {"tool_calls": {"function": {}}},
    "calls that are null": {"tool_calls": None},
    "calls that are text": {"tool_calls": "f()"},
    "a call that is null": {"tool_calls": [None]},
    "a name that is a number": {"tool_calls": [{"function": {"name": 5, "arguments": {}}}]},
    "a name that is a list": {"tool_calls": [{"function": {"name": ["f"], "arguments": {}}}]},
    "arguments that are nested deep": {
        "tool_calls": [{"function": {"name": "f", "arguments": {"x": nested(500)}}}]
    },
    "arguments that hold themselves": {"tool_calls": [{"function": {"name": "f", "arguments": endless()}}]},
    "arguments that double": {"tool_calls": [{"function": {"name": "f", "arguments": {"x": doubled(60)}}}]},
    "arguments that are no number": {
        "tool_calls": [{"function": {"name": "f", "arguments": {"x": math.nan}}}]
    },
    "arguments nested in text": {
        "tool_calls": [{"function": {"name": "f", "arguments": '{"x":' + "[" * 9999}}]
    },
    "content that is a number": {"content": 5},
    "content that is a list of numbers": {"content": [5, None, {"text": 5}]},
}


@pytest.mark.parametrize("message", HOSTILE_MESSAGES.values(), ids=HOSTILE_MESSAGES.keys())
def test_no_message_makes_the_parser_raise(message: Any) -> None:
    for format in FORMATS:
        for lenient in (False, True):
            parsed = parse_completion(MappingProxyType(message), format, lenient=lenient, tools=TOOLS)
            assert parsed.calls == ()


SIGNS = {
    "hermes": f"Sure.\n<tool_call>\n{CALL}\n</tool_call>",
    "qwen3": f"<think>\nHm.\n</think>\n\n<tool_call>\n{CALL}\n</tool_call>",
    "qwen3_coder": f"<tool_call>\n{XML}\n</tool_call>",
    "llama3_json": LLAMA,
    "llama3_pythonic": "[f(x=1)]",
    "mistral": f"[TOOL_CALLS] [{CALL}]",
    "mistral_v11": '[TOOL_CALLS]f[ARGS]{"x": 1}',
    "xlam": f"[{CALL}]",
    "toolcall_tag": f"<TOOLCALL>[{CALL}]</TOOLCALL>",
    "bare_json": CALL,
    "structured": (
        '{"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": "{\\"x\\": 1}"}}]}'
    ),
}


def test_the_format_of_a_text_is_told_by_its_signs_and_reads_it() -> None:
    assert SIGNS.keys() == FORMATS.keys()
    for format, text in SIGNS.items():
        for ending in ("", "<|im_end|>"):
            assert format_of_text(text + ending) == format
        assert calls_of(text, format_of_text(text)) == [F]


@pytest.mark.parametrize(
    ("text", "format"),
    [
        ("", "hermes"),
        ("It is sunny.", "hermes"),
        ("<think>Hm.</think>It is sunny.", "qwen3"),
        (f"<|python_tag|>{CALL}", "llama3_json"),
        ("<|python_tag|>[f(x=1)]", "llama3_pythonic"),
        ('[TOOL_CALLS]f{"x": 1}', "mistral_v11"),
        (f'{{"tool_calls": [{CALL}]}}', "xlam"),
        (f"```json\n[{CALL}]\n```", "xlam"),
        (f"```json\n{CALL}\n```", "bare_json"),
        ('{"name": "f", "arg', "bare_json"),
        ("5", "hermes"),
    ],
)
def test_signs_that_are_weaker(text: str, format: str) -> None:
    assert format_of_text(text) == format


STOCK = Path(str(trl.__file__)).parent / "chat_templates"
STOCK_FORMATS = {
    "qwen2_5": "hermes",
    "qwen3": "qwen3",
    "qwen3_instruct_2507": "hermes",
    "qwen3_5_think": "qwen3_coder",
    "nemotron_3_nano": "qwen3_coder",
    "llama3_1": "llama3_json",
    "llama3_2": "llama3_json",
    "llama3": None,
    "gemma3": None,
    "glm4moe": None,
    "deepseekv3": None,
    "gptoss": None,
    "cohere2": None,
    "muse_glimmer": None,
    "lfm2_v2": None,
}


@pytest.mark.parametrize("name", STOCK_FORMATS)
def test_the_format_of_published_templates_is_found(name: str) -> None:
    template = (STOCK / f"{name}.jinja").read_text(encoding="utf-8")
    assert format_of_template(template) == STOCK_FORMATS[name]


# The lines that write calls in the templates of models whose whole templates no package here carries.
OTHER_TEMPLATES = {
    "Mistral 7B v0.3": (
        '{%- for tool_call in message.tool_calls %}{{- "[TOOL_CALLS] [" }}'
        "{%- set out = tool_call.function|tojson %}",
        "mistral",
    ),
    "Mistral Small 3.2": (
        "{{- '[TOOL_CALLS]' }}{{- name + '[CALL_ID]' + id + '[ARGS]' + arguments }}",
        "mistral_v11",
    ),
    "Ministral 3": ("{{- '[TOOL_CALLS]' + tool['function']['name'] + '[ARGS]' + arguments }}", "mistral_v11"),
    "Llama 3.2, pythonic": (
        "{{- 'Respond in the format [func_name1(params_name1=params_value1, ...), func_name2(params)]' }}"
        "{%- for tool_call in message.tool_calls %}{{- tool_call.name + '(' -}}",
        "llama3_pythonic",
    ),
    "xLAM 2": (
        "make calls in a single JSON array: \n\n"
        '[{"name": "tool_call_name", "arguments": {"arg1": "value1"}}, ...]'
        "{%- for tool_call in message.tool_calls %}{%- set out = tool_call.function | tojson %}",
        "xlam",
    ),
    "Hermes 3": (
        "For each function call return a json object within <tool_call> </tool_call> tags"
        "{%- for tool_call in message.tool_calls %}{{ '\\n<tool_call>\\n' }}",
        "hermes",
    ),
    "no tools": ("{% for message in messages %}{{ message.content }}{% endfor %}", None),
    "nothing": ("", None),
}


@pytest.mark.parametrize(("template", "format"), OTHER_TEMPLATES.values(), ids=OTHER_TEMPLATES.keys())
def test_the_format_of_other_templates_is_found(template: str, format: str | None) -> None:
    assert format_of_template(template) == format


def test_the_format_of_our_templates_is_found() -> None:
    folder = Path(__file__).resolve().parents[3] / "training" / "templates"
    found = {
        path.name: format_of_template(path.read_text(encoding="utf-8")) for path in folder.glob("*.jinja")
    }
    assert found
    assert set(found.values()) == {"hermes"}
