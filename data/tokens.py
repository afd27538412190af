"""Lengths in the model's own tokens, as its chat template renders them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from transformers import PreTrainedTokenizerBase

from data.report import Measure, answer_text
from data.rows import Row, write_json
from data.template import load_tokenizer, render_completion, render_prompt

PROBE_TOOL = "a_tool_that_shows_in_the_prompt"


def measure_tokens(model_dir: Path, chat_template: Path | None) -> Measure | None:
    """Make the measure for a model; None where its template leaves the tools out, so that it would lie."""
    tokenizer = load_tokenizer(model_dir, chat_template)
    probe = write_json([{"name": PROBE_TOOL, "description": "", "parameters": {"type": "object"}}])
    if PROBE_TOOL not in render_prompt(tokenizer, [{"role": "user", "content": "?"}], probe):
        return None
    return Measure("tokens", lambda row: _lengths(tokenizer, row))


def _lengths(tokenizer: PreTrainedTokenizerBase, row: Row) -> tuple[int, int]:
    turns = row.messages[:-1] if row.purpose == "sft" else row.messages
    prompt = render_prompt(tokenizer, turns, row.tools)
    answer = _answer_of(row)
    completion = (
        answer_text(row) if answer is None else render_completion(tokenizer, turns, row.tools, answer)
    )
    return _count(tokenizer, prompt), _count(tokenizer, completion)


def _answer_of(row: Row) -> Mapping[str, Any] | None:
    if row.chosen is not None:
        return row.chosen[0]
    if row.purpose == "sft":
        return row.messages[-1]
    return {"role": "assistant", "content": row.expected.text} if row.expected.text else None


def _count(tokenizer: PreTrainedTokenizerBase, text: str) -> int:
    return len(tokenizer(text, add_special_tokens=False)["input_ids"])
