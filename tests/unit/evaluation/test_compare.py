"""Comparison: its JSON keeps the contract, the page escapes, the pictures are drawn, MLflow gets figures."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from evaluation import compare
from evaluation.comparison import compare as compare_variants
from evaluation.comparison import sort_variants
from evaluation.jsonl import read_jsonl, write_jsonl
from evaluation.sentences import describe_pair
from evaluation.suites import SUITES
from evaluation.toolcalls import score_suite
from jobs.doors import BadInput
from jobs.run import Run
from tests.unit.evaluation.rows import ANSWERS, call_row, choice_row, hermes, text_row

HOSTILE = '</pre><script>alert(1)</script><img src=x onerror="alert(2)">{{ 7 * 7 }} \ud800'
DECISIONS = ("tool_call", "request_for_info", "cannot_answer")
# Of every ten rows, how many each variant has right.
SKILL = {"base": 3, "sft": 6, "dpo": 4, "sft-dpo": 8}


def write_run(folder: Path, skill: dict[str, int] = SKILL, rows: int = 60) -> None:
    """A run's channels: suites, predictions and their scores, with a hostile row."""
    choices = [choice_row(DECISIONS[number % 3], f"m{number}") for number in range(rows)]
    own = [text_row("request_for_info", f"o{number}") for number in range(rows)]
    own[0] = call_row(("get_weather", {"city": HOSTILE}), row_id=HOSTILE)
    own[0]["messages"] = [{"role": "user", "content": HOSTILE}]
    write_jsonl(folder / "data" / "suites" / "when2call_mcq.jsonl", choices)
    write_jsonl(folder / "data" / "suites" / "own.jsonl", own)
    for variant, right in skill.items():
        said = ANSWERS["request_for_info"], ANSWERS["cannot_answer"]
        predicted = {
            "when2call_mcq": [choose(row, number % 10 < right) for number, row in enumerate(choices)],
            "own": [
                {"id": row["id"], "completion": said[number % 10 >= right], "format": "hermes"}
                for number, row in enumerate(own)
            ],
        }
        predicted["own"][0]["completion"] = hermes("get_weather", {"city": HOSTILE if right > 5 else "x"})
        predicted["own"][1] = {"id": "o1", "error": HOSTILE}
        for suite, suite_rows in (("when2call_mcq", choices), ("own", own)):
            place = folder / "predictions" / variant / "a-job" / "output" / "model"
            write_jsonl(place / f"{suite}.jsonl", predicted[suite])
            scored = score_suite(suite_rows, predicted[suite])
            write_jsonl(folder / "scores" / variant / f"{suite}.jsonl", scored.records())


def choose(row: dict[str, Any], is_right: bool) -> dict[str, Any]:
    gold = row["expected"]["decision"]
    chosen = gold if is_right else "direct"
    likely = {name: -1.0 if name == chosen else -99.0 for name in ANSWERS}
    choices = {name: {"logprob": nats, "tokens": 2, "characters": 9} for name, nats in likely.items()}
    return {"id": row["id"], "choices": choices}


def arguments(folder: Path) -> list[str]:
    named = {"data": "data", "predictions": "predictions", "scores": "scores", "out": "out"}
    return [text for name, place in named.items() for text in (f"--{name}", str(folder / place))]


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
    assert content.keys() == {"run_id", "suites", "paired", "gate"}
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
    names = {"suite", "metric", "a", "b", "difference", "low", "high", "p", "p_holm"}
    assert all(pair.keys() == names for pair in content["paired"])
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


def test_every_figure_is_in_the_report(run_dir: Path) -> None:
    text = (run_dir / "out" / "report.html").read_text(encoding="utf-8")
    for suite in ("when2call_mcq", "own"):
        for name in SUITES[suite].figures:
            assert f'<th scope="row">{name}</th>' in text


class Page(HTMLParser):
    """Collects what a browser would act on."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]


def test_the_page_escapes_what_comes_from_rows_and_needs_nothing_from_outside(run_dir: Path) -> None:
    text = (run_dir / "out" / "report.html").read_text(encoding="utf-8")
    page = Page()
    page.feed(text)
    assert "alert(1)" in text, "the hostile row is shown"
    assert "script" not in page.tags
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    assert "{{ 7 * 7 }}" in text, "a template in a row is text"
    sources = [value for name, value in page.attributes if name in ("src", "href")]
    assert len(sources) == 4
    assert all(source.startswith("data:image/png;base64,") for source in sources)
    assert all(value for name, value in page.attributes if name == "alt")


def test_pictures_are_drawn_and_not_blank(run_dir: Path) -> None:
    for name in ("accuracy", "recall", "confusion_own", "confusion_when2call_mcq"):
        with Image.open(run_dir / "out" / f"{name}.png") as picture:
            assert picture.width > 500
            assert len(picture.convert("RGB").getcolors(1 << 24) or []) > 20


@pytest.mark.parametrize("rows", [1, 3, 8])
def test_variants_that_are_always_or_never_right_are_drawn_and_compared(tmp_path: Path, rows: int) -> None:
    write_run(tmp_path, {"base": 0, "sft": 10}, rows=max(rows, 2))
    compare.main(arguments(tmp_path))
    assert (tmp_path / "out" / "accuracy.png").is_file()


def test_a_difference_is_called_real_or_noise(run_dir: Path) -> None:
    comparison = compare_variants("r", run_dir / "data", run_dir / "scores")
    told = {f"{pair.suite} {pair.a} {pair.b}": describe_pair(pair) for pair in comparison.pairs}
    assert told["when2call_mcq sft base"].startswith(
        "sft over base: +30.0 points, 95% interval +18.3 to +41.7"
    )
    assert told["when2call_mcq sft base"].endswith("60 rows: real")
    assert told["when2call_mcq dpo base"].endswith("60 rows: within noise") == (
        comparison.pairs[1].p_holm is not None and comparison.pairs[1].p_holm >= 0.05
    )


class Recorder(Run):
    """Stands in for MLflow."""

    def __init__(self) -> None:
        self.metrics: dict[str, float] = {}
        self.artifacts: list[str] = []
        self.tags: dict[str, str | None] = {}

    def log_metrics(self, metrics: Any, step: int = 0) -> None:
        self.metrics.update(metrics)

    def log_artifact(self, path: Path, folder: str | None = None) -> None:
        self.artifacts.append(path.name)

    def set_tags(self, tags: Any) -> None:
        self.tags.update(tags)


def test_mlflow_gets_every_figure_and_file(run_dir: Path, tmp_path: Path) -> None:
    comparison = compare_variants("r", run_dir / "data", run_dir / "scores")
    recorder = Recorder()
    compare.report_to_mlflow(recorder, comparison, compare.write_results(comparison, {}, tmp_path))
    assert recorder.metrics["when2call_mcq/acc_norm/sft-dpo"] == 0.8
    assert recorder.metrics["own/recall_request_for_info/base"] == pytest.approx(16 / 58)
    assert not [name for name in recorder.metrics if "direct" in name], "what has no rows has no figure"
    names = {name.split("/")[1] for name in recorder.metrics if not name.split("/")[1].startswith("recall")}
    assert names == {"acc", "acc_norm", "accuracy", "decision_accuracy"}, "each is a chart: the main ones"
    assert {"comparison.json", "report.html", "accuracy.png", "recall.png"} < set(recorder.artifacts)
    assert recorder.tags["variants"] == "base,sft,dpo,sft-dpo"
    assert "| sft-dpo | 80.0%" in str(recorder.tags["mlflow.note.content"])


def test_one_variant_alone_is_reported_without_pairs(tmp_path: Path) -> None:
    write_run(tmp_path, {"base": 3}, rows=9)
    compare.main(arguments(tmp_path))
    assert read_comparison(tmp_path)["paired"] == []
    assert "no two variants" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")


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
