"""What a user can give amiss: one message each, exit code 2, and nothing half-written."""

import errno
import gzip
import json
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow  # type: ignore[import-untyped]
import pytest

from data.prepare import main, prepare
from data.request import read_request
from jobs.doors import BadInput
from tests.unit.data.conftest import REPOSITORY
from tests.unit.data.test_readers import asks
from tests.unit.data.test_shapes import ASKS, MCQ, USER, chat

pytestmark = pytest.mark.usefixtures("outside_of_any_job")

WriteLines = Callable[[str, Sequence[Any]], Path]

ROWS = "".join(json.dumps(asks(number)) + "\n" for number in range(2000)).encode()
PARQUET, UTF16 = b"PAR1" + bytes(64), '{"messages": []}\n'.encode("utf-16")
ZSTD: bytes = pyarrow.compress(ROWS, codec="zstd", asbytes=True)


def files_in(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def refuse(arguments: Sequence[str]) -> str:
    with pytest.raises(BadInput) as caught:
        main(arguments)
    return str(caught.value)


FILES: list[tuple[str, bytes, str]] = [
    ("train_sft.jsonl", b"", "is empty; give one JSON object a line"),
    ("train_sft.jsonl", b"\n \n\n", "is empty; give one JSON object a line"),
    ("train_sft.jsonl.gz", b"", "is empty; give one JSON object a line"),
    ("train_sft.jsonl.gz", gzip.compress(b"", mtime=0), "is empty; give one JSON object a line"),
    ("train_sft.jsonl", gzip.compress(ROWS, mtime=0), "is binary, gzip: name it *.jsonl.gz"),
    ("train_sft.jsonl", ZSTD, "is binary, zstd: name it *.jsonl.zst"),
    ("train_sft.jsonl", b"PK\x03\x04rest", "is binary, zip: unpack it"),
    ("train_sft.jsonl", PARQUET, "is binary, Parquet: write it as JSON Lines"),
    ("train_sft.jsonl.gz", gzip.compress(PARQUET, mtime=0), "is binary, Parquet: write it as JSON Lines"),
    ("train_sft.jsonl", UTF16, "is binary, UTF-16 text: save it as UTF-8"),
    ("train_sft.jsonl", b"\x7fELF\x02\x01\x01\0\0", "is binary, of a kind not known here"),
    ("train_sft.jsonl", b'[\n{"messages": []}\n]', "is one JSON array; write one object a line"),
    ("train_sft.jsonl.gz", ROWS, "is named .gz, and its bytes are not"),
    ("train_sft.jsonl.zst", gzip.compress(ROWS, mtime=0), "is named .zst, and its bytes are not"),
    ("train_sft.jsonl.gz", gzip.compress(ROWS, mtime=0)[:-40], "damaged or cut off after line"),
    ("train_sft.jsonl.zst", ZSTD[:-40], "damaged or cut off after line"),
    ("train_sft.jsonl.gz", gzip.compress(ROWS, mtime=0)[:200] + b"!!" * 900, "damaged or cut off after line"),
    (
        "train_sft.jsonl",
        b"<html>\n<body>\n</html>\n",
        "3 of 4 rows are rejected, more than 5%. 3 × line: is not",
    ),
    ("train_sft.jsonl", b'{"a": "\xff"}\n', "1 of 2 rows are rejected, more than 5%. 1 × line: is not UTF-8"),
    ("train_sft.jsonl", ROWS.replace(b"user", b"boss"), "2000 of 2001 rows are rejected"),
]


@pytest.mark.parametrize(("name", "content", "said"), FILES)
def test_a_bad_file_is_named_with_the_way_to_mend_it(
    name: str, content: bytes, said: str, write_lines: WriteLines, tmp_path: Path
) -> None:
    write_lines("set/test.jsonl", [MCQ])
    (tmp_path / "set" / name).write_bytes(content)
    told = refuse([str(tmp_path / "set"), "--out", str(tmp_path / "out")])
    assert said in told
    assert "rows are rejected" in told or f"set/{name}: " in told
    left = files_in(tmp_path / "out") if (tmp_path / "out").exists() else set()
    assert left <= {"rejected.jsonl"}, "nothing is half-written"


def test_a_line_of_100_mb_is_rejected_in_little_memory(write_lines: WriteLines, tmp_path: Path) -> None:
    write_lines(
        "set/test.jsonl", [{**MCQ, "question": f"Where is A{n}?", "uuid": f"u{n}"} for n in range(30)]
    )
    with (tmp_path / "set/train_sft.jsonl").open("wb") as file:
        file.write(json.dumps(asks(1)).encode() + b'\n{"messages": "')
        for _ in range(100):
            file.write(b"a" * 10**6)
        file.write(b'"}\n' + json.dumps(asks(2)).encode() + b"\n")
    measure = (
        "import resource, sys; from data.prepare import main; import data.report.charts;"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss; main(sys.argv[1:]);"
        "print('grown', resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", measure, str(tmp_path / "set"), "--out", str(tmp_path / "out")],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(ended.stdout.split()[-1]) < 80_000, "kilobytes; the line alone has 100,000"
    (rejected,) = [json.loads(line) for line in (tmp_path / "out/rejected.jsonl").open()]
    assert (rejected["line"], rejected["reason"]) == (2, "is longer than 8,388,608 bytes")
    assert len((tmp_path / "out/train_sft.jsonl").read_text().splitlines()) == 2


def test_a_folder_without_test_rows_is_refused(write_lines: WriteLines, tmp_path: Path) -> None:
    write_lines("set/train_sft.jsonl", [chat(USER, ASKS)])
    told = refuse([str(tmp_path / "set"), "--out", str(tmp_path / "out")])
    assert "no test rows there, so nothing could be compared; add *test*.jsonl" in told
    assert not (tmp_path / "out").exists(), "not even an empty folder"


def test_a_test_file_of_which_nothing_is_left_is_refused(write_lines: WriteLines, tmp_path: Path) -> None:
    write_lines("set/train_sft.jsonl", [asks(number) for number in range(99)])
    write_lines("set/test.jsonl", ["{"])
    told = refuse([str(tmp_path / "set"), "--out", str(tmp_path / "out")])
    assert "set/test.jsonl: no test row is left" in told


def test_a_set_whose_every_row_is_rejected_says_so(write_lines: WriteLines, tmp_path: Path) -> None:
    write_lines("set/test.jsonl", ["{"] * 3)
    told = refuse([str(tmp_path / "set"), "--out", str(tmp_path / "out"), "--max-rejected-share", "1"])
    assert told.startswith("3 of 3 rows are rejected, all of them. 3 × line: is not JSON")


def test_a_failed_preparation_spares_the_one_before(
    examples: Path, write_lines: WriteLines, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    main([str(examples), "--out", str(out)])
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    write_lines("set/test.jsonl", ["{"] * 3)
    refuse([str(tmp_path / "set"), "--out", str(out)])
    assert {path for path in out.rglob("*") if path.is_file()} == set(before)
    changed = {path.name for path, content in before.items() if path.read_bytes() != content}
    assert changed == {"rejected.jsonl"}


def test_what_a_new_preparation_does_not_make_goes_away(examples: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    main([str(examples), "--out", str(out), "--allow-overlap", "nobody"])
    (out / "notes.txt").write_text("mine")
    assert (out / "allowed_overlap.txt").is_file()
    main([str(examples), "--out", str(out)])
    assert not (out / "allowed_overlap.txt").exists()
    assert (out / "notes.txt").read_text() == "mine"


OUTS: list[tuple[str, str]] = [
    ("set", "lies in the source"),
    ("set/prepared", "lies in the source"),
    ("set/../set", "lies in the source"),
    ("file.txt", "cannot be written"),
    ("file.txt/out", "cannot be written"),
]


@pytest.mark.parametrize(("out", "said"), OUTS)
def test_a_folder_that_cannot_be_written_is_refused(
    out: str, said: str, write_lines: WriteLines, tmp_path: Path
) -> None:
    write_lines("set/test.jsonl", [MCQ])
    (tmp_path / "file.txt").write_text("mine")
    before = files_in(tmp_path)
    assert said in refuse([str(tmp_path / "set"), "--out", str(tmp_path / out)])
    assert files_in(tmp_path) == before


def test_a_lone_source_is_not_written_over(write_lines: WriteLines, tmp_path: Path) -> None:
    path = write_lines("train_sft.jsonl", [chat(USER, ASKS)])
    before = path.read_bytes()
    assert "lies in the source" in refuse([str(path), "--out", str(tmp_path)])
    assert path.read_bytes() == before


def test_a_file_that_may_not_be_read_is_named(
    write_lines: WriteLines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_lines("set/test.jsonl", [MCQ])
    opened = Path.open

    def refuse_rows(path: Path, *arguments: Any, **named: Any) -> Any:
        # The superuser that tests may run as is never refused by the system itself.
        if path.name == "test.jsonl":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return opened(path, *arguments, **named)

    monkeypatch.setattr(Path, "open", refuse_rows)
    told = refuse([str(tmp_path / "set"), "--out", str(tmp_path / "out")])
    assert "set/test.jsonl: cannot be read: Permission denied" in told


@pytest.mark.parametrize("kind", ["out of the folder", "to nothing", "allowed_overlap.txt"])
def test_a_link_that_leads_out_of_the_folder_is_refused(
    kind: str, write_lines: WriteLines, tmp_path: Path
) -> None:
    secret = write_lines("secret.jsonl", [MCQ])
    write_lines("set/a_test.jsonl", [MCQ])
    name = kind if kind.endswith("txt") else "b_test.jsonl"
    (tmp_path / "set" / name).symlink_to(tmp_path / "gone" if kind == "to nothing" else secret)
    told = refuse([str(tmp_path / "set"), "--out", str(tmp_path / "out")])
    assert f"set/{name}: is a link that leads out of" in told


def test_a_link_within_the_folder_is_fine(write_lines: WriteLines, tmp_path: Path) -> None:
    (write_lines("set/rows/all.jsonl", [MCQ])).rename(tmp_path / "set/rows/kept")
    (tmp_path / "set/test.jsonl").symlink_to("rows/kept")
    main([str(tmp_path / "set"), "--out", str(tmp_path / "out")])
    assert len((tmp_path / "out/suites/own.jsonl").read_text().splitlines()) == 1


def test_a_pipe_is_no_file_of_rows(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "test.jsonl")
    told = refuse([str(tmp_path / "test.jsonl"), "--out", str(tmp_path / "out")])
    assert "is neither a file nor a directory" in told


@pytest.mark.parametrize("name", ["x" * 5000, "rows\0.jsonl"])
def test_a_name_that_is_no_path_is_refused(name: str, tmp_path: Path) -> None:
    told = refuse([name, "--out", str(tmp_path / "out")])
    assert "cannot be looked up" in told or "there is no such file" in told


def test_a_job_reads_its_channels_and_no_other_path(
    write_lines: WriteLines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRAINING_JOB_NAME", "prepare-1")
    monkeypatch.setenv("SM_CHANNEL_CODE", str(tmp_path / "input/data/code"))
    inside = write_lines("input/data/rows/test.jsonl", [MCQ])
    outside = write_lines("elsewhere/test.jsonl", [MCQ])
    main(["--test", str(inside), "--out", str(tmp_path / "out")])
    for path in (outside, inside.parent / "../../../elsewhere/test.jsonl", Path("/etc/passwd")):
        told = refuse(["--test", str(path), "--out", str(tmp_path / "out")])
        assert f"a job reads local paths below {tmp_path}/input/data only" in told


def test_a_job_follows_no_link_out_of_its_channels(
    write_lines: WriteLines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRAINING_JOB_NAME", "prepare-1")
    monkeypatch.setenv("SM_CHANNEL_CODE", str(tmp_path / "input/data/code"))
    (tmp_path / "input/data").mkdir(parents=True)
    (tmp_path / "input/data/rows").symlink_to(write_lines("elsewhere/test.jsonl", [MCQ]).parent)
    told = refuse(["--test", str(tmp_path / "input/data/rows"), "--out", str(tmp_path / "out")])
    assert "a job reads local paths below" in told


def limit_file_size() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))


def prepare_apart(arguments: Sequence[str], **settings: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "data.prepare", *arguments],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
        **settings,
    )


def test_a_file_that_outgrows_its_limit_ends_with_the_space_needed(examples: Path, tmp_path: Path) -> None:
    ended = prepare_apart([str(examples), "--out", str(tmp_path / "out")], preexec_fn=limit_file_size)
    last = ended.stderr.splitlines()[-1]
    assert (ended.returncode, "Traceback" in ended.stderr) == (2, False)
    assert last.startswith("ERROR BadInput:")
    assert "the disk is full: about" in last
    assert not (tmp_path / "out").exists()


def test_a_full_disk_ends_with_the_space_needed_and_free(examples: Path, tmp_path: Path) -> None:
    """On a real disk of one megabyte, where this machine lets a process mount one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    script = (
        f"mount -t tmpfs -o size=1m tmpfs {disk} || exit 77; "
        f"{sys.executable} -m data.prepare {examples} --out {disk}/out; code=$?; ls -A {disk}; exit $code"
    )
    unshare = shutil.which("unshare")
    if unshare is None:
        pytest.skip("no unshare here to mount a small disk with")
    ended = subprocess.run(
        [unshare, "-rm", "sh", "-c", script], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    if ended.returncode in (1, 77) and "data.prepare" not in ended.stderr and "ERROR" not in ended.stderr:
        pytest.skip(f"no small disk can be mounted here: {ended.stderr.strip()}")
    last = ended.stderr.splitlines()[-1]
    assert (ended.returncode, "Traceback" in ended.stderr) == (2, False)
    assert "/disk/out: the disk is full: about" in last
    assert "MB are free; make room" in last
    assert ended.stdout.splitlines()[-1].startswith("progress"), "nothing is left on the disk"


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_disk_that_fills_while_the_result_is_written(
    code: int, examples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fill(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr("data.prepare.write_report", fill)
    with pytest.raises(BadInput, match="the disk is full"):
        prepare(read_request([str(examples), "--out", str(tmp_path / "out")]))
    assert not (tmp_path / "out").exists()


def test_an_interruption_leaves_nothing(
    examples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("data.prepare.draw_report", stop)
    with pytest.raises(KeyboardInterrupt):
        prepare(read_request([str(examples), "--out", str(tmp_path / "out")]))
    assert not (tmp_path / "out").exists()
