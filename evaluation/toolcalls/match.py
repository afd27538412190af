"""Hold one predicted call against one expected call, argument by argument."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from evaluation.toolcalls.bfcl import is_bfcl_value
from evaluation.toolcalls.completion import Call
from evaluation.toolcalls.gold import GoldCall
from evaluation.toolcalls.languages import literal_types, read_literal
from evaluation.toolcalls.offered_tools import Parameters
from evaluation.toolcalls.schema import violation_of
from evaluation.toolcalls.values import EXACT_RULES, Rules, is_same_value

_SCALARS = frozenset((str, int, float, bool))
_NOTHING: Mapping[str, Any] = MappingProxyType({})
# What a fault takes from the similarity beyond its number; fewer than ten of a kind are told apart.
MISSING, EXTRA = 1e-5, 1e-6
WRONG: Mapping[str, float] = MappingProxyType(
    {"wrong_type": 1e-7, "schema_violation": 1e-8, "wrong_value": 1e-9}
)


class Fit(NamedTuple):
    """How one predicted call fits one expected call.

    `right`: arguments with an accepted value, or written where they equal their default. `wrong`: a reason
    for each wrong value.
    """

    same_tool: bool
    right: int = 0
    missing: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()
    wrong: Mapping[str, str] = _NOTHING

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
        if faults == 0:
            return 1.0
        # Partial fits are kept small, so that the best assignment is the one with the most exact fits. Among
        # equals the kinds of faults decide, so that the order of the calls does not.
        kinds = len(self.missing) * MISSING + len(self.extra) * EXTRA
        kinds += sum(WRONG.get(reason, 0.0) for reason in self.wrong.values())
        return 0.05 + 0.05 * self.right / (self.right + faults) - kinds


OTHER_TOOL = Fit(same_tool=False)


def fit_of(call: Call, gold: GoldCall, parameters: Parameters, rules: Rules) -> Fit:
    """Compare one predicted call with one expected call, argument by argument.

    `parameters`: the JSON Schema of the tool that is called, {} where it is unknown.
    """
    if call.name != gold.name:
        return OTHER_TOOL
    properties = _properties(parameters)
    accepted = gold.accepted
    wrong: dict[str, str] = {}
    extra: list[str] = []
    for name, value in call.arguments.items():
        choices = accepted.get(name)
        if choices is None or (rules.as_bfcl and name not in properties):
            if not _says_nothing(name, value, parameters, rules):
                extra.append(name)
        elif not _is_first_choice(choices, value, gold) and (
            fault := _fault_of_value(value, gold, name, parameters, rules)
        ):
            wrong[name] = fault
    return Fit(
        True,
        len(call.arguments) - len(wrong) - len(extra),
        tuple(_missing(call.arguments, gold, parameters, rules)),
        tuple(extra),
        wrong or _NOTHING,
    )


def needed_arguments(gold: GoldCall, parameters: Parameters, rules: Rules) -> int:
    """How many arguments of an expected call may not be left out."""
    return len(_missing(_NOTHING, gold, parameters, rules))


def _is_first_choice(choices: Sequence[Any], value: Any, gold: GoldCall) -> bool:
    """Whether a scalar is written just as the gold writes it first; that is right by all rules."""
    if not choices or gold.language is not None:
        return False
    first = choices[0]
    kind = value.__class__
    return kind is first.__class__ and kind in _SCALARS and value == first and value != ""


def _missing(written: Mapping[str, Any], gold: GoldCall, parameters: Parameters, rules: Rules) -> list[str]:
    required = _required(parameters)
    if rules.as_bfcl:
        missing = [name for name in required if name not in written]
        for name in gold.accepted:
            if name not in written and name not in required and not gold.may_lack(name):
                missing.append(name)
        return missing
    return [
        name
        for name in gold.accepted
        if name not in written and (name in required or not _may_lack(gold, name, parameters, rules))
    ]


def _may_lack(gold: GoldCall, name: str, parameters: Parameters, rules: Rules) -> bool:
    if gold.may_lack(name):
        return True
    return any(_says_nothing(name, one, parameters, rules) for one in gold.accepted[name])


def _says_nothing(name: str, value: Any, parameters: Parameters, rules: Rules) -> bool:
    """Whether it is all the same if an argument that is not required is written so or left out."""
    if rules.as_bfcl or name in _required(parameters):
        return False
    schema = _properties(parameters).get(name)
    if not isinstance(schema, Mapping):
        return False
    if value is None and rules.nulls_are_absent:
        return violation_of(schema, None, parameters) is None
    return (
        rules.defaults_are_optional and "default" in schema and is_same_value(schema["default"], value, rules)
    )


def _fault_of_value(
    value: Any, gold: GoldCall, name: str, parameters: Parameters, rules: Rules
) -> str | None:
    schema, accepted = _properties(parameters).get(name), gold.accepted[name]
    try:
        if rules.as_bfcl:
            is_right = is_bfcl_value(accepted, value, schema, gold.language)
            return None if is_right else _name_fault(value, accepted, violation_of(schema, value, parameters))
        if gold.language is not None and isinstance(value, str):
            return _fault_of_literal(value, accepted, schema, gold.language, rules)
        return _fault_of_plain_value(value, gold, accepted, schema, parameters, rules)
    except (RecursionError, ValueError):
        # Nested deeper, or with more digits, than Python compares; no parser of ours lets such a value pass.
        return "wrong_value"


def _fault_of_plain_value(
    value: Any, gold: GoldCall, accepted: Sequence[Any], schema: Any, parameters: Parameters, rules: Rules
) -> str | None:
    violation = violation_of(schema, value, parameters)
    if violation is not None:
        # A value is right as the gold writes it; written otherwise, it has to be valid as well. "" is no
        # value of the gold: it says that the argument may be left out.
        is_right = not (value == "" and gold.has_alternatives) and _is_one_of(
            accepted, value, gold, EXACT_RULES
        )
    else:
        # The members of an enum are different values, however alike they are written.
        members = [one for one in accepted if _lists_members(schema) and _fits(one, schema, parameters)]
        others = [one for one in accepted if one not in members] if members else accepted
        is_right = (
            _is_one_of(members, value, gold, rules._replace(normalise_text=None))
            or _is_one_of(others, value, gold, rules)
            or any(_is_same_as_declared(one, value, schema, parameters) for one in accepted)
        )
    return None if is_right else _name_fault(value, accepted, violation)


def _fault_of_literal(
    text: str, accepted: Sequence[Any], schema: Any, language: str, rules: Rules
) -> str | None:
    kind, element = literal_types(_object(schema).get("description"), language)
    # BFCL leaves the quotes on what an array of strings holds, and reads no number in a list of `any`. What
    # is written as the language has it is right as well.
    values = [read_literal(text, kind, given, language) for given in dict.fromkeys((element, None))]
    if any(is_same_value(one, value, rules, has_alternatives=True) for one in accepted for value in values):
        return None
    return _name_fault(values[0], accepted, None)


def _is_one_of(accepted: Sequence[Any], value: Any, gold: GoldCall, rules: Rules) -> bool:
    nested = gold.has_alternatives
    return any(is_same_value(one, value, rules, has_alternatives=nested) for one in accepted)


def _lists_members(schema: Any) -> bool:
    return isinstance(schema, Mapping) and ("enum" in schema or "enum" in _object(schema.get("items")))


def _fits(value: Any, schema: Any, parameters: Parameters) -> bool:
    return violation_of(schema, value, parameters) is None


def _is_same_as_declared(one: Any, value: Any, schema: Any, parameters: Parameters) -> bool:
    """Whether a valid value is what the gold says in a type that its own schema rules out: "5" for 5."""
    if isinstance(one, str) is isinstance(value, str) or not (_is_scalar(one) and _is_scalar(value)):
        return False
    texts = [part if isinstance(part, str) else json.dumps(part) for part in (one, value)]
    return texts[0] == texts[1] and violation_of(schema, one, parameters) == "wrong_type"


def _is_scalar(value: Any) -> bool:
    return isinstance(value, str | int | float)


def _name_fault(value: Any, accepted: Sequence[Any], violation: str | None) -> str:
    if violation is not None:
        return violation
    return "wrong_value" if any(_kind(one) == _kind(value) for one in accepted) else "wrong_type"


def _properties(parameters: Parameters) -> Mapping[str, Any]:
    properties = parameters.get("properties")
    return properties if properties.__class__ is dict else _object(properties)


def _required(parameters: Parameters) -> Sequence[Any]:
    required = parameters.get("required")
    if not isinstance(required, list):
        return ()
    return [name for name in required if name.__class__ is str] if required else ()


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else _NOTHING


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, list | tuple):
        return "array"
    return "object" if isinstance(value, Mapping) else type(value).__name__
