"""More ways in which models miss their format, or show a call that they do not make: one tool each."""

from __future__ import annotations

import json
from typing import Any

import pytest

from evaluation.toolcalls import parse_completion


def tool(name: str, **properties: str) -> str:
    """One tool that requires all of its parameters."""
    schema = {key: {"type": kind} for key, kind in properties.items()}
    parameters = {"type": "object", "properties": schema, "required": [*properties]}
    return json.dumps([{"name": name, "parameters": parameters}])


READ_FILE = tool("read_file", path="string")
WRITE_FILE = tool("write_file", path="string", content="string")
TIMER = tool("set_timer", minutes="integer")
PATH = {"path": "a.txt"}
CALL = '{"name": "read_file", "arguments": {"path": "a.txt"}}'
FORMATS = ("qwen3", "bare_json", "llama3_json", "mistral")

MADE = [
    (READ_FILE, 'read_file: {"path": "a.txt"}', PATH, "a colon between name and arguments"),
    (READ_FILE, 'read_file\n{"path": "a.txt"}', PATH, "arguments on the next line"),
    (READ_FILE, '`read_file(path="a.txt")`', PATH, "backticks around all of it"),
    (READ_FILE, 'Tool: read_file\nArguments: {"path": "a.txt"}', PATH, "lines with headings"),
    (READ_FILE, '✿FUNCTION✿: read_file\n✿ARGS✿: {"path": "a.txt"}', PATH, "Qwen-Agent's signs"),
    (READ_FILE, 'I\'ll read it.\n\nread_file(path="a.txt")', PATH, "announced, then in Python"),
    (READ_FILE, '<function=read_file>{"path": "a.txt"}</function>', PATH, "Llama's function tag"),
    (READ_FILE, '<|tool_call_start|>[read_file(path="a.txt")]<|tool_call_end|>', PATH, "LFM's signs"),
    (READ_FILE, f"[TOOL_REQUEST]\n{CALL}\n[END_TOOL_REQUEST]", PATH, "signs of an editor"),
    (READ_FILE, f"functools[{CALL}]", PATH, "Phi's sign"),
    (READ_FILE, '<tool_call name="read_file">{"path": "a.txt"}</tool_call>', PATH, "the name in the tag"),
    (
        READ_FILE,
        "<tool_call>read_file\n<arg_key>path</arg_key>\n<arg_value>a.txt</arg_value>\n</tool_call>",
        PATH,
        "GLM's tags",
    ),
    (
        READ_FILE,
        '<|channel|>commentary to=functions.read_file <|constrain|>json<|message|>{"path": "a.txt"}<|call|>',
        PATH,
        "gpt-oss's channel",
    ),
    (
        READ_FILE,
        '{"name": "read_file", "arguments": "{\'path\': \'a.txt\'}"}',
        PATH,
        "a Python dict in a string",
    ),
    (
        READ_FILE,
        '{"tool_name": "read_file", "tool_params": {"path": "a.txt"}}',
        PATH,
        "keys of another house",
    ),
    (READ_FILE, '{"tool_call": {"read_file": {"path": "a.txt"}}}', PATH, "wrapped, and the name as the key"),
    (READ_FILE, '{"tool_call": "read_file", "path": "a.txt"}', PATH, "flat beside another name key"),
    (READ_FILE, '{\n  // the file\n  "name": "read_file",\n  "path": "a.txt"\n}', PATH, "a comment"),
    (READ_FILE, "{“name”: “read_file”, “arguments”: {“path”: “a.txt”}}", PATH, "curly quotes"),
    (READ_FILE, '{"name": "read_file" "arguments": {"path": "a.txt"}}', PATH, "a missing comma"),
    (READ_FILE, f"{{{CALL}}}", PATH, "braces of a template engine"),
    (READ_FILE, f"~~~json\n{CALL}\n~~~", PATH, "the other fence"),
    (READ_FILE, f"json\n{CALL}", PATH, "a fence that lost its backticks"),
    (READ_FILE, f"{CALL} // read it", PATH, "a comment behind it"),
    (READ_FILE, f"The user wants a file.\n{CALL}", PATH, "reasoning before it"),
    (READ_FILE, f"I should use the read_file tool.\n\n{CALL}", PATH, "reasoning that names the tool"),
    (READ_FILE, f"Here is the call in JSON format:\n\n{CALL}", PATH, "an introduction"),
    (READ_FILE, f"So I should read it.\n</think>\n\n{CALL}", PATH, "a thought that the prompt opened"),
    (TIMER, "<tool_code>set_timer(10)</tool_code>", {"minutes": 10}, "a number without a name"),
    (TIMER, "set_timer{'minutes': 10,}\n\nIt is set.", {"minutes": 10}, "a report behind it"),
    (
        WRITE_FILE,
        '{"name": "write_file", "arguments": {"path": "a", "content": "For example: do not call. Shall I?"}}',
        {"path": "a", "content": "For example: do not call. Shall I?"},
        "what a value says is not said of the call",
    ),
    (
        WRITE_FILE,
        'write_file("a.txt", "hello")',
        {"path": "a.txt", "content": "hello"},
        "two values, two parameters, in their order",
    ),
]


@pytest.mark.parametrize(("tools", "text", "arguments", "why"), MADE, ids=[row[-1] for row in MADE])
def test_a_call_that_is_made_is_recovered(tools: str, text: str, arguments: Any, why: str) -> None:
    for format in FORMATS:
        parsed = parse_completion(text, format, tools=tools, lenient=True)
        name = json.loads(tools)[0]["name"]
        assert [(call.name, call.arguments) for call in parsed.calls] == [(name, arguments)], (format, why)


SHOWN = [
    (READ_FILE, f"A call looks like {CALL}.", "how a call looks"),
    (READ_FILE, f"You can call it with:\n\n```json\n{CALL}\n```", "what the reader can do"),
    (READ_FILE, f"## Usage\n\n```json\n{CALL}\n```", "a manual"),
    (READ_FILE, f"### Example\n```json\n{CALL}\n```", "a heading"),
    (READ_FILE, f"In the docs, a call is written {CALL}", "documentation"),
    (READ_FILE, f"The model previously emitted {CALL} and failed.", "the past"),
    (READ_FILE, f"I tried {CALL} but it failed.", "the past of the speaker"),
    (READ_FILE, f"The log contains this entry: {CALL}", "data"),
    (READ_FILE, f"I refuse to run this: {CALL}", "a refusal"),
    (READ_FILE, f"Do NOT run the following: {CALL}", "a prohibition"),
    (READ_FILE, f"Do you want that? I'd send {CALL}.", "a condition"),
    (READ_FILE, f"The call would be:\n{CALL}", "another condition"),
    (READ_FILE, f"<!-- {CALL} -->", "a comment of HTML"),
    (READ_FILE, f"> {CALL}\n\nThat is quoted.", "a quoted line"),
    (READ_FILE, f"payload = {CALL}", "an assignment"),
    (READ_FILE, f"```python\npayload = {CALL}\n```", "an assignment in a fence"),
    (READ_FILE, f"```bash\ncurl -d '{CALL}' http://localhost\n```", "a command"),
    (READ_FILE, 'Usage: read_file(path="a.txt")', "a manual in Python"),
    (READ_FILE, "read_file(path)", "a signature"),
    (READ_FILE, 'const r = await read_file({path: "a.txt"});', "code of another language"),
    (READ_FILE, '{"name": "read_file", "arguments": {"path": "path/to/file"}}', "a placeholder path"),
    (READ_FILE, '{"name": "read_file", "arguments": null}', "nothing for arguments"),
    (READ_FILE, '{"name": "ReadFile", "arguments": {"path": "a.txt"}}', "another spelling"),
    (READ_FILE, '{"path": "a.txt", "size": 5}', "an answer with a known key"),
    (READ_FILE, '[{"name": "Ada"}, {"name": "Linus"}]', "people"),
    (WRITE_FILE, '{"path": "a.txt"}', "no name, and not all that is required"),
    (
        WRITE_FILE,
        '{"name": "write_file", "arguments": {"path": "a.txt", "content":',
        "cut off before a value",
    ),
    (TIMER, '{"name": "set_timer", "arguments": {"minutes": 3', "cut off in a number"),
    (TIMER, '{"name": "set_tim', "cut off in the name"),
]


@pytest.mark.parametrize(("tools", "text", "why"), SHOWN, ids=[row[-1] for row in SHOWN])
def test_a_call_that_is_only_shown_is_none(tools: str, text: str, why: str) -> None:
    for format in FORMATS:
        assert parse_completion(text, format, tools=tools, lenient=True).calls == (), (format, why)


SPOKEN_OF = {
    "Should I run ¦?": "a question",
    "Should I run the following?\n\n```json\n¦\n```": "a question before a fence",
    "Shall I run ¦": "a question without its mark",
    "Do you want me to run ¦?": "an offer",
    "Would you like ¦": "another offer",
    "Is ¦ what you want?": "a question around it",
    "Why did ¦ fail": "a question about its failure",
    "Once you confirm, I'll call:\n¦": "a condition before a promise",
    "I can run this once you approve:\n¦": "a condition behind a promise",
    "The user's log contained: ¦": "data",
    "The response of the server containing: ¦": "data of a server",
    "I already ran this: ¦. It failed.": "the past",
    "I have called ¦ and got nothing.": "the past perfect",
    "We executed ¦ yesterday.": "the past of several",
    "Result of ¦: ok": "a result",
    "The output of running ¦ was empty": "an output",
    "I was told to run ¦ but refused.": "an order that was refused",
    "Here is what NOT to send: ¦": "a warning",
    "This is dangerous: ¦ Please avoid it.": "a danger",
    "According to the README: ¦": "a source",
    "Let me explain what ¦ does.": "an explanation, for all that it begins as an announcement",
    "Zum Beispiel:\n¦": "a German example",
    "Soll ich ¦ ausführen?": "a German offer",
    "Wenn du willst, rufe ich auf: ¦": "a German condition",
    "Par exemple : ¦": "a French example",
    "Tu veux que j'appelle ¦ ?": "a French offer",
    "Si tu veux, j'appelle : ¦": "a French condition",
    "Por ejemplo: ¦": "a Spanish example",
    "¿Quieres que ejecute ¦?": "a Spanish offer",
    "例如：¦": "a Chinese example",
}
SAID = {
    "Sure: ¦": "an assent",
    "Call: ¦": "a heading",
    "The call is:\n¦": "an announcement with a verb that questions begin with",
    "What you asked for:\n¦": "an answer to a wish",
    "I run it:\n¦": "the present, which sounds like the past",
    "You want it read. Is that wise? Yes.\n¦": "a question that is answered",
    "Done thinking.\n¦\nI will report back once it has run.": "a promise behind it",
    "I need to read a file, so I call read_file.\n¦": "a reason",
    "Ich lese die Datei:\n¦": "a German announcement",
    "Je vais le lire : ¦": "a French announcement",
    "Voy a leerlo: ¦": "a Spanish announcement",
}


@pytest.mark.parametrize(
    ("text", "count"),
    [*((text, 0) for text in SPOKEN_OF), *((text, 1) for text in SAID)],
    ids=[*SPOKEN_OF.values(), *SAID.values()],
)
def test_what_is_asked_offered_quoted_or_past_is_no_call(text: str, count: int) -> None:
    for format in FORMATS:
        parsed = parse_completion(text.replace("¦", CALL), format, tools=READ_FILE, lenient=True)
        assert len(parsed.calls) == count, format
