"""What a training leaves: a model that any server loads, the adapter where there is one, and a summary."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from peft import PeftModel
from transformers import AutoConfig, Trainer

from jobs.doors import BadInput

SUMMARY = "training.json"


@dataclass(frozen=True)
class Summary:
    """``training.json``: written last, so where it is, the model is whole."""

    stage: str
    recipe: str
    recipe_hash: str
    made_from: str
    steps: int
    rows: int
    rows_dropped: int
    seconds: float


def is_finished(out: Path, made_from: str) -> bool:
    """Whether this very run has been finished in `out`.

    Raises BadInput where `out` holds the result of another recipe, other rows or another model.
    """
    path = out / SUMMARY
    if not path.is_file():
        return False
    try:
        summary = json.loads(path.read_text(encoding="utf-8"))
        is_same = summary["made_from"] == made_from
    except (ValueError, KeyError, TypeError) as error:
        raise BadInput(f"{path}: not the summary of a training; remove the folder") from error
    if not is_same:
        raise BadInput(
            f"{out} holds the result of another recipe, other rows or another model:"
            " name another --out, or remove it to train again"
        )
    return True


def save_result(out: Path, trainer: Trainer, model_dir: Path, summary: Summary) -> None:
    """Write ``out/model`` (LoRA merged in), ``out/adapter`` for LoRA, and the summary; rank 0 alone writes.

    Each folder appears in one move. The model keeps the number format of the one in `model_dir`, so that
    training a bfloat16 model in float32 does not double what every later job downloads.
    """
    if not trainer.is_world_process_zero():
        return
    model = trainer.accelerator.unwrap_model(trainer.model)
    if isinstance(model, PeftModel):
        put_in_place(out / "adapter", model.save_pretrained)
        model = model.merge_and_unload()
    put_in_place(out / "model", model.to(AutoConfig.from_pretrained(model_dir).dtype).save_pretrained)
    trainer.processing_class.save_pretrained(out / "model")
    partial = out / f"{SUMMARY}.partial"
    partial.write_text(json.dumps(asdict(summary), indent=1) + "\n", encoding="utf-8")
    partial.rename(out / SUMMARY)


def put_in_place(folder: Path, save: Callable[[Path], object]) -> None:
    """Let `save` fill a folder beside `folder`, then move it there in place of what was."""
    partial = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    save(partial)
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)
