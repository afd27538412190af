"""Whether a gold call names an offered tool and fits what that tool declares.

What fits a schema is the grader's own definition, so that a row is judged here as a prediction is judged
later. A value that is right but for its writing (`"5"` for an integer, `"horror"` for `Horror`) is rewritten:
left as it is, it would teach a type that the tool does not take, and mark down the model that gets it right.
"""

import json
import math
from collections.abc import Iterable, Mapping
from typing import Any

from data.rows import RowError, read_json, write_json
from evaluation.toolcalls.schema import violation_of

Parameters = Mapping[str, Any]

BOOLEANS = ("true", "false")
# A text longer than this is no value that was merely written as text.
MAX_READ_CHARACTERS = 100_000
# A schema's own keywords, without those that speak of what lies within the value.
WITHIN = frozenset(("properties", "items", "additionalProperties"))
NAMED = 5


class Misfit(Exception):
    """A value that its schema does not take; `reason` is for a person."""

    def __init__(self, value: object, schema: Mapping[str, Any]) -> None:
        is_type = violation_of(schema, value) == "wrong_type"
        super().__init__("of another type than its tool declares" if is_type else "that its tool rules out")
        self.value = value
        self.schema = schema


def fit_call(call: Mapping[str, str], tools: Mapping[str, Parameters], field: str) -> dict[str, str]:
    """Return a canonical call with its values written as its tool declares them.

    `tools`: parameters by the name of the tool. Raises RowError: the tool is not offered, a required argument
    is absent, an argument is not listed, or a value does not fit.
    """
    name, given = call["name"], json.loads(call["arguments"])
    parameters = _parameters_of(name, tools, field)
    _check_names(name, parameters, given, given, field)
    fitted = {key: _fit_argument(name, parameters, key, value, field) for key, value in given.items()}
    return {"name": name, "arguments": call["arguments"] if fitted == given else write_json(fitted)}


def check_allowed(allowed: object, tools: Mapping[str, Parameters], field: str) -> None:
    """Check BFCL's possible answers, `[{tool: {argument: [accepted values]}}]`. Raises RowError.

    At least one accepted value of each argument must fit: the others only make the grader more lenient.
    """
    if not isinstance(allowed, list):
        raise RowError(field, "is not a list", "give [{tool: {argument: [accepted values]}}]")
    for index, entry in enumerate(allowed):
        place = f"{field}[{index}]"
        if not isinstance(entry, Mapping) or len(entry) != 1:
            raise RowError(place, "is not an object of one tool", "give {tool: {argument: [values]}}")
        ((name, arguments),) = entry.items()
        if not isinstance(arguments, Mapping):
            raise RowError(place, "gives no arguments by name", "give {tool: {argument: [values]}}")
        accepted = {
            key: values if isinstance(values, list) else [values] for key, values in arguments.items()
        }
        parameters = _parameters_of(name, tools, place)
        # BFCL writes "" where an argument may be left out.
        _check_names(name, parameters, (key for key in accepted if accepted[key] != [""]), accepted, place)
        for key, values in accepted.items():
            _check_accepted(name, parameters, key, values, place)


def _parameters_of(name: str, tools: Mapping[str, Parameters], field: str) -> Parameters:
    if name not in tools:
        raise RowError(field, "calls a tool that is not offered", f"offer {name!r}, or mend the name")
    return tools[name]


def _check_names(
    tool: str, parameters: Parameters, given: Iterable[str], written: Iterable[str], field: str
) -> None:
    present = set(given)
    missing = [name for name in parameters.get("required", ()) if name not in present]
    if missing:
        raise RowError(field, "lacks a required argument", f"give {_listed(missing)} to {tool}")
    properties = parameters["properties"]
    if not properties or parameters.get("additionalProperties") not in (None, False):
        return
    unknown = [name for name in written if name not in properties]
    if unknown:
        raise RowError(
            field,
            "gives an argument that its tool does not list",
            f"remove {_listed(unknown)}, or list it among the parameters of {tool}",
        )


def _fit_argument(tool: str, parameters: Parameters, key: str, value: Any, field: str) -> Any:
    try:
        return _fit_property(parameters, key, value)
    except Misfit as misfit:
        raise RowError(field, f"gives a value {misfit}", _mend(tool, key, misfit)) from None


def _check_accepted(tool: str, parameters: Parameters, key: str, values: list[Any], field: str) -> None:
    schema = parameters["properties"].get(key)
    first: Misfit | None = None
    for value in values:
        # Objects hold a list of accepted values a key, which no schema describes.
        if value in ("", None) or _holds_object(value):
            return
        try:
            fit_value(schema, value)
        except Misfit as misfit:
            first = first or misfit
        else:
            return
    if first is not None:
        raise RowError(field, f"accepts only values {first}", _mend(tool, key, first))


def fit_value(schema: object, value: Any) -> Any:
    """Write a value as its schema declares it, at every depth; raises Misfit where that would change it.

    The schema's own default is right whatever type the schema declares.

    >>> fit_value({"type": "array", "items": {"type": "integer"}}, ["5", "7"])
    [5, 7]
    """
    if not isinstance(schema, Mapping) or violation_of(schema, value) is None:
        return value
    if "default" in schema and value == schema["default"]:
        return value
    if isinstance(value, list):
        value = [fit_value(schema.get("items"), item) for item in value]
    elif isinstance(value, Mapping):
        value = {key: _fit_property(schema, key, part) for key, part in value.items()}
    else:
        return _fit_scalar(schema, value)
    own = {key: part for key, part in schema.items() if key not in WITHIN}
    if violation_of(own, value) is not None:
        raise Misfit(value, own)
    return value


def _fit_property(schema: Mapping[str, Any], key: str, value: Any) -> Any:
    """Null says that an optional argument is not given, as leaving it out does."""
    if value is None and key not in schema.get("required", ()):
        return None
    return fit_value(schema.get("properties", {}).get(key), value)


def _fit_scalar(schema: Mapping[str, Any], value: Any) -> Any:
    for other in _other_writings(value):
        if violation_of(schema, other) is None:
            return other
    members = schema.get("enum")
    for member in members if isinstance(members, list) else ():
        if str(member).casefold() == str(value).casefold():
            # A list of texts under another type contradicts itself: there the type decides.
            return member if violation_of(schema, member) is None else value
    raise Misfit(value, schema)


def _other_writings(value: Any) -> list[Any]:
    """What a scalar may stand for when another JSON type is wanted, without a change of its meaning."""
    if isinstance(value, bool) or value is None:
        return []
    if not isinstance(value, str):
        return [str(value)]
    text = value.lower() if value.lower() in BOOLEANS else value
    try:
        read = read_json(text) if len(text) <= MAX_READ_CHARACTERS else value
    except ValueError:
        return []
    if not isinstance(read, float):
        return [read]
    # "5.0" is an integer to JSON Schema; "1e999" is a number to no one.
    return [int(read), read] if read.is_integer() else [read] if math.isfinite(read) else []


def _holds_object(value: Any) -> bool:
    return isinstance(value, Mapping) or (isinstance(value, list) and any(map(_holds_object, value)))


def _mend(tool: str, key: str, misfit: Misfit) -> str:
    wanted = {name: misfit.schema[name] for name in ("type", "enum", "required") if name in misfit.schema}
    shown = json.dumps(misfit.value, ensure_ascii=False)
    return f"{tool}.{key} takes {_short(json.dumps(wanted, ensure_ascii=False))}, not {_short(shown)}"


def _listed(names: list[str]) -> str:
    return ", ".join(names[:NAMED]) + (" and more" if len(names) > NAMED else "")


def _short(text: str, characters: int = 80) -> str:
    return text if len(text) <= characters else f"{text[: characters - 1]}…"
