"""How fast a suite was predicted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass
class Throughput:
    """What was predicted of a suite by this process, and in which time."""

    rows: int = 0
    seconds: float = 0.0
    prompt_tokens: int = 0
    completion_tokens: int = 0

    def add(self, predictions: Sequence[Mapping[str, Any]], seconds: float) -> None:
        """Count a batch."""
        self.rows += len(predictions)
        self.seconds += seconds
        self.prompt_tokens += sum(one.get("prompt_tokens", 0) for one in predictions)
        self.completion_tokens += sum(one.get("tokens", 0) for one in predictions)

    def to_json(self) -> dict[str, float]:
        """The figures for MLflow: rates only of what was done, tokens only where any were generated."""
        if not self.rows:
            return {"rows_predicted": 0}
        seconds = max(self.seconds, 1e-9)
        rates = {"rows_predicted": self.rows, "rows_per_second": self.rows / seconds}
        if self.completion_tokens:
            rates["prompt_tokens_per_second"] = self.prompt_tokens / seconds
            rates["completion_tokens_per_second"] = self.completion_tokens / seconds
        return rates

    def __str__(self) -> str:
        """A line for the log."""
        if not self.rows:
            return "0 rows predicted, nothing was missing"
        rate = f"{self.rows / max(self.seconds, 1e-9):.2f} rows a second"
        return f"{self.rows} rows predicted in {self.seconds:.1f} s, {rate}"
