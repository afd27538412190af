"""Rows as tool-calling benchmarks publish them: BFCL, ACEBench, FunctionChat-Bench, RoTBench."""

import re
from collections.abc import Mapping
from typing import Any

from data.rows import RowError, read_json
from data.shapes.literals import show_as_literals
from data.shapes.messages import read_call
from data.shapes.plain import Plain, Raw, placed, renamed
from data.shapes.tools import read_toolset

SPEAKER = re.compile(r"^(user|system|assistant): ?", re.MULTILINE)
# In ACEBench's transcripts the system is who speaks with the user.
SPEAKERS = {"user": "user", "system": "assistant", "assistant": "assistant"}
NUMBERED = re.compile(r"_\d+$")
# What FunctionChat-Bench calls the outputs that it wants.
OUTPUTS = {
    "call": "tool_call",
    "slot": "request_for_info",
    "relevance": "cannot_answer",
    "completion": "direct",
}
# What names a language in the ids and sources of BFCL's rows; the first that is found counts.
LANGUAGES = {"javascript": "javascript", "java": "java"}
# RoTBench's answers, after a thought.
ACTION, INPUT = "Action:", "\nAction Input:"


def read_bfcl(raw: Raw) -> list[Plain]:
    """BFCL: `question` of one turn, `function`, and `ground_truth`, whose possible answers an argument has.

    An empty `ground_truth` is irrelevance: no offered function serves. Relevance has none either: any call
    does. Rows about Java or JavaScript are told by their id or source; their functions are shown as BFCL
    shows them, with string arguments whose descriptions name the type.
    """
    if "involved_classes" in raw:
        raise RowError(
            "function",
            "is absent: a multi-turn row names classes",
            "give single-turn rows with their functions",
        )
    turns = raw["question"]
    is_nested = isinstance(turns, list) and bool(turns) and isinstance(turns[0], list)
    if is_nested and len(turns) != 1:
        raise RowError(
            "question", "holds several turns", "give a row for each turn, with the turns before it"
        )
    accepted = raw.get("ground_truth")
    named = f"{raw.get('id')} {raw.get('source')}"
    if accepted is None and "relevance" not in named:
        raise RowError("ground_truth", "is absent", "merge the row of the same id from possible_answer/")
    if isinstance(accepted, list) and any(isinstance(answer, str) for answer in accepted):
        raise RowError("ground_truth", "holds code", "give [{function: {argument: [accepted values]}}]")
    functions = raw.get("function")
    listed = [functions] if isinstance(functions, Mapping) else functions
    language = next((language for word, language in LANGUAGES.items() if word in named), None)
    any_call = accepted is None and "irrelevance" not in named
    plain = {
        "label": "tool_call" if accepted or any_call else "cannot_answer",
        "tools": listed if language is None else show_as_literals(listed, language, "function"),
        "messages": turns[0] if is_nested else turns,
        "gold_allowed": accepted,
        **({"any_call": True} if any_call else {}),
        **({} if language is None else {"language": language}),
    }
    messages = "question[0]" if is_nested else "question"
    names = {"messages": messages, "tools": "function", "gold_allowed": "ground_truth"}
    return [Plain("labelled", plain, renamed(names))]


def read_acebench(raw: Raw) -> list[Plain]:
    """ACEBench: a transcript, the `time` of it, and `ground_truth` by the name of the function."""
    truth, functions = raw.get("ground_truth"), raw["function"]
    if not isinstance(truth, Mapping) or not all(isinstance(part, Mapping) for part in truth.values()):
        raise RowError(
            "ground_truth", "does not give arguments by function", "give {function: {argument: value}}"
        )
    offered = read_toolset(functions, "function").parameters
    plain = {
        "label": "tool_call",
        "tools": functions,
        "messages": [*_read_time(raw.get("time")), *_read_transcript(raw["question"])],
        # A function that is called twice is numbered.
        "gold_calls": [
            {"name": name if name in offered else NUMBERED.sub("", name), "arguments": arguments}
            for name, arguments in truth.items()
        ],
    }
    names = {"messages": "question", "tools": "function", "gold_calls": "ground_truth"}
    return [Plain("labelled", plain, renamed(names))]


def read_functionchat(raw: Raw) -> list[Plain]:
    """FunctionChat-Bench: one decision, `input_messages` to `ground_truth`."""
    names = {"messages": "input_messages", "tools": "input_tools", **_gold_names("")}
    return [_read_exchange(raw, raw["input_messages"], raw.get("input_tools"), names)]


def read_functionchat_dialog(raw: Raw) -> list[Plain]:
    """FunctionChat-Bench: a dialog, of which each turn is a row."""
    turns = raw["turns"]
    if not isinstance(turns, list) or not all(isinstance(turn, Mapping) for turn in turns) or not turns:
        raise RowError("turns", "is not a list of turns", "give [{query, ground_truth, type_of_output}]")
    return [
        _read_exchange(turn, turn.get("query"), raw.get("tools"), _turn_names(index))
        for index, turn in enumerate(turns)
    ]


def read_rotbench(raw: Raw) -> list[Plain]:
    """RoTBench: `answer` lists the right actions, of which any one will do: each becomes a row of its own."""
    answers = raw["answer"]
    if not isinstance(answers, list) or not answers:
        raise RowError("answer", "is not a list of actions", "give ['Action: …\\nAction Input: {…}']")
    return [
        Plain(
            "chat",
            {
                "tools": raw.get("tools"),
                "messages": [
                    {"role": "user", "content": raw["query"]},
                    {"role": "assistant", "tool_calls": [_read_action(answer, f"answer[{index}]")]},
                ],
            },
            placed(["query", f"answer[{index}]"]),
        )
        for index, answer in enumerate(answers)
    ]


def _read_time(time: object) -> list[dict[str, Any]]:
    return [{"role": "system", "content": time}] if isinstance(time, str) and time.strip() else []


def _read_transcript(text: object) -> list[dict[str, Any]]:
    if not isinstance(text, str):
        raise RowError("question", "is not a transcript", "give lines that begin with 'user: '")
    _, *parts = SPEAKER.split(text)
    if not parts:
        return [{"role": "user", "content": text.strip()}]
    spoken = zip(parts[::2], parts[1::2], strict=True)
    return [{"role": SPEAKERS[speaker], "content": said.strip()} for speaker, said in spoken]


def _read_exchange(exchange: Raw, messages: object, tools: object, names: Mapping[str, str]) -> Plain:
    decision = OUTPUTS.get(str(exchange.get("type_of_output")))
    answer = exchange.get("ground_truth")
    if decision is None or not isinstance(answer, Mapping):
        field = names["label"] if decision is None else names["gold_text"].removesuffix(".content")
        raise RowError(
            field, "is unknown or absent", f"give one of {', '.join(OUTPUTS)}, and an assistant message"
        )
    calls = _read_calls(answer.get("tool_calls"), names["gold_calls"])
    plain = {
        "label": decision,
        "tools": tools,
        "messages": messages,
        "gold_calls": calls,
        "gold_allowed": _read_alternatives(calls, exchange.get("acceptable_arguments"), names["gold_calls"]),
        "gold_text": answer.get("content") or None,
    }
    return Plain("labelled", plain, renamed(names))


def _read_calls(value: object, field: str) -> list[Any]:
    if value is not None and not isinstance(value, list):
        raise RowError(field, "is not a list", "give [{function: {name, arguments}}], or null")
    return [call.get("function") if isinstance(call, Mapping) else call for call in value or ()]


def _gold_names(inside: str) -> dict[str, str]:
    truth = f"{inside}ground_truth"
    return {
        "label": f"{inside}type_of_output",
        "gold_calls": f"{truth}.tool_calls",
        "gold_allowed": f"{inside}acceptable_arguments",
        "gold_text": f"{truth}.content",
    }


def _turn_names(index: int) -> dict[str, str]:
    return {"messages": f"turns[{index}].query", **_gold_names(f"turns[{index}].")}


def _read_alternatives(calls: list[Any], acceptable: object, field: str) -> list[Any] | None:
    """The values that are accepted beside a single call's own; a remark in words adds none."""
    if not isinstance(acceptable, str) or len(calls) != 1:
        return None
    call = read_call(calls[0], field)
    try:
        other, own = read_json(acceptable), read_json(call["arguments"])
    except ValueError:
        return None
    if not isinstance(other, Mapping) or not isinstance(own, Mapping):
        return None
    accepted = {key: [value, *([other[key]] if key in other else [])] for key, value in own.items()}
    return [{call["name"]: accepted}]


def _read_action(answer: object, field: str) -> dict[str, Any]:
    _, is_action, action = answer.partition(ACTION) if isinstance(answer, str) else ("", "", "")
    name, is_called, arguments = action.partition(INPUT)
    if not is_action or not is_called:
        raise RowError(field, "is not an action", "give 'Action: name\\nAction Input: {…}'")
    return {"function": {"name": name.strip(), "arguments": arguments.strip()}}
