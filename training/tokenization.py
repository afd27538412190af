"""Rows into tokens, through the one rendering that evaluation uses too.

A prompt and a completion are tokenized apart, without special tokens of the tokenizer's own: that is what
a model sees when it is asked (the prompt alone) and what it then has to write. So no BOS is doubled and no
token straddles the border. A row longer than `max_length` is left out and counted. Cutting it would cost
either its answer or, from the left, the tools that the answer calls: both teach something false.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datasets import Dataset
from transformers import PreTrainedTokenizerBase

from data.roundtrip import RoundTrip
from data.rows import read_json
from data.template import render_prompt
from jobs.doors import BadInput

IGNORED = -100

Row = Mapping[str, Any]


@dataclass(frozen=True)
class TokenizedRows:
    """The rows that will be trained on, and how many were longer than allowed."""

    dataset: Dataset
    dropped: int


def tokenize_sft_rows(
    path: Path, tokenizer: PreTrainedTokenizerBase, tool_call_format: str | None, max_length: int | None
) -> TokenizedRows:
    """Tokenize rows whose last message is the answer to learn.

    Columns: `input_ids`; `labels`, -100 wherever the answer is not; `length`. `tool_call_format` None finds
    the format from the template. Raises BadInput for a template that cannot carry tools, and for a row that
    cannot be rendered or whose calls do not survive rendering and parsing.
    """
    round_trip = RoundTrip(tokenizer, tool_call_format)

    def tokenize(row: Row) -> dict[str, Any]:
        *messages, answer = row["messages"]
        prompt = _ids(tokenizer, render_prompt(tokenizer, messages, row["tools"]))
        completion = _ids(tokenizer, round_trip.render_answer(messages, row["tools"], answer))
        labels = [IGNORED] * len(prompt) + completion
        return {"input_ids": prompt + completion, "labels": labels, "length": len(labels)}

    return _tokenize_file(path, tokenize, max_length)


def tokenize_preference_rows(
    path: Path, tokenizer: PreTrainedTokenizerBase, tool_call_format: str | None, max_length: int | None
) -> TokenizedRows:
    """Tokenize rows with one chosen and one rejected answer to the same prompt.

    Columns: `prompt_ids`, `chosen_ids`, `rejected_ids`; `length`, that of the longer of the two. Raises
    BadInput as `tokenize_sft_rows` does.
    """
    round_trip = RoundTrip(tokenizer, tool_call_format)

    def tokenize(row: Row) -> dict[str, Any]:
        prompt = _ids(tokenizer, render_prompt(tokenizer, row["messages"], row["tools"]))
        chosen, rejected = (
            _ids(tokenizer, round_trip.render_answer(row["messages"], row["tools"], row[kind][0]))
            for kind in ("chosen", "rejected")
        )
        length = len(prompt) + max(len(chosen), len(rejected))
        return {"prompt_ids": prompt, "chosen_ids": chosen, "rejected_ids": rejected, "length": length}

    return _tokenize_file(path, tokenize, max_length)


def _tokenize_file(
    path: Path, tokenize: Callable[[Row], dict[str, Any]], max_length: int | None
) -> TokenizedRows:
    kept: list[dict[str, Any]] = []
    dropped = 0
    for number, row in _read_rows(path):
        try:
            tokenized = tokenize(row)
        except BadInput as error:
            raise BadInput(f"{path}, line {number}, row {row.get('id')}: {error}") from error
        except KeyError as error:
            raise BadInput(
                f"{path}, line {number}: the row has no {error}; run data.prepare on it"
            ) from error
        except (IndexError, TypeError, ValueError, AttributeError) as error:
            raise BadInput(f"{path}, line {number}: not a row as data.prepare writes it ({error})") from error
        if max_length is not None and tokenized["length"] > max_length:
            dropped += 1
        else:
            kept.append(tokenized)
    if not kept:
        raise BadInput(f"{path}: no row to train on ({dropped} are longer than max_length {max_length})")
    if dropped:
        print(f"{dropped} of {dropped + len(kept)} rows are longer than {max_length} tokens and left out")
    return TokenizedRows(Dataset.from_list(kept), dropped)


def _read_rows(path: Path) -> Iterator[tuple[int, Row]]:
    try:
        with path.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    yield number, _read_row(line, f"{path}, line {number}")
    except OSError as error:
        raise BadInput(f"{path}: {error.strerror}; name the rows with --train") from error
    except UnicodeDecodeError as error:
        raise BadInput(f"{path}: not UTF-8: {error}") from error


def _read_row(line: str, where: str) -> Row:
    try:
        row = read_json(line)
    except ValueError as error:
        raise BadInput(f"{where}: not JSON: {error}") from error
    if not isinstance(row, dict):
        raise BadInput(f"{where}: a row is a JSON object, found {type(row).__name__}")
    return row


def _ids(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    ids: list[int] = tokenizer(text, add_special_tokens=False)["input_ids"]
    return ids
