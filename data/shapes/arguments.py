"""Whether a gold call names an offered tool and fits what that tool declares.

A value that is right but for its writing (`"5"` for an integer, `"horror"` for `Horror`) is rewritten: left
as it is, it would teach a type that the tool does not take, and mark down the model that gets it right.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from data.rows import RowError, write_json
from data.shapes.values import Misfit, fit_property, fit_value

Parameters = Mapping[str, Any]

ALLOWED_SHAPE = "give [{tool: {argument: [accepted values]}}]"
NAMED = 5
SHOWN = ("type", "enum", "required", "const", "minimum", "maximum", "anyOf")


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


def check_allowed(
    allowed: object, tools: Mapping[str, Parameters], field: str, *, as_published: bool = False
) -> None:
    """Check BFCL's possible answers, `[{tool: {argument: [accepted values]}}]`. Raises RowError.

    At least one accepted value of each argument must fit: the others only make the grader more lenient. Only
    `as_published` may there be none, so that no answer is right, as for two rows of BFCL.
    """
    if not isinstance(allowed, list):
        raise RowError(field, "is not a list", ALLOWED_SHAPE)
    for index, entry in enumerate(allowed):
        _check_possible_answer(entry, tools, f"{field}[{index}]", as_published)


def _check_possible_answer(
    entry: object, tools: Mapping[str, Parameters], field: str, as_published: bool
) -> None:
    if not isinstance(entry, Mapping) or len(entry) != 1:
        raise RowError(field, "is not an object of one tool", ALLOWED_SHAPE)
    ((name, arguments),) = entry.items()
    if not isinstance(arguments, Mapping):
        raise RowError(field, "gives no arguments by name", ALLOWED_SHAPE)
    accepted = {key: values if isinstance(values, list) else [values] for key, values in arguments.items()}
    parameters = _parameters_of(name, tools, field)
    # BFCL writes "" where an argument may be left out: such a one need not be listed, nor is it surely given.
    given = [key for key in accepted if accepted[key] != [""]]
    _check_names(name, parameters, given, [key for key in given if "" not in accepted[key]], field)
    for key, values in accepted.items():
        if as_published and not values:
            continue
        _check_accepted(name, parameters, key, values, field)


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
        return fit_property(parameters, key, value)
    except Misfit as misfit:
        raise RowError(field, f"gives a value {misfit}", _mend(tool, key, misfit)) from None


def _check_accepted(tool: str, parameters: Parameters, key: str, values: list[Any], field: str) -> None:
    if not values:
        raise RowError(field, "accepts no value of an argument", f"list the accepted values of {tool}.{key}")
    schema = parameters["properties"].get(key)
    first: Misfit | None = None
    for value in values:
        # Objects hold a list of accepted values a key, which no schema describes.
        if value in ("", None) or _holds_object(value):
            return
        try:
            fit_value(schema, value, parameters)
        except Misfit as misfit:
            first = first or misfit
        else:
            return
    if first is not None:
        raise RowError(field, f"accepts only values {first}", _mend(tool, key, first))


def _holds_object(value: Any) -> bool:
    return isinstance(value, Mapping) or (isinstance(value, list) and any(map(_holds_object, value)))


def _mend(tool: str, key: str, misfit: Misfit) -> str:
    wanted = {name: misfit.schema[name] for name in SHOWN if name in misfit.schema}
    shown = json.dumps(misfit.value, ensure_ascii=False)
    return f"{tool}.{key} takes {_short(json.dumps(wanted, ensure_ascii=False))}, not {_short(shown)}"


def _listed(names: list[str]) -> str:
    return ", ".join(names[:NAMED]) + (" and more" if len(names) > NAMED else "")


def _short(text: str, characters: int = 80) -> str:
    return text if len(text) <= characters else f"{text[: characters - 1]}…"
