"""A page as a browser would take it apart, for tests of what it holds."""

from __future__ import annotations

import dataclasses
from html.parser import HTMLParser

VOID = {"meta", "img", "source", "input", "br", "link", "wbr"}


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


def cells_of(tree: Tree, table: Tag) -> list[list[str]]:
    """The texts of a table's cells, line by line."""
    lines = [row for row in tree.named("tr") if table in row.parents]
    return [[cell.text for cell in tree.named("th", "td") if row in cell.parents] for row in lines]
