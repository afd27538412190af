"""A run's comparison: who is held against whom, by what, and that its file is not believed unread."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from evaluation.comparison import (
    PAIRS,
    Comparison,
    compare,
    compare_scores,
    digest_of_rows,
    read_comparison,
)
from evaluation.figures import FIGURES, OUTCOMES
from evaluation.jsonl import read_jsonl, read_scores
from evaluation.judge import JudgeReport
from evaluation.pairs import compare_suite, count_rows, guarded_metrics
from evaluation.sentences import describe_pair
from evaluation.statistics import adjust_by_holm, compare_paired, detectable_difference
from evaluation.suites import SUITES
from evaluation.toolcalls import score_suite
from evaluation.toolcalls.score import Score
from jobs.doors import BadInput
from tests.unit.evaluation.rows import ANSWERS, call_row, hermes, text_row
from tests.unit.evaluation.scored_run import write_run

GOLD = ("get_weather", {"city": "Paris"})
RIGHT, WRONG = hermes(*GOLD), hermes("get_weather", {"city": "Rome"})


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    write_run(folder)
    return folder


@pytest.fixture(scope="module")
def comparison(run_dir: Path) -> Comparison:
    return compare("a-run", run_dir / "data", run_dir / "scores")


def score(rows: list[dict[str, Any]], said: list[str]) -> dict[str, Score]:
    lines = [
        {"id": row["id"], "completion": text, "format": "hermes"}
        for row, text in zip(rows, said, strict=True)
    ]
    return dict(score_suite(rows, lines).scores)


def test_every_share_of_rows_is_guarded_once_and_the_main_metric_apart(comparison: Comparison) -> None:
    for suite in ("when2call_mcq", "own"):
        main = {pair.metric for pair in comparison.pairs if pair.suite == suite}
        held = [(one.metric, one.a, one.b) for one in comparison.guarded if one.suite == suite]
        shares = {name for name in SUITES[suite].figures if FIGURES[name].outcome is not None}
        assert main == {SUITES[suite].main_metric}
        assert {metric for metric, _, _ in held} == shares - main | {f"recall_{name}" for name in ANSWERS}
        assert len(set(held)) == len(held)
        assert {(a, b) for _, a, b in held} == {("sft", "base"), ("dpo", "base"), *PAIRS[3:5]}


@pytest.mark.parametrize("suite", SUITES)
def test_what_the_gate_may_guard_can_be_held_row_against_row(suite: str) -> None:
    assert set(guarded_metrics(SUITES[suite])) <= OUTCOMES.keys()
    assert "irrelevance_accuracy" in guarded_metrics(SUITES[suite]) or suite == "multi_turn"
    assert {"macro_f1", "argument_f1", "conversation_accuracy"}.isdisjoint(guarded_metrics(SUITES[suite]))


def test_a_pair_s_difference_is_that_of_the_variants_figures(comparison: Comparison) -> None:
    compared = 0
    for pair in (*comparison.pairs, *comparison.guarded):
        group = "recall" if pair.metric.startswith("recall_") else "metrics"
        a, b = (
            getattr(comparison.summaries[pair.suite][one], group)[pair.metric.removeprefix("recall_")]
            for one in (pair.a, pair.b)
        )
        if a.value is None:
            assert (pair.result.difference, pair.p_holm, pair.detectable) == (None, None, None)
            assert describe_pair(pair).endswith("no row counts for both")
            continue
        compared += 1
        # Both variants lack the same row here, so that the figures rest on the rows that the pair does.
        assert pair.result.n == a.n == b.n
        assert pair.result.difference == pytest.approx(a.value - b.value)
    assert compared > 40


def test_holm_allows_for_the_pairs_of_one_metric(comparison: Comparison) -> None:
    for suite, metric in {(one.suite, one.metric) for one in comparison.guarded}:
        family = [one for one in comparison.guarded if (one.suite, one.metric) == (suite, metric)]
        assert [one.p_holm for one in family] == adjust_by_holm([one.result.p for one in family])
        assert {one.comparisons for one in family} == {sum(one.result.p is not None for one in family)}
        for one in family:
            if one.result.discordance is not None:
                level = 0.05 / one.comparisons
                assert one.detectable == detectable_difference(one.result.n, one.result.discordance, level)


COUNTED: list[tuple[str, dict[str, int]]] = [
    ("own", {"accuracy": 13, "malformed_rate": 13, "decision_accuracy": 13}),
    ("own", {"recall_tool_call": 9, "recall_cannot_answer": 3, "recall_direct": 1}),
    ("own", {"recall_request_for_info": 0, "under_call_rate": 9, "over_call_rate": 4}),
    ("own", {"ast_accuracy": 8, "relevance_accuracy": 1, "irrelevance_accuracy": 3}),
    ("own", {"tool_hallucination_rate": 2, "order_accuracy": 4}),
    ("when2call_mcq", {"acc": 13, "acc_norm": 13, "recall_tool_call": 9, "tool_hallucination_rate": 2}),
]


@pytest.mark.parametrize(
    ("suite", "counted"), COUNTED, ids=[f"{suite}-{next(iter(one))}" for suite, one in COUNTED]
)
def test_a_row_counts_for_a_figure_whether_or_not_it_was_scored(suite: str, counted: dict[str, int]) -> None:
    rows = [call_row(GOLD, row_id=f"c{n}") for n in range(9)]
    rows += [text_row("cannot_answer", f"d{n}") for n in range(3)] + [text_row("direct", "e")]
    rows[0]["expected"] = {**rows[0]["expected"], "any_call": True}
    for row in rows[1:5]:
        row["expected"] = {**row["expected"], "ordered": True}
    for row in rows[-2:]:
        row["tools"] = "[]"
    assert counted == {name: count_rows(rows, name) for name in counted}
    assert set(counted) <= {SUITES[suite].main_metric, *guarded_metrics(SUITES[suite])}


def test_where_every_row_is_scored_as_many_rows_count_as_the_figures_rest_on(comparison: Comparison) -> None:
    counted = comparison.test_sets["when2call_mcq"].rows_by_figure
    for summary in comparison.summaries["when2call_mcq"].values():
        found = {**summary.metrics, **{f"recall_{name}": one for name, one in summary.recall.items()}}
        assert counted == {name: found[name].n for name in counted}
    own = comparison.test_sets["own"].rows_by_figure
    assert own["accuracy"] == 60 == comparison.summaries["own"]["sft"].metrics["accuracy"].n + 1


def test_a_figure_of_faults_keeps_its_sign() -> None:
    rows = [text_row("cannot_answer", f"r{n}") for n in range(20)]
    calling, declining = (score(rows, [text] * 20) for text in (RIGHT, ANSWERS["cannot_answer"]))
    found = compare_scores("own", rows, calling, declining, "over_call_rate")
    assert found.difference == 1.0, "a calls more often, which is worse"


def test_rows_that_only_one_of_the_two_has_are_left_out() -> None:
    rows = [call_row(GOLD, row_id=f"r{n}") for n in range(10)] + [text_row("direct", "other")]
    a, b = score(rows, [RIGHT] * 11), score(rows, [WRONG] * 10 + [ANSWERS["direct"]])
    a["r0"], b["r1"] = Score(None, error="lost"), Score(None, error="lost")
    del a["r2"]
    found = compare_scores("own", rows, a, b, "ast_accuracy")
    assert (found.n, found.difference) == (7, 1.0), "ten rows that expect calls, of which three lack a score"
    assert compare_scores("own", rows, a, b, "accuracy").n == 8
    assert compare_scores("own", rows, a, b, "relevance_accuracy").n == 0


@pytest.mark.parametrize("metric", ["macro_f1", "argument_f1", "recall_nothing", "typo"])
def test_what_is_no_share_of_rows_cannot_be_compared_row_by_row(metric: str) -> None:
    with pytest.raises(ValueError, match=f"own: {metric} is no share of rows"):
        compare_scores("own", [], {}, {}, metric)


def test_turns_of_one_conversation_are_taken_together() -> None:
    rows = [{**call_row(GOLD, row_id=str(n)), "conversation": f"talk {n // 4}"} for n in range(40)]
    # Six conversations are mended as a whole, and one is broken.
    a = score(rows, [RIGHT] * 24 + [WRONG] * 4 + [RIGHT] * 12)
    b = score(rows, [WRONG] * 24 + [RIGHT] * 16)
    suite = SUITES["multi_turn"]
    (pair,) = compare_suite(suite, rows, {"sft": a, "base": b}, ["accuracy"])
    assert pair.result.p == pytest.approx(2 * 8 / 2**7), "seven coins, of which one at most falls otherwise"
    alone = [{**row, "conversation": None} for row in rows]
    (as_rows,) = compare_suite(suite, alone, {"sft": a, "base": b}, ["accuracy"])
    single = compare_paired([True] * 24 + [False] * 4, [False] * 24 + [True] * 4)
    assert as_rows.result.p == pytest.approx(single.p)
    assert pair.result.n == as_rows.result.n == 40
    assert pair.detectable is not None and as_rows.detectable is not None
    assert pair.detectable > 1.3 * as_rows.detectable, "ten conversations show less than forty rows"


def test_a_single_figure_over_conversations_is_less_sure_than_over_rows(tmp_path: Path) -> None:
    rows = [{**call_row(GOLD, row_id=str(n)), "conversation": f"talk {n // 4}"} for n in range(80)]
    scores = score(rows, ([RIGHT] * 4 + [WRONG] * 4) * 10)
    found = summarise_widths(rows, scores)
    alone = summarise_widths([{**row, "conversation": None} for row in rows], scores)
    for name in ("accuracy", "recall_tool_call", "argument_precision", "ast_accuracy in all"):
        assert found[name] >= alone[name], name
        assert name == "recall_tool_call" or found[name] > 1.5 * alone[name], name


def summarise_widths(rows: list[dict[str, Any]], scores: dict[str, Score]) -> dict[str, float]:
    from evaluation.summary import summarise

    summary = summarise(SUITES["own"], rows, scores)
    named = {
        **summary.metrics,
        **{f"recall_{name}": one for name, one in summary.recall.items()},
        **{f"ast_accuracy in {name or 'all'}": one for name, one in summary.categories.items()},
    }
    return {
        name: one.high - one.low
        for name, one in named.items()
        if one.low is not None and one.high is not None
    }


def written(comparison: Comparison, place: Path, edit: Callable[[dict[str, Any]], object]) -> Path:
    content = json.loads(json.dumps(comparison.to_json()))
    edit(content)
    place.write_text(json.dumps(content))
    return place


def test_a_comparison_is_read_back_with_its_judge(
    comparison: Comparison, run_dir: Path, tmp_path: Path
) -> None:
    judged = replace(comparison, judge={"own": {"base": JudgeReport.not_run("no endpoint was named")}})
    path = written(judged, tmp_path / "comparison.json", lambda content: None)
    found = read_comparison(path, run_dir / "data", run_dir / "scores")
    assert found.to_json() == judged.to_json()
    assert found.rows == comparison.rows


def test_what_the_report_adds_to_the_file_is_not_held_against_it(
    comparison: Comparison, run_dir: Path, tmp_path: Path
) -> None:
    added = {"gate": {"promoted": "sft", "rules": []}, "cost": {"usd": 1}}
    path = written(comparison, tmp_path / "comparison.json", lambda content: content.update(added))
    assert read_comparison(path, run_dir / "data", run_dir / "scores").run_id == "a-run"


def test_a_file_of_before_rows_were_counted_by_figure_is_read(
    comparison: Comparison, run_dir: Path, tmp_path: Path
) -> None:
    def forget(content: dict[str, Any]) -> None:
        for one in content["test_sets"].values():
            del one["rows_by_figure"]

    path = written(comparison, tmp_path / "comparison.json", forget)
    assert read_comparison(path, run_dir / "data", run_dir / "scores").to_json() == comparison.to_json()


def drop_a_variant(content: dict[str, Any]) -> None:
    del content["suites"]["own"]["sft"]


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda c: c["paired"][0].update(low=0.9), r"paired\[0\]\.low is 0\.9, but the scores come to 0\.1"),
        (lambda c: c["paired"][0].update(low=10**400), r"paired\[0\]\.low is 10+…"),
        (lambda c: c["paired"][0].update(low=float("nan")), r"paired\[0\]\.low is NaN"),
        (lambda c: c["paired"][0].update(n=True), r"paired\[0\]\.n is true"),
        (lambda c: c["paired"][0].update(p=None), r"paired\[0\]\.p is null"),
        (lambda c: c["paired"].pop(), "paired is .*, but the scores come to"),
        (lambda c: c["guarded"][5].update(a="mine"), r'guarded\[5\]\.a is "mine"'),
        (lambda c: c["test_sets"]["own"].update(digest="0" * 16), r"test_sets\.own\.digest"),
        (lambda c: c["test_sets"]["own"]["rows_by_figure"].update(accuracy=0), r"by_figure\.accuracy is 0"),
        (drop_a_variant, r"suites\.own\.sft is null, but"),
        (lambda c: c["suites"].update(other={}), r"suites\.other"),
        (lambda c: c.update(winner="sft"), 'winner is "sft"'),
        (lambda c: c.update(run_id=5), "run_id 5: a string or null"),
        (lambda c: c.update(judge=[]), "of a judge cannot be read"),
        (lambda c: c.update(judge={"own": {"base": {"status": "sure"}}}), "of a judge cannot be read"),
        (lambda c: c.update(judge={"own": {"base": {"status": "judged"}}}), "of a judge cannot be read"),
    ],
    ids=[
        "interval",
        "long",
        "nan",
        "flag",
        "p",
        "pair",
        "variant",
        "digest",
        "counted",
        "lost",
        "suite",
        "key",
        "run_id",
        "judge",
        "status",
        "figures",
    ],
)
def test_a_file_that_says_something_else_than_its_scores_is_refused(
    edit: Callable[[dict[str, Any]], object],
    message: str,
    comparison: Comparison,
    run_dir: Path,
    tmp_path: Path,
) -> None:
    path = written(comparison, tmp_path / "comparison.json", edit)
    with pytest.raises(BadInput, match=message):
        read_comparison(path, run_dir / "data", run_dir / "scores")


@pytest.mark.parametrize(
    "text", [None, "{", "[1]", "\udcff", "[" * 100_000], ids=["absent", "cut", "list", "bytes", "deep"]
)
def test_a_file_that_is_no_comparison_is_named(text: str | None, run_dir: Path, tmp_path: Path) -> None:
    path = tmp_path / "comparison.json"
    if text is not None:
        path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(BadInput, match=r"comparison\.json.*compare the variants first"):
        read_comparison(path, run_dir / "data", run_dir / "scores")


def wrong(line: dict[str, Any], **change: Any) -> str:
    return json.dumps({**line, **change})


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda line: wrong(line, decision=["a"]), "'decision' must be"),
        (lambda line: wrong(line, counts={"calls": "x"}), "'counts' must be"),
        (lambda line: wrong(line, value=float("nan")), "'value' must be"),
        (lambda line: wrong(line, value="1.0"), "'value' must be"),
        (lambda line: wrong(line, parts=[["decision", 1.0]]), "'parts' must be"),
        (lambda line: wrong(line, id=5), "'id' must be"),
        (lambda line: json.dumps({"id": "x"}), "'value' is absent"),
        (lambda line: wrong(line, id="x"), "'x' is there twice"),
        (lambda line: "{", "not JSON"),
    ],
    ids=["decision", "counts", "nan", "text", "parts", "id", "bare", "twice", "cut"],
)
def test_a_damaged_line_of_scores_is_named(
    damage: Callable[[dict[str, Any]], str], message: str, run_dir: Path, tmp_path: Path
) -> None:
    path = tmp_path / "scores" / "sft" / "own.jsonl"
    path.parent.mkdir(parents=True)
    line = read_jsonl(run_dir / "scores" / "sft" / "own.jsonl")[0]
    # A blank line is skipped, and counted.
    path.write_text(f"{wrong(line, id='x')}\n\n{damage(line)}\n")
    with pytest.raises(BadInput, match=rf"own\.jsonl, line 3: .*{message}"):
        compare(None, run_dir / "data", tmp_path / "scores")


def test_scores_are_read_as_they_were_written(run_dir: Path, comparison: Comparison) -> None:
    assert read_scores(run_dir / "scores" / "sft" / "own.jsonl") == comparison.scores["own"]["sft"]
    assert any(one.value is None for one in comparison.scores["own"]["sft"].values())


def test_the_digest_of_a_suite_is_that_of_its_rows_in_any_order(run_dir: Path) -> None:
    rows = read_jsonl(run_dir / "data" / "suites" / "own.jsonl")
    digest = digest_of_rows(rows)
    assert len(digest) == 16
    assert digest_of_rows([dict(reversed(row.items())) for row in rows[::-1]]) == digest
    assert digest_of_rows(rows[1:]) != digest
    assert digest_of_rows([{**rows[0], "tools": "[]"}, *rows[1:]]) != digest
    assert digest_of_rows([]) != digest_of_rows([{}])


def test_the_same_scores_come_to_the_same_comparison(comparison: Comparison, run_dir: Path) -> None:
    again = compare("a-run", run_dir / "data", run_dir / "scores")
    assert again.to_json() == comparison.to_json()
    json.dumps(again.to_json(), allow_nan=False)
