"""What a training shows while it runs: progress lines, ``metrics.jsonl`` and the curves in MLflow."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from jobs.progress import Progress
from jobs.run import Run


class ReportingCallback(TrainerCallback):  # type: ignore[misc]
    """Report every logged step, from rank 0 alone.

    ``metrics.jsonl`` has a line a logged step: `step`, `loss`, `grad_norm` and `tokens`, the number of tokens
    seen so far without padding. A resumed job writes the lines of the steps before it again, from the state
    in its checkpoint, so the file has each step once wherever it was interrupted.
    """

    def __init__(self, metrics: Path, run: Run) -> None:
        self._metrics = metrics
        self._run = run
        self._progress = Progress(0)
        self._loss: float | None = None

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        self._progress = Progress(state.max_steps, done=state.global_step)
        if state.is_world_process_zero:
            lines = [_metrics_line(log["step"], log) for log in state.log_history if "loss" in log]
            self._metrics.write_text("".join(lines), encoding="utf-8")

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        if state.is_world_process_zero and not control.should_log:
            self._progress.show(state.global_step, loss=self._loss)

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float],
        **_: Any,
    ) -> None:
        if not state.is_world_process_zero or "loss" not in logs:
            return
        self._loss = logs["loss"]
        self._progress.show(state.global_step, loss=self._loss)
        with self._metrics.open("a", encoding="utf-8") as lines:
            lines.write(_metrics_line(state.global_step, logs))
        self._run.log_metrics(logs, step=state.global_step)


def _metrics_line(step: int, logs: dict[str, float]) -> str:
    chosen = {
        "step": step,
        "loss": logs["loss"],
        "grad_norm": logs.get("grad_norm"),
        "tokens": logs.get("num_input_tokens_seen"),
    }
    return json.dumps(chosen) + "\n"
