"""Fuzz the parser, coverage-guided: `make fuzz`, or `python -m fuzz.fuzz_parse -runs=1000 CORPUS`.

The first byte of an input names the format, the second one what is known of the tools, the rest is the
completion, as bytes that need not be UTF-8. What must hold for each is in `check`.
"""

from __future__ import annotations

import json
import sys

import atheris

with atheris.instrument_imports(
    include=["evaluation.toolcalls.formats", "evaluation.toolcalls.lenient", "evaluation.toolcalls.parse"]
):
    import evaluation.toolcalls.lenient.recovery  # noqa: F401 - the parser imports it late
    from evaluation.toolcalls import (
        FORMATS,
        Completion,
        format_of_template,
        format_of_text,
        parse_completion,
        score_completion,
    )

from fuzz.seeds import FORMAT_NAMES, ROW, TOOLS

KINDS = (str, int, float, bool, type(None))


def test_one(data: bytes) -> None:
    """Parse one input in its format, strictly and leniently, and hold the results against the contract."""
    if len(data) < 2:
        return
    format = FORMAT_NAMES[data[0] % len(FORMAT_NAMES)]
    text = data[2:].decode("utf-8", "surrogateescape")
    # Tools come from a row, so that they may be anything: the text itself stands in for a broken list.
    tools = (None, TOOLS, TOOLS, text)[data[1] % 4]
    strict = parse_completion(text, format, tools=tools)
    check(strict, text)
    if data[1] % 16 < 4 and strict != parse_completion(text, format, tools=tools):
        raise AssertionError("the same text gave two results")
    if strict.repairs:
        raise AssertionError("a strict parse repaired")
    check(parse_completion(text, format, tools=tools, lenient=True), text)
    if format == "structured":
        test_message(text)
    if format_of_text(text) not in FORMATS or format_of_template(text) not in (*FORMATS, None):
        raise AssertionError("a format that nobody knows")


def test_message(text: str) -> None:
    """Parse the message that a text spells, as a message."""
    try:
        message = json.loads(text)
    except (ValueError, RecursionError):
        return
    if isinstance(message, dict):
        for lenient in (False, True):
            check(parse_completion(message, "structured", lenient=lenient), text)


def check(parsed: Completion, text: str) -> None:
    """Raise AssertionError where a completion breaks its contract."""
    for call in parsed.calls:
        if not isinstance(call.name, str) or not call.name:
            raise AssertionError(f"a call without a name: {call!r}")
        if not isinstance(call.arguments, dict) or not is_json(call.arguments):
            raise AssertionError(f"arguments that are no JSON object: {call!r}")
    if parsed.error is not None and not 0 <= parsed.error.position <= len(text):
        raise AssertionError(f"a position outside of the text: {parsed.error!r}")
    if not isinstance(parsed.text, str) or len(parsed.text) > len(text):
        raise AssertionError("more text than was written")
    score = score_completion(parsed, ROW)
    if score.value is not None and not 0 <= score.value <= 1:
        raise AssertionError(f"a value outside of [0, 1]: {score!r}")


def is_json(value: object) -> bool:
    """Tell whether a value holds nothing but what JSON can say; finite numbers too."""
    if isinstance(value, dict):
        return all(isinstance(key, str) and is_json(inner) for key, inner in value.items())
    if isinstance(value, list):
        return all(map(is_json, value))
    return isinstance(value, KINDS) and json.dumps(value) not in ("NaN", "Infinity", "-Infinity")


if __name__ == "__main__":
    atheris.Setup(sys.argv, test_one)
    atheris.Fuzz()
