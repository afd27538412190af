"""One rendering of rows through the model's chat template, for training, multiple choice and generation.

The template is the format: what is trained here is what a server's parser will read. Rendered texts already
carry the template's special tokens (Llama's template writes the BOS itself), so tokenize them with
`add_special_tokens=False`.
"""

import json
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from jinja2.exceptions import TemplateError
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from data.recipe_format import ToolsRendering
from jobs.doors import BadInput

Message = Mapping[str, Any]

# Qwen3 writes an empty thinking block when it is told not to think; its fine-tuning rows hold no thoughts.
EMPTY_THOUGHT = "<think>\n\n</think>\n\n"
# Llama 3's template prints today's date unless it is given one: a row would render differently every day.
TEMPLATE_SETTINGS: Mapping[str, Any] = {"enable_thinking": False, "date_string": "26 Jul 2024"}
# A template is a program that came with a model: these are what its own faults look like from outside.
FAULTS_IN_TEMPLATES = (TypeError, ValueError, KeyError, IndexError, AttributeError, RecursionError)
# What a message of another shape than OpenAI's looks like from inside.
FAULTS_IN_MESSAGES = (TypeError, ValueError, KeyError, AttributeError)
# A text that no template changes; what the template writes behind it is the end of a turn.
PROBE = "Toolwright"
# A template that prints tools in either way reads this variable. It is set in the template's own text, so
# that a server, which knows no recipe, renders what was trained.
RENDERING_SETTING = "tools_rendering"
RENDERING_LINE = re.compile(r"\A\{%- set tools_rendering = '\w+' -%\}\n")


def load_tokenizer(
    model_dir: Path, chat_template: Path | None, tools_rendering: ToolsRendering | None = None
) -> PreTrainedTokenizerBase:
    """Load a model's tokenizer, with our chat template in place of its own where one is given.

    `tools_rendering`: how the template prints tools; None leaves it as the template has it. Raises BadInput
    where there is no tokenizer, neither the model nor the caller brings a template, or the template has no
    compact rendering and one is asked for.
    """
    try:
        tokenizer = AutoTokenizer.from_pretrained(str(model_dir))
    except (OSError, ValueError) as error:
        raise BadInput(f"no tokenizer can be loaded from {model_dir}: {error}") from error
    if chat_template is not None:
        tokenizer.chat_template = _read_template(chat_template)
    if not tokenizer.chat_template:
        raise BadInput(f"the tokenizer in {model_dir} has no chat template: name one as chat_template")
    if tools_rendering is not None:
        tokenizer.chat_template = set_tools_rendering(str(tokenizer.chat_template), tools_rendering)
    return tokenizer


def set_tools_rendering(template: str, rendering: ToolsRendering) -> str:
    """Fix in a template's text how it prints tools: as JSON Schemas (full) or as signatures (compact).

    A template that knows no choice prints them in full. Raises BadInput where compact is asked of one.
    """
    if RENDERING_SETTING in template:
        unset = RENDERING_LINE.sub("", template)
        return f"{{%- set {RENDERING_SETTING} = '{rendering}' -%}}\n{unset}"
    if rendering == "compact":
        raise BadInput(
            "tools_rendering: compact: the model's own chat template prints tools in one way only; "
            "name one of training/templates as chat_template, or say tools_rendering: full"
        )
    return template


def end_of_turn(tokenizer: PreTrainedTokenizerBase) -> str:
    """Find the marker that ends an assistant turn, such as ``<|im_end|>``, from what the template writes.

    It need not be the tokenizer's `eos_token`: Gemma's is ``<eos>``, and its turns end in ``<end_of_turn>``.
    Empty where neither the template nor the tokenizer has one.
    """
    return _ending(tokenizer, str(tokenizer.chat_template))[0]


def render_prompt(tokenizer: PreTrainedTokenizerBase, messages: Sequence[Message], tools: str) -> str:
    """Render the conversation up to the point where the model answers.

    `messages`: canonical (OpenAI shape, `arguments` as JSON strings). `tools`: JSON string of a list of
    `{name, description, parameters}`. Raises BadInput where the template refuses the conversation.
    """
    return _apply(tokenizer, messages, tools, add_generation_prompt=True)


def render_completion(
    tokenizer: PreTrainedTokenizerBase,
    messages: Sequence[Message],
    tools: str,
    assistant: Message,
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
    return _through_end_of_turn(completion, *_ending(tokenizer, str(tokenizer.chat_template)))


def message_for_answer(name: str, text: str) -> dict[str, Any]:
    """Turn one of When2Call's four answers into the assistant message that gives it.

    `tool_call`: the JSON text of one `{"name", "arguments"}` (or a list of them) becomes structured
    `tool_calls`; every other answer is plain content. Raises BadInput for a call that is not one.

    >>> message_for_answer("direct", "It is sunny.")
    {'role': 'assistant', 'content': 'It is sunny.'}
    """
    if not isinstance(text, str):
        raise BadInput(f"answers.{name} is no text: {json.dumps(text)[:200]}")
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
    try:
        conversation = json.dumps([_for_template(message) for message in messages])
    except FAULTS_IN_MESSAGES as error:
        raise BadInput(
            f"a message is not in the canonical shape ({error!r}); run the row through data.prepare"
        ) from error
    return _render(tokenizer, str(tokenizer.chat_template), conversation, tools, add_generation_prompt)


# A row is rendered to be checked, to be measured and for each of its answers, one right after the other.
@lru_cache(maxsize=8)
def _render(
    tokenizer: PreTrainedTokenizerBase,
    chat_template: str,
    conversation: str,
    tools: str,
    add_generation_prompt: bool,
) -> str:
    functions = [{"type": "function", "function": tool} for tool in _decode(tools, "tools", list)]
    try:
        text = tokenizer.apply_chat_template(
            json.loads(conversation),
            # An empty list makes Llama's template print its tool preamble over nothing; None does not.
            tools=functions or None,
            chat_template=chat_template,
            tokenize=False,
            add_generation_prompt=add_generation_prompt,
            **TEMPLATE_SETTINGS,
        )
    except (TemplateError, *FAULTS_IN_TEMPLATES) as error:
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


@lru_cache(maxsize=16)
def _ending(tokenizer: PreTrainedTokenizerBase, chat_template: str) -> tuple[str, str]:
    """The marker that ends an assistant turn, and what the template writes behind the last one.

    `chat_template` is part of the cache's key, because a tokenizer's template can be replaced.
    """
    asked, said = {"role": "user", "content": "?"}, {"role": "assistant", "content": PROBE}
    whole = _apply(tokenizer, [asked, said], "[]", add_generation_prompt=False)
    tail = whole.rpartition(PROBE)[2].strip()
    markers = sorted((str(token) for token in tokenizer.added_tokens_decoder.values()), key=len, reverse=True)
    marker = next((each for each in markers if tail.startswith(each)), tail)
    return marker or str(tokenizer.eos_token or ""), tail.removeprefix(marker).strip()


def _through_end_of_turn(completion: str, marker: str, behind: str) -> str:
    """Drop what the template writes after the end of turn: the newline that ChatML puts before the next one.

    A model stops at the token, so that newline is never asked of it and must not be trained or scored.
    """
    if not marker:
        return completion
    at = completion.rfind(marker)
    ends_there = at >= 0 and completion[at + len(marker) :].strip() in ("", behind)
    return completion[: at + len(marker)] if ends_there else completion
