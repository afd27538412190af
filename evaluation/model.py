"""The model under evaluation: its weights, its tokenizer and the format in which it writes calls."""

from __future__ import annotations

import gc
import hashlib
import resource
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel, PreTrainedTokenizerBase
from transformers.utils.logging import disable_progress_bar

from data.recipe_format import RowFormat, find_call_format, read_format, read_recipe
from data.template import Message, end_of_turn, load_tokenizer, render_completion, render_prompt
from evaluation.few_shot import FewShot, read_few_shot
from jobs.doors import BadInput

DIGEST_CHARACTERS = 12
# What beside the weights changes a prediction.
DIGESTED = (
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer.model",
    "tokenizer_config.json",
)


@dataclass(frozen=True)
class Subject:
    """A model to be evaluated; its weights are loaded when they are first asked for.

    `folder`: the Hugging Face model. `format`: how its completions are parsed. `end_of_turn`: the text that
    ends an assistant turn. `digest`: the same for the same weights, template, format and few-shot prompt
    only. `few_shot`: what stands before every conversation, None for nothing.
    """

    folder: Path
    tokenizer: PreTrainedTokenizerBase
    format: str
    end_of_turn: str
    digest: str
    few_shot: FewShot | None = None

    @cached_property
    def model(self) -> PreTrainedModel:
        """The weights: in bfloat16 on a GPU, in float32 on a CPU."""
        # Bars that redraw themselves make a job's log unreadable; progress has its own lines.
        disable_progress_bar()
        dtype = torch.bfloat16 if self.device.type == "cuda" else torch.float32
        try:
            model = AutoModelForCausalLM.from_pretrained(str(self.folder), dtype=dtype)
        except (OSError, ValueError, SafetensorError) as error:
            raise BadInput(f"{self.folder}: the model cannot be loaded: {error}; stage it again") from error
        return model.to(self.device).eval()

    @cached_property
    def device(self) -> torch.device:
        """Where the weights lie, or will."""
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")

    @cached_property
    def max_tokens(self) -> int:
        """The longest sequence that the model has positions for."""
        try:
            config = AutoConfig.from_pretrained(str(self.folder))
        except (OSError, ValueError) as error:
            raise BadInput(
                f"{self.folder}: its config.json cannot be read: {error}; stage it again"
            ) from error
        return int(config.get_text_config().max_position_embeddings)

    def encode(self, text: str) -> list[int]:
        """Tokenize a rendered text, which carries its special tokens already. Raises BadInput."""
        if not text.isascii() and any("\ud800" <= sign <= "\udfff" for sign in text):
            raise BadInput(
                "the rendered text holds half of a surrogate pair, which is no character; mend the row"
            )
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def prompt_of(self, row: Mapping[str, Any]) -> str:
        """Render the row up to the point where the model answers."""
        return render_prompt(self.tokenizer, self._messages_of(row), row["tools"])

    def completion_of(self, row: Mapping[str, Any], answer: Message) -> str:
        """Render an assistant message as the model would write it behind `prompt_of`, its end included."""
        return render_completion(self.tokenizer, self._messages_of(row), row["tools"], answer)

    def release(self) -> None:
        """Give the memory of the weights back; they are loaded again when they are next asked for."""
        self.__dict__.pop("model", None)
        gc.collect()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    def _messages_of(self, row: Mapping[str, Any]) -> Sequence[Message]:
        messages: Sequence[Message] = row["messages"]
        return self.few_shot.messages_for(messages, self.tokenizer) if self.few_shot else messages


def load_subject(model_dir: Path, recipe: Path | None = None, *, few_shot: bool = False) -> Subject:
    """Load a model's tokenizer and format for evaluation; the weights follow when they are needed.

    `model_dir`: the folder of a Hugging Face model, or one that holds it as ``model/`` or ``base_model/``.
    `recipe`: a YAML file whose ``chat_template`` (below the repository's root), ``tools_rendering`` and
    ``tool_call_format`` are used; without it all come from the tokenizer. `few_shot`: put the recipe's
    ``few_shot_prompt`` before every conversation. Raises BadInput.
    """
    folder = _find_model(model_dir)
    rows = read_format(read_recipe(recipe), recipe) if recipe else RowFormat()
    tokenizer = load_tokenizer(folder, rows.chat_template, rows.tools_rendering)
    format = find_call_format(rows.tool_call_format, str(tokenizer.chat_template))
    shown = _few_shot_of(rows, recipe) if few_shot else None
    digest = _digest(folder, str(tokenizer.chat_template), format, shown)
    return Subject(folder, tokenizer, format, end_of_turn(tokenizer), digest, shown)


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


def _few_shot_of(rows: RowFormat, recipe: Path | None) -> FewShot:
    if rows.few_shot_prompt is None:
        named = f"recipe {recipe}: names no few_shot_prompt" if recipe else "no recipe is given"
        raise BadInput(f"{named}; the few-shot prompt is a file that a recipe names as few_shot_prompt")
    return read_few_shot(rows.few_shot_prompt)


def _digest(folder: Path, chat_template: str, format: str, few_shot: FewShot | None) -> str:
    precision = "bfloat16" if torch.cuda.is_available() else "float32"
    digest = hashlib.sha256(f"{format}\0{chat_template}\0{precision}\0".encode())
    if few_shot is not None:
        digest.update(f"{few_shot.digest}\0".encode())
    for path in sorted(folder.iterdir()):
        if path.suffix in (".safetensors", ".bin") or path.name in DIGESTED:
            with path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:DIGEST_CHARACTERS]
