"""The training doors from end to end on a tiny model: what they write, and what survives what."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import mlflow
import pytest
import torch
import trl.trainer.utils
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

from data.recipe_format import RECIPES, ROOT
from jobs.doors import BadInput, NotFinite
from jobs.run import RunReference
from jobs.tracking import start_parent
from training import dpo, sft
from training.checkpoints import digest_file

SFT = str(RECIPES / "sft" / "tiny-full.yaml")
DPO = str(RECIPES / "dpo" / "tiny-full.yaml")
LORA = ["--method", "lora", "--r", "4", "--lora_alpha", "8"]
SHORT = [
    "--per_device_train_batch_size",
    "4",
    "--max_steps",
    "8",
    "--save_steps",
    "2",
    "--save_total_limit",
    "9",
]

Main = Callable[[Sequence[str]], None]


@pytest.fixture(autouse=True)
def one_thread() -> None:
    # The bits of a float sum follow the number of threads.
    torch.set_num_threads(1)


def arguments(recipe: str, model: Path, rows: Path, out: Path, *more: str) -> list[str]:
    return [recipe, "--model", str(model), "--train", str(rows), "--out", str(out), *more]


def read_metrics(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]


def test_full_fine_tuning_leaves_a_whole_model(tiny_model: Path, sft_rows: Path, tmp_path: Path) -> None:
    sft.main(
        arguments(
            SFT,
            tiny_model,
            sft_rows,
            tmp_path,
            "--num_train_epochs",
            "8",
            "--per_device_train_batch_size",
            "4",
        )
    )
    metrics = read_metrics(tmp_path)
    assert [line["step"] for line in metrics] == list(range(1, 49))
    assert metrics[-1]["loss"] < metrics[0]["loss"] / 2
    assert metrics[-1]["tokens"] > metrics[0]["tokens"] > 0
    assert all(line["grad_norm"] > 0 for line in metrics)
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "model")
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "model")
    assert tokenizer.chat_template == AutoTokenizer.from_pretrained(tiny_model).chat_template
    assert model.generation_config.eos_token_id == tokenizer.eos_token_id
    assert not (tmp_path / "adapter").exists()


def test_a_merged_lora_model_is_its_base_with_its_adapter(
    tiny_model: Path, sft_rows: Path, tmp_path: Path
) -> None:
    sft.main(arguments(SFT, tiny_model, sft_rows, tmp_path, *LORA, *SHORT, "--learning_rate", "1e-2"))
    tokens = torch.arange(3, 60)[None]
    base = AutoModelForCausalLM.from_pretrained(tiny_model)
    merged = AutoModelForCausalLM.from_pretrained(tmp_path / "model")
    with torch.no_grad():
        untrained = base(tokens).logits
        adapted = PeftModel.from_pretrained(base, tmp_path / "adapter")(tokens).logits
        assert torch.allclose(merged(tokens).logits, adapted, atol=1e-4)
    assert not torch.allclose(adapted, untrained, atol=1e-2)


def test_preference_optimisation_widens_the_margin(
    tiny_model: Path, preference_rows: Path, tmp_path: Path
) -> None:
    dpo.main(arguments(DPO, tiny_model, preference_rows, tmp_path, "--num_train_epochs", "4"))
    losses = [line["loss"] for line in read_metrics(tmp_path)]
    assert losses[0] == pytest.approx(0.6931, abs=1e-3), "at the start the model is its own reference"
    assert losses[-1] < 0.5


RESUMED = [
    (sft.main, SFT, "sft_rows", [], "full fine-tuning"),
    (sft.main, SFT, "sft_rows", [*LORA, "--lora_dropout", "0.1"], "LoRA with dropout"),
    (dpo.main, DPO, "preference_rows", [], "preferences, reference read beforehand"),
    (
        dpo.main,
        DPO,
        "preference_rows",
        [*LORA, "--precompute_ref_log_probs", "false"],
        "preferences with LoRA",
    ),
]


@pytest.mark.parametrize(("main", "recipe", "rows", "more", "why"), RESUMED, ids=[row[4] for row in RESUMED])
def test_a_resumed_training_ends_where_an_unbroken_one_does(
    main: Main,
    recipe: str,
    rows: str,
    more: list[str],
    why: str,
    tiny_model: Path,
    tmp_path: Path,
    request: pytest.FixtureRequest,
    capsys: pytest.CaptureFixture[str],
) -> None:
    unbroken, resumed = tmp_path / "unbroken", tmp_path / "resumed"
    train = request.getfixturevalue(rows)
    main(arguments(recipe, tiny_model, train, unbroken, *SHORT, *more))
    for step, damage in ((2, None), (4, None), (6, "optimizer.pt"), (8, "manifest.json")):
        checkpoint = resumed / "checkpoints" / f"checkpoint-{step}"
        shutil.copytree(unbroken / "checkpoints" / checkpoint.name, checkpoint)
        if damage:
            os.truncate(checkpoint / damage, 100)
    main(arguments(recipe, tiny_model, train, resumed, *SHORT, *more))
    output = capsys.readouterr()
    assert "resuming from checkpoint-4" in output.out
    assert "checkpoint-8 is passed over: it was never finished" in output.err
    assert "checkpoint-6 is passed over: optimizer.pt has changed" in output.err
    assert read_metrics(resumed) == read_metrics(unbroken)
    weights = [digest_file(out / "model" / "model.safetensors") for out in (unbroken, resumed)]
    assert weights[0] == weights[1]


def test_a_killed_training_is_resumed_by_running_it_again(
    tiny_model: Path, sft_rows: Path, tmp_path: Path
) -> None:
    more = ["--per_device_train_batch_size", "2", "--max_steps", "40", "--save_steps", "2"]
    command = arguments(SFT, tiny_model, sft_rows, tmp_path, *more)
    environ = {**os.environ, "OMP_NUM_THREADS": "1"}
    job = subprocess.Popen([sys.executable, "-m", "training.sft", *command], cwd=ROOT, env=environ)
    deadline = time.monotonic() + 120
    while not (tmp_path / "checkpoints" / "checkpoint-6" / "manifest.json").exists():
        assert job.poll() is None, "the training ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.002)
    job.send_signal(signal.SIGKILL)
    job.wait()
    assert not (tmp_path / "model").exists()
    sft.main(command)
    assert [line["step"] for line in read_metrics(tmp_path)] == list(range(1, 41))
    assert json.loads((tmp_path / "training.json").read_text(encoding="utf-8"))["steps"] == 40


def test_a_finished_training_does_nothing_more(
    tiny_model: Path, sft_rows: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = arguments(SFT, tiny_model, sft_rows, tmp_path, *SHORT)
    sft.main(command)
    weights = tmp_path / "model" / "model.safetensors"
    before = (digest_file(weights), weights.stat().st_mtime_ns, read_metrics(tmp_path))
    sft.main(command)
    assert "nothing to do" in capsys.readouterr().out
    assert (digest_file(weights), weights.stat().st_mtime_ns, read_metrics(tmp_path)) == before
    # On a fresh machine only the checkpoints come back: the result is made from the last, without a step.
    shutil.rmtree(tmp_path / "model")
    (tmp_path / "training.json").unlink()
    sft.main(command)
    assert digest_file(weights) == before[0]
    with pytest.raises(BadInput, match="another recipe"):
        sft.main([*command, "--seed", "7"])
    (tmp_path / "training.json").unlink()
    with pytest.raises(BadInput, match=r"checkpoint-8 was made by another recipe"):
        sft.main([*command, "--seed", "7"])


def test_a_loss_that_is_not_finite_leaves_no_model(tiny_model: Path, sft_rows: Path, tmp_path: Path) -> None:
    with pytest.raises(NotFinite):
        sft.main(
            arguments(
                SFT, tiny_model, sft_rows, tmp_path, *SHORT, "--learning_rate", "1e30", "--save_steps", "1"
            )
        )
    assert not (tmp_path / "model").exists()
    assert not (tmp_path / "training.json").exists()


def test_scoring_completions_alone_gives_the_same_losses(
    tiny_model: Path, sft_rows: Path, preference_rows: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for main, recipe, rows in ((sft.main, SFT, sft_rows), (dpo.main, DPO, preference_rows)):
        module = sys.modules[main.__module__]
        main(arguments(recipe, tiny_model, rows, tmp_path / module.__name__ / "alone", *SHORT))
        with monkeypatch.context() as stock:
            stock.setattr(trl.trainer.utils, "_use_triton", lambda device: False)
            stock.setattr(module, "score_completions_alone", lambda: None)
            main(arguments(recipe, tiny_model, rows, tmp_path / module.__name__ / "stock", *SHORT))
        alone, every = (read_metrics(tmp_path / module.__name__ / name) for name in ("alone", "stock"))
        for ours, theirs in zip(alone, every, strict=True):
            assert ours["loss"] == pytest.approx(theirs["loss"], rel=1e-4)
            assert ours["grad_norm"] == pytest.approx(theirs["grad_norm"], rel=1e-3)


def test_a_tracked_training_shows_its_curves_its_parameters_and_its_failure(
    tiny_model: Path, sft_rows: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = f"sqlite:///{tmp_path}/mlflow.db"
    for name, value in {"MLFLOW_TRACKING_URI": store, "RUN_ID": "r", "VARIANT": "sft-dpo"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    data = tmp_path / "data"
    data.mkdir()
    rows = shutil.copy(sft_rows, data)
    with start_parent("r") as parent:
        RunReference("r", parent.experiment_id, parent.run_id, "da7a").write(data)
    sft.main(arguments(SFT, tiny_model, Path(rows), tmp_path / "out", *SHORT))
    client = mlflow.MlflowClient(store)
    parent_is = f"tags.mlflow.parentRunId = '{parent.run_id}'"
    (run,) = client.search_runs([str(parent.experiment_id)], parent_is)
    assert run.info.run_name == "train-sft-dpo"
    assert run.info.status == "FINISHED"
    assert run.data.params["learning_rate"] == "0.003"
    assert run.data.tags["recipe_hash"]
    assert len(client.get_metric_history(run.info.run_id, "loss")) == 8
    assert {file.path for file in client.list_artifacts(run.info.run_id)} == {
        "tiny-full.yaml",
        "training.json",
    }


BAD_ARGUMENTS = [
    ([SFT, "--model", "absent"], "--model names no model folder", "no model"),
    ([SFT, "--fields"], "write overrides as --field value", "an option without a value"),
    ([], "required: recipe", "no recipe"),
]


@pytest.mark.parametrize(("given", "message", "why"), BAD_ARGUMENTS, ids=[row[2] for row in BAD_ARGUMENTS])
def test_bad_arguments_say_what_is_missing(
    given: list[str], message: str, why: str, tiny_model: Path, sft_rows: Path, tmp_path: Path
) -> None:
    defaults = ["--train", str(sft_rows), "--out", str(tmp_path)]
    model = [] if "--model" in given else ["--model", str(tiny_model)]
    with pytest.raises(BadInput, match=message):
        sft.main([*defaults, *model, *given])
