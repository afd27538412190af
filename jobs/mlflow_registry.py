"""The registry in MLflow itself; `jobs.mlflow_runs` hands it out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TypeVar

import mlflow
from mlflow.exceptions import MlflowException

from jobs.mlflow_answers import is_refusal
from jobs.registry import CHAMPION, ModelVersion, Registry, RegistryUnavailable

T = TypeVar("T")

# The registry's tables hold so many characters.
MAX_DESCRIPTION_CHARACTERS = 5000
MAX_TAG_CHARACTERS = 5000
# What MLflow says where a model, an alias, a run or an artifact is not there.
ABSENT = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")
TAKEN = "RESOURCE_ALREADY_EXISTS"


class MlflowRegistry(Registry):
    """Versions on the tracking server."""

    def __init__(self, client: mlflow.MlflowClient) -> None:
        self._client = client

    def champion(self, name: str) -> ModelVersion | None:
        found = _absent_as_none(lambda: self._client.get_model_version_by_alias(name, CHAMPION))
        return None if found is None else _version(found)

    def find(self, name: str, tags: Mapping[str, str]) -> ModelVersion | None:
        same = " and ".join(f"tags.`{key}` = '{value}'" for key, value in tags.items())
        found = _asked(lambda: self._client.search_model_versions(f"name = '{name}' and {same}"))
        newest = max(found, key=lambda one: int(one.version), default=None)
        return None if newest is None else _version(newest)

    def register(
        self, name: str, *, source: str, run_id: str, tags: Mapping[str, str], description: str
    ) -> ModelVersion | None:
        self._add_model(name)
        kept = {key: value[:MAX_TAG_CHARACTERS] for key, value in tags.items() if value}
        text = description[:MAX_DESCRIPTION_CHARACTERS]
        created = _asked(
            lambda: self._client.create_model_version(
                name, source, run_id=run_id, tags=kept, description=text
            )
        )
        return _version(created)

    def describe(self, version: ModelVersion, tags: Mapping[str, str], description: str) -> None:
        text = description[:MAX_DESCRIPTION_CHARACTERS]
        _asked(lambda: self._client.update_model_version(version.name, version.number, text))
        for key, value in tags.items():
            _asked(partial(self._set_tag, version, key, value))

    def crown(self, version: ModelVersion) -> None:
        _asked(lambda: self._client.set_registered_model_alias(version.name, CHAMPION, version.number))

    def fetch(self, run_id: str, artifact: str, into: Path) -> Path | None:
        try:
            return Path(self._client.download_artifacts(run_id, artifact, str(into)))
        except (MlflowException, OSError):
            return None

    def _add_model(self, name: str) -> None:
        def find() -> object:
            return _absent_as_none(lambda: self._client.get_registered_model(name))

        try:
            if find() is None:
                _asked(lambda: self._client.create_registered_model(name))
        except RegistryUnavailable as error:
            if _code_of(error) != TAKEN:
                raise
            # Another job may have been first; prompts share the names, and are not found as models.
            if find() is None:
                raise RegistryUnavailable(
                    f"the registry has a prompt named {name}, and no model may have the name of a prompt;"
                    " delete the prompt or give it another name, then run the report again"
                ) from error

    def _set_tag(self, version: ModelVersion, key: str, value: str) -> None:
        self._client.set_model_version_tag(version.name, version.number, key, value[:MAX_TAG_CHARACTERS])


def _version(found: mlflow.entities.model_registry.ModelVersion) -> ModelVersion:
    return ModelVersion(found.name, str(found.version), found.run_id, dict(found.tags))


def _absent_as_none(call: Callable[[], T]) -> T | None:
    try:
        return _asked(call)
    except RegistryUnavailable as error:
        if _code_of(error) in ABSENT:
            return None
        raise


def _code_of(error: RegistryUnavailable) -> str | None:
    cause = error.__cause__
    return str(cause.error_code) if isinstance(cause, MlflowException) else None


def _asked(call: Callable[[], T]) -> T:
    try:
        return call()
    except Exception as error:
        said = "refuses it" if is_refusal(error) else "does not answer"
        raise RegistryUnavailable(f"the registry {said}: {type(error).__name__}: {error}") from error
