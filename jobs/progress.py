"""Progress lines: how far a job is, on stdout, in the one form that the template's metric regexes read."""

from __future__ import annotations

import time
from collections.abc import Callable

SECONDS_BETWEEN_LINES = 2.0


class Progress:
    """Print ``progress step=… total=… seconds_left=…``, at most one line every two seconds and the last step.

    `done` steps were made before this process started (a resumed job); they do not count in the rate. With
    `unit`, steps a second are shown too, as ``<unit>_per_second=…``.
    """

    def __init__(
        self, total: int, *, done: int = 0, unit: str = "", clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._total = total
        self._done = done
        self._unit = unit
        self._clock = clock
        self._started = clock()
        self._shown = float("-inf")

    def show(self, step: int, *, loss: float | None = None, share: float | None = None) -> None:
        """Say that `step` of `total` steps are made.

        `share`: of the work that this process found, how much is done, where steps differ in size; in (0, 1].
        """
        now = self._clock()
        if step < self._total and now - self._shown < SECONDS_BETWEEN_LINES:
            return
        self._shown = now
        made, seconds = step - self._done, now - self._started
        share = share or max(made, 1) / max(self._total - self._done, 1)
        left = max(round(seconds / share * (1 - share)), 0)
        ending = "" if loss is None else f" loss={loss:.4f}"
        if self._unit and seconds > 0:
            ending += f" {self._unit}_per_second={made / seconds:.2f}"
        print(f"progress step={step} total={self._total} seconds_left={left}{ending}", flush=True)
