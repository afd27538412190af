"""The model under evaluation: its weights, its tokenizer and the format in which it writes calls."""

from __future__ import annotations

import hashlib
import resource
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import yaml
from transformers import AutoModelForCausalLM, PreTrainedModel, PreTrainedTokenizerBase
from transformers.utils.logging import disable_progress_bar

from data.template import load_tokenizer, render_completion, render_prompt
from evaluation.toolcalls import FORMATS, format_of_template
from jobs.doors import BadInput

ROOT = Path(__file__).resolve().parent.parent
DIGEST_CHARACTERS = 12
# A text that no template changes; what the template writes behind it is the end of a turn.
PROBE = "Toolwright"


@dataclass(frozen=True)
class Subject:
    """A model ready to be evaluated.

    `format`: how its completions are parsed. `end_of_turn`: the text that ends an assistant turn. `digest`:
    the same for the same weights, template and format only.
    """

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    format: str
    end_of_turn: str
    digest: str

    @property
    def device(self) -> torch.device:
        """Where the weights lie."""
        return torch.device(self.model.device)

    @property
    def max_tokens(self) -> int:
        """The longest sequence that the model has positions for."""
        return int(self.model.config.get_text_config().max_position_embeddings)

    def encode(self, text: str) -> list[int]:
        """Tokenize a rendered text, which carries its special tokens already."""
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def prompt_of(self, row: Mapping[str, Any]) -> str:
        """Render the row up to the point where the model answers."""
        return render_prompt(self.tokenizer, row["messages"], row["tools"])


def load_subject(model_dir: Path, recipe: Path | None = None) -> Subject:
    """Load a model for evaluation: bfloat16 on a GPU, float32 on a CPU.

    `model_dir`: the folder of a Hugging Face model, or one that holds it as ``model/`` or ``base_model/``.
    `recipe`: a YAML file whose ``chat_template`` (below the repository's root) and ``tool_call_format`` are
    used; without it both come from the tokenizer. Raises BadInput.
    """
    folder = _find_model(model_dir)
    settings = _read_recipe(recipe) if recipe else {}
    tokenizer = load_tokenizer(folder, _template_path(settings, recipe))
    format = _format(settings, str(tokenizer.chat_template), recipe)
    # Bars that redraw themselves make a job's log unreadable; progress has its own lines.
    disable_progress_bar()
    has_gpu = torch.cuda.is_available()
    dtype = torch.bfloat16 if has_gpu else torch.float32
    model = AutoModelForCausalLM.from_pretrained(str(folder), dtype=dtype)
    model = model.to("cuda" if has_gpu else "cpu").eval()
    digest = _digest(folder, str(tokenizer.chat_template), format)
    return Subject(model, tokenizer, format, end_of_turn(tokenizer), digest)


def end_of_turn(tokenizer: PreTrainedTokenizerBase) -> str:
    """Find the text that the chat template writes to end an assistant turn, such as ``<|im_end|>``."""
    question = {"role": "user", "content": "?"}
    rendered = render_completion(tokenizer, [question], "[]", {"role": "assistant", "content": PROBE})
    return rendered.partition(PROBE)[2] or str(tokenizer.eos_token or "")


def peak_memory_gib(device: torch.device) -> float:
    """The most memory that was held: the GPU's where the model lies there, else the process's."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**30
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def _find_model(given: Path) -> Path:
    candidates = (given, given / "model", given / "base_model")
    for folder in candidates:
        if (folder / "config.json").is_file():
            return folder
    raise BadInput(f"{given}: no model here (no config.json in it, nor in model/ or base_model/ below it)")


def _read_recipe(path: Path) -> Mapping[str, Any]:
    try:
        settings = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise BadInput(f"recipe {path}: {error}") from error
    if not isinstance(settings, dict):
        raise BadInput(f"recipe {path}: expected 'field: value' lines")
    return settings


def _template_path(settings: Mapping[str, Any], recipe: Path | None) -> Path | None:
    named = settings.get("chat_template")
    if named is None:
        return None
    path = ROOT / str(named)
    if not path.is_file():
        raise BadInput(f"recipe {recipe}: chat_template {named!r}: there is no such file below {ROOT}")
    return path


def _format(settings: Mapping[str, Any], chat_template: str, recipe: Path | None) -> str:
    format = settings.get("tool_call_format") or format_of_template(chat_template)
    if format in FORMATS:
        return str(format)
    known = ", ".join(FORMATS)
    if format is None:
        raise BadInput(
            "the chat template shows no tool-call format that is known; "
            f"name one as tool_call_format in a recipe: {known}"
        )
    raise BadInput(f"recipe {recipe}: unknown tool_call_format {format!r}; known are {known}")


def _digest(folder: Path, chat_template: str, format: str) -> str:
    digest = hashlib.sha256(f"{format}\0{chat_template}\0".encode())
    for path in sorted(folder.iterdir()):
        if path.suffix in (".safetensors", ".bin") or path.name in ("config.json", "tokenizer.json"):
            with path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:DIGEST_CHARACTERS]
