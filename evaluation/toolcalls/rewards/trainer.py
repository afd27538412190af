"""The reward as trainers call it: TRL's signature, and rows out of the columns that trainers hand over."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from evaluation.toolcalls.gold import Row
from evaluation.toolcalls.rewards.generations import Generated
from evaluation.toolcalls.rewards.grading import check_format, checked_weights, reward

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
        expected: Sequence[object],
        tools: Sequence[object] | None = None,
        answers: Sequence[object] | None = None,
        completion_ids: Sequence[Sequence[int]] = (),
        **_columns: Any,
    ) -> list[float | None]:
        """Reward a batch; columns of the data set are lists, one entry a completion.

        `expected`, `tools` and `answers` are those of canonical rows, as objects or as JSON strings. None
        stands for a row that cannot be graded: TRL leaves it out of its group. Raises ValueError where the
        columns are not as long as the completions.
        """
        nothing = [None] * len(expected)
        columns = zip(expected, tools or nothing, answers or nothing, strict=True)
        rows = [row_of({"expected": one, "tools": two, "answers": three}) for one, two, three in columns]
        if self.decode is not None:
            completions = [self.decode(ids) for ids in completion_ids]
        return reward(completions, rows, self.weights, format=self.format)


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
    row = {name: _decoded(value) for name, value in given.items() if value is not None}
    if isinstance(row.get("tools"), list):
        row["tools"] = [_unwrapped(tool) for tool in row["tools"]]
    return row


def _decoded(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def _unwrapped(tool: Any) -> Any:
    function = tool.get("function") if isinstance(tool, Mapping) else None
    return function if isinstance(function, Mapping) else tool
