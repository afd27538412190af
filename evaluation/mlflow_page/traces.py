"""Generated answers as traces: a few of each variant on each suite, those first on which variants differ."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from evaluation.comparison import Row
from evaluation.report.results import Results
from evaluation.suites import SUITES
from evaluation.toolcalls.score import Score
from jobs.run import ChildRun
from jobs.traces import Trace

ROWS_PER_SUITE = 25


def traces_of(results: Results, children: Mapping[str, ChildRun]) -> list[Trace]:
    """The traces to log, each of the run of the job that predicted its variant.

    `children`: the prediction jobs' runs by variant; a variant without one has no traces. In multiple choice
    nothing is generated, so that there is nothing to trace.
    """
    comparison = results.comparison
    return [
        _trace(results, suite, row, variant, children[variant].run_id)
        for suite, by_variant in comparison.scores.items()
        if SUITES[suite].kind == "generation"
        for row in choose_rows(comparison.rows[suite], by_variant)
        for variant in by_variant
        if variant in children and str(row["id"]) in results.completions.get(suite, {}).get(variant, {})
    ]


def choose_rows(rows: Sequence[Row], scores: Mapping[str, Mapping[str, Score]]) -> list[Row]:
    """At most 25 rows, those first on which some variant is right and another is not, in their own order."""

    def is_agreed(row: Row) -> bool:
        found = [by_id.get(str(row["id"])) for by_id in scores.values()]
        return len({None if one is None or one.value is None else one.is_correct for one in found}) == 1

    return sorted(rows, key=is_agreed)[:ROWS_PER_SUITE]


def _trace(results: Results, suite: str, row: Row, variant: str, run_id: str) -> Trace:
    row_id = str(row["id"])
    score = results.comparison.scores[suite][variant].get(row_id, Score(None, error="no score has this id"))
    reason = str(score.reason or score.error or "")
    answer = {"role": "assistant", "content": results.completions[suite][variant][row_id]}
    return Trace(
        key=(suite, variant, row_id),
        run_id=run_id,
        name=f"{suite} {variant}",
        # The shape of OpenAI's chat completions, which MLflow shows as a conversation.
        inputs={"messages": list(row["messages"]), "tools": _tools(row)},
        outputs={"choices": [{"index": 0, "message": answer}]},
        asked=_asked(row),
        answered=f"{variant}: {answer['content']}",
        expected={"gold": _gold(row)},
        found={"reason": reason, **({} if score.value is None else {"correct": score.is_correct})},
        why=_why(score, reason),
        tags={"variant": variant, "suite": suite, "row_id": row_id, "reason": reason},
    )


def _asked(row: Row) -> str:
    users = [str(one.get("content") or "") for one in row["messages"] if one.get("role") == "user"]
    return users[-1] if users else ""


def _tools(row: Row) -> list[dict[str, Any]]:
    try:
        tools = json.loads(row["tools"])
    except (ValueError, TypeError, RecursionError):
        return []
    found = tools if isinstance(tools, list) else []
    return [{"type": "function", "function": tool} for tool in found if isinstance(tool, dict)]


def _gold(row: Row) -> str:
    """The expected decision, and the calls or the text that it comes with."""
    expected = row["expected"]
    calls = [f"{one.get('name')}({one.get('arguments')})" for one in expected.get("calls") or ()]
    return "\n".join([str(expected["decision"]), *calls, *filter(None, [expected.get("text")])])


def _why(score: Score, reason: str) -> str:
    parts = ", ".join(f"{name} {part:.3g}" for name, part in score.parts.items())
    return f"{reason} ({parts})" if parts else reason
