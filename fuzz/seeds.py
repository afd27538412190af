"""What the fuzzer starts from: calls written in every format, whole, broken and spoken of.

`python -m fuzz.seeds FOLDER` writes one file a seed and format, and `tokens.dict` for libFuzzer.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

FORMAT_NAMES = (
    *("hermes", "qwen3", "qwen3_coder", "llama3_json", "llama3_pythonic", "mistral", "mistral_v11", "xlam"),
    *("toolcall_tag", "bare_json", "structured"),
)
WEATHER = {
    "name": "get_weather",
    "parameters": {
        "type": "object",
        "properties": {
            "city": {"type": "string"},
            "days": {"type": "integer"},
            "units": {"anyOf": [{"type": "string"}, {"type": "null"}]},
            "flags": {"type": "array", "items": {"type": "boolean"}},
            "alerts": {"type": "boolean"},
            "place": {"type": ["string", "array"]},
            "scale": {"enum": ["1", "2"]},
        },
        "required": ["city"],
    },
}
TOOLS = json.dumps([WEATHER, {"name": "stop", "parameters": {"type": "object", "properties": {}}}])
ROW = {
    "id": "fuzz",
    "tools": TOOLS,
    "messages": [{"role": "user", "content": "How is the weather in Paris?"}],
    "expected": {
        "decision": "tool_call",
        "calls": [{"name": "get_weather", "arguments": '{"city": "Paris", "days": 2}'}],
        "allowed": None,
        "text": None,
    },
}
CALL = '{"name": "get_weather", "arguments": {"city": "Paris", "days": 2}}'
XML = (
    "<function=get_weather>\n<parameter=city>\nParis\n</parameter>\n"
    "<parameter=days>\n2\n</parameter>\n</function>"
)
MESSAGE = {
    "role": "assistant",
    "content": "Hm.",
    "tool_calls": [{"type": "function", "function": {"name": "stop", "arguments": "{}"}}],
}
WHOLE = (
    f"<tool_call>\n{CALL}\n</tool_call>",
    f"<think>\nLet me see.\n</think>\n\n<tool_call>{CALL}</tool_call> and <tool_call>{CALL}</tool_call>",
    f"<tool_call>{CALL}</tool_call><|im_end|>",
    f"<tool_call>\n{XML}\n</tool_call>",
    XML.replace("2", "True").replace("days", "alerts"),
    f"<|python_tag|>{CALL.replace('arguments', 'parameters')}; {CALL}<|eot_id|>",
    '[get_weather(city="Paris", days=-2), a.b(x=[1, (2,), {"k": None}], y=\'\\x41\' r"\\d" """z""")]',
    f'[TOOL_CALLS] [{CALL[:-1]}, "id": "abcdefghi"}}]</s>',
    'Well.[TOOL_CALLS]get_weather[CALL_ID]abcdefghi[ARGS]{"city": "Paris"}[TOOL_CALLS]stop{}',
    f"[{CALL}, {CALL}]",
    f'```json\n{{"tool_calls": [{CALL}]}}\n```',
    f"<TOOLCALL>[{CALL}]</TOOLCALL>",
    f"Sure:\n{CALL}\nDone.",
    json.dumps(MESSAGE),
)
BROKEN = (
    "<tool_call>{'name': 'get_weather', arguments: {'city': \"Paris\", 'days': 2,},}</tool_call>",
    '<tool_call>{"name": "get_weather", "arguments": {"city": "Paris"',
    "get_weather{city: 'Paris', alerts: True,}",
    'get_weather(city="Paris")',
    '<tool_code>print(default_api.get_weather("Paris"))</tool_code>',
    '{"tool_call": "get_weather", "parameters": {"city": "Paris"}}',
    '{"tool_call":"get_weather__":{"city":"Paris"}}',
    '{"get_weather": {"city": "Paris"}}',
    '{"content": "{\\"get_weather\\": {\\"city\\": \\"Paris\\"}}"}',
    '```json\n{"tool_call":{"name":"get_weather","parameters":{"city":"Paris"}}\n```',
    '{"function": {"name": "get_weather", "arguments": "{\\"city\\": \\"Paris\\"}"}}',
    "<get_weather>\n<city>Paris</city>\n</get_weather>",
    '<invoke name="get_weather"><parameter name="city">Paris</parameter></invoke>',
    'Thought: I need it.\nAction: get_weather\nAction Input: {"city": "Paris"}',
    '{"name": "get_weather", "city": "Paris"}',
    "<tool_call>get_weather\n<arg_key>city</arg_key>\n<arg_value>Paris</arg_value>\n</tool_call>",
    'to=functions.get_weather <|constrain|>json<|message|>{"city": "Paris"}',
    "{“name”: “get_weather” // so\n “arguments”: “{'city': 'Paris'}”}",
    '<tool_call><function=get_weather><parameter=place>["a"]</parameter><parameter=scale>1</parameter>',
    '{"content": [{"type": "text", "text": "Hm."}], "tool_calls": [{"function": {"name": 5}}]}',
    '{"tool_calls": [{"function": {"name": "get_weather", "arguments": {"city": [NaN, {"x": 1}]}}}]}',
    '<|start_header_id|> "parameters": {"name": " tool_calls',
    "func_name1(params_name1",
    'tool_calls JSON array [{"name":',
    f"To use the tool, send this:\n\n{CALL.replace('Paris', '<your city>')}\n\nReplace it.",
    f"{CALL}\n</think>\n{CALL.replace('Paris', 'Rome')}",
    f"You could send {CALL} or {CALL}. Shall I?",
    '[get_weather(city="Paris", f"x"), b"y", 1j, 0x1F, 1_000, 1e5, {1: 2}, 9999999999]',
)


def write_seeds(folder: Path) -> int:
    """Write every seed with the tag of every format, with and without the tools; return their number."""
    folder.mkdir(parents=True, exist_ok=True)
    number = 0
    for text in (*WHOLE, *BROKEN):
        for format in range(len(FORMAT_NAMES)):
            data = bytes([format, number % 4]) + text.encode()
            (folder / f"seed-{number:04d}").write_bytes(data)
            number += 1
    return number


if __name__ == "__main__":
    print(f"{write_seeds(Path(sys.argv[1]))} seeds in {sys.argv[1]}")
