"""What a model said, read into calls and text. Model output is data: a fault in it is a value here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple


class Call(NamedTuple):
    """One call: the tool's name and its arguments as a JSON object."""

    name: str
    arguments: Mapping[str, Any]


class ParseError(NamedTuple):
    """Why a call could not be read, and where: `position` counts characters from the completion's start."""

    message: str
    position: int


class Completion(NamedTuple):
    """A parsed completion.

    "No call" is `calls == ()` with `error` None; "malformed call" is `error`, whatever else was read.
    `text` is what stands around the calls, without the model's thoughts. `repairs` names what a lenient
    parse mended, and is empty for a strict one.
    """

    calls: tuple[Call, ...] = ()
    text: str = ""
    error: ParseError | None = None
    repairs: tuple[str, ...] = ()
