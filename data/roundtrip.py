"""The format round trip: calls are rendered by the model's template and read back by the server's parser.

A call that does not come back would be trained and then never found by the parser that serves the model.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from transformers import PreTrainedTokenizerBase

from data.recipe_format import find_call_format
from data.rows import Message, Row, read_json, write_json
from data.template import end_of_turn, render_completion, render_prompt
from evaluation.toolcalls import parse_completion
from jobs.doors import BadInput

# Both texts must fit in the line that a failed job leaves.
SHOWN_CHARACTERS = 280
PROBE_TOOL, PROBE_PARAMETER = "a_tool_that_shows_in_the_prompt", "a_parameter_that_shows_too"
PROBE_TOOLS = write_json(
    [
        {
            "name": PROBE_TOOL,
            "description": "",
            "parameters": {"type": "object", "properties": {PROBE_PARAMETER: {"type": "string"}}},
        }
    ]
)
PROBE_MESSAGES = [{"role": "user", "content": "?"}]
HIDES_TOOLS = (
    "the chat template leaves the tools out of the prompt, so no call can be learnt from it; name one of "
    "training/templates as chat_template in the recipe, or by --chat-template"
)


def shows_tools(tokenizer: PreTrainedTokenizerBase) -> bool:
    """Whether the chat template puts the tools in the prompt, with the names of their parameters."""
    prompt = render_prompt(tokenizer, PROBE_MESSAGES, PROBE_TOOLS)
    return PROBE_TOOL in prompt and PROBE_PARAMETER in prompt


class RoundTrip:
    """Checks rows against one tokenizer, its chat template and the format that calls are parsed back in."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, tool_call_format: str | None = None) -> None:
        """Find the format from the template where none is named.

        Raises BadInput where the format is unknown, the template leaves the tools out of the prompt, or its
        end of turn is no token, so that the model could never be stopped there.
        """
        self._tokenizer = tokenizer
        if not shows_tools(tokenizer):
            prompt = render_prompt(tokenizer, PROBE_MESSAGES, PROBE_TOOLS)
            raise BadInput(f"{HIDES_TOOLS}\n{_tools_and_prompt(PROBE_TOOLS, prompt)}")
        self.tool_call_format = find_call_format(tool_call_format, str(tokenizer.chat_template))
        self._end = end_of_turn(tokenizer)
        self._special = _special_texts(tokenizer)
        if self._end not in {str(token) for token in tokenizer.added_tokens_decoder.values()}:
            raise BadInput(
                f"the chat template ends a turn with {self._end!r}, which is no token of the tokenizer: "
                "the model could not be stopped there; name a chat_template that fits the tokenizer"
            )

    def check(self, row: Row, place: str) -> None:
        """Render and parse back every answer of a row that is learnt or expected, and earlier calls.

        The prompt must name the row's tools, which a template may leave out of some conversations only, as of
        those with a system message. `place`: file and line, for the message. Raises BadInput with the row and
        both texts.
        """
        try:
            self._check_prompt(row)
            for messages, answer in _answers_of(row):
                self.render_answer(messages, row.tools, answer)
        except BadInput as error:
            raise BadInput(f"{place}, row {row.id}: {error}") from error

    def render_answer(self, messages: Sequence[Message], tools: str, answer: Message) -> str:
        """Render what the model must write in answer to `messages`, through its end of turn.

        Raises BadInput where the calls or the text of the answer do not parse back to what they were.
        """
        text = render_completion(self._tokenizer, messages, tools, answer)
        own_texts = list(_own_texts(answer))
        for special in self._special:
            if any(special in written for written in own_texts):
                raise BadInput(
                    f"the answer holds {special!r} as text, which the tokenizer reads as its marker; "
                    f"take it out of the answer\n{self._both(answer, text)}"
                )
        if not text.endswith(self._end):
            raise BadInput(
                f"the rendered answer does not end with {self._end}, so the model would not learn to stop"
                f"\n{self._both(answer, text)}"
            )
        if not self._survives(text.removesuffix(self._end), answer, tools):
            raise BadInput(
                f"the answer does not survive rendering and parsing as {self.tool_call_format}; "
                "mend the answer, or name the format that the chat template writes"
                f"\n{self._both(answer, text)}"
            )
        return text

    def _check_prompt(self, row: Row) -> None:
        prompt = render_prompt(self._tokenizer, row.prompt, row.tools)
        # A template may print a name as it is, or as JSON with or without escapes.
        shown = (
            name in prompt or any(_inside_json(name, way) in prompt for way in (True, False))
            for name in row.tool_names
        )
        if not all(shown):
            raise BadInput(f"{HIDES_TOOLS}\n{_tools_and_prompt(row.tools, prompt)}")

    def _survives(self, text: str, answer: Message, tools: str) -> bool:
        found = parse_completion(text, self.tool_call_format, tools=tools)
        if found.error is not None:
            return False
        # A thought at the beginning is no part of what is said, on either side.
        said = parse_completion(answer.get("content") or "", self.tool_call_format).text
        functions = [call["function"] for call in answer.get("tool_calls") or []]
        wanted = [(function["name"], read_json(function["arguments"])) for function in functions]
        calls = [(call.name, dict(call.arguments)) for call in found.calls]
        # As JSON, because to Python 1, 1.0 and True are equal.
        return found.text == said and _as_json(calls) == _as_json(wanted)

    def _both(self, answer: Message, text: str) -> str:
        written = json.dumps({key: answer[key] for key in answer if key != "role"}, ensure_ascii=False)
        return f"answer: {_clip(written)}\nrendered: {_clip(repr(text))}"


def _answers_of(row: Row) -> Iterator[tuple[Sequence[Message], Message]]:
    """Each assistant message that is checked, after the messages that it answers."""
    for index, message in enumerate(row.messages):
        is_gold = index == len(row.messages) - 1
        if message["role"] == "assistant" and (is_gold or message.get("tool_calls")):
            yield row.messages[:index], message
    for answer in (*(row.chosen or ()), *(row.rejected or ())):
        yield row.messages, answer
    if row.purpose == "test" and row.expected.decision == "tool_call":
        yield row.messages, _gold_message(row)


def _gold_message(row: Row) -> Message:
    calls: Sequence[Mapping[str, Any]] = row.expected.calls or _first_accepted(row.expected.allowed)
    tool_calls = [{"type": "function", "function": call} for call in calls]
    return {"role": "assistant", "content": "", "tool_calls": tool_calls}


def _first_accepted(allowed: str | None) -> list[dict[str, str]]:
    """BFCL's possible answers as one set of calls: of each argument the first value that is accepted."""
    calls = []
    for entry in read_json(allowed or "[]"):
        for name, arguments in entry.items():
            options = {key: value if isinstance(value, list) else [value] for key, value in arguments.items()}
            first = {key: values[0] for key, values in options.items() if values and values[0] != ""}
            calls.append({"name": name, "arguments": write_json(first)})
    return calls


def _special_texts(tokenizer: PreTrainedTokenizerBase) -> list[str]:
    added = tokenizer.added_tokens_decoder.values()
    return sorted({str(token) for token in added if token.special} | set(tokenizer.all_special_tokens))


def _own_texts(answer: Message) -> Iterator[str]:
    yield answer.get("content") or ""
    for call in answer.get("tool_calls") or []:
        yield call["function"]["name"]
        # As a template writes them: with its escapes undone a marker may appear that the JSON text hides.
        yield json.dumps(read_json(call["function"]["arguments"]), ensure_ascii=False)


def _as_json(calls: Sequence[tuple[str, Mapping[str, Any]]]) -> str:
    return json.dumps(calls, sort_keys=True)


def _inside_json(text: str, ensure_ascii: bool) -> str:
    return json.dumps(text, ensure_ascii=ensure_ascii)[1:-1]


def _tools_and_prompt(tools: str, prompt: str) -> str:
    return f"tools: {_clip(tools)}\nrendered: {_clip(repr(prompt))}"


def _clip(text: str) -> str:
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}…"
