"""The model registry as a job sees it: versions of a model, their tags, the alias that names the best."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

CHAMPION = "champion"


class RegistryUnavailable(Exception):
    """The tracking server has no model registry, or refuses this job; the message is the server's."""


@dataclass(frozen=True)
class ModelVersion:
    """A version of a registered model; `run_id` is the MLflow run that it came from."""

    name: str
    number: str
    run_id: str | None
    tags: Mapping[str, str] = field(default_factory=dict)


class Registry:
    """A registry that holds nothing and keeps nothing, where nothing is tracked.

    Every call raises RegistryUnavailable where the server has no registry.
    """

    def champion(self, name: str) -> ModelVersion | None:
        """The version that the alias points to, None where there is no such model or alias."""
        return None

    def find(self, name: str, tags: Mapping[str, str]) -> ModelVersion | None:
        """The newest version that has these tags."""
        return None

    def register(
        self, name: str, *, source: str, run_id: str, tags: Mapping[str, str], description: str
    ) -> ModelVersion | None:
        """Add a version, and the model if it has none yet."""
        return None

    def describe(self, version: ModelVersion, tags: Mapping[str, str], description: str) -> None:
        """Replace the description of a version, and set tags beside those it has."""

    def crown(self, version: ModelVersion) -> None:
        """Point the alias to this version."""

    def fetch(self, run_id: str, artifact: str, into: Path) -> Path | None:
        """Copy one artifact of a run into a folder; None where the run lacks it."""
        return None
