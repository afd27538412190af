"""The report in a headless Chromium: what strangers wrote does nothing, and every reader finds every row."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from evaluation.report.page import render_report
from evaluation.report.pictures import draw_pictures
from evaluation.report.results import Results
from evaluation.report.rows import rows_of
from tests.unit.evaluation.chromium import Page, open_chromium
from tests.unit.evaluation.hostile_run import (
    HOSTILE_VARIANT,
    LONG_WORD,
    MANY_TOOLS,
    SHOWN,
    hostile_pictures,
    read_results,
    write_run,
)

OPEN_ALL = "document.querySelectorAll('details').forEach((one) => { one.open = true; })"
COUNT = "document.getElementById('count').textContent"
SHOWN_ROWS = "document.querySelectorAll('#found > details').length"
# Several folded layers: rows, then their tools.
LAYERS = 3

Rows = list[dict[str, Any]]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    folder = tmp_path_factory.mktemp("run")
    write_run(folder)
    return read_results(folder)


@pytest.fixture(scope="module")
def rows(results: Results) -> Rows:
    found: Rows = rows_of(results)["rows"]
    return found


@pytest.fixture(scope="module")
def url(results: Results, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(render_report(results, hostile_pictures()), encoding="utf-8")
    return path.as_uri()


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with open_chromium(tmp_path_factory.mktemp("profile")) as page:
        yield page


def all_of(selector: str) -> str:
    """The JavaScript array of the page's elements that a selector names."""
    return f"[...document.querySelectorAll('{selector}')]"


def open_everything(browser: Page) -> None:
    for _ in range(LAYERS):
        browser.evaluate(OPEN_ALL)
        browser.evaluate("new Promise((done) => setTimeout(done, 50))")


def complaints(browser: Page) -> list[str]:
    """What the browser had to say of the page: refused blocks, failed scripts, anything logged."""
    found = browser.named("Log.entryAdded", "Runtime.exceptionThrown", "Runtime.consoleAPICalled")
    return [json.dumps(one)[:300] for one in found]


def test_nothing_of_the_data_runs_and_nothing_is_asked_for(browser: Page, url: str) -> None:
    browser.show(url)
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
    browser: Page, results: Results, tmp_path: Path, planted: str
) -> None:
    """The policy is in force; and the other tests would see what it refuses."""
    page = render_report(results, []).replace("<main>", f"<main>{planted}")
    path = tmp_path / "planted.html"
    path.write_text(page, encoding="utf-8")
    browser.show(path.as_uri())
    assert browser.evaluate("document.title") != "owned"
    assert any("Content Security Policy" in one for one in complaints(browser))


def test_a_hostile_row_is_shown_as_it_was_written(browser: Page, url: str) -> None:
    browser.show(f"{url}#{urlencode({'suite': 'own', 'row': SHOWN})}")
    open_everything(browser)
    shown = browser.evaluate("document.getElementById('found').textContent")
    # Id, source, role and text of a message, call, tool, gold and completion.
    assert shown.count(SHOWN) >= 10
    assert browser.evaluate("document.querySelectorAll('#found .variant').length") == 3
    texts = browser.evaluate("[...document.querySelectorAll('#found pre')].map((one) => one.textContent)")
    assert SHOWN in texts


def test_a_long_text_is_folded_and_opens(browser: Page, url: str) -> None:
    browser.show(f"{url}#suite=own&row=long")
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


def test_thousands_of_tools_come_in_parts(browser: Page, url: str) -> None:
    browser.show(f"{url}#suite=own&row=long")
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
def test_the_page_is_never_wider_than_its_window(browser: Page, url: str, width: int, scheme: str) -> None:
    """WCAG 2.2, 1.4.10: no scrolling in two directions at 320 pixels; tables scroll by themselves."""
    browser.show(f"{url}#{urlencode({'suite': 'own'})}", width=width, scheme=scheme)
    open_everything(browser)
    assert browser.evaluate("document.documentElement.scrollWidth") <= width


def test_completions_stand_side_by_side_where_there_is_room(browser: Page, url: str) -> None:
    lefts = f"new Set({all_of('#found .variant')}.map((one) => one.getBoundingClientRect().left)).size"
    for width, columns in ((400, 1), (1600, 3)):
        browser.show(f"{url}#suite=own&row=o9", width=width)
        browser.wait_for("document.querySelectorAll('#found .variant').length === 3")
        assert browser.evaluate(lefts) == columns


def test_colours_and_pictures_follow_the_readers_scheme(browser: Page, url: str) -> None:
    seen = {}
    for scheme in ("light", "dark"):
        browser.show(url, scheme=scheme)
        paper = browser.evaluate("getComputedStyle(document.body).backgroundColor")
        sources = browser.evaluate("[...document.images].map((one) => one.currentSrc)")
        assert browser.evaluate("[...document.images].every((one) => one.complete && one.naturalWidth > 0)")
        assert len(sources) == len(hostile_pictures())
        seen[scheme] = (paper, sources[0])
    assert seen["light"][0] == "rgb(255, 255, 255)"
    assert seen["light"][0] != seen["dark"][0]
    assert seen["light"][1] != seen["dark"][1]


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
def test_filters_find_what_they_say(browser: Page, url: str, rows: Rows, name: str) -> None:
    chosen, holds = FILTERS[name]
    wanted = [row for row in rows if holds(row)]
    browser.show(f"{url}#{urlencode(chosen)}")
    assert browser.evaluate(COUNT) == f"{len(wanted)} of {len(rows)} rows"
    assert browser.evaluate(SHOWN_ROWS) == min(25, len(wanted))


def test_choosing_changes_the_address_and_the_address_chooses(browser: Page, url: str) -> None:
    browser.show(url)
    browser.evaluate(
        """(() => { const select = document.getElementById('filter-decision');
        select.value = 'cannot_answer'; select.dispatchEvent(new Event('change')); })()"""
    )
    counted = browser.evaluate(COUNT)
    assert browser.evaluate("location.hash") == "#decision=cannot_answer"
    browser.show(f"{url}#decision=cannot_answer")
    assert browser.evaluate(COUNT) == counted
    assert browser.evaluate("document.getElementById('filter-decision').value") == "cannot_answer"
    browser.evaluate("document.getElementById('reset').click()")
    assert browser.evaluate(COUNT).startswith("120 of 120")
    assert browser.evaluate("location.hash") == "#rows"


def test_a_link_to_a_row_opens_that_row_alone(browser: Page, url: str) -> None:
    browser.show(f"{url}#suite=own&row=o7", width=400, height=600)
    browser.wait_for("document.querySelector('#found .inside a')")
    assert browser.evaluate(SHOWN_ROWS) == 1
    assert browser.evaluate("document.querySelector('#found > details').open")
    assert browser.evaluate("document.querySelector('#found .inside a').hash") == "#suite=own&row=o7"
    top = "document.getElementById('found').getBoundingClientRect().top"
    browser.wait_for(f"{top} >= 0 && {top} < 100")


def test_a_link_to_no_row_says_so(browser: Page, url: str) -> None:
    browser.show(f"{url}#suite=own&row=gone")
    assert browser.evaluate(COUNT) == "No row has the id gone that the link names."
    assert browser.evaluate(SHOWN_ROWS) == 0


def test_pages_are_turned_by_keyboard(browser: Page, url: str) -> None:
    browser.show(f"{url}#suite=own")
    first = browser.evaluate("document.querySelector('#found').textContent")
    browser.evaluate("document.getElementById('after').focus()")
    browser.press("Enter", 13, "\r")
    assert browser.evaluate("document.getElementById('place').textContent") == "Page 2 of 3"
    assert browser.evaluate("document.querySelector('#found').textContent") != first
    assert browser.evaluate("location.hash") == "#suite=own&page=2"
    assert browser.evaluate("document.activeElement.id") == "count", "a button that goes off keeps no focus"
    browser.evaluate("document.getElementById('after').click()")
    assert browser.evaluate("document.getElementById('after').disabled")
    assert browser.evaluate(SHOWN_ROWS) == 10


def test_searching_and_opening_need_no_mouse(browser: Page, url: str) -> None:
    browser.show(url)
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


def test_every_control_has_a_name_for_a_screen_reader(browser: Page, url: str) -> None:
    browser.show(f"{url}#suite=own&row=long")
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


def test_an_outcome_is_told_by_more_than_its_colour(browser: Page, url: str) -> None:
    browser.show(f"{url}#suite=own&row=o7")
    marks = browser.evaluate(f"{all_of('#found .outcomes > span')}.map((one) => one.innerText)")
    assert marks == ["expects request_for_info", "✗ base wrong", "✗ sft wrong", f"✓ {HOSTILE_VARIANT} right"]


def test_without_scripts_all_but_the_rows_is_there(browser: Page, results: Results, url: str) -> None:
    browser.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        browser.call("Page.navigate", url="about:blank")
        browser.call("Page.navigate", url=url)
        browser.wait_for("document.readyState === 'complete' && document.images.length > 0")
        assert browser.evaluate("document.querySelector('noscript').innerText").startswith(
            "All 120 rows are in this page"
        )
        assert browser.evaluate("document.getElementById('browser').offsetParent") is None
        assert browser.evaluate("document.querySelectorAll('table').length") > 10
    finally:
        browser.call("Emulation.setScriptExecutionDisabled", value=False)


def test_damaged_rows_are_said_to_be_unreadable(browser: Page, results: Results, tmp_path: Path) -> None:
    page = render_report(results, [])
    start = page.index('id="data">') + len('id="data">')
    path = tmp_path / "cut.html"
    path.write_text(
        page[:start] + page[start : start + 400] + page[page.index("</script>", start) :], encoding="utf-8"
    )
    browser.show(path.as_uri(), waiting=False)
    browser.wait_for("document.getElementById('loading').textContent.startsWith('The rows cannot be shown')")
    assert browser.evaluate("document.getElementById('browser').hidden")


def test_real_pictures_are_drawn_under_the_policy(browser: Page, results: Results, tmp_path: Path) -> None:
    pictures = draw_pictures(results)
    path = tmp_path / "report.html"
    path.write_text(render_report(results, pictures), encoding="utf-8")
    browser.show(path.as_uri())
    browser.wait_for("[...document.images].every((one) => one.complete)")
    assert browser.evaluate("[...document.images].map((one) => one.naturalWidth > 0)") == [True] * len(
        pictures
    )
    assert complaints(browser) == []
