"""What a state surely receives: which JSON paths have been produced before it, whatever the input was."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Path = tuple[str, ...]
CAUGHT = (("Error",), ("Cause",))


@dataclass(frozen=True)
class Data:
    """The paths that are surely there; all of them in `opaque` data, which a task of ours has made."""

    opaque: bool
    produced: frozenset[Path] = frozenset()

    def holds(self, path: Path) -> bool:
        """Say whether `path` surely exists."""
        if self.opaque or not path:
            return True
        return any(path[: len(p)] == p or p[: len(path)] == path for p in self.produced)

    def with_paths(self, paths: Iterator[Path] | tuple[Path, ...]) -> Data:
        """Return the same data in which `paths` are there as well."""
        return Data(self.opaque, self.produced | frozenset(paths))

    def meet(self, other: Data) -> Data:
        """Return what holds on both of two ways to a state."""
        if self.opaque or other.opaque:
            both = self.produced | other.produced if self.opaque and other.opaque else None
            paths = both or (other.produced if self.opaque else self.produced)
            return Data(self.opaque and other.opaque, paths)
        return Data(False, self.produced & other.produced)


def path_of(reference: str) -> Path:
    """Return the steps of a simple reference path: `$.a.b` → (a, b)."""
    return tuple(step.split("[")[0] for step in reference.removeprefix("$").split(".") if step)


def data_by_state(scope: Mapping[str, Any], start: Data) -> dict[str, Data]:
    """Return what each state of a scope (`StartAt`, `States`) receives when the scope receives `start`."""
    states = scope.get("States", {})
    known: dict[str, Data] = {}
    waiting = [(str(scope.get("StartAt")), start)]
    while waiting:
        name, data = waiting.pop()
        if name not in states:
            continue
        met = known[name].meet(data) if name in known else data
        if known.get(name) == met:
            continue
        known[name] = met
        waiting.extend(_flows(states[name], met))
    return known


def inner_scopes(state: Mapping[str, Any], data: Data) -> Iterator[tuple[Mapping[str, Any], Data]]:
    """Yield the scopes inside a Parallel or Map state, each with what it receives."""
    for branch in state.get("Branches", []):
        yield branch, _effective_input(state, data)
    processor = state.get("ItemProcessor") or state.get("Iterator")
    if processor:
        selector = state.get("ItemSelector") or state.get("Parameters")
        yield processor, Data(False, frozenset(_keys(selector))) if selector else Data(True)


def _flows(state: Mapping[str, Any], data: Data) -> Iterator[tuple[str, Data]]:
    for catcher in state.get("Catch", []):
        yield (
            str(catcher.get("Next")),
            _placed(catcher.get("ResultPath", "$"), data, Data(False, frozenset(CAUGHT))),
        )
    output = _output(state, data)
    for rule in state.get("Choices", []):
        yield str(rule.get("Next")), output.with_paths(_present(rule))
    for key in ("Next", "Default"):
        if key in state:
            yield str(state[key]), output


def _present(rule: Mapping[str, Any]) -> Iterator[Path]:
    """Yield the paths that a rule of a Choice has seen to be there when it is taken."""
    if rule.get("IsPresent") is True:
        yield path_of(rule["Variable"])
    for inner in rule.get("And", []):
        yield from _present(inner)


def _effective_input(state: Mapping[str, Any], data: Data) -> Data:
    if state.get("Type") != "Task" and state.get("Parameters") and "Branches" in state:
        return Data(False, frozenset(_keys(state["Parameters"])))
    return data if state.get("InputPath", "$") == "$" else Data(True)


def _output(state: Mapping[str, Any], data: Data) -> Data:
    kind = state.get("Type")
    if kind in ("Choice", "Wait", "Succeed", "Fail"):
        return data
    result = _result(state, data)
    placed = _placed(state.get("ResultPath", "$"), data, result)
    return placed if state.get("OutputPath", "$") == "$" else Data(True)


def _result(state: Mapping[str, Any], data: Data) -> Data:
    if state.get("ResultSelector"):
        return Data(False, frozenset(_keys(state["ResultSelector"])))
    if state.get("Type") == "Pass":
        if "Parameters" in state:
            return Data(False, frozenset(_keys(state["Parameters"])))
        return Data(False, frozenset(_keys(state["Result"]))) if "Result" in state else data
    return Data(True)


def _placed(result_path: str | None, data: Data, result: Data) -> Data:
    if result_path is None:
        return data
    place = path_of(result_path)
    if not place:
        return result
    return data.with_paths((place,) if result.opaque else tuple((*place, *path) for path in result.produced))


def _keys(value: object) -> Iterator[Path]:
    if not isinstance(value, Mapping) or not value:
        yield ()
        return
    for key, inner in value.items():
        for path in _keys(inner):
            yield (str(key).removesuffix(".$"), *path)
