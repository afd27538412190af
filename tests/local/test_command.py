"""`python -m infra.local tune`, as `make local` calls it: last line, exit code, files, no process left."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

REPOSITORY = Path(__file__).parents[2]


def start(runs: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "infra.local", "--runs", str(runs), "tune", *arguments],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def left_behind(runs: Path, output: str) -> list[str]:
    """Command lines of processes that still work for the run: its MLflow, its functions, its jobs."""
    endpoint = output.split("embedded AWS at ")[1].split(". Not", maxsplit=1)[0]
    found = []
    for process in psutil.process_iter(["cmdline", "environ"]):
        line = " ".join(process.info["cmdline"] or ())
        if str(runs) in line or (process.info["environ"] or {}).get("AWS_ENDPOINT_URL") == endpoint:
            found.append(line)
    return found


def write(path: Path, document: object) -> str:
    path.write_text(json.dumps(document))
    return str(path)


def test_a_failed_execution_is_the_last_line(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    given = write(tmp_path / "input.json", {"dataset": "examples", "datset": 1})
    process = start(runs, "--input", given)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 1, output
    assert output.splitlines()[-1].startswith("ERROR InvalidInput: "), output
    assert "datset" in output.splitlines()[-1]
    execution = json.loads((runs / "latest" / "execution.json").read_text())
    assert (execution["status"], execution["error"]) == ("FAILED", "InvalidInput")
    assert not left_behind(runs, output)


BAD_INPUT = [
    ("{", (), "Expecting property name", "an input that is not JSON"),
    ("[]", (), "expected a JSON object", "an input of another shape"),
    ("{}", ("--limit", "0"), "at least 1", "a limit of no rows"),
    ('{"rows": [1]}', ("--limit", "5"), "rows", "rows of another shape"),
    ("{}", ("--limit", "five"), "invalid int", "a limit that is no number"),
    ("{}", ("--quotas", "nowhere.json"), "nowhere.json", "a quotas file that is not there"),
]


@pytest.mark.parametrize(("text", "more", "said", "reason"), BAD_INPUT, ids=[row[3] for row in BAD_INPUT])
def test_bad_input_starts_nothing(
    tmp_path: Path, text: str, more: tuple[str, ...], said: str, reason: str
) -> None:
    (tmp_path / "input.json").write_text(text)
    process = start(tmp_path / "runs", "--input", str(tmp_path / "input.json"), *more)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 2
    assert output.splitlines()[-1].startswith("ERROR InvalidInput: ")
    assert said in output
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_leaves_no_process(tmp_path: Path, number: signal.Signals) -> None:
    runs = tmp_path / "runs"
    given = write(
        tmp_path / "input.json",
        {
            "dataset": "examples",
            "base_model": "s3://bucket/model/",
            "recipe": "tiny-full",
            "variants": ["base"],
        },
    )
    process = start(runs, "--input", given)
    assert process.stdout
    seen = []
    for line in process.stdout:
        seen.append(line)
        if "PrepareData  started" in line:
            break
    time.sleep(2)
    assert left_behind(runs, "".join(seen)), "otherwise this test could not fail"
    process.send_signal(number)
    rest, _ = process.communicate(timeout=60)
    assert process.returncode == 130, "".join(seen) + rest
    assert rest.splitlines()[-1].startswith("ERROR Interrupted: ")
    assert json.loads((runs / "latest" / "execution.json").read_text())["status"] == "ABORTED"
    assert not left_behind(runs, "".join(seen))
