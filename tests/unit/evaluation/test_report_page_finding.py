"""The report's row browser in a headless Chromium: every row is found, by mouse, keyboard and address."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest

from evaluation.report.results import Results
from evaluation.report.rows import rows_of
from tests.unit.evaluation.chromium import Page, all_of
from tests.unit.evaluation.hostile_run import HOSTILE_VARIANT, SHOWN

COUNT = "document.getElementById('count').textContent"
SHOWN_ROWS = "document.querySelectorAll('#found > details').length"

Rows = list[dict[str, Any]]


@pytest.fixture(scope="module")
def rows(hostile_results: Results) -> Rows:
    found: Rows = rows_of(hostile_results)["rows"]
    return found


def any_result(**wanted: str) -> Callable[[dict[str, Any]], bool]:
    return lambda row: any(
        all(one[name] == value for name, value in wanted.items()) for one in row["results"].values()
    )


def differs(row: dict[str, Any]) -> bool:
    return {"right", "wrong"} <= {one["outcome"] for one in row["results"].values()}


def holds_hostile_text(row: dict[str, Any]) -> bool:
    """Whether the row was given one, in its tools too, or a variant answered with one."""
    written = [one["text"] for one in row["results"].values()]
    return row["id"] in (SHOWN, "long", "odd") or SHOWN in written


FILTERS: dict[str, tuple[dict[str, str], Callable[[dict[str, Any]], bool]]] = {
    "all": ({"suite": ""}, lambda row: True),
    "a suite": ({"suite": "own"}, lambda row: row["suite"] == "own"),
    "an outcome of any variant": ({"outcome": "unscored"}, any_result(outcome="unscored")),
    "a variant's outcome": (
        {"variant": "base", "outcome": "right"},
        lambda row: row["results"]["base"]["outcome"] == "right",
    ),
    "a variant of a hostile name": (
        {"variant": HOSTILE_VARIANT, "outcome": "wrong"},
        lambda row: row["results"][HOSTILE_VARIANT]["outcome"] == "wrong",
    ),
    "outcome and reason of the same variant": (
        {"outcome": "wrong", "reason": "answer_when_should_not"},
        any_result(outcome="wrong", reason="answer_when_should_not"),
    ),
    "variants differ": ({"differs": "yes"}, differs),
    "mended by a stage": (
        {"changed": "sft over base: mended"},
        lambda row: [row["results"][name]["outcome"] for name in ("base", "sft")] == ["wrong", "right"],
    ),
    "a decision": ({"decision": "cannot_answer"}, lambda row: row["decision"] == "cannot_answer"),
    "a source": ({"source": "part 1"}, lambda row: row["source"] == "part 1"),
    "a hostile source": ({"source": SHOWN}, lambda row: row["source"] == SHOWN),
    "tools offered": ({"offered": "10 or more tools"}, lambda row: row["offered"] == "10 or more tools"),
    "asked in training": ({"overlaps": "yes"}, lambda row: row["overlaps"]),
    "several": (
        {"suite": "when2call_mcq", "decision": "tool_call", "differs": "yes"},
        lambda row: row["suite"] == "when2call_mcq" and row["decision"] == "tool_call" and differs(row),
    ),
    "words of a completion": (
        {"suite": "own", "text": "CITY look"},
        lambda row: row["suite"] == "own" and row["id"] != "long",
    ),
    "hostile words": ({"text": "⟦u+d800⟧ onfocus=document.title='owned'"}, holds_hostile_text),
    "words that no row holds": ({"text": "weather zebra"}, lambda row: False),
    "a value that is not offered is none": ({"decision": "<b>"}, lambda row: True),
}


@pytest.mark.parametrize("name", FILTERS)
def test_filters_find_what_they_say(browser: Page, report_url: str, rows: Rows, name: str) -> None:
    chosen, holds = FILTERS[name]
    wanted = [row for row in rows if holds(row)]
    browser.show(f"{report_url}#{urlencode(chosen)}")
    counted, _, place = browser.evaluate(COUNT).partition(": ")
    assert counted == f"{len(wanted)} of {len(rows)} rows"
    pages = -(-len(wanted) // 25)
    assert place == (f"1 to 25, page 1 of {pages}" if pages > 1 else "")
    assert browser.evaluate(SHOWN_ROWS) == min(25, len(wanted))


def test_choosing_changes_the_address_and_the_address_chooses(browser: Page, report_url: str) -> None:
    browser.show(report_url)
    browser.evaluate(
        """(() => { const select = document.getElementById('filter-decision');
        select.value = 'cannot_answer'; select.dispatchEvent(new Event('change')); })()"""
    )
    counted = browser.evaluate(COUNT)
    assert browser.evaluate("location.hash") == "#decision=cannot_answer"
    browser.show(f"{report_url}#decision=cannot_answer")
    assert browser.evaluate(COUNT) == counted
    assert browser.evaluate("document.getElementById('filter-decision').value") == "cannot_answer"
    browser.evaluate("document.getElementById('reset').click()")
    assert browser.evaluate(COUNT).startswith("120 of 120")
    assert browser.evaluate("location.hash") == "#rows"


def test_a_link_to_a_row_opens_that_row_alone(browser: Page, report_url: str) -> None:
    browser.show(f"{report_url}#suite=own&row=o7", width=400, height=600)
    browser.wait_for("document.querySelector('#found .inside a')")
    assert browser.evaluate(SHOWN_ROWS) == 1
    assert browser.evaluate("document.querySelector('#found > details').open")
    assert browser.evaluate("document.querySelector('#found .inside a').hash") == "#suite=own&row=o7"
    top = "document.getElementById('found').getBoundingClientRect().top"
    browser.wait_for(f"{top} >= 0 && {top} < 100")


def test_following_a_rows_link_brings_the_focus_to_it(browser: Page, report_url: str) -> None:
    browser.show(f"{report_url}#suite=own&text=autofocus")
    browser.evaluate("document.querySelector('#found > details').open = true")
    browser.wait_for("document.querySelector('#found .inside a')")
    browser.evaluate("document.querySelector('#found .inside a').focus()")
    browser.press("Enter", 13, "\r")
    browser.wait_for(f"{SHOWN_ROWS} === 1")
    assert browser.evaluate("document.activeElement.id") == "count"
    browser.press("Tab", 9)
    assert browser.evaluate("document.activeElement.tagName") == "SUMMARY", "the row comes next"


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("decision=nope&variant=sft", "#variant=sft"),
        ("decision=__proto__", "#rows"),
        ("suite=own&whatever=1&page=9000", "#suite=own&page=3"),
        ("page=-5", "#rows"),
        ("row=o7&suite=own", "#suite=own&row=o7"),
        ("text=two+words&differs=no", "#text=two+words"),
    ],
    ids=[
        "a value",
        "a property of every object",
        "a name, and a page too far",
        "no page",
        "a row stays",
        "words",
    ],
)
def test_what_the_page_does_not_know_goes_from_the_address(
    browser: Page, report_url: str, given: str, kept: str
) -> None:
    browser.show(f"{report_url}#{given}")
    assert browser.evaluate("location.hash") == kept


def test_a_long_name_is_folded_where_it_is_chosen_and_where_it_is_shown(
    browser: Page, report_url: str
) -> None:
    options = all_of("#filter-source option")
    browser.show(f"{report_url}#{urlencode({'suite': 'own', 'row': SHOWN})}")
    assert max(browser.evaluate(f"{options}.map((one) => one.text.length)")) == len("…") + 80
    assert SHOWN in browser.evaluate(f"{options}.map((one) => one.value)")
    folded = browser.evaluate(f"{all_of('.facts details > summary')}.map((one) => one.textContent)")
    assert folded == [f"own, row {SHOWN[:80]}…", f"source {SHOWN[:80]}…"]
    whole = browser.evaluate(f"{all_of('.facts pre')}.map((one) => one.textContent)")
    assert whole == [SHOWN, SHOWN]


def test_the_search_is_reached_without_passing_the_whole_page(browser: Page, report_url: str) -> None:
    browser.show(report_url)
    for _ in range(2):
        browser.press("Tab", 9)
    assert browser.evaluate("document.activeElement.textContent") == "Skip to the search of rows"
    browser.press("Enter", 13, "\r")
    browser.wait_for("document.activeElement.id === 'filter-text'")


def test_a_link_to_no_row_says_so(browser: Page, report_url: str) -> None:
    browser.show(f"{report_url}#suite=own&row=gone")
    assert browser.evaluate(COUNT) == "No row has the id gone that the link names."
    assert browser.evaluate(SHOWN_ROWS) == 0


def test_pages_are_turned_by_keyboard(browser: Page, report_url: str) -> None:
    browser.show(f"{report_url}#suite=own")
    first = browser.evaluate("document.querySelector('#found').textContent")
    browser.evaluate("document.getElementById('after').focus()")
    browser.press("Enter", 13, "\r")
    assert browser.evaluate("document.getElementById('place').textContent") == "Page 2 of 3"
    assert browser.evaluate("document.querySelector('#found').textContent") != first
    assert browser.evaluate("location.hash") == "#suite=own&page=2"
    assert browser.evaluate("document.activeElement.id") == "count", "a button that goes off keeps no focus"
    assert browser.evaluate(COUNT) == "60 of 120 rows: 26 to 50, page 2 of 3", (
        "a live region tells changes alone"
    )
    browser.evaluate("document.getElementById('after').click()")
    assert browser.evaluate("document.getElementById('after').disabled")
    assert browser.evaluate(SHOWN_ROWS) == 10


def test_searching_and_opening_need_no_mouse(browser: Page, report_url: str) -> None:
    browser.show(report_url)
    browser.evaluate("document.getElementById('filter-text').focus()")
    browser.call("Input.insertText", text="autofocus")
    browser.wait_for(f"!{COUNT}.startsWith('120 ')")
    reached = []
    for _ in range(40):
        browser.press("Tab", 9)
        reached.append(browser.evaluate("document.activeElement.id || document.activeElement.tagName"))
        if reached[-1] == "SUMMARY":
            break
    controls = browser.evaluate(
        f"{all_of('#browser select, #browser input, #reset')}"
        ".filter((one) => one.offsetParent).map((one) => one.id)"
    )
    assert [one for one in reached if one.startswith(("filter", "reset"))] == controls[1:]
    assert reached[-1] == "SUMMARY"
    browser.press("Enter", 13, "\r")
    assert browser.evaluate("document.querySelector('#found > details').open")


def test_a_visit_to_a_section_keeps_the_filters_in_the_address(browser: Page, report_url: str) -> None:
    chosen = "#suite=own&decision=cannot_answer"
    browser.show(f"{report_url}{chosen}")
    counted = browser.evaluate(COUNT)
    browser.evaluate(f"{all_of('.contents a')}.find((one) => one.hash === '#slices').click()")
    browser.wait_for(f"location.hash === '{chosen}&section=slices'")
    assert browser.evaluate(COUNT) == counted
    top = "document.getElementById('slices').getBoundingClientRect().top"
    browser.show(f"{report_url}{chosen}&section=slices", height=600)
    browser.wait_for(f"Math.abs({top}) < 100")
    assert browser.evaluate(COUNT) == counted, "who is sent the address sees what was sent"
    browser.evaluate(f"{all_of('.contents a')}.find((one) => one.hash === '#rows').click()")
    browser.wait_for(f"location.hash === '{chosen}'")


def test_a_count_of_mended_rows_leads_to_them(browser: Page, report_url: str) -> None:
    browser.show(report_url)
    counts = all_of('#changes a[href*="changed="]')
    count = browser.evaluate(f"{counts}[0].textContent")
    browser.evaluate(f"{counts}[0].click()")
    browser.wait_for(f"{COUNT}.startsWith('{count} of ')")
    assert browser.evaluate("document.getElementById('filter-changed').value") == "sft over base: mended"


def test_a_chosen_variant_stands_first(browser: Page, report_url: str) -> None:
    browser.show(f"{report_url}#suite=own&variant=sft")
    first = browser.evaluate(f"{all_of('#found .outcomes')}[0].children[1].innerText")
    assert first.split()[1] == "sft"
