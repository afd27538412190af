"""What is read off a job's log: metrics by the rendered regular expressions, and why it failed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any


def metric_patterns(algorithm: dict[str, Any]) -> dict[str, re.Pattern[str]]:
    """The MetricDefinitions of an AlgorithmSpecification, compiled, by name."""
    definitions = algorithm.get("MetricDefinitions", [])
    return {definition["Name"]: re.compile(definition["Regex"]) for definition in definitions}


def read_metrics(
    path: Path, offset: int, patterns: dict[str, re.Pattern[str]], metrics: dict[str, float]
) -> int:
    """Read the whole lines that came since `offset` and keep each metric's last value."""
    with path.open("rb") as file:
        file.seek(offset)
        text = file.read()
    whole = text[: text.rfind(b"\n") + 1]
    for line in whole.decode(errors="replace").splitlines():
        for name, pattern in patterns.items():
            found = pattern.search(line)
            if found:
                try:
                    metrics[name] = float(found.group(1))
                except ValueError:
                    continue
    return offset + len(whole)


def failure_reason(ml: Path, code: int, log_path: Path) -> str:
    """AlgorithmError, as SageMaker words it: /opt/ml/output/failure, else the log's last line."""
    failure = ml / "output" / "failure"
    if failure.is_file() and failure.stat().st_size:
        said = failure.read_text(errors="replace").strip()
    else:
        lines = log_path.read_text(errors="replace").strip().splitlines()
        said = lines[-1] if lines else "the container printed nothing"
    return f"AlgorithmError: {said}, exit code: {code}"
