"""Supervised fine-tuning: ``python -m training.sft RECIPE [--model DIR] [--train FILE] [--out DIR]``.

Any field of the recipe can be changed with ``--field value``. Defaults are the container's paths. Writes
``model/``, for LoRA ``adapter/``, ``metrics.jsonl`` and ``training.json``; resumes from its checkpoints.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

from trl import SFTConfig

from data.template import load_tokenizer
from jobs.container import read_environment
from jobs.doors import run_door
from jobs.tracking import child_run
from training.arguments import parse_arguments
from training.checkpoints import fingerprint_run
from training.processes import use_every_gpu
from training.recipe import build_config, build_lora, load_recipe
from training.reporting import ReportingCallback
from training.results import Summary, is_finished, save_result
from training.tokenization import tokenize_sft_rows
from training.trainers import SupervisedTrainer, score_completions_alone


def main(argv: Sequence[str]) -> None:
    """Fine-tune a model on the answers of ``train_sft.jsonl``."""
    started = time.monotonic()
    job = parse_arguments(argv, "Supervised fine-tuning", "train_sft.jsonl")
    use_every_gpu("training.sft", argv)
    variant = read_environment().variant or "sft"

    # All that can fail is inside, so that a failure shows in MLflow as one.
    with child_run(f"train-{variant}", job.train.parent, base_model=job.model) as run:
        recipe = load_recipe(job.recipe, SFTConfig, job.overrides)
        run.set_tags({"recipe_hash": recipe.hash})
        run.log_params(recipe.all_fields)
        run.log_artifact(job.recipe)
        made_from = fingerprint_run(recipe.hash, job.train, job.model)
        if is_finished(job.out, made_from):
            print(f"{job.out}: this training is finished; nothing to do")
            return

        config = build_config(recipe, job.checkpoints)
        tokenizer = load_tokenizer(job.model, recipe.format.chat_template, recipe.format.tools_rendering)
        rows = tokenize_sft_rows(job.train, tokenizer, recipe.format.tool_call_format, config.max_length)
        run.log_dataset(job.train, name=job.train.name, context="training")
        run.log_metrics({"rows": len(rows.dataset), "rows_dropped_as_too_long": rows.dropped})

        score_completions_alone()
        trainer = SupervisedTrainer(
            model=str(job.model),
            args=config,
            train_dataset=rows.dataset,
            processing_class=tokenizer,
            peft_config=build_lora(recipe),
            callbacks=[ReportingCallback(job.out / "metrics.jsonl", run)],
        )
        trainer.train_or_resume(made_from)

        summary = Summary(
            stage="sft",
            recipe=job.recipe.name,
            recipe_hash=recipe.hash,
            made_from=made_from,
            steps=trainer.state.global_step,
            rows=len(rows.dataset),
            rows_dropped=rows.dropped,
            seconds=round(time.monotonic() - started, 1),
        )
        save_result(job.out, trainer, job.model, summary)
        run.log_artifact(job.out / "training.json")


if __name__ == "__main__":
    run_door(lambda: main(sys.argv[1:]))
