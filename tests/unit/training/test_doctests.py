"""The examples in the docstrings of jobs and training hold."""

from __future__ import annotations

import doctest
import importlib

import pytest

MODULES = ("jobs.doors", "training.arguments", "training.field_types")


@pytest.mark.parametrize("name", MODULES)
def test_examples_hold(name: str) -> None:
    result = doctest.testmod(importlib.import_module(name))
    assert result.attempted > 0
    assert result.failed == 0
