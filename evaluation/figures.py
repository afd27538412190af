"""The figures that a suite is given: what each counts, of what, and whose definition it is.

docs/metrics.md says the same for readers, and how the figures relate to those that benchmarks publish.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from evaluation.toolcalls.decision import DECISIONS, MALFORMED
from evaluation.toolcalls.metrics import (
    CALL,
    CategoryMean,
    Graded,
    Tally,
    ast_accuracy_by_category,
    conversation_accuracy,
    macro_f1,
    ratio_of_counts,
    row_share,
)

WHEN2CALL = "When2Call (arXiv:2504.18851)"
HARNESS = "lm-evaluation-harness, multiple_choice"
BFCL = "BFCL v4"
RETRIEVAL = "van Rijsbergen 1979, summed over rows"
OURS = "Toolwright"


# Of a scored row: True or False, None where the figure leaves the row out.
Outcome = Callable[[Graded], bool | None]


@dataclass(frozen=True)
class Figure:
    """What a figure `counts`, `of` what, its `source`, and how it is tallied.

    `outcome`: what a scored row is to it, by which two variants can be held against each other row by row;
    None where the figure is no share of rows.
    """

    counts: str
    of: str
    source: str
    tally: Callable[[Sequence[Graded]], Tally]
    outcome: Outcome | None = None


def _share(counts: str, of: str, source: str, outcome: Outcome) -> Figure:
    return Figure(counts, of, source, partial(row_share, outcome=outcome), outcome)


def _part(counts: str, source: str, part: str) -> Figure:
    return _share(counts, "rows", source, partial(_has_part, part))


def _has_part(part: str, one: Graded) -> bool | None:
    return one.score.parts[part] == 1.0 if part in one.score.parts else None


def _recalls(decision: str, one: Graded) -> bool | None:
    return _has_part("decision", one) if one.expected == decision else None


def _ratio(counts: str, of: str, source: str, part: str, *wholes: str, times: int = 1) -> Figure:
    return Figure(counts, of, source, lambda graded: ratio_of_counts(graded, part, *wholes, times=times))


def _calls(one: Graded) -> bool:
    return one.score.decision == CALL


def _says_only_text(one: Graded) -> bool:
    return one.score.decision not in (CALL, MALFORMED)


FIGURES: Mapping[str, Figure] = {
    "acc": _part("the likeliest answer is the gold one", HARNESS, "acc"),
    "acc_norm": _part("the likeliest answer per character is the gold one", HARNESS, "acc_norm"),
    "accuracy": _share("correct in every respect", "rows", OURS, lambda one: one.score.is_correct),
    "conversation_accuracy": Figure(
        "every turn correct in every respect", "conversations", OURS, conversation_accuracy
    ),
    "decision_accuracy": _part("the expected decision, whatever its calls", WHEN2CALL, "decision"),
    "macro_f1": Figure("mean F1 of the decisions that some row expects", "rows", WHEN2CALL, macro_f1),
    "macro_f1_all": Figure(
        "mean F1 of all four decisions", "rows", WHEN2CALL, partial(macro_f1, classes=DECISIONS)
    ),
    "tool_hallucination_rate": _share(
        "a call although no tool is offered",
        "rows without tools",
        WHEN2CALL,
        lambda one: None if one.offers_tools else _calls(one),
    ),
    "irrelevance_accuracy": _share(
        "no call, not even a malformed one",
        "rows that expect cannot_answer",
        BFCL,
        # Graded as BFCL does, a malformed call is right here.
        lambda one: (
            (one.score.is_correct or _says_only_text(one)) if one.expected == "cannot_answer" else None
        ),
    ),
    "relevance_accuracy": _share(
        "calls of offered tools alone",
        "rows for which any call will do",
        BFCL,
        lambda one: one.score.is_correct if one.expected == CALL and not one.names_calls else None,
    ),
    "over_call_rate": _share(
        "a call", "rows that expect no call", OURS, lambda one: None if one.expected == CALL else _calls(one)
    ),
    "under_call_rate": _share(
        "text alone, malformed calls apart",
        "rows that expect calls",
        OURS,
        lambda one: _says_only_text(one) if one.expected == CALL else None,
    ),
    "malformed_rate": _share(
        "a call that cannot be read, or nothing", "rows", OURS, lambda one: one.score.decision == MALFORMED
    ),
    "ast_accuracy": _share(
        "every call right",
        "rows that expect calls",
        BFCL,
        lambda one: one.score.is_correct if one.expected == CALL and one.names_calls else None,
    ),
    "ast_accuracy_overall": Figure(
        "unweighted mean of ast_accuracy by source",
        "rows that expect calls",
        BFCL,
        lambda graded: CategoryMean(ast_accuracy_by_category(graded)),
    ),
    "tool_selection_precision": _ratio(
        "calls of an expected tool", "calls made", RETRIEVAL, "right_tools", "calls"
    ),
    "tool_selection_recall": _ratio(
        "expected calls whose tool was called", "calls expected", RETRIEVAL, "right_tools", "expected_calls"
    ),
    "invented_tool_rate": _ratio(
        "calls of a tool that is not offered", "calls made", OURS, "invented_tools", "calls"
    ),
    "argument_precision": _ratio(
        "arguments with an accepted value", "arguments written", RETRIEVAL, "right_arguments", "arguments"
    ),
    "argument_recall": _ratio(
        "arguments with an accepted value",
        "arguments expected",
        RETRIEVAL,
        "right_arguments",
        "expected_arguments",
    ),
    "argument_f1": _ratio(
        "arguments with an accepted value, twice",
        "arguments written or expected",
        RETRIEVAL,
        "right_arguments",
        "arguments",
        "expected_arguments",
        times=2,
    ),
    "order_accuracy": _share(
        "calls in the expected order",
        "rows whose order counts",
        OURS,
        lambda one: one.score.parts.get("order") == 1.0 if one.is_ordered else None,
    ),
    "schema_validity": _ratio(
        "calls of an offered tool that fit its schema", "calls made", OURS, "valid_calls", "calls"
    ),
}

# Figures that count faults: a variant is better where they fall.
LOWER_IS_BETTER = frozenset(
    ("tool_hallucination_rate", "over_call_rate", "under_call_rate", "malformed_rate", "invented_tool_rate")
)
# Of the rows that expect a decision, whether it was taken; by decision.
RECALLS: Mapping[str, Outcome] = {decision: partial(_recalls, decision) for decision in DECISIONS}
# Every share of rows, recalls as ``recall_<decision>``.
OUTCOMES: Mapping[str, Outcome] = {
    **{name: one.outcome for name, one in FIGURES.items() if one.outcome is not None},
    **{f"recall_{decision}": outcome for decision, outcome in RECALLS.items()},
}
