"""Progress lines: how far a job is, on stdout, in the one form that the template's metric regexes read."""

from __future__ import annotations

import time
from collections.abc import Callable

SECONDS_BETWEEN_LINES = 2.0


class Progress:
    """Print ``progress step=… total=… seconds_left=…``, at most one line every two seconds and the last step.

    `done` steps were made before this process started (a resumed training); they do not count in the rate.
    """

    def __init__(self, total: int, *, done: int = 0, clock: Callable[[], float] = time.monotonic) -> None:
        self._total = total
        self._done = done
        self._clock = clock
        self._started = clock()
        self._shown = float("-inf")

    def show(self, step: int, *, loss: float | None = None) -> None:
        """Say that `step` of `total` steps are made."""
        now = self._clock()
        if step < self._total and now - self._shown < SECONDS_BETWEEN_LINES:
            return
        self._shown = now
        rate = (now - self._started) / max(step - self._done, 1)
        left = max(round(rate * (self._total - step)), 0)
        ending = "" if loss is None else f" loss={loss:.4f}"
        print(f"progress step={step} total={self._total} seconds_left={left}{ending}", flush=True)
