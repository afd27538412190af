"""MLflow's page of a run: names that line up between runs, a note that fits, tables and traces of answers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from evaluation.comparison import compare
from evaluation.completions import find_predictions, read_completions
from evaluation.mlflow_page.answers import ANSWER_CHARACTERS, differs, table_of_answers
from evaluation.mlflow_page.figures import (
    metrics_by_variant,
    metrics_of,
    params_of,
    table_of_figures,
    tags_of,
)
from evaluation.mlflow_page.files import lay_out
from evaluation.mlflow_page.note import MAX_CHARACTERS, write_note
from evaluation.mlflow_page.traces import ROWS_PER_SUITE, choose_rows, traces_of
from evaluation.report.results import Results
from evaluation.report.rows import rows_of
from evaluation.toolcalls import Score
from jobs.run import ChildRun
from tests.unit.evaluation.rows import text_row
from tests.unit.evaluation.scored_run import HOSTILE, SKILL, plan_of, write_run

VARIANTS = tuple(SKILL)


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    write_run(folder)
    return folder


@pytest.fixture(scope="module")
def results(run_dir: Path) -> Results:
    completions = read_completions(find_predictions(run_dir / "predictions"))
    comparison = compare("run-1", run_dir / "data", run_dir / "scores")
    return Results(comparison, completions, plan_of(VARIANTS, "sft"))


def test_figures_are_named_by_suite_metric_and_variant(results: Results) -> None:
    metrics = metrics_of(results)
    assert metrics["when2call_mcq/acc_norm/sft-dpo"] == 0.8
    assert metrics["own/recall_request_for_info/base"] == pytest.approx(16 / 58)
    assert not [name for name in metrics if "direct" in name], "what has no rows has no figure"
    first = [f"own/accuracy/{variant}" for variant in VARIANTS]
    assert list(metrics)[: len(first)] == first, "the run's page lists them in this order: the target first"
    shown = {name.split("/")[1] for name in metrics if name.split("/")[0] in results.comparison.rows}
    charts = {name for name in shown if not name.startswith("recall")}
    assert charts == {"acc", "acc_norm", "accuracy", "decision_accuracy"}, "each is a chart: the main ones"


def test_cost_and_gate_are_figures_too(results: Results) -> None:
    plan = plan_of(VARIANTS, "sft")
    plan["cost"]["actual"]["lines"].append({"job": "predict_sft_dpo", "usd": 0.25})
    metrics = metrics_of(replace(results, plan=plan))
    assert metrics["cost/usd"] == 1.5
    assert metrics["usd/sft-dpo"] == 1.25, "its jobs, and the training that it goes on from"
    assert metrics["gate/promoted"] == 1.0
    assert metrics_of(replace(results, plan=plan_of(VARIANTS)))["gate/promoted"] == 0.0
    outside = metrics_of(replace(results, plan={}))
    assert not [name for name in outside if name.startswith(("cost", "usd", "gate"))]


def test_the_figures_of_a_variants_own_run_have_no_variant_in_their_name(results: Results) -> None:
    by_variant = metrics_by_variant(results.comparison)
    assert list(by_variant) == list(VARIANTS)
    assert set(by_variant["sft"]) == {"own/accuracy", "own/over_call_rate", "when2call_mcq/acc_norm"}
    assert by_variant["sft"]["when2call_mcq/acc_norm"] == 0.6


REFUSED = [
    (
        plan_of(VARIANTS),
        "**No variant is promoted. sft-dpo, the best: 1 of 1 rules broken, sft-dpo over base on",
    ),
    (plan_of(VARIANTS, rules=False), "**Nothing is promoted.**"),
    (plan_of(VARIANTS, "sft"), "**sft is promoted.**"),
]


@pytest.mark.parametrize(("plan", "words"), REFUSED, ids=["rules broken", "no rules", "promoted"])
def test_the_second_line_of_the_note_is_the_verdict(
    plan: dict[str, Any], words: str, results: Results
) -> None:
    lines = write_note(replace(results, plan=plan), "").split("\n")
    assert lines[2].startswith(words)
    assert len(lines[2]) < 200


def test_runs_are_filtered_by_their_test_sets_and_what_was_promoted(results: Results) -> None:
    tags = tags_of(results)
    assert tags["test_set.own"] == results.comparison.test_sets["own"].digest
    assert (tags["variants"], tags["promoted"], tags["gate"]) == ("base,sft,dpo,sft-dpo", "sft", "passed")
    assert (tags["recipe"], tags["seed"], tags["target"]) == ("tiny-lora", "7", "own/accuracy")
    assert tags_of(replace(results, plan={}))["promoted"] is None
    assert params_of(results)["test_rows.own"] == 60


def test_the_table_holds_every_figure(results: Results) -> None:
    table = table_of_figures(results.comparison)
    assert len({len(column) for column in table.values()}) == 1
    rows = set(zip(table["suite"], table["variant"], table["metric"], table["value"], strict=True))
    assert ("when2call_mcq", "sft-dpo", "acc_norm", 0.8) in rows
    assert ("own", "base", "recall_direct", None) in rows


def test_the_note_says_the_verdict_first_and_then_figures_rules_and_cost(results: Results) -> None:
    note = write_note(results, "sft is version 3 of toolwright-tiny.")
    begins = (
        "**own/accuracy: base 27.1% · sft 59.3% · dpo 37.3% · sft-dpo 79.7%**\n\n**sft is promoted.**\n\n"
    )
    assert note.startswith(f"{begins}sft is version 3 of toolwright-tiny.")
    assert "| sft-dpo | 80.0 (" in note
    assert "sft over base: +30.0 points" in note
    assert "| sft | 1 of 1 |  |" in note
    assert "| dpo | 0 of 1 | dpo over base on own/accuracy |" in note
    assert "The run cost $1.50" in note
    assert len(note) <= MAX_CHARACTERS


def test_outside_of_an_execution_the_note_says_that_nothing_is_promoted(results: Results) -> None:
    note = write_note(replace(results, plan={}), "")
    assert "\n\n**No gate was asked: nothing is promoted.**\n\n" in note
    assert "Cost" not in note
    assert "the rates that the Traces tab counts over all of them mean nothing" in note


def test_a_note_that_is_too_long_loses_its_end_and_says_where_it_is(results: Results) -> None:
    plan = plan_of(VARIANTS, "sft")
    plan["gate"]["rules"] = [{"variant": f"v{number}", "statement": "it falls"} for number in range(400)]
    note = write_note(replace(results, plan=plan), "registered")
    assert len(note) <= MAX_CHARACTERS
    assert note.endswith("The rest is in report.html among the artifacts.")
    assert "sft over base: +30.0 points" in note


def test_what_a_plan_says_cannot_format_the_note(results: Results) -> None:
    plan = plan_of(VARIANTS, "sft")
    plan["gate"]["statement"] = "<img src=x>\n\n# [a](b) | c"
    plan["gate"]["rules"][1]["statement"] = "x | y\n| z"
    note = write_note(replace(results, plan=plan), "")
    assert "\n\n" + r"&lt;img src=x> # \[a\](b) \| c" + "\n\n" in note
    assert r"x \| y \| z |" in note


def test_answers_stand_side_by_side_those_first_that_differ(results: Results) -> None:
    rows = [row for row in rows_of(results)["rows"] if row["suite"] == "own"]
    table = table_of_answers(rows, VARIANTS)
    assert len({len(column) for column in table.values()}) == 1
    assert len(table["id"]) == 60
    assert list(table)[:4] == ["id", "prompt", "tools offered", "gold"]
    place = table["id"].index("o5")
    said = {name: table[f"{name}: outcome"][place] for name in VARIANTS}
    assert said == {"base": "wrong", "sft": "right", "dpo": "wrong", "sft-dpo": "right"}
    assert "Which city" in str(table["sft: answer"][place])
    order = [differs(next(row for row in rows if row["id"] == one)) for one in table["id"]]
    assert order == sorted(order, reverse=True)


def test_long_and_hostile_cells_are_cut_and_can_be_written(results: Results) -> None:
    rows = rows_of(results)["rows"]
    rows[0]["results"]["sft"]["text"] = "x" * 5000
    table = table_of_answers(rows, VARIANTS)
    texts = [str(cell) for column in table.values() for cell in column]
    assert max(map(len, table["sft: answer"])) == ANSWER_CHARACTERS  # type: ignore[arg-type]
    "".join(texts).encode("utf-8")


def test_a_variant_that_lacks_a_suite_has_empty_cells(results: Results) -> None:
    rows = [{**row, "results": {"base": row["results"]["base"]}} for row in rows_of(results)["rows"]]
    assert set(table_of_answers(rows, VARIANTS)["sft: answer"]) == {None}


def test_a_row_without_a_prediction_has_an_empty_cell(results: Results) -> None:
    rows = [row for row in rows_of(replace(results, completions={}))["rows"] if row["suite"] == "own"]
    table = table_of_answers(rows, VARIANTS)
    assert set(table["sft: answer"]) == {None}
    assert "right" in table["sft: outcome"]


def children() -> dict[str, ChildRun]:
    return {name: ChildRun(f"run-{name}", f"predict-{name}", {"variant": name}) for name in VARIANTS}


def test_traces_are_of_generated_answers_each_of_its_variants_run(results: Results) -> None:
    traces = traces_of(results, children())
    assert {one.tags["suite"] for one in traces} == {"own"}, "multiple choice generates nothing"
    assert {one.run_id for one in traces} == {f"run-{name}" for name in VARIANTS}
    by_variant: dict[str, list[str]] = {}
    for one in traces:
        by_variant.setdefault(one.tags["variant"], []).append(one.tags["row_id"])
    assert all(len(ids) <= ROWS_PER_SUITE for ids in by_variant.values())
    assert by_variant["base"] == by_variant["sft"], "the same rows of every variant"
    assert len({one.trace_id for one in traces}) == len(traces)


def test_a_trace_shows_the_tools_the_gold_and_the_graders_finding(results: Results) -> None:
    traces = traces_of(results, children())
    one = next(each for each in traces if each.tags == {**each.tags, "variant": "sft", "row_id": "o5"})
    assert [tool["function"]["name"] for tool in one.inputs["tools"]] == ["get_weather", "set_timer"]
    assert one.expected == {"gold": "request_for_info\nWhich city should I look in?"}
    assert one.found == {"correct": True, "reason": "correct"}
    assert one.answered.startswith("sft: Which city")
    hostile = next(each for each in traces if each.tags["row_id"] == HOSTILE)
    assert hostile.expected["gold"].startswith("tool_call\nget_weather(")


def test_a_variant_whose_job_has_no_run_has_no_traces(results: Results) -> None:
    some = {name: one for name, one in children().items() if name != "dpo"}
    assert {one.tags["variant"] for one in traces_of(results, some)} == {"base", "sft", "sft-dpo"}


def test_rows_on_which_variants_differ_are_traced_first() -> None:
    rows = [text_row("request_for_info", f"r{number}") for number in range(40)]
    right = Score(1.0, "correct")
    wrong = Score(0.0, "answer_when_should_not")
    scores = {
        "base": {f"r{number}": wrong for number in range(40)},
        "sft": {f"r{number}": right if number >= 35 else wrong for number in range(40)},
    }
    chosen = [row["id"] for row in choose_rows(rows, scores)]
    assert chosen[:5] == ["r35", "r36", "r37", "r38", "r39"]
    assert len(chosen) == ROWS_PER_SUITE
    assert chosen[5] == "r0"


def test_files_lie_where_history_reads_them(run_dir: Path, results: Results, tmp_path: Path) -> None:
    written = tmp_path / "report.html"
    written.write_text("page")
    plan = tmp_path / "plan.json"
    plan.write_text("{}")
    parts: list[Any] = list((run_dir / "predictions" / "sft").glob("**/own.jsonl"))
    predictions = {"own": {"sft": [*parts, *parts]}}
    out = tmp_path / "artifacts"
    lay_out(
        out,
        written=[written],
        plan=plan,
        data_dir=run_dir / "data",
        scores_dir=run_dir / "scores",
        predictions=predictions,
    )
    found = {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()}
    suites = ("own", "when2call_mcq")
    assert found == {
        "report.html",
        "plan.json",
        "predictions/sft/own.jsonl",
        *(f"rows/{suite}.jsonl" for suite in suites),
        *(f"scores/{variant}/{suite}.jsonl" for suite in suites for variant in VARIANTS),
    }
    joined = (out / "predictions" / "sft" / "own.jsonl").read_bytes()
    assert joined == parts[0].read_bytes() * 2, "what several machines predicted is put together"


def test_the_note_of_an_unbilled_run_says_that_nothing_was_billed(results: Results) -> None:
    plan = plan_of(VARIANTS, "sft")
    assert "nothing was billed" not in write_note(replace(results, plan=plan), "")
    plan["cost"]["billed"] = False
    note = write_note(replace(results, plan=plan), "")
    assert "would have cost" in note and "at list prices of 2026-09" in note and "nothing was billed" in note
