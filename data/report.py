"""The data report: what the rows are, what was left out, and what training on them would teach amiss."""

import json
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from data.readers import Collection
from data.rows import DECISIONS, Row
from data.sampling import stratum_of

PERCENTILES = (50, 90, 99, 100)
LOPSIDED_SHARE = 0.8
# Rendering is what takes time; a sample of this size puts the 99th percentile within a fraction of a percent.
MAX_MEASURED_ROWS = 2000


@dataclass(frozen=True)
class Measure:
    """How long a row's prompt and its answer are, and in what unit."""

    unit: str
    lengths: Callable[[Row], tuple[int, int]]


def profile_rows(rows: Sequence[Row], measure: Measure) -> dict[str, Any]:
    """Count one split: decisions, sources, turns, tools a row, lengths of prompt and answer by percentile."""
    measured = [measure.lengths(row) for row in rows[:MAX_MEASURED_ROWS]]
    profile: dict[str, Any] = {
        "rows": len(rows),
        "decisions": {decision: _count(rows, decision) for decision in DECISIONS},
        "sources": _tally(row.source for row in rows),
        "turns": _tally(sum(message["role"] == "user" for message in row.messages) for row in rows),
        "tools": _tally(len(row.tool_names) for row in rows),
        "lengths": {
            "unit": measure.unit,
            "measured_rows": len(measured),
            "prompt": percentiles([prompt for prompt, _ in measured]),
            "answer": percentiles([answer for _, answer in measured]),
        },
    }
    if any(row.rejected for row in rows):
        profile["pairs"] = _tally(stratum_of(row) for row in rows)
    return profile


def describe_collection(collection: Collection) -> dict[str, Any]:
    """Say what became of the rows that were read: `rows` counts them, `rejected` names the reasons."""
    return {
        "rows": {
            "read": collection.read,
            "rejected": len(collection.rejections),
            "duplicates": dict(collection.duplicates),
            "merged_tests": collection.merged,
            "kept": {purpose: len(rows) for purpose, rows in collection.rows.items()},
        },
        "rejected": _profile_rejections(collection),
    }


def list_warnings(sft: Sequence[Row], preference: Sequence[Row], test: Sequence[Row]) -> list[str]:
    """Name what training on these rows would teach that nobody wants, with its consequence."""
    warnings = []
    if not sft:
        warnings.append("no SFT rows: the sft and sft-dpo variants cannot be trained")
    if not preference:
        warnings.append("no preference rows: the dpo and sft-dpo variants cannot be trained")
    warnings += _decision_warnings(sft)
    overlap = count_shared_questions([*sft, *preference], test)
    if overlap:
        warnings.append(
            f"{overlap} test questions are in the training rows word for word: their scores measure memory"
        )
    return warnings


def count_shared_questions(train: Sequence[Row], test: Sequence[Row]) -> int:
    """How many test rows ask, turn by turn, what a training row asks, case and spacing aside."""
    known = {_asked(row) for row in train}
    return sum(_asked(row) in known for row in test)


def measure_characters(row: Row) -> tuple[int, int]:
    """Lengths in characters: tools and turns, and the answer."""
    turns = row.messages[:-1] if row.purpose == "sft" else row.messages
    prompt = len(row.tools) + sum(len(json.dumps(turn, ensure_ascii=False)) for turn in turns)
    return prompt, len(answer_text(row))


def answer_text(row: Row) -> str:
    """The right answer's text, or its calls as JSON; BFCL rows have only the accepted values."""
    if row.expected.calls:
        return json.dumps([dict(call) for call in row.expected.calls], ensure_ascii=False)
    return row.expected.text or row.expected.allowed or ""


def percentiles(values: Sequence[int]) -> dict[str, int]:
    """Nearest-rank percentiles; empty for no values.

    >>> percentiles([1, 2, 3, 4])
    {'p50': 2, 'p90': 4, 'p99': 4, 'max': 4}
    """
    ordered = sorted(values)
    if not ordered:
        return {}
    return {
        "max" if percent == 100 else f"p{percent}": ordered[math.ceil(len(ordered) * percent / 100) - 1]
        for percent in PERCENTILES
    }


def _profile_rejections(collection: Collection) -> list[dict[str, Any]]:
    """Rejections by field and reason, most frequent first, each with the place of the first."""
    first: dict[tuple[str, str], str] = {}
    counts: Counter[tuple[str, str]] = Counter()
    for rejection in collection.rejections:
        key = (rejection.field, rejection.reason)
        counts[key] += 1
        first.setdefault(key, f"{rejection.file} line {rejection.line}")
    return [
        {"field": key[0], "reason": key[1], "rows": count, "first": first[key]}
        for key, count in counts.most_common()
    ]


def _decision_warnings(sft: Sequence[Row]) -> list[str]:
    if not sft:
        return []
    shares = {decision: _count(sft, decision) / len(sft) for decision in DECISIONS}
    warnings = [
        f"{share:.0%} of the SFT rows are {decision}: the model will lean to it whatever is asked"
        for decision, share in shares.items()
        if share > LOPSIDED_SHARE
    ]
    if shares["tool_call"] == 0:
        warnings.append("no SFT row calls a tool: SFT alone teaches over-refusal, also where a tool fits")
    if shares["request_for_info"] == 0:
        warnings.append("no SFT row asks for what is missing: the model will invent argument values")
    if shares["cannot_answer"] == 0:
        warnings.append("no SFT row declines: the model will call a tool that does not fit")
    return warnings


def _count(rows: Sequence[Row], decision: str) -> int:
    return sum(row.expected.decision == decision for row in rows)


def _tally(values: Any) -> Mapping[str, int]:
    counts = Counter(values)
    return {str(value): counts[value] for value in sorted(counts)}


def _asked(row: Row) -> str:
    turns = (message["content"] for message in row.messages if message["role"] == "user")
    return "\n".join(" ".join(turn.lower().split()) for turn in turns)
