"""What several tests of the report share: a hostile run, its page, and a browser to look at it.

What these need is imported where it is used: most tests here need none of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from evaluation.report.results import Results
    from tests.unit.evaluation.chromium import Page


@pytest.fixture(scope="session")
def hostile_results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """The results of a run in which every text is hostile."""
    from tests.unit.evaluation.hostile_run import read_results, write_run

    folder = tmp_path_factory.mktemp("hostile")
    write_run(folder)
    return read_results(folder)


@pytest.fixture(scope="session")
def report_url(hostile_results: Results, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Where the page of that run lies on disk."""
    from evaluation.report.page import render_report
    from tests.unit.evaluation.hostile_run import hostile_pictures

    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(render_report(hostile_results, hostile_pictures()), encoding="utf-8")
    return path.as_uri()


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """A headless browser; the test is skipped where none is installed."""
    from tests.unit.evaluation.chromium import open_chromium

    with open_chromium(tmp_path_factory.mktemp("profile")) as page:
        yield page
