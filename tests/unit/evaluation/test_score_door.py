"""The scoring door: a table or JSON, scores in a file, and clear words for what does not fit."""

from __future__ import annotations

import gzip
import json
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from evaluation import score
from evaluation.jsonl import read_jsonl, write_jsonl
from evaluation.suites import GENERATED_CALLS
from evaluation.toolcalls import parse_completion, score_suite
from jobs.doors import BadInput
from tests.unit.evaluation.rows import ANSWERS, call_row, choice_row, hermes, text_row
from tests.unit.evaluation.test_real_rows import gold_completion, read

ROOT = Path(__file__).resolve().parents[3]
SHIPPED = ROOT / "examples" / "rows" / "test.jsonl"
LINE = json.dumps(text_row("direct")) + "\n"
PARIS_CALL = ("get_weather", {"city": "Paris"})
PARIS = hermes(*PARIS_CALL)
CALL = {"name": "get_weather", "arguments": {"city": "Paris"}}
ROW = call_row(PARIS_CALL)


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
    assert re.search(r"^accuracy +50\.0% +9\.5% to 90\.5% +2  rows$", table, re.MULTILINE)
    assert re.search(r"^malformed_call +1$", table, re.MULTILINE)
    assert re.search(r"^expected / taken +tool_call +malformed_call\ntool_call +1 +1$", table, re.MULTILINE)


def test_json_and_scores_are_written(
    files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "deep" / "scores.jsonl"
    content: dict[str, Any] = json.loads(run([*files, "--json", "--out", str(out)], capsys))
    assert (content["rows"], content["unscored"], content["unknown_ids"]) == (3, 1, ["x"])
    accuracy = content["metrics"]["accuracy"]
    assert (accuracy["value"], accuracy["n"], accuracy["source"]) == (0.5, 2, "Toolwright")
    assert accuracy["low"] < 0.5 < accuracy["high"]
    assert content["metrics"].keys() == set(GENERATED_CALLS.figures)
    assert content["confusion"] == {"tool_call": {"malformed_call": 1, "tool_call": 1}}
    assert content["unread"] == []
    assert content["reasons"] == {"correct": 1, "malformed_call": 1}
    assert [(one["id"], one["value"]) for one in read_jsonl(out)] == [("a", 1.0), ("b", 0.0), ("c", None)]
    assert [path.name for path in out.parent.iterdir()] == ["scores.jsonl"], "whole, or not there"


def message(*calls: tuple[str, Any], content: str | None = None) -> dict[str, Any]:
    """An assistant message as OpenAI-shaped servers answer it."""
    called = [
        {"type": "function", "function": {"name": name, "arguments": json.dumps(given)}}
        for name, given in calls
    ]
    return {"role": "assistant", "content": content, **({"tool_calls": called} if called else {})}


def as_message(text: str) -> dict[str, Any]:
    """The message that a server makes of a text with Hermes' calls."""
    parsed = parse_completion(text, "hermes")
    calls = [(call.name, call.arguments) for call in parsed.calls]
    return message(*calls, content=parsed.text or None)


def score_of_lines(
    folder: Path, rows: Any, predictions: Any, capsys: pytest.CaptureFixture[str], *options: str
) -> dict[str, Any]:
    """What the door says in JSON of these rows, a path or a list, and these predictions."""
    if not isinstance(rows, Path):
        write_jsonl(folder / "rows.jsonl", rows)
        rows = folder / "rows.jsonl"
    write_jsonl(folder / "predictions.jsonl", predictions)
    content: dict[str, Any] = json.loads(
        run([str(rows), str(folder / "predictions.jsonl"), "--json", *options], capsys)
    )
    return content


def accuracy_of(content: Mapping[str, Any]) -> tuple[float, int, int]:
    return content["metrics"]["accuracy"]["value"], content["rows"], content["unscored"]


def test_multiple_choice_is_reported_by_its_own_metrics(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    row = choice_row("direct")
    likely = {name: {"logprob": -9.0, "tokens": 1, "characters": 3} for name in row["answers"]}
    likely["direct"]["logprob"] = -8.0
    content = score_of_lines(tmp_path, [row], [{"id": "r1", "choices": likely}], capsys)
    assert content["metrics"]["acc_norm"]["value"] == 1.0
    assert "accuracy" not in content["metrics"], "a likelihood writes no call"


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


@pytest.mark.parametrize("as_completion", [str, as_message], ids=["texts", "messages"])
def test_gold_completions_of_the_shipped_rows_are_all_correct(
    as_completion: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    predictions = []
    for raw in read_jsonl(SHIPPED):
        gold = raw["answers"][raw["correct_answer"]]
        text = f"<tool_call>{gold}</tool_call>" if raw["correct_answer"] == "tool_call" else gold
        predictions.append({"id": raw["uuid"], "completion": as_completion(text)})
    content = score_of_lines(tmp_path, SHIPPED, predictions, capsys)
    calls = content["metrics"]["ast_accuracy"]
    assert (content["rows"], content["unscored"], content["unknown_ids"]) == (len(predictions), 0, [])
    assert (calls["value"], calls["n"]) == (1.0, content["recall"]["tool_call"]["n"])
    assert calls["n"] >= 100


@pytest.mark.parametrize("as_completion", [str, as_message], ids=["texts", "messages"])
def test_gold_completions_of_real_rows_are_all_correct(
    as_completion: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = list(read("calls_test.jsonl"))
    predictions = [{"id": raw["id"], "completion": as_completion(gold_completion(raw))} for raw in rows]
    content = score_of_lines(tmp_path, rows, predictions, capsys)
    assert accuracy_of(content) == (1.0, 915, 0)
    assert (content["unread"], content["unknown_ids"], content["reasons"]) == ([], [], {"correct": 915})
    assert len(content["categories"]) > 5


@pytest.mark.parametrize(
    ("prediction", "options", "accuracy", "why"),
    [
        ({"completion": PARIS}, (), 1.0, "the text shows its format"),
        ({"completion": message(PARIS_CALL)}, (), 1.0, "a server's answer"),
        (
            {"completion": message(PARIS_CALL), "format": "hermes"},
            (),
            1.0,
            "a message is no text",
        ),
        ({"completion": message(content="Which city?")}, (), 0.0, "a message without calls asks"),
        ({"completion": json.dumps(CALL)}, ("--format", "bare_json"), 1.0, "named for all lines"),
        ({"completion": PARIS, "format": "hermes"}, ("--format", "bare_json"), 1.0, "a line knows better"),
        ({"completion": PARIS[:-14]}, (), 0.0, "cut off"),
        ({"completion": PARIS[:-14]}, ("--lenient",), 1.0, "and mended"),
    ],
)
def test_a_completion_is_read_by_its_format(
    prediction: dict[str, Any],
    options: tuple[str, ...],
    accuracy: float,
    why: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    content = score_of_lines(tmp_path, [ROW], [{"id": "r1", **prediction}], capsys, *options)
    assert accuracy_of(content) == (accuracy, 1, 0), why


def test_rows_of_any_shape_keep_their_id_and_gold_counts_as_it_is_published(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tool = {"name": "f", "parameters": {"type": "object", "properties": {"n": {"type": "integer"}}}}
    asked = [{"role": "user", "content": "Please."}]
    call = {"type": "function", "function": {"name": "f", "arguments": '{"n": 1}'}}
    answer = {"role": "assistant", "content": "", "tool_calls": [call]}
    rows = [
        {"id": 7, "tools": [tool], "messages": [*asked, answer]},
        {"id": "bfcl", "question": [asked], "function": [tool], "ground_truth": [{"f": {"n": [1, "one"]}}]},
        {
            "id": "misfit",
            "label": "call",
            "tools": [tool],
            "messages": asked,
            "gold_calls": [{"name": "f", "arguments": {"n": "one"}}],
        },
    ]
    predictions = [
        {"id": 7, "completion": hermes("f", {"n": 1})},
        {"id": "bfcl", "completion": hermes("f", {"n": 1})},
        {"id": "misfit", "completion": hermes("f", {"n": "one"})},
    ]
    assert accuracy_of(score_of_lines(tmp_path, rows, predictions, capsys)) == (1.0, 3, 0)
    zipped = tmp_path / "rows.jsonl.gz"
    zipped.write_bytes(gzip.compress((tmp_path / "rows.jsonl").read_bytes()))
    assert accuracy_of(score_of_lines(tmp_path, zipped, predictions, capsys)) == (1.0, 3, 0)


def test_a_line_that_is_no_row_is_named_and_counted(
    files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with (tmp_path / "rows.jsonl").open("a") as rows:
        rows.write('\n{"id": "d", "expected": 5, "messages": []}\n{"id": "e"\n')
    table = run(files, capsys)
    assert "3 rows, 2 scored, 1 unscored\n" in table
    assert "2 lines are no row that can be read" in table
    content = json.loads(run([*files, "--json"], capsys))
    assert [(one["line"], one["field"]) for one in content["unread"]] == [(5, "expected"), (6, "line")]


def test_no_line_of_the_table_is_wider_than_a_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [{**ROW, "id": f"r{number}", "source": "long-name-" * number} for number in range(1, 30)]
    said = [*ANSWERS.values(), PARIS, "<tool_call>", hermes("fly", {})]
    predictions = [
        {"id": row["id"], "completion": said[number % len(said)]} for number, row in enumerate(rows[:20])
    ]
    predictions.append({"id": "r21", "error": "no memory \ud800\n\x1b[2J" * 50})
    write_jsonl(tmp_path / "rows.jsonl", rows)
    write_jsonl(tmp_path / "predictions.jsonl", [*predictions, {"id": "x" * 300, "completion": ""}])
    with (tmp_path / "rows.jsonl").open("a") as file:
        file.write("{}\n" * 30)
    table = run([str(tmp_path / "rows.jsonl"), str(tmp_path / "predictions.jsonl")], capsys)
    assert max(map(len, table.splitlines())) <= 100
    assert "and 20 more" in table
    assert "\x1b" not in table
    assert table.encode("utf-8"), "what a model wrote cannot stop the printing"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("predictions", '{"id": "y", "completion": ""}\n', "not one of its 1 ids is a row"),
        ("predictions", "", "not one of its 0 ids is a row"),
        ("predictions", '\n{"id": "a"\n', r"predictions\.jsonl, line 2: not JSON"),
        ("predictions", "5\n", r"predictions\.jsonl, line 1: expected a JSON object"),
        ("predictions", '\n{"completion": ""}\n', r"predictions\.jsonl, line 2: 'id' is absent; give the id"),
        ("predictions", '{"id": {}}\n', "'id' is {}; give the id of the row"),
        (
            "predictions",
            '{"id": "a"}\n',
            "line 1: 'completion' is absent; give the model's text or its",
        ),
        ("predictions", '{"id": "a", "completion": null}\n', "'completion' is None; give the model's text"),
        ("predictions", '{"id": "a", "completion": ["x"]}\n', r"'completion' is \['x'\]; give the model's"),
        ("predictions", '{"id": "a", "choices": 5}\n', "line 1: 'choices' is 5; give {name: "),
        (
            "predictions",
            '{"id": "a", "completion": "", "format": "hermse"}\n',
            "line 1: 'format' is 'hermse'; it is one of hermes, qwen3",
        ),
        (
            "predictions",
            '{"id": "a", "completion": ""}\n{"id": "b", "choices": {}}\n',
            "mixes 'choices' and 'completion'.*split the file",
        ),
        ("rows", "", r"rows\.jsonl: the file is empty"),
        ("rows", f"[{LINE}]", r"rows\.jsonl: is one JSON array"),
        ("rows", LINE + LINE, r"rows\.jsonl, line 2: the id 'r1' is there twice; give each row its own"),
        ("rows", LINE.replace("direct", "shout"), "line 1: 'expected.decision' .*; not one of its 1 lines"),
        ("rows", LINE.replace('"messages"', '"turns"'), "line 1: 'messages' is not a list of messages"),
        ("rows", '{"raw_output": "x"}\n', "is a model output"),
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


def test_bad_input_ends_the_command_with_2_and_one_clear_line(files: list[str], tmp_path: Path) -> None:
    (tmp_path / "predictions.jsonl").write_text('{"id": "a"}\n')
    command = [sys.executable, "-m", "evaluation.score", *files]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert re.fullmatch(
        r"ERROR BadInput: .*predictions\.jsonl, line 1: 'completion' is absent.*\n", ended.stderr
    )


def test_a_lenient_suite_mends_and_a_strict_one_does_not() -> None:
    cut_off = {"id": "r1", "completion": PARIS[:-14], "format": "hermes"}
    assert score_suite([ROW], [cut_off]).scores["r1"].reason == "malformed_call"
    assert score_suite([ROW], [cut_off], lenient=True).scores["r1"].is_correct
