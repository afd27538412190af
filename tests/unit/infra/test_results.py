"""A local run's folder: what comes there from the embedded S3, and the lines that sum it up."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from infra.local import results
from infra.local.objects import NoSuchObjects
from infra.local.results import fetch_results
from infra.local.summary import print_summary

PREFIX = "s3://bucket/runs/r/"
JOBS = {"sft_dpo": {"model_uri": f"{PREFIX}train/sft-dpo/j/output/model/model/"}}


class Bucket:
    """Objects by URI, downloaded as an S3Prefix channel is."""

    def __init__(self, objects: dict[str, str]) -> None:
        self.objects = objects

    def download(self, uri: str, target: Path, cache: Path | None = None) -> int:
        found = {key: text for key, text in self.objects.items() if key.startswith(uri)}
        if not found:
            raise NoSuchObjects(uri)
        for key, text in found.items():
            path = target / key.removeprefix(uri)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return len(found)


def _fetch(objects: dict[str, str], folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    bucket = Bucket({f"{PREFIX}{key}": text for key, text in objects.items()})
    monkeypatch.setattr(results, "download_prefix", bucket.download)
    fetch_results("bucket", "r", folder)
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


WHOLE = {
    "prepare/j/output/model/report.json": "{}",
    "prepare/j/output/model/base_model/config.json": "{}",
    "predict/sft-dpo/j/output/model/own.jsonl": "",
    "scores/sft-dpo/own.jsonl": "",
    "compare/j/output/model/comparison.json": "before the gate",
    "report/j/output/model/comparison.json": "after the gate",
    "report/j/output/model/report.html": "<html>",
    "train/sft-dpo/j/output/model/model/model.safetensors": "weights",
}


def test_the_reports_comparison_takes_the_place_of_the_comparisons(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = json.dumps({"jobs": JOBS, "gate": {"promoted": None}})
    assert _fetch({**WHOLE, "plan/plan.json": plan}, tmp_path, monkeypatch) == [
        "comparison.json",
        "data/report.json",
        "plan.json",
        "predictions/sft-dpo/own.jsonl",
        "report.html",
        "scores/sft-dpo/own.jsonl",
    ]
    assert (tmp_path / "comparison.json").read_text() == "after the gate"


def test_the_promoted_model_outlives_the_embedded_bucket(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = json.dumps({"jobs": JOBS, "gate": {"promoted": "sft-dpo"}})
    found = _fetch({**WHOLE, "plan/plan.json": plan}, tmp_path, monkeypatch)
    assert "model/model.safetensors" in found


def test_a_run_that_failed_early_leaves_what_it_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    objects = {"prepare/j/output/model/report.json": "{}"}
    assert _fetch(objects, tmp_path, monkeypatch) == ["data/report.json"]


ESTIMATE = {"value": 0.5, "low": 0.4, "high": 0.6, "n": 120}
REASONS = [f"own/{name} -10.0 points over base, tolerance 3" for name in ("a", "b", "c", "d", "e")]


def _rule(variant: str, statement: str, *, passed: bool = False) -> dict[str, Any]:
    return {"variant": variant, "statement": statement, "passed": passed}


def _summed_up(folder: Path, capsys: pytest.CaptureFixture[str], plan: dict[str, Any] | None) -> str:
    variants = {name: {"metrics": {"accuracy": ESTIMATE}, "recall": {}} for name in ("base", "sft")}
    pair = {"suite": "own", "metric": "accuracy", "statement": "sft over base: +4.1 points: real"}
    comparison = {"suites": {"own": variants}, "paired": [pair]}
    (folder / "comparison.json").write_text(json.dumps(comparison))
    if plan is not None:
        (folder / "plan.json").write_text(json.dumps(plan))
    print_summary(folder)
    return capsys.readouterr().out


def test_a_run_is_summed_up_in_one_look(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    risen = _rule("sft", "own/accuracy +9.0 points over base", passed=True)
    rules = [risen, *(_rule("sft", reason) for reason in REASONS), _rule("dpo", REASONS[0])]
    gate = {"promoted": None, "statement": "No variant is promoted. sft: many things.", "rules": rules}
    cost = {"actual": {"statement": "$0.62 of at most $18.40"}}
    text = _summed_up(tmp_path, capsys, {"gate": gate, "cost": cost})
    assert "own, accuracy:\n  sft over base: +4.1 points: real\n" in text
    first_three = "".join(f"  sft: {reason}\n" for reason in REASONS[:3])
    assert f"Gate: No variant is promoted.\n{first_three}" in text
    assert f"  sft: and 2 more, in report.html\n  dpo: {REASONS[0]}\n" in text
    assert "Cost: $0.62 of at most $18.40 (nothing was billed here" in text
    assert max(len(line) for line in text.splitlines()) <= 118


VERDICTS: list[tuple[str | None, str, list[dict[str, Any]], str, str]] = [
    (
        "sft",
        "sft is promoted: own/accuracy +9.0 points over base; 7 guards held.",
        [_rule("dpo", REASONS[0])],
        "Gate: sft is promoted: own/accuracy +9.0 points over base; 7 guards held.\n  dpo: own/a -10.0",
        "a winner, and what stopped the other",
    ),
    (
        None,
        "No variant is promoted: the run trained none.",
        [],
        "Gate: No variant is promoted: the run trained none.\n",
        "no rule was asked",
    ),
]


@pytest.mark.parametrize(
    ("promoted", "statement", "rules", "said", "reason"), VERDICTS, ids=["promoted", "none"]
)
def test_the_verdict_is_printed_as_it_stands(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    promoted: str | None,
    statement: str,
    rules: list[dict[str, Any]],
    said: str,
    reason: str,
) -> None:
    gate = {"promoted": promoted, "statement": statement, "rules": rules}
    assert said in _summed_up(tmp_path, capsys, {"gate": gate}), reason


def test_without_a_plan_there_is_no_verdict_to_print(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = _summed_up(tmp_path, capsys, None)
    assert "50.0 [40, 60]" in text
    assert "Gate" not in text
    assert "Cost" not in text
