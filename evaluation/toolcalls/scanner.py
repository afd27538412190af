"""The scanner inside `json`, without the functions around it, which take as long again as reading a call."""

from __future__ import annotations

import json
from collections.abc import Callable
from json.scanner import make_scanner
from typing import Any

# From a text and the index where a value begins, without blanks before it, to the value and the index behind
# it. Raises StopIteration where none begins, ValueError where it is broken, RecursionError where it is deep.
Scan = Callable[[str, int], tuple[Any, int]]


def scanner_of(decoder: json.JSONDecoder) -> Scan:
    """Return the scanner that reads as a decoder does."""
    scan: Scan = make_scanner(decoder)  # type: ignore[arg-type]
    return scan


scan = scanner_of(json.JSONDecoder())
