"""Which of the stored rows go in a file: those of a purpose, or those that a suite takes, up to a cap."""

from collections import Counter
from collections.abc import Iterator, Mapping

from data.rows import Purpose
from data.sampling import allot, choose_conversations
from data.store import RowStore, StoredRow
from evaluation.suites import SUITES

_TAKE: Mapping[str, str] = {
    "purpose": "INSERT INTO taken SELECT seq FROM kept WHERE purpose = :purpose AND alone = ''",
    "all": "INSERT INTO taken SELECT seq FROM kept WHERE purpose = 'test' AND alone = ''",
    "answers": "INSERT INTO taken SELECT seq FROM kept WHERE purpose = 'test' AND alone = '' AND has_answers",
    # Rows of one suite alone, or that a file of its own named too.
    "named": "INSERT OR IGNORE INTO taken SELECT seq FROM kept "
    "WHERE alone = :suite OR seq IN (SELECT seq FROM members WHERE suite = :suite)",
    "bfcl": "INSERT INTO taken SELECT seq FROM kept "
    "WHERE purpose = 'test' AND alone = '' AND substr(source, 1, 4) = 'bfcl'",
}
_TAKEN = "SELECT * FROM rows WHERE seq IN taken ORDER BY seq"


def sample(store: RowStore, purpose: Purpose, cap: int) -> Iterator[StoredRow]:
    """Take `cap` rows (0 is all), each stratum in proportion, in order; of tests, those in no suite alone.

    One sample is read at a time, to its end.
    """
    _take_nothing(store)
    store.index.execute(_TAKE["purpose"], {"purpose": purpose})
    return _sampled(store, cap)


def sample_suite(store: RowStore, suite: str, cap: int) -> Iterator[StoredRow]:
    """Take `cap` of the test rows that a suite takes (0 is all), in order; one sample is read at a time.

    Each stratum is in proportion. Of conversations, which have no stratum, whole ones are taken.
    """
    count_suite(store, suite)
    return _sampled_turns(store, cap) if SUITES[suite].rows == "conversations" else _sampled(store, cap)


def count_suite(store: RowStore, suite: str) -> int:
    """How many test rows a suite takes."""
    rule, is_answered = SUITES[suite].rows, SUITES[suite].kind == "multiple_choice"
    _take_nothing(store)
    if rule in ("all", "answers"):
        store.index.execute(_TAKE[rule])
    # What was written for free answers came without the four, and is taken again by its file.
    if rule != "all" and not is_answered:
        store.index.execute(_TAKE["named"], {"suite": suite})
    # BFCL's rows that came among the tests do not join those that were given as such.
    if rule == "bfcl" and not _count_taken(store):
        store.index.execute(_TAKE["bfcl"])
    return _count_taken(store)


def _take_nothing(store: RowStore) -> None:
    store.index.execute("CREATE TABLE IF NOT EXISTS taken (seq INTEGER PRIMARY KEY)")
    store.index.execute("DELETE FROM taken")


def _count_taken(store: RowStore) -> int:
    return int(store.index.execute("SELECT COUNT(*) FROM taken").fetchone()[0])


def _sampled(store: RowStore, cap: int) -> Iterator[StoredRow]:
    strata = store.index.execute("SELECT stratum FROM rows WHERE seq IN taken")
    sizes = Counter(stratum for (stratum,) in strata)
    shares = allot(sizes, cap)
    last = {name: _rank_at(store, name, share) for name, share in shares.items() if share < sizes[name]}
    for entry in store.find_entries(_TAKEN):
        if entry.stratum not in last or entry.rank <= last[entry.stratum]:
            yield entry


def _sampled_turns(store: RowStore, cap: int) -> Iterator[StoredRow]:
    sizes = store.index.execute(
        "SELECT conversation, COUNT(*) FROM rows WHERE seq IN taken GROUP BY conversation"
    )
    left = choose_conversations(dict(sizes.fetchall()), cap)
    for entry in store.find_entries(_TAKEN):
        if left.get(str(entry.conversation), 0):
            left[str(entry.conversation)] -= 1
            yield entry


def _rank_at(store: RowStore, stratum: str, share: int) -> bytes:
    """The rank of the last row that a stratum's share takes; none is below the lowest."""
    if not share:
        return b""
    query = "SELECT rank FROM rows WHERE seq IN taken AND stratum = ? ORDER BY rank LIMIT 1 OFFSET ?"
    rank: bytes = store.index.execute(query, (stratum, share - 1)).fetchone()[0]
    return rank
