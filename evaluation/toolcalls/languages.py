"""Literals of Java and JavaScript, as BFCL's rows about them have a model write every argument.

The tools of such a row take strings and say in the description which type each stands for, in BFCL's words. A
literal is read as BFCL v4 reads it (`type_convertor` in `bfcl_eval`): by its outward form, and what does not
have the form of its type stays the string that it is. Commas within quotes separate, and nested collections
are cut short, there as here. Time is linear in the text; a text too long for a literal is not read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

LANGUAGES: Mapping[str, str] = MappingProxyType({"java": "Java", "javascript": "JavaScript"})
MAX_LITERAL_CHARACTERS = 10_000
JAVA_LISTS, JAVASCRIPT_LISTS = ("Array", "ArrayList"), ("array",)
# What a value is in Python once it is read; other names are left open.
KINDS: Mapping[str, type] = MappingProxyType(
    {
        **dict.fromkeys(("byte", "short", "integer", "long", "Bigint"), int),
        **dict.fromkeys(("float", "double"), float),
        **dict.fromkeys(("boolean", "Boolean"), bool),
        **dict.fromkeys(("char", "String", "any"), str),
        **dict.fromkeys((*JAVA_LISTS, *JAVASCRIPT_LISTS, "Queue", "Stack"), list),
        **dict.fromkeys(("HashMap", "Hashtable", "dict"), dict),
    }
)

_BOOLEAN = re.compile(r"(?:true|false)\Z")
_INTEGER = re.compile(r"-?\d+$")
_LONG = re.compile(r"-?\d+[lL]$")
_BIGINT = re.compile(r"-?\d+n$")
_DECIMAL = re.compile(r"-?\d+(\.\d+)?$")
_DOUBLE = re.compile(r"-?\d+(\.\d+)?([eE][+-]?\d+)?$")
_FLOAT = re.compile(r"-?\d+(\.\d+)?([eE][+-]?\d+)?[fF]$")
_ARRAY = re.compile(r"new\s+\w+\[\]\s*\{")
_AS_LIST = re.compile(r"new\s+ArrayList<\w*>\(Arrays\.asList\(")
_ADDING = re.compile(r"new\s+ArrayList<\w*>\(\)\s*\{\{")
_EMPTY_LIST = re.compile(r"new\s+ArrayList<\w*>\(\)")
_MAP = re.compile(r"new\s+HashMap<")
_FILLED_MAP, _EMPTY_MAP = re.compile(r">\s*\(\)\s*\{"), re.compile(r">\s*\(\)")
_NEW_ARRAY = re.compile(r"new\s+Array\(")
_BETWEEN_ROWS = re.compile(r"\]\s*,\s*\[")
_FIRST_ROW = re.compile(r"(?:\[|new\s+Array\()\s*\[")
_END_OF_ROWS, _END_OF_NEW_ROWS = re.compile(r"\]\s*\]"), re.compile(r"\]\s*\)")


def literal_types(description: object, language: str) -> tuple[str, str | None]:
    """The type of an argument, and of its elements, that BFCL's words in a description name.

    >>> literal_types("The size. This is Java long type parameter in string representation.", "java")
    ('long', None)
    """
    text = description if isinstance(description, str) else ""
    _, is_typed, words = text.rpartition(f" This is {LANGUAGES[language]} ")
    kind, is_whole, rest = words.partition(" type parameter in string representation.")
    if not is_typed or not is_whole:
        return "any", None
    _, has_elements, element = rest.partition(" The list elements are of type ")
    return kind, element.partition(";")[0] if has_elements else None


def read_literal(text: str, kind: str, element: str | None, language: str) -> Any:
    """What a literal stands for; the text itself where it does not have the form of its type."""
    if len(text) > MAX_LITERAL_CHARACTERS:
        return text
    try:
        return _read_java(text, kind, element) if language == "java" else _read_script(text, kind, element)
    except ValueError:
        # More digits than Python turns into a number.
        return text


def _read_java(text: str, kind: str, element: str | None = None) -> Any:
    if kind in _JAVA_SCALARS:
        return _scalar(text, *_JAVA_SCALARS[kind])
    if kind == "Array":
        return _java_array(text, element)
    if kind == "ArrayList":
        return _java_list(text, element)
    return _java_map(text) if kind == "HashMap" else text


def _scalar(text: str, form: re.Pattern[str], read: Callable[[str], Any]) -> Any:
    return read(text) if form.match(text) else text


def _without_suffix(read: Callable[[str], Any]) -> Callable[[str], Any]:
    return lambda text: read(text.strip()[:-1])


def _truth(text: str) -> bool:
    return text == "true"


def _java_array(text: str, element: str | None) -> Any:
    inside = _enclosed(text, _ARRAY, "}")
    if inside is None:
        return text
    parts = (part.strip() for part in inside.split(","))
    return [_java_element(part, element) for part in parts if part]


def _java_list(text: str, element: str | None) -> Any:
    inside = _enclosed(text, _AS_LIST, "))", least=1)
    if inside is not None:
        return [_java_quoted(part.strip(), element) for part in inside.split(",")]
    inside = _enclosed(text, _ADDING, "}}", least=1, lines=True)
    if inside is not None:
        return [_java_quoted(part.strip(), element) for part in _between(inside, "add(", ")", least=1)]
    return [] if _EMPTY_LIST.search(text) else text


def _java_quoted(text: str, element: str | None) -> Any:
    return text[1:-1] if element in ("char", "String") else _java_element(text, element)


def _java_element(text: str, element: str | None) -> Any:
    return _read_java(text, element) if element else _java_value(text)


def _java_map(text: str) -> Any:
    opened = _MAP.search(text)
    if opened is None:
        return text
    filled = _FILLED_MAP.search(text, opened.end())
    end = text.find("}", filled.end()) if filled else -1
    if filled is None or end < 0:
        return {} if _EMPTY_MAP.search(text, opened.end()) else text
    return dict(_puts(text[filled.end() : end]))


def _puts(text: str) -> Iterator[tuple[str, Any]]:
    at = 0
    while (opened := text.find('put("', at)) >= 0:
        comma = text.find('",', opened)
        end = text.find(")", comma)
        if comma < 0 or end < 0:
            return
        yield text[opened + len('put("') : comma], _java_value(text[comma + 2 : end].strip())
        at = end


def _java_value(text: str) -> Any:
    if text in ("true", "false"):
        return text == "true"
    if text.startswith('"') and text.endswith('"'):
        return text[1:-1]
    if _LONG.match(text):
        return int(text[:-1])
    return float(text[:-1]) if _FLOAT.match(text) else _number_or_text(text)


def _read_script(text: str, kind: str, element: str | None = None) -> Any:
    if kind in _SCRIPT_SCALARS:
        return _scalar(text, *_SCRIPT_SCALARS[kind])
    if kind == "String":
        return text[1:-1] if _is_quoted(text) else text
    if kind == "array":
        return _script_array(text.strip(), element)
    return _script_object(text.strip()) if kind == "dict" else text


def _script_array(text: str, element: str | None = None) -> Any:
    rows = _script_rows(text)
    if rows is not None:
        return rows
    opened = _NEW_ARRAY.match(text)
    start, closer = (opened.end(), ")") if opened else (1, "]")
    end = text.find(closer, start)
    if not (opened or text.startswith("[")) or end < 0 or "\n" in text[start:end]:
        return text
    inside = text[start:end].strip()
    parts = (part.strip() for part in inside.split(",")) if inside else ()
    return [_script_element(part, element) for part in parts]


def _script_rows(text: str) -> list[Any] | None:
    """A list of lists, of which only the inner brackets are read."""
    first = _FIRST_ROW.match(text)
    if first is None:
        return None
    end = (_END_OF_ROWS if text.startswith("[") else _END_OF_NEW_ROWS).search(text, first.end())
    if end is None:
        return None
    inside = _BETWEEN_ROWS.sub("],[", text[first.end() - 1 : end.start() + 1])
    if "\n" in inside:
        return None
    return [[_script_value(part) for part in row.split(",")] for row in _between(inside, "[", "]")]


def _script_element(text: str, element: str | None) -> Any:
    if not element:
        return _script_value(text)
    if element not in KINDS:
        raise ValueError(f"no type of JavaScript: {element}")
    return _read_script(text, element, "String" if text.startswith(("'", '"')) else None)


def _script_object(text: str) -> Any:
    end = text.find("}")
    if not text.startswith("{") or end < 0 or "\n" in text[:end]:
        return text
    return dict(_script_pairs(text[1:end]))


def _script_pairs(text: str) -> Iterator[tuple[str, Any]]:
    """Key and value by value: a comma ends a value where a further key follows it."""
    at = 0
    while (colon := text.find(":", at)) >= 0:
        if colon == at:
            at += 1
            continue
        comma = _end_of_value(text, colon + 1)
        value = text[colon + 1 : comma].strip()
        if value.startswith("[") and value.endswith("]"):
            read = _script_array(value)
        else:
            read = _script_value(value.strip("'\""))
        yield text[at:colon].strip().strip("'\""), read
        at = len(text) - len(text[comma + 1 :].lstrip())


def _end_of_value(text: str, start: int) -> int:
    comma = text.find(",", start)
    while comma >= 0:
        following = text.find(",", comma + 1)
        limit = len(text) if following < 0 else following
        if text.rfind(":", comma + 2, limit) >= 0:
            return comma
        comma = following
    return len(text)


def _script_value(text: str) -> Any:
    text = text.strip()
    if text in ("true", "false"):
        return text == "true"
    return text[1:-1] if _is_quoted(text) else _number_or_text(text)


def _is_quoted(text: str) -> bool:
    return (text.startswith('"') and text.endswith('"')) or (text.startswith("'") and text.endswith("'"))


def _number_or_text(text: str) -> Any:
    for read in (int, float):
        try:
            return read(text)
        except ValueError:
            continue
    return text


def _enclosed(
    text: str, opener: re.Pattern[str], closer: str, *, least: int = 0, lines: bool = False
) -> str | None:
    """What stands between the first opener that is closed (on its line, without `lines`) and its closer."""
    for opened in opener.finditer(text):
        end = text.find(closer, opened.end() + least)
        if end < 0:
            return None
        if lines or "\n" not in text[opened.end() : end]:
            return text[opened.end() : end]
    return None


def _between(text: str, opener: str, closer: str, *, least: int = 0) -> Iterator[str]:
    at = text.find(opener)
    while at >= 0:
        start = at + len(opener)
        end = text.find(closer, start + least)
        if end < 0:
            return
        if "\n" not in text[start:end]:
            yield text[start:end]
            start = end
        at = text.find(opener, start)


_JAVA_SCALARS: Mapping[str, tuple[re.Pattern[str], Callable[[str], Any]]] = MappingProxyType(
    {
        **dict.fromkeys(("byte", "short", "integer"), (_INTEGER, int)),
        "long": (_LONG, _without_suffix(int)),
        "float": (_FLOAT, _without_suffix(float)),
        "double": (_DOUBLE, float),
        "boolean": (_BOOLEAN, _truth),
    }
)
_SCRIPT_SCALARS: Mapping[str, tuple[re.Pattern[str], Callable[[str], Any]]] = MappingProxyType(
    {
        "integer": (_INTEGER, int),
        "float": (_DECIMAL, float),
        "Bigint": (_BIGINT, _without_suffix(int)),
        "Boolean": (_BOOLEAN, _truth),
    }
)
