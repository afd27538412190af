"""The turns of a conversation as rows of their own: each to be answered behind the true history.

Graded is what the assistant said at each turn, where that can be told right from wrong: its calls have to fit
the tools, as those of any gold answer.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from data.fingerprints import prompt_keys
from data.rejections import MAX_REASONS, OTHER_REASONS
from data.rows import Expected, Message, Row, RowError
from data.shapes.arguments import fit_call
from data.shapes.decisions import infer_decision
from data.shapes.messages import calls_of
from data.shapes.reading import note_what_fits
from data.shapes.tools import read_toolset
from data.store import RowStore, StoredRow
from data.suites import TURNS

FEWEST_TURNS = 2
# A row holds its whole history: the text of a conversation's rows grows with the square of its length.
MOST_TURNS = 200
TOO_LONG = f"is in a conversation of more than {MOST_TURNS} turns"
NO_USER = "comes before any user turn"
AFTER_ASSISTANT = "follows a turn of the assistant, which no prompt ends with"


class Turns(NamedTuple):
    """The turns of one conversation that can be graded, and how many others cannot, by the reason."""

    rows: tuple[Row, ...]
    left_out: Counter[str]


@dataclass
class Conversations:
    """What the conversations among the test rows came to, in conversations and in assistant turns.

    `beginnings`: conversations that are the beginning of another, whose turns they are. `left_out`: turns
    that cannot be graded, by the reason. `too_short`: conversations of fewer than two turns that can.
    `too_long`: of more than MOST_TURNS.
    """

    conversations: int = 0
    turns: int = 0
    beginnings: int = 0
    too_short: int = 0
    too_long: int = 0
    left_out: Counter[str] = field(default_factory=Counter)

    def count(self, turns: Turns) -> None:
        """Count a conversation's turns."""
        self.conversations += bool(turns.rows)
        is_too_long = TOO_LONG in turns.left_out
        self.too_long += is_too_long
        self.too_short += not turns.rows and not is_too_long
        self.turns += len(turns.rows)
        for reason, count in turns.left_out.items():
            is_named = reason in self.left_out or len(self.left_out) < MAX_REASONS
            self.left_out[reason if is_named else OTHER_REASONS[1]] += count

    def to_json(self) -> dict[str, Any]:
        """The report's `conversations`."""
        return {
            "conversations": self.conversations,
            "turns": self.turns,
            "beginnings": self.beginnings,
            "too_short": self.too_short,
            "too_long": self.too_long,
            "left_out": dict(self.left_out.most_common()),
        }


def add_turns(store: RowStore) -> Conversations:
    """Add the turns of the conversations among the test rows, as rows of `multi_turn` alone.

    A conversation whose turns were read as rows is left as it is.
    """
    found = Conversations()
    read = store.index.execute("SELECT DISTINCT conversation FROM rows WHERE conversation IS NOT NULL")
    known = {name for (name,) in read.fetchall()}
    entries = [one for one in store.tests_for_all() if _places(store.row(one))]
    published = [_published(store.row(one), store) for one in entries]
    beginnings = {entry.seq for golds in published for entry in golds.values()}
    beginnings |= {entry.seq for entry in entries if _is_turn(store.row(entry), store)}
    for entry, golds in zip(entries, published, strict=True):
        row = store.row(entry)
        if entry.id in known:
            continue
        if entry.seq in beginnings:
            found.beginnings += 1
        else:
            turns = turns_of(row, {at: store.row(gold).expected for at, gold in golds.items()})
            found.count(turns)
            for turn in turns.rows:
                store.add(turn, entry.place, TURNS)
    return found


def turns_of(row: Row, published: Mapping[int, Expected] | None = None) -> Turns:
    """A test row's assistant turns as rows, none if fewer than two can be graded.

    The last is what the row expects; one before is what the assistant said, or `published`, the gold by the
    number of messages before it, where the same history is a test row's. Rows are named `<id>#<k>`, k
    counting all assistant turns from 1.
    """
    ends = (*_places(row), len(row.messages))
    if len(ends) > MOST_TURNS:
        return Turns((), Counter({TOO_LONG: len(ends)}))
    rows, left_out = [], Counter[str]()
    for number, end in enumerate(ends, start=1):
        try:
            _check_history(row.messages[:end])
            expected = (published or {}).get(end) or _expected_at(row, end)
        except RowError as error:
            left_out[error.reason] += 1
        else:
            rows.append(_turn(row, number, end, expected))
    return Turns(tuple(rows if len(rows) >= FEWEST_TURNS else ()), left_out)


def _places(row: Row) -> list[int]:
    return [at for at, message in enumerate(row.messages) if message["role"] == "assistant"]


def _published(row: Row, store: RowStore) -> dict[int, StoredRow]:
    """The test rows that this one continues, by the number of their messages."""
    ends = _places(row)
    found = zip(ends, prompt_keys(row, ends), strict=True) if len(ends) < MOST_TURNS else ()
    return {end: entry for end, key in found if (entry := store.find_asked(key)) is not None}


def _is_turn(row: Row, store: RowStore) -> bool:
    """Whether the row's prompt is that of a turn that was read as a row."""
    (key,) = prompt_keys(row, [len(row.messages)])
    return store.is_turn(key)


def _check_history(messages: Sequence[Message]) -> None:
    """A prompt ends with a turn that an answer can follow, and somebody has asked something."""
    if not any(message["role"] == "user" for message in messages):
        raise RowError("messages", NO_USER, "leave out the greeting")
    if messages[-1]["role"] == "assistant":
        raise RowError("messages", AFTER_ASSISTANT, "join the two turns")


def _expected_at(row: Row, end: int) -> Expected:
    """What is expected after so many messages. Raises RowError where its calls do not fit the tools."""
    if end == len(row.messages):
        return row.expected
    said = row.messages[end]
    tools = read_toolset(row.tools).parameters
    calls = tuple(fit_call(call, tools, f"messages[{end}]") for call in calls_of(said))
    return Expected(infer_decision(said), calls, text=str(said["content"]) or None)


def _turn(row: Row, number: int, end: int, expected: Expected) -> Row:
    turn = replace(
        row,
        id=f"{row.id}#{number}",
        messages=row.messages[:end],
        expected=expected,
        answers=None,
        conversation=row.id,
    )
    return note_what_fits(turn)
