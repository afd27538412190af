"""What a parser gathers on its way through a text: calls, the text around them, the first error."""

from __future__ import annotations

from collections.abc import Iterable

from evaluation.toolcalls.completion import Call, Completion, ParseError


class Reading:
    """The result of a parse in the making; `faults` counts what could not be read."""

    __slots__ = ("calls", "error", "faults", "outside")

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.outside: list[str] = []
        self.error: ParseError | None = None
        self.faults = 0

    def fail(self, message: str, position: int) -> None:
        """Note that something means to be a call and is none; the first such fault is the error."""
        self.faults += 1
        self.error = self.error or ParseError(message, position)

    def completion(self, repairs: Iterable[str] = ()) -> Completion:
        """Return what was read."""
        around = "".join(self.outside).strip() if self.outside else ""
        return Completion(tuple(self.calls), around, self.error, tuple(dict.fromkeys(repairs)))
