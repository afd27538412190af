"""How the suite is shared out among workers."""

from __future__ import annotations

from pathlib import Path

import pytest

LOCAL = Path(__file__).parent / "local"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A file's tests stay together, for the fixtures they share; so do all that deploy the embedded AWS.

    First of all such hooks, for pytest-xdist reads the groups in one of its own.
    """
    for item in items:
        group = "embedded-aws" if item.path.is_relative_to(LOCAL) else str(item.path)
        item.add_marker(pytest.mark.xdist_group(group))
