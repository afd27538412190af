"""Overlap of training and test rows: what was trained on must not be what is measured."""

import json
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import chain, takewhile
from pathlib import Path
from typing import Any, Literal, TextIO, get_args

from data.fingerprints import is_character, user_turns, words_of
from data.rows import Purpose
from data.store import RowStore, StoredRow
from jobs.doors import BadInput

Policy = Literal["refuse", "drop"]
Kind = Literal["exact", "normalised", "13-gram"]

POLICIES: tuple[Policy, ...] = get_args(Policy)
KINDS: tuple[Kind, ...] = get_args(Kind)
OVERLAP = "overlap.jsonl"
ALLOWED = "allowed_overlap.txt"
TRAINING: tuple[Purpose, ...] = ("sft", "preference")
WORDS_IN_GRAM = 13
# Two characters of Chinese or Korean say about as much as a word of English.
CHARACTERS_IN_GRAM = 26
# "Yes, that's right." is in every conversation.
MIN_WORDS = 4
# What more test rows than this have in common is how the set is phrased, and no question of its own.
COMMON_GRAM_ROWS = 10
PAIRS_WRITTEN = 20
EXAMPLES_SHOWN = 3
SLICES_SHOWN = 5
IDS_SHOWN = 5

_TABLES = (
    "test_questions (kind TEXT, key BLOB, seq INTEGER, PRIMARY KEY (kind, key, seq)) WITHOUT ROWID",
    "grams (key INTEGER, seq INTEGER, PRIMARY KEY (key, seq)) WITHOUT ROWID",
    "trained_tool_sets (key BLOB PRIMARY KEY) WITHOUT ROWID",
)
# The tests that are compared as wholes. Of a conversation's turns that is the conversation's own row, or the
# last turn where there is none: an opening such as "I want to watch a movie." is anybody's.
_WHOLE = """
CREATE VIEW whole AS SELECT * FROM rows WHERE purpose = 'test' AND (conversation IS NULL OR (
    conversation NOT IN (SELECT id FROM rows WHERE purpose = 'test' AND alone = '')
    AND seq IN (SELECT MAX(seq) FROM rows WHERE conversation IS NOT NULL GROUP BY conversation)))
"""
_NOTE_TESTS: Mapping[Kind, str] = {
    "exact": "INSERT INTO test_questions SELECT 'exact', question, seq FROM whole WHERE words >= ?",
    "normalised": "INSERT INTO test_questions SELECT 'normalised', normalised_question, seq "
    "FROM whole WHERE words >= ?",
}
_FIND_TESTS: Mapping[Kind, str] = {
    "exact": "SELECT asked.seq FROM rows JOIN test_questions AS asked "
    "ON kind = 'exact' AND key = question WHERE rows.seq = ?",
    "normalised": "SELECT asked.seq FROM rows JOIN test_questions AS asked "
    "ON kind = 'normalised' AND key = normalised_question WHERE rows.seq = ?",
}


@dataclass(frozen=True)
class Match:
    """A training row and a test row that ask the same. `text`: what they share."""

    kind: Kind
    train: StoredRow
    test: StoredRow
    text: str

    def to_json(self) -> dict[str, object]:
        """A line of `overlap.jsonl`."""
        ends = {"train": self.train, "test": self.test}
        named = {name: {"id": row.id, **asdict(row.place)} for name, row in ends.items()}
        return {"kind": self.kind, **named, "text": self.text}

    def __str__(self) -> str:
        return (
            f"{self.train.place} ({self.train.id}) ↔ {self.test.place} ({self.test.id}), {self.kind}: "
            f"{self.text[:60]!r}"
        )


class Overlap:
    """What was found, for the report and the refusal.

    Counted are test rows, by the strongest kind that each has. `allowed` are false positives by the user's
    word; `dropped` counts training rows left out.
    """

    def __init__(self, policy: Policy, allowed: Collection[str]) -> None:
        self.policy = policy
        self.allowed = frozenset(allowed)
        self.dropped = 0
        self.training_rows = 0
        self.examples: list[Match] = []
        self.kinds: dict[int, Kind] = {}
        self.slices: Counter[tuple[str, str, Kind]] = Counter()
        self.allowed_ids: set[str] = set()
        self.tool_sets: Counter[tuple[str, str]] = Counter()

    def allows(self, test: StoredRow) -> str | None:
        """The id by which a test row may overlap: its own, or of the conversation that it is a turn of."""
        return next((name for name in (test.id, test.conversation) if name in self.allowed), None)

    def note(self, match: Match) -> bool:
        """Count a match; returns whether its test row is met for the first time."""
        name = self.allows(match.test)
        if name is not None:
            is_new = name not in self.allowed_ids
            self.allowed_ids.add(name)
            return is_new
        if len(self.examples) < EXAMPLES_SHOWN:
            self.examples.append(match)
        known = self.kinds.get(match.test.seq)
        if known is not None and KINDS.index(known) <= KINDS.index(match.kind):
            return False
        place = (match.test.source, match.test.place.file)
        if known is not None:
            self.slices[*place, known] -= 1
        self.kinds[match.test.seq] = match.kind
        self.slices[*place, match.kind] += 1
        return known is None

    def to_json(self) -> dict[str, Any]:
        """The report's `overlap`.

        `by_kind` and `by_slice` count test rows, `training_rows` and `dropped` training rows, `allowed` the
        test rows that overlap and may. `tool_sets.shared` counts test rows whose set of tools a training row
        offers too: no fault where an agent has one set of tools, and another kind of test where it has not.
        """
        found = Counter(self.kinds.values())
        return {
            "policy": self.policy,
            "by_kind": {kind: found[kind] for kind in KINDS},
            "by_slice": [
                {"source": source, "file": file, "kind": kind, "test_rows": count}
                for (source, file, kind), count in self.slices.most_common()
                if count
            ],
            "training_rows": self.training_rows,
            "allowed": len(self.allowed_ids),
            "dropped": self.dropped,
            "tool_sets": {
                "shared": self.tool_sets.total(),
                "by_slice": [
                    {"source": source, "file": file, "test_rows": count}
                    for (source, file), count in self.tool_sets.most_common()
                ],
            },
        }

    def warnings(self) -> list[str]:
        """Allowed ids that allow nothing."""
        idle = sorted(self.allowed - self.allowed_ids)
        if not idle:
            return []
        shown = ", ".join(idle[:IDS_SHOWN]) + (", …" if len(idle) > IDS_SHOWN else "")
        return [
            f"{len(idle)} ids are allowed to overlap, and no test row of theirs does: {shown}; "
            "mend or remove them"
        ]

    def check(self) -> None:
        """Raise BadInput where there is overlap that was neither allowed nor dropped."""
        if self.policy == "drop" or not self.kinds:
            return
        counts = Counter(self.kinds.values())
        kinds = ", ".join(f"{counts[kind]} {kind}" for kind in KINDS if counts[kind])
        slices = "; ".join(
            f"{count} {kind} in {file} (source {source})"
            for (source, file, kind), count in self.slices.most_common(SLICES_SHOWN)
            if count
        )
        examples = "; ".join(str(match) for match in self.examples)
        raise BadInput(
            f"{len(self.kinds)} test rows ask what {self.training_rows} training rows ask ({kinds}), so that "
            f"their scores would measure memory: {slices}. Remove those rows, or --overlap drop leaves the "
            f"training rows out; a false positive is allowed by --allow-overlap TEST_ID, or by a line in "
            f"{ALLOWED} beside the rows. First: {examples}. All are in {OVERLAP}"
        )


def find_overlap(
    store: RowStore, written: Path, policy: Policy, allowed: Collection[str], show: Callable[[int], None]
) -> Overlap:
    """Compare every training row with the test rows, and under `drop` leave the training rows out.

    By question, of which the whole conversation's user turns count: exactly as written, normalised (case,
    width, spaces and punctuation aside; both need four words in all), and by any 13 words in a row (26
    Chinese, Japanese or Korean characters) that one user turn of each has, as the decontamination of GPT-3's
    training text had it. And by tool set, which is reported only: a team's own agent has one set of tools for
    training and test. `written` receives one line a pair, at most 20 for a training row beyond those that
    name a test row for the first time. `show` is told the number of training rows compared.
    """
    overlap = Overlap(policy, allowed)
    for table in _TABLES:
        store.index.execute(f"CREATE TABLE {table}")
    store.index.execute(_WHOLE)
    training = [purpose for purpose in TRAINING if store.count(purpose)]
    with written.open("w", encoding="utf-8") as lines:
        if training and store.count("test"):
            index = _QuestionIndex(store)
            entries = chain.from_iterable(map(store.entries, training))
            for compared, entry in enumerate(entries, start=1):
                if _settle(list(index.matches(entry)), overlap, lines):
                    store.drop(entry)
                show(compared)
    _count_tool_sets(store, overlap)
    return overlap


def _settle(matches: Sequence[Match], overlap: Overlap, lines: TextIO) -> bool:
    """Count and write what one training row overlaps with; returns whether the row is to be dropped."""
    for position, match in enumerate(matches):
        if overlap.note(match) or position < PAIRS_WRITTEN:
            lines.write(json.dumps(match.to_json(), ensure_ascii=False) + "\n")
    if all(overlap.allows(match.test) is not None for match in matches):
        return False
    overlap.training_rows += 1
    overlap.dropped += overlap.policy == "drop"
    return overlap.policy == "drop"


class _QuestionIndex:
    """The test rows' questions, in the store's database; one row of training at a time is looked up."""

    def __init__(self, store: RowStore) -> None:
        self._store = store
        self._database = store.index
        self._grams = _MayHold()
        for entry in store.entries("test"):
            for gram in {key for turn in self._said_first(entry) for key, _ in _keyed_grams(turn)}:
                self._database.execute("INSERT INTO grams VALUES (?, ?)", (gram, entry.seq))
                self._grams.add(gram)
        for query in _NOTE_TESTS.values():
            self._database.execute(query, (MIN_WORDS,))

    def matches(self, train: StoredRow) -> Iterator[Match]:
        """The test rows that a training row overlaps with, each once, by the strongest kind."""
        seen: set[int] = set()
        for kind, query in _FIND_TESTS.items():
            found = self._database.execute(query, (train.seq,))
            for (seq,) in found.fetchall():
                if seq not in seen:
                    seen.add(seq)
                    yield Match(kind, train, self._store.entry(seq), self._question(train))
        yield from self._gram_matches(train, seen)

    def _gram_matches(self, train: StoredRow, seen: set[int]) -> Iterator[Match]:
        for key, text in self._grams_of(train):
            if key not in self._grams:
                continue
            found = self._database.execute("SELECT seq FROM grams WHERE key = ?", (key,)).fetchall()
            for (seq,) in found if len(found) <= COMMON_GRAM_ROWS else ():
                if seq not in seen:
                    seen.add(seq)
                    yield Match("13-gram", train, self._store.entry(seq), text)

    def _question(self, entry: StoredRow) -> str:
        return " / ".join(user_turns(self._store.row(entry)))

    def _grams_of(self, entry: StoredRow) -> Iterator[tuple[int, str]]:
        return chain.from_iterable(map(_keyed_grams, user_turns(self._store.row(entry))))

    def _said_first(self, test: StoredRow) -> list[str]:
        """What the user says in a test row, but for what an earlier turn of its conversation has too.

        Said once, it must not count as common because the rows of later turns repeat it.
        """
        row = self._store.row(test)
        if test.conversation is None:
            return user_turns(row)
        if self._store.find_test(test.conversation) is not None:
            return []
        said = takewhile(lambda message: message["role"] != "assistant", reversed(row.messages))
        return [str(message["content"]) for message in said if message["role"] == "user"]


def _keyed_grams(turn: str) -> Iterator[tuple[int, str]]:
    # Within one process, a string's own hash is as good as any.
    return ((hash(gram), gram) for gram in grams_of(turn))


class _MayHold:
    """A bitmap of 16 MiB that says of most keys that they are not there, without a look into the database."""

    def __init__(self) -> None:
        self._bits = bytearray(2**24)

    def add(self, key: int) -> None:
        """Note a key."""
        place = key & (2**27 - 1)
        self._bits[place >> 3] |= 1 << (place & 7)

    def __contains__(self, key: int) -> bool:
        place = key & (2**27 - 1)
        return bool(self._bits[place >> 3] & (1 << (place & 7)))


def grams_of(turn: str) -> list[str]:
    """Every run of 13 words in a turn; of 26 where most of them are Chinese, Japanese or Korean characters.

    >>> grams_of("a b c d e f g h i j k l m N.")
    ['a b c d e f g h i j k l m', 'b c d e f g h i j k l m n']
    """
    words = words_of(turn)
    characters = sum(map(is_character, words))
    size = CHARACTERS_IN_GRAM if 2 * characters > len(words) else WORDS_IN_GRAM
    return [" ".join(words[start : start + size]) for start in range(len(words) - size + 1)]


def _count_tool_sets(store: RowStore, overlap: Overlap) -> None:
    store.index.execute(
        "INSERT OR IGNORE INTO trained_tool_sets SELECT tool_set FROM rows "
        "WHERE purpose != 'test' AND tool_set IS NOT NULL AND seq NOT IN dropped"
    )
    found = store.index.execute(
        "SELECT seq FROM rows WHERE +purpose = 'test' AND tool_set IN trained_tool_sets ORDER BY seq"
    )
    for (seq,) in found.fetchall():
        entry = store.entry(seq)
        overlap.tool_sets[entry.source, entry.place.file] += 1


def read_allowed(path: Path) -> list[str]:
    """Read `allowed_overlap.txt`: one test id a line, `#` starts a comment. Raises BadInput."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: cannot be read as UTF-8 text: {error}; give one test id a line") from error
    return [name for line in lines if (name := line.partition("#")[0].strip())]
