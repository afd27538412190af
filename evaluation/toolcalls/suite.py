"""Score a suite: rows and predictions in, one record a row out, and what did not fit together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from evaluation.toolcalls.choices import score_choices
from evaluation.toolcalls.counts import counts_as_written
from evaluation.toolcalls.decision import DECISIONS, MALFORMED
from evaluation.toolcalls.gold import Row
from evaluation.toolcalls.parse import FORMATS, parse_completion
from evaluation.toolcalls.score import Score, score_completion
from evaluation.toolcalls.values import DEFAULT_RULES, Rules

Prediction = Mapping[str, Any]

_COUNTS = counts_as_written(0, 0).keys()
# The whole numbers that a float holds exactly.
_MAX_COUNT = 2**53


class SuiteScores(NamedTuple):
    """The scores of a suite by row id, in the rows' order, and the predictions that no row asked for."""

    scores: Mapping[str, Score]
    unknown_ids: tuple[str, ...]

    @property
    def scored(self) -> int:
        """How many rows have a value."""
        return sum(score.value is not None for score in self.scores.values())

    def records(self) -> list[dict[str, Any]]:
        """The lines of ``scores.jsonl``."""
        return [record_of(row_id, score) for row_id, score in self.scores.items()]


def score_suite(
    rows: Iterable[Row],
    predictions: Iterable[Prediction],
    *,
    rules: Rules = DEFAULT_RULES,
    lenient: bool = False,
) -> SuiteScores:
    """Score every row by its prediction; a row without a usable one is unscored and says why.

    With `lenient` a call that can be mended counts as the mended one.

    Predictions with an id twice count if they are equal; if they differ, neither can be trusted and the row
    is unscored. Raises ValueError for two rows with one id.
    """
    by_id: dict[str, list[Prediction]] = {}
    for prediction in predictions:
        by_id.setdefault(str(prediction.get("id")), []).append(prediction)
    scores: dict[str, Score] = {}
    for row in rows:
        row_id = str(row.get("id"))
        if row_id in scores:
            raise ValueError(f"two rows have the id {row_id!r}")
        scores[row_id] = _score(by_id.get(row_id, []), row, rules, lenient)
    return SuiteScores(scores, tuple(name for name in by_id if name not in scores))


def record_of(row_id: str, score: Score) -> dict[str, Any]:
    """One line of ``scores.jsonl``: `counts` only where there are any, `error` where the row is unscored."""
    record: dict[str, Any] = {
        "id": row_id,
        "value": score.value,
        "reason": score.reason,
        "parts": dict(score.parts),
        "decision": score.decision,
    }
    if score.counts:
        record["counts"] = dict(score.counts)
    if score.error is not None:
        record["error"] = score.error
    return record


def score_of(record: Mapping[str, Any]) -> Score:
    """Read back a line of ``scores.jsonl``. Raises ValueError, naming the field, for what is no score."""
    fault = _fault_of(record)
    if fault:
        raise ValueError(fault)
    return Score(
        value=record["value"],
        reason=record["reason"],
        parts=dict(record["parts"]),
        decision=record.get("decision"),
        error=record.get("error"),
        counts=dict(record.get("counts", {})),
    )


def _fault_of(record: Mapping[str, Any]) -> str | None:
    """What no figure could count, None for a score."""
    absent = [name for name in ("value", "reason", "parts") if name not in record]
    if absent:
        return f"'{absent[0]}' is absent"
    value, parts, reason = record["value"], record["parts"], record["reason"]
    decision, error, counts = record.get("decision"), record.get("error"), record.get("counts", {})
    decisions = (*DECISIONS, MALFORMED)
    needs = (
        (value is None or _is_number(value, 1), "'value' must be null or a number from 0 to 1"),
        (_are_shares(parts), "'parts' must be an object of numbers from 0 to 1"),
        (reason is None or isinstance(reason, str), "'reason' must be null or a string"),
        (error is None or isinstance(error, str), "'error' must be null or a string"),
        (decision is None or decision in decisions, f"'decision' must be one of {', '.join(decisions)}"),
        (value is None or None not in (reason, decision), "a 'value' needs a 'reason' and a 'decision'"),
        (counts == {} or _are_counts(counts), f"'counts' must be whole numbers: {', '.join(_COUNTS)}"),
    )
    return next((need for is_met, need in needs if not is_met), None)


def _are_shares(parts: Any) -> bool:
    return isinstance(parts, dict) and all(_is_number(one, 1) for one in parts.values())


def _are_counts(counts: Any) -> bool:
    if not isinstance(counts, dict) or counts.keys() != _COUNTS:
        return False
    return all(isinstance(one, int) and _is_number(one, _MAX_COUNT) for one in counts.values())


def _is_number(value: Any, most: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= most


def _score(predictions: list[Prediction], row: Row, rules: Rules, lenient: bool) -> Score:
    if not predictions:
        return Score(None, error="no prediction has this id")
    prediction = predictions[0]
    if any(other != prediction for other in predictions[1:]):
        return Score(None, error=f"{len(predictions)} different predictions have this id")
    # Writers that give every line the field leave it null, false or empty where nothing failed.
    if prediction.get("error"):
        return Score(None, error=f"not predicted: {prediction['error']}")
    if "choices" in prediction:
        return score_choices(prediction["choices"], row)
    text = prediction.get("completion")
    # A message carries its calls apart from its text, in whatever format a model wrote them.
    format = "structured" if isinstance(text, Mapping) else prediction.get("format")
    if not isinstance(text, str | Mapping) or not isinstance(format, str) or format not in FORMATS:
        known = ", ".join(FORMATS)
        return Score(None, error=f"the prediction needs 'choices', or 'completion' and 'format' ({known})")
    tools = row.get("tools")
    types = tools if isinstance(tools, str) else None
    return score_completion(parse_completion(text, format, tools=types, lenient=lenient), row, rules=rules)
