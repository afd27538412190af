"""The lines that the page begins with: the best variant, what got worse, the verdict, the price, the day."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

from evaluation.comparison import Comparison
from evaluation.report.costs import costs_of
from evaluation.report.gate import NO_GATE, read_gate
from evaluation.report.headline import (
    arrange_suites,
    describe_start,
    head_lines,
)
from evaluation.report.moves import hardly_taken, meaning_of, moves_of
from evaluation.report.page import render_report
from evaluation.report.results import Results
from evaluation.target import best_of, target_of, trained_of, value_of
from evaluation.toolcalls.score import Score
from tests.unit.evaluation.chromium import Page
from tests.unit.evaluation.comparisons import RIGHT, comparison_of, wrong
from tests.unit.evaluation.page_tree import Tree, cells_of
from tests.unit.evaluation.rows import call_row, text_row

ROWS = 60
CLOCK = "by the clock of where it was begun"
# The first third expects a call.
CALLS = 20
RIGHT_CALL = RIGHT._replace(decision="tool_call")
TALKS = wrong("answer_when_should_not")
CALLED = wrong("call_when_should_ask", decision="tool_call")


def taken(calls: int, asks: int) -> list[Score]:
    """The scores of one that has so many of 20 calls right, and asks in so many of 40 rows; else it calls."""
    of_calls = [RIGHT_CALL if number < calls else TALKS for number in range(CALLS)]
    return of_calls + [RIGHT if number < asks else CALLED for number in range(ROWS - CALLS)]


# Learning to call makes sft and dpo call where they should ask.
SCORES: Mapping[str, Sequence[Score]] = {
    "base": [TALKS] * CALLS + [RIGHT] * 8 + [TALKS] * 32,
    "sft": taken(20, 20),
    "dpo": taken(2, 10),
}
SCORES = {**SCORES, "prompt": SCORES["base"], "mine": SCORES["dpo"], "sft-dpo": SCORES["sft"]}


@lru_cache
def run(*variants: str, suites: tuple[str, ...] = ("when2call_generate", "own")) -> Comparison:
    """A run of these variants on the same rows in each suite."""
    rows = [call_row(("f", {}), row_id=f"c{number}") for number in range(CALLS)]
    rows += [text_row("request_for_info", f"t{number}") for number in range(ROWS - CALLS)]
    scores = {name: SCORES[name] for name in variants}
    return comparison_of(dict.fromkeys(suites, rows), dict.fromkeys(suites, scores), has_guarded=True)


def target(suite: str, metric: str, **fields: Any) -> dict[str, Any]:
    return {"kind": "target", "suite": suite, "metric": metric, "variant": "sft", **fields}


def plan(*rules: dict[str, Any], promoted: str | None = None) -> dict[str, Any]:
    return {"gate": {"promoted": promoted, "statement": "As ruled.", "rules": list(rules)}}


def lines(comparison: Comparison, given: dict[str, Any]) -> dict[str, str]:
    results = arrange_suites(Results(comparison, {}, given))
    found = head_lines(results, read_gate(given), costs_of(given, comparison))
    return {one.label: one.text for one in found}


def test_the_first_lines_say_what_was_won_and_lost_the_verdict_and_the_price() -> None:
    failed = {"kind": "guard", "suite": "own", "metric": "over_call_rate", "variant": "sft", "passed": False}
    given = plan(target("own", "accuracy", passed=True), failed)
    given["cost"] = {"at_most_usd": 9.0, "actual": {"lines": [{"job": "sft", "usd": 1.5}]}}
    assert lines(run("base", "sft", "dpo"), given) == {
        "Best trained": "sft: own/accuracy 66.7%, +53.3 points over base (13.3%): "
        "a real gain, p < 0.001 on 60 rows.",
        "Got worse": "sft: own/over_call_rate 0.0% → 50.0% (a call, of rows that expect no call); "
        "when2call_generate/over_call_rate 0.0% → 50.0% (a call, of rows that expect no call).",
        "Gate": "No variant is promoted: sft failed 1 of 2 rules.",
        "Cost": "The run cost $1.50, estimated at no more than $9.00 (list prices).",
    }


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        pytest.param([], ("own", "accuracy", "base"), id="no-gate"),
        pytest.param(
            [target("when2call_generate", "accuracy")],
            ("when2call_generate", "accuracy", "base"),
            id="the-gates",
        ),
        pytest.param(
            [target("own", "recall_tool_call", over="sft")], ("own", "recall_tool_call", "sft"), id="over-sft"
        ),
        pytest.param([target("own", "no such")], ("own", "accuracy", "base"), id="a-figure-that-is-none"),
        pytest.param([target("gone", "accuracy")], ("own", "accuracy", "base"), id="a-suite-that-is-none"),
        pytest.param([{"kind": "guard", "suite": "own"}], ("own", "accuracy", "base"), id="a-guard"),
    ],
)
def test_the_run_is_judged_by_the_gates_target(
    rules: list[dict[str, Any]], expected: tuple[str, ...]
) -> None:
    found = target_of(plan(*rules), run("base", "sft"))
    assert found is not None
    assert (found.suite, found.metric, found.over) == expected


@pytest.mark.parametrize(
    ("metric", "best"),
    [
        pytest.param("accuracy", "sft", id="the-highest"),
        pytest.param("under_call_rate", "sft", id="the-lowest-of-a-rate-of-faults"),
        pytest.param("over_call_rate", "sft", id="base-is-not-trained"),
    ],
)
def test_the_best_is_the_best_trained(metric: str, best: str) -> None:
    comparison = run("base", "sft", "dpo")
    found = target_of(plan(target("own", metric)), comparison)
    assert found is not None
    assert best_of(trained_of(comparison), comparison, found) == best


@pytest.mark.parametrize(
    ("variants", "best", "worse"),
    [
        pytest.param(
            ("base",),
            "none: no variant of this run was trained.",
            "There is nothing to hold a trained variant against.",
            id="base-alone",
        ),
        pytest.param(
            ("sft",),
            "sft: own/accuracy 66.7%, held against no other variant.",
            "There is nothing to hold a trained variant against.",
            id="nothing-to-hold-it-against",
        ),
    ],
)
def test_a_run_of_few_variants_has_its_lines(variants: tuple[str, ...], best: str, worse: str) -> None:
    said = lines(run(*variants), {})
    assert said == {"Best trained": best, "Got worse": worse, "Gate": NO_GATE, "Cost": "Not known."}


@pytest.mark.parametrize(
    ("promoted", "passed", "said"),
    [
        pytest.param("sft", True, "sft is promoted.", id="the-best-is"),
        pytest.param("dpo", False, "dpo is promoted; sft failed 1 of 1 rules.", id="another-is"),
        pytest.param(None, False, "No variant is promoted: sft failed 1 of 1 rules.", id="none-is"),
    ],
)
def test_the_verdict_names_what_stops_the_best(promoted: str | None, passed: bool, said: str) -> None:
    given = plan(target("own", "accuracy", passed=passed), promoted=promoted)
    assert lines(run("base", "sft", "dpo"), given)["Gate"] == said


def test_moves_are_real_and_sorted_by_direction_and_size() -> None:
    comparison = run("base", "sft", "dpo")
    by_variant = {one.a: one for one in moves_of(comparison)}
    assert list(by_variant) == ["sft", "dpo"]
    sft = by_variant["sft"]
    assert {one.pair.metric for one in sft.worse} == {"over_call_rate"}
    assert {one.pair.metric for one in sft.better} >= {"accuracy", "under_call_rate", "recall_tool_call"}
    every = [*comparison.pairs, *comparison.guarded]
    real = [one for one in every if one.is_real and (one.a, one.b) == ("sft", "base")]
    assert len(sft.worse) + len(sft.better) == len(real)
    for moves in (sft.worse, sft.better):
        sizes = [one.size for one in moves]
        assert sizes == sorted(sizes, reverse=True)
        for one in moves:
            assert one.before == value_of(comparison, one.pair.suite, "base", one.pair.metric)
            assert one.after is not None and one.before is not None
            assert one.after - one.before == pytest.approx(one.pair.result.difference)


HELD: dict[str, tuple[tuple[str, ...], list[tuple[str, str]]]] = {
    "over base": (("base", "prompt", "sft"), [("prompt", "base"), ("sft", "base")]),
    "else over prompt": (("prompt", "sft"), [("sft", "prompt")]),
    "else over what it was made from": (("sft", "sft-dpo"), [("sft-dpo", "sft")]),
    "else over none": (("sft", "dpo"), []),
    "a name that is unknown is held against nothing": (("base", "mine"), []),
}


@pytest.mark.parametrize("name", HELD)
def test_a_variant_is_held_against_the_first_partner_that_there_is(name: str) -> None:
    variants, held = HELD[name]
    assert [(one.a, one.b) for one in moves_of(run(*variants))] == held


def test_without_base_head_and_moves_name_the_same_partner() -> None:
    said = lines(run("prompt", "sft"), {})
    assert said["Best trained"].startswith(
        "sft: own/accuracy 66.7%, +53.3 points over prompt (13.3%): a real"
    )
    assert said["Got worse"].startswith("sft over prompt: own/over_call_rate 0.0% → 50.0%")


def test_the_best_is_held_over_what_the_gate_names_and_else_over_what_there_is() -> None:
    for over, named in (("prompt", "prompt"), ("dpo", "base")):
        said = lines(run("base", "prompt", "sft", "dpo"), plan(target("own", "accuracy", over=over)))
        assert f"points over {named} (13.3%)" in said["Best trained"]


def test_the_verdict_counts_all_rules_of_a_variant_whatever_they_are_held_over() -> None:
    rules = [target("own", "accuracy", passed=over == "base", over=over) for over in ("base", "dpo")]
    assert lines(run("base", "sft", "dpo"), plan(*rules))["Gate"] == (
        "No variant is promoted: sft failed 1 of 2 rules."
    )


def test_what_base_hardly_does_is_said_where_a_variant_learns_it() -> None:
    (said,) = hardly_taken(run("base", "sft", suites=("own",)))
    assert said.startswith("own: base calls a tool in 0 of 60 rows, though 20 expect it, so that a rise of")
    assert hardly_taken(run("base", "dpo", suites=("own",))) == [], "dpo does not learn it"
    assert hardly_taken(run("sft", "dpo")) == []


@pytest.mark.parametrize(
    ("run_id", "said"),
    [
        ("tune-20261122-100737-c4c2", f"22 November 2026, 10:07 {CLOCK}"),
        ("tune-20260301-000000", f"1 March 2026, 00:00 {CLOCK}"),
        ("20261399-100737", None),
        ("a120261122-1007371", None),
        ("nightly", None),
        ("", None),
        (None, None),
    ],
    ids=["as it is named", "a day of one digit", "no date", "longer numbers", "a name", "empty", "none"],
)
def test_the_day_is_in_the_runs_name(run_id: str | None, said: str | None) -> None:
    assert describe_start(run_id) == said


def test_the_suite_that_is_judged_by_stands_first_everywhere() -> None:
    comparison = run("base", "sft")
    assert list(comparison.rows) == ["when2call_generate", "own"]
    for given, order in (
        ({}, ["own", "when2call_generate"]),
        (plan(target("when2call_generate", "accuracy")), ["when2call_generate", "own"]),
    ):
        results = Results(comparison, {}, given)
        arranged = arrange_suites(results).comparison
        for by_suite in (arranged.rows, arranged.scores, arranged.summaries):
            assert list(by_suite) == order
        for pairs, before in ((arranged.pairs, comparison.pairs), (arranged.guarded, comparison.guarded)):
            assert list(dict.fromkeys(pair.suite for pair in pairs)) == order
            assert sorted(pairs, key=repr) == sorted(before, key=repr)
        tree = Tree(render_report(results, []))
        named = [one.text.partition(":")[0] for one in tree.named("caption")]
        captions = [one for one in named if one in order]
        assert captions[:2] == order
        head = cells_of(tree, tree.named("table")[0])[0]
        assert [cell.split("accuracy")[0].removesuffix("decision_") for cell in head[1:]] == order


def test_the_page_says_it_before_anything_else() -> None:
    tree = Tree(render_report(Results(run("base", "sft"), {}), []))
    said = [one.text for one in tree.named("dt") if "header" in {parent.name for parent in one.parents}]
    assert said == ["Best trained", "Got worse", "Gate", "Cost"]
    first = next(one for one in tree.tags if one.name in ("p", "dl", "table"))
    assert first.name == "dl"
    worse = next(one for one in tree.named("table") if "worse, in percent" in one.text)
    assert cells_of(tree, worse)[1][:3] == ["own/over_call_rate", "0.0", "50.0"]


@pytest.mark.parametrize(("width", "height"), [(400, 800), (1600, 400)], ids=["a telephone", "a screen"])
def test_the_lines_are_on_the_first_screen(browser: Page, tmp_path: Path, width: int, height: int) -> None:
    path = tmp_path / "report.html"
    path.write_text(render_report(Results(run("base", "sft", "dpo"), {}), []), encoding="utf-8")
    browser.show(path.as_uri(), width=width, height=height)
    bottom = "document.querySelector('.headline').getBoundingClientRect().bottom"
    assert 0 < browser.evaluate(bottom) < height


def test_every_guarded_figure_has_a_meaning() -> None:
    for pair in run("base", "sft").guarded:
        assert meaning_of(pair.metric), pair.metric
