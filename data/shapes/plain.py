"""Rows of one publication, rewritten as rows of a shape that many publications share."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

Raw = Mapping[str, Any]


def same_name(field: str) -> str:
    """The published name of a field that kept its name."""
    return field


@dataclass(frozen=True)
class Plain:
    """A rewritten row, and how to name its fields as the published row does."""

    shape: Literal["chat", "labelled", "preference"]
    raw: Raw
    published_name: Callable[[str], str] = same_name


def renamed(names: Mapping[str, str]) -> Callable[[str], str]:
    """Name fields by the longest beginning that `names` knows.

    >>> renamed({"messages": "question[0]"})("messages[2].content")
    'question[0][2].content'
    """

    def name(field: str) -> str:
        for mine in sorted(names, key=len, reverse=True):
            if field == mine or (field.startswith(mine) and field[len(mine)] in "[."):
                return names[mine] + field[len(mine) :]
        return field

    return name


def placed(places: list[str]) -> Callable[[str], str]:
    """Name each message of a rewritten conversation by the place that it comes from."""
    return renamed({f"messages[{index}]": place for index, place in enumerate(places)})
