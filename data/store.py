"""Canonical rows on disk while a preparation runs: what was kept, found again by id, content or question.

Rows lie one after another in a spool file and an SQLite index says where, so that memory stays flat whatever
the number of rows.
"""

import sqlite3
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from data.fingerprints import RowKeys, keys_of, user_turns, words_of
from data.rows import Purpose, Row, RowError, read_json, write_json
from data.sampling import allot, rank_of, stratum_of

DuplicateKind = Literal["exact", "normalised"]
CACHE_KIB = 16384
# Sources are named by the rows, which could name one each.
MAX_SOURCES = 1000
OTHER_SOURCES = "other sources"
# Places of columns in `rows`.
_STRATUM, _RANK = 7, 8

_TABLES = """
CREATE TABLE rows (
    seq INTEGER PRIMARY KEY, id TEXT, source TEXT, file INTEGER, line INTEGER, start INTEGER, size INTEGER,
    stratum TEXT, rank BLOB, purpose TEXT, has_answers INTEGER,
    question BLOB, normalised_question BLOB, tool_set BLOB, words INTEGER);
CREATE UNIQUE INDEX row_by_id ON rows (purpose, id);
CREATE TABLE dropped (seq INTEGER PRIMARY KEY);
CREATE VIEW kept AS SELECT * FROM rows WHERE seq NOT IN dropped;
CREATE TABLE contents (key BLOB PRIMARY KEY, seq INTEGER) WITHOUT ROWID;
CREATE TABLE prompts (key BLOB PRIMARY KEY, answer BLOB, is_conflict INTEGER) WITHOUT ROWID;
"""
_INSERT = """
INSERT INTO rows VALUES (
    NULL, :id, :source, :file, :line, :start, :size, :stratum, :rank, :purpose, :has_answers,
    :question, :normalised_question, :tool_set, :words)
"""


@dataclass(frozen=True)
class Place:
    """Where a row was read: the file as the user knows it, and the line, from 1."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file} line {self.line}"


@dataclass(frozen=True)
class StoredRow:
    """A row's entry in the index; `seq` counts in the order of reading."""

    seq: int
    id: str
    source: str
    place: Place
    start: int
    size: int


class RowStore:
    """The rows that are kept, in the order they were read.

    `duplicates` counts dropped rows by (purpose, kind, source); `merged` the test rows joined from two files.
    `seed` is that of the samples. Used as a context; the folder is the caller's to remove.
    """

    def __init__(self, folder: Path, seed: int = 0) -> None:
        self.duplicates: Counter[tuple[Purpose, DuplicateKind, str]] = Counter()
        self.merged = 0
        self._seed = seed
        self._files: list[str] = []
        self._writer = (folder / "rows.spool").open("wb")
        self._reader = (folder / "rows.spool").open("rb", buffering=2**20)
        self._size = self._readable = 0
        self.index = sqlite3.connect(folder / "rows.sqlite", isolation_level=None)
        # Nobody reads it after a crash, so nothing is paid for surviving one.
        for setting in ("journal_mode=OFF", "synchronous=OFF", "locking_mode=EXCLUSIVE", "temp_store=MEMORY"):
            self.index.execute(f"PRAGMA {setting}")
        self.index.execute(f"PRAGMA cache_size=-{CACHE_KIB}")
        self.index.executescript(_TABLES)
        self.index.execute("BEGIN")

    def __enter__(self) -> "RowStore":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.index.close()
        self._reader.close()
        self._writer.close()

    def add(self, row: Row, place: Place) -> None:
        """Keep a row, unless it repeats one of its purpose. Raises RowError where its id is another row's.

        Two halves of one test item (the four answers, the gold calls) become one row.
        """
        earlier = self._find(row)
        keys = keys_of(row)
        if earlier is not None:
            self._add_again(row, keys, earlier)
            return
        twin = self._find_content(keys.content)
        if twin is not None:
            self._count_duplicate(row, self.row(twin))
            return
        self._insert(row, keys, place)
        if row.purpose == "sft":
            self._note_answer(keys)

    def count(self, purpose: Purpose) -> int:
        """How many rows of a purpose are kept."""
        query = "SELECT COUNT(*) FROM kept WHERE purpose = ?"
        return int(self.index.execute(query, (purpose,)).fetchone()[0])

    def count_conflicts(self) -> int:
        """How many questions several SFT rows ask, of the same tools, and answer otherwise.

        Another decision or other calls: two wordings of a text are no conflict.
        """
        query = "SELECT COUNT(*) FROM prompts WHERE is_conflict"
        return int(self.index.execute(query).fetchone()[0])

    def entries(self, purpose: Purpose) -> Iterator[StoredRow]:
        """The entries of a purpose's rows, in order."""
        # The plus keeps SQLite from finding rows by purpose and sorting them all in memory.
        query = "SELECT * FROM kept WHERE +purpose = ? ORDER BY seq"
        return (self._entry(found) for found in self.index.execute(query, (purpose,)))

    def entry(self, seq: int) -> StoredRow:
        """One entry."""
        return self._entry(self.index.execute("SELECT * FROM rows WHERE seq = ?", (seq,)).fetchone())

    def row(self, entry: StoredRow) -> Row:
        """The row itself."""
        return Row.from_json(read_json(self.text(entry).decode()))

    def text(self, entry: StoredRow) -> bytes:
        """The row as its line of JSON, without the line's end."""
        if entry.start + entry.size > self._readable:
            self._writer.flush()
            self._readable = self._size
        self._reader.seek(entry.start)
        return self._reader.read(entry.size)

    def drop(self, entry: StoredRow) -> None:
        """Leave a row out of everything that follows."""
        self.index.execute("INSERT OR IGNORE INTO dropped VALUES (?)", (entry.seq,))

    def sample(self, purpose: Purpose, cap: int, *, with_answers: bool = False) -> Iterator[StoredRow]:
        """`cap` rows (0 is all), each stratum in proportion, in order.

        `with_answers` takes those alone that have the four answers.
        """
        given = (purpose, with_answers)
        strata = self.index.execute("SELECT stratum FROM kept WHERE purpose = ? AND has_answers >= ?", given)
        sizes = Counter(stratum for (stratum,) in strata)
        shares = allot(sizes, cap)
        last = {name: self._rank_at(*given, name, share) for name, share in shares.items() if share}
        query = "SELECT * FROM kept WHERE +purpose = ? AND has_answers >= ? ORDER BY seq"
        for found in self.index.execute(query, given):
            stratum, rank = found[_STRATUM], found[_RANK]
            if shares[stratum] == sizes[stratum] or (stratum in last and rank <= last[stratum]):
                yield self._entry(found)

    def _rank_at(self, purpose: Purpose, with_answers: bool, stratum: str, share: int) -> bytes:
        """The rank of the last row that a stratum's share takes."""
        query = (
            "SELECT rank FROM kept WHERE purpose = ? AND has_answers >= ? AND stratum = ? "
            "ORDER BY rank LIMIT 1 OFFSET ?"
        )
        rank: bytes = self.index.execute(query, (purpose, with_answers, stratum, share - 1)).fetchone()[0]
        return rank

    def _add_again(self, row: Row, keys: RowKeys, earlier: StoredRow) -> None:
        """A row whose id is known: a duplicate, the other half of a test item, or an error."""
        known = self.row(earlier)
        if keys_of(known).content == keys.content:
            self._count_duplicate(row, known)
        elif row.purpose == "test" and _is_same_item(known, row) and _are_halves(known, row):
            self._join_tests(known, row, keys, earlier)
        elif row.purpose == "test" and _is_same_item(known, row) and known.expected == row.expected:
            self._count_duplicate(row, known)
        else:
            raise RowError("id", "is taken by another row", f"give {row.id!r} an id of its own")

    def _join_tests(self, known: Row, row: Row, keys: RowKeys, earlier: StoredRow) -> None:
        graded, choices = (row, known) if row.answers is None else (known, row)
        joined = replace(graded, answers=choices.answers)
        start, size = self._append(joined)
        self.index.execute(
            "UPDATE rows SET start = ?, size = ?, has_answers = 1, stratum = ?, source = ? WHERE seq = ?",
            (start, size, stratum_of(joined), joined.source, earlier.seq),
        )
        self._note_content(keys.content, earlier.seq)
        self.merged += 1

    def _find_content(self, key: bytes) -> StoredRow | None:
        found = self.index.execute("SELECT seq FROM contents WHERE key = ?", (key,)).fetchone()
        return None if found is None else self.entry(found[0])

    def _note_content(self, key: bytes, seq: int) -> None:
        self.index.execute("INSERT OR IGNORE INTO contents VALUES (?, ?)", (key, seq))

    def _note_answer(self, keys: RowKeys) -> None:
        self.index.execute(
            "INSERT INTO prompts VALUES (?, ?, 0) ON CONFLICT DO UPDATE "
            "SET is_conflict = is_conflict OR answer != excluded.answer",
            (keys.prompt, keys.answer),
        )

    def _count_duplicate(self, row: Row, known: Row) -> None:
        kind: DuplicateKind = "exact" if row.fingerprint() == known.fingerprint() else "normalised"
        source = row.source
        if (row.purpose, kind, source) not in self.duplicates and len(self.duplicates) >= MAX_SOURCES:
            source = OTHER_SOURCES
        self.duplicates[row.purpose, kind, source] += 1

    def _find(self, row: Row) -> StoredRow | None:
        query = "SELECT * FROM rows WHERE purpose = ? AND id = ?"
        found = self.index.execute(query, (row.purpose, row.id)).fetchone()
        return None if found is None else self._entry(found)

    def _insert(self, row: Row, keys: RowKeys, place: Place) -> None:
        start, size = self._append(row)
        values = {
            "purpose": row.purpose,
            "id": row.id,
            "source": row.source,
            "file": self._number_of(place.file),
            "line": place.line,
            "start": start,
            "size": size,
            "stratum": stratum_of(row),
            "rank": rank_of(row.id, self._seed),
            "has_answers": row.answers is not None,
            "question": keys.question,
            "normalised_question": keys.normalised_question,
            "tool_set": keys.tool_set,
            "words": sum(len(words_of(turn)) for turn in user_turns(row)) if row.purpose == "test" else None,
        }
        inserted = self.index.execute(_INSERT, values)
        self._note_content(keys.content, int(inserted.lastrowid or 0))

    def _append(self, row: Row) -> tuple[int, int]:
        """Write a row at the end of the spool; returns where it starts and its size, in bytes."""
        text = write_json(row.to_json()).encode()
        start = self._size
        self._writer.write(text)
        self._size += len(text)
        return start, len(text)

    def _number_of(self, file: str) -> int:
        if not self._files or self._files[-1] != file:
            self._files.append(file)
        return len(self._files) - 1

    def _entry(self, found: Any) -> StoredRow:
        seq, identity, source, file, line, start, size = found[:_STRATUM]
        return StoredRow(seq, identity, source, Place(self._files[file], line), start, size)


def _is_same_item(one: Row, other: Row) -> bool:
    """Whether two test rows ask the same of the same tools, whose schemas two files may word differently."""
    return (one.question, one.tool_names) == (other.question, other.tool_names)


def _are_halves(one: Row, other: Row) -> bool:
    """Whether one has the four answers and the other has not."""
    return (one.answers is None) != (other.answers is None)
