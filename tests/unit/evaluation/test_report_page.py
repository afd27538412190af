"""The report's page, read as a browser reads it: sound, escaped, complete, and fit for everyone to read."""

from __future__ import annotations

import base64
import dataclasses
import gzip
import hashlib
import json
import re
from pathlib import Path
from urllib.parse import parse_qsl

import pytest

from evaluation.report.gate import NO_GATE
from evaluation.report.headline import arrange_suites
from evaluation.report.names import CURVES, REASONS, names_of
from evaluation.report.page import (
    format_seconds,
    read_script,
    render_report,
)
from evaluation.report.plot_curves import SHOWN as CURVES_SHOWN
from evaluation.report.results import Results
from evaluation.report.rows import rows_of
from evaluation.toolcalls.score import REASONS as GIVEN
from tests.unit.evaluation.hostile_run import (
    HOSTILE_VARIANT,
    SHOWN,
    hostile_pictures,
)
from tests.unit.evaluation.page_tree import Tree, cells_of


@pytest.fixture(scope="module")
def page(hostile_results: Results) -> str:
    return render_report(hostile_results, hostile_pictures())


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


def test_the_rows_are_in_the_page(hostile_results: Results, tree: Tree) -> None:
    packed = tree.named("script")[0].text
    assert re.fullmatch(r"[A-Za-z0-9+/]+=*", packed)
    assert json.loads(gzip.decompress(base64.b64decode(packed))) == rows_of(arrange_suites(hostile_results))


def test_equal_results_make_equal_pages(hostile_results: Results, page: str) -> None:
    assert render_report(hostile_results, hostile_pictures()) == page


def test_every_figure_of_every_suite_is_there(hostile_results: Results, tree: Tree) -> None:
    named = {one.text for one in tree.named("th")}
    for summaries in hostile_results.comparison.summaries.values():
        for summary in summaries.values():
            assert named >= summary.metrics.keys()
            assert named >= {decision for decision, one in summary.recall.items() if one.n}


def test_reasons_are_counted_by_variant(hostile_results: Results, tree: Tree) -> None:
    table = next(
        one
        for one in tree.named("table")
        if one.parents[-1].attributes["aria-labelledby"] == "table-failures-own"
    )
    lines = cells_of(tree, table)
    assert lines[0] == ["reason", *hostile_results.comparison.summaries["own"]]
    counted = {line[0]: [int(cell) for cell in line[1:]] for line in lines[1:]}
    assert "correct" not in counted
    for place, summary in enumerate(hostile_results.comparison.summaries["own"].values()):
        wrong = {reason: count for reason, count in summary.reasons.items() if reason != "correct"}
        assert {reason: counts[place] for reason, counts in counted.items() if counts[place]} == wrong
    said = [one.text for one in tree.named("p")]
    assert any(
        text.startswith("base has 2 unscored rows in own: 2 because ") and SHOWN in text for text in said
    )


def test_every_difference_is_said(hostile_results: Results, tree: Tree) -> None:
    said = [one.text for one in tree.named("li")]
    pairs = [(pair.suite, f"{pair.a} over {pair.b}: ") for pair in hostile_results.comparison.pairs]
    assert pairs, "the run holds pairs"
    for _, start in pairs:
        assert sum(text.startswith(start) for text in said) == len(hostile_results.comparison.rows)


def test_each_rule_says_whether_it_passed_and_by_what(tree: Tree) -> None:
    table = next(one for one in tree.named("table") if f"{SHOWN}: rules, in percentages" in one.text)
    lines = cells_of(tree, table)
    assert [line[0] for line in lines[1:]] == ["✗ failed", "✓ passed"], "what failed stands first"
    assert {line[2] for line in lines[1:]} == {SHOWN}, "over which variant"
    assert lines[1][3:] == ["—", "—", "fell beyond its tolerance", "60.0", "—", "—", "—"], (
        "a rule that lacks figures is shown all the same"
    )
    figures = ["+30.0 (+20.0 to +40.0)", "0.0", "rose beyond noise", "60.0", "30.0", "p < 0.001, Holm", "60"]
    assert lines[2][3:] == figures
    assert f"✗ failed {SHOWN}: 1 of 2 rules failed" in [one.text for one in tree.named("h3")]


@pytest.fixture(scope="module")
def bare_tree(hostile_results: Results) -> Tree:
    """The page of a run outside of an execution, of which nothing but the scores is known."""
    comparison = dataclasses.replace(hostile_results.comparison, judge={})
    return Tree(render_report(Results(comparison, {}), []))


@pytest.mark.parametrize(
    ("section", "sentence"),
    [
        ("gate", "No rule was applied, so nothing is promoted."),
        ("cost", "No cost is known"),
        ("curves", "No training of this run left a curve"),
        ("judge", "No suite of this run asks for a judge."),
    ],
    ids=["gate", "cost", "curves", "judge"],
)
def test_what_is_absent_is_said_where_one_looks_for_it(bare_tree: Tree, section: str, sentence: str) -> None:
    said = [one for one in bare_tree.named("p") if one.text.startswith(sentence)]
    assert [[part.attributes.get("id") for part in one.parents][-1] for one in said] == [section]


def test_a_run_without_a_gate_says_so_at_once(bare_tree: Tree) -> None:
    assert bare_tree.named("dd")[2].text == f"{NO_GATE} rules"
    recorded = [one.text for one in bare_tree.named("dd")]
    assert recorded.count("not recorded") == 6


def test_one_variant_alone_has_a_page(hostile_results: Results) -> None:
    comparison = hostile_results.comparison
    alone = dataclasses.replace(
        comparison,
        scores={suite: {"base": scores["base"]} for suite, scores in comparison.scores.items()},
        summaries={suite: {"base": one["base"]} for suite, one in comparison.summaries.items()},
        pairs=[],
    )
    bare = Tree(render_report(dataclasses.replace(hostile_results, comparison=alone, completions={}), []))
    said = [one.text for one in bare.named("li", "p")]
    assert said.count("There are no two variants to hold against each other.") == len(comparison.rows)
    assert "No variant was made from another one that has scores." in said


def test_every_name_that_the_run_has_is_explained(hostile_results: Results, tree: Tree) -> None:
    comparison = hostile_results.comparison
    names = {name: text for group in names_of(hostile_results) for name, text in group.meanings.items()}
    summaries = [one for by_variant in comparison.summaries.values() for one in by_variant.values()]
    reasons = {reason for one in summaries for reason in one.reasons} - {"correct"}
    figures = {name for one in summaries for name in one.metrics}
    assert names.keys() >= {"base", "sft", "loss", "Holm", *comparison.rows, *reasons, *figures}
    assert not names.keys() & ({"dpo", "reward", *REASONS} - reasons), "what the run lacks is left out"
    assert all(names.values())
    shown = {one.text for one in tree.named("dt")}
    assert shown >= names.keys()


@pytest.mark.parametrize(
    ("explained", "used"),
    [(set(REASONS), set(GIVEN) - {"correct"}), (set(CURVES), set(CURVES_SHOWN))],
    ids=["the grader's reasons", "the curves"],
)
def test_every_name_of_a_closed_list_has_a_meaning(explained: set[str], used: set[str]) -> None:
    assert explained == used


def test_each_count_of_changed_rows_leads_to_them(hostile_results: Results, tree: Tree) -> None:
    """The browser's filters, applied by hand, find as many rows as the link says."""
    data = rows_of(hostile_results)
    stages = {one["name"]: one for one in data["stages"]}
    links = [one for one in tree.named("a") if "changed=" in one.attributes["href"]]
    assert len(links) == 5
    for link in links:
        asked = dict(parse_qsl(link.attributes["href"][1:]))
        stage = stages[asked["changed"]]
        found = [
            row["results"]
            for row in data["rows"]
            if row["suite"] == asked["suite"]
            and all(
                row["results"][end["variant"]]["outcome"] == end["outcome"]
                for end in (stage["before"], stage["after"])
            )
        ]
        if "reason" in asked:
            found = [one for one in found if one[asked["variant"]]["reason"] == asked["reason"]]
        assert link.text == str(len(found)), asked


def test_the_mean_reward_is_explained_where_it_is_shown(tree: Tree, bare_tree: Tree) -> None:
    for page, count in ((tree, 1), (bare_tree, 0)):
        said = [one for one in page.named("p") if one.text.startswith("The mean reward is")]
        assert len(said) == count
        for one in said:
            assert one.parents[-1].attributes["id"] == "cost"
            assert "rank variants differently" in one.text


def test_script_makes_no_markup_of_data() -> None:
    script = read_script()
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|Function\(|\.on\w+ =", script
    )


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


def test_the_page_is_a_file_that_opens_from_disk(page: str, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text(page, encoding="utf-8")
    assert path.read_bytes().startswith(b"<!doctype html>")
