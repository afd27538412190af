"""Rules that every state machine of the app keeps: `python -m infra.rules CLOUD_ASSEMBLY [--json]`.

They see what neither a template linter nor an ASL schema sees: failures that end well, retries of everything,
choices on paths that nobody wrote, calls that the service would refuse. Exit code 1 where one is broken.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from infra.assembly import read_state_machines
from infra.dataflow import Data, data_by_state, inner_scopes, path_of
from infra.payloads import payload_faults

_TRAINING_JOB = re.compile(r"arn:[\w-]+:states:::sagemaker:createTrainingJob(\.sync)?")
_REFERENCE = re.compile(r"(?<![\w$])\$\.[\w.\[\]]+")


@dataclass(frozen=True)
class Finding:
    """One broken rule, and where."""

    rule: str
    state_machine: str
    state: str
    path: str
    message: str


@dataclass(frozen=True)
class Place:
    """A state among its neighbours: its scope, what it receives, and where the scope lies."""

    machine: str
    scope: Mapping[str, Any]
    scope_path: str
    name: str
    data: Data | None

    @property
    def state(self) -> Mapping[str, Any]:
        state: Mapping[str, Any] = self.scope["States"][self.name]
        return state

    def finding(self, rule: str, path: str, message: str) -> Finding:
        where = f"{self.scope_path}.States.{self.name}{'.' if path else ''}{path}"
        return Finding(rule, self.machine, self.name, where, message)


def check_definition(machine: str, definition: Mapping[str, Any]) -> list[Finding]:
    """Return every rule that a state machine's definition breaks."""
    scopes = list(_scopes(definition, Data(opaque=False), "$"))
    findings = [found for scope, data, path in scopes for found in _check_scope(machine, scope, data, path)]
    names = Counter(name for scope, _, _ in scopes for name in scope.get("States", {}))
    twice = [name for name, count in names.items() if count > 1]
    return findings + [
        Finding("unique-name", machine, name, "$", "another state of this machine has the same name")
        for name in twice
    ]


def check_assembly(assembly: Path) -> list[Finding]:
    """Return every rule that a state machine in the templates of `assembly` breaks."""
    return [
        finding
        for machine in read_state_machines(assembly)
        for finding in check_definition(machine.logical_id, machine.definition)
    ]


def _scopes(scope: Mapping[str, Any], data: Data, path: str) -> Iterator[tuple[Mapping[str, Any], Data, str]]:
    yield scope, data, path
    received = data_by_state(scope, data)
    for name, state in scope.get("States", {}).items():
        for i, (inner, inner_data) in enumerate(inner_scopes(state, received.get(name, Data(opaque=True)))):
            yield from _scopes(inner, inner_data, f"{path}.States.{name}.scopes[{i}]")


def _check_scope(machine: str, scope: Mapping[str, Any], data: Data, path: str) -> Iterator[Finding]:
    states = scope.get("States", {})
    if scope.get("StartAt") not in states:
        message = f"{scope.get('StartAt')!r} is no state of this scope"
        yield Finding("start-at", machine, "", f"{path}.StartAt", message)
    received = data_by_state(scope, data)
    for name in states:
        place = Place(machine, scope, path, name, received.get(name))
        for check in _CHECKS:
            yield from check(place)


def _targets(state: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for key in ("Next", "Default"):
        if key in state:
            yield key, state[key]
    for key in ("Choices", "Catch"):
        for i, rule in enumerate(state.get(key, [])):
            yield f"{key}[{i}].Next", rule.get("Next")


def _check_transitions(place: Place) -> Iterator[Finding]:
    for path, target in _targets(place.state):
        if target not in place.scope["States"]:
            yield place.finding("dangling-next", path, f"{target!r} is no state of this scope")
    if place.data is None:
        yield place.finding("unreachable", "", "no way leads to this state")


def _check_task(place: Place) -> Iterator[Finding]:
    state = place.state
    if state.get("Type") != "Task":
        return
    if not {"TimeoutSeconds", "TimeoutSecondsPath"} & state.keys():
        yield place.finding("timeout", "", "a Task without a time limit waits for up to a year")
    if not state.get("Retry"):
        yield place.finding("retry", "", "a Task retries the transient errors of its service, by name")


def _check_retry(place: Place) -> Iterator[Finding]:
    for i, retrier in enumerate(place.state.get("Retry", [])):
        for error in retrier.get("ErrorEquals", []):
            if error.startswith("States."):
                message = f"{error} retries what will fail again; name the transient errors"
                yield place.finding("retry-names", f"Retry[{i}].ErrorEquals", message)


def _check_catch(place: Place) -> Iterator[Finding]:
    state = place.state
    if state.get("Type") not in ("Task", "Parallel", "Map"):
        return
    catchers = state.get("Catch", [])
    if not any("States.ALL" in catcher.get("ErrorEquals", []) for catcher in catchers):
        yield place.finding(
            "catch", "", "no Catch for States.ALL: the execution ends without a cause in words"
        )
    for i, catcher in enumerate(catchers):
        for end in _good_ends(place.scope["States"], catcher.get("Next")):
            message = f"a failure ends well: it reaches {end!r}"
            yield place.finding("failure-ends-well", f"Catch[{i}].Next", message)


def _good_ends(states: Mapping[str, Any], start: str) -> list[str]:
    """Return the states in which an execution that reaches `start` can end without having failed."""
    seen: set[str] = set()
    waiting = [start]
    while waiting:
        name = waiting.pop()
        if name in states and name not in seen:
            seen.add(name)
            waiting.extend(target for _, target in _targets(states[name]))
    return sorted(n for n in seen if states[n].get("Type") == "Succeed" or states[n].get("End") is True)


def _check_fail(place: Place) -> Iterator[Finding]:
    state = place.state
    if state.get("Type") != "Fail":
        return
    for name in ("Error", "Cause"):
        if not {name, f"{name}Path"} & state.keys():
            yield place.finding(
                "fail-says-why", "", f"a Fail state without {name} leaves the reader guessing"
            )


def _check_choice(place: Place) -> Iterator[Finding]:
    if place.state.get("Type") != "Choice":
        return
    if "Default" not in place.state:
        yield place.finding(
            "choice-default", "", "no Default: an unforeseen value ends in States.NoChoiceMatched"
        )
    for i, rule in enumerate(place.state.get("Choices", [])):
        for variable in _unguarded(rule, place.data or Data(opaque=True)):
            message = f"{variable} may be missing here; nothing wrote it and no IsPresent guards it"
            yield place.finding("choice-path", f"Choices[{i}]", message)


def _unguarded(rule: Mapping[str, Any], data: Data) -> Iterator[str]:
    for inner in rule.get("And", []):
        yield from _unguarded(inner, data)
        if inner.get("IsPresent") is True:
            data = data.with_paths((path_of(inner["Variable"]),))
    for inner in [*rule.get("Or", []), *([rule["Not"]] if "Not" in rule else [])]:
        yield from _unguarded(inner, data)
    variable = rule.get("Variable")
    if not isinstance(variable, str) or "IsPresent" in rule or variable.startswith("$$"):
        return
    if not data.holds(path_of(variable)):
        yield variable


def _check_references(place: Place) -> Iterator[Finding]:
    """Check the paths by which a state is bounded or fails: where one is missing the cause is lost."""
    for key in ("ErrorPath", "CausePath", "TimeoutSecondsPath"):
        for reference in _REFERENCE.findall(place.state.get(key, "")):
            if place.data and not place.data.holds(path_of(reference)):
                yield place.finding("path", key, f"{reference} may be missing here; nothing wrote it")


def _check_training_job(place: Place) -> Iterator[Finding]:
    if not _TRAINING_JOB.fullmatch(place.state.get("Resource", "")):
        return
    for fault in payload_faults("sagemaker", "CreateTrainingJob", place.state.get("Parameters", {})):
        path = fault.path.replace("CreateTrainingJob", "Parameters", 1)
        yield place.finding("payload", path, fault.message)


_CHECKS: tuple[Callable[[Place], Iterator[Finding]], ...] = (
    _check_transitions,
    _check_task,
    _check_retry,
    _check_catch,
    _check_fail,
    _check_choice,
    _check_references,
    _check_training_job,
)


def main() -> None:
    parser = argparse.ArgumentParser(description="Check the state machines of a cloud assembly.")
    parser.add_argument("assembly", type=Path, help="the folder that `cdk synth` wrote (cdk.out)")
    parser.add_argument("--json", action="store_true", help="print the findings as a JSON list")
    arguments = parser.parse_args()
    try:
        findings = check_assembly(arguments.assembly)
    except (FileNotFoundError, ValueError) as error:
        print(f"ERROR BadInput: {error}", file=sys.stderr)
        sys.exit(2)
    if arguments.json:
        print(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        for finding in findings:
            print(f"{finding.rule}: {finding.state_machine} {finding.path}: {finding.message}")
    sys.exit(1 if findings else 0)


if __name__ == "__main__":
    main()
