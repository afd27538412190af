"""Markdown made of data: nothing in it formats, links, embeds or leaves its cell."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.markdown import cut_lines, escape, table

HOSTILE = [
    ("a | b", r"a \| b", "a cell ends at a bar"),
    ("<img src=x onerror=alert(1)>", "&lt;img src=x onerror=alert(1)>", "a tag"),
    ("<!-- -->", "&lt;!-- -->", "a comment"),
    ("&lt;b&gt;", "&amp;lt;b&amp;gt;", "an entity is what it was written as"),
    ("p < 0.05 & n > 3", "p < 0.05 & n > 3", "comparisons are no tags"),
    ("[a](javascript:b)", r"\[a\](javascript:b)", "a link"),
    ("![a](b)", r"!\[a\](b)", "an image"),
    ("https://evil.example", r"https:\//evil.example", "an address that readers make a link of"),
    ("**a** `b` ~~c~~", r"\*\*a\*\* \`b\` \~\~c\~\~", "emphasis and code"),
    ("_a_ b_c", r"\_a\_ b_c", "an underscore within a word formats nothing"),
    ("a\n\n# b", "a # b", "a line stays one line"),
    ("# a", r"\# a", "a heading at the start"),
    ("- a", r"\- a", "a list at the start"),
    ("> a", r"\> a", "a quote at the start"),
    ("cost\u202etsoc", "cost⟦U+202E⟧tsoc", "text that would run backwards"),
    ("a\x1b[31m\u200bb", r"a⟦U+001B⟧\[31m⟦U+200B⟧b", "controls and spaces of no width"),
    ("a\ud800b", "a⟦U+D800⟧b", "half a character"),
    ("a\u2028b\x85c", "a b c", "line ends of any kind"),
    ("\\|", r"\\\|", "a backslash does not undo the escape"),
]


@pytest.mark.parametrize(("text", "expected", "why"), HOSTILE, ids=[row[2] for row in HOSTILE])
def test_what_would_format_is_written_out(text: str, expected: str, why: str) -> None:
    assert escape(text) == expected, why


@given(st.lists(st.text(), min_size=1, max_size=4))
def test_a_row_has_as_many_cells_as_it_was_given(cells: list[str]) -> None:
    line = table(cells, [cells])[2]
    assert "\n" not in line
    bare = line.replace("\\\\", "").replace("\\|", "")
    assert bare.count("|") == len(cells) + 1


@given(st.text(alphabet="ab\n"), st.integers(min_value=4, max_value=30))
def test_a_cut_text_fits_and_says_so(text: str, most: int) -> None:
    cut = cut_lines(text, most, "…")
    assert len(cut) <= most
    assert cut == text or cut.endswith("…")
    assert all(line in text.split("\n") for line in cut.removesuffix("…").split("\n") if line)
