"""The shapes that the canonical row is read from at once: chats, pairs, choices, labelled and canonical rows.

Each reader takes a row and its tools, and checks the gold answer against them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from data.rows import DECISIONS, LANGUAGES, Decision, Expected, Row, RowError, read_json, write_json
from data.shapes.arguments import check_allowed, fit_call
from data.shapes.decisions import infer_decision, read_decision
from data.shapes.messages import calls_of, read_answer, read_call, read_message, read_messages
from data.shapes.plain import Raw
from data.shapes.texts import check_text
from data.shapes.tools import Toolset

Message = dict[str, Any]


def read_chat(raw: Raw, tools: Toolset) -> Row:
    """When2Call's SFT rows, OpenAI, TRL and Bedrock Converse rows: the last message is the gold answer."""
    *before, last = _read_conversation(raw, "messages", tools)
    if last["role"] != "assistant":
        raise RowError("messages", "do not end with an assistant message", "end with the answer to learn")
    given = raw["messages"]
    place = f"messages[{len(given) - 1}]" if isinstance(given, list) else "messages"
    answer = _fit_answer(last, tools, place)
    return _row(tools, (*before, answer), _expect(answer, raw))


def read_preference(raw: Raw, tools: Toolset) -> Row:
    """When2Call's `chosen_response`/`rejected_response` rows, and TRL's `chosen`/`rejected` ones.

    TRL leaves the prompt implicit where both are whole conversations: what they share is the prompt.
    """
    suffix = "_response" if "chosen_response" in raw else ""
    fields = f"chosen{suffix}", f"rejected{suffix}"
    prompt = raw.get("messages", raw.get("prompt"))
    good, bad = raw.get(fields[0]), raw.get(fields[1])
    if prompt is None:
        prompt, good, bad = _split_prompt(good, bad)
    chosen, rejected = read_answer(good, fields[0]), read_answer(bad, fields[1])
    if chosen == rejected:
        raise RowError(fields[1], "is the chosen answer", "give an answer that is worse")
    messages = _read_conversation({**raw, "messages": prompt}, "messages", tools)
    check_open(messages, "messages")
    chosen = _fit_answer(chosen, tools, fields[0])
    row = _row(tools, messages, _expect(chosen, raw))
    return replace(row, chosen=(chosen,), rejected=(rejected,))


def read_multiple_choice(raw: Raw, tools: Toolset) -> Row:
    """When2Call's test rows, the judge's among them: a question, four answers, and which of them is right."""
    decision = read_decision(raw["correct_answer"], "correct_answer")
    answers = _read_answers(raw.get("answers"))
    call = read_call(read_json(answers["tool_call"]), "answers.tool_call")
    if decision == "tool_call":
        expected = Expected(decision, (fit_call(call, tools.parameters, "answers.tool_call"),))
    else:
        expected = Expected(decision, text=answers[decision])
    messages = read_messages(raw.get("question", raw.get("messages")), "question")
    check_open(messages, "question")
    return replace(_row(tools, messages, expected), answers=answers)


def read_labelled_calls(raw: Raw, tools: Toolset) -> Row:
    """Rows with a `label` and gold calls, gold text or, as BFCL has it, the accepted values an argument."""
    decision = read_decision(raw["label"], "label")
    messages = _read_conversation(raw, "messages", tools)
    check_open(messages, "messages")
    calls = _read_calls(raw.get("gold_calls"), tools, "gold_calls")
    allowed = raw.get("gold_allowed") or None
    terms = _read_terms(raw, "")
    if allowed is not None:
        parameters = _parameters_of_values(tools, terms)
        check_allowed(allowed, parameters, "gold_allowed", as_published=tools.as_published)
    _check_agreement(decision, bool(calls or allowed or terms.get("any_call")), "gold_calls")
    text = _optional_text(raw.get("gold_text"), "gold_text")
    written = None if allowed is None else write_json(allowed)
    return _row(tools, messages, Expected(decision, calls, written, text, **terms))


def read_canonical(raw: Raw, tools: Toolset) -> Row:
    """Rows that were prepared before, or written in this shape: a test row states all that is expected."""
    given = raw["expected"]
    if not isinstance(given, Mapping):
        raise RowError("expected", "is not an object", "give {decision, calls, allowed, text}")
    decision = read_decision(given.get("decision"), "expected.decision")
    text = _optional_text(given.get("text"), "expected.text")
    if raw.get("chosen") is not None:
        return _same_calls(read_preference({**raw, "decision": decision}, tools), given, tools)
    messages = _read_conversation(raw, "messages", tools)
    if messages[-1]["role"] == "assistant":
        return _same_calls(read_chat({**raw, "decision": decision}, tools), given, tools)
    calls = _read_calls(given.get("calls"), tools, "expected.calls")
    terms = _read_terms(given, "expected.")
    allowed = _read_allowed(given.get("allowed"), tools, terms)
    _check_agreement(decision, bool(calls or allowed or terms.get("any_call")), "expected.calls")
    answers = None if raw.get("answers") is None else _read_answers(raw["answers"])
    row = _row(tools, messages, Expected(decision, calls, allowed, text, **terms))
    return replace(row, answers=answers, conversation=_optional_text(raw.get("conversation"), "conversation"))


def check_open(messages: Sequence[Mapping[str, Any]], field: str) -> None:
    """Raise RowError unless a conversation ends with a turn that an answer can follow."""
    if messages[-1]["role"] not in ("user", "tool"):
        raise RowError(
            field, f"end with a message of the {messages[-1]['role']}", "end with the turn to answer"
        )


def _row(tools: Toolset, messages: tuple[Message, ...], expected: Expected) -> Row:
    return Row("", "", tools.text, messages, expected)


def _read_conversation(raw: Raw, field: str, tools: Toolset) -> tuple[Message, ...]:
    messages = read_messages(raw.get("messages"), field, as_published=tools.as_published)
    system = raw.get("system")
    if not system:
        return messages
    return read_message({"role": "system", "content": system}, "system"), *messages


def _split_prompt(chosen: object, rejected: object) -> tuple[list[Any], list[Any], list[Any]]:
    if not isinstance(chosen, list) or not isinstance(rejected, list):
        raise RowError("messages", "are absent", "give the conversation that both answers follow")
    shared = 0
    while shared < min(len(chosen), len(rejected)) - 1 and chosen[shared] == rejected[shared]:
        shared += 1
    return chosen[:shared], chosen[shared:], rejected[shared:]


def _fit_answer(answer: Message, tools: Toolset, field: str) -> Message:
    if "tool_calls" not in answer:
        return answer
    fitted = [fit_call(call, tools.parameters, field) for call in calls_of(answer)]
    return {**answer, "tool_calls": [{"type": "function", "function": call} for call in fitted]}


def _expect(answer: Mapping[str, Any], raw: Raw) -> Expected:
    stated = raw.get("decision")
    decision = infer_decision(answer) if stated is None else read_decision(stated, "decision")
    if (decision == "tool_call") != bool(calls_of(answer)):
        raise RowError("decision", f"is {decision}, which the answer is not", "mend the label or the answer")
    return Expected(decision, calls_of(answer), text=str(answer["content"]) or None)


def _same_calls(row: Row, given: Mapping[str, Any], tools: Toolset) -> Row:
    """A row that holds its answer: what is said to be expected must be that answer."""
    if _read_calls(given.get("calls"), tools, "expected.calls") not in ((), row.expected.calls):
        raise RowError("expected.calls", "are not the calls of the answer", "leave them out, or mend them")
    return row


def _read_calls(value: object, tools: Toolset, field: str) -> tuple[dict[str, str], ...]:
    if value is not None and not isinstance(value, list | tuple):
        raise RowError(field, "is not a list", "give a list of {name, arguments}, or null")
    places = ((f"{field}[{index}]", call) for index, call in enumerate(value or ()))
    return tuple(fit_call(read_call(call, place), tools.parameters, place) for place, call in places)


def _read_terms(given: Mapping[str, Any], inside: str) -> dict[str, Any]:
    """The rarer terms of what is expected: `ordered`, `any_call` and `language`."""
    terms = {key: given[key] for key in ("ordered", "any_call", "language") if given.get(key) is not None}
    for key, value in terms.items():
        if key == "language" and value not in LANGUAGES:
            raise RowError(f"{inside}{key}", "is unknown", f"give {' or '.join(LANGUAGES)}, or leave it out")
        if key != "language" and not isinstance(value, bool):
            raise RowError(f"{inside}{key}", "is neither true nor false", "give one of them, or leave it out")
    return terms


def _parameters_of_values(tools: Toolset, terms: Mapping[str, Any]) -> Mapping[str, Mapping[str, Any]]:
    """Each tool's parameters as accepted values fit them: open where arguments are literals in strings."""
    if "language" not in terms:
        return tools.parameters
    return {
        name: {**parameters, "properties": {key: {} for key in parameters["properties"]}}
        for name, parameters in tools.parameters.items()
    }


def _read_allowed(value: object, tools: Toolset, terms: Mapping[str, Any]) -> str | None:
    text = _optional_text(value, "expected.allowed")
    if text is None:
        return None
    try:
        allowed = read_json(text)
    except ValueError as error:
        raise RowError(
            "expected.allowed", "is not JSON", f"{error}: write a JSON list in a string"
        ) from error
    parameters = _parameters_of_values(tools, terms)
    check_allowed(allowed, parameters, "expected.allowed", as_published=tools.as_published)
    return text


def _check_agreement(decision: Decision, has_calls: bool, field: str) -> None:
    if decision == "tool_call" and not has_calls:
        raise RowError(
            field, "is absent from a call row", "give the calls, or the accepted values an argument"
        )
    if decision != "tool_call" and has_calls:
        raise RowError(field, f"is given in a row that expects {decision}", "mend the decision, or remove it")


def _optional_text(value: object, field: str) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str):
        raise RowError(field, "is neither null nor a string", "write JSON values as strings")
    check_text(value, field)
    return value


def _read_answers(value: object) -> dict[str, str]:
    if not isinstance(value, Mapping):
        raise RowError("answers", "is not an object", f"give the texts of {', '.join(DECISIONS)}")
    for decision in DECISIONS:
        if not isinstance(value.get(decision), str) or not value[decision]:
            raise RowError(f"answers.{decision}", "is absent or empty", "give all four answers as strings")
        check_text(value[decision], f"answers.{decision}")
    answers: dict[str, str] = {decision: value[decision] for decision in DECISIONS}
    try:
        read_json(answers["tool_call"])
    except ValueError as error:
        raise RowError("answers.tool_call", "is not JSON", f"{error}: write {{name, arguments}}") from error
    return answers
