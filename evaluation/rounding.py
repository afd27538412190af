"""Numbers as pages, pictures and tables write them: one way of rounding, so that a figure reads alike."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

# A share times a hundred may be 28.499999999999996 where the rows say 28.5.
_EXACT_DECIMALS = 9


def write_number(value: float, decimals: int = 1, *, signed: bool = False) -> str:
    """A number with so many decimals, halves away from zero; nothing is written as a negative zero.

    >>> write_number(7.5, 0), write_number(12.5, 0), write_number(1.25, signed=True), write_number(-0.01)
    ('8', '13', '+1.3', '0.0')
    """
    exact = Decimal(repr(round(value, _EXACT_DECIMALS)))
    rounded = exact.quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP) + 0
    return f"{rounded:+f}" if signed else f"{rounded:f}"


def write_points(share: float) -> str:
    """A difference of shares in percentage points.

    >>> write_points(0.0125), write_points(-0.2)
    ('+1.3', '-20.0')
    """
    return write_number(100 * share, signed=True)
