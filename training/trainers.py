"""TRL's trainers with what an unattended job needs: bad numbers end it, and checkpoints are known whole."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import torch
import trl.trainer.utils
from datasets import Dataset
from peft import PeftModel
from transformers import PrinterCallback, Trainer, TrainerState
from transformers.trainer import TRAINER_STATE_NAME
from trl import DPOTrainer, SFTTrainer

from jobs.doors import NotFinite
from training.checkpoints import is_last, newest_whole, write_manifest
from training.shared_prompts import share_prompts


class UnattendedTrainer(Trainer):  # type: ignore[misc]
    """Raises NotFinite for a loss or a weight that is not finite, before it can be saved."""

    made_from: str = ""

    def training_step(self, *args: Any, **kwargs: Any) -> torch.Tensor:
        loss: torch.Tensor = super().training_step(*args, **kwargs)
        if not math.isfinite(loss.item()):
            raise NotFinite(
                f"the loss is {loss.item()} after step {self.state.global_step}:"
                " lower learning_rate, or look at the rows of this batch"
            )
        return loss

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        check_weights(self.model, self.state.global_step)
        super()._save_checkpoint(model, trial)
        self.accelerator.wait_for_everyone()
        if self.is_world_process_zero():
            checkpoint = Path(self.args.output_dir) / f"checkpoint-{self.state.global_step}"
            write_manifest(checkpoint, self.made_from)

    def train_or_resume(self, made_from: str) -> None:
        """Train to the end, from the newest whole checkpoint where there is one."""
        self.made_from = made_from
        # It prints every log as a dictionary; the progress lines say it in a form that is read by others.
        self.remove_callback(PrinterCallback)
        checkpoint = newest_whole(Path(self.args.output_dir), made_from)
        if checkpoint is None:
            self.train()
        elif is_last(checkpoint):
            # Trainer.train would make one step more than the recipe says.
            self._load_from_checkpoint(str(checkpoint))
            self.state = TrainerState.load_from_json(str(checkpoint / TRAINER_STATE_NAME))
        else:
            print(f"resuming from {checkpoint.name}", flush=True)
            self.train(resume_from_checkpoint=str(checkpoint))
        check_weights(self.model, self.state.global_step)


class SupervisedTrainer(UnattendedTrainer, SFTTrainer):  # type: ignore[misc]
    """Supervised fine-tuning on the rows of `tokenize_sft_rows`."""


class PreferenceTrainer(UnattendedTrainer, DPOTrainer):  # type: ignore[misc]
    """Direct preference optimisation on the rows of `tokenize_preference_rows`; prompts run once a pair."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        share_prompts(self.model.get_base_model() if isinstance(self.model, PeftModel) else self.model)
        if self.ref_model is not None:
            share_prompts(self.ref_model)

    def _prepare_dataset(self, dataset: Dataset, *args: Any) -> Dataset:
        # TRL would render the rows once more, without knowing how evaluation renders them.
        return dataset

    def _set_signature_columns_if_needed(self) -> None:
        super()._set_signature_columns_if_needed()
        # Columns that are not named here are gone before rows can be grouped by length.
        if "length" not in self._signature_columns:
            self._signature_columns.append("length")


def check_weights(model: torch.nn.Module, step: int) -> None:
    """Raise NotFinite if any trained weight is NaN or infinite."""
    for name, weight in model.named_parameters():
        if weight.requires_grad and not bool(torch.isfinite(weight).all()):
            raise NotFinite(f"the weight {name} is not finite at step {step}: lower learning_rate")


def score_completions_alone() -> None:
    """Let TRL's fused head score completion tokens only on the CPU as well, as it does on a GPU.

    Elsewhere TRL projects every position on the vocabulary and masks afterwards, prompts included: the same
    loss for several times the work. The switch is private, so TRL is pinned and a test compares the losses.
    """
    if not torch.cuda.is_available():
        trl.trainer.utils._use_triton = lambda device: True
