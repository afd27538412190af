"""The test rows, written one by one in `catalogue/test/*.yaml`, in When2Call's multiple-choice shape."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parent / "catalogue" / "test"
SOURCE = "toolwright-examples"


def compose_test() -> Iterator[dict[str, Any]]:
    """Multiple-choice rows, in the order of the files. A row may offer a tool of another field's file."""
    fields = {
        path.stem: yaml.safe_load(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("*.yaml"))
    }
    tools = {name: tool for given in fields.values() for name, tool in given["tools"].items()}
    described = {name: describe(name, tool) for name, tool in tools.items()}
    for field, given in fields.items():
        for row in given["rows"]:
            yield {"uuid": row["id"], "source": f"{SOURCE}/{field}", **_multiple_choice(row, described)}


def describe(name: str, tool: Mapping[str, Any]) -> dict[str, Any]:
    """The tool as it is offered to a model."""
    schema = {"type": "object", "properties": tool["parameters"], "required": tool["required"]}
    return {"name": name, "description": tool["description"], "parameters": schema}


def _multiple_choice(row: Mapping[str, Any], tools: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    target = row["call"]["name"] if row["decision"] != "cannot_answer" else None
    return {
        "question": row["say"],
        "correct_answer": row["decision"],
        "answers": {
            "direct": row["direct"],
            "tool_call": json.dumps(row["call"], ensure_ascii=False),
            "request_for_info": row["ask"],
            "cannot_answer": row["decline"],
        },
        # None where no tool on offer would serve, as published.
        "target_tool": json.dumps(tools[target], ensure_ascii=False) if target else None,
        "tools": [json.dumps(tools[name], ensure_ascii=False) for name in row["tools"]],
        "held_out_param": row["missing"],
    }
