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
from data.sampling import TEST_SEED, rank_of, stratum_of
from data.suites import BFCL, TURNS
from evaluation.suites import SUITES

DuplicateKind = Literal["exact", "normalised"]
CACHE_KIB = 16384
# Sources are named by the rows, which could name one each.
MAX_SOURCES = 1000
OTHER_SOURCES = "other sources"
# The columns of `rows` that are an entry, which come first.
_ENTRY = 10

_TABLES = """
CREATE TABLE rows (
    seq INTEGER PRIMARY KEY, id TEXT, source TEXT, file INTEGER, line INTEGER, start INTEGER, size INTEGER,
    conversation TEXT, stratum TEXT, rank BLOB, purpose TEXT, alone TEXT, has_answers INTEGER,
    question BLOB, normalised_question BLOB, tool_set BLOB, words INTEGER);
CREATE UNIQUE INDEX row_by_id ON rows (purpose, alone, id);
CREATE TABLE dropped (seq INTEGER PRIMARY KEY);
CREATE VIEW kept AS SELECT * FROM rows WHERE seq NOT IN dropped;
CREATE TABLE contents (key BLOB PRIMARY KEY, seq INTEGER) WITHOUT ROWID;
CREATE TABLE prompts (key BLOB PRIMARY KEY, answer BLOB, is_conflict INTEGER) WITHOUT ROWID;
CREATE TABLE asked (key BLOB PRIMARY KEY, seq INTEGER) WITHOUT ROWID;
CREATE TABLE turns (key BLOB PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE members (suite TEXT, seq INTEGER, PRIMARY KEY (suite, seq)) WITHOUT ROWID;
"""
_INSERT = """
INSERT INTO rows VALUES (
    NULL, :id, :source, :file, :line, :start, :size, :conversation, :stratum, :rank, :purpose, :alone,
    :has_answers,
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
    """A row's entry in the index; `seq` counts in the order of reading.

    `conversation`: as the row's. `stratum` and `rank`: what a sample takes it by.
    """

    seq: int
    id: str
    source: str
    place: Place
    start: int
    size: int
    conversation: str | None
    stratum: str
    rank: bytes


class RowStore:
    """The rows that are kept, in the order they were read.

    `duplicates` counts dropped rows by (purpose, kind, source); `merged` the test rows joined from two files.
    `seed` is that of the samples of training rows. Used as a context; the folder is the caller's to remove.

    Some test rows are of one suite alone: those that were given as BFCL's, and the turns of conversations.
    They have ids of their own, and two of them may be alike, as they are where they are published.
    """

    def __init__(self, folder: Path, seed: int = 0) -> None:
        self.duplicates: Counter[tuple[Purpose, DuplicateKind, str]] = Counter()
        self.merged = 0
        self.seed = seed
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

    def add(self, row: Row, place: Place, suite: str | None = None) -> None:
        """Keep a row, unless it repeats one of its purpose. Raises RowError where its id is another row's.

        Two halves of one test item (the four answers, the gold calls) become one row. `suite`: the one whose
        file the row comes from, if any.
        """
        alone = _suite_alone(row, suite)
        keys = keys_of(row)
        if alone == BFCL and self._is_known(row, keys, suite):
            return
        earlier = self._find(row, alone)
        if earlier is not None:
            self._add_again(row, keys, earlier, suite)
        elif not alone and (twin := self._find_content(keys.content)) is not None:
            self._count_duplicate(row, self.row(twin))
            self._note_member(suite, twin.seq)
        else:
            self._note_member(suite, self._insert(row, keys, place, alone))

    def count(self, purpose: Purpose) -> int:
        """How many rows of a purpose are kept."""
        query = "SELECT COUNT(*) FROM kept WHERE purpose = ?"
        return int(self.index.execute(query, (purpose,)).fetchone()[0])

    def count_turns(self) -> int:
        """How many of the kept test rows are turns of conversations, derived or read."""
        query = "SELECT COUNT(*) FROM kept WHERE purpose = 'test' AND alone = ?"
        return int(self.index.execute(query, (TURNS,)).fetchone()[0])

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

    def _add_again(self, row: Row, keys: RowKeys, earlier: StoredRow, suite: str | None) -> None:
        """A row whose id is known: a duplicate, the other half of a test item, or an error."""
        known = self.row(earlier)
        self._note_member(suite, earlier.seq)
        is_same = row.purpose == "test" and _is_same_item(known, row)
        if is_same and _are_halves(known, row):
            self._join_tests(known, row, keys, earlier)
        elif keys_of(known).content == keys.content or (is_same and known.expected == row.expected):
            self._count_again(row, known, suite)
        else:
            raise RowError("id", "is taken by another row", f"give {row.id!r} an id of its own")

    def _is_known(self, row: Row, keys: RowKeys, suite: str | None) -> bool:
        """Whether a row of one suite alone is among the tests for all too; it then counts as one of these."""
        earlier = self._find(row, "")
        known = None if earlier is None else self.row(earlier)
        if known is None or earlier is None or keys_of(replace(known, answers=None)).content != keys.content:
            return False
        self._note_member(suite, earlier.seq)
        self._count_again(row, known, suite)
        return True

    def _count_again(self, row: Row, known: Row, suite: str | None) -> None:
        """Two suites hold the same test item, which is no repetition."""
        if suite is None:
            self._count_duplicate(row, known)
        else:
            self.merged += 1

    def _note_member(self, suite: str | None, seq: int) -> None:
        """Note that a suite's own file named a row, where nothing in the row says that the suite takes it."""
        if suite is not None and SUITES[suite].rows in ("answers", "bfcl"):
            self.index.execute("INSERT OR IGNORE INTO members VALUES (?, ?)", (suite, seq))

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

    def tests_for_all(self) -> Iterator[StoredRow]:
        """The entries of the test rows that are in no suite alone, in order."""
        return self.find_entries("SELECT * FROM kept WHERE +purpose = 'test' AND alone = '' ORDER BY seq")

    def find_asked(self, key: bytes) -> StoredRow | None:
        """The first test row, in no suite alone, with this digest as its `RowKeys.prompt`."""
        found = self.index.execute("SELECT seq FROM asked WHERE key = ?", (key,)).fetchone()
        return None if found is None else self.entry(found[0])

    def is_turn(self, key: bytes) -> bool:
        """Whether a turn of a conversation has this digest as its `RowKeys.prompt`."""
        return bool(self.index.execute("SELECT COUNT(*) FROM turns WHERE key = ?", (key,)).fetchone()[0])

    def find_test(self, identity: str) -> StoredRow | None:
        """The test row with an id that is in no suite alone."""
        return self._find_by("test", "", identity)

    def _find(self, row: Row, alone: str) -> StoredRow | None:
        return self._find_by(row.purpose, alone, row.id)

    def _find_by(self, purpose: Purpose, alone: str, identity: str) -> StoredRow | None:
        query = "SELECT * FROM rows WHERE purpose = ? AND alone = ? AND id = ?"
        found = self.index.execute(query, (purpose, alone, identity)).fetchone()
        return None if found is None else self._entry(found)

    def _insert(self, row: Row, keys: RowKeys, place: Place, alone: str) -> int:
        """Write a row down; returns its `seq`."""
        start, size = self._append(row)
        values = {
            "purpose": row.purpose,
            "id": row.id,
            "source": row.source,
            "file": self._number_of(place.file),
            "line": place.line,
            "start": start,
            "size": size,
            "conversation": row.conversation,
            "stratum": stratum_of(row),
            "rank": rank_of(row.id, TEST_SEED if row.purpose == "test" else self.seed),
            "alone": alone,
            "has_answers": row.answers is not None,
            "question": keys.question,
            "normalised_question": keys.normalised_question,
            "tool_set": keys.tool_set,
            "words": sum(len(words_of(turn)) for turn in user_turns(row)) if row.purpose == "test" else None,
        }
        seq = int(self.index.execute(_INSERT, values).lastrowid or 0)
        if not alone:
            self._note_content(keys.content, seq)
        if row.purpose == "sft":
            self._note_answer(keys)
        if alone == TURNS:
            self.index.execute("INSERT OR IGNORE INTO turns VALUES (?)", (keys.prompt,))
        if row.purpose == "test" and not alone:
            self.index.execute("INSERT OR IGNORE INTO asked VALUES (?, ?)", (keys.prompt, seq))
        return seq

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

    def find_entries(self, query: str) -> Iterator[StoredRow]:
        """The entries that a query selects, which selects all columns of `rows`."""
        return map(self._entry, self.index.execute(query))

    def _entry(self, found: Any) -> StoredRow:
        seq, identity, source, file, line, *rest = found[:_ENTRY]
        return StoredRow(seq, identity, source, Place(self._files[file], line), *rest)


def _suite_alone(row: Row, suite: str | None) -> str:
    """The suite that a row is of and no other, empty for none."""
    if row.purpose != "test":
        return ""
    if row.conversation is not None:
        return TURNS
    return BFCL if suite == BFCL else ""


def _is_same_item(one: Row, other: Row) -> bool:
    """Whether two test rows ask the same of the same tools, whose schemas two files may word differently."""
    return (one.question, one.tool_names) == (other.question, other.tool_names)


def _are_halves(one: Row, other: Row) -> bool:
    """Whether one has the four answers and the other has not."""
    return (one.answers is None) != (other.answers is None)
