"""Fit a value from YAML or the command line to the declared type of a configuration field."""

from __future__ import annotations

import contextlib
import types
import typing
from enum import Enum
from typing import Any

import yaml

SCALARS = (bool, int, float, str)


def fit_value(value: object, hint: Any) -> object:
    """Return `value` as the type that `hint` declares; ValueError says what was expected.

    YAML reads ``1e-4`` as text and ``1`` as a whole number; both fit a float field.

    >>> fit_value("1e-4", float)
    0.0001
    >>> fit_value("sometimes", bool)
    Traceback (most recent call last):
    ValueError: expected bool, found 'sometimes'
    """
    options = _options(hint)
    if any(_is_instance(value, option) for option in options):
        return value
    if isinstance(value, int | str) and not isinstance(value, bool) and float in options:
        # What is no number is told below, with the types that would have done.
        with contextlib.suppress(ValueError):
            return float(value)
    if isinstance(value, str) and any(
        isinstance(option, type) and issubclass(option, Enum) for option in options
    ):
        return value
    expected = " or ".join(sorted({_name(option) for option in options}))
    raise ValueError(f"expected {expected}, found {value!r}")


def read_value(text: str, hint: Any) -> object:
    """Read the text of a command-line override as the type that `hint` declares.

    >>> read_value("cosine", str), read_value("3", int), read_value("[q_proj, v_proj]", list[str])
    ('cosine', 3, ['q_proj', 'v_proj'])
    """
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        value = text
    if str in _options(hint) and isinstance(value, bool | int | float):
        try:
            return fit_value(value, hint)
        except ValueError:
            return text
    return fit_value(value, hint)


def _options(hint: Any) -> tuple[Any, ...]:
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return tuple(option for each in typing.get_args(hint) for option in _options(each))
    return (hint,)


def _is_instance(value: object, option: Any) -> bool:
    if option is Any:
        return True
    if typing.get_origin(option) is typing.Literal:
        return value in typing.get_args(option)
    kind = typing.get_origin(option) or option
    if kind is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, kind)


def _name(option: Any) -> str:
    if option is type(None):
        return "null"
    if typing.get_origin(option) is typing.Literal:
        return " or ".join(repr(each) for each in typing.get_args(option))
    return option.__name__ if isinstance(option, type) and not typing.get_origin(option) else str(option)
