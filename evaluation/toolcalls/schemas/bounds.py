"""The keywords that bound a number, the length of a text or the size of a list or object."""

from __future__ import annotations

from typing import Any

NUMBER_KEYWORDS = frozenset(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"))
TEXT_KEYWORDS = frozenset(("minLength", "maxLength"))


def broken_number_bound(schema: Any, value: float) -> str | None:
    """Name the first keyword that a number breaks, or None.

    `exclusiveMinimum` and `exclusiveMaximum` are numbers, or, as in draft 4 and OpenAPI 3.0, say that the
    other bound is exclusive. Multiples are those of the numbers as they are written: 19.99 is one of 0.01.
    """
    for name, exclusive, sign in (("minimum", "exclusiveMinimum", 1), ("maximum", "exclusiveMaximum", -1)):
        bound, strict = schema.get(name), schema.get(exclusive)
        if is_number(bound) and sign * value < sign * bound:
            return name
        if (strict is True and is_number(bound) and value == bound) or (
            is_number(strict) and sign * value <= sign * strict
        ):
            return exclusive
    step = schema.get("multipleOf")
    return None if not is_number(step) or _is_multiple(value, step) else "multipleOf"


def broken_size(schema: Any, size: int, least: str, most: str) -> str | None:
    """Name the first of two keywords that a length (characters as code points), or a count, breaks."""
    low, high = schema.get(least), schema.get(most)
    if low is not None and is_number(low) and size < low:
        return least
    return most if high is not None and is_number(high) and size > high else None


def is_number(value: Any) -> bool:
    """Tell whether a value is a JSON number; a boolean is none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_multiple(value: float, step: float) -> bool:
    if isinstance(value, int) and isinstance(step, int):
        return step <= 0 or value % step == 0
    parts, step_parts = _decimal(value), _decimal(step)
    if parts is None or step_parts is None or step <= 0:
        return True
    (digits, exponent), (step_digits, step_exponent) = parts, step_parts
    lowest = min(exponent, step_exponent)
    scaled: int = digits * 10 ** (exponent - lowest)
    return bool(scaled % (step_digits * 10 ** (step_exponent - lowest)) == 0)


def _decimal(value: float) -> tuple[int, int] | None:
    """Split a number as it is written into digits and a power of ten; None where it is not finite."""
    if isinstance(value, int):
        return value, 0
    if value - value != 0:
        return None
    digits, _, exponent = repr(value).partition("e")
    whole, _, fraction = digits.partition(".")
    return int(whole + fraction), int(exponent or 0) - len(fraction)
