"""The counts behind every figure; no function that scores has any use for them."""

from evaluation.toolcalls.metrics.counting import (
    CALL,
    Graded,
    accuracy,
    ast_accuracy_by_category,
    confusion,
    conversation_accuracy,
    graded_of,
    macro_f1,
    part_rate,
    ratio_of_counts,
    reasons,
    recall_by_decision,
    row_share,
)
from evaluation.toolcalls.metrics.tallies import CategoryMean, MacroF1, Proportion, Ratio, Tally

__all__ = [
    "CALL",
    "CategoryMean",
    "Graded",
    "MacroF1",
    "Proportion",
    "Ratio",
    "Tally",
    "accuracy",
    "ast_accuracy_by_category",
    "confusion",
    "conversation_accuracy",
    "graded_of",
    "macro_f1",
    "part_rate",
    "ratio_of_counts",
    "reasons",
    "recall_by_decision",
    "row_share",
]
