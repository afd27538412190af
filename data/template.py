"""One rendering of rows through the model's chat template, for training, multiple choice and generation.

The template is the format: what is trained here is what a server's parser will read. Rendered texts already
carry the template's special tokens (Llama's template writes the BOS itself), so tokenize them with
`add_special_tokens=False`.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2.exceptions import TemplateError
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from jobs.doors import BadInput

Message = Mapping[str, Any]

# Qwen3 writes an empty thinking block when it is told not to think; its fine-tuning rows hold no thoughts.
EMPTY_THOUGHT = "<think>\n\n</think>\n\n"
# Llama 3's template prints today's date unless it is given one: a row would render differently every day.
TEMPLATE_SETTINGS: Mapping[str, Any] = {"enable_thinking": False, "date_string": "26 Jul 2024"}


def load_tokenizer(model_dir: Path, chat_template: Path | None) -> PreTrainedTokenizerBase:
    """Load a model's tokenizer, with our chat template in place of its own where one is given.

    Raises BadInput where there is no tokenizer, or neither the model nor the caller brings a template.
    """
    try:
        tokenizer = AutoTokenizer.from_pretrained(str(model_dir))
    except (OSError, ValueError) as error:
        raise BadInput(f"no tokenizer can be loaded from {model_dir}: {error}") from error
    if chat_template is not None:
        tokenizer.chat_template = _read_template(chat_template)
    if not tokenizer.chat_template:
        raise BadInput(f"the tokenizer in {model_dir} has no chat template: name one as chat_template")
    return tokenizer


def render_prompt(tokenizer: PreTrainedTokenizerBase, messages: Sequence[Message], tools: str) -> str:
    """Render the conversation up to the point where the model answers.

    `messages`: canonical (OpenAI shape, `arguments` as JSON strings). `tools`: JSON string of a list of
    `{name, description, parameters}`. Raises BadInput where the template refuses the conversation.
    """
    return _apply(tokenizer, messages, tools, add_generation_prompt=True)


def render_completion(
    tokenizer: PreTrainedTokenizerBase, messages: Sequence[Message], tools: str, assistant: Message
) -> str:
    """Render what the model must write after `render_prompt`, through the end-of-turn token.

    It is the whole conversation less its prompt, so that no second description of the call format can drift
    from the template's. Raises BadInput with both texts where the whole does not begin with the prompt.
    """
    prompt = render_prompt(tokenizer, messages, tools)
    whole = _apply(tokenizer, [*messages, assistant], tools, add_generation_prompt=False)
    completion = _after(prompt, whole)
    if completion is None:
        raise BadInput(
            "the chat template renders the answered conversation unlike its prompt, so the model would be "
            f"trained on a text it is never asked for\nprompt: {prompt!r}\nwhole:  {whole!r}"
        )
    return _through_end_of_turn(completion, tokenizer.eos_token)


def message_for_answer(name: str, text: str) -> dict[str, Any]:
    """Turn one of When2Call's four answers into the assistant message that gives it.

    `tool_call`: the JSON text of one `{"name", "arguments"}` (or a list of them) becomes structured
    `tool_calls`; every other answer is plain content. Raises BadInput for a call that is not one.

    >>> message_for_answer("direct", "It is sunny.")
    {'role': 'assistant', 'content': 'It is sunny.'}
    """
    if name != "tool_call":
        return {"role": "assistant", "content": text}
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadInput(f"answers.tool_call is not JSON: {text[:200]!r}") from error
    calls = value if isinstance(value, list) else [value]
    return {"role": "assistant", "content": "", "tool_calls": [_structured_call(call) for call in calls]}


def _structured_call(call: object) -> dict[str, Any]:
    if not isinstance(call, dict) or not isinstance(call.get("name"), str):
        raise BadInput(f"answers.tool_call is no {{name, arguments}}: {json.dumps(call)[:200]}")
    arguments = call.get("arguments") or {}
    written = arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
    return {"type": "function", "function": {"name": call["name"], "arguments": written}}


def _read_template(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise BadInput(f"chat_template {path}: {error.strerror}") from error


def _apply(
    tokenizer: PreTrainedTokenizerBase,
    messages: Sequence[Message],
    tools: str,
    *,
    add_generation_prompt: bool,
) -> str:
    functions = [{"type": "function", "function": tool} for tool in _decode(tools, "tools", list)]
    try:
        text = tokenizer.apply_chat_template(
            [_for_template(message) for message in messages],
            # An empty list makes Llama's template print its tool preamble over nothing; None does not.
            tools=functions or None,
            tokenize=False,
            add_generation_prompt=add_generation_prompt,
            **TEMPLATE_SETTINGS,
        )
    except TemplateError as error:
        raise BadInput(f"the model's chat template refuses this conversation: {error}") from error
    return str(text)


def _for_template(message: Message) -> dict[str, Any]:
    """Give templates the objects they print.

    Llama's template writes `arguments | tojson`, which would quote a JSON string a second time; Qwen3's and
    ours take either. Absent content becomes "" because some templates index it; an empty call list goes,
    because others only ask whether the key is there.
    """
    given = {**message, "content": message.get("content") or ""}
    calls = given.pop("tool_calls", None)
    if calls:
        given["tool_calls"] = [_with_object_arguments(call) for call in calls]
    return given


def _with_object_arguments(call: Mapping[str, Any]) -> dict[str, Any]:
    function = call["function"]
    arguments = function["arguments"]
    if isinstance(arguments, str):
        arguments = _decode(arguments, f"arguments of {function['name']}", dict)
    return {**call, "function": {**function, "arguments": arguments}}


def _decode(text: str, field: str, kind: type) -> Any:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{field}: not JSON ({error}): {text[:200]!r}") from error
    if not isinstance(value, kind):
        raise BadInput(f"{field}: expected a JSON {kind.__name__}, found {text[:200]!r}")
    return value


def _after(prompt: str, whole: str) -> str | None:
    """Cut the prompt off the whole, or return None where the whole does not begin with it.

    With thinking off, Qwen3's generation prompt ends in an empty thought. The stock template writes the same
    block before a last assistant turn, but derived templates (and TRL's training ones) leave it out there;
    the model is still asked with the block in its prompt, so the block is taken off both sides.
    """
    if whole.startswith(prompt):
        return whole[len(prompt) :]
    asked = prompt.removesuffix(EMPTY_THOUGHT)
    if asked != prompt and whole.startswith(asked):
        return whole[len(asked) :]
    return None


def _through_end_of_turn(completion: str, end_of_turn: str | None) -> str:
    """Drop what the template writes after the end of turn: the newline that ChatML puts before the next one.

    A model stops at the token, so that newline is never asked of it and must not be trained or scored.
    """
    if not end_of_turn:
        return completion
    at = completion.rfind(end_of_turn)
    ends_there = at >= 0 and not completion[at + len(end_of_turn) :].strip()
    return completion[: at + len(end_of_turn)] if ends_there else completion
