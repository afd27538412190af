"""JSON out of untrusted text: finite numbers only, nesting and digits capped, time linear in length."""

from __future__ import annotations

import json
from typing import Any, NoReturn

from evaluation.toolcalls.scanner import scanner_of

MAX_DEPTH = 64
MAX_DIGITS = 128
# As many levels take as many openers and closers.
SHALLOW = 2 * MAX_DEPTH
# Raising one JSONDecodeError counts the lines before it, so a text of many faults would take quadratic time.
MAX_FAULTS = 32
TOO_DEEP = f"nested deeper than {MAX_DEPTH} levels"


class Fault(ValueError):
    """Text that is no value this package accepts; `position` counts from the text's start."""

    def __init__(self, message: str, position: int) -> None:
        super().__init__(message)
        self.message = message
        self.position = position


def decode_value_at(text: str, start: int) -> tuple[Any, int]:
    """Decode the JSON value that begins at `start`, after blanks, and return it with the index behind it.

    Raises Fault: no JSON, NaN or an infinite number, more than 64 levels, more than 128 digits.
    """
    start = skip_blanks(text, start)
    try:
        value, end = scan_value(text, start)
    except StopIteration as stop:
        raise Fault("Expecting value", stop.value) from None
    except json.JSONDecodeError as error:
        raise Fault(error.msg, error.pos) from None
    except RecursionError:
        raise Fault(TOO_DEEP, start) from None
    except ValueError as error:
        raise Fault(str(error), start) from None
    if end - start > SHALLOW and is_too_deep(text, start, end, value):
        raise Fault(TOO_DEEP, start)
    return value, end


def decode_value(text: str) -> Any:
    """Decode a text that is one JSON value and nothing else; raises Fault as `decode_value_at` does."""
    value, end = decode_value_at(text, 0)
    end = skip_blanks(text, end)
    if end < len(text):
        raise Fault("text after the JSON value", end)
    return value


def skip_blanks(text: str, start: int) -> int:
    """Return the index of the first character from `start` on that is no JSON whitespace."""
    while start < len(text) and text[start] in " \t\n\r":
        start += 1
    return start


def is_too_deep(text: str, start: int, end: int, value: Any) -> bool:
    """Tell whether a value that was read from `start` to `end` has more than 64 levels."""
    if text.count("{", start, end) + text.count("[", start, end) <= MAX_DEPTH:
        return False
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        level = [
            child
            for parent in level
            if isinstance(parent, dict | list)
            for child in (parent.values() if isinstance(parent, dict) else parent)
        ]
        if not level:
            return False
    return True


def _bounded_int(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise ValueError(f"a number of more than {MAX_DIGITS} digits")
    return int(digits)


def _finite_float(digits: str) -> float:
    if len(digits) > MAX_DIGITS:
        raise ValueError(f"a number of more than {MAX_DIGITS} digits")
    number = float(digits)
    if number in (float("inf"), float("-inf")):
        raise ValueError(f"{digits} is not a finite number")
    return number


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


# The scanner is what `raw_decode` calls, which costs as much again as scanning a call does.
scan_value = scanner_of(
    json.JSONDecoder(parse_int=_bounded_int, parse_float=_finite_float, parse_constant=_refuse_constant)
)
