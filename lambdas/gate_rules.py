"""The gate's rules: what they are, which figures they may name, and which hold where a run names none.

docs/gate.md explains them to those who write them; docs/decisions/0015 says why the defaults are these.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

BASELINE = "base"
UNTRAINED = ("base", "prompt")
# What is held against what, a over b: that of evaluation/pairs, which no function ships.
PAIRS = (
    ("prompt", "base"),
    ("sft", "base"),
    ("dpo", "base"),
    ("sft-dpo", "base"),
    ("sft-dpo", "sft"),
    ("sft", "prompt"),
    ("sft-dpo", "prompt"),
)
DECISIONS = ("tool_call", "request_for_info", "cannot_answer", "direct")
RECALL = "recall"
# Not one of the suites' figures: which share of a suite's rows a variant has no score for.
UNSCORED_RATE = "unscored_rate"
DEFAULT_TOLERANCE = 0.03
UNSCORED_TOLERANCE = 0.01
SIGNIFICANCE = 0.05
# Shares are quotients of counts: a fall of exactly the tolerance is within it.
ROUNDING = 1e-9
_GENERATED = ("irrelevance_accuracy", "over_call_rate", "under_call_rate", "malformed_rate")
# Every figure of a suite that is a share of its rows, the main one first; those of evaluation/suites, which
# no function ships.
ROW_SHARES: Mapping[str, tuple[str, ...]] = {
    "when2call_mcq": (
        "acc_norm",
        "acc",
        "tool_hallucination_rate",
        "irrelevance_accuracy",
        "over_call_rate",
        "under_call_rate",
    ),
    "when2call_generate": ("decision_accuracy", "accuracy", "tool_hallucination_rate", *_GENERATED),
    "bfcl_single_turn": ("accuracy", "ast_accuracy", "relevance_accuracy", *_GENERATED, "order_accuracy"),
    "multi_turn": (
        "accuracy",
        "decision_accuracy",
        "over_call_rate",
        "under_call_rate",
        "malformed_rate",
        "order_accuracy",
    ),
    "own": (
        "accuracy",
        "decision_accuracy",
        "tool_hallucination_rate",
        "relevance_accuracy",
        *_GENERATED,
        "ast_accuracy",
        "order_accuracy",
    ),
}
LOWER_IS_BETTER = frozenset(
    ("tool_hallucination_rate", "over_call_rate", "under_call_rate", "malformed_rate", UNSCORED_RATE)
)
_DEFAULT_GUARDS = ("irrelevance_accuracy", "over_call_rate", "malformed_rate", "ast_accuracy")
_CHOSEN_SUITE = "when2call_mcq"


@dataclass(frozen=True)
class Rule:
    """One rule, over one figure of one suite; `recall` stands for that of every decision which has rows.

    A target has to rise beyond noise. A guard may fall by its `tolerance` (a share of rows) and no more:
    as measured; if `strict`, with the whole 95% interval; if `beyond_noise`, where noise does not explain it.
    `is_default`: nobody asked for it, so that a guard is left out where the suite has no rows for it.
    """

    kind: str
    suite: str
    metric: str
    over: str = BASELINE
    tolerance: float | None = None
    strict: bool = False
    beyond_noise: bool = False
    is_default: bool = False

    @property
    def name(self) -> str:
        """The figure as rules name it: `suite/metric`."""
        return f"{self.suite}/{self.metric}"


def fall_of(metric: str, difference: float | None) -> float:
    """Return by how much a figure becomes worse, as a share; where that is unknown, beyond any tolerance."""
    if difference is None:
        return float("inf")
    return difference if metric in LOWER_IS_BETTER else -difference


def candidates_of(variants: Sequence[str]) -> list[str]:
    """Return the variants that may be promoted: those which were trained."""
    return [variant for variant in variants if variant not in UNTRAINED]


def are_paired(variant: str, over: str) -> bool:
    """Whether a comparison holds the two against each other, whichever way round."""
    return (variant, over) in PAIRS or (over, variant) in PAIRS


def with_unscored(rules: Sequence[Rule]) -> list[Rule]:
    """Add, for each suite that the rules read, a guard on the rows without a score, unless they have one.

    A variant that fails on its hard rows would otherwise be held against the baseline on the easy ones alone.
    """
    named = {(rule.suite, rule.over) for rule in rules if rule.metric == UNSCORED_RATE}
    read = dict.fromkeys((rule.suite, rule.over) for rule in rules)
    return [
        *rules,
        *(
            Rule("guard", suite, UNSCORED_RATE, over, UNSCORED_TOLERANCE, is_default=True)
            for suite, over in read
            if (suite, over) not in named
        ),
    ]


def default_rules(suites: Collection[str]) -> list[Rule]:
    """Return the rules of a run that names none; `suites`: those that have rows.

    The target is `own/accuracy`, or else the main figure of the last suite. BFCL's AST accuracy is held as
    measured, since that suite has thousands of rows; the other guards allow for noise.
    """
    read = [suite for suite in ROW_SHARES if suite in suites]
    if not read:
        return []
    target = "own" if "own" in read else read[-1]
    guards = [
        Rule(
            "guard",
            suite,
            metric,
            tolerance=DEFAULT_TOLERANCE,
            beyond_noise=(suite, metric) != ("bfcl_single_turn", "ast_accuracy"),
            is_default=True,
        )
        for suite in read
        for metric in _default_guards(suite)
    ]
    return [Rule("target", target, ROW_SHARES[target][0], is_default=True), *guards]


def _default_guards(suite: str) -> list[str]:
    generated = () if suite == _CHOSEN_SUITE else _DEFAULT_GUARDS
    return [*(metric for metric in generated if metric in ROW_SHARES[suite]), RECALL]
