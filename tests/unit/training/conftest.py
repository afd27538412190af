"""A tiny model and a few canonical rows, made once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.tiny_model import make_tiny_model

TOOLS = json.dumps(
    [
        {
            "name": "get_weather",
            "description": "Get the weather forecast for a city.",
            "parameters": {
                "type": "object",
                "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
                "required": ["city"],
            },
        }
    ]
)


def call(**arguments: object) -> dict[str, Any]:
    function = {"name": "get_weather", "arguments": json.dumps(arguments)}
    return {"role": "assistant", "content": "", "tool_calls": [{"type": "function", "function": function}]}


def say(text: str) -> dict[str, Any]:
    return {"role": "assistant", "content": text}


def ask(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


def make_rows(number: int) -> list[dict[str, Any]]:
    """Prompts of different lengths, each with a right and a wrong answer."""
    rows = []
    for index in range(number):
        city = ("Paris", "Rome", "Oslo")[index % 3] + "x" * (index % 5)
        right, wrong = call(city=city, days=index), say("Which city do you mean?")
        if index % 2:
            right, wrong = wrong, right
        prompt = ask(f"The weather in {city} please.{' Thank you.' * (index % 4)}")
        rows.append({"id": str(index), "tools": TOOLS, "prompt": [prompt], "right": right, "wrong": wrong})
    return rows


def write_rows(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="session")
def sft_rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rows = [
        {"id": row["id"], "tools": TOOLS, "messages": [*row["prompt"], row["right"]]} for row in make_rows(24)
    ]
    return write_rows(tmp_path_factory.mktemp("data") / "train_sft.jsonl", rows)


@pytest.fixture(scope="session")
def preference_rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rows = [
        {
            "id": row["id"],
            "tools": TOOLS,
            "messages": row["prompt"],
            "chosen": [row["right"]],
            "rejected": [row["wrong"]],
        }
        for row in make_rows(24)
    ]
    return write_rows(tmp_path_factory.mktemp("data") / "train_pref.jsonl", rows)
