"""Rows as training sets publish them: ShareGPT (glaive), xLAM and its kin, Hammer, TRL, OpenAI's pairs."""

from collections.abc import Mapping
from typing import Any

from data.rows import RowError, read_json
from data.shapes.plain import Plain, Raw, placed, renamed

SPEAKERS = {
    "system": "system",
    "human": "user",
    "user": "user",
    "gpt": "assistant",
    "assistant": "assistant",
    "agent": "assistant",
    "function_call": "assistant",
    "observation": "tool",
    "tool": "tool",
}
# API-Bank ends what the model is shown with this line.
CUE = "Generate API Request:"
FENCE = "```"
# Each answer repeats all turns before it, so that a row's size grows with the square of their number.
MAX_ANSWERS = 256


def read_sharegpt(raw: Raw) -> list[Plain]:
    """ShareGPT: `conversations` of {from, value}; each of the assistant's turns is an answer to learn."""
    turns = _listed(raw["conversations"], "conversations")
    messages: list[dict[str, Any]] = []
    places: list[str] = []
    for index, turn in enumerate(turns):
        place = f"conversations[{index}]"
        message = _read_share(turn, place)
        if _continues(messages, message):
            messages[-1] = {**messages[-1], "tool_calls": message["tool_calls"]}
        else:
            messages.append(message)
            places.append(place)
    answers = [index for index, message in enumerate(messages) if message["role"] == "assistant"]
    if len(answers) > MAX_ANSWERS:
        raise RowError("conversations", f"hold more than {MAX_ANSWERS} answers", "split the conversation")
    if not answers:
        raise RowError("conversations", "hold no turn of the assistant", "give the answer to learn")
    shared = {key: raw[key] for key in ("tools", "system") if key in raw}
    return [Plain("chat", {**shared, "messages": messages[: index + 1]}, placed(places)) for index in answers]


def read_queries(raw: Raw) -> list[Plain]:
    """xLAM, ToolAlpaca, API-Bank: a `query`, text or turns, and the calls that are its `answers`.

    Without a call to make, no tool serves; as there is no text to learn either, the row can only be a test.
    """
    messages, places = _read_query(raw["query"])
    calls = _read_calls(raw["answers"], "answers")
    if not calls:
        return [_unanswerable(raw.get("tools"), messages, renamed({"messages": "query"}))]
    said = ""
    if messages[-1]["role"] == "assistant":
        said = messages.pop()["content"]
        places.pop()
    answer = {"role": "assistant", "content": said, "tool_calls": calls}
    plain = {"tools": raw.get("tools"), "messages": [*messages, answer]}
    return [Plain("chat", plain, placed([*places, "answers"]))]


def read_hammer(raw: Raw) -> list[Plain]:
    """Hammer: the tools and the query stand in the `instruction`, the calls in the `output`."""
    tools = _section(raw["instruction"], "AVAILABLE TOOLS")
    messages = [{"role": "user", "content": _section(raw["instruction"], "QUERY")}]
    calls = _read_calls(raw["output"], "output")
    names = {"messages": "instruction", "tools": "instruction"}
    if not calls:
        return [_unanswerable(tools, messages, renamed(names))]
    answer = {"role": "assistant", "tool_calls": calls}
    plain = {"tools": tools, "messages": [*messages, answer]}
    return [Plain("chat", plain, renamed({**names, "messages[1]": "output"}))]


def read_prompt_completion(raw: Raw) -> list[Plain]:
    """TRL: a `prompt` and its `completion`, as messages or as texts."""
    prompt, completion = _turns(raw["prompt"], "user"), _turns(raw["completion"], "assistant")
    places = [f"prompt[{index}]" for index in range(len(prompt))]
    places += [f"completion[{index}]" for index in range(len(completion))]
    if not prompt or not completion:
        field = "completion" if prompt else "prompt"
        raise RowError(field, "is neither a text nor a list of messages", "give [{role, content}, …]")
    return [Plain("chat", {**raw, "messages": [*prompt, *completion]}, placed(places))]


def read_openai_preference(raw: Raw) -> list[Plain]:
    """OpenAI: `input` with messages and tools, `preferred_output`, `non_preferred_output`."""
    given = raw["input"]
    if not isinstance(given, Mapping):
        raise RowError("input", "is not an object", "give {messages, tools}")
    plain = {
        "tools": given.get("tools"),
        "messages": given.get("messages"),
        "chosen": raw["preferred_output"],
        "rejected": raw["non_preferred_output"],
    }
    names = {
        "messages": "input.messages",
        "tools": "input.tools",
        "chosen": "preferred_output",
        "rejected": "non_preferred_output",
    }
    return [Plain("preference", plain, renamed(names))]


def _read_share(turn: object, field: str) -> dict[str, Any]:
    if not isinstance(turn, Mapping):
        raise RowError(field, "is not an object", "give {from, value}")
    speaker, value = turn.get("from", turn.get("role")), turn.get("value", turn.get("content"))
    role = SPEAKERS.get(str(speaker))
    if role is None:
        raise RowError(f"{field}.from", f"unknown speaker {speaker!r}", f"use one of {', '.join(SPEAKERS)}")
    if speaker == "function_call":
        return {"role": role, "content": "", "tool_calls": _read_calls(value, f"{field}.value")}
    return {"role": role, "content": value}


def _continues(messages: list[dict[str, Any]], message: Mapping[str, Any]) -> bool:
    """Whether a call follows what the assistant said with it: both are one turn."""
    before = messages[-1] if messages else {}
    return before.get("role") == "assistant" and "tool_calls" in message and "tool_calls" not in before


def _read_query(query: object) -> tuple[list[dict[str, Any]], list[str]]:
    if isinstance(query, str):
        return [{"role": "user", "content": _without_cue(query)}], ["query"]
    messages: list[dict[str, Any]] = []
    places: list[str] = []
    for index, turn in enumerate(_listed(query, "query")):
        message = _read_turn(turn, f"query[{index}]")
        if _continues(messages, message):
            messages[-1] = {**messages[-1], "tool_calls": message["tool_calls"]}
        elif message["content"] or "tool_calls" in message:
            messages.append(message)
            places.append(f"query[{index}]")
    if not messages:
        raise RowError("query", "says nothing", "give the request that the calls answer")
    return messages, places


def _read_turn(turn: object, field: str) -> dict[str, Any]:
    if not isinstance(turn, Mapping) or not isinstance(turn.get("content"), str):
        raise RowError(field, "is not a message", "give {role, content}")
    role = SPEAKERS.get(str(turn.get("role")))
    if role is None:
        raise RowError(
            f"{field}.role", f"unknown role {turn.get('role')!r}", "use user, agent, assistant or tool"
        )
    content = turn["content"]
    if role == "assistant" and content.startswith(FENCE):
        return {"role": role, "content": "", "tool_calls": _read_calls(content, field)}
    return {"role": role, "content": _without_cue(content)}


def _read_calls(value: object, field: str) -> list[dict[str, Any]]:
    if isinstance(value, str):
        text = value.strip().removeprefix(FENCE).removesuffix(FENCE).removeprefix("json")
        try:
            value = read_json(text)
        except ValueError as error:
            raise RowError(field, "is not JSON", f"{error}: give [{{name, arguments}}]") from error
    listed = value if isinstance(value, list) else [value]
    return [{"function": call} for call in listed]


def _unanswerable(tools: object, messages: list[dict[str, Any]], names: Any) -> Plain:
    return Plain("labelled", {"label": "cannot_answer", "tools": tools, "messages": messages}, names)


def _section(text: object, name: str) -> str:
    opening, closing = f"[BEGIN OF {name}]", f"[END OF {name}]"
    start = text.find(opening) if isinstance(text, str) else -1
    end = str(text).find(closing, start)
    if start < 0 or end < 0:
        raise RowError(
            "instruction", f"has no section {opening}", "give rows with tools, as Hammer writes them"
        )
    return str(text)[start + len(opening) : end].strip()


def _turns(value: object, role: str) -> list[Any]:
    if isinstance(value, str) and value:
        return [{"role": role, "content": value}]
    return value if isinstance(value, list) else [value] if isinstance(value, Mapping) else []


def _listed(value: object, field: str) -> list[Any]:
    if not isinstance(value, list) or not value:
        raise RowError(field, "is not a list of turns", "give the turns in their order")
    return value


def _without_cue(text: str) -> str:
    return text.removesuffix(CUE).rstrip() if text.endswith(CUE) else text
