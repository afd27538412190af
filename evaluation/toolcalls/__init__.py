"""The one judge of tool calls: parse a completion, match it with the gold, score it, reward it.

Standard library only and without I/O, so that the same code filters data, rewards training, scores
evaluations in a Lambda function and gates promotion. Records are NamedTuples, because importing
`dataclasses` takes a function longer than importing all of this. For the same reason the rewards, and
what finds a format, are imported when they are first asked for: a function that scores does not ship them.
"""

from typing import TYPE_CHECKING, Any

from evaluation.toolcalls.choices import score_choices
from evaluation.toolcalls.completion import Call, Completion, ParseError
from evaluation.toolcalls.parse import FORMATS, parse_completion
from evaluation.toolcalls.score import DECISIONS, REASONS, Score, score_completion
from evaluation.toolcalls.suite import SuiteScores, score_suite

if TYPE_CHECKING:
    from evaluation.toolcalls.detection import format_of_template, format_of_text
    from evaluation.toolcalls.rewards import reward, tool_call_reward

__all__ = [
    "DECISIONS",
    "FORMATS",
    "REASONS",
    "Call",
    "Completion",
    "ParseError",
    "Score",
    "SuiteScores",
    "format_of_template",
    "format_of_text",
    "parse_completion",
    "reward",
    "score_choices",
    "score_completion",
    "score_suite",
    "tool_call_reward",
]


def __getattr__(name: str) -> Any:
    if name in ("format_of_template", "format_of_text"):
        from evaluation.toolcalls import detection  # noqa: PLC0415 - see above

        return getattr(detection, name)
    if name in ("reward", "tool_call_reward"):
        from evaluation.toolcalls import rewards  # noqa: PLC0415

        return getattr(rewards, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
