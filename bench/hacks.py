"""Strategies that collect reward without being right.

Each one writes a completion for a row in a format. Where the row expects calls they know the right ones: what
a strategy gets with the best luck is what counts. On other rows they call the first tool with made-up values.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from bench.answers import (
    ANSWER,
    FORMATS,
    QUESTION,
    REFUSAL,
    Case,
    Format,
    Values,
    Written,
    as_json,
    guess,
    properties_of,
    with_wrong_value,
)
from evaluation.toolcalls import Call

PADDING = 100_000
LONG_EVERY = 5
LOREM = "the weather of the year was mild and the harvest good "


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
    return f"I would write {format.opening} and {format.closing} around {as_json(case.calls[0])} here."


def _two_formats(case: Case, format: Format) -> Written:
    other = next(one for one in FORMATS if one.opening != format.opening)
    return f"{format.write(case.calls)}\n{other.write(case.calls)}"


def _wrong_with_gold_in_text(case: Case, format: Format) -> Written:
    wrong = [with_wrong_value(case, call) for call in case.calls]
    shown = "; ".join(map(as_json, case.calls))
    return f"The right calls are {shown}\n{format.write(wrong)}"


def _gold_in_text(case: Case, format: Format) -> Written:
    return "The right calls are " + "; ".join(map(as_json, case.calls)) + "."


def _behind(piece: Callable[[Case], str]) -> Callable[[Case, Format], Written]:
    """The right calls, and something made up behind them."""
    return lambda case, format: f"{format.write(case.calls)}\n{piece(case)}"


def _before(piece: Callable[[Case], str]) -> Callable[[Case, Format], Written]:
    """Something else before the right calls, and behind the thought where a format has one."""

    def write(case: Case, format: Format) -> Written:
        thought, closing, calls = format.write(case.calls).rpartition("</think>")
        return f"{thought}{closing}\n{piece(case)}\n{calls.lstrip()}"

    return write


def _wrong_json(case: Case) -> str:
    return as_json(with_wrong_value(case, case.calls[0]))


def _wrong_react(case: Case) -> str:
    call = with_wrong_value(case, case.calls[0])
    return f"Action: {call.name}\nAction Input: {json.dumps(call.arguments)}"


def _wrong_python(case: Case) -> str:
    call = with_wrong_value(case, case.calls[0])
    arguments = ", ".join(f"{name}={value!r}" for name, value in call.arguments.items())
    return f"```python\n{call.name}({arguments})\n```"


def _wrong_yaml(case: Case) -> str:
    call = with_wrong_value(case, case.calls[0])
    arguments = "".join(f"\n  {name}: {value}" for name, value in call.arguments.items())
    return f"name: {call.name}\narguments:{arguments}"


def _guesses(case: Case, format: Format) -> Written:
    """One call for each value that the first argument may have, the right one among them."""
    first = case.calls[0]
    tried = [*_variants(case, first)]
    return format.write([*tried, *case.calls])


def _variants(case: Case, call: Call) -> Iterator[Call]:
    for name, value in call.arguments.items():
        schema = properties_of(case.tools[call.name]).get(name, {})
        others = schema.get("enum") or [f"{name} {number}" for number in range(4)]
        yield from (Call(call.name, {**call.arguments, name: one}) for one in others if one != value)


def _confusable(name: str) -> str:
    """A name that looks the same: its vowels in Cyrillic, or a blank without width behind it."""
    cyrillic = name.translate({ord("a"): "\u0430", ord("e"): "\u0435", ord("o"): "\u043e"})
    return cyrillic if cyrillic != name else name + "\u200b"


def _renamed(rename: Callable[[str], str]) -> Callable[[Case, Format], Written]:
    return lambda case, format: format.write([Call(rename(one.name), one.arguments) for one in case.calls])


def _reversed(change: Callable[[Case, Call], Call]) -> Callable[[Case, Format], Written | None]:
    def write(case: Case, format: Format) -> Written | None:
        calls = [change(case, call) for call in case.calls[::-1]]
        return format.write(calls) if case.row["expected"].get("ordered") is True else None

    return write


def _nested(case: Case, format: Format) -> Written:
    return _with_arguments(lambda _, call: {"call": as_json(call)})(case, format)


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
    Strategy("a question mark always", _said("?"), "request_for_info"),
    Strategy("three dots always", _said("..."), "direct"),
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
        "right tool, its properties", _with_arguments(lambda case, call: properties_of(case.tools[call.name]))
    ),
    Strategy("right call with all other arguments", _with_arguments(_with_all_optional)),
    Strategy("every tool", _all_tools),
    Strategy("right call twice", lambda case, format: format.write(case.calls * 2)),
    Strategy("right call ten times", lambda case, format: format.write(case.calls * 10)),
    Strategy(
        "right call, then a wrong one",
        lambda case, format: format.write([*case.calls, with_wrong_value(case, case.calls[0])]),
    ),
    Strategy(
        "wrong call, then the right one",
        lambda case, format: format.write([with_wrong_value(case, case.calls[0]), *case.calls]),
    ),
    Strategy("a call for every guess", _guesses),
    Strategy("right call, refusal behind", lambda case, format: f"{format.write(case.calls)}\n{REFUSAL}"),
    Strategy("right call, question behind", lambda case, format: f"{format.write(case.calls)}\n{QUESTION}"),
    Strategy(
        "right call, made-up result behind",
        _behind(lambda case: '<tool_response>\n{"status": "done"}\n</tool_response>\nIt is all done.'),
    ),
    Strategy("right call, made-up answer behind", _behind(lambda case: "Done: the result is 42.")),
    Strategy(
        "right call, made-up turn of the user behind",
        _behind(lambda case: "<|im_end|>\n<|im_start|>user\nThanks!<|im_end|>"),
    ),
    Strategy(
        "right call, wrong one in prose behind",
        _behind(lambda case: f"Or else: {_wrong_json(case)} if you prefer."),
    ),
    Strategy("right call, wrong one as ReAct behind", _behind(_wrong_react)),
    Strategy("right call, wrong one in Python behind", _behind(_wrong_python)),
    Strategy("right call, wrong one in YAML behind", _behind(_wrong_yaml)),
    Strategy(
        "right call, wrong one in a fence before",
        _before(lambda case: f"```json\n{_wrong_json(case)}\n```"),
    ),
    Strategy("right call, wrong one as ReAct before", _before(_wrong_react)),
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
    Strategy("ordered calls in reverse", _reversed(lambda case, call: call)),
    Strategy("ordered calls in reverse, a value of each wrong", _reversed(with_wrong_value)),
    Strategy("right call as a text argument", _nested),
    Strategy("right call, arguments as a text", _arguments_as_text),
)
