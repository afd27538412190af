"""The report's page is fit for everyone to read: order, names, labels and contrast, by WCAG 2.2."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

import pytest

from evaluation.report.page import read_template, render_report
from evaluation.report.results import Results
from tests.unit.evaluation.hostile_run import hostile_pictures
from tests.unit.evaluation.page_tree import Tree

READABLE = 4.5


@pytest.fixture(scope="module")
def tree(hostile_results: Results) -> Tree:
    return Tree(render_report(hostile_results, hostile_pictures()))


def test_headings_are_in_order(tree: Tree) -> None:
    levels = [int(one.name[1]) for one in tree.tags if re.fullmatch("h[1-6]", one.name)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_ids_are_unique_and_what_refers_to_them_finds_them(tree: Tree) -> None:
    ids = [one.attributes["id"] for one in tree.tags if "id" in one.attributes]
    assert len(ids) == len(set(ids))
    links = [one.attributes["href"][1:] for one in tree.named("a")]
    # One with a value sets the filters of the rows.
    referred = [one for one in links if "=" not in one]
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
    assert len(controls) == 12
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


def test_no_two_landmarks_have_one_name(tree: Tree) -> None:
    """Who goes from landmark to landmark hears nothing but its name (axe: landmark-unique)."""
    texts = {one.attributes["id"]: one.text for one in tree.tags if "id" in one.attributes}
    named = [
        texts[one.attributes["aria-labelledby"]] for one in tree.tags if "aria-labelledby" in one.attributes
    ]
    assert len(named) > 30
    assert len(named) == len(set(named))


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
