"""Markdown whose cells and words may come from data: what would format, link or embed is written out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

# A link, an image, HTML, emphasis, code, a cell's end, a heading, an address that readers make a link of.
_FORMATS = re.compile(r"[\\`*_\[\]|~#]|(?<=:)//|(?<=www)\.|@")
_HTML = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


def escape(value: object) -> str:
    r"""One line of text in which nothing formats.

    >>> escape("a|b <img src=x>\n[c](javascript:d)")
    'a\\|b &lt;img src=x&gt; \\[c\\](javascript:d)'
    """
    line = " ".join(str(value).split())
    return re.sub(
        r"[&<>]", lambda found: _HTML[found.group()], _FORMATS.sub(lambda found: f"\\{found.group()}", line)
    )


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
