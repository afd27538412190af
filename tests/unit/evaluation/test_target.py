"""The figure that a run is judged by: what it is held over, and which variant is best by it."""

from __future__ import annotations

import pytest

from evaluation.target import Target, baseline_of, best_of, pair_of, target_of
from tests.unit.evaluation.comparisons import RIGHT, comparison_of, wrong
from tests.unit.evaluation.rows import text_row

ROWS = [text_row("request_for_info", f"r{number}") for number in range(20)]
WRONG = wrong("answer_when_should_not")
CALLED = wrong("call_when_should_ask", decision="tool_call")

BASELINES: list[tuple[list[str], str, str]] = [
    (["base", "prompt", "sft"], "base", "the base, where there is one"),
    (["prompt", "sft", "sft-dpo"], "prompt", "a prompt in its place"),
    (["sft", "sft-dpo"], "sft", "what another was made from"),
    (["prompt", "dpo"], "base", "no run compares these two"),
    (["sft"], "base", "there is nothing else"),
]


@pytest.mark.parametrize(("variants", "over", "reason"), BASELINES, ids=[row[2] for row in BASELINES])
def test_without_a_rule_the_target_is_held_over_what_the_run_has(
    variants: list[str], over: str, reason: str
) -> None:
    comparison = comparison_of({"own": ROWS}, {"own": {name: [RIGHT] * 20 for name in variants}})
    target = target_of({}, comparison)
    assert target is not None
    assert target.over == baseline_of(comparison) == over, reason
    held = {(pair.a, pair.b) for pair in comparison.pairs if pair_of(comparison, target, pair.a) is pair}
    assert held == {(pair.a, over) for pair in comparison.pairs if pair.b == over}
    assert bool(held) is bool(comparison.pairs), "over something else nothing would stand beside it"
    ruled = {"gate": {"rules": [{"kind": "target", "suite": "own", "metric": "accuracy", "over": "sft"}]}}
    found = target_of(ruled, comparison)
    assert found is not None
    assert found.over == "sft", "a rule says so"


@pytest.mark.parametrize(
    "order", [("when2call_mcq", "when2call_generate"), ("when2call_generate", "when2call_mcq")]
)
def test_the_suite_that_judges_does_not_hang_on_the_order_of_the_comparison(order: tuple[str, str]) -> None:
    comparison = comparison_of(
        dict.fromkeys(order, ROWS), {suite: {"base": [RIGHT] * 20, "sft": [RIGHT] * 20} for suite in order}
    )
    target = target_of({}, comparison)
    assert target is not None
    assert target.suite == "when2call_generate"


BEST: list[tuple[str, list[object], str, str]] = [
    ("accuracy", [RIGHT] * 9 + [WRONG] * 10 + [None], "sft", "as many right, and one row without a score"),
    ("accuracy", [RIGHT] * 10 + [WRONG] * 9 + [None], "sft-dpo", "one more right"),
    ("over_call_rate", [RIGHT] * 9 + [CALLED] * 10 + [None], "sft", "a row without a score is no fault less"),
    ("over_call_rate", [RIGHT] * 10 + [CALLED] * 9 + [None], "sft-dpo", "two faults less, and one such row"),
    ("accuracy", [None] * 20, "sft", "nothing at all"),
]


@pytest.mark.parametrize(("metric", "scores", "best", "reason"), BEST, ids=[row[3] for row in BEST])
def test_the_best_is_right_on_the_most_rows(
    metric: str, scores: list[object], best: str, reason: str
) -> None:
    worse = CALLED if metric == "over_call_rate" else WRONG
    by_variant = {"sft": [RIGHT] * 9 + [worse] * 11, "sft-dpo": scores}
    comparison = comparison_of({"own": ROWS}, {"own": by_variant})  # type: ignore[dict-item]
    assert best_of(["sft", "sft-dpo"], comparison, Target("own", metric)) == best, reason
