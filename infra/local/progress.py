"""What a person sees while an execution runs: states, jobs, step k of n, loss, time left."""

from __future__ import annotations

import json
import time
from typing import Any

from infra.local.training_jobs import FINISHED, TrainingJob, TrainingJobs

_EVERY_SECONDS = 10.0


def clock(seconds: float) -> str:
    """Minutes and seconds.

    >>> clock(75.2)
    '1:15'
    """
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def job_line(job: TrainingJob) -> str:
    """Where a running job stands, from the metrics that its own MetricDefinitions read off the log."""
    metrics = job.metrics
    parts = [job.secondary_status]
    if "step" in metrics and metrics.get("total"):
        parts.append(f"step {metrics['step']:.0f} of {metrics['total']:.0f}")
    if "rows_per_second" in metrics:
        rate = metrics["rows_per_second"]
        parts.append(f"{rate:.1f} rows/s" if rate >= 0.1 else f"{rate:.2f} rows/s")
    if "loss" in metrics:
        parts.append(f"loss {metrics['loss']:.3f}")
    if "seconds_left" in metrics:
        parts.append(f"{clock(metrics['seconds_left'])} left")
    return "  ".join(parts)


class Progress:
    """Prints when a state begins or ends and when a job moves on, and each running job every ten seconds."""

    def __init__(self, jobs: TrainingJobs) -> None:
        self._jobs = jobs
        self._started = time.monotonic()
        self._seen_events = 0
        self._entered: dict[str, float] = {}
        self._state_of_job: dict[str, str] = {}
        self._failed: set[str] = set()
        self._said: dict[str, tuple[float, str]] = {}

    def show(self, events: list[dict[str, Any]]) -> None:
        """Print what is new in an execution's whole history and in its jobs."""
        names = _state_names(events)
        for event in events[self._seen_events :]:
            self._show_event(event, names)
        self._seen_events = len(events)
        for job in list(self._jobs.jobs.values()):
            if job.status not in FINISHED:
                self._show_job(job)

    def _print(self, text: str) -> None:
        print(f"{clock(time.monotonic() - self._started):>6}  {text}", flush=True)

    def _show_event(self, event: dict[str, Any], names: dict[int, str]) -> None:
        kind = event["type"]
        if kind == "TaskScheduled":
            parameters = json.loads(event["taskScheduledEventDetails"]["parameters"])
            if "TrainingJobName" in parameters:
                self._state_of_job[parameters["TrainingJobName"]] = names.get(event["id"], "")
        elif kind == "TaskStateEntered":
            name = event["stateEnteredEventDetails"]["name"]
            self._entered[name] = time.monotonic()
            self._print(f"{name}  started")
        elif kind == "TaskStateExited":
            name = event["stateExitedEventDetails"]["name"]
            if name in self._failed:
                return
            self._print(f"{name}  done in {clock(time.monotonic() - self._entered.get(name, self._started))}")
        elif kind in ("TaskFailed", "TaskTimedOut"):
            name = names.get(event["id"], "")
            self._failed.add(name)
            self._print(f"{name}  failed")

    def _show_job(self, job: TrainingJob) -> None:
        line = job_line(job)
        now = time.monotonic()
        said_at, said = self._said.get(job.name, (0.0, ""))
        moved_on = line.split("  ")[0] != said.split("  ")[0]
        if moved_on or (line != said and now - said_at >= _EVERY_SECONDS):
            self._said[job.name] = (now, line)
            self._print(f"{self._state_of_job.get(job.name, job.name)}  {line}")


def _state_names(events: list[dict[str, Any]]) -> dict[int, str]:
    """Event id → the state it happened in, along previousEventId."""
    names: dict[int, str] = {}
    for event in events:
        entered = event.get("stateEnteredEventDetails")
        previous = names.get(event.get("previousEventId", 0), "")
        names[event["id"]] = entered["name"] if entered else previous
    return names
