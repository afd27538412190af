"""Progress lines are the ones that the template's metric regexes read."""

from __future__ import annotations

import re

import pytest

from jobs.progress import Progress

LINE = re.compile(
    r"^progress step=(\d+) total=(\d+) seconds_left=(\d+)"
    r"(?: loss=(-?\d+\.\d{4}))?(?: rows_per_second=(\d+\.\d\d))?$"
)


class Clock:
    """Time that passes when the test says so."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def run(seconds_a_step: float, total: int, done: int, capsys: pytest.CaptureFixture[str]) -> list[str]:
    clock = Clock()
    progress = Progress(total, done=done, clock=clock)
    for step in range(done + 1, total + 1):
        clock.now += seconds_a_step
        progress.show(step, loss=1.5 if step % 2 else None)
    return capsys.readouterr().out.splitlines()


SPEEDS = [
    (0.1, 100, 0, "fast steps: a line every two seconds"),
    (5.0, 7, 0, "slow steps: every one"),
    (0.01, 3, 0, "too fast for a second line, but the last is shown"),
    (1.0, 90, 80, "a resumed run"),
]


@pytest.mark.parametrize(("seconds", "total", "done", "why"), SPEEDS, ids=[row[3] for row in SPEEDS])
def test_lines_are_readable_rare_and_end_with_the_last_step(
    seconds: float, total: int, done: int, why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = run(seconds, total, done, capsys)
    matches = [LINE.match(line) for line in lines]
    assert all(matches)
    steps = [int(match[1]) for match in matches if match]
    assert steps[-1] == total
    assert steps == sorted(set(steps))
    assert len(steps) <= seconds * (total - done) / 2.0 + 2


def test_seconds_left_leave_out_what_was_done_before(capsys: pytest.CaptureFixture[str]) -> None:
    first = LINE.match(run(4.0, 90, 80, capsys)[0])
    assert first is not None
    assert int(first[3]) == 36


def test_the_rate_counts_this_process_s_steps_alone(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    progress = Progress(100, done=40, unit="rows", clock=clock)
    clock.now += 5.0
    progress.show(50)
    match = LINE.match(capsys.readouterr().out.strip())
    assert match is not None
    assert (match[3], match[5]) == ("25", "2.00")


def test_the_time_left_goes_by_the_share_of_the_work_where_steps_differ(
    capsys: pytest.CaptureFixture[str],
) -> None:
    clock = Clock()
    progress = Progress(100, clock=clock)
    clock.now += 30.0
    # A tenth of the rows, but the longest ones: three quarters of the work.
    progress.show(10, share=0.75)
    match = LINE.match(capsys.readouterr().out.strip())
    assert match is not None
    assert match[3] == "10"
