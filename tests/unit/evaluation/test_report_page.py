"""The report's page, read as a browser reads it: sound, escaped, complete, and fit for everyone to read."""

from __future__ import annotations

import base64
import dataclasses
import gzip
import hashlib
import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from evaluation.report.page import (
    NO_GATE,
    format_points,
    format_seconds,
    read_template,
    render_report,
    rule_line,
)
from evaluation.report.results import Results
from evaluation.report.rows import rows_of
from tests.unit.evaluation.hostile_run import (
    HOSTILE,
    HOSTILE_VARIANT,
    SHOWN,
    hostile_pictures,
    read_results,
    write_run,
)

VOID = {"meta", "img", "source", "input", "br", "link"}
READABLE = 4.5


class Tree(HTMLParser):
    """A page's tags with their attributes, parents and texts, in the page's order."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[Tag] = []
        self.open: list[Tag] = []
        self.feed(page)
        self.close()
        assert not self.open, f"never closed: {[one.name for one in self.open]}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), f"twice in one tag: {names}"
        found = Tag(tag, {name: value or "" for name, value in attrs}, tuple(self.open))
        self.tags.append(found)
        if tag not in VOID:
            self.open.append(found)

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open[-1].name == tag, (
            f"</{tag}> ends {self.open[-1].name if self.open else None}"
        )
        self.open.pop()

    def handle_data(self, data: str) -> None:
        for one in self.open:
            one.text += data

    def named(self, *names: str) -> list[Tag]:
        return [one for one in self.tags if one.name in names]


@dataclasses.dataclass(eq=False)
class Tag:
    name: str
    attributes: dict[str, str]
    parents: tuple[Tag, ...]
    text: str = ""


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    folder = tmp_path_factory.mktemp("hostile")
    write_run(folder)
    return read_results(folder)


@pytest.fixture(scope="module")
def page(results: Results) -> str:
    return render_report(results, hostile_pictures())


@pytest.fixture(scope="module")
def tree(page: str) -> Tree:
    return Tree(page)


def test_no_tag_is_the_datas(tree: Tree) -> None:
    scripts = [one.attributes for one in tree.named("script")]
    assert scripts == [{"type": "application/gzip", "id": "data"}, {}]
    assert len(tree.named("style")) == 1
    assert {one.parents[-1].name for one in tree.named("img")} == {"picture"}
    assert not tree.named("iframe", "object", "embed", "base", "form", "link", "svg")


def test_no_attribute_acts(tree: Tree) -> None:
    for tag in tree.tags:
        acting = [name for name in tag.attributes if name.startswith("on") or name in ("style", "autofocus")]
        assert not acting, f"{tag.name} has {acting}"
        for name in ("href", "src", "srcset"):
            value = tag.attributes.get(name, "#")
            assert value.startswith(("#", "data:image/svg+xml;base64,")), f"{tag.name} {name} {value[:60]}"


def test_the_policy_allows_our_two_blocks_by_hash_and_nothing_else(tree: Tree) -> None:
    meta = next(one for one in tree.named("meta") if "http-equiv" in one.attributes)
    policy = dict(part.split(" ", 1) for part in meta.attributes["content"].split("; "))
    style, script = tree.named("style")[0].text, tree.named("script")[1].text
    assert policy == {
        "default-src": "'none'",
        "img-src": "data:",
        "style-src": f"'{digest(style)}'",
        "script-src": f"'{digest(script)}'",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    before = tree.tags[: tree.tags.index(meta)]
    assert {one.name for one in before} <= {"html", "head", "meta"}, "what precedes a policy escapes it"


def digest(block: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(block.encode()).digest()).decode()


@pytest.mark.parametrize(
    ("where", "reason"),
    [
        ("h1", "the run's id is what a user calls it"),
        ("title", "which ends at no tag but its own"),
        ("p", "the gate's statement, and the note on costs"),
        ("td", "a rule's metric, a job's status, an error of the grader"),
        ("th", "a job's name, a slice's source"),
        ("figcaption", "a picture's title"),
        ("dd", "the base model, the recipe"),
    ],
    ids=lambda value: value if " " not in value else "",
)
def test_a_hostile_text_is_shown_whole(tree: Tree, where: str, reason: str) -> None:
    assert any(SHOWN in one.text for one in tree.named(where)), reason


def test_an_attribute_holds_a_hostile_text_whole(tree: Tree) -> None:
    assert {one.attributes["alt"] for one in tree.named("img")} == {SHOWN}


def test_nothing_unseen_is_left(page: str) -> None:
    assert not re.search("[\x00\x1b\u202e\u2066\u2028\ud800]", page)
    page.encode("utf-8")


def test_a_hostile_variant_is_named_in_every_table(tree: Tree) -> None:
    named = [one for one in tree.named("th") if one.text == HOSTILE_VARIANT]
    assert len(named) > 10


def test_the_rows_are_in_the_page(results: Results, tree: Tree) -> None:
    packed = tree.named("script")[0].text
    assert re.fullmatch(r"[A-Za-z0-9+/]+=*", packed)
    assert json.loads(gzip.decompress(base64.b64decode(packed))) == rows_of(results)


def test_equal_results_make_equal_pages(results: Results, page: str) -> None:
    assert render_report(results, hostile_pictures()) == page


def test_every_figure_of_every_suite_is_there(results: Results, tree: Tree) -> None:
    named = {one.text for one in tree.named("th")}
    for summaries in results.comparison.summaries.values():
        for summary in summaries.values():
            assert named >= summary.metrics.keys()
            assert named >= summary.recall.keys()


def test_reasons_are_counted_by_variant(results: Results, tree: Tree) -> None:
    table = next(
        one
        for one in tree.named("table")
        if one.parents[-1].attributes["aria-labelledby"] == "table-failures-own"
    )
    lines = cells_of(tree, table)
    assert lines[0] == ["reason", *results.comparison.summaries["own"]]
    counted = {line[0]: [int(cell) for cell in line[1:]] for line in lines[1:]}
    assert "correct" not in counted
    for place, summary in enumerate(results.comparison.summaries["own"].values()):
        wrong = {reason: count for reason, count in summary.reasons.items() if reason != "correct"}
        assert {reason: counts[place] for reason, counts in counted.items() if counts[place]} == wrong
    said = [one.text for one in tree.named("p")]
    assert any(
        text.startswith("base has 2 unscored rows in own: 2 because ") and SHOWN in text for text in said
    )


def cells_of(tree: Tree, table: Tag) -> list[list[str]]:
    """The texts of a table's cells, line by line."""
    lines = [row for row in tree.named("tr") if table in row.parents]
    return [[cell.text for cell in tree.named("th", "td") if row in cell.parents] for row in lines]


def test_every_difference_is_said(results: Results, tree: Tree) -> None:
    said = [one.text for one in tree.named("li")]
    pairs = [(pair.suite, f"{pair.a} over {pair.b}: ") for pair in results.comparison.pairs]
    assert pairs, "the run holds pairs"
    for _, start in pairs:
        assert sum(text.startswith(start) for text in said) == len(results.comparison.rows)


def test_a_rule_says_whether_it_passed_and_by_what(tree: Tree) -> None:
    table = next(one for one in tree.named("table") if "Every rule of the gate" in one.text)
    lines = cells_of(tree, table)
    assert [line[0] for line in lines[1:]] == ["✓ passed", "✗ failed"]
    assert lines[1][5:] == ["+30.0 (+20.0 to +40.0)", "0.0", "p < 0.001"]
    assert lines[2][5:] == ["—", "—", "—"], "a rule whose figures are absent is shown all the same"


ABSENT: dict[str, tuple[dict[str, Any], str]] = {
    "gate": ({"plan": {}}, "No rule was applied, so nothing is promoted."),
    "verdict": ({"plan": {}}, NO_GATE),
    "cost": ({"plan": {}}, "No cost is known"),
    "curves": ({"curves": {}}, "No training of this run left a curve"),
    "judge": ({}, "No suite of this run asks for a judge."),
}


@pytest.mark.parametrize("section", ABSENT)
def test_what_is_absent_is_said_where_one_looks_for_it(results: Results, section: str) -> None:
    changes, sentence = ABSENT[section]
    bare = Tree(render_report(dataclasses.replace(results, **changes), []))
    said = [
        one
        for one in bare.named("p")
        if sentence in one.text and any(part.attributes.get("id") == section for part in one.parents)
    ]
    assert len(said) == (0 if section == "verdict" else 1)
    assert any(sentence in one.text for one in bare.named("p"))


def test_one_variant_alone_has_a_page(results: Results) -> None:
    comparison = results.comparison
    alone = dataclasses.replace(
        comparison,
        scores={suite: {"base": scores["base"]} for suite, scores in comparison.scores.items()},
        summaries={suite: {"base": one["base"]} for suite, one in comparison.summaries.items()},
        pairs=[],
    )
    bare = Tree(render_report(dataclasses.replace(results, comparison=alone, completions={}), []))
    said = [one.text for one in bare.named("li", "p")]
    assert said.count("There are no two variants to hold against each other.") == len(comparison.rows)
    assert "No variant was made from another one that has scores." in said


def test_headings_are_in_order(tree: Tree) -> None:
    levels = [int(one.name[1]) for one in tree.tags if re.fullmatch("h[1-6]", one.name)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_ids_are_unique_and_what_refers_to_them_finds_them(tree: Tree) -> None:
    ids = [one.attributes["id"] for one in tree.tags if "id" in one.attributes]
    assert len(ids) == len(set(ids))
    referred = [one.attributes["href"][1:] for one in tree.named("a")]
    for name in ("for", "aria-labelledby"):
        referred += [one.attributes[name] for one in tree.tags if name in one.attributes]
    assert set(referred) <= set(ids)
    assert not any(re.search(r"\s", one) for one in ids)


def test_each_section_is_in_the_contents(tree: Tree) -> None:
    nav = tree.named("nav")[0]
    linked = [one.attributes["href"][1:] for one in tree.named("a") if nav in one.parents]
    assert linked == [one.attributes["id"] for one in tree.named("section")]


def test_each_control_has_a_label(tree: Tree) -> None:
    labels = {one.attributes["for"]: one.text for one in tree.named("label")}
    controls = [one.attributes["id"] for one in tree.named("input", "select")]
    assert len(controls) == 11
    assert all(labels[control].strip() for control in controls)
    assert all(one.text for one in tree.named("button"))


def test_each_table_has_a_caption_and_scopes(tree: Tree) -> None:
    assert len(tree.named("caption")) == len(tree.named("table")) > 10
    assert all(one.text for one in tree.named("caption"))
    assert {one.attributes["scope"] for one in tree.named("th")} == {"col", "row"}
    assert not [one for one in tree.named("td") if "thead" in {parent.name for parent in one.parents}]


def test_each_wide_table_scrolls_in_a_region_that_a_keyboard_reaches(tree: Tree) -> None:
    for table in tree.named("table"):
        region = table.parents[-1].attributes
        assert (region["role"], region["tabindex"]) == ("region", "0")
        assert region["aria-labelledby"]


def test_there_is_one_of_each_landmark_and_a_language(tree: Tree) -> None:
    assert [len(tree.named(name)) for name in ("html", "header", "main")] == [1, 1, 1]
    assert tree.named("html")[0].attributes["lang"] == "en"
    assert len({one.attributes["aria-label"] for one in tree.named("nav")}) == 2
    assert [one.attributes["aria-live"] for one in tree.tags if "aria-live" in one.attributes] == ["polite"]


def schemes() -> Iterator[tuple[str, dict[str, str]]]:
    """The style's colours by scheme; the dark one replaces the light."""
    style = read_template("report.css")
    blocks = [
        dict(re.findall(r"--(\w+): (#[0-9a-f]{6})", block))
        for block in re.findall(r":root \{(.*?)\}", style, re.S)
    ]
    light, dark = blocks
    assert light.keys() == dark.keys()
    return iter((("light", light), ("dark", dark)))


@pytest.mark.parametrize("ground", ["paper", "soft"])
@pytest.mark.parametrize("ink", ["ink", "quiet", "link", "good", "bad"])
def test_every_colour_of_text_is_readable(ink: str, ground: str) -> None:
    """WCAG 2.2, 1.4.3: a contrast of at least 4.5."""
    for scheme, colours in schemes():
        assert contrast(colours[ink], colours[ground]) >= READABLE, scheme


def test_the_edges_of_controls_are_visible() -> None:
    """WCAG 2.2, 1.4.11: a contrast of at least 3."""
    for scheme, colours in schemes():
        assert contrast(colours["edge"], colours["paper"]) >= 3, scheme


def test_contrast_is_that_of_wcag() -> None:
    assert contrast("#ffffff", "#000000") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def test_style_takes_its_colours_from_the_checked_ones() -> None:
    style = read_template("report.css")
    outside = re.sub(r":root \{.*?\}", "", style, flags=re.S)
    assert not re.search(r"#[0-9a-fA-F]{3,8}\b|rgba?\(|hsla?\(", outside)


def test_script_makes_no_markup_of_data() -> None:
    script = read_template("report.js")
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|Function\(|\.on\w+ =", script
    )


@pytest.mark.parametrize(
    ("share", "written"),
    [(0.041, "+4.1"), (-0.2, "-20.0"), (0.0, "+0.0"), (None, "—")],
    ids=["gain", "loss", "nothing", "absent"],
)
def test_points(share: float | None, written: str) -> None:
    assert format_points(share) == written


@pytest.mark.parametrize(
    ("seconds", "written"),
    [
        (0, "0 s"),
        (59.6, "1 min 00 s"),
        (61, "1 min 01 s"),
        (3600, "1 h 00 min"),
        (90061, "25 h 01 min"),
        (None, "—"),
    ],
    ids=["none", "rounded", "minutes", "an hour", "a day", "not ended"],
)
def test_seconds(seconds: float | None, written: str) -> None:
    assert format_seconds(seconds) == written


def test_a_rule_of_any_shape_is_a_line() -> None:
    """A report that fails over a rule would lose a run that has been paid for."""
    line = rule_line({})
    assert (line.passed, line.difference, line.p, line.variants) == (False, "—", "—", "")
    assert rule_line({"variant": HOSTILE, "over": "base"}).variants == f"{HOSTILE} over base"


def test_the_page_is_a_file_that_opens_from_disk(page: str, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text(page, encoding="utf-8")
    assert path.read_bytes().startswith(b"<!doctype html>")
