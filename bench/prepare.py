"""Memory and time of a preparation: `python -m bench.prepare --json [--gigabytes 2]`.

Writes a file of that size beside a small test file, runs `python -m data.prepare` on them, and prints
`{rows, bytes, cpu_s, wall_s, peak_rss_mb, mb_per_s}` of that process. The rows are the shipped SFT rows, over
and over with another word in each question, so that none is a duplicate.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from jobs.doors import BadInput, DoorParser, run_door

ROOT = Path(__file__).resolve().parent.parent
ROWS = ROOT / "examples" / "rows"
# The big file, the rows aside, the result and the index.
SPACE_FACTOR = 4
MEASURE = """
import json, resource, subprocess, sys
status = subprocess.run(sys.argv[1:], stdout=sys.stderr).returncode
usage = resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps([usage.ru_utime + usage.ru_stime, usage.ru_maxrss]))
sys.exit(status)
"""


@dataclass(frozen=True)
class Measurement:
    """What one preparation took; megabytes are 10^6 bytes, of memory 2^20."""

    rows: int
    bytes: int
    cpu_s: float
    wall_s: float
    peak_rss_mb: float
    mb_per_s: float


def main() -> None:
    """Measure, and print. Raises BadInput where the disk is too small or the preparation fails."""
    given = _parser().parse_args()
    size = int(given.gigabytes * 1e9)
    with tempfile.TemporaryDirectory(prefix="bench-prepare-", dir=given.folder) as folder:
        _check_space(Path(folder), size)
        measured = measure_preparation(Path(folder), size)
    if given.json:
        print(json.dumps(asdict(measured)))
    else:
        print(
            f"{measured.rows:,} rows, {measured.bytes / 1e6:,.0f} MB: {measured.wall_s:.1f} s "
            f"({measured.mb_per_s:.1f} MB/s), at most {measured.peak_rss_mb:.0f} MB of memory"
        )


def measure_preparation(folder: Path, size: int) -> Measurement:
    """Write `size` bytes of rows below `folder`, and prepare them."""
    source = folder / "set"
    source.mkdir()
    rows, written = write_rows(source / "train_sft.jsonl", size)
    shutil.copyfile(ROWS / "test.jsonl", source / "test.jsonl")
    prepare = [sys.executable, "-m", "data.prepare", str(source), "--out", str(folder / "out")]
    # A new process starts with the peak of the one that starts it, so a small one stands between.
    command = [sys.executable, "-c", MEASURE, *prepare]
    started = time.monotonic()
    # Its progress is shown as it comes; stdout is kept for the result.
    result = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    wall_s = time.monotonic() - started
    if result.returncode:
        raise BadInput(f"the preparation ended with status {result.returncode}")
    cpu_s, peak_rss = json.loads(result.stdout)
    return Measurement(
        rows=rows,
        bytes=written,
        cpu_s=round(cpu_s, 2),
        wall_s=round(wall_s, 2),
        # Kilobytes on Linux, bytes on macOS.
        peak_rss_mb=round(peak_rss / (2**20 if sys.platform == "darwin" else 2**10), 1),
        mb_per_s=round(written / 1e6 / wall_s, 2),
    )


def write_rows(path: Path, size: int) -> tuple[int, int]:
    """Write at least `size` bytes of rows, none like another; returns how many rows and bytes."""
    rows = written = 0
    with path.open("wb") as file:
        for row in _distinct_rows():
            if written >= size:
                break
            written += file.write(json.dumps(row, ensure_ascii=False).encode() + b"\n")
            rows += 1
    return rows, written


def _distinct_rows() -> Iterator[dict[str, Any]]:
    lines = (ROWS / "train_sft.jsonl").read_text(encoding="utf-8").splitlines()
    shipped = [json.loads(line) for line in lines]
    turn = 0
    while True:
        for row in shipped:
            messages = [
                {**message, "content": f"Case {turn}: {message['content']}"}
                if message["role"] == "user"
                else message
                for message in row["messages"]
            ]
            yield {**row, "id": f"{row.get('id', 'row')}-{turn}", "messages": messages}
        turn += 1


def _check_space(folder: Path, size: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < SPACE_FACTOR * size:
        raise BadInput(
            f"{folder}: {SPACE_FACTOR * size / 1e9:.1f} GB are needed and {free / 1e9:.1f} GB are free; "
            "name another --folder, or fewer --gigabytes"
        )


def _parser() -> argparse.ArgumentParser:
    parser = DoorParser(prog="python -m bench.prepare", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--gigabytes", type=float, default=2.0, metavar="N", help="size of the file")
    parser.add_argument("--folder", type=Path, metavar="DIR", help="where to write it")
    return parser


if __name__ == "__main__":
    run_door(main)
