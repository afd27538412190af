"""What a field of an execution input may hold, and the one error that says what is wrong with it."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping

_SHOWN = 60


class InvalidInput(Exception):
    """The execution input cannot be run: the message names the field, what is wrong and how to mend it."""


def check_known(where: str, value: str, known: Collection[str], mend: str = "") -> None:
    """Raise InvalidInput, naming the nearest known value, unless `value` is one of `known`."""
    if value in known:
        return
    # A long value is no slip of the pen, and comparing it would take long.
    nearest = difflib.get_close_matches(value[:_SHOWN], list(known), n=1, cutoff=0.0)
    hint = f"; the nearest is {nearest[0]!r}" if nearest else ""
    raise InvalidInput(f"{where}: {shown(value)} is unknown{hint}. Known: {', '.join(known) or 'none'}{mend}")


def check_keys(where: str, fields: Mapping[str, object], known: Collection[str]) -> None:
    """Raise InvalidInput, naming the nearest known key, where `fields` has one that is not `known`."""
    for key in fields:
        check_known(where, key, known)


def as_object(where: str, value: object) -> Mapping[str, object]:
    """Return `value`, which has to be an object."""
    if not isinstance(value, dict):
        raise InvalidInput(f"{where}: an object is needed, not {shown(value)}")
    return value


def as_list(where: str, value: object) -> list[object]:
    """Return `value`, which has to be a list with at least one entry."""
    if not isinstance(value, list) or not value:
        raise InvalidInput(f"{where}: a list with at least one entry is needed, not {shown(value)}")
    return value


def as_text(where: str, value: object) -> str:
    """Return `value`, which has to be text that is not blank."""
    if not isinstance(value, str) or not value.strip():
        raise InvalidInput(f"{where}: text is needed, not {shown(value)}")
    return value


def as_share(where: str, value: object) -> float:
    """Return `value`, which has to be a share: a number from 0 to 1."""
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= 1:
        raise InvalidInput(f"{where}: a share from 0 to 1 is needed (0.03 is 3 points), not {shown(value)}")
    return float(value)


def as_flag(where: str, value: object) -> bool:
    """Return `value`, which has to be true or false."""
    if not isinstance(value, bool):
        raise InvalidInput(f"{where}: true or false is needed, not {shown(value)}")
    return value


def as_whole(where: str, value: object, *, least: int, most: int) -> int:
    """Return `value`, which has to be a whole number from `least` to `most`."""
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise InvalidInput(f"{where}: a whole number from {least} to {most} is needed, not {shown(value)}")
    return value


def shown(value: object) -> str:
    """Return `value` as a message shows it: 60 characters at most, whatever it is."""
    return shorten(repr(value))


def shorten(text: str) -> str:
    """Return `text`, cut to 60 characters."""
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}…"
