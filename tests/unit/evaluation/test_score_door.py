"""The scoring door: a table or JSON, scores in a file, and clear words for what does not fit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from evaluation import score
from evaluation.jsonl import read_jsonl, write_jsonl
from jobs.doors import BadInput
from tests.unit.evaluation.rows import call_row, choice_row, hermes, text_row

LINE = json.dumps(text_row("direct")) + "\n"
PARIS = hermes("get_weather", {"city": "Paris"})


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    rows = [call_row(("get_weather", {"city": "Paris"}), row_id=name) for name in ("a", "b", "c")]
    predictions = [
        {"id": "a", "completion": PARIS, "format": "hermes"},
        {"id": "b", "completion": "<tool_call>{", "format": "hermes"},
        {"id": "x", "completion": PARIS, "format": "hermes"},
    ]
    write_jsonl(tmp_path / "rows.jsonl", rows)
    write_jsonl(tmp_path / "predictions.jsonl", predictions)
    return [str(tmp_path / "rows.jsonl"), str(tmp_path / "predictions.jsonl")]


def run(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    score.main(arguments)
    return capsys.readouterr().out


def test_the_table_counts_unscored_rows_apart(files: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    table = run(files, capsys)
    assert "3 rows, 2 scored, 1 unscored" in table
    assert "unscored 1 x no prediction has this id" in table
    assert "1 predictions belong to no row, such as 'x'" in table
    assert "accuracy               50.0%" in table
    assert "malformed_call" in table


def test_json_and_scores_are_written(
    files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "deep" / "scores.jsonl"
    content: dict[str, Any] = json.loads(run([*files, "--json", "--out", str(out)], capsys))
    assert (content["rows"], content["unscored"], content["unknown_ids"]) == (3, 1, ["x"])
    assert content["metrics"]["accuracy"]["value"] == 0.5
    assert content["reasons"] == {"correct": 1, "malformed_call": 1}
    assert [(one["id"], one["value"]) for one in read_jsonl(out)] == [("a", 1.0), ("b", 0.0), ("c", None)]


def test_multiple_choice_is_reported_by_its_own_metrics(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    row = choice_row("direct")
    likely = {name: {"logprob": -9.0, "tokens": 1, "characters": 3} for name in row["answers"]}
    write_jsonl(tmp_path / "rows.jsonl", [row])
    write_jsonl(tmp_path / "predictions.jsonl", [{"id": "r1", "choices": likely}])
    paths = [str(tmp_path / "rows.jsonl"), str(tmp_path / "predictions.jsonl")]
    content = json.loads(run([*paths, "--json"], capsys))
    assert content["metrics"]["acc_norm"]["value"] == 1.0, "of equal choices the first is taken"


def test_bfcl_strict_is_stricter(
    files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spelled = {
        "id": "a",
        "completion": hermes("get_weather", {"city": "Paris", "days": 1}),
        "format": "hermes",
    }
    write_jsonl(tmp_path / "predictions.jsonl", [spelled])
    assert "100.0%" in run(files, capsys), "a default that is written out says nothing new"
    assert "extra_argument" in run([*files, "--bfcl-strict"], capsys)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "predictions",
            '{"id": "y", "completion": "", "format": "hermes"}\n',
            "not one of its 1 ids is a row",
        ),
        ("predictions", '{"id": "a"\n', r"predictions\.jsonl, line 1: not JSON"),
        ("predictions", "5\n", "expected a JSON object"),
        ("rows", LINE.replace('"r1"', "5"), "row 1: 'id' must be a string"),
        ("rows", LINE + LINE, "row 2: the id 'r1' is there twice"),
        ("rows", LINE.replace("direct", "shout"), "row 1: 'expected.decision' must be one of tool_call"),
        ("rows", LINE.replace('"tools"', '"tool"'), "row 1: 'tools' must be the JSON text"),
        ("rows", LINE.replace('"messages"', '"turns"'), "row 1: 'messages' must be a list"),
    ],
)
def test_bad_files_are_named_with_their_line(
    files: list[str], tmp_path: Path, name: str, content: str, message: str
) -> None:
    (tmp_path / f"{name}.jsonl").write_text(content)
    with pytest.raises(BadInput, match=message):
        score.main(files)


def test_an_absent_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no such file"):
        score.main([str(tmp_path / "none.jsonl"), str(tmp_path / "none.jsonl")])
