"""BFCL's rows: the same whatever they come in, all that are published, and seen in training data."""

import json
import shutil
import struct
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from data import bfcl
from data.bfcl import CATEGORIES, find_bfcl, installed_folder, is_bfcl
from data.prepare import prepare
from data.request import read_request
from evaluation.toolcalls import parse_completion, score_completion
from jobs.doors import BadInput
from tests.unit.data.test_prepare import report_of, rows_of
from tests.unit.data.test_shapes import ASKS, CALLED, TOOL, USER, chat

pytestmark = pytest.mark.usefixtures("outside_of_any_job")

WriteLines = Callable[[str, Sequence[Any]], Path]
SUITE = "suites/bfcl_single_turn.jsonl"
QUESTION = "Where is the parcel with number A1 that I sent to Lyon on Monday?"
FUNCTION = [{**TOOL, "description": "Track."}]


def asked(identity: str, question: str) -> dict[str, Any]:
    """A question as BFCL publishes it."""
    return {"id": identity, "question": [[{"role": "user", "content": question}]], "function": FUNCTION}


ASKED: dict[str, list[Any]] = {
    # Alike but for the id, as some rows of BFCL are.
    "simple_python": [asked("simple_python_0", QUESTION), asked("simple_python_1", QUESTION)],
    "live_irrelevance": [asked("live_irrelevance_0", "\x1b?")],
    "live_relevance": [asked("live_relevance_0", "A1?")],
    "multi_turn_base": [{"id": "multi_turn_base_0", "question": [[USER], [USER]], "involved_classes": ["X"]}],
}
TRUTHS: dict[str, list[Any]] = {
    "simple_python": [
        {"id": "simple_python_0", "ground_truth": [{"track": {"number": ["A1", "a1"]}}]},
        {"id": "simple_python_1", "ground_truth": [{"track": {"number": []}}]},
    ],
}
DIST_INFO = {
    "METADATA": "Metadata-Version: 2.1\nName: bfcl-eval\nVersion: 2026.3.23\n",
    "WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    "RECORD": "",
}
IDS = ["simple_python_0", "simple_python_1", "live_irrelevance_0", "live_relevance_0"]


@pytest.fixture
def layout(write_lines: WriteLines, tmp_path: Path) -> Path:
    """A folder laid out as BFCL's data folder is."""
    for name, rows in ASKED.items():
        write_lines(f"bfcl_eval/data/BFCL_v4_{name}.json", rows)
    for name, rows in TRUTHS.items():
        write_lines(f"bfcl_eval/data/possible_answer/BFCL_v4_{name}.json", rows)
    return tmp_path / "bfcl_eval/data"


@pytest.fixture
def wheel(layout: Path, tmp_path: Path) -> Path:
    path = tmp_path / "bfcl_eval-2026.3.23-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as packed:
        for file in sorted(layout.rglob("*.json")):
            packed.write(file, file.relative_to(tmp_path))
        packed.writestr("bfcl_eval/constants.py", "raise SystemExit")
        for name, text in DIST_INFO.items():
            packed.writestr(f"bfcl_eval-2026.3.23.dist-info/{name}", text)
        packed.writestr("bfcl_eval/data/BFCL_v4_multiple.json/../../../../evil.json", "{}")
    return path


@pytest.fixture
def bucket(layout: Path, wheel: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    for variable in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(variable, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        client = boto3.client("s3")
        client.create_bucket(Bucket="rows")
        for file in sorted(layout.rglob("*.json")):
            client.upload_file(str(file), "rows", f"bfcl/{file.relative_to(layout)}")
        client.upload_file(str(wheel), "rows", f"wheels/{wheel.name}")
        yield "rows"


def prepared(out: Path, *arguments: str | Path) -> bytes:
    """The suite's file."""
    prepare(read_request([*map(str, arguments), "--suites", "bfcl_single_turn", "--out", str(out)]))
    return (out / SUITE).read_bytes()


def test_a_folder_a_wheel_and_a_bucket_hold_the_same_rows(
    layout: Path, wheel: Path, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = prepared(tmp_path / "0", layout)
    assert [json.loads(line)["id"] for line in first.splitlines()] == IDS
    sources: list[str | Path] = [wheel, f"s3://{bucket}/bfcl", f"s3://{bucket}/wheels/{wheel.name}"]
    for number, source in enumerate(sources, start=1):
        assert prepared(tmp_path / str(number), "--bfcl", source) == first, source
    monkeypatch.setattr(bfcl, "installed_folder", lambda: None)
    monkeypatch.setattr(bfcl, "_download", lambda to: wheel)
    assert prepared(tmp_path / "word", "bfcl-eval") == first
    assert not list(tmp_path.rglob("evil.json")), "a wheel writes its own files, where they belong"
    again = prepared(tmp_path / "again", tmp_path / "0")
    assert again == first, "what was prepared can be prepared again"


def test_rows_say_what_bfcl_expects(layout: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    prepared(tmp_path / "out", layout)
    first, second, irrelevant, relevant = rows_of(tmp_path / "out" / SUITE)
    assert first["source"] == "bfcl_simple_python"
    assert json.loads(first["expected"]["allowed"]) == TRUTHS["simple_python"][0]["ground_truth"]
    assert irrelevant["expected"]["decision"] == "cannot_answer"
    assert irrelevant["messages"][0]["content"] == "\x1b?", "as it is published"
    assert relevant["expected"]["any_call"] is True
    said = '[{"name": "track", "arguments": {"number": "A1"}}]'
    completion = parse_completion(said, "xlam")
    assert score_completion(completion, first).value == 1.0
    assert score_completion(completion, second).value != 1.0, "no value is accepted, so no call is right"
    (source,) = report_of(tmp_path / "out")["sources"]
    assert source["not_read"] == ["multi_turn_base"]
    assert "since they are not single-turn: multi_turn_base" in capsys.readouterr().out


def test_gold_that_the_models_format_cannot_hold_is_told_and_kept(
    layout: Path, tmp_path: Path, tokenizer_of: Callable[[str], Any]
) -> None:
    tokenizer_of("qwen3").save_pretrained(tmp_path / "model")
    truth = {"id": "simple_python_0", "ground_truth": [{"track": {"number": ["<|im_end|>"]}}]}
    answers = layout / "possible_answer/BFCL_v4_simple_python.json"
    answers.write_text("".join(json.dumps(one) + "\n" for one in (truth, TRUTHS["simple_python"][1])))
    prepared(tmp_path / "out", layout, "--tokenizer", tmp_path / "model")
    assert [row["id"] for row in rows_of(tmp_path / "out" / SUITE)] == IDS
    (said,) = [line for line in report_of(tmp_path / "out")["warnings"] if "model's format" in line]
    assert said.startswith("1 gold answers of bfcl_single_turn cannot be written in the model's format: ")
    assert "simple_python line 1, row simple_python_0: the answer holds '<|im_end|>'" in said


def test_every_published_row_is_read(tmp_path: Path) -> None:
    folder = installed_folder()
    if folder is None:
        pytest.skip("bfcl-eval is not installed here: pip install --no-deps -r requirements-bfcl.txt")
    prepared(tmp_path, "bfcl-eval")
    published = [
        json.loads(line)["id"]
        for name in CATEGORIES
        for line in (folder / f"BFCL_v4_{name}.json").read_text(encoding="utf-8").splitlines()
    ]
    assert [row["id"] for row in rows_of(tmp_path / SUITE)] == published
    assert len(published) == 3641
    assert report_of(tmp_path)["rejected"] == []


@pytest.mark.parametrize("arguments", [["--bfcl", "{layout}"], []], ids=["named", "among the tests"])
def test_training_on_bfcl_is_found(
    arguments: list[str], layout: Path, write_lines: WriteLines, tmp_path: Path
) -> None:
    merged = {**ASKED["simple_python"][0], **TRUTHS["simple_python"][0], "source": "bfcl_live_simple"}
    write_lines("set/train_sft.jsonl", [chat({"role": "user", "content": QUESTION}, CALLED)])
    write_lines(
        "set/test.jsonl", [chat({"role": "user", "content": "Hello"}, ASKS), *([] if arguments else [merged])]
    )
    given = [one.format(layout=layout) for one in arguments]
    with pytest.raises(BadInput, match=r"exact in .*\(source bfcl_"):
        prepared(tmp_path / "out", tmp_path / "set", *given)


def test_bfcl_among_the_tests_serves_without_a_wheel(
    write_lines: WriteLines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bfcl, "_packaged", lambda download_dir: pytest.fail("nothing has to be fetched"))
    merged = {**ASKED["simple_python"][0], **TRUTHS["simple_python"][0], "source": "bfcl_simple_python"}
    write_lines("set/test.jsonl", [chat(USER, ASKS, id="mine"), merged])
    arguments = ["--suites", "own,bfcl_single_turn", "--out", str(tmp_path / "out")]
    prepare(read_request([str(tmp_path / "set"), *arguments]))
    assert [row["id"] for row in rows_of(tmp_path / "out" / SUITE)] == ["simple_python_0"]
    assert [row["id"] for row in rows_of(tmp_path / "out/suites/own.jsonl")] == ["mine", "simple_python_0"]
    prepare(read_request([str(tmp_path / "out"), *arguments[:-1], str(tmp_path / "again")]))
    for name in ("own", "bfcl_single_turn"):
        first, again = ((tmp_path / out / f"suites/{name}.jsonl").read_bytes() for out in ("out", "again"))
        assert first == again
    assert report_of(tmp_path / "again")["rows"]["kept"]["test"] == 2, "in two files, and one item"


def test_rows_given_as_bfcl_are_no_rows_of_ones_own(
    layout: Path, write_lines: WriteLines, tmp_path: Path
) -> None:
    # The id is another item's there, which is nobody's fault.
    write_lines("set/test.jsonl", [chat(USER, ASKS, id="simple_python_0")])
    arguments = ["--bfcl", str(layout), "--suites", "own,bfcl_single_turn", "--out", str(tmp_path / "out")]
    prepare(read_request([str(tmp_path / "set"), *arguments]))
    assert [row["expected"]["text"] for row in rows_of(tmp_path / "out/suites/own.jsonl")] == [
        ASKS["content"]
    ]
    assert [row["id"] for row in rows_of(tmp_path / "out" / SUITE)] == IDS


def test_rows_of_any_shape_serve_as_bfcls(write_lines: WriteLines, tmp_path: Path) -> None:
    merged = {**ASKED["simple_python"][0], **TRUTHS["simple_python"][0], "source": "bfcl_mine"}
    path = write_lines("mine.jsonl", [merged])
    first = prepared(tmp_path / "file", "--bfcl", path)
    assert [json.loads(line)["source"] for line in first.splitlines()] == ["bfcl_mine"]
    write_lines("folder/part.jsonl", [merged])
    assert prepared(tmp_path / "out", "--bfcl", tmp_path / "folder") == first


def test_one_category_can_be_named(layout: Path, tmp_path: Path) -> None:
    rows = prepared(tmp_path / "out", layout / "BFCL_v4_live_relevance.json")
    assert [json.loads(line)["id"] for line in rows.splitlines()] == ["live_relevance_0"]


@pytest.mark.parametrize(
    "where", ["{root}/bfcl_eval", "{root}", "{wheels}", "s3://{bucket}/wheels/", "s3://{bucket}"]
)
def test_bfcl_is_found_in_what_holds_it(
    where: str, layout: Path, wheel: Path, bucket: str, tmp_path: Path
) -> None:
    first = prepared(tmp_path / "first", layout)
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    shutil.copy(wheel, wheels)
    # A wheel of another package does not keep anybody from the one that is meant.
    (wheels / "peft-1-py3-none-any.whl").write_bytes(b"")
    given = where.format(root=tmp_path, wheels=wheels, bucket=bucket)
    assert prepared(tmp_path.parent / f"{tmp_path.name}-out", "--bfcl", given) == first


def test_an_object_of_questions_alone_is_told_without_a_path_of_ours(bucket: str, tmp_path: Path) -> None:
    uri = f"s3://{bucket}/bfcl/BFCL_v4_simple_python.json"
    with pytest.raises(BadInput, match="give the folder, or the s3://bucket/prefix, that holds both") as told:
        prepared(tmp_path / "out", "--bfcl", uri)
    assert str(told.value).startswith(f"{uri}: simple_python needs its possible answers")
    assert ".preparing" not in str(told.value)


HELD = ("simple_python", "live_irrelevance", "live_relevance")


@pytest.mark.parametrize("form", ["layout", "wheel", "bucket"])
def test_categories_that_are_absent_are_named(
    form: str, layout: Path, wheel: Path, bucket: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = {"layout": str(layout), "wheel": str(wheel), "bucket": f"s3://{bucket}/bfcl"}[form]
    prepared(tmp_path / "out", source) if form != "bucket" else prepared(tmp_path / "out", "--bfcl", source)
    absent = ", ".join(name for name in CATEGORIES if name not in HELD)
    (said,) = [one for one in report_of(tmp_path / "out")["warnings"] if "incomplete" in one]
    assert f"incomplete: no rows of {absent}, so that" in said
    assert f"warning: {said}" in capsys.readouterr().out


@pytest.mark.parametrize("empties", [(), ("multiple",)], ids=["complete", "one is empty"])
def test_only_what_is_incomplete_is_warned_of(
    empties: tuple[str, ...], layout: Path, write_lines: WriteLines, tmp_path: Path
) -> None:
    for name in set(CATEGORIES) - set(HELD):
        one = asked(f"{name}_0", f"Which of {name}?")
        write_lines(f"bfcl_eval/data/BFCL_v4_{name}.json", [] if name in empties else [one])
        truth = {"id": one["id"], "ground_truth": [{"track": {"number": ["A1"]}}]}
        write_lines(f"bfcl_eval/data/possible_answer/BFCL_v4_{name}.json", [truth])
    assert find_bfcl(str(layout), tmp_path / "downloads").absent == empties
    assert find_bfcl(str(layout / "BFCL_v4_multiple.json"), tmp_path / "one").warnings() == []


def drop_answers(layout: Path) -> Path:
    (layout / "possible_answer/BFCL_v4_simple_python.json").unlink()
    return layout


def spoil_wheel(layout: Path) -> Path:
    path = layout / "spoilt.whl"
    path.write_bytes(b"PK\x03\x04 and no more")
    return path


def empty_wheel(layout: Path) -> Path:
    path = layout / "empty.whl"
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("x/__init__.py", "")
    return path


def empty_folder(layout: Path) -> Path:
    path = layout / "empty"
    path.mkdir()
    return path


def copy_layout(layout: Path) -> Path:
    shutil.copytree(layout, layout.parents[1] / "twice/a")
    shutil.copytree(layout, layout.parents[1] / "twice/b/data")
    return layout.parents[1] / "twice"


def damaged_wheel(layout: Path) -> Path:
    """An entry whose compressed bytes are none."""
    path = layout / "damaged.whl"
    name = "BFCL_v4_live_relevance.json"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.write(layout / name, name)
    spoilt = bytearray(path.read_bytes())
    spoilt[30 + len(name)] = 0xFF
    path.write_bytes(spoilt)
    return path


def patched_wheel(layout: Path, at: int, value: int) -> Path:
    """A wheel with a number of its one entry's two headers changed: 6 is the flags, 8 the method."""
    path = layout / "patched.whl"
    with zipfile.ZipFile(path, "w") as packed:
        packed.write(layout / "BFCL_v4_live_relevance.json", "BFCL_v4_live_relevance.json")
    found = bytearray(path.read_bytes())
    central = found.index(b"PK\x01\x02")
    struct.pack_into("<H", found, at, value)
    struct.pack_into("<H", found, central + at + 2, value)
    path.write_bytes(found)
    return path


def only_multi_turn(layout: Path) -> Path:
    return layout / "BFCL_v4_multi_turn_base.json"


FAULTS: list[tuple[Callable[[Path], Path], str]] = [
    (
        drop_answers,
        r"data: simple_python needs its possible answers, and possible_answer/BFCL_v4_simple_python\.json "
        "cannot be read beside it: No such file or directory; give the folder",
    ),
    (spoil_wheel, r"spoilt\.whl: cannot be read as a wheel"),
    (empty_wheel, r"empty\.whl: holds no BFCL_v4_\*\.json; give the wheel of bfcl-eval"),
    (only_multi_turn, r"holds no single-turn category; those are simple_python, simple_java"),
    (lambda layout: layout.parent / "absent", r"absent: there is no such file or directory"),
    (
        empty_folder,
        r"empty: holds neither BFCL_v4_\*\.json, .*nor the wheel of bfcl-eval, nor a file of rows",
    ),
    (copy_layout, r"holds BFCL more than once: a, b/data; name one of them"),
    (damaged_wheel, r"damaged\.whl: cannot be read as a wheel: .*invalid"),
    (lambda layout: patched_wheel(layout, 8, 99), r"wheel: That compression method is not supported"),
    (lambda layout: patched_wheel(layout, 6, 1), r"wheel: .*is encrypted, password required"),
]


@pytest.mark.parametrize(("spoil", "said"), FAULTS, ids=[said for _, said in FAULTS])
def test_what_cannot_be_read_says_so(
    spoil: Callable[[Path], Path], said: str, layout: Path, tmp_path: Path
) -> None:
    with pytest.raises(BadInput, match=said):
        prepared(tmp_path / "out", "--bfcl", spoil(layout))


def test_a_question_without_answer_is_rejected_with_its_line(layout: Path, tmp_path: Path) -> None:
    answers = layout / "possible_answer/BFCL_v4_simple_python.json"
    answers.write_text(json.dumps(TRUTHS["simple_python"][1]) + "\n", encoding="utf-8")
    with (layout / "BFCL_v4_live_relevance.json").open("a", encoding="utf-8") as lines:
        lines.write("{no json\n")
    arguments = [str(layout), "--suites", "bfcl_single_turn", "--max-rejected-share", "1"]
    prepare(read_request([*arguments, "--out", str(tmp_path / "out")]))
    places = [
        (row["file"].split()[-1], row["line"], row["field"])
        for row in rows_of(tmp_path / "out/rejected.jsonl")
    ]
    assert places == [("simple_python", 1, "ground_truth"), ("live_relevance", 2, "line")]


BAD = {"id": "bad", "messages": []}


@pytest.mark.parametrize("source", ["--bfcl", "prepared"])
def test_rows_of_bfcl_do_not_make_bad_rows_of_ones_own_few(
    source: str, layout: Path, write_lines: WriteLines, tmp_path: Path
) -> None:
    """One of six is bad, beside a hundred of BFCL's: a benchmark says nothing of a team's own rows."""
    many = [asked(f"live_relevance_{number}", f"Number {number}?") for number in range(100)]
    write_lines("bfcl_eval/data/BFCL_v4_live_relevance.json", many)
    good = [chat({"role": "user", "content": f"Parcel {number}?"}, ASKS) for number in range(5)]
    write_lines("set/test.jsonl", [*good, BAD])
    given: list[str | Path] = ["--bfcl", layout]
    if source == "prepared":
        prepared(tmp_path / "earlier", layout)
        (tmp_path / "set/bfcl_single_turn.jsonl").write_bytes((tmp_path / "earlier" / SUITE).read_bytes())
        given = []
    with pytest.raises(BadInput, match="1 of 6 rows are rejected, more than 5%"):
        prepared(tmp_path / "out", tmp_path / "set", *given)
    assert [row["line"] for row in rows_of(tmp_path / "out/rejected.jsonl")] == [6]


def test_bad_rows_of_bfcl_are_not_few_beside_many_of_ones_own(
    layout: Path, write_lines: WriteLines, tmp_path: Path
) -> None:
    good = [chat({"role": "user", "content": f"Parcel {number}?"}, ASKS) for number in range(30)]
    # One bad row of 31 is taken, and does not weigh on the others.
    write_lines("set/test.jsonl", [*good, BAD])
    with (layout / "BFCL_v4_live_relevance.json").open("a", encoding="utf-8") as lines:
        lines.write("{no json\n")
    given: list[str | Path] = [tmp_path / "set", "--bfcl", layout]
    with pytest.raises(BadInput, match=r"1 of 5 rows are rejected.*live_relevance line 2, line:"):
        prepared(tmp_path / "out", *given)
    prepared(tmp_path / "out", *given, "--max-rejected-share", "0.2")
    assert report_of(tmp_path / "out")["rows"]["rejected"] == 2


def test_the_wheel_is_fetched_from_the_channel_where_there_is_one(
    wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bfcl, "installed_folder", lambda: None)
    monkeypatch.setenv("SM_CHANNEL_WHEELS", str(wheel.parent))
    source = find_bfcl("bfcl-eval", tmp_path / "downloads")
    assert (source.uri, source.revision) == ("bfcl-eval==2026.3.23", "2026.3.23")
    assert len(source.files) == 3


def test_what_pip_says_is_passed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bfcl, "installed_folder", lambda: None)
    (tmp_path / "wheels").mkdir()
    # A distribution of sources, whose build would run code of its own, is none.
    (tmp_path / "wheels/bfcl-eval-2026.3.23.tar.gz").write_bytes(b"")
    monkeypatch.setenv("SM_CHANNEL_WHEELS", str(tmp_path / "wheels"))
    with pytest.raises(
        BadInput, match=r"bfcl-eval==2026\.3\.23: cannot be downloaded: .*No matching distribution"
    ):
        find_bfcl("bfcl-eval", tmp_path / "downloads")


def test_a_job_reads_no_path_of_its_machine(layout: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="a job reads local paths below"):
        find_bfcl(str(layout), tmp_path / "downloads", [tmp_path / "code"])


@pytest.mark.parametrize("name", ["x" * 5000, "a\0b", "rows.jsonl", "s3://bucket/prefix", "org/name"])
def test_other_names_are_no_bfcl(name: str) -> None:
    assert not is_bfcl(name)


def test_two_sources_of_bfcl_are_one_too_many(layout: Path) -> None:
    with pytest.raises(BadInput, match="give one of them"):
        read_request([str(layout), "--bfcl", "bfcl-eval", "--suites", "bfcl_single_turn", "--out", "x"])
    with pytest.raises(BadInput, match="no suite takes rows of BFCL; add bfcl_single_turn"):
        read_request([str(layout), "--out", "x"])
