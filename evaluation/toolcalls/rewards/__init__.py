"""Rewards for reinforcement: the evaluation's score in another shape, and in the trainer's."""

from evaluation.toolcalls.rewards.generations import Generated
from evaluation.toolcalls.rewards.grading import (
    FREE_CHARACTERS,
    Reward,
    check_format,
    checked_weights,
    grade,
    reward,
)
from evaluation.toolcalls.rewards.trainer import (
    ToolCallReward,
    decoded,
    lacks_tools,
    row_of,
    tool_call_reward,
)

__all__ = [
    "FREE_CHARACTERS",
    "Generated",
    "Reward",
    "ToolCallReward",
    "check_format",
    "checked_weights",
    "decoded",
    "grade",
    "lacks_tools",
    "reward",
    "row_of",
    "tool_call_reward",
]
