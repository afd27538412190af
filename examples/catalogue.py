"""The material that training rows are composed from: `catalogue/*.yaml`, read into typed parts."""

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from examples.values import Values

FOLDER = Path(__file__).parent / "catalogue"


@dataclass(frozen=True)
class Parameter:
    """A parameter: its schema, the kind of values it takes, and how one asks for it."""

    kind: str
    schema: Mapping[str, Any]
    noun: str
    ask: str
    optional: bool


@dataclass(frozen=True)
class Tool:
    """A tool with the requests written for it; `asks` pairs the missing parameter with a request."""

    name: str
    domain: str
    does: str
    about: str
    parameters: Mapping[str, Parameter]
    calls: Sequence[str]
    asks: Sequence[tuple[str, str]]
    claims: Sequence[str]

    @property
    def required(self) -> list[str]:
        """The parameters that a call must have."""
        return [name for name, parameter in self.parameters.items() if not parameter.optional]

    def describe(self) -> dict[str, Any]:
        """The tool as it is offered to a model."""
        properties = {name: dict(parameter.schema) for name, parameter in self.parameters.items()}
        schema = {"type": "object", "properties": properties, "required": self.required}
        return {"name": self.name, "description": self.about, "parameters": schema}


@dataclass(frozen=True)
class Request:
    """A request outside every tool, or one that needs none; absent parts are empty."""

    say: str
    does: str = ""
    near: str = ""
    ask: str = ""
    claim: str = ""
    answer: str = ""


@dataclass(frozen=True)
class Catalogue:
    """Everything that training rows are composed from.

    `wordings`: assistant phrasings by decision. `asides`: what is said `before` and `after` a request.
    """

    tools: Mapping[str, Tool]
    values: Values
    wordings: Mapping[str, Sequence[str]]
    replies: Sequence[str]
    asides: Mapping[str, Sequence[str]]
    out_of_scope: Mapping[str, Sequence[Request]]
    direct: Mapping[str, Sequence[Request]]

    def pick_values(self, tool: Tool, rng: random.Random) -> dict[str, Any]:
        """A value for each parameter, no two alike."""
        picked: dict[str, Any] = {}
        for name in tool.parameters:
            picked[name] = self.pick_other(tool, name, list(picked.values()), rng)
        return picked

    def pick_other(self, tool: Tool, name: str, barred: Sequence[Any], rng: random.Random) -> Any:
        """A value for one parameter that is none of `barred`."""
        while (value := self.values.draw(tool.parameters[name].kind, rng)) in barred:
            pass
        return value


def placeholders(wording: str) -> list[str]:
    """The parameters whose values a wording says.

    >>> placeholders("Book {city} for {nights} nights.")
    ['city', 'nights']
    """
    return re.findall(r"\{(\w+)\}", wording)


def load_catalogue() -> Catalogue:
    """Read the catalogue."""
    answers = _load("answers.yaml")
    tools = [
        _read_tool(name, path.stem, given)
        for path in sorted((FOLDER / "tools").glob("*.yaml"))
        for name, given in yaml.safe_load(path.read_text(encoding="utf-8")).items()
    ]
    return Catalogue(
        tools={tool.name: tool for tool in tools},
        values=Values(_load("values.yaml")),
        wordings={decision: answers[decision] for decision in ("request_for_info", "cannot_answer")},
        replies=answers["replies"],
        asides=_load("asides.yaml"),
        out_of_scope=_read_requests("out_of_scope.yaml"),
        direct=_read_requests("direct.yaml"),
    )


def _load(name: str) -> Any:
    return yaml.safe_load((FOLDER / name).read_text(encoding="utf-8"))


def _read_requests(name: str) -> dict[str, list[Request]]:
    return {split: [Request(**given) for given in requests] for split, requests in _load(name).items()}


def _read_tool(name: str, domain: str, given: Mapping[str, Any]) -> Tool:
    return Tool(
        name=name,
        domain=domain,
        does=given["does"],
        about=given["about"],
        parameters={key: _read_parameter(part) for key, part in given["parameters"].items()},
        calls=given["call"],
        asks=[next(iter(pair.items())) for pair in given["ask"]],
        claims=given["claim"],
    )


def _read_parameter(given: Mapping[str, Any]) -> Parameter:
    schema = {"type": given.get("type", "string"), "description": given["about"]}
    if "enum" in given:
        schema["enum"] = given["enum"]
    return Parameter(given["kind"], schema, given["noun"], given["ask"], given.get("optional", False))
