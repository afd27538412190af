"""How many jobs a machine runs at once, and which of those that wait goes next."""

from __future__ import annotations

import heapq
import itertools
import threading
import time

# Jobs of one Parallel state arrive within this time; who is a few milliseconds early must not matter.
SETTLING_SECONDS = 1.0
_POLL_SECONDS = 0.1


class Slots:
    """Slots for jobs; of those that wait, the one that may run longest goes first.

    Longest first brings the end of the whole forward (R. L. Graham, "Bounds on multiprocessing timing
    anomalies", 1969): a chain of long trainings does not wait for a short prediction.
    """

    def __init__(self, count: int) -> None:
        self._free = count
        self._waiting: list[tuple[float, int]] = []
        self._numbers = itertools.count()
        self._changed = threading.Condition()

    def take(self, longest_seconds: float, give_up: threading.Event) -> bool:
        """Wait for a slot; False where `give_up` is set before there is one."""
        with self._changed:
            entry = (-longest_seconds, next(self._numbers))
            heapq.heappush(self._waiting, entry)
            settled = time.monotonic() + SETTLING_SECONDS
            while not give_up.is_set():
                if self._free and self._waiting[0] == entry and time.monotonic() >= settled:
                    heapq.heappop(self._waiting)
                    self._free -= 1
                    return True
                self._changed.wait(_POLL_SECONDS)
            self._waiting.remove(entry)
            heapq.heapify(self._waiting)
            return False

    def release(self) -> None:
        """Give a slot back."""
        with self._changed:
            self._free += 1
            self._changed.notify_all()
