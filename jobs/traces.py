"""One generated answer as a trace: what went in, what came out, what was expected and what it was worth."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

# OpenTelemetry's trace ids have 16 bytes, its span ids 8.
TRACE_ID_CHARACTERS = 32
SPAN_ID_CHARACTERS = 16


@dataclass(frozen=True)
class Trace:
    """An answer of a model, told after the fact.

    `key`: what makes it one of a kind in its run, so that a retried job logs it once. `run_id`: the MLflow
    run that it came from. `inputs`, `outputs`: JSON; `asked`, `answered`: their gist in words, for lists.
    `expected`: JSON by name. `found`: the grader's findings by name; `why`: the reason beside each of them.
    """

    key: tuple[str, ...]
    run_id: str
    name: str
    inputs: Mapping[str, Any]
    outputs: Any
    asked: str
    answered: str
    expected: Mapping[str, Any] = field(default_factory=dict)
    found: Mapping[str, bool | float | str] = field(default_factory=dict)
    why: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """64 hex digits of the run and the key; the ids of the trace are cut from it."""
        return hashlib.sha256("\0".join((self.run_id, *self.key)).encode("utf-8", "replace")).hexdigest()

    @property
    def trace_id(self) -> str:
        """The id that MLflow knows it by."""
        return f"tr-{self.digest[:TRACE_ID_CHARACTERS]}"
