"""The line that a person sees of a running job, made of what its progress lines say."""

from __future__ import annotations

from typing import Any

import pytest

from infra.local.progress import job_line
from infra.local.training_jobs import TrainingJob

LINES = [
    ({}, "Training", "nothing is known yet"),
    ({"step": 12.0, "total": 90.0, "seconds_left": 83.0, "loss": 1.2345},
     "Training  step 12 of 90  loss 1.234  1:23 left", "a training"),
    ({"step": 12.0, "total": 90.0, "seconds_left": 5.0, "rows_per_second": 12.34},
     "Training  step 12 of 90  12.3 rows/s  0:05 left", "a prediction"),
    ({"step": 1.0, "total": 0.0}, "Training", "a total of nothing"),
    ({"rows_per_second": 0.04}, "Training  0.04 rows/s", "slower than a row in ten seconds"),
]  # fmt: skip


@pytest.mark.parametrize(("metrics", "line", "reason"), LINES, ids=[row[2] for row in LINES])
def test_a_running_job_says_where_it_stands(metrics: dict[str, float], line: str, reason: str) -> None:
    request: dict[str, Any] = {"TrainingJobName": "job"}
    job = TrainingJob(request, "us-east-1")
    job.secondary_status = "Training"
    job.metrics = metrics
    assert job_line(job) == line, reason
