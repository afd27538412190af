"""The gate: what is promoted, what is stopped, and the words for it."""

from __future__ import annotations

import doctest
import json
import re
from collections.abc import Mapping
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber
from hypothesis import given
from hypothesis import strategies as st

from evaluation.pairs import Pair
from evaluation.sentences import describe_pair, format_p
from evaluation.statistics import PairedDifference
from lambdas import gate_words
from lambdas.check_gate import BadComparison, BadPlan, handler, with_verdict
from lambdas.gate import check_gate
from lambdas.gate_rules import DECISIONS, ROW_SHARES

ROWS = {"own": 400, "bfcl_single_turn": 2000, "when2call_mcq": 400}
TRAINED = ["base", "sft", "sft-dpo"]
TARGET: Mapping[str, Any] = {"target": "own/accuracy"}


class Planted:
    """A comparison in which every figure of every variant is 0.5 but what is planted."""

    def __init__(self, variants: list[str], rows: Mapping[str, int] = ROWS) -> None:
        self.variants = variants
        self.rows = dict(rows)
        self.values: dict[tuple[str, str, str], float] = {}
        self.pairs: dict[tuple[str, str, str, str], dict[str, Any]] = {}
        self.unscored: dict[tuple[str, str], int] = {}
        self.counted: dict[tuple[str, str], int] = {}
        self.empty: set[tuple[str, str]] = {("own", "recall_direct")}

    def plant(
        self, figure: str, variant: str, change: float, *, p: float | None = None, noise: float = 0.02,
        over: str = "base", n: int | None = None,
    ) -> Planted:  # fmt: skip
        """Move a figure by `change`; p is what so large a change has on so noisy rows, unless it is given."""
        suite, metric = figure.split("/")
        likely = 0.0001 if abs(change) > 2 * noise else 0.5
        self.values[suite, metric, variant] = 0.5 + change
        self.pairs[suite, metric, variant, over] = {
            "difference": change, "low": change - 2 * noise, "high": change + 2 * noise,
            "p": likely if p is None else p, "p_holm": likely if p is None else p,
        }  # fmt: skip
        if n is not None:
            self.counted[suite, metric] = n
        return self

    def to_json(self) -> dict[str, Any]:
        entries = [self._pair(suite, metric, a, b) for suite, metric in _figures(self.rows)
                   for i, a in enumerate(self.variants) for b in self.variants[:i]]  # fmt: skip
        main = {"own": "accuracy", "bfcl_single_turn": "accuracy", "when2call_mcq": "acc_norm"}
        document = {
            "run_id": "r",
            "suites": {suite: {v: self._summary(suite, v) for v in self.variants} for suite in self.rows},
            "paired": [e for e in entries if e["metric"] == main[e["suite"]]],
            "guarded": [e for e in entries if e["metric"] != main[e["suite"]]],
            "test_sets": {suite: self._test_set(suite) for suite in self.rows},
            "gate": {"promoted": None, "rules": []},
        }
        text = json.dumps(document)
        parsed: dict[str, Any] = json.loads(text)
        return parsed

    def _test_set(self, suite: str) -> dict[str, Any]:
        named = dict.fromkeys((*ROW_SHARES[suite], *(f"recall_{one}" for one in DECISIONS)))
        counted = {name: self._rows(suite, name) for name in named}
        return {"digest": "0" * 16, "rows": self.rows[suite], "rows_by_figure": counted}

    def _rows(self, suite: str, metric: str) -> int:
        return 0 if (suite, metric) in self.empty else self.counted.get((suite, metric), self.rows[suite])

    def _pair(self, suite: str, metric: str, a: str, b: str) -> dict[str, Any]:
        nothing: dict[str, Any] = {
            "difference": 0.0,
            "low": -0.02,
            "high": 0.02,
            "p": 1.0,
            "p_holm": 1.0,
        }
        if (suite, metric) in self.empty:
            nothing = dict.fromkeys(nothing)
        known = self.pairs.get((suite, metric, a, b), nothing)
        n = min(self._n(suite, metric, variant) for variant in (a, b))
        return {"suite": suite, "metric": metric, "a": a, "b": b, "n": n, **known}

    def _n(self, suite: str, metric: str, variant: str) -> int:
        rows = self._rows(suite, metric)
        return max(0, rows - self.unscored.get((suite, variant), 0))

    def _summary(self, suite: str, variant: str) -> dict[str, Any]:
        metrics: dict[str, Any] = {}
        recall: dict[str, Any] = {}
        for one, metric in _figures(self.rows):
            if one == suite:
                n = self._n(suite, metric, variant)
                value = self.values.get((suite, metric, variant), 0.5) if n else None
                entry = {"value": value, "low": value, "high": value, "n": n}
                (recall if metric.startswith("recall_") else metrics)[metric.removeprefix("recall_")] = entry
        return {"metrics": metrics, "recall": recall, "confusion": {}}


def _figures(suites: Mapping[str, int]) -> list[tuple[str, str]]:
    recalls = [f"recall_{one}" for one in DECISIONS]
    generated = ["accuracy", "irrelevance_accuracy", "over_call_rate", "malformed_rate", "ast_accuracy"]
    own = {"when2call_mcq": ["acc_norm", *recalls]}
    return [(suite, metric) for suite in suites for metric in own.get(suite, [*generated, *recalls])]


def _risen(variants: list[str] = TRAINED, rows: Mapping[str, int] = ROWS) -> Planted:
    """Every trained variant is 20 points better on the target, and else as the base is."""
    planted = Planted(variants, rows)
    for variant in variants[1:]:
        planted.plant("own/accuracy", variant, 0.2)
    return planted


def test_a_rise_without_a_fall_is_promoted_in_words() -> None:
    verdict = check_gate(_risen(["base", "sft"]).to_json(), None, ["base", "sft"])
    assert verdict["promoted"] == "sft"
    assert {rule["over"] for rule in verdict["rules"]} == {"base"}
    assert verdict["statement"].startswith(
        "sft is promoted: own/accuracy +20.0 points over base (95% interval +16.0 to +24.0, p < 0.001); "
    )
    guards = [rule for rule in verdict["rules"] if rule["kind"] == "guard"]
    assert f"; {len(guards)} guards held." in verdict["statement"]
    assert all(rule["passed"] for rule in verdict["rules"])


# What is planted beside the rise of 20 points: figure, change, p, rows, promoted?
PLANTED: list[tuple[str, float, float, int | None, bool, str]] = [
    ("bfcl_single_turn/ast_accuracy", -0.05, 0.001, None, False, "the loss on BFCL that fine-tuning brings"),
    ("bfcl_single_turn/ast_accuracy", -0.05, 0.4, 100, False, "as measured, on few rows too"),
    ("bfcl_single_turn/ast_accuracy", -0.03, 0.001, None, True, "the tolerance itself"),
    ("bfcl_single_turn/ast_accuracy", -0.031, 0.001, None, False, "just beyond it"),
    ("bfcl_single_turn/ast_accuracy", 0.05, 0.001, None, True, "a gain stops nothing"),
    ("own/ast_accuracy", -0.05, 0.02, None, False, "calls of one's own rows"),
    ("own/over_call_rate", 0.05, 0.02, None, False, "more calls where none is due: a rate's rise is a fall"),
    ("own/over_call_rate", -0.30, 0.001, None, True, "fewer of them is better"),
    ("own/malformed_rate", 0.04, 0.01, None, False, "broken calls"),
    ("own/malformed_rate", 0.02, 0.01, None, True, "sure, and within the tolerance"),
    ("own/irrelevance_accuracy", -0.06, 0.03, None, False, "calls of tools that do not fit"),
    ("own/recall_request_for_info", -0.07, 0.03, None, False, "recall of one decision"),
    ("own/recall_request_for_info", -0.07, 0.4, 40, True, "what noise explains on 40 rows"),
    ("own/recall_request_for_info", -0.07, 0.099, 40, False, "what it explains once in ten at most"),
    ("own/recall_request_for_info", -0.16, 0.4, 20, False, "three rows: too large to be left to noise"),
    ("own/recall_request_for_info", -0.16, 0.4, 12, True, "two rows of a handful are no large fall"),
    ("own/recall_request_for_info", -0.4, 0.5, 5, True, "two of five neither"),
    ("when2call_mcq/recall_tool_call", -0.06, 0.01, None, False, "a suite that is chosen from"),
    ("bfcl_single_turn/recall_cannot_answer", -0.06, 0.01, None, False, "a decision on BFCL"),
]


@pytest.mark.parametrize(
    ("figure", "change", "p", "n", "promoted", "reason"), PLANTED, ids=[row[5] for row in PLANTED]
)
def test_a_planted_regression_stops_a_variant(
    figure: str, change: float, p: float, n: int | None, promoted: bool, reason: str
) -> None:
    planted = _risen(["base", "sft"]).plant(figure, "sft", change, p=p, n=n)
    verdict = check_gate(planted.to_json(), None, ["base", "sft"])
    assert (verdict["promoted"] == "sft") is promoted, reason
    (entry,) = [rule for rule in verdict["rules"] if f"{rule['suite']}/{rule['metric']}" == figure]
    assert entry["passed"] is promoted
    assert entry["difference"] == change
    counted = f"{n or ROWS[figure.partition('/')[0]]:,} rows"
    assert f"{100 * change:+.1f} points over base ({counted}), tolerance 3" in entry["statement"]
    if not promoted:
        assert verdict["statement"].startswith(f"No variant is promoted. sft: {figure} ")


TARGETS: list[tuple[float, float, bool, str, str]] = [
    (0.2, 0.0001, True, "", "beyond noise"),
    (0.2, 0.049, True, "", "just beyond it"),
    (0.2, 0.05, False, "within noise on 400 rows", "not below the level"),
    (-0.2, 0.0001, False, "no rise", "a sure fall is no rise"),
    (0.0, 1.0, False, "within noise", "nothing happened"),
]


@pytest.mark.parametrize(
    ("change", "p", "passes", "said", "reason"), TARGETS, ids=[row[4] for row in TARGETS]
)
def test_the_target_has_to_rise_beyond_noise(
    change: float, p: float, passes: bool, said: str, reason: str
) -> None:
    planted = Planted(["base", "sft"]).plant("own/accuracy", "sft", change, p=p)
    verdict = check_gate(planted.to_json(), [TARGET], ["base", "sft"])
    assert (verdict["promoted"] == "sft") is passes, reason
    assert said in verdict["rules"][0]["statement"]


def test_the_level_is_that_of_the_family() -> None:
    planted = Planted(["base", "sft"]).plant("own/accuracy", "sft", 0.1, p=0.03)
    planted.pairs["own", "accuracy", "sft", "base"]["p_holm"] = 0.09
    assert check_gate(planted.to_json(), [TARGET], ["base", "sft"])["promoted"] is None


def test_a_target_that_counts_faults_rises_by_falling() -> None:
    planted = Planted(["base", "sft"]).plant("own/over_call_rate", "sft", -0.2)
    rules = [{"target": "own/over_call_rate"}]
    assert check_gate(planted.to_json(), rules, ["base", "sft"])["promoted"] == "sft"


MODES: list[tuple[dict[str, Any], float, float, bool, str]] = [
    ({}, -0.04, 0.5, False, "as measured: noise is no excuse"),
    ({"tolerance": 0.05}, -0.04, 0.001, True, "a wider tolerance"),
    ({"beyond_noise": True}, -0.04, 0.5, True, "noise is one"),
    ({"strict": True}, -0.01, 0.5, False, "the interval reaches -5"),
    ({"strict": True, "tolerance": 0.06}, -0.01, 0.5, True, "and would have to stay within"),
    ({"strict": True}, 0.02, 0.5, True, "down to -2, with a gain"),
]


@pytest.mark.parametrize(("fields", "change", "p", "passes", "reason"), MODES, ids=[row[4] for row in MODES])
def test_a_guard_is_as_strict_as_it_says(
    fields: dict[str, Any], change: float, p: float, passes: bool, reason: str
) -> None:
    planted = _risen(["base", "sft"]).plant("own/ast_accuracy", "sft", change, p=p)
    rules = [TARGET, {"guard": "own/ast_accuracy", **fields}]
    verdict = check_gate(planted.to_json(), rules, ["base", "sft"])
    assert (verdict["promoted"] == "sft") is passes, reason


def test_a_strict_guard_says_how_far_the_interval_reaches() -> None:
    planted = _risen(["base", "sft"]).plant("own/over_call_rate", "sft", 0.0)
    rules = [TARGET, {"guard": "own/over_call_rate", "strict": True}]
    verdict = check_gate(planted.to_json(), rules, ["base", "sft"])
    assert "tolerance 3, but the 95% interval reaches +4.0" in verdict["statement"]


def test_the_recall_of_every_decision_is_that_of_those_which_have_rows() -> None:
    verdict = check_gate(_risen().to_json(), [TARGET, {"guard": "own/recall"}], TRAINED)
    named = {rule["metric"] for rule in verdict["rules"] if rule["variant"] == "sft"}
    recalls = {"recall_tool_call", "recall_request_for_info", "recall_cannot_answer"}
    assert named == {"accuracy", "unscored_rate", *recalls}


UNMEASURED: list[tuple[list[Mapping[str, Any]], str, str]] = [
    ([TARGET, {"guard": "own/recall_direct"}], "no row that counts for sft and base", "no such row"),
    ([TARGET, {"guard": "own/order_accuracy"}], "nothing holds sft against base", "no such pair"),
    (
        [{"target": "when2call_generate/decision_accuracy"}],
        "nothing holds sft against base",
        "a suite that turned out to have no rows",
    ),
]


@pytest.mark.parametrize(("rules", "said", "reason"), UNMEASURED, ids=[row[2] for row in UNMEASURED])
def test_what_a_user_asks_for_and_cannot_be_measured_stops(
    rules: list[Mapping[str, Any]], said: str, reason: str
) -> None:
    verdict = check_gate(_risen(["base", "sft"]).to_json(), rules, ["base", "sft"])
    assert verdict["promoted"] is None, reason
    assert said in verdict["statement"]


def test_a_default_rule_without_rows_is_left_out_and_named() -> None:
    planted = _risen()
    planted.empty.add(("own", "irrelevance_accuracy"))
    verdict = check_gate(planted.to_json(), None, TRAINED)
    assert verdict["promoted"] == "sft-dpo" or verdict["promoted"] == "sft"
    assert verdict["left_out"] == ["own/irrelevance_accuracy"]
    assert "Left out, having no rows: own/irrelevance_accuracy." in verdict["statement"]


@pytest.mark.parametrize("suite", [*ROWS])
def test_a_suite_that_nobody_has_a_score_on_stops(suite: str) -> None:
    planted = _risen(["base", "sft"])
    planted.unscored = {(suite, variant): ROWS[suite] for variant in planted.variants}
    verdict = check_gate(planted.to_json(), None, ["base", "sft"])
    assert verdict["promoted"] is None
    assert verdict["left_out"] == []
    stopped = {f"{rule['suite']}/{rule['metric']}" for rule in verdict["rules"] if not rule["passed"]}
    counted = {f"{one}/{metric}" for one, metric in _figures(ROWS) if one == suite}
    assert f"{suite}/recall_cannot_answer" in stopped <= counted
    assert "not measured, no row was scored for both sft and base" in verdict["statement"]


def test_a_comparison_that_does_not_count_its_rows_by_figure_is_named() -> None:
    document = _risen(["base", "sft"]).to_json()
    del document["test_sets"]["own"]["rows_by_figure"]
    with pytest.raises(BadComparison, match=r"test_sets\.own lacks rows_by_figure"):
        with_verdict(PLAN, json.dumps(document).encode(), "s3://b/c.json")


def test_a_variant_of_which_no_row_was_scored_does_not_slip_by() -> None:
    planted = _risen(["base", "sft"])
    planted.unscored["own", "sft"] = ROWS["own"]
    nothing = {**dict.fromkeys(("difference", "low", "high", "p", "p_holm")), "n": 0}
    for metric in ("accuracy", "over_call_rate"):
        planted.pairs["own", metric, "sft", "base"] = nothing
    verdict = check_gate(planted.to_json(), None, ["base", "sft"])
    assert verdict["promoted"] is None
    assert "own/accuracy: not measured, no row was scored for both sft" in verdict["statement"]


SCORED: list[tuple[int, int, bool, str]] = [
    (0, 0, True, "all rows"),
    (0, 4, True, "one point of them"),
    (0, 5, False, "more than that"),
    (40, 40, True, "rows that nobody can be graded on"),
    (4, 0, True, "a few that the base lacks"),
    (40, 0, False, "what the base failed on may be what the variant breaks"),
]


@pytest.mark.parametrize(("base", "sft", "promoted", "reason"), SCORED, ids=[row[3] for row in SCORED])
def test_a_variant_cannot_win_by_failing_on_its_hard_rows(
    base: int, sft: int, promoted: bool, reason: str
) -> None:
    planted = _risen(["base", "sft"])
    planted.unscored = {("own", "base"): base, ("own", "sft"): sft}
    for rules in (None, [TARGET]):
        verdict = check_gate(planted.to_json(), rules, ["base", "sft"])
        assert (verdict["promoted"] == "sft") is promoted, reason


def _hide(
    document: dict[str, Any], suite: str, metric: str, scored: Mapping[str, int], both: int, rows: int
) -> None:
    """Let only so many `rows` of a figure be scored for each variant, and so many for two of them."""
    group, name = ("recall", metric[7:]) if metric.startswith("recall_") else ("metrics", metric)
    for variant, n in scored.items():
        value = {"value": 0.5 if n else None, "low": None, "high": None, "n": n}
        document["suites"][suite][variant][group][name] = value
    document["test_sets"][suite]["rows_by_figure"][metric] = rows
    for pair in [*document["paired"], *document["guarded"]]:
        if (pair["suite"], pair["metric"]) == (suite, metric):
            pair["n"] = both
            if not both:
                pair.update(dict.fromkeys(("difference", "low", "high", "p", "p_holm")))


HIDDEN: list[tuple[str, dict[str, int], int, str, str]] = [
    ("irrelevance_accuracy", {"base": 0, "sft": 40}, 0, "no row was scored for both", "none of the base's"),
    ("recall_cannot_answer", {"base": 2, "sft": 40}, 2, "sft has a score on 40", "two of the base's forty"),
    ("recall_cannot_answer", {"base": 40, "sft": 2}, 2, "base has a score on 40", "two of the variant's"),
    ("recall_cannot_answer", {"base": 30, "sft": 30}, 20, "only 20 rows were scored for both", "other rows"),
    ("recall_cannot_answer", {"base": 39, "sft": 40}, 39, "", "one row says too little to stop anything"),
    ("recall_cannot_answer", {"base": 38, "sft": 40}, 38, "only 38 rows", "two are more than a point"),
    ("recall_cannot_answer", {"base": 390, "sft": 394}, 390, "only 390 rows", "so are four of 394"),
    ("recall_cannot_answer", {"base": 20, "sft": 20}, 20, "", "rows that neither has"),
    ("recall_cannot_answer", {"base": 19, "sft": 19}, 19, "and base, of 40", "most rows, which neither has"),
    ("recall_cannot_answer", {"base": 0, "sft": 0}, 0, "no row was scored for both", "nor any at all"),
    ("ast_accuracy", {"base": 0, "sft": 0}, 0, "no row was scored for both", "a figure of the suite"),
    ("accuracy", {"base": 0, "sft": 0}, 0, "own/accuracy: not measured", "a default target stays"),
]


@pytest.mark.parametrize(
    ("metric", "scored", "both", "said", "reason"), HIDDEN, ids=[row[4] for row in HIDDEN]
)
def test_rows_that_one_side_lacks_hide_nothing(
    metric: str, scored: dict[str, int], both: int, said: str, reason: str
) -> None:
    document = _risen(["base", "sft"]).to_json()
    _hide(document, "own", metric, scored, both, max(40, *scored.values()))
    verdict = check_gate(document, None, ["base", "sft"])
    assert (verdict["promoted"] is None) is bool(said), reason
    assert said in verdict["statement"]
    assert verdict["left_out"] == []


ONE_ROW: list[tuple[int, int, bool, str, str]] = [
    (50, 1, True, "", "one of fifty is two points, and one row"),
    (120, 2, False, "+1.7 points over base (120 rows), tolerance 1:", "two of so few"),
    (199, 2, False, "+1.01 points over base (199 rows), tolerance 1:", "a breach that rounding would hide"),
    (200, 2, True, "", "a point"),
]


@pytest.mark.parametrize(
    ("rows", "unscored", "promoted", "said", "reason"), ONE_ROW, ids=[row[4] for row in ONE_ROW]
)
def test_one_row_without_a_score_stops_nothing(
    rows: int, unscored: int, promoted: bool, said: str, reason: str
) -> None:
    planted = _risen(["base", "sft"], {"own": rows})
    planted.unscored["own", "sft"] = unscored
    document = planted.to_json()
    verdict = check_gate(document, [TARGET], ["base", "sft"])
    (entry,) = [rule for rule in verdict["rules"] if rule["metric"] == "unscored_rate"]
    assert entry["passed"] is promoted, reason
    assert said in entry["statement"]


def test_of_several_the_best_on_the_first_target_is_promoted() -> None:
    variants = ["base", "sft", "dpo", "sft-dpo"]
    planted = _risen(variants).plant("own/accuracy", "dpo", 0.3)
    assert check_gate(planted.to_json(), None, variants)["promoted"] == "dpo"
    planted.plant("own/over_call_rate", "dpo", 0.2)
    verdict = check_gate(planted.to_json(), None, variants)
    assert verdict["promoted"] == "sft", "of equals the one with fewer stages"
    planted.plant("own/accuracy", "sft-dpo", 0.21)
    assert check_gate(planted.to_json(), None, variants)["promoted"] == "sft-dpo"


RANKS: list[tuple[str, float, int, str, str]] = [
    ("accuracy", 280 / 399, 1, "sft", "one wrong row without a score: equals, and the one with fewer stages"),
    ("accuracy", 281 / 399, 1, "sft-dpo", "one row more is right, though another has no score"),
    ("accuracy", 279 / 399, 1, "sft", "a right row without a score"),
    ("over_call_rate", 120 / 399, 1, "sft", "a row without a score is no fault avoided"),
    ("over_call_rate", 118 / 399, 1, "sft-dpo", "one fault fewer, over 399 rows"),
    ("over_call_rate", 119 / 399, 1, "sft", "one fault fewer, and one row without a score"),
]


@pytest.mark.parametrize(
    ("metric", "value", "unscored", "promoted", "reason"), RANKS, ids=[row[4] for row in RANKS]
)
def test_no_variant_wins_by_a_row_without_a_score(
    metric: str, value: float, unscored: int, promoted: str, reason: str
) -> None:
    planted = Planted(TRAINED)
    rise = -0.2 if metric == "over_call_rate" else 0.2
    for variant in TRAINED[1:]:
        planted.plant(f"own/{metric}", variant, rise)
    planted.values["own", metric, "sft-dpo"] = value
    planted.unscored["own", "sft-dpo"] = unscored
    verdict = check_gate(planted.to_json(), [{"target": f"own/{metric}"}], TRAINED)
    assert verdict["promoted"] == promoted, reason


def test_over_another_variant_its_own_pair_is_read_whichever_way_round() -> None:
    rules = [TARGET, {"target": "own/accuracy", "over": "sft"}]
    planted = _risen().plant("own/accuracy", "sft-dpo", 0.3)
    planted.plant("own/accuracy", "sft-dpo", 0.1, over="sft")
    document = planted.to_json()
    verdict = check_gate(document, rules, TRAINED)
    assert verdict["promoted"] == "sft-dpo"
    stopped = [
        rule["statement"] for rule in verdict["rules"] if rule["variant"] == "sft" and not rule["passed"]
    ]
    assert stopped == ["own/accuracy: the rule holds the other variants against sft"]
    for pair in document["paired"]:
        if (pair["a"], pair["b"]) == ("sft-dpo", "sft"):
            low, high = -pair["high"], -pair["low"]
            pair.update(a="sft", b="sft-dpo", difference=-pair["difference"], low=low, high=high)
    again = check_gate(document, rules, TRAINED)
    assert again == verdict


NOTHING: list[tuple[Any, list[str], str, str]] = [
    ([], TRAINED, '"gate": []', "switched off"),
    (None, ["base", "prompt"], "trained none", "nothing to promote"),
    (None, ["sft"], "no variant base", "nothing to hold it against"),
    (None, ["prompt", "sft"], "no variant base, which the default rules", "a prompt is no base"),
]


@pytest.mark.parametrize(("rules", "variants", "said", "reason"), NOTHING, ids=[row[3] for row in NOTHING])
def test_nothing_is_promoted_without_a_gate_and_it_says_why(
    rules: Any, variants: list[str], said: str, reason: str
) -> None:
    verdict = check_gate(_risen(variants).to_json(), rules, variants)
    assert verdict["promoted"] is None, reason
    assert verdict["statement"].startswith("No variant is promoted: ")
    assert said in verdict["statement"]


def test_without_the_base_a_prompt_may_be_what_the_rest_is_held_over() -> None:
    variants = ["prompt", "sft"]
    planted = Planted(variants).plant("own/accuracy", "sft", 0.2, over="prompt")
    rules = [{**TARGET, "over": "prompt"}, {"guard": "own/recall", "over": "prompt"}]
    verdict = check_gate(planted.to_json(), rules, variants)
    assert verdict["promoted"] == "sft"
    assert next(rule["over"] for rule in verdict["rules"] if rule["kind"] == "target") == "prompt"
    assert "own/accuracy +20.0 points over prompt (" in verdict["statement"]
    assert check_gate(planted.to_json(), None, variants)["rules"] == []


def test_the_untrained_are_never_promoted() -> None:
    variants = ["base", "prompt", "sft"]
    planted = _risen(variants).plant("own/accuracy", "prompt", 0.4)
    verdict = check_gate(planted.to_json(), None, variants)
    assert verdict["promoted"] == "sft"
    assert {rule["variant"] for rule in verdict["rules"]} == {"sft"}


def test_many_reasons_are_cut_short_in_the_statement_and_whole_in_the_rules() -> None:
    planted = _risen()
    for metric in ("over_call_rate", "malformed_rate"):
        planted.plant(f"own/{metric}", "sft", 0.1)
        planted.plant(f"own/{metric}", "sft-dpo", 0.1)
    planted.plant("own/ast_accuracy", "sft", -0.1)
    verdict = check_gate(planted.to_json(), None, TRAINED)
    assert verdict["statement"].count(" points over base") == 4
    assert "and 1 more rule; sft-dpo: own/over_call_rate +10.0 points over base (" in verdict["statement"]
    assert sum(not rule["passed"] for rule in verdict["rules"]) == 5


def test_a_promotion_names_the_guards_that_noise_alone_held() -> None:
    planted = _risen(["base", "sft"])
    planted.plant("own/recall_tool_call", "sft", -0.1, p=0.2, n=40)
    planted.plant("own/over_call_rate", "sft", 0.05, p=0.4)
    planted.plant("own/malformed_rate", "sft", 0.03, p=0.4)
    statement = check_gate(planted.to_json(), None, ["base", "sft"])["statement"]
    assert (
        "guards held, 2 of them within noise only: own/over_call_rate +5.0 points (400 rows), "
        "own/recall_tool_call -10.0 points (40 rows)."
    ) in statement


def test_many_guards_that_noise_held_are_counted_and_four_named() -> None:
    planted = _risen(["base", "sft"])
    for figure in ("own/irrelevance_accuracy", "own/ast_accuracy", *(f"own/recall_{d}" for d in DECISIONS)):
        planted.plant(figure, "sft", -0.05, p=0.4)
    statement = check_gate(planted.to_json(), None, ["base", "sft"])["statement"]
    assert "5 of them within noise only: " in statement
    assert statement.count("-5.0 points (") == 4
    assert " and 1 more." in statement


WORDS: list[tuple[str, dict[str, Any], float, bool, str, str]] = [
    (
        "ast_accuracy",
        {"beyond_noise": True},
        0.47 - 0.5,
        True,
        "tolerance 3",
        "the tolerance itself is no fall",
    ),
    ("ast_accuracy", {"beyond_noise": True}, -0.031, True, "tolerance 3: within noise", "beyond it"),
    ("ast_accuracy", {"beyond_noise": True}, 0.2, True, "tolerance 3", "a rise is none"),
    ("ast_accuracy", {}, -0.0304, False, "-3.04 points over base (400 rows), tolerance 3", "just beyond it"),
    ("ast_accuracy", {}, -0.030001, False, "-3.0001 points over base (400 rows)", "hardly beyond it"),
    ("ast_accuracy", {}, -0.0296, True, "-3.0 points over base (400 rows), tolerance 3", "just within it"),
    ("over_call_rate", {}, 0.0304, False, "+3.04 points over base (400 rows), tolerance 3", "a rate"),
    ("ast_accuracy", {"tolerance": 0.0125}, -0.0124, True, "-1.2 points", "a finer tolerance"),
    ("ast_accuracy", {}, -0.00001, True, " +0.0 points", "no minus before nothing"),
    ("ast_accuracy", {"strict": True}, 0.0096, False, "the 95% interval reaches -3.04", "where an end lies"),
]


@pytest.mark.parametrize(
    ("metric", "fields", "change", "passed", "said", "reason"), WORDS, ids=[row[5] for row in WORDS]
)
def test_the_words_show_on_which_side_of_the_tolerance_a_fall_lies(
    metric: str, fields: dict[str, Any], change: float, passed: bool, said: str, reason: str
) -> None:
    planted = _risen(["base", "sft"]).plant(f"own/{metric}", "sft", change, p=0.5)
    verdict = check_gate(planted.to_json(), [TARGET, {"guard": f"own/{metric}", **fields}], ["base", "sft"])
    (entry,) = [rule for rule in verdict["rules"] if rule["metric"] == metric]
    assert entry["passed"] is passed, reason
    assert said in entry["statement"]
    assert entry["statement"].endswith("within noise") is said.endswith("within noise")


PARTED: list[tuple[float, float, float, float, str, str]] = [
    (0.008, 0.098, 0.03, 0.12, "within noise on 400 rows (by p, which allows", "the family takes it away"),
    (0.008, 0.098, 0.07, 0.07, "within noise on 400 rows (by p; the interval leaves", "p is more careful"),
    (-0.004, 0.1, 0.04, 0.04, "p = 0.040): real (by p; the interval holds 0)", "p is less careful"),
    (0.0, 0.1, 0.04, 0.04, "p = 0.040): real (by p; the interval holds 0)", "with 0 for its end"),
    (0.01, 0.1, 0.01, 0.04, "p = 0.040)", "both say real"),
    (-0.01, 0.1, 0.2, 0.2, "within noise on 400 rows", "both say noise"),
]


@pytest.mark.parametrize(
    ("low", "high", "p", "p_holm", "said", "reason"), PARTED, ids=[row[5] for row in PARTED]
)
def test_a_target_says_what_decides_where_interval_and_p_part_as_the_comparison_does(
    low: float, high: float, p: float, p_holm: float, said: str, reason: str
) -> None:
    planted = Planted(["base", "sft"]).plant("own/accuracy", "sft", 0.05)
    planted.pairs["own", "accuracy", "sft", "base"].update(low=low, high=high, p=p, p_holm=p_holm)
    verdict = check_gate(planted.to_json(), [TARGET], ["base", "sft"])
    statement = verdict["rules"][0]["statement"]
    assert said in statement, reason
    result = PairedDifference(0.05, low, high, p, 400, 0.2)
    told = describe_pair(Pair("own", "accuracy", "sft", "base", result, p_holm, 4, 0.08))
    assert re.findall(r"\(by p.*?\)", statement) == re.findall(r"\(by p.*?\)", told)


@given(st.floats(0, 1))
def test_p_is_written_as_the_comparison_writes_it(p: float) -> None:
    assert gate_words.format_p(p) == format_p(p)


@pytest.mark.parametrize("p", [0.0, 0.0009999, 0.001, 0.0494, 0.0499, 0.0499999, 0.05, 0.0999, 0.1, 1.0])
def test_p_is_written_alike_near_its_borders(p: float) -> None:
    assert gate_words.format_p(p) == format_p(p)


@given(
    rise=st.floats(-0.5, 0.5),
    fall=st.floats(-0.5, 0.5),
    p=st.floats(0, 1),
    figure=st.sampled_from(["own/over_call_rate", "own/ast_accuracy", "bfcl_single_turn/ast_accuracy"]),
)
def test_what_is_promoted_passes_every_rule_and_never_lost_fifteen_points(
    rise: float, fall: float, p: float, figure: str
) -> None:
    planted = Planted(["base", "sft"]).plant("own/accuracy", "sft", rise, p=p).plant(figure, "sft", fall, p=p)
    verdict = check_gate(planted.to_json(), None, ["base", "sft"])
    assert (verdict["promoted"] == "sft") is all(rule["passed"] for rule in verdict["rules"])
    if verdict["promoted"]:
        assert rise > 0
        assert (fall if figure.endswith("rate") else -fall) <= 0.15 + 1e-9


WHOLE = '{"run_id": "r", "suites": {}, "paired": [], "guarded": [], "test_sets": {}}'
BROKEN: list[tuple[str, str, str]] = [
    ("{", "not JSON", "cut short"),
    ("[" * 100_000, "not JSON", "nested beyond reading"),
    ("[]", "lacks run_id", "a list"),
    (WHOLE.replace('"guarded": [], ', ""), "lacks guarded", "of an older form"),
    (WHOLE.replace("{}", "[]"), "not of the form.*AttributeError", "lists for objects"),
    (WHOLE.replace('"r"', '"other"'), "of the run 'other', not of 'r'", "of another run"),
    (WHOLE.replace('"r"', "null"), "of the run None, not of 'r'", "of no run"),
    (WHOLE.replace("[]", "[NaN]"), "not JSON .NaN is no number", "what JSON has no word for"),
    (WHOLE.replace("[]", "[-Infinity]"), "-Infinity is no number", "nor for this"),
    (WHOLE.replace("[]", "[1e400]"), "1e400 is no number", "a number beyond all numbers"),
]


@pytest.mark.parametrize(("text", "said", "reason"), BROKEN, ids=[row[2] for row in BROKEN])
def test_a_broken_comparison_ends_in_one_clear_error(text: str, said: str, reason: str) -> None:
    plan = {"run_id": "r", "input": {"gate": None}, "evaluated": TRAINED}
    with pytest.raises(BadComparison, match=said) as raised:
        with_verdict(plan, text.encode(), "s3://b/comparison.json")
    assert len(str(raised.value)) < 250, reason


PLAN: Mapping[str, Any] = {"run_id": "r", "input": {"gate": None}, "evaluated": ["base", "sft"]}
LACKING: list[tuple[Any, str]] = [
    ({}, "input"),
    ({**PLAN, "input": {}}, "input.gate"),
    ({**PLAN, "input": []}, "input.gate"),
    ({"run_id": "r", "input": {"gate": None}}, "evaluated"),
    ({"input": {"gate": None}, "evaluated": []}, "run_id"),
]


@pytest.mark.parametrize(("plan", "field"), LACKING, ids=[str(i) for i in range(len(LACKING))])
def test_a_plan_that_lacks_a_field_is_not_blamed_on_the_comparison(plan: Any, field: str) -> None:
    with pytest.raises(BadPlan, match=f"lacks {field},"):
        with_verdict(plan, WHOLE.encode(), "s3://b/comparison.json")


def test_a_comparison_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    client = boto3.client("s3", region_name="us-east-1")
    monkeypatch.setattr(boto3, "client", lambda _name: client)
    plan = {**PLAN, "jobs": {"compare": {"model_uri": "s3://b/runs/r/compare/"}}}
    asked = {"Bucket": "b", "Key": "runs/r/compare/comparison.json"}
    with Stubber(client) as stubber:
        stubber.add_client_error("get_object", "NoSuchKey", expected_params=asked)
        with pytest.raises(
            BadComparison, match=r"^s3://b/runs/r/compare/comparison\.json: .*NoSuchKey.*look"
        ):
            handler(plan, None)


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Every place in a document, as its container and the key there."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place for key, inner in pairs for place in [(value, key), *_places(inner)]]


@pytest.mark.parametrize("damage", ["x", [], {}, True, -1, 7, 1e300, None], ids=repr)
def test_a_damaged_figure_promotes_nothing_that_would_not_be(damage: Any) -> None:
    """Of a variant that breaks one guard; whatever is damaged, the guard or the error speaks."""
    planted = _risen(["base", "sft"], {"own": 400}).plant("own/over_call_rate", "sft", 0.3)
    document = planted.to_json()
    spared = [one for one in document["guarded"] if one["metric"] == "over_call_rate"]
    read = {"suites": document["suites"], "pairs": document["paired"], "rows": document["test_sets"]}
    for holder, key in _places(read):
        whole = holder[key]
        holder[key] = damage
        try:
            verdict = with_verdict(PLAN, json.dumps(document).encode(), "s3://b/c.json")["gate"]
            assert verdict["promoted"] is None, (holder, key)
        except BadComparison as error:
            assert len(str(error)) < 250
        holder[key] = whole
    assert len(spared) == 1


NUMBERS: list[tuple[str, Any, str]] = [
    ("difference", 2.0, "difference 2.0 is no number from -1 to 1"),
    ("difference", "0.2", "difference '0.2' is no number"),
    ("p_holm", -1, "p_holm -1 is no number from 0 to 1"),
    ("p_holm", True, "p_holm True is no number"),
    ("n", 1.5, "n 1.5 is no number of rows"),
    ("n", -3, "n -3 is no number of rows"),
]


@pytest.mark.parametrize(("name", "value", "said"), NUMBERS, ids=[row[2] for row in NUMBERS])
def test_a_figure_beyond_its_bounds_is_a_broken_file(name: str, value: Any, said: str) -> None:
    document = _risen(["base", "sft"]).to_json()
    for pair in document["paired"]:
        pair[name] = value
    with pytest.raises(BadComparison, match=said):
        with_verdict(PLAN, json.dumps(document).encode(), "s3://b/c.json")


def test_the_verdict_joins_the_plan_and_fits_into_a_states_output() -> None:
    """Step Functions passes 256 KiB from state to state; a rule's entry has some 500 bytes."""
    plan = {"input": {"gate": None}, "evaluated": ["base", "sft", "dpo", "sft-dpo"], "run_id": "r"}
    verdict = with_verdict(plan, json.dumps(_risen(plan["evaluated"]).to_json()).encode(), "s3://b/c.json")  # type: ignore[arg-type]
    assert {**verdict, "gate": None} == {**plan, "gate": None}
    rules = len(verdict["gate"]["rules"])
    assert len(json.dumps(verdict["gate"])) / rules < 700
    assert rules / 3 * 5 / 3 * 7 * 700 < 256 * 1024, "seven trained variants on five suites"


def test_the_example_in_the_docstring_holds() -> None:
    assert doctest.testmod(gate_words) == (0, 2)
