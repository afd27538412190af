"""What a judge is asked and what it replies, whoever serves it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

# Attempts after the first, with the waits in between left to the client library.
DEFAULT_RETRIES = 6
DEFAULT_TIMEOUT_SECONDS = 60.0
MAX_CAUSE_CHARACTERS = 300


@dataclass(frozen=True)
class Request:
    """One question to the judge; `max_tokens` bounds the reply, `temperature` None is the server's own."""

    system: str
    user: str
    temperature: float | None
    max_tokens: int


@dataclass(frozen=True)
class Reply:
    """The judge's text as it came.

    `served_model`: what the server says it is. `usage`: tokens as the server counts them, `input_tokens` and
    `output_tokens`. `is_cut_off`: whether the reply ended at `max_tokens`.
    """

    text: str
    served_model: str | None = None
    usage: Mapping[str, int] | None = None
    is_cut_off: bool = False


class RequestFailed(Exception):
    """This request got no reply after the library's retries; others may."""


class JudgeClient(Protocol):
    """Serves a judge. One client is used by several threads at once."""

    @property
    def model(self) -> str:
        """The judge's name, as it was asked for."""

    def ask(self, request: Request) -> Reply:
        """Get the judge's reply.

        Raises RequestFailed where this request failed, and BadInput where every other one would fail too: no
        endpoint, a key that is refused, a model that is not there.
        """


def usage_of(given: object, input_key: str, output_key: str) -> dict[str, int] | None:
    """The tokens that a server counted, under our two names; None where it counted none."""
    if not isinstance(given, Mapping):
        return None
    counted = {"input_tokens": given.get(input_key), "output_tokens": given.get(output_key)}
    return {name: count for name, count in counted.items() if isinstance(count, int)} or None


def short(text: object) -> str:
    """A cause on one line, for a record or a message."""
    return " ".join(str(text).split())[:MAX_CAUSE_CHARACTERS]
