"""Functions of Java and JavaScript as BFCL shows them to a model: literals of the language in strings.

BFCL v4's words (`_func_doc_language_specific_pre_processing` in `bfcl_eval/utils.py`), so that a model meets
the prompt that its leaderboard gives, and the grader can read the type of each argument from it.
"""

import json
from collections.abc import Mapping
from typing import Any

from data.rows import RowError

NOTES = {
    "java": " Note that the provided function is in Java 8 SDK syntax.",
    "javascript": " Note that the provided function is in JavaScript syntax.",
}
NAMES = {"java": "Java", "javascript": "JavaScript"}
LISTS = ("ArrayList", "Array", "array")


def show_as_literals(functions: object, language: str, field: str) -> list[dict[str, Any]]:
    """Rewrite functions so that every argument is a string, described by its type in `language`.

    `language`: `java` or `javascript`. Raises RowError naming the function or property at fault.
    """
    if not isinstance(functions, list):
        raise RowError(field, "is not a list of functions", "give {name, description, parameters} in a list")
    return [_show(one, language, f"{field}[{index}]") for index, one in enumerate(functions)]


def _show(function: object, language: str, field: str) -> dict[str, Any]:
    parameters = function.get("parameters") if isinstance(function, Mapping) else None
    properties = parameters.get("properties") if isinstance(parameters, Mapping) else None
    if not isinstance(function, Mapping) or not isinstance(parameters, Mapping):
        raise RowError(field, "has no parameters", "give {name, description, parameters}")
    if not isinstance(properties, Mapping):
        raise RowError(f"{field}.parameters", "have no properties", "give the properties by name")
    shown = {
        name: _show_property(part, language, f"{field}.parameters.{name}")
        for name, part in properties.items()
    }
    return {
        **function,
        "description": f"{function.get('description') or ''}{NOTES[language]}",
        "parameters": {**parameters, "properties": shown},
    }


def _show_property(part: object, language: str, field: str) -> dict[str, Any]:
    kind = part.get("type") if isinstance(part, Mapping) else None
    if not isinstance(part, Mapping) or not isinstance(kind, str):
        raise RowError(field, "has no type", f"name its type in {NAMES[language]}")
    kept = {key: value for key, value in part.items() if key not in ("items", "properties")}
    words = f"{part.get('description') or ''}{_words(part, kind, NAMES[language])}"
    return {**kept, "type": "string", "description": words}


def _words(part: Mapping[str, Any], kind: str, language: str) -> str:
    if kind == "any":
        return f" This parameter can be of any type of {language} object in string representation."
    words = f" This is {language} {kind} type parameter in string representation."
    items = part.get("items")
    if kind in LISTS and isinstance(items, Mapping):
        words += f" The list elements are of type {items.get('type')}; they are not in string representation."
    if kind == "dict" and "properties" in part:
        words += (
            " The dictionary entries have the following schema; they are not in string representation. "
            f"{json.dumps(part['properties'])}"
        )
    return words
