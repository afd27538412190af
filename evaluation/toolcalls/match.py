"""Hold one predicted call against one expected call, argument by argument."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from evaluation.toolcalls.completion import Call
from evaluation.toolcalls.gold import GoldCall, Parameters
from evaluation.toolcalls.schema import violation_of
from evaluation.toolcalls.values import Rules, is_same_value


class Fit(NamedTuple):
    """How one predicted call fits one expected call.

    `right`: arguments with an accepted value, or written where they equal their default. `wrong`: a reason
    for each wrong value.
    """

    same_tool: bool
    right: int = 0
    missing: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()
    wrong: Mapping[str, str] = MappingProxyType({})

    @property
    def is_exact(self) -> bool:
        """Whether the predicted call is the expected one."""
        return self.same_tool and not (self.missing or self.extra or self.wrong)

    @property
    def similarity(self) -> float:
        """0 for another tool, 1 for the same call, between for the same tool with other arguments."""
        if not self.same_tool:
            return 0.0
        faults = len(self.missing) + len(self.extra) + len(self.wrong)
        # Partial fits are kept small, so that the best assignment is the one with the most exact fits.
        return 1.0 if faults == 0 else 0.05 + 0.05 * self.right / (self.right + faults)


def fit_of(call: Call, gold: GoldCall, parameters: Parameters, rules: Rules) -> Fit:
    """Compare one predicted call with one expected call, argument by argument.

    `parameters`: the JSON Schema of the tool that is called, {} where it is unknown.
    """
    if call.name != gold.name:
        return Fit(same_tool=False)
    schemas = _properties(parameters)
    shared = [name for name in call.arguments if name in gold.accepted]
    faults = {n: _fault_of_value(call.arguments[n], gold, n, schemas.get(n), rules) for n in shared}
    wrong = {name: fault for name, fault in faults.items() if fault}
    absent = [name for name in gold.accepted if name not in call.arguments]
    surplus = [name for name in call.arguments if name not in gold.accepted]
    extra = tuple(n for n in surplus if not _is_default(schemas.get(n), call.arguments[n], rules))
    return Fit(
        same_tool=True,
        right=len(call.arguments) - len(wrong) - len(extra),
        missing=tuple(name for name in absent if not _may_lack(gold, name, parameters, rules)),
        extra=extra,
        wrong=wrong,
    )


def needed_arguments(gold: GoldCall, parameters: Parameters, rules: Rules) -> int:
    """How many arguments of an expected call may not be left out."""
    return sum(not _may_lack(gold, name, parameters, rules) for name in gold.accepted)


def _fault_of_value(value: Any, gold: GoldCall, name: str, schema: Any, rules: Rules) -> str | None:
    accepted = gold.accepted[name]
    violation = violation_of(schema, value)
    nested = gold.has_alternatives
    if any(is_same_value(one, value, rules, has_alternatives=nested) for one in accepted) and not (
        rules.types_by_schema and violation == "wrong_type"
    ):
        return None
    if violation:
        return violation
    return "wrong_value" if any(_kind(one) == _kind(value) for one in accepted) else "wrong_type"


def _may_lack(gold: GoldCall, name: str, parameters: Parameters, rules: Rules) -> bool:
    if name in gold.optional:
        return True
    required = parameters.get("required")
    if isinstance(required, list) and name in required:
        return False
    schema = _properties(parameters).get(name)
    return any(_is_default(schema, accepted, rules) for accepted in gold.accepted[name])


def _is_default(schema: Any, value: Any, rules: Rules) -> bool:
    has_default = rules.defaults_are_optional and isinstance(schema, Mapping) and "default" in schema
    return has_default and is_same_value(schema["default"], value, rules)


def _properties(parameters: Parameters) -> Mapping[str, Any]:
    properties = parameters.get("properties")
    return properties if isinstance(properties, Mapping) else {}


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, list | tuple):
        return "array"
    return "object" if isinstance(value, Mapping) else type(value).__name__
