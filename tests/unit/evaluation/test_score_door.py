"""The scoring door: a table or JSON, scores in a file, and clear words for what does not fit."""

from __future__ import annotations

import gzip
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pyarrow  # type: ignore[import-untyped]
import pytest

from data.lines import MAX_LINE_BYTES
from evaluation import inputs, score
from evaluation.jsonl import read_jsonl, write_jsonl
from evaluation.suites import SUITES
from evaluation.toolcalls import parse_completion, score_suite
from jobs.doors import BadInput
from tests.unit.evaluation.rows import ANSWERS, call_row, choice_row, hermes, text_row
from tests.unit.evaluation.test_real_rows import gold_completion, read

ROOT = Path(__file__).resolve().parents[3]
SHIPPED = ROOT / "examples" / "rows" / "test.jsonl"
LINE = json.dumps(text_row("direct")) + "\n"
PARIS_CALL = ("get_weather", {"city": "Paris"})
PARIS = hermes(*PARIS_CALL)
GOOD = json.dumps({"id": "a", "completion": PARIS})
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
    assert content["metrics"].keys() == set(SUITES["own"].figures)
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
    assert content["categories"] == {}, "nor has it an ast_accuracy by source"


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
    with (tmp_path / "predictions.jsonl").open("a") as predictions:
        predictions.write(json.dumps({"id": "d", "completion": PARIS}) + "\n")
    table = run(files, capsys)
    assert "5 rows, 2 scored, 3 unscored\n" in table
    assert "unscored 1 x the row cannot be read: 'line' is not JSON" in table
    assert "2 of the rows cannot be read:" in table
    content = json.loads(run([*files, "--json", "--out", str(tmp_path / "scores.jsonl")], capsys))
    assert (content["rows"], content["unscored"], sum(content["errors"].values())) == (5, 3, 3)
    assert [(one["line"], one["field"], one["id"]) for one in content["unread"]] == [
        (5, "expected", "d"),
        (6, "line", None),
    ]
    assert content["unknown_ids"] == ["x"], "d is a row, though one that cannot be read"
    written = {one["id"]: one["value"] for one in read_jsonl(tmp_path / "scores.jsonl")}
    assert written == {"a": 1.0, "b": 0.0, "c": None, "d": None}


@pytest.mark.parametrize(
    ("line", "mend"),
    [
        (b'{"id": "d", "name": "\xe9", "expected": 5}\n', "save the file as UTF-8"),
        (b'{"uuid": "d", "expected": 5, "messages": []}\n', "."),
    ],
    ids=["latin_1", "uuid"],
)
def test_the_id_of_a_row_that_cannot_be_read_is_found_where_it_can_be(
    line: bytes, mend: str, files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with (tmp_path / "rows.jsonl").open("ab") as rows:
        rows.write(line)
    (one,) = json.loads(run([*files, "--json"], capsys))["unread"]
    assert one["id"] == "d"
    assert re.search(mend, one["mend"])


def test_a_row_that_is_too_long_is_told_without_options_of_other_commands(
    files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with (tmp_path / "rows.jsonl").open("a") as rows:
        rows.write(json.dumps({"id": "long", "text": "x" * MAX_LINE_BYTES}) + "\n")
    (one,) = json.loads(run([*files, "--json"], capsys))["unread"]
    assert "is longer than" in one["reason"]
    assert one["mend"].startswith("shorten it")


def test_a_prediction_may_be_longer_than_a_row_and_not_without_end(
    files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_jsonl(tmp_path / "predictions.jsonl", [{"id": "a", "completion": "x" * (MAX_LINE_BYTES + 1)}])
    assert "1 scored" in run(files, capsys)
    monkeypatch.setattr(inputs, "MAX_PREDICTION_BYTES", 1_000)
    with pytest.raises(BadInput, match=r"predictions\.jsonl, line 1: is longer than 1,000 bytes; shorten"):
        score.main(files)


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
        ("predictions", "", r"predictions\.jsonl: the file is empty"),
        ("predictions", "\n \n", r"predictions\.jsonl: the file is empty"),
        ("predictions", f"[{GOOD}]", r"predictions\.jsonl: is one JSON array; write one object a line"),
        (
            "predictions",
            json.dumps(json.loads(GOOD), indent=1),
            "line 1: not JSON .*; write one object a line",
        ),
        ("predictions", '{"id": "a", "completion": ' + "9" * 5000 + "}", "line 1: not JSON that can be read"),
        ("predictions", "[" * 10**5, "is one JSON array"),
        ("predictions", '{"id": ' + "[" * 10**5, "line 1: not JSON that can be read"),
        ("predictions", '\n{"id": "a"\n', r"predictions\.jsonl, line 2: not JSON"),
        ("predictions", "5\n", r"predictions\.jsonl, line 1: expected a JSON object, found 5; write one"),
        ("predictions", '{"id": "", "completion": ""}\n', "line 1: 'id' is ''; give the id"),
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


@pytest.mark.parametrize(
    ("name", "encode", "why"),
    [
        ("p.jsonl", lambda text: text.encode("utf-8-sig"), "a byte order mark, as Windows writes it"),
        ("p.jsonl", lambda text: text.replace("\n", "\r\n").encode(), "line ends of Windows"),
        ("p.jsonl.gz", lambda text: gzip.compress(text.encode()), "gzip"),
        ("p.jsonl.zst", lambda text: pyarrow.compress(text.encode(), "zstd", asbytes=True), "zstd"),
    ],
    ids=["mark", "crlf", "gz", "zst"],
)
def test_predictions_are_read_however_they_are_written(
    name: str,
    encode: Callable[[str], bytes],
    why: str,
    files: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    plain = run(files, capsys)
    (tmp_path / name).write_bytes(encode((tmp_path / "predictions.jsonl").read_text()))
    assert run([files[0], str(tmp_path / name)], capsys) == plain, why


@pytest.mark.parametrize(
    ("encoding", "message"),
    [
        ("utf-16", "UTF-16 text: save it as UTF-8"),
        ("utf-16-be", "is binary"),
        ("latin-1", "line 2: is not UTF-8 at byte 27; save the file as UTF-8"),
    ],
)
def test_predictions_in_another_encoding_are_told_so(
    encoding: str, message: str, files: list[str], tmp_path: Path
) -> None:
    (tmp_path / "predictions.jsonl").write_bytes(f'{GOOD}\n{{"id": "b", "completion": "é"}}'.encode(encoding))
    with pytest.raises(BadInput, match=f"predictions.jsonl.*{message}"):
        score.main(files)


@pytest.mark.parametrize("place", [0, 1], ids=["rows", "predictions"])
def test_a_directory_is_told_with_the_files_in_it(place: int, files: list[str], tmp_path: Path) -> None:
    files[place] = str(tmp_path)
    with pytest.raises(BadInput, match=r"is a directory; name a file in it: predictions\.jsonl, rows\.jsonl"):
        score.main(files)
    files[place] = str(tmp_path / "empty")
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInput, match=r"empty: is a directory; name a file$"):
        score.main(files)


def test_a_pipe_is_no_file_to_read(files: list[str], tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(BadInput, match="pipe: is no regular file; write its lines to one"):
        score.main([files[0], str(tmp_path / "pipe")])


@pytest.mark.parametrize(
    ("out", "message", "why"),
    [
        ("rows.jsonl", "is the input .*rows.jsonl, which it would replace", "the gold answers"),
        ("predictions.jsonl", "is the input .*predictions.jsonl, which it would", "hours of a model"),
        ("folder/../rows.jsonl", "is the input", "by another name"),
        ("symlink.jsonl", "is the input", "by a symlink"),
        ("hardlink.jsonl", "is the input", "by a hard link"),
        ("folder", "is a directory; name a file in it", "a folder"),
        ("pipe", "is no regular file", "nobody reads it"),
        ("/dev/full", "is no regular file", "a device"),
        ("/dev/stdout", "is no file; name one, and use --json to print", "standard output"),
        ("-", "is no file; name one, and use --json to print", "standard output, as some commands have it"),
        ("/proc/nowhere/scores.jsonl", "is no file", "of the kernel"),
        ("rows.jsonl/scores.jsonl", "rows.jsonl is no directory; name another file", "a file for a folder"),
        ("loop", "cannot be written", "a symlink to itself"),
        ("x" * 300, "cannot be written: .*name another file", "a name that is too long"),
        ("", "--out: is empty; name a file", "an unset variable"),
    ],
    ids=lambda value: value[:24] if value else "empty",
)
def test_out_is_refused_where_it_would_destroy_or_cannot_be_written(
    out: str, message: str, why: str, files: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "symlink.jsonl").symlink_to("rows.jsonl")
    (tmp_path / "hardlink.jsonl").hardlink_to("predictions.jsonl")
    (tmp_path / "loop").symlink_to("loop")
    before = {path: path.is_file() and path.read_bytes() for path in tmp_path.rglob("*")}
    with pytest.raises(BadInput, match=message):
        score.main([*files, "--out", out])
    assert {path: path.is_file() and path.read_bytes() for path in tmp_path.rglob("*")} == before, why


def test_out_that_may_not_be_written_is_refused(
    files: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "kept.jsonl").write_text("kept")
    # Root may write everywhere, so that the right is taken away here.
    monkeypatch.setattr("os.access", lambda path, mode: False)
    with pytest.raises(BadInput, match="is there and may not be written; name another file"):
        score.main([*files, "--out", str(tmp_path / "kept.jsonl")])
    assert (tmp_path / "kept.jsonl").read_text() == "kept"


def test_a_write_that_fails_leaves_nothing_behind(
    files: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(BadInput, match=r"scores\.jsonl: cannot be written: No space left on device"):
        score.main([*files, "--out", str(tmp_path / "scores.jsonl")])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["predictions.jsonl", "rows.jsonl"]


def test_out_follows_a_symlink_and_replaces_older_scores(
    files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "store").mkdir()
    (tmp_path / "scores.jsonl").symlink_to("store/kept.jsonl")
    for _ in range(2):
        run([*files, "--out", str(tmp_path / "scores.jsonl")], capsys)
        assert (tmp_path / "scores.jsonl").is_symlink()
        assert len(read_jsonl(tmp_path / "store" / "kept.jsonl")) == 3


@pytest.mark.parametrize("error", [False, "", None, 0], ids=repr)
def test_an_error_that_says_nothing_is_none(
    error: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = {"id": "r1", "completion": PARIS, "error": error}
    assert accuracy_of(score_of_lines(tmp_path, [ROW], [said], capsys)) == (1.0, 1, 0)


@pytest.mark.parametrize(
    ("ids", "why"),
    [
        ({"uuid": "r1"}, "as When2Call names its rows"),
        ({"id": None, "uuid": "r1"}, "an empty column"),
        ({"id": "r1", "uuid": "other"}, "the id comes first"),
    ],
    ids=["uuid", "empty_id", "both"],
)
def test_a_prediction_is_named_as_rows_are(
    ids: dict[str, Any], why: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = score_of_lines(tmp_path, [ROW], [{**ids, "completion": PARIS}], capsys)
    assert accuracy_of(content) == (1.0, 1, 0), why


def test_the_help_says_that_any_format_counts_unless_one_is_named(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        score.main(["--help"])
    said = " ".join(capsys.readouterr().out.split())
    assert "Name the format to hold a model to it" in said


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
