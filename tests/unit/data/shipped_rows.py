"""The shipped rows as tests look at them: raw, with the wording that each was composed from."""

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from data.shapes.messages import read_answer
from examples.catalogue import Request, Tool, load_catalogue
from tests.unit.data.conftest import REPOSITORY

EXAMPLES = REPOSITORY / "examples"
DECISIONS = ("tool_call", "request_for_info", "cannot_answer", "direct")
# The same few words in a row are no copy; eight are.
WORDS_OF_A_COPY = 8
CATALOGUE = load_catalogue()


@cache
def raw_rows(name: str) -> list[dict[str, Any]]:
    lines = (EXAMPLES / "rows" / f"{name}.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines]


def training_rows() -> list[dict[str, Any]]:
    return raw_rows("train_sft") + raw_rows("train_pref")


def decision(row: Mapping[str, Any]) -> str:
    return str(row["correct_answer"] if "correct_answer" in row else row["decision"])


def question(row: Mapping[str, Any]) -> str:
    """What the user said first."""
    return str(row["question"] if "question" in row else row["messages"][0]["content"])


def offered(row: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [json.loads(tool) if isinstance(tool, str) else tool for tool in row["tools"]]


def names(row: Mapping[str, Any]) -> list[str]:
    return [tool["name"] for tool in offered(row)]


def chosen(row: Mapping[str, Any]) -> str:
    answer = row["chosen_response"] if "chosen_response" in row else row["messages"][-1]
    return str(answer["content"])


def call_in(text: str) -> dict[str, Any]:
    call: dict[str, Any] = read_answer(text, "")["tool_calls"][0]["function"]
    return {"name": call["name"], "arguments": json.loads(call["arguments"])}


def right_calls() -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Every row that calls, with its right call."""
    for row in training_rows():
        if decision(row) == "tool_call":
            yield row, call_in(chosen(row))
    for row in raw_rows("test"):
        if decision(row) == "tool_call":
            yield row, json.loads(row["answers"]["tool_call"])


def is_said(value: object, text: str) -> bool:
    return bool(re.search(rf"(?<!\w){re.escape(str(value))}(?!\w)", text, re.IGNORECASE))


def copied_words(text: str) -> set[tuple[str, ...]]:
    words = re.findall(r"\w+", text.lower())
    return {tuple(words[at : at + WORDS_OF_A_COPY]) for at in range(len(words) - WORDS_OF_A_COPY + 1)}


def mask(row: Mapping[str, Any]) -> str:
    """The wording of a row's request: values replaced by a blank, without the aside around it."""
    if "correct_answer" in row:
        values = json.loads(row["answers"]["tool_call"])["arguments"].values()
        return re.sub("|".join(re.escape(str(value)) for value in values), "_", question(row)).lower()
    return re.sub(r"\{\w+\}", "_", wording_of(row)).lower()


def wording_of(row: Mapping[str, Any]) -> str:
    """The wording of the catalogue that a training row's request was composed from, or an empty text."""
    return _wording_behind(question(row))


@cache
def _wording_behind(text: str) -> str:
    for aside in CATALOGUE.asides["before"]:
        text = text.removeprefix(f"{aside} ")
    for aside in CATALOGUE.asides["after"]:
        text = text.removesuffix(f" {aside}")
    return next((wording for wording, (_, pattern) in wordings().items() if pattern.fullmatch(text)), "")


def written_for(row: Mapping[str, Any]) -> str:
    """The tool that a training row's request was written for; empty if it is beyond every tool."""
    return wordings()[wording_of(row)][0]


@cache
def wordings() -> dict[str, tuple[str, re.Pattern[str]]]:
    """Each request of the catalogue: the tool that it was written for and what it reads like, filled in."""
    found = {one.say: ("", re.compile(re.escape(one.say))) for group in every_request() for one in group}
    for tool in CATALOGUE.tools.values():
        for wording in [*tool.calls, *(wording for _, wording in tool.asks)]:
            assert wording not in found, wording
            found[wording] = (tool.name, filled(wording, tool))
    return found


def filled(wording: str, tool: Tool) -> re.Pattern[str]:
    """What a wording reads like with values in it; a sentence begins with a capital."""
    pieces = re.split(r"\{(\w+)\}", wording)
    if pieces[0]:
        pieces[0] = pieces[0][0].upper() + pieces[0][1:]
    for at in range(0, len(pieces), 2):
        # "a {filing_type}" is filled in as "an 8-K".
        pieces[at] = re.sub(r"\b([Aa])\\ $", r"\1n?\\ ", re.escape(pieces[at]))
    for at in range(1, len(pieces), 2):
        pieces[at] = f"(?:{CATALOGUE.values.pattern(tool.parameters[pieces[at]].kind)})"
    return re.compile("".join(pieces))


def every_request() -> list[list[Request]]:
    return [list(group) for part in (CATALOGUE.out_of_scope, CATALOGUE.direct) for group in part.values()]


def counts_of_the_data_sheet() -> dict[str, dict[str, int]]:
    sheet = (EXAMPLES / "DATASHEET.md").read_text("utf-8")
    rows = re.findall(r"^\| `(\w+)\.jsonl`[^|]*\|([\d |]+)\|$", sheet, re.MULTILINE)
    cells = {name: [int(cell) for cell in cells.split("|")] for name, cells in rows}
    return {name: dict(zip(("rows", *DECISIONS), found, strict=True)) for name, found in cells.items()}


def seeks(noun: str, ask: str, text: str) -> bool:
    return f"{noun}?" in text or f"{noun}," in text or f"{noun} first" in text or ask in text
