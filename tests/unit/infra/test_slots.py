"""Which job goes next on a machine that runs only so many."""

from __future__ import annotations

import threading
import time

from infra.local.slots import Slots

WAIT_SECONDS = 10


class Job:
    """A job that waits for a slot in a thread of its own."""

    def __init__(self, slots: Slots, seconds: float) -> None:
        self.give_up = threading.Event()
        self.running = threading.Event()
        self.ended = threading.Event()
        self._slots = slots
        self._seconds = seconds
        threading.Thread(target=self._live, daemon=True).start()

    def _live(self) -> None:
        if self._slots.take(self._seconds, self.give_up):
            self.running.set()
        self.ended.set()


def test_of_jobs_that_arrive_together_the_longest_go_first() -> None:
    slots = Slots(2)
    short, long, longer = (Job(slots, seconds) for seconds in (60, 600, 601))
    assert long.running.wait(WAIT_SECONDS) and longer.running.wait(WAIT_SECONDS)
    assert not short.running.is_set()
    slots.release()
    assert short.running.wait(WAIT_SECONDS)


def test_a_free_slot_does_not_wait_for_longer_jobs_that_may_come() -> None:
    slots = Slots(1)
    started = time.monotonic()
    assert Job(slots, 1).running.wait(WAIT_SECONDS)
    assert time.monotonic() - started < 3


def test_a_job_that_gives_up_leaves_its_place_to_the_next() -> None:
    slots = Slots(1)
    first = Job(slots, 5)
    assert first.running.wait(WAIT_SECONDS)
    stopped, waiting = Job(slots, 100), Job(slots, 1)
    stopped.give_up.set()
    assert stopped.ended.wait(WAIT_SECONDS)
    assert not stopped.running.is_set()
    slots.release()
    assert waiting.running.wait(WAIT_SECONDS)


def test_never_more_run_than_there_are_slots() -> None:
    slots = Slots(3)
    jobs = [Job(slots, seconds) for seconds in range(9)]
    for finished in range(7):
        deadline = time.monotonic() + WAIT_SECONDS
        while sum(job.running.is_set() for job in jobs) < 3 + finished and time.monotonic() < deadline:
            time.sleep(0.01)
        assert sum(job.running.is_set() for job in jobs) == min(9, 3 + finished)
        slots.release()
