"""The gate: what is promoted, what is stopped, and the words for it."""

from __future__ import annotations

import doctest
import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdas import gate_words
from lambdas.check_gate import BadComparison, with_verdict
from lambdas.gate import check_gate

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
            "n": self.rows[suite] if n is None else n,
        }  # fmt: skip
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
            "test_sets": {suite: {"digest": "0" * 16, "rows": n} for suite, n in self.rows.items()},
            "gate": {"promoted": None, "rules": []},
        }
        text = json.dumps(document)
        parsed: dict[str, Any] = json.loads(text)
        return parsed

    def _pair(self, suite: str, metric: str, a: str, b: str) -> dict[str, Any]:
        nothing: dict[str, Any] = {
            "difference": 0.0,
            "low": -0.02,
            "high": 0.02,
            "p": 1.0,
            "p_holm": 1.0,
            "n": self.rows[suite],
        }
        if (suite, metric) in self.empty:
            nothing = {**dict.fromkeys(nothing), "n": 0}
        known = self.pairs.get((suite, metric, a, b), nothing)
        return {"suite": suite, "metric": metric, "a": a, "b": b, **known}

    def _summary(self, suite: str, variant: str) -> dict[str, Any]:
        scored = self.rows[suite] - self.unscored.get((suite, variant), 0)
        metrics: dict[str, Any] = {}
        recall: dict[str, Any] = {}
        for one, metric in _figures(self.rows):
            if one == suite:
                is_empty = (suite, metric) in self.empty
                value = None if is_empty else self.values.get((suite, metric, variant), 0.5)
                entry = {"value": value, "low": value, "high": value, "n": 0 if is_empty else scored}
                (recall if metric.startswith("recall_") else metrics)[metric.removeprefix("recall_")] = entry
        return {"metrics": metrics, "recall": recall, "confusion": {}}


def _figures(suites: Mapping[str, int]) -> list[tuple[str, str]]:
    decisions = ("tool_call", "request_for_info", "cannot_answer", "direct")
    recalls = [f"recall_{one}" for one in decisions]
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
    assert verdict["baseline"] == "base"
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
    ("own/recall_request_for_info", -0.16, 0.4, 12, False, "too large to be left to noise"),
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
    assert f"{100 * change:+.1f} points over base, tolerance 3" in entry["statement"]
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
    ([TARGET, {"guard": "own/recall_direct"}], "no row was scored for both sft and base", "no such row"),
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


def test_a_variant_of_which_no_row_was_scored_does_not_slip_by() -> None:
    planted = _risen(["base", "sft"])
    planted.unscored["own", "sft"] = ROWS["own"]
    nothing = {**dict.fromkeys(("difference", "low", "high", "p", "p_holm")), "n": 0}
    for metric in ("accuracy", "over_call_rate"):
        planted.pairs["own", metric, "sft", "base"] = nothing
    verdict = check_gate(planted.to_json(), None, ["base", "sft"])
    assert verdict["promoted"] is None
    assert "own/accuracy: no row was scored for both sft and base" in verdict["statement"]


SCORED: list[tuple[int, int, bool, str]] = [
    (0, 0, True, "all rows"),
    (0, 4, True, "one point of them"),
    (0, 5, False, "more than that"),
    (40, 40, True, "rows that nobody can be graded on"),
    (40, 0, True, "more than the base"),
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


def test_of_several_the_best_on_the_first_target_is_promoted() -> None:
    variants = ["base", "sft", "dpo", "sft-dpo"]
    planted = _risen(variants).plant("own/accuracy", "dpo", 0.3)
    assert check_gate(planted.to_json(), None, variants)["promoted"] == "dpo"
    planted.plant("own/over_call_rate", "dpo", 0.2)
    verdict = check_gate(planted.to_json(), None, variants)
    assert verdict["promoted"] == "sft", "of equals the one with fewer stages"
    planted.plant("own/accuracy", "sft-dpo", 0.21)
    assert check_gate(planted.to_json(), None, variants)["promoted"] == "sft-dpo"


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
]


@pytest.mark.parametrize(("rules", "variants", "said", "reason"), NOTHING, ids=[row[3] for row in NOTHING])
def test_nothing_is_promoted_without_a_gate_and_it_says_why(
    rules: Any, variants: list[str], said: str, reason: str
) -> None:
    verdict = check_gate(_risen(variants).to_json(), rules, variants)
    assert verdict["promoted"] is None, reason
    assert verdict["statement"].startswith("No variant is promoted: ")
    assert said in verdict["statement"]


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
    assert "and 1 more rule; sft-dpo: own/over_call_rate +10.0 points over base," in verdict["statement"]
    assert sum(not rule["passed"] for rule in verdict["rules"]) == 5


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


BROKEN: list[tuple[bytes, str, str]] = [
    (b"{", "not JSON", "cut short"),
    (b"[" * 100_000, "not JSON", "nested beyond reading"),
    (b"[]", "lacks suites", "a list"),
    (b'{"suites": {}, "paired": [], "test_sets": {}}', "lacks guarded", "of an older form"),
    (
        b'{"suites": {"own": {"base": {}}}, "paired": [], "guarded": [], "test_sets": {"own": {"rows": 1}}}',
        "not of the form",
        "without figures",
    ),
]


@pytest.mark.parametrize(("text", "said", "reason"), BROKEN, ids=[row[2] for row in BROKEN])
def test_a_broken_comparison_ends_in_one_clear_error(text: bytes, said: str, reason: str) -> None:
    plan = {"input": {"gate": None}, "evaluated": TRAINED}
    with pytest.raises(BadComparison, match=said):
        with_verdict(plan, text, "s3://b/comparison.json")


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
