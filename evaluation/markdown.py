"""Markdown whose cells and words may come from data: what would format, link or embed is written out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from evaluation.report.visible import make_visible

# Code, emphasis, links and images, the end of a cell, headings and quotes at the start, and addresses, which
# readers make links of. An underscore inside a word formats nothing.
_FORMATS = re.compile(r"[\\`*\[\]|~]|(?<!\w)_|_(?!\w)|^[#>+-]|(?<=:)//|(?<=www)\.|@")
# The start of a tag or a comment, and of an entity.
_HTML = re.compile(r"<(?=[A-Za-z/!?])|&(?=#?\w+;)")
_ENTITIES = {"<": "&lt;", "&": "&amp;"}


def escape(value: object) -> str:
    r"""One line of text in which nothing formats, and nothing is unseen.

    >>> escape("a_b|c <img src=x>\n[d](javascript:e), p < 0.1")
    'a_b\\|c &lt;img src=x> \\[d\\](javascript:e), p < 0.1'
    """
    line = make_visible(" ".join(str(value).split()))
    plain = _FORMATS.sub(lambda found: f"\\{found.group()}", line)
    return _HTML.sub(lambda found: _ENTITIES[found.group()], plain)


def table(head: Sequence[object], rows: Iterable[Sequence[object]]) -> list[str]:
    """The lines of a table, each cell escaped.

    >>> table(["a", "b"], [[1, "x|y"]])
    ['| a | b |', '|---|---|', '| 1 | x\\\\|y |']
    """
    lines = [head, *rows]
    cells = [f"| {' | '.join(map(escape, line))} |" for line in lines]
    return [cells[0], "|" + "---|" * len(head), *cells[1:]]


def cut_lines(text: str, most: int, ending: str) -> str:
    """The text if it has at most so many characters, else as many whole lines as fit, and `ending`."""
    if len(text) <= most:
        return text
    start = text[: max(most - len(ending) - 1, 0)]
    return f"{start[: start.rfind(chr(10)) + 1]}\n{ending}"[:most]
