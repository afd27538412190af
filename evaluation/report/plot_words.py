"""Names and numbers as pictures write them."""

from __future__ import annotations


def count_rows(count: int) -> str:
    """A number of rows in words.

    >>> count_rows(1), count_rows(1200)
    ('1 row', '1,200 rows')
    """
    return f"{count:,} {'row' if count == 1 else 'rows'}"


def two_lines(name: str) -> str:
    """A name of several words over two lines, for the head of a narrow column.

    >>> two_lines("request_for_info"), two_lines("direct")
    ('request_\\nfor_info', 'direct')
    """
    first, mark, rest = name.partition("_")
    return f"{first}{mark}\n{rest}" if rest else first
