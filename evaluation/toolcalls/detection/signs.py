"""Which format a chat template or an unlabelled completion is in, told by its signs."""

from __future__ import annotations

from evaluation.toolcalls.formats.endings import without_stop_tokens
from evaluation.toolcalls.formats.json_values import Fault, decode_value_at
from evaluation.toolcalls.formats.llama_json import PYTHON_TAG
from evaluation.toolcalls.formats.mistral import ARGS, TOOL_CALLS
from evaluation.toolcalls.formats.python_lists import read_call_list

DEFAULT_FORMAT = "hermes"
# What Llama 4 may write before its list of calls, and vLLM's parser takes away.
PYTHON_START = "<|python_start|>"


def format_of_template(chat_template: str) -> str | None:
    """Find the format that a chat template writes calls in, or None where it shows no sign of a known one.

    >>> format_of_template("{{ '<tool_call>' + call | tojson + '</tool_call>' }}")
    'hermes'
    """
    if "<arg_key>" in chat_template:
        # GLM's tags within <tool_call>: reading them as JSON would call every output malformed.
        return None
    if "<function=" in chat_template:
        return "qwen3_coder" if "<parameter=" in chat_template else None
    if "<tool_call>" in chat_template:
        return "qwen3" if "</think>" in chat_template else "hermes"
    if "<TOOLCALL>" in chat_template:
        return "toolcall_tag"
    if "[TOOL_CALLS]" in chat_template:
        return "mistral_v11" if ARGS in chat_template else "mistral"
    return _format_without_tags(chat_template)


def _format_without_tags(template: str) -> str | None:
    calls = "tool_calls" in template
    if "func_name1(params_name1" in template or "tool_call.name + '('" in template:
        return "llama3_pythonic"
    if calls and "JSON array" in template and '[{"name":' in template.replace('\\"', '"'):
        return "xlam"
    if calls and '"parameters": ' in template and ('{"name": "' in template or PYTHON_TAG in template):
        return "llama3_json" if "<|start_header_id|>" in template else None
    return None


def format_of_text(text: str) -> str:
    """Tell the format that an unlabelled completion is written in; "hermes" where nothing shows it.

    >>> format_of_text('[TOOL_CALLS]f[ARGS]{"x": 1}')
    'mistral_v11'
    """
    spoken = without_stop_tokens(text).strip()
    if "<function=" in spoken:
        return "qwen3_coder"
    if "<tool_call>" in spoken:
        return "qwen3" if "</think>" in spoken else "hermes"
    if "<TOOLCALL>" in spoken:
        return "toolcall_tag"
    if TOOL_CALLS in spoken:
        behind = spoken[spoken.find(TOOL_CALLS) + len(TOOL_CALLS) :].lstrip()
        return "mistral" if behind.startswith(("[", "{")) else "mistral_v11"
    return _format_of_plain(spoken)


def _format_of_plain(spoken: str) -> str:
    behind_thought = spoken.rpartition("</think>")[2].strip()
    body = behind_thought.removeprefix(PYTHON_TAG).removeprefix(PYTHON_START).lstrip()
    if _is_call_list(body):
        return "llama3_pythonic"
    if PYTHON_TAG in spoken:
        return "llama3_json"
    if body.startswith("```"):
        body = body.partition("\n")[2].lstrip()
    if not body.startswith(("{", "[")):
        return "qwen3" if "</think>" in spoken else DEFAULT_FORMAT
    return _format_of_json(body)


def _format_of_json(body: str) -> str:
    try:
        value, _ = decode_value_at(body, 0)
    except Fault:
        return "xlam" if body.startswith("[") else "bare_json"
    if isinstance(value, list):
        return "xlam"
    if isinstance(value.get("tool_calls"), list):
        named = [entry for entry in value["tool_calls"] if isinstance(entry, dict) and "name" in entry]
        return "xlam" if named and "role" not in value else "structured"
    return "llama3_json" if "name" in value and "parameters" in value else "bare_json"


def _is_call_list(body: str) -> bool:
    try:
        calls, _ = read_call_list(body, 0)
    except Fault:
        return False
    return body.startswith("[") and bool(calls)
