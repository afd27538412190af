"""The reward as trainers call it: TRL's signature, and rows out of the columns that trainers hand over."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from evaluation.toolcalls.gold import Row
from evaluation.toolcalls.rewards.generations import Generated
from evaluation.toolcalls.rewards.grading import check_format, checked_weights, reward

# What cannot be graded.
NO_ROW: Row = MappingProxyType({})
Decode = Callable[[Sequence[int]], str]


class ToolCallReward:
    """A reward function as TRL calls it (trl 1.16, `GRPOTrainer._calculate_rewards`); it can be pickled."""

    def __init__(
        self,
        weights: Mapping[str, float] | None = None,
        *,
        format: str = "hermes",
        decode: Decode | None = None,
    ) -> None:
        check_format(format)
        self.weights = checked_weights(weights)
        self.format = format
        self.decode = decode
        # What TRL names the reward by in its logs.
        self.__name__ = "tool_call_reward"

    def __call__(
        self,
        completions: Sequence[Generated],
        expected: Sequence[object] | None = None,
        tools: Sequence[object] | None = None,
        answers: Sequence[object] | None = None,
        completion_ids: Sequence[Sequence[int]] | None = None,
        **_columns: Any,
    ) -> list[float | None]:
        """Reward a batch; columns of the data set are lists, one entry a completion.

        `expected`, `tools` and `answers` are those of canonical rows, as objects or as JSON strings. None
        stands for a row that cannot be graded: TRL leaves it out of its group. Raises ValueError, naming the
        column, where one is not as long as the completions, or is absent: `expected`, `tools` where calls
        are expected, and `completion_ids` where they are to be decoded.
        """
        columns = {"expected": expected, "tools": tools, "answers": answers}
        rows = _rows_of(columns, len(completions))
        if self.decode is not None:
            ids = _column("completion_ids", completion_ids, len(completions))
            completions = [self.decode(one) for one in ids]
        return reward(completions, rows, self.weights, format=self.format)


def _rows_of(columns: Mapping[str, Sequence[object] | None], length: int) -> list[Row]:
    given = {
        name: _column(name, column, length)
        for name, column in columns.items()
        if column is not None or name == "expected"
    }
    rows = [row_of({name: column[at] for name, column in given.items()}) for at in range(length)]
    if "tools" not in given and any(lacks_tools(row) for row in rows):
        raise ValueError("the data set has no column 'tools'; rows that expect calls need the tools offered")
    return [NO_ROW if lacks_tools(row) else row for row in rows]


def _column(name: str, column: Sequence[object] | None, length: int) -> Any:
    if column is None:
        raise ValueError(f"the column {name!r} is absent; give one with an entry for each completion")
    if len(column) != length:
        raise ValueError(f"the column {name!r} has {len(column)} entries for {length} completions")
    return column


def tool_call_reward(
    weights: Mapping[str, float] | None = None, *, format: str = "hermes", decode: Decode | None = None
) -> ToolCallReward:
    """Make an entry of `reward_funcs` for TRL's GRPOTrainer; raises ValueError as `reward` does.

    The data set needs the columns `prompt`, `expected` and `tools`. Leave the trainer's own `tools` empty, so
    that it does not run the calls: what is judged is the answer to the prompt. TRL leaves special tokens out
    of the completions that it hands over: where the format's tags are such tokens (Mistral's `[TOOL_CALLS]`,
    Llama's `<|python_tag|>`), give the tokenizer's `decode`, which reads the completions' ids with them.
    """
    return ToolCallReward(weights, format=format, decode=decode)


def row_of(fields: Mapping[str, Any]) -> Row:
    """A row to grade by, from fields that may be absent, None, or written as JSON strings.

    Tools may be in OpenAI's shape, `{type: function, function: {…}}`. What is no JSON stays as it is, so that
    grading names it.
    """
    given = {name: fields.get(name) for name in ("expected", "tools", "answers")}
    row = {name: decoded(value) for name, value in given.items() if value is not None}
    if isinstance(row.get("tools"), list):
        row["tools"] = [_unwrapped(tool) for tool in row["tools"]]
    return row


def lacks_tools(row: Row) -> bool:
    """Tell whether a row expects calls and does not say of which tools, so that no call of it is right."""
    expected = row.get("expected")
    return (
        isinstance(expected, Mapping) and expected.get("decision") == "tool_call" and row.get("tools") is None
    )


def decoded(value: Any) -> Any:
    """What a JSON text spells; anything else, and a text that spells nothing, as it is."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def _unwrapped(tool: Any) -> Any:
    function = tool.get("function") if isinstance(tool, Mapping) else None
    return function if isinstance(function, Mapping) else tool
