"""Count scores into the tallies of every figure; unscored rows are left out of every count."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from evaluation.toolcalls.decision import DECISIONS
from evaluation.toolcalls.metrics.tallies import MacroF1, Proportion, Ratio
from evaluation.toolcalls.score import Score

CALL = "tool_call"


class Graded(NamedTuple):
    """A score beside what its row expects and offers.

    `category`: the row's source. `offers_tools`: whether there is any tool to call. `is_ordered`: whether the
    order of the calls counts. `names_calls`: False where any call will do, as in BFCL's relevance.
    `conversation`: the one that the row is a turn of, empty for none.
    """

    expected: str
    score: Score
    category: str = ""
    offers_tools: bool = True
    is_ordered: bool = False
    names_calls: bool = True
    conversation: str = ""


def graded_of(row: Mapping[str, Any], score: Score) -> Graded:
    """Put a score beside its canonical row."""
    expected = row["expected"]
    # Parsing every row's tools would take longer than all the counting.
    offers_tools = bool(str(row.get("tools") or "").strip("[] \t\r\n"))
    return Graded(
        expected["decision"],
        score,
        category=str(row.get("source") or ""),
        offers_tools=offers_tools,
        is_ordered=expected.get("ordered") is True,
        names_calls=expected.get("any_call") is not True,
        conversation=str(row.get("conversation") or ""),
    )


def accuracy(scores: Iterable[Score]) -> Proportion:
    """The share of scored rows that are correct in every respect (value 1)."""
    return _proportion(score.is_correct for score in scores if score.value is not None)


def conversation_accuracy(graded: Sequence[Graded]) -> Proportion:
    """The share of conversations whose every turn is correct; one with an unscored turn is left out."""
    turns: dict[str, list[Score]] = {}
    for one in graded:
        if one.conversation:
            turns.setdefault(one.conversation, []).append(one.score)
    whole = [scores for scores in turns.values() if all(score.value is not None for score in scores)]
    return _proportion(all(score.is_correct for score in scores) for scores in whole)


def part_rate(scores: Iterable[Score], part: str) -> Proportion:
    """The share of scored rows with that part whose part is 1: `acc`, `acc_norm`, `decision`, `tool`, …"""
    return _proportion(s.parts[part] == 1.0 for s in scores if s.value is not None and part in s.parts)


def recall_by_decision(graded: Sequence[Graded]) -> dict[str, Proportion]:
    """Of the rows that expect a decision, the share for which it was taken; for each of the four."""
    return {
        decision: part_rate((one.score for one in graded if one.expected == decision), "decision")
        for decision in DECISIONS
    }


def ast_accuracy_by_category(graded: Sequence[Graded]) -> dict[str, Proportion]:
    """Of the scored rows that name the calls they expect, the share that is correct, by category."""
    by_category: dict[str, list[Score]] = {}
    for one in _scored(graded):
        if one.expected == CALL and one.names_calls:
            by_category.setdefault(one.category, []).append(one.score)
    return {category: accuracy(scores) for category, scores in sorted(by_category.items())}


def confusion(graded: Sequence[Graded]) -> dict[str, dict[str, int]]:
    """Counts by expected and by taken decision: ``{expected: {taken: rows}}``, absent pairs left out."""
    pairs = Counter((one.expected, one.score.decision) for one in _scored(graded))
    table: dict[str, dict[str, int]] = {}
    for (expected, taken), count in sorted(pairs.items(), key=str):
        table.setdefault(expected, {})[str(taken)] = count
    return table


def reasons(scores: Iterable[Score]) -> dict[str, int]:
    """How often each reason was given, the commonest first."""
    return dict(Counter(score.reason for score in scores if score.reason is not None).most_common())


def row_share(graded: Sequence[Graded], outcome: Callable[[Graded], bool | None]) -> Proportion:
    """Of the scored rows whose outcome is not None, the share for which it is true."""
    outcomes = map(outcome, _scored(graded))
    return _proportion(one for one in outcomes if one is not None)


def ratio_of_counts(graded: Sequence[Graded], part: str, *wholes: str, times: int = 1) -> Ratio:
    """The sum of the scores' count `part`, taken so many times, over the sum of their counts `wholes`.

    Rows for which any call will do have no right or wrong tool or argument, and are left out.
    """
    counts = [one.score.counts for one in _scored(graded) if one.score.counts and one.names_calls]
    pairs = Counter((times * one[part], sum(one[name] for name in wholes)) for one in counts)
    return Ratio({pair: rows for pair, rows in pairs.items() if pair[1]})


def macro_f1(graded: Sequence[Graded], classes: tuple[str, ...] | None = None) -> MacroF1:
    """The mean F1 of the decisions `classes`, of those that some row expects where it is None."""
    return MacroF1(Counter((one.expected, _taken(one)) for one in _scored(graded)), classes)


def _taken(one: Graded) -> str:
    # Where any text will do, as in BFCL's irrelevance, every text is the decision that was expected.
    return one.expected if one.score.parts.get("decision") == 1.0 else str(one.score.decision)


def _scored(graded: Iterable[Graded]) -> list[Graded]:
    return [one for one in graded if one.score.value is not None]


def _proportion(outcomes: Iterable[bool]) -> Proportion:
    found = list(outcomes)
    return Proportion(sum(found), len(found))
