"""What no text of a row may hold: characters that are no text, and the markers of chat templates.

A marker such as `<|im_end|>` in a row's text becomes the template's own token: the model would be trained on,
or asked, another conversation than the row shows.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from data.rows import RowError, write_json

CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
MARKER = re.compile(
    r"<[|｜][^|｜<>\s]{1,40}[|｜]>"
    r"|</?(?:tool_call|tool_response|tools|start_of_turn|end_of_turn)>"
    r"|\[/?(?:INST|TOOL_CALLS|AVAILABLE_TOOLS|TOOL_RESULTS)\]|<</?SYS>>"
)

# In JSON text, control characters are escapes, and so are a few harmless ones: a hit needs a second look.
SUSPECT = re.compile(r"\\u00|\\[bf]|[\x7f\ufffe\uffff]|" + MARKER.pattern)


def check_text(text: str, field: str, *, as_published: bool = False) -> None:
    """Raise RowError where a text holds a control character, half a character, or a template's marker.

    `as_published` takes control characters, which nobody learns from a benchmark's question.
    """
    found = None if as_published else CONTROL.search(text)
    if found is not None:
        code = f"U+{ord(found.group()):04X}"
        raise RowError(field, "holds a control character", f"remove {code} at character {found.start() + 1}")
    if ("<" in text or "[" in text) and (marker := MARKER.search(text)) is not None:
        raise RowError(
            field,
            "holds a marker of a chat template",
            f"remove or rewrite {marker.group()} at character {marker.start() + 1}",
        )


def check_json(value: object, field: str) -> None:
    """Check every text in a JSON value, names included. Raises RowError with the way to the text."""
    for place, text in _texts(value, field):
        check_text(text, place)


def write_checked(value: object, field: str) -> str:
    """Write a JSON value, as `write_json` does, none of whose texts holds what `check_text` refuses.

    Raises RowError with the way to the text.
    """
    try:
        written = write_json(value)
    except ValueError as error:
        check_json(value, field)
        raise RowError(field, "holds what JSON cannot", str(error)) from error
    if SUSPECT.search(written) is not None:
        check_json(value, field)
    return written


def _texts(value: Any, field: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield field, value
    elif isinstance(value, Mapping):
        for name, part in value.items():
            yield field, name
            yield from _texts(part, f"{field}.{name}")
    elif isinstance(value, list | tuple):
        for index, part in enumerate(value):
            yield from _texts(part, f"{field}[{index}]")
