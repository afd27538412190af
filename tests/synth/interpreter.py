"""Amazon States Language as far as `tune` uses it, in process and one branch after the other.

It lets a thousand inputs run through the synthesized definition in a second; the embedded AWS runs a few.
"""

from __future__ import annotations

import copy
import fnmatch
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

CallTask = Callable[[str, str, Any], Any]
"""Called with a Task's state name, resource and parameters; returns the result or raises StateError."""


class StateError(Exception):
    """An error of a state, as a Catch sees it."""

    def __init__(self, error: str, cause: str) -> None:
        super().__init__(f"{error}: {cause}")
        self.error = error
        self.cause = cause


@dataclass
class Interpreter:
    """Runs a definition; `entered` are the states in their order."""

    call_task: CallTask
    context: dict[str, Any]
    entered: list[str] = field(default_factory=list)

    def run(self, scope: Mapping[str, Any], data: Any) -> Any:
        """Return the output of a scope (`StartAt`, `States`); raise StateError where it fails."""
        name = scope["StartAt"]
        while True:
            self.entered.append(name)
            state = scope["States"][name]
            try:
                data, following = self._step(name, state, copy.deepcopy(data))
            except StateError as error:
                catcher = next((c for c in state.get("Catch", []) if _catches(c, error)), None)
                if catcher is None:
                    raise
                caught = {"Error": error.error, "Cause": error.cause}
                data, following = _put(data, catcher.get("ResultPath", "$"), caught), catcher["Next"]
            if following is None:
                return data
            name = following

    def _step(self, name: str, state: Mapping[str, Any], data: Any) -> tuple[Any, str | None]:
        kind = state["Type"]
        if kind == "Fail":
            raise StateError(self._text(state, "Error", data), self._text(state, "Cause", data))
        if kind == "Succeed":
            return data, None
        if kind == "Choice":
            chosen = next((r["Next"] for r in state["Choices"] if self._holds(r, data)), state.get("Default"))
            return data, chosen
        result = self._result(name, state, data)
        if "ResultSelector" in state:
            result = self._render(state["ResultSelector"], result)
        output = _put(data, state.get("ResultPath", "$"), result)
        following = None if state.get("End") else state["Next"]
        return self._value(state.get("OutputPath", "$"), output), following

    def _result(self, name: str, state: Mapping[str, Any], data: Any) -> Any:
        given = self._render(state["Parameters"], data) if "Parameters" in state else data
        if state["Type"] == "Pass":
            return state.get("Result", given)
        if state["Type"] == "Parallel":
            return [self.run(branch, given) for branch in state["Branches"]]
        if state["Type"] == "Map":
            return [self._iterate(state, data, item) for item in self._value(state["ItemsPath"], data)]
        seconds = state.get("TimeoutSeconds") or self._value(state["TimeoutSecondsPath"], data)
        assert isinstance(seconds, int), f"{name}: a time limit of {seconds!r}"
        assert seconds > 0, f"{name}: a time limit of {seconds!r}"
        return self.call_task(name, state["Resource"], given)

    def _iterate(self, state: Mapping[str, Any], data: Any, item: Any) -> Any:
        outer = self.context
        self.context = {**outer, "Map": {"Item": {"Value": item}}}
        try:
            return self.run(state["ItemProcessor"], self._render(state["ItemSelector"], data))
        finally:
            self.context = outer

    def _render(self, template: Any, data: Any) -> Any:
        if isinstance(template, list):
            return [self._render(item, data) for item in template]
        if not isinstance(template, Mapping):
            return template
        return {
            key.removesuffix(".$"): self._value(value, data)
            if key.endswith(".$")
            else self._render(value, data)
            for key, value in template.items()
        }

    def _value(self, expression: str, data: Any) -> Any:
        if expression.startswith("$"):
            root = self.context if expression.startswith("$$") else data
            for step in [s for s in expression.lstrip("$").split(".") if s]:
                assert step in root, f"{expression} is not there"
                root = root[step]
            return copy.deepcopy(root)
        match = re.fullmatch(r"States\.(\w+)\((.*)\)", expression, re.DOTALL)
        assert match, f"{expression!r} is neither a path nor an intrinsic function"
        arguments = [
            text[1:-1] if text.startswith("'") else self._value(text, data)
            for text in re.findall(r"'[^']*'|\$[^,]+", match[2])
        ]
        return _INTRINSICS[match[1]](*arguments)

    def _text(self, state: Mapping[str, Any], key: str, data: Any) -> str:
        text = state[key] if key in state else self._value(state[f"{key}Path"], data)
        assert isinstance(text, str)
        return text

    def _holds(self, rule: Mapping[str, Any], data: Any) -> bool:
        if "And" in rule:
            return all(self._holds(inner, data) for inner in rule["And"])
        if "Not" in rule:
            return not self._holds(rule["Not"], data)
        if "IsPresent" in rule:
            return _is_present(rule["Variable"], data) is bool(rule["IsPresent"])
        value = self._value(rule["Variable"], data)
        if "BooleanEquals" in rule:
            return bool(value is rule["BooleanEquals"])
        if "StringEquals" in rule:
            return bool(value == rule["StringEquals"])
        return fnmatch.fnmatchcase(value, rule["StringMatches"].replace("[", "[[]"))


def _catches(catcher: Mapping[str, Any], error: StateError) -> bool:
    return bool({"States.ALL", error.error} & set(catcher["ErrorEquals"]))


def _is_present(path: str, data: Any) -> bool:
    for step in [s for s in path.lstrip("$").split(".") if s]:
        if not isinstance(data, Mapping) or step not in data:
            return False
        data = data[step]
    return True


def _put(data: Any, path: str | None, result: Any) -> Any:
    if path is None:
        return data
    steps = [s for s in path.lstrip("$").split(".") if s]
    if not steps:
        return result
    place = data
    for step in steps[:-1]:
        place = place.setdefault(step, {})
    place[steps[-1]] = result
    return data


_INTRINSICS: Mapping[str, Callable[..., Any]] = {
    "Array": lambda *items: list(items),
    "Format": lambda template, *values: template.replace("{}", "%s") % values,
    "StringToJson": json.loads,
}
