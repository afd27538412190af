"""The gate's verdict in words and figures, of any shape that a plan may have."""

from __future__ import annotations

from typing import Any

import pytest

from evaluation.report.gate import NO_GATE, format_points, format_share, read_gate, rule_line

RULE: dict[str, Any] = {
    "variant": "sft",
    "kind": "guard",
    "suite": "own",
    "metric": "over_call_rate",
    "over": "base",
    "value": 0.1,
    "over_value": 0.05,
    "difference": 0.05,
    "low": -0.01,
    "high": 0.11,
    "p": 0.0004,
    "p_holm": 0.3,
    "n": 1200,
    "tolerance": 0.03,
    "passed": False,
    "statement": "own/over_call_rate +5.0 points over base, tolerance 3",
}


def test_a_rule_in_words() -> None:
    line = rule_line(RULE)
    assert (line.figure, line.value, line.over_value) == ("own/over_call_rate", "10.0", "5.0")
    assert (line.difference, line.tolerance, line.p) == ("+5.0 (-1.0 to +11.0)", "3.0", "p < 0.001")
    assert (line.rows, line.why) == ("1,200", "fell beyond its tolerance")
    assert not line.passed


@pytest.mark.parametrize(
    ("kind", "p"), [("guard", "p < 0.001"), ("target", "p = 0.30, Holm")], ids=["a guard's own", "a target's"]
)
def test_p_is_the_one_that_decides(kind: str, p: str) -> None:
    assert rule_line({**RULE, "kind": kind}).p == p


WHYS: dict[str, tuple[dict[str, Any], str]] = {
    "a guard's note": (
        {"passed": True, "statement": "own/x -12.5 points over base (40 rows), tolerance 3: within noise"},
        "within noise",
    ),
    "a strict guard's": (
        {"statement": "own/x -1.0 points over base, tolerance 3, but the 95% interval reaches -5.0"},
        "the 95% interval reaches -5.0",
    ),
    "held": ({"passed": True}, "within its tolerance"),
    "fell": ({}, "fell beyond its tolerance"),
    "not measured": ({"statement": "own/x: no row expects a call"}, "no row expects a call"),
    "rose": ({"kind": "target", "passed": True}, "rose beyond noise"),
    "did not rise": ({"kind": "target"}, "did not rise beyond noise"),
    "why it did not": (
        {"kind": "target", "statement": "own/accuracy +6.7 points over base (p = 0.27): within noise"},
        "within noise",
    ),
}


@pytest.mark.parametrize("name", WHYS)
def test_a_rule_says_what_decided(name: str) -> None:
    given, why = WHYS[name]
    assert rule_line({**RULE, **given}).why == why


@pytest.mark.parametrize("absent", [*RULE, "all"])
def test_whatever_a_rule_lacks_it_is_a_line(absent: str) -> None:
    """A report that fails over a rule would lose a run that has been paid for."""
    kept = {} if absent == "all" else {name: value for name, value in RULE.items() if name != absent}
    line = rule_line(kept)
    assert not line.passed
    assert "None" not in " ".join(map(str, vars(line).values()))


@pytest.mark.parametrize("passed", [1, "true", "False", None], ids=repr)
def test_only_true_is_passed(passed: object) -> None:
    assert not rule_line({**RULE, "passed": passed}).passed


PLANS: dict[str, tuple[dict[str, Any], str, str]] = {
    "outside of an execution": ({}, NO_GATE, ""),
    "a gate that did not run": ({"gate": None}, NO_GATE, ""),
    "a gate without words": ({"gate": {"promoted": None, "rules": []}}, NO_GATE, ""),
    "one sentence": (
        {"gate": {"statement": "sft is promoted: +4.1 points."}},
        "sft is promoted: +4.1 points.",
        "",
    ),
    "and grounds": (
        {"gate": {"statement": "No variant is promoted. sft: +0.5 points. dpo: none."}},
        "No variant is promoted.",
        "sft: +0.5 points. dpo: none.",
    ),
}


@pytest.mark.parametrize("name", PLANS)
def test_the_first_sentence_is_the_verdict(name: str) -> None:
    plan, verdict, rest = PLANS[name]
    gate = read_gate(plan)
    assert (gate.verdict, gate.rest, gate.promoted, gate.variants) == (verdict, rest, None, [])


def test_rules_stand_by_variant_and_failed_ones_first() -> None:
    passed = {**RULE, "passed": True, "metric": "accuracy"}
    rules = [
        passed,
        {**passed, "variant": "dpo"},
        RULE,
        {**passed, "metric": "malformed_rate"},
        {**RULE, "over": "prompt"},
    ]
    gate = read_gate({"gate": {"statement": "x", "promoted": "dpo", "rules": rules}})
    assert gate.promoted == "dpo"
    found = [(one.variant, len(one.failed), len(one.lines)) for one in gate.variants]
    assert found == [("sft", 2, 4), ("dpo", 0, 1)], "whatever they are held over"
    figures = [(line.figure.removeprefix("own/"), line.over) for line in gate.variants[0].lines]
    assert figures == [
        ("over_call_rate", "base"),
        ("over_call_rate", "prompt"),
        ("accuracy", "base"),
        ("malformed_rate", "base"),
    ], "else in the gate's order"


@pytest.mark.parametrize(
    ("share", "written"),
    [(0.041, "+4.1"), (-0.2, "-20.0"), (0.0, "+0.0"), (-0.0001, "+0.0"), (0.0125, "+1.3"), (None, "—")],
    ids=["gain", "loss", "nothing", "next to nothing", "a half", "absent"],
)
def test_points(share: float | None, written: str) -> None:
    assert format_points(share) == written


@pytest.mark.parametrize(
    ("share", "written"), [(0.3416, "34.2"), (0.0, "0.0"), (None, "—")], ids=["some", "none", "absent"]
)
def test_shares(share: float | None, written: str) -> None:
    assert format_share(share) == written
