"""The door of the comparison: its JSON keeps the contract, bad input is named, MLflow's parent stays open."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from evaluation import compare
from evaluation.comparison import sort_variants
from evaluation.jsonl import read_jsonl, write_jsonl
from evaluation.suites import SUITES
from jobs.doors import BadInput
from tests.unit.evaluation.rows import ANSWERS
from tests.unit.evaluation.scored_run import arguments, write_run


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    write_run(folder)
    compare.main(arguments(folder))
    return folder


def read_comparison(run_dir: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((run_dir / "out" / "comparison.json").read_text())
    return content


def test_comparison_json_keeps_its_contract(run_dir: Path) -> None:
    content = read_comparison(run_dir)
    assert content.keys() == {"run_id", "suites", "paired", "guarded", "test_sets", "gate"}
    assert content["gate"] == {"promoted": None, "rules": []}
    assert list(content["suites"]) == ["when2call_mcq", "own"]
    for suite in ("when2call_mcq", "own"):
        assert list(content["suites"][suite]) == ["base", "sft", "dpo", "sft-dpo"]
        for variant in content["suites"][suite].values():
            assert variant.keys() == {"metrics", "recall", "confusion"}
            assert variant["metrics"].keys() == set(SUITES[suite].figures)
            assert variant["recall"].keys() == set(ANSWERS)
            for figures in (*variant["metrics"].values(), *variant["recall"].values()):
                assert figures.keys() == {"value", "low", "high", "n"}
    names = {"suite", "metric", "a", "b", "difference", "low", "high", "p", "p_holm", "n", "detectable"}
    for pair in (*content["paired"], *content["guarded"]):
        assert pair.keys() == names | {"statement"}
    assert {suite: one["rows"] for suite, one in content["test_sets"].items()} == {
        "when2call_mcq": 60,
        "own": 60,
    }
    for suite, one in content["test_sets"].items():
        assert one.keys() == {"digest", "rows", "rows_by_figure"}
        named = {(e["metric"]) for e in (*content["paired"], *content["guarded"]) if e["suite"] == suite}
        assert one["rows_by_figure"].keys() == named
    held = [(pair["suite"], pair["metric"], pair["a"], pair["b"]) for pair in content["paired"]]
    pairs = [("sft", "base"), ("dpo", "base"), ("sft-dpo", "base"), ("sft-dpo", "sft")]
    expected = [("when2call_mcq", "acc_norm"), ("own", "accuracy")]
    assert held == [(suite, metric, a, b) for suite, metric in expected for a, b in pairs]


def test_figures_are_the_counts_behind_them(run_dir: Path) -> None:
    suites = read_comparison(run_dir)["suites"]
    base = suites["when2call_mcq"]["base"]
    assert (base["metrics"]["acc_norm"]["value"], base["metrics"]["acc_norm"]["n"]) == (0.3, 60)
    assert sum(sum(row.values()) for row in base["confusion"].values()) == 60
    assert base["recall"]["direct"] == {"value": None, "low": None, "high": None, "n": 0}
    assert suites["own"]["base"]["metrics"]["accuracy"]["n"] == 59, "the unscored row is left out"
    paired = read_comparison(run_dir)["paired"][0]
    assert paired["difference"] == pytest.approx(0.3)
    assert paired["p"] == pytest.approx(2 / 2**18), "18 rows mended, none broken"
    assert paired["p_holm"] >= paired["p"]


@pytest.mark.parametrize("rows", [1, 3, 8])
def test_variants_that_are_always_or_never_right_are_compared(tmp_path: Path, rows: int) -> None:
    write_run(tmp_path, {"base": 0, "sft": 10}, rows=max(rows, 2))
    compare.main(arguments(tmp_path))
    assert [pair["n"] for pair in read_comparison(tmp_path)["paired"] if pair["suite"] == "own"] == [
        max(rows, 2) - 1
    ]


def test_a_difference_is_called_real_or_noise(run_dir: Path, tmp_path: Path) -> None:
    told = {
        (one["suite"], one["a"], one["b"]): one["statement"] for one in read_comparison(run_dir)["paired"]
    }
    clear = told["when2call_mcq", "sft", "base"]
    assert re.fullmatch(r"sft over base: \+30\.0 points, 95% interval \+.* to \+.*, 60 rows: real", clear)
    write_run(tmp_path, {"base": 3, "sft": 4}, rows=20)
    compare.main(arguments(tmp_path))
    (small,) = (one for one in read_comparison(tmp_path)["paired"] if one["suite"] == "when2call_mcq")
    assert "within noise: 20 rows can show" in small["statement"]


def test_one_variant_alone_is_reported_without_pairs(tmp_path: Path) -> None:
    write_run(tmp_path, {"base": 3}, rows=9)
    compare.main(arguments(tmp_path))
    assert read_comparison(tmp_path)["paired"] == []


def test_a_suite_in_which_nothing_is_scored_has_no_accuracy(tmp_path: Path) -> None:
    write_run(tmp_path, {"base": 3, "sft": 5}, rows=6)
    for variant in ("base", "sft"):
        path = tmp_path / "scores" / variant / "own.jsonl"
        lost = [
            {**one, "value": None, "reason": None, "parts": {}, "error": "lost"} for one in read_jsonl(path)
        ]
        write_jsonl(path, lost)
    compare.main(arguments(tmp_path))
    own = read_comparison(tmp_path)
    assert own["suites"]["own"]["base"]["metrics"]["accuracy"]["value"] is None
    assert own["paired"][-1]["difference"] is None
    assert own["paired"][-1]["p_holm"] is None
    counted = own["test_sets"]["own"]["rows_by_figure"]
    assert (counted["accuracy"], counted["ast_accuracy"], counted["recall_request_for_info"]) == (6, 1, 5)
    assert counted["recall_direct"] == 0, "no row expects it, which is another matter"


@pytest.mark.parametrize(
    "line", ['{"id": "m1"}', "{", '["m1"]', '{"id": "m1", "value": 1, "reason": 1, "parts": 1}']
)
def test_a_line_that_is_no_score_is_named(tmp_path: Path, line: str) -> None:
    write_run(tmp_path, {"base": 3}, rows=6)
    path = tmp_path / "scores" / "base" / "own.jsonl"
    path.write_text(line + "\n")
    with pytest.raises(BadInput, match=r"own\.jsonl, line 1"):
        compare.main(arguments(tmp_path))


def test_no_scores_and_no_suites_are_bad_input(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="holds no suite"):
        compare.main(arguments(tmp_path))
    write_run(tmp_path, {}, rows=6)
    with pytest.raises(BadInput, match="holds no scores"):
        compare.main(arguments(tmp_path))


def test_variants_are_shown_in_their_order_and_unknown_ones_last() -> None:
    assert sort_variants({"sft-dpo", "mine", "base", "dpo", "sft"}) == [
        "base",
        "sft",
        "dpo",
        "sft-dpo",
        "mine",
    ]
