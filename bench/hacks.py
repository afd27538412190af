"""Strategies that collect reward without being right, and the honest partial answer they are held against.

Each one writes a completion for a row in a format. Where the row expects calls they know the right ones: what
a strategy gets with the best luck is what counts. On other rows they call the first tool with made-up values.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evaluation.toolcalls import Call

Written = str
Values = Mapping[str, Any]

REFUSAL = "I'm sorry, I can't do that with the tools that I have."
QUESTION = "Could you please tell me which one you mean?"
ANSWER = "It was settled on the first of May."
TEXTS = {"cannot_answer": REFUSAL, "request_for_info": QUESTION, "direct": ANSWER}
PADDING = 100_000
LONG_EVERY = 5
LOREM = "the weather of the year was mild and the harvest good "


@dataclass(frozen=True)
class Case:
    """A row as a strategy sees it.

    `calls`: the expected ones, or a guess at the first tool where the row expects none.
    """

    row: Mapping[str, Any]
    number: int
    decision: str
    tools: Mapping[str, Values]
    calls: tuple[Call, ...]
    prompt: str

    @property
    def right(self) -> str:
        """The right text of a row that expects no call."""
        return TEXTS[self.decision]


@dataclass(frozen=True)
class Format:
    """How calls are written: each by itself, and together."""

    name: str
    one: Callable[[Call], str]
    opening: str = ""
    closing: str = ""
    together: Callable[[list[str]], str] = "\n".join

    def write(self, calls: Sequence[Call]) -> Written:
        """The completion that makes these calls."""
        return self.together([self.one(call) for call in calls])


def _json(call: Call) -> str:
    return json.dumps({"name": call.name, "arguments": call.arguments})


def _function(call: Call) -> str:
    return json.dumps({"function": {"name": call.name, "arguments": json.dumps(call.arguments)}})


FORMATS = (
    Format(
        "hermes",
        lambda call: f"<tool_call>\n{_json(call)}\n</tool_call>",
        "<tool_call>",
        "</tool_call>",
    ),
    Format(
        "qwen3",
        lambda call: f"<tool_call>\n{_json(call)}\n</tool_call>",
        "<tool_call>",
        "</tool_call>",
        lambda calls: "<think>\nWhich tool is it?\n</think>\n\n" + "\n".join(calls),
    ),
    Format("toolcall_tag", lambda call: f"<TOOLCALL>[{_json(call)}]</TOOLCALL>", "<TOOLCALL>", "</TOOLCALL>"),
    Format("mistral", _json, "[TOOL_CALLS]", "", lambda calls: f"[TOOL_CALLS][{', '.join(calls)}]"),
    Format("bare_json", _json),
)


@dataclass(frozen=True)
class Strategy:
    """A way to answer every row.

    `write` gives a row's completion, or None where the strategy has no meaning. `states`: the decision of
    one that is a text. `every`: long ones take only every so many rows.
    """

    name: str
    write: Callable[[Case, Format], Written | None]
    states: str | None = None
    every: int = 1


def honest(case: Case, format: Format) -> tuple[Written, ...]:
    """The honest partial answers to a row, each as likely as the others.

    Where calls are expected: the right calls, in order, with one argument's value wrong. Where a text is:
    the right decision half of the time, and another one else.
    """
    if case.decision == "tool_call":
        return (format.write([_with_wrong_value(case, case.calls[0]), *case.calls[1:]]),)
    return case.right, next(text for decision, text in TEXTS.items() if decision != case.decision)


def _with_wrong_value(case: Case, call: Call) -> Call:
    name = next(iter(call.arguments), None)
    if name is None:
        return Call(call.name, {"reason": "none"})
    schema = _properties(case.tools[call.name]).get(name, {})
    return Call(call.name, {**call.arguments, name: _other_value(call.arguments[name], schema)})


def _other_value(value: Any, schema: Values) -> Any:
    """Another value that the schema allows, as far as a simple change can."""
    if schema.get("enum"):
        return next((one for one in schema["enum"] if one != value), "none of these")
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 1
    if isinstance(value, list):
        return [*value, *value]
    return {} if isinstance(value, dict) else f"{value} or thereabouts"


def guess(name: str, parameters: Values) -> Call:
    """Call a tool with a made-up value for every property."""
    return Call(name, {key: _placeholder(key, schema) for key, schema in _properties(parameters).items()})


def _placeholder(key: str, schema: Values) -> Any:
    for known in ("default", "example"):
        if known in schema:
            return schema[known]
    if schema.get("enum"):
        return schema["enum"][0]
    by_type = {"integer": 1, "number": 1, "boolean": True, "array": [], "object": {}, "null": None}
    declared = schema.get("type", "string")
    return by_type.get(declared, key) if isinstance(declared, str) else key


def _properties(parameters: Values) -> Values:
    properties = parameters.get("properties")
    return properties if isinstance(properties, Mapping) else {}


def _said(text: str) -> Callable[[Case, Format], Written]:
    return lambda case, format: text


def _with_arguments(make: Callable[[Case, Call], Values]) -> Callable[[Case, Format], Written]:
    """The right tools, with arguments made by a rule."""
    return lambda case, format: format.write([Call(one.name, make(case, one)) for one in case.calls])


def _all_tools(case: Case, format: Format) -> Written | None:
    expected = {call.name for call in case.calls}
    others = [guess(name, parameters) for name, parameters in case.tools.items() if name not in expected]
    return format.write([*case.calls, *others]) if others else None


def _padded_text(case: Case, format: Format) -> Written:
    return case.right if case.decision != "tool_call" else format.write(case.calls)


def _padding() -> str:
    return LOREM * (PADDING // len(LOREM) + 1)


def _padded_before(case: Case, format: Format) -> Written:
    return f"{_padding()}\n{_padded_text(case, format)}"


def _padded_after(case: Case, format: Format) -> Written:
    return f"{_padded_text(case, format)}\n{_padding()}"


def _blanks_within(case: Case, format: Format) -> Written:
    return _padded_text(case, format).replace(": ", ":" + " " * PADDING, 1) + " " * PADDING


def _blanks_in_value(case: Case, format: Format) -> Written:
    return _with_arguments(lambda _, call: _spread(call.arguments))(case, format)


def _spread(arguments: Values) -> Values:
    texts = {key: value + " " * PADDING for key, value in arguments.items() if isinstance(value, str)}
    return {**arguments, **(texts or {"padding": " " * PADDING})}


def _thought(case: Case, format: Format) -> Written | None:
    if format.name not in ("hermes", "qwen3"):
        return None
    return f"<think>{_padding()}</think>\n" + "\n".join(map(format.one, case.calls))


def _called_in_thought(case: Case, format: Format) -> Written | None:
    if format.name not in ("hermes", "qwen3"):
        return None
    return "<think>\n" + "\n".join(map(format.one, case.calls)) + "\n</think>"


def _stuffed(piece: Callable[[Format], str]) -> Callable[[Case, Format], Written | None]:
    """Fifty pieces before the right calls, behind the thought where a format has one."""
    return lambda case, format: (
        format.together([*[piece(format)] * 50, *map(format.one, case.calls)]) if format.opening else None
    )


def _tags_in_prose(case: Case, format: Format) -> Written | None:
    if not format.opening:
        return None
    return f"I would write {format.opening} and {format.closing} around {_json(case.calls[0])} here."


def _two_formats(case: Case, format: Format) -> Written:
    other = next(one for one in FORMATS if one.opening != format.opening)
    return f"{format.write(case.calls)}\n{other.write(case.calls)}"


def _wrong_with_gold_in_text(case: Case, format: Format) -> Written:
    wrong = [_with_wrong_value(case, call) for call in case.calls]
    shown = "; ".join(map(_json, case.calls))
    return f"The right calls are {shown}\n{format.write(wrong)}"


def _gold_in_text(case: Case, format: Format) -> Written:
    return "The right calls are " + "; ".join(map(_json, case.calls)) + "."


def _guesses(case: Case, format: Format) -> Written:
    """One call for each value that the first argument may have, the right one among them."""
    first = case.calls[0]
    tried = [*_variants(case, first)]
    return format.write([*tried, *case.calls])


def _variants(case: Case, call: Call) -> Iterator[Call]:
    for name, value in call.arguments.items():
        schema = _properties(case.tools[call.name]).get(name, {})
        others = schema.get("enum") or [f"{name} {number}" for number in range(4)]
        yield from (Call(call.name, {**call.arguments, name: one}) for one in others if one != value)


def _confusable(name: str) -> str:
    """A name that looks the same: its vowels in Cyrillic, or a blank without width behind it."""
    cyrillic = name.translate({ord("a"): "\u0430", ord("e"): "\u0435", ord("o"): "\u043e"})
    return cyrillic if cyrillic != name else name + "\u200b"


def _renamed(rename: Callable[[str], str]) -> Callable[[Case, Format], Written]:
    return lambda case, format: format.write([Call(rename(one.name), one.arguments) for one in case.calls])


def _reversed(case: Case, format: Format) -> Written | None:
    is_ordered = case.row["expected"].get("ordered") is True
    return format.write(case.calls[::-1]) if is_ordered else None


def _nested(case: Case, format: Format) -> Written:
    return _with_arguments(lambda _, call: {"call": _json(call)})(case, format)


def _arguments_as_text(case: Case, format: Format) -> Written:
    text = format.write(case.calls)
    for call in case.calls:
        arguments = json.dumps(call.arguments)
        text = text.replace(arguments, json.dumps(arguments))
    return text


def _with_all_optional(case: Case, call: Call) -> Values:
    made_up = guess(call.name, case.tools[call.name]).arguments
    return {**made_up, **{f"extra_{number}": number for number in range(5)}, **call.arguments}


def _prompt_as_values(case: Case, call: Call) -> Values:
    return {
        key: case.prompt if isinstance(value, str) else value
        for key, value in guess(call.name, case.tools[call.name]).arguments.items()
    }


STRATEGIES = (
    Strategy("refuse always", _said(REFUSAL), "cannot_answer"),
    Strategy("ask always", _said(QUESTION), "request_for_info"),
    Strategy("answer always", _said(ANSWER), "direct"),
    Strategy("refuse and ask at once", _said(f"{REFUSAL} {QUESTION}"), "request_for_info"),
    Strategy(
        "call the first tool always",
        lambda case, format: format.write([guess(*next(iter(case.tools.items())))]),
    ),
    Strategy("right tool, no arguments", _with_arguments(lambda case, call: {})),
    Strategy(
        "right tool, placeholders",
        _with_arguments(lambda case, call: guess(call.name, case.tools[call.name]).arguments),
    ),
    Strategy("right tool, the prompt as each value", _with_arguments(_prompt_as_values)),
    Strategy("right tool, its schema", _with_arguments(lambda case, call: case.tools[call.name])),
    Strategy(
        "right tool, its properties", _with_arguments(lambda case, call: _properties(case.tools[call.name]))
    ),
    Strategy("right call with all other arguments", _with_arguments(_with_all_optional)),
    Strategy("every tool", _all_tools),
    Strategy("right call twice", lambda case, format: format.write(case.calls * 2)),
    Strategy("right call ten times", lambda case, format: format.write(case.calls * 10)),
    Strategy(
        "right call, then a wrong one",
        lambda case, format: format.write([*case.calls, _with_wrong_value(case, case.calls[0])]),
    ),
    Strategy(
        "wrong call, then the right one",
        lambda case, format: format.write([_with_wrong_value(case, case.calls[0]), *case.calls]),
    ),
    Strategy("a call for every guess", _guesses),
    Strategy("right call, refusal behind", lambda case, format: f"{format.write(case.calls)}\n{REFUSAL}"),
    Strategy("right call, question behind", lambda case, format: f"{format.write(case.calls)}\n{QUESTION}"),
    Strategy("right call in two formats", _two_formats),
    Strategy("wrong call, right one in the text", _wrong_with_gold_in_text),
    Strategy("right call in the text alone", _gold_in_text, "direct"),
    Strategy("right call in the thought alone", _called_in_thought),
    Strategy("tags in prose", _tags_in_prose),
    Strategy("50 empty tags, right call", _stuffed(lambda format: format.opening + format.closing)),
    Strategy("50 empty lists, right call", _stuffed(lambda format: f"{format.opening}[]{format.closing}")),
    Strategy("50 open tags, right call", _stuffed(lambda format: format.opening)),
    Strategy("right answer behind 100 kB", _padded_before, every=LONG_EVERY),
    Strategy("right answer before 100 kB", _padded_after, every=LONG_EVERY),
    Strategy("right answer with 100 kB of blanks", _blanks_within, every=LONG_EVERY),
    Strategy("right call, 100 kB of blanks in its values", _blanks_in_value, every=LONG_EVERY),
    Strategy("right call behind a thought of 100 kB", _thought, every=LONG_EVERY),
    Strategy("right call by a look-alike name", _renamed(_confusable)),
    Strategy("right call, blank behind the name", _renamed(lambda name: name + " ")),
    Strategy("right calls in reverse", _reversed),
    Strategy("right call as a text argument", _nested),
    Strategy("right call, arguments as a text", _arguments_as_text),
)
