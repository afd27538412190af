"""The field `gate`: which rules may be written, and what is said of those that may not."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.pairs import PAIRS, guarded_metrics
from evaluation.suites import SUITES
from evaluation.toolcalls.decision import DECISIONS
from lambdas import gate_rules
from lambdas.costs import Prices
from lambdas.fields import InvalidInput
from lambdas.gate_input import parse_rules
from lambdas.gate_rules import ROW_SHARES, Rule, default_rules, with_unscored
from lambdas.inputs import JOB_KINDS, Defaults
from lambdas.plan_run import Environment, plan_run

READ = ["when2call_mcq", "own"]
VARIANTS = ["base", "sft", "sft-dpo"]
TARGET = {"target": "own/accuracy"}


def _guard(figure: str, **fields: object) -> list[object]:
    return [TARGET, {"guard": figure, **fields}]


RIGHT: list[tuple[list[Any], Rule, str]] = [
    ([TARGET], Rule("target", "own", "accuracy"), "a target alone is a gate"),
    ([{**TARGET, "over": "sft"}], Rule("target", "own", "accuracy", "sft"), "over another than the base"),
    (
        [{"target": "own/recall_tool_call"}],
        Rule("target", "own", "recall_tool_call"),
        "one decision's recall may be what shall rise",
    ),
    (
        _guard("own/over_call_rate"),
        Rule("guard", "own", "over_call_rate", tolerance=0.03),
        "three points where nothing is said",
    ),
    (
        _guard("own/malformed_rate", tolerance=0),
        Rule("guard", "own", "malformed_rate", tolerance=0.0),
        "none",
    ),
    (
        _guard("own/recall", tolerance=0.05, strict=True),
        Rule("guard", "own", "recall", tolerance=0.05, strict=True),
        "every decision's recall",
    ),
    (
        _guard("when2call_mcq/recall_direct", beyond_noise=True),
        Rule("guard", "when2call_mcq", "recall_direct", tolerance=0.03, beyond_noise=True),
        "allowing for noise",
    ),
    (
        _guard("own/unscored_rate"),
        Rule("guard", "own", "unscored_rate", tolerance=0.01),
        "one point of rows without a score",
    ),
]


@pytest.mark.parametrize(("rules", "expected", "reason"), RIGHT, ids=[row[2] for row in RIGHT])
def test_a_rule_is_read_as_written(rules: list[Any], expected: Rule, reason: str) -> None:
    assert parse_rules(rules, READ, VARIANTS)[-1] == expected, reason


WRONG: list[tuple[Any, list[str], str]] = [
    ("own/accuracy", ["gate:", "list", "[]"], "text is no list"),
    ({}, ["gate:", "list"], "an object is no list"),
    ([[]], ["gate[0]", "object"], "a list is no rule"),
    ([{}], ["gate[0]", "target or a guard", "own/accuracy"], "an empty rule"),
    ([{"tolerance": 0.1}], ["gate[0]", "target or a guard"], "a tolerance of nothing"),
    ([{"target": "own/accuracy", "guard": "own/accuracy"}], ["gate[0]", "either"], "both at once"),
    ([{"taget": "own/accuracy"}], ["gate[0]", "'taget'", "'target'"], "the nearest key is named"),
    ([{**TARGET, "tolerance": 0.1}], ["a target", "'tolerance'"], "a target has no tolerance"),
    (_guard("own/accuracy", tolerence=0.1), ["gate[1]", "'tolerence'", "'tolerance'"], "a key misspelt"),
    ([{"target": 3}], ["gate[0].target", "text"], "a number is no figure"),
    ([{"target": "accuracy"}], ["gate[0].target", "suite/figure"], "no suite"),
    ([{"target": "won/accuracy"}], ["gate[0].target", "'own'"], "a suite misspelt"),
    (
        [{"target": "bfcl_single_turn/accuracy"}],
        ["gate[0].target", "does not evaluate", "`suites`", "own"],
        "a suite that the run leaves out",
    ),
    ([{"target": "own/acuracy"}], ["(own)", "'accuracy'"], "a figure misspelt"),
    (_guard("own/recall_tool_cal"), ["(own)", "'recall_tool_call'"], "a decision misspelt"),
    ([{"target": "when2call_mcq/accuracy"}], ["(when2call_mcq)", "acc_norm"], "a figure of another suite"),
    ([{"target": "own/macro_f1"}], ["'macro_f1'", "shares of rows"], "no share of rows"),
    (_guard("own/argument_f1"), ["'argument_f1'", "paired"], "a ratio"),
    ([{"target": "own/recall"}], ["cannot be a target", "recall_tool_call"], "four figures at once"),
    ([{"target": "own/unscored_rate"}], ["cannot be a target"], "nothing to rise"),
    (_guard("own/accuracy", tolerance=3), ["gate[1].tolerance", "0.03 is 3 points"], "points for a share"),
    (_guard("own/accuracy", tolerance=-0.1), ["gate[1].tolerance"], "less than nothing"),
    (_guard("own/accuracy", tolerance="3%"), ["gate[1].tolerance", "'3%'"], "text is no share"),
    (_guard("own/accuracy", tolerance=True), ["gate[1].tolerance"], "true is no share"),
    (_guard("own/accuracy", tolerance=float("nan")), ["gate[1].tolerance"], "JSON's NaN"),
    (_guard("own/accuracy", strict="yes"), ["gate[1].strict", "true or false"], "no flag"),
    (_guard("own/accuracy", strict=True, beyond_noise=True), ["contradict"], "two opposite wishes"),
    (_guard("own/unscored_rate", strict=True), ["counted"], "what is counted has no interval"),
    ([{**TARGET, "over": "dpo"}], ["gate[0]", "'dpo'", "`variants`"], "a variant that the run lacks"),
    ([{**TARGET, "over": 1}], ["gate[0].over", "text"], "a number is no variant"),
    ([{"target": "own/" + "x" * 10**5}], ["(own)", "…", "Known: accuracy"], "a long figure is cut"),
    ([{"target": "x" * 10**5}], ["suite/figure", "…"], "without a suite too"),
    ([{"x" * 10**5: "own/accuracy"}], ["gate[0]", "…", "Known: target"], "and a key"),
    ([{**TARGET, "over": "x" * 10**5}], ["gate[0]", "…", "sft-dpo"], "and a variant"),
    ([TARGET, TARGET], ["gate[1]", "twice"], "the same rule twice"),
    ([{"guard": "own/accuracy"}], ["guards alone", '{"target"'], "nothing that has to rise"),
]


@pytest.mark.parametrize(("rules", "named", "reason"), WRONG, ids=[row[2] for row in WRONG])
def test_a_bad_rule_is_named_with_the_way_out(rules: Any, named: list[str], reason: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        parse_rules(rules, READ, VARIANTS)
    for word in named:
        assert word in str(raised.value), reason
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) < 600


def test_without_the_base_a_rule_over_it_is_refused() -> None:
    without = r"gate\[0\]: a rule without `over` is held over base, which is not among .* \(prompt, sft\)"
    with pytest.raises(InvalidInput, match=f"{without}.*as it is, in `over` the run may name prompt$"):
        parse_rules([TARGET], READ, ["prompt", "sft"])
    with pytest.raises(InvalidInput, match=r"gate\[0\]: 'base' is not among"):
        parse_rules([{**TARGET, "over": "base"}], READ, ["prompt", "sft"])
    assert parse_rules([{**TARGET, "over": "prompt"}], READ, ["prompt", "sft"])


OVER: list[tuple[list[str], str, str | None, str]] = [
    (["base", "sft", "sft-dpo"], "sft", None, "sft-dpo is compared with sft"),
    (["base", "sft", "sft-dpo"], "sft-dpo", None, "and the other way round"),
    (
        ["base", "dpo", "sft-dpo"],
        "dpo",
        "no run compares sft-dpo with dpo, .* may name base$",
        "no such pair",
    ),
    (["base", "sft", "dpo", "sft-dpo"], "sft", "no run compares dpo with sft", "none for one candidate"),
    (["base", "prompt", "sft", "sft-dpo"], "prompt", None, "tuning over a prompt"),
    (
        ["base", "prompt", "dpo"],
        "prompt",
        "compares dpo with prompt, .* may name base$",
        "but for dpo",
    ),
    (["sft", "dpo"], "dpo", "may name none of its variants$", "no way out"),
    (["base", "prompt"], "prompt", None, "nothing is a candidate"),
    (["base", "sft"], "sft", "trains nothing but sft, .* may name base$", "nothing is left to be promoted"),
    (["sft"], "sft", "trains nothing but sft, .* may name none of its variants$", "nor to be held over"),
]


@pytest.mark.parametrize(("variants", "over", "said", "reason"), OVER, ids=[row[3] for row in OVER])
def test_over_names_what_every_candidate_is_compared_with(
    variants: list[str], over: str, said: str | None, reason: str
) -> None:
    rules = [{**TARGET, "over": over}]
    if said is None:
        assert parse_rules(rules, READ, variants)[0].over == over, reason
        return
    with pytest.raises(InvalidInput, match=said):
        parse_rules(rules, READ, variants)


def test_a_guard_over_the_one_trained_variant_guards_nothing_and_is_refused() -> None:
    with pytest.raises(InvalidInput, match=r"gate\[1\]: the run trains nothing but sft"):
        parse_rules(_guard("own/recall", over="sft"), READ, ["base", "sft"])


def test_targets_that_leave_no_trained_variant_to_promote_are_refused() -> None:
    rules = [{**TARGET, "over": "sft"}, {"target": "when2call_mcq/acc_norm", "over": "sft-dpo"}]
    with pytest.raises(InvalidInput, match="against sft and sft-dpo, and no other trained variant is left"):
        parse_rules(rules, READ, VARIANTS)
    assert parse_rules(rules[:1], READ, VARIANTS)


def test_the_functions_know_what_the_evaluation_compares() -> None:
    assert gate_rules.PAIRS == PAIRS


_WORDS = ("target", "guard", "tolerance", "strict", "beyond_noise", "over")
_VALUES = st.one_of(
    st.sampled_from(["own/accuracy", "own/recall", "own/x", "/", "base", "sft"]),
    st.none(), st.booleans(), st.floats(), st.integers(), st.lists(st.integers(), max_size=1),
)  # fmt: skip


@given(st.lists(st.dictionaries(st.sampled_from(_WORDS), _VALUES, max_size=4), max_size=3))
def test_whatever_stands_there_is_rules_or_one_clear_error(rules: list[Any]) -> None:
    try:
        parsed = parse_rules(rules, READ, VARIANTS)
    except InvalidInput as error:
        assert str(error).startswith("gate")
        return
    assert bool(parsed) == bool(rules)
    assert all(0 <= (rule.tolerance or 0) <= 1 for rule in parsed)


@pytest.mark.parametrize("suite", list(SUITES))
def test_the_functions_know_the_shares_of_rows_that_the_evaluation_pairs(suite: str) -> None:
    paired = {name for name in guarded_metrics(SUITES[suite]) if not name.startswith("recall_")}
    assert ROW_SHARES[suite][0] == SUITES[suite].main_metric
    assert set(ROW_SHARES[suite][1:]) == paired
    assert list(ROW_SHARES) == list(SUITES), "in the order of evaluation, which the default target rests on"


def test_the_functions_know_the_decisions() -> None:
    assert DECISIONS == gate_rules.DECISIONS


def test_the_default_rules_read_every_suite_that_has_rows_and_no_other() -> None:
    rules = default_rules(["own", "bfcl_single_turn", "when2call_mcq"])
    assert [rule.name for rule in rules if rule.kind == "target"] == ["own/accuracy"]
    names = {rule.name for rule in rules if rule.kind == "guard"}
    assert names == {
        "when2call_mcq/recall",
        *(f"bfcl_single_turn/{name}" for name in (*gate_rules._DEFAULT_GUARDS, "recall")),
        *(f"own/{name}" for name in (*gate_rules._DEFAULT_GUARDS, "recall")),
    }
    measured = [rule.name for rule in rules if rule.kind == "guard" and not rule.beyond_noise]
    assert measured == ["bfcl_single_turn/ast_accuracy"]


def test_without_rows_of_ones_own_the_last_suite_is_the_target() -> None:
    (target, *_) = default_rules(["when2call_mcq", "bfcl_single_turn"])
    assert target.name == "bfcl_single_turn/accuracy"
    assert default_rules([]) == []


def test_rows_without_a_score_are_guarded_unless_a_rule_says_how() -> None:
    asked = parse_rules(_guard("own/unscored_rate", tolerance=0.2), READ, VARIANTS)
    assert [rule.tolerance for rule in with_unscored(asked) if rule.metric == "unscored_rate"] == [0.2]
    added = with_unscored(parse_rules([TARGET], READ, VARIANTS))[-1]
    assert (added.name, added.tolerance, added.is_default) == ("own/unscored_rate", 0.01, True)


_TYPES = {kind: ["ml.m5.large"] for kind in JOB_KINDS}
ENVIRONMENT = Environment(
    bucket="b",
    defaults=Defaults("a/b", "r", _TYPES, dict.fromkeys(JOB_KINDS, 60), False, None),
    recipes={"sft": ["r"], "dpo": ["r"], "few_shot": ["r"]},
    prices=Prices("2026-09", {"ml.m5.large": 0.1}),
)  # fmt: skip
CARRIED: list[tuple[dict[str, Any], Any, str]] = [
    ({}, None, "the default rules"),
    ({"gate": None}, None, "null is what a plan's input holds for them"),
    ({"gate": []}, [], "no gate"),
    ({"gate": [TARGET]}, [TARGET], "the rules as they were given"),
]


@pytest.mark.parametrize(("fields", "carried", "reason"), CARRIED, ids=[row[2] for row in CARRIED])
def test_the_plan_carries_the_rules(fields: dict[str, Any], carried: Any, reason: str) -> None:
    plan = plan_run("n", "arn:n", {"dataset": "a/b", **fields}, ENVIRONMENT, lambda *_: True)
    assert plan["input"]["gate"] == carried, reason
