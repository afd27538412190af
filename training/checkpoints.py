"""Checkpoints that are known to be whole, and to belong to this run.

A checkpoint counts once its manifest is there: the SHA-256 of every file, written last and in one move. A
job that is killed while it saves, or whose upload was cut off, leaves one that does not count; the job then
resumes from the one before.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

from jobs.doors import BadInput

MANIFEST = "manifest.json"


def write_manifest(checkpoint: Path, made_from: str) -> None:
    """Declare a checkpoint whole. `made_from` is the fingerprint of recipe, rows and model."""
    digests = {str(path.relative_to(checkpoint)): digest_file(path) for path in _files(checkpoint)}
    content = {"made_from": made_from, "sha256": digests}
    partial = checkpoint / f"{MANIFEST}.partial"
    partial.write_text(json.dumps(content, indent=1), encoding="utf-8")
    partial.rename(checkpoint / MANIFEST)


def newest_whole(checkpoints: Path, made_from: str) -> Path | None:
    """The checkpoint to resume from, or None for a fresh start.

    Damaged ones are passed over with a message. Raises BadInput for a whole one of another recipe, other
    rows or another model: going on from it would mix two runs.
    """
    numbered = [path for path in checkpoints.glob("checkpoint-*") if path.name.split("-")[1].isdigit()]
    for checkpoint in sorted(numbered, key=lambda path: int(path.name.split("-")[1]), reverse=True):
        manifest = _read_manifest(checkpoint)
        fault = "it was never finished" if manifest is None else _damage(checkpoint, manifest)
        if fault:
            print(f"{checkpoint.name} is passed over: {fault}", file=sys.stderr, flush=True)
        elif manifest and manifest["made_from"] != made_from:
            raise BadInput(
                f"{checkpoint} was made by another recipe, from other rows or another model:"
                " name another folder, or remove it to start afresh"
            )
        else:
            return checkpoint
    return None


def is_last(checkpoint: Path) -> bool:
    """Whether all the steps of the run are behind a whole checkpoint."""
    state = json.loads((checkpoint / "trainer_state.json").read_text(encoding="utf-8"))
    return bool(state["global_step"] >= state["max_steps"])


def fingerprint_run(recipe_hash: str, train: Path, model_dir: Path) -> str:
    """Digest all that decides what a run computes: the recipe, the rows, the model it starts from."""
    model_files = [path for path in _files(model_dir) if path.suffix in (".safetensors", ".json", ".jinja")]
    digests = [f"{path.relative_to(model_dir)} {digest_file(path)}" for path in model_files]
    return hashlib.sha256("\n".join([recipe_hash, digest_file(train), *digests]).encode()).hexdigest()


def digest_file(path: Path) -> str:
    """The SHA-256 of a file, in hex."""
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _read_manifest(checkpoint: Path) -> dict[str, Any] | None:
    try:
        content = json.loads((checkpoint / MANIFEST).read_text(encoding="utf-8"))
        return {"made_from": str(content["made_from"]), "sha256": dict(content["sha256"])}
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _damage(checkpoint: Path, manifest: dict[str, Any]) -> str:
    for name, digest in manifest["sha256"].items():
        path = checkpoint / name
        if not path.is_file():
            return f"{name} is absent"
        if digest_file(path) != digest:
            return f"{name} has changed since it was saved"
    return ""


def _files(folder: Path) -> list[Path]:
    names = (MANIFEST, f"{MANIFEST}.partial")
    return sorted(path for path in folder.rglob("*") if path.is_file() and path.name not in names)
