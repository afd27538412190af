"""The shapes that rows are published in, each with the function that brings it to the canonical row.

A row's shape is told from its keys, row by row, so that a file may mix them.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from data.decisions import infer_decision, read_decision
from data.messages import calls_of, read_answer, read_call, read_messages
from data.rows import DECISIONS, Expected, Purpose, Row, RowError, read_json, write_json
from data.schemas import Tool, read_tools

Raw = Mapping[str, Any]
ID_KEYS = ("id", "uuid")


def read_row(raw: object, default_source: str) -> Row:
    """Bring one parsed row to the canonical shape. Raises RowError.

    `default_source` names the origin of rows that do not name one.
    """
    if not isinstance(raw, Mapping):
        raise RowError("row", "is not a JSON object", "write one object a line")
    for marker, convert in SHAPES.items():
        if marker in raw:
            row = convert(raw, read_tools(raw.get("tools")))
            return _with_identity(row, raw, default_source)
    found = ", ".join(sorted(map(str, raw))[:8]) or "none"
    raise RowError(
        "row", f"unknown shape, keys: {found}", "give messages that end with the answer, and tools"
    )


def for_purpose(row: Row, purpose: Purpose | None) -> Row:
    """Fit a row to what its file is read for; None takes it as it is. Raises RowError where it cannot serve.

    A conversation that ends with its gold answer serves as a test row: the answer becomes what is expected.
    """
    if purpose is None or row.purpose == purpose:
        return row
    if row.purpose == "sft" and purpose == "test":
        return replace(row, messages=row.messages[:-1])
    needed = {"sft": "an assistant message at the end", "preference": "chosen and rejected answers"}
    raise RowError(
        "row",
        f"is a {row.purpose} row where {purpose} rows are read",
        f"give it {needed.get(purpose, 'a conversation to answer')}, or move it to another file",
    )


def _read_chat(raw: Raw, tools: list[Tool]) -> Row:
    """When2Call's SFT rows, OpenAI and TRL chat rows: the last message is the gold answer."""
    messages = read_messages(raw["messages"])
    if messages[-1]["role"] != "assistant":
        raise RowError("messages", "do not end with an assistant message", "end with the answer to learn")
    expected = _expect(messages[-1], raw)
    _check_calls(expected.calls, tools, f"messages[{len(messages) - 1}]")
    return _row(tools, messages, expected)


def _read_preference(raw: Raw, tools: list[Tool]) -> Row:
    """When2Call's `chosen_response`/`rejected_response` rows, and TRL's `chosen`/`rejected` ones."""
    suffix = "_response" if "chosen_response" in raw else ""
    chosen = read_answer(raw.get(f"chosen{suffix}"), f"chosen{suffix}")
    rejected = read_answer(raw.get(f"rejected{suffix}"), f"rejected{suffix}")
    if chosen == rejected:
        raise RowError(f"rejected{suffix}", "is the chosen answer", "give an answer that is worse")
    messages = read_messages(raw.get("messages", raw.get("prompt")))
    if messages[-1]["role"] == "assistant":
        raise RowError("messages", "end with an assistant message", "end with the turn to answer")
    expected = _expect(chosen, raw)
    _check_calls(expected.calls, tools, f"chosen{suffix}")
    return replace(_row(tools, messages, expected), chosen=(chosen,), rejected=(rejected,))


def _read_multiple_choice(raw: Raw, tools: list[Tool]) -> Row:
    """When2Call's test rows: a question, four answers by decision, and which of them is right."""
    decision = read_decision(raw["correct_answer"], "correct_answer")
    answers = _read_answers(raw.get("answers"))
    calls = (read_call(read_json(answers["tool_call"]), "answers.tool_call"),)
    if decision == "tool_call":
        _check_calls(calls, tools, "answers.tool_call")
        expected = Expected(decision, calls)
    else:
        expected = Expected(decision, text=answers[decision])
    messages = read_messages(raw.get("question", raw.get("messages")), "question")
    return replace(_row(tools, messages, expected), answers=answers)


def _read_labelled_calls(raw: Raw, tools: list[Tool]) -> Row:
    """Rows with a `label` and gold calls, gold text or, as BFCL has it, the accepted values an argument."""
    decision = read_decision(raw["label"], "label")
    messages = read_messages(raw.get("messages"))
    given = raw.get("gold_calls") or []
    if not isinstance(given, list):
        raise RowError("gold_calls", "is not a list", "give a list of {name, arguments}, or null")
    calls = tuple(read_call(call, f"gold_calls[{index}]") for index, call in enumerate(given))
    _check_calls(calls, tools, "gold_calls")
    allowed = raw.get("gold_allowed") or None
    if decision == "tool_call" and not calls and allowed is None:
        raise RowError("gold_calls", "is absent from a call row", "give gold_calls or gold_allowed")
    text = raw.get("gold_text")
    written = None if allowed is None else write_json(allowed)
    expected = Expected(decision, calls, written, _optional_text(text, "gold_text"))
    return _row(tools, messages, expected)


def _read_canonical(raw: Raw, tools: list[Tool]) -> Row:
    """Rows that were prepared before."""
    given = raw["expected"]
    if not isinstance(given, Mapping):
        raise RowError("expected", "is not an object", "give {decision, calls, allowed, text}")
    if raw.get("chosen") is not None:
        return _read_preference({**raw, "decision": given.get("decision")}, tools)
    messages = read_messages(raw.get("messages"))
    calls = tuple(read_call(call, "expected.calls") for call in given.get("calls") or ())
    decision = read_decision(given.get("decision"), "expected.decision")
    allowed, text = (_optional_text(given.get(key), f"expected.{key}") for key in ("allowed", "text"))
    expected = Expected(decision, calls, allowed, text)
    answers = None if raw.get("answers") is None else _read_answers(raw["answers"])
    return replace(_row(tools, messages, expected), answers=answers)


# The first key that a row has decides; `messages` comes last because most shapes have it.
SHAPES: Mapping[str, Callable[[Raw, list[Tool]], Row]] = {
    "expected": _read_canonical,
    "chosen_response": _read_preference,
    "chosen": _read_preference,
    "correct_answer": _read_multiple_choice,
    "label": _read_labelled_calls,
    "messages": _read_chat,
}


def _row(tools: list[Tool], messages: tuple[dict[str, Any], ...], expected: Expected) -> Row:
    return Row("", "", write_json(tools), messages, expected)


def _expect(answer: Mapping[str, Any], raw: Raw) -> Expected:
    stated = raw.get("decision")
    decision = infer_decision(answer) if stated is None else read_decision(stated, "decision")
    if (decision == "tool_call") != bool(calls_of(answer)):
        raise RowError("decision", f"is {decision}, which the answer is not", "mend the label or the answer")
    return Expected(decision, calls_of(answer), text=str(answer["content"]) or None)


def _optional_text(value: object, field: str) -> str | None:
    if value is not None and not isinstance(value, str):
        raise RowError(field, "is neither null nor a string", "write JSON values as strings")
    return value


def _read_answers(value: object) -> dict[str, str]:
    if not isinstance(value, Mapping):
        raise RowError("answers", "is not an object", f"give the texts of {', '.join(DECISIONS)}")
    for decision in DECISIONS:
        if not isinstance(value.get(decision), str) or not value[decision]:
            raise RowError(f"answers.{decision}", "is absent or empty", "give all four answers as strings")
    answers: dict[str, str] = {decision: value[decision] for decision in DECISIONS}
    try:
        read_json(answers["tool_call"])
    except ValueError as error:
        raise RowError("answers.tool_call", f"is not JSON: {error}", "write {name, arguments}") from error
    return answers


def _check_calls(calls: tuple[Mapping[str, str], ...], tools: list[Tool], field: str) -> None:
    """A gold call must name an offered tool and give what that tool requires: else it teaches inventing."""
    offered = {tool["name"]: tool["parameters"] for tool in tools}
    for call in calls:
        if call["name"] not in offered:
            raise RowError(
                field, f"calls {call['name']!r}, not an offered tool", "offer it, or mend the name"
            )
        required = offered[call["name"]].get("required")
        given = json.loads(call["arguments"])
        missing = [name for name in required if name not in given] if isinstance(required, list) else []
        if missing:
            named = ", ".join(map(str, missing))
            raise RowError(field, f"lacks required arguments of {call['name']}", f"give {named}")


def _with_identity(row: Row, raw: Raw, default_source: str) -> Row:
    given = next((raw[key] for key in ID_KEYS if raw.get(key) not in (None, "")), None)
    source = raw.get("source")
    return replace(
        row,
        id=f"{row.purpose}-{row.fingerprint()[:16]}" if given is None else str(given),
        source=source if isinstance(source, str) and source else default_source,
    )
