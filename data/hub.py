"""Datasets and models from the Hugging Face hub, pinned to the commit that was found.

Reads `HF_ENDPOINT`, `HF_TOKEN`, `HF_HOME` and `HF_HUB_OFFLINE`, as the hub's own client does.
"""

import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from huggingface_hub import HfApi, snapshot_download
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

# The base of what the client's transport raises, whichever HTTP library this version of it rests on.
from huggingface_hub.errors import HTTPError as TransportError  # type: ignore[attr-defined]

from jobs.doors import BadInput

HUB_ID = re.compile(r"[\w.-]+/[\w.-]+(@[\w./-]+)?")
MODEL_FILES = ["*.safetensors", "*.json", "*.jinja", "*.txt", "*.model"]
UNREACHABLE = (
    "the hub cannot be reached: download it where there is a network, and give the folder or an s3:// URI"
)


def fetch_dataset(name: str, patterns: Sequence[str]) -> tuple[Path, str]:
    """Download a dataset's files that fit the patterns; returns their folder and the commit.

    `name`: `org/name[@revision]`. Raises BadInput: absent, gated, no such revision, or no network.
    """
    repository, revision = _split(name)
    try:
        folder = snapshot_download(
            repository, repo_type="dataset", revision=revision, allow_patterns=list(patterns)
        )
    except (TransportError, OSError, ValueError) as error:
        raise _failure(name, error, "dataset") from error
    # The cache keeps a snapshot under its commit, so a branch named here is pinned by what was found.
    return Path(str(folder)), Path(str(folder)).name


def fetch_model(name: str, to: Path) -> str:
    """Download a model's weights and tokenizer into `to`; returns the commit. Raises BadInput."""
    repository, revision = _split(name)
    try:
        commit = str(HfApi().model_info(repository, revision=revision).sha)
        snapshot_download(repository, revision=commit, local_dir=to, allow_patterns=MODEL_FILES)
    except (TransportError, OSError, ValueError) as error:
        raise _failure(name, error, "model") from error
    # The client's bookkeeping, which has no place among a model's files.
    shutil.rmtree(to / ".cache", ignore_errors=True)
    if not any(to.glob("*.safetensors")):
        raise BadInput(f"{name}: the model has no *.safetensors; choose a revision that has them")
    return commit


def _split(name: str) -> tuple[str, str | None]:
    repository, _, revision = name.partition("@")
    return repository, revision or None


def _failure(name: str, error: Exception, kind: str) -> BadInput:
    """Say what a person can do about it. A gated repository counts as absent too, so it comes first."""
    repository, revision = _split(name)
    if isinstance(error, GatedRepoError):
        cause = f"the {kind} is gated: accept its terms on the hub and set HF_TOKEN"
    elif isinstance(error, RepositoryNotFoundError):
        cause = f"there is no such local path, nor a {kind} {repository!r} on the hub that this token may see"
    elif isinstance(error, RevisionNotFoundError):
        cause = f"{repository!r} has no revision {revision!r}: give a commit, a tag or a branch"
    elif isinstance(error, HFValidationError):
        cause = f"is no path here, and no hub id: {error}"
    elif isinstance(error, HfHubHTTPError):
        cause = f"the hub refused: {error}"
    elif isinstance(error, OfflineModeIsEnabled | LocalEntryNotFoundError):
        cause = f"there is no such local path, and {UNREACHABLE}"
    else:
        cause = f"there is no such local path, and {UNREACHABLE} ({error})"
    return BadInput(f"{name}: {cause}")
