"""The report in a headless Chromium: what strangers wrote does nothing, and every reader finds every row."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from evaluation.report.page import render_report
from evaluation.report.pictures import draw_pictures
from evaluation.report.results import Results
from tests.unit.evaluation.chromium import Page, all_of
from tests.unit.evaluation.hostile_run import (
    HOSTILE_VARIANT,
    LONG_WORD,
    MANY_TOOLS,
    SHOWN,
    hostile_pictures,
)

OPEN_ALL = "document.querySelectorAll('details').forEach((one) => { one.open = true; })"
COUNT = "document.getElementById('count').textContent"
SHOWN_ROWS = "document.querySelectorAll('#found > details').length"
# Several folded layers: rows, then their tools.
LAYERS = 3

Rows = list[dict[str, Any]]


def open_everything(browser: Page) -> None:
    for _ in range(LAYERS):
        browser.evaluate(OPEN_ALL)
        browser.evaluate("new Promise((done) => setTimeout(done, 50))")


def complaints(browser: Page) -> list[str]:
    """What the browser had to say of the page: refused blocks, failed scripts, anything logged."""
    found = browser.named("Log.entryAdded", "Runtime.exceptionThrown", "Runtime.consoleAPICalled")
    return [json.dumps(one)[:300] for one in found]


def test_nothing_of_the_data_runs_and_nothing_is_asked_for(browser: Page, report_url: str) -> None:
    browser.show(report_url)
    title = browser.evaluate("document.title")
    assert title.endswith(SHOWN)
    for row in ("", f"#{urlencode({'row': SHOWN})}", "#row=long", "#row=odd", "#row=m3"):
        browser.evaluate(f"location.hash = {json.dumps(row)}")
        open_everything(browser)
        browser.evaluate("document.querySelectorAll('#found button').forEach((one) => one.click())")
        browser.evaluate("document.querySelectorAll('[onfocus], [autofocus]').forEach((one) => one.focus())")
    assert browser.evaluate("document.title") == title
    assert browser.evaluate("document.querySelectorAll('script').length") == 2
    assert browser.evaluate("document.querySelectorAll('[onerror], [onfocus], iframe').length") == 0
    asked = {one["request"]["url"].split(":", 1)[0] for one in browser.named("Network.requestWillBeSent")}
    assert asked <= {"file", "data"}
    assert complaints(browser) == []


@pytest.mark.parametrize(
    "planted",
    [
        "<script>document.title = 'owned'</script>",
        "<p style='color: red'>",
        "<img src='https://example.com/x.png'>",
    ],
    ids=["a script", "a style", "a picture from elsewhere"],
)
def test_what_is_planted_in_the_page_is_refused_and_reported(
    browser: Page, hostile_results: Results, tmp_path: Path, planted: str
) -> None:
    """The policy is in force; and the other tests would see what it refuses."""
    page = render_report(hostile_results, []).replace("<main>", f"<main>{planted}")
    path = tmp_path / "planted.html"
    path.write_text(page, encoding="utf-8")
    browser.show(path.as_uri())
    assert browser.evaluate("document.title") != "owned"
    assert any("Content Security Policy" in one for one in complaints(browser))


def test_a_hostile_row_is_shown_as_it_was_written(browser: Page, report_url: str) -> None:
    browser.show(f"{report_url}#{urlencode({'suite': 'own', 'row': SHOWN})}")
    open_everything(browser)
    shown = browser.evaluate("document.getElementById('found').textContent")
    # Id, source, role and text of a message, call, tool, gold and completion.
    assert shown.count(SHOWN) >= 10
    assert browser.evaluate("document.querySelectorAll('#found .variant').length") == 3
    texts = browser.evaluate("[...document.querySelectorAll('#found pre')].map((one) => one.textContent)")
    assert SHOWN in texts


def test_a_long_text_is_folded_and_opens(browser: Page, report_url: str) -> None:
    browser.show(f"{report_url}#suite=own&row=long")
    sizes = "[...document.querySelectorAll('#found pre')].map((one) => one.textContent.length)"
    browser.wait_for(f"{sizes}.length > 1")
    assert max(browser.evaluate(sizes)) == 4000
    buttons = f"{all_of('#found button')}.filter((one) => one.textContent.includes('characters'))"
    assert browser.evaluate(f"{buttons}[0].textContent") == f"Show all {len(LONG_WORD):,} characters"
    before = browser.evaluate(f"{buttons}.length")
    browser.evaluate(f"{buttons}[0].click()")
    assert max(browser.evaluate(sizes)) == len(LONG_WORD)
    assert browser.evaluate(f"{buttons}.length") == before - 1
    assert browser.evaluate("document.activeElement.tagName") == "PRE", "the focus stays where one reads"


def test_a_very_long_text_grows_in_parts_of_whole_characters(browser: Page, report_url: str) -> None:
    """A browser that has to lay out a million characters at once stands still for seconds."""
    browser.show(report_url)
    browser.evaluate(
        "{ window.parts = showText('x' + '😀'.repeat(75_000)); document.body.append(...parts); }"
    )
    seen = []
    while label := browser.evaluate("parts[1].isConnected && parts[1].textContent"):
        seen.append((browser.evaluate("parts[0].textContent.length"), label))
        browser.evaluate("parts[1].click()")
    assert seen == [
        (4_001, "Show 100,000 more of 150,001 characters"),
        (104_001, "Show all 150,001 characters"),
    ]
    assert browser.evaluate("parts[0].textContent === 'x' + '😀'.repeat(75_000)")
    assert browser.evaluate("[...parts[0].children].every((one) => one.textContent.isWellFormed())")


def test_a_table_is_a_stop_of_the_keyboard_only_where_it_scrolls(browser: Page, report_url: str) -> None:
    scrolling = {}
    for width in (400, 1600):
        browser.show(report_url, width=width)
        browser.evaluate(f"{all_of('#figures details')}.forEach((one) => {{ one.open = true; }})")
        scrolls, stops = "one.scrollWidth > one.clientWidth", "one.tabIndex === 0"
        seen = f"{all_of('.scroll')}.filter((one) => !one.closest('details:not([open])'))"
        browser.wait_for(f"{seen}.every((one) => ({scrolls}) === ({stops}))")
        scrolling[width] = browser.evaluate(f"{seen}.filter((one) => {stops}).length")
    assert scrolling[400] > scrolling[1600]


def test_what_is_folded_is_printed_and_folded_again(browser: Page, report_url: str) -> None:
    browser.show(report_url)
    closed = f"{all_of('main details')}.filter((one) => !one.closest('#rows') && !one.open).length"
    before = browser.evaluate(closed)
    assert before > 5
    browser.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert browser.evaluate(closed) == 0
    browser.evaluate("window.dispatchEvent(new Event('afterprint'))")
    assert browser.evaluate(closed) == before
    browser.call("Emulation.setEmulatedMedia", media="print")
    try:
        shown = browser.evaluate("document.getElementById('rows').innerText")
    finally:
        browser.call("Emulation.setEmulatedMedia", media="")
    assert shown.split("\n")[-1] == "The 120 rows are not printed: the page itself shows them."


def test_a_completion_that_is_not_known_is_not_said_to_be_empty(browser: Page, report_url: str) -> None:
    browser.show(report_url)
    said = {}
    for text in ("null", "''"):
        card = f"showResult('base', {{ outcome: 'wrong', text: {text} }})"
        said[text] = browser.evaluate(f"{card}.lastElementChild.textContent")
    assert said == {"null": "The completion is not in this report.", "''": "Nothing was written."}


def test_thousands_of_tools_come_in_parts(browser: Page, report_url: str) -> None:
    browser.show(f"{report_url}#suite=own&row=long")
    browser.wait_for("document.querySelector('#found .split details')")
    assert (
        browser.evaluate("document.querySelector('#found .split summary').textContent")
        == f"{MANY_TOOLS:,} offered"
    )
    browser.evaluate("document.querySelector('#found .split details').open = true")
    tools = "document.querySelectorAll('#found .split details details').length"
    browser.wait_for(f"{tools} > 0")
    assert browser.evaluate(tools) == 50
    browser.evaluate("document.querySelector('#found .split details > button').click()")
    assert browser.evaluate(tools) == 100


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 400, 800, 1600])
def test_the_page_is_never_wider_than_its_window(
    browser: Page, report_url: str, width: int, scheme: str
) -> None:
    """WCAG 2.2, 1.4.10: no scrolling in two directions at 320 pixels; tables scroll by themselves."""
    browser.show(f"{report_url}#{urlencode({'suite': 'own'})}", width=width, scheme=scheme)
    open_everything(browser)
    assert browser.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("width", [400, 1600])
def test_no_name_in_a_table_is_broken_but_after_an_underscore(
    browser: Page, report_url: str, width: int
) -> None:
    browser.show(report_url, width=width)
    open_everything(browser)
    broken = browser.evaluate(
        """[...document.querySelectorAll('tbody th:not(.long)')].flatMap((cell) => {
          const walk = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT), range = document.createRange();
          const found = [];
          for (let node = walk.nextNode(); node; node = walk.nextNode())
            for (const word of node.textContent.matchAll(/\\S+/g)) {
              range.setStart(node, word.index);
              range.setEnd(node, word.index + word[0].length);
              if (/^\\w+$/.test(word[0]) && range.getClientRects().length > 1) found.push(word[0]);
            }
          return found;
        })"""
    )
    assert broken == []


def test_the_judged_column_is_seen_at_once_on_a_narrow_screen(browser: Page, report_url: str) -> None:
    browser.show(report_url, width=400)
    right = "document.querySelector('#results td').getBoundingClientRect().right"
    assert browser.evaluate(right) <= 400


def test_completions_stand_side_by_side_where_there_is_room(browser: Page, report_url: str) -> None:
    lefts = f"new Set({all_of('#found .variant')}.map((one) => one.getBoundingClientRect().left)).size"
    for width, columns in ((400, 1), (1600, 3)):
        browser.show(f"{report_url}#suite=own&row=o9", width=width)
        browser.wait_for("document.querySelectorAll('#found .variant').length === 3")
        assert browser.evaluate(lefts) == columns


def test_colours_and_pictures_follow_the_readers_scheme(browser: Page, report_url: str) -> None:
    seen = {}
    for scheme in ("light", "dark"):
        browser.show(report_url, scheme=scheme)
        paper = browser.evaluate("getComputedStyle(document.body).backgroundColor")
        sources = browser.evaluate("[...document.images].map((one) => one.currentSrc)")
        assert browser.evaluate("[...document.images].every((one) => one.complete && one.naturalWidth > 0)")
        assert len(sources) == len(hostile_pictures())
        seen[scheme] = (paper, sources[0])
    assert seen["light"][0] == "rgb(255, 255, 255)"
    assert seen["light"][0] != seen["dark"][0]
    assert seen["light"][1] != seen["dark"][1]


def test_every_control_has_a_name_for_a_screen_reader(browser: Page, report_url: str) -> None:
    browser.show(f"{report_url}#suite=own&row=long")
    open_everything(browser)
    browser.call("Accessibility.enable")
    nodes = browser.call("Accessibility.getFullAXTree")["nodes"]
    seen = [one for one in nodes if not one.get("ignored")]
    roles = {
        "button",
        "link",
        "searchbox",
        "combobox",
        "checkbox",
        "image",
        "img",
        "table",
        "region",
        "DisclosureTriangle",
    }
    controls = [one for one in seen if one["role"]["value"] in roles]
    assert {one["role"]["value"] for one in controls} >= {
        "button",
        "link",
        "searchbox",
        "combobox",
        "checkbox",
    }
    assert len(controls) > 60
    nameless = [one["role"]["value"] for one in controls if not one.get("name", {}).get("value")]
    assert nameless == []
    live = [one for one in seen if one["role"]["value"] == "status"]
    assert len(live) == 1
    browser.call("Accessibility.disable")


def test_an_outcome_is_told_by_more_than_its_colour(browser: Page, report_url: str) -> None:
    browser.show(f"{report_url}#suite=own&row=o7")
    marks = browser.evaluate(f"{all_of('#found .outcomes > span')}.map((one) => one.innerText)")
    assert marks == ["expects request_for_info", "✗ base wrong", "✗ sft wrong", f"✓ {HOSTILE_VARIANT} right"]


def test_without_scripts_all_but_the_rows_is_there(
    browser: Page, hostile_results: Results, report_url: str
) -> None:
    browser.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        browser.call("Page.navigate", url="about:blank")
        browser.call("Page.navigate", url=report_url)
        browser.wait_for("document.readyState === 'complete' && document.images.length > 0")
        assert browser.evaluate("document.querySelector('noscript').innerText").startswith(
            "All 120 rows are in this page"
        )
        assert browser.evaluate("document.getElementById('browser').offsetParent") is None
        assert browser.evaluate("document.querySelectorAll('table').length") > 10
    finally:
        browser.call("Emulation.setScriptExecutionDisabled", value=False)


def test_damaged_rows_are_said_to_be_unreadable(
    browser: Page, hostile_results: Results, tmp_path: Path
) -> None:
    page = render_report(hostile_results, [])
    start = page.index('id="data">') + len('id="data">')
    path = tmp_path / "cut.html"
    path.write_text(
        page[:start] + page[start : start + 400] + page[page.index("</script>", start) :], encoding="utf-8"
    )
    browser.show(path.as_uri(), waiting=False)
    browser.wait_for("document.getElementById('loading').textContent.startsWith('The rows cannot be shown')")
    assert browser.evaluate("document.getElementById('browser').hidden")


def test_real_pictures_are_drawn_under_the_policy(
    browser: Page, hostile_results: Results, tmp_path: Path
) -> None:
    pictures = draw_pictures(hostile_results)
    path = tmp_path / "report.html"
    path.write_text(render_report(hostile_results, pictures), encoding="utf-8")
    browser.show(path.as_uri())
    browser.wait_for("[...document.images].every((one) => one.complete)")
    assert browser.evaluate("[...document.images].map((one) => one.naturalWidth > 0)") == [True] * len(
        pictures
    )
    assert complaints(browser) == []
