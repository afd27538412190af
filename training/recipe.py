"""A recipe: the whole of a training run in one YAML file, in TRL's own field names.

The keys are the fields of the stage's TRL configuration (``learning_rate``, ``beta``, …), those of peft's
``LoraConfig`` (``r``, ``lora_alpha``, …) and the five of ours that `OWN_FIELDS` explains.
"""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, get_type_hints

import torch
from peft import LoraConfig
from trl import DPOConfig, SFTConfig

from data.recipe_format import RowFormat, ToolsRendering, read_format, read_recipe
from jobs.doors import BadInput
from training.field_types import fit_value, read_value

DIGEST_CHARACTERS = 16

OWN_FIELDS: Mapping[str, Any] = {
    "method": Literal["lora", "full"],
    "chat_template": str,  # a path below the repository's root, for models whose own template shows no tools
    "tools_rendering": ToolsRendering,  # JSON Schemas (full, the default) or signatures, in templates of ours
    "tool_call_format": str,  # how evaluation.toolcalls reads the calls that the template writes
    # A path below the repository's root: what the variant `prompt` tells the base model. Training ignores it.
    "few_shot_prompt": str,
}
# Fields that the job itself decides: a recipe that sets one would be obeyed in part or not at all.
DECIDED: Mapping[str, str] = {
    "output_dir": "--out names the folder",
    "report_to": "MLFLOW_TRACKING_URI names the server",
    "resume_from_checkpoint": "a job always resumes from its newest whole checkpoint",
    "chat_template_path": "name the file as chat_template",
    "completion_only_loss": "the loss is on the completion alone",
    "assistant_only_loss": "the loss is on the completion alone",
    "truncation_mode": "rows longer than max_length are left out, never cut",
    "dataset_text_field": "rows are rendered through the chat template",
    "dataset_kwargs": "rows are rendered through the chat template",
    "logging_nan_inf_filter": "a loss that is not finite ends the job",
    "disable_tqdm": "progress is shown by progress lines",
    "use_cpu": "a GPU is used where there is one",
    "task_type": "the task is causal language modelling",
}


@dataclass(frozen=True)
class Recipe:
    """What a run does: TRL's fields, peft's fields, and how rows are rendered."""

    path: Path
    config_class: type
    method: Literal["lora", "full"]
    format: RowFormat
    training_fields: Mapping[str, Any]
    lora_fields: Mapping[str, Any]

    @property
    def all_fields(self) -> dict[str, Any]:
        """Every field that was set and that training uses, as it will be; what MLflow shows as parameters."""
        template = self.format.chat_template
        own = {
            "method": self.method,
            "chat_template": template.name if template else None,
            "tools_rendering": self.format.tools_rendering,
            "tool_call_format": self.format.tool_call_format,
        }
        return {**own, **self.training_fields, **self.lora_fields}

    @property
    def hash(self) -> str:
        """A digest of the fields, the same wherever the file lies."""
        text = json.dumps(self.all_fields, sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:DIGEST_CHARACTERS]


def load_recipe(path: Path, config_class: type, overrides: Mapping[str, str] | None = None) -> Recipe:
    """Read a recipe and the command line's ``--field value`` overrides.

    `config_class`: `SFTConfig` or `DPOConfig`. Raises BadInput for an unreadable file, an unknown key (it
    names the nearest known one), a value of the wrong type, or a key that the job itself decides.
    """
    hints = _field_types(config_class)
    given = {key: _fitted(value, key, path, hints, fit_value) for key, value in read_recipe(path).items()}
    changed = {
        key: _fitted(text, key, Path(f"--{key}"), hints, read_value)
        for key, text in (overrides or {}).items()
    }
    values = {**given, **changed}
    method = values.get("method")
    if method is None:
        raise BadInput(f"{path}: 'method' is absent: say lora or full")
    lora_names = {field.name for field in fields(LoraConfig)}
    lora_fields = {key: value for key, value in values.items() if key in lora_names}
    if method == "full" and lora_fields:
        raise BadInput(f"{path}: {', '.join(lora_fields)} belong to method: lora, this recipe says full")
    return Recipe(
        path=path,
        config_class=config_class,
        method=method,
        format=read_format(values, path),
        training_fields={k: v for k, v in values.items() if k not in lora_names and k not in OWN_FIELDS},
        lora_fields=lora_fields,
    )


def build_config(recipe: Recipe, output_dir: Path) -> SFTConfig | DPOConfig:
    """Build TRL's configuration for this machine; checkpoints go to `output_dir`.

    Without a GPU everything runs in float32: bf16, which TRL turns on by itself, is many times slower there.
    """
    settings = {
        "include_num_input_tokens_seen": "non_padding",
        **recipe.training_fields,
        "output_dir": str(output_dir),
        "report_to": "none",
        "disable_tqdm": True,
        # The mean over a logging interval hides a NaN by leaving it out; the job must see it.
        "logging_nan_inf_filter": False,
    }
    if not torch.cuda.is_available():
        on_host = {
            "use_cpu": True,
            "bf16": False,
            "fp16": False,
            "tf32": None,
            "dataloader_pin_memory": False,
        }
        init = {**(settings.get("model_init_kwargs") or {}), "dtype": "float32"}
        settings = {**settings, **on_host, "model_init_kwargs": init}
    try:
        return recipe.config_class(**settings)
    except (TypeError, ValueError) as error:
        raise BadInput(f"{recipe.path}: {error}") from error


def build_lora(recipe: Recipe) -> LoraConfig | None:
    """Build peft's configuration, or None where all weights are trained."""
    if recipe.method == "full":
        return None
    try:
        return LoraConfig(**{"target_modules": "all-linear", **recipe.lora_fields, "task_type": "CAUSAL_LM"})
    except (TypeError, ValueError) as error:
        raise BadInput(f"{recipe.path}: {error}") from error


def _field_types(config_class: type) -> dict[str, Any]:
    return {**get_type_hints(LoraConfig), **get_type_hints(config_class), **OWN_FIELDS}


def _fitted(value: Any, key: str, where: Path, hints: Mapping[str, Any], fit: Any) -> Any:
    if key in DECIDED:
        raise BadInput(f"{where}: '{key}' cannot be set: {DECIDED[key]}")
    if key not in hints:
        nearest = difflib.get_close_matches(key, hints, n=1, cutoff=0.0)[0]
        raise BadInput(f"{where}: unknown key '{key}'; the nearest known one is '{nearest}'")
    try:
        return fit(value, hints[key])
    except ValueError as error:
        raise BadInput(f"{where}: '{key}': {error}") from error
