"""Score a suite: rows and predictions in, one record a row out, and what did not fit together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from evaluation.toolcalls.choices import score_choices
from evaluation.toolcalls.gold import Row
from evaluation.toolcalls.parse import FORMATS, parse_completion
from evaluation.toolcalls.score import Score, score_completion
from evaluation.toolcalls.values import DEFAULT_RULES, Rules

Prediction = Mapping[str, Any]


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
    """Read back a line of ``scores.jsonl``. Raises KeyError or TypeError for another shape."""
    return Score(
        value=record["value"],
        reason=record["reason"],
        parts=dict(record["parts"]),
        decision=record.get("decision"),
        error=record.get("error"),
        counts=dict(record.get("counts", {})),
    )


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
