"""The canonical row: what every reader makes, and all that training and evaluation read.

`tools`, `arguments` and `allowed` are JSON strings because Arrow merges nested schemas silently: as objects,
one row's tool would gain another row's parameters in the training text.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

Decision = Literal["tool_call", "request_for_info", "cannot_answer", "direct"]
Purpose = Literal["sft", "preference", "test"]
Message = Mapping[str, Any]

DECISIONS: tuple[Decision, ...] = get_args(Decision)
LANGUAGES = ("java", "javascript")
PURPOSES: tuple[Purpose, ...] = get_args(Purpose)


class RowError(Exception):
    """A row that cannot be used: the field at fault, why, and how to mend it."""

    def __init__(self, field: str, reason: str, mend: str) -> None:
        super().__init__(f"{field}: {reason} ({mend})")
        self.field = field
        self.reason = reason
        self.mend = mend


@dataclass(frozen=True)
class Rejection:
    """A line of `rejected.jsonl`; `line` counts from 1."""

    file: str
    line: int
    field: str
    reason: str
    mend: str


@dataclass(frozen=True)
class Expected:
    """What a right answer is: the decision, and the calls or the text that make it.

    `calls`: `{name, arguments}` with `arguments` a JSON string. `allowed`: JSON string of BFCL's
    possible_answer list, or None where `calls` is all there is. `ordered`: whether the calls' order counts.
    `any_call`: any call of the offered tools is right, as in BFCL's relevance, and none is named. `language`:
    `java` or `javascript` where arguments are that language's literals in strings, and the accepted values
    what they stand for. `fits_tools`: whether the accepted calls, as written first, are valid under the
    tools, as the readers found.
    """

    decision: Decision
    calls: tuple[Mapping[str, str], ...] = ()
    allowed: str | None = None
    text: str | None = None
    ordered: bool = False
    any_call: bool = False
    language: str | None = None
    # Found out from the rest, so it makes no difference between rows.
    fits_tools: bool = field(default=False, compare=False)

    def to_json(self) -> dict[str, Any]:
        """The answer as it is written, keys in a fixed order, the rarer ones only where needed."""
        calls = [dict(call) for call in self.calls]
        rare = {
            "ordered": self.ordered,
            "any_call": self.any_call,
            "language": self.language,
            "fits_tools": self.fits_tools,
        }
        return {
            "decision": self.decision,
            "calls": calls,
            "allowed": self.allowed,
            "text": self.text,
            **{key: value for key, value in rare.items() if value},
        }

    @classmethod
    def from_json(cls, given: Mapping[str, Any]) -> "Expected":
        """What `to_json` wrote."""
        return cls(
            decision=given["decision"],
            calls=tuple(given["calls"]),
            allowed=given["allowed"],
            text=given["text"],
            ordered=given.get("ordered", False),
            any_call=given.get("any_call", False),
            language=given.get("language"),
            fits_tools=given.get("fits_tools", False),
        )


@dataclass(frozen=True)
class Row:
    """One row of any purpose; absent parts are None and are not written.

    `messages` ends with the gold assistant message in an SFT row, and with the turn to answer in the others.
    `answers`: When2Call's four texts by decision. `chosen` and `rejected`: one assistant message each.
    `conversation`: of a test row that is one turn of it, the conversation's id.
    """

    id: str
    source: str
    tools: str
    messages: tuple[Message, ...]
    expected: Expected
    answers: Mapping[str, str] | None = None
    chosen: tuple[Message, ...] | None = None
    rejected: tuple[Message, ...] | None = None
    conversation: str | None = None

    @property
    def purpose(self) -> Purpose:
        """What the row is for, seen from what it holds."""
        if self.chosen is not None:
            return "preference"
        return "sft" if self.messages[-1]["role"] == "assistant" else "test"

    @property
    def prompt(self) -> tuple[Message, ...]:
        """The turns that the answer follows: all but the gold one of an SFT row."""
        return self.messages[:-1] if self.purpose == "sft" else self.messages

    @property
    def question(self) -> str:
        """The last user turn: what the model is asked."""
        turns = [message["content"] for message in self.messages if message["role"] == "user"]
        return str(turns[-1])

    @property
    def tool_names(self) -> tuple[str, ...]:
        """The names offered, in order."""
        return tuple(tool["name"] for tool in json.loads(self.tools))

    def to_json(self) -> dict[str, Any]:
        """The row as it is written, keys in a fixed order."""
        pair = {"chosen": self.chosen, "rejected": self.rejected}
        optional = {
            "answers": self.answers,
            **{key: list(one) for key, one in pair.items() if one},
            "conversation": self.conversation,
        }
        return {
            "id": self.id,
            "source": self.source,
            "tools": self.tools,
            "messages": list(self.messages),
            "expected": self.expected.to_json(),
            **{key: value for key, value in optional.items() if value is not None},
        }

    @classmethod
    def from_json(cls, given: Mapping[str, Any]) -> "Row":
        """What `to_json` wrote; anything else has to go through the shapes, which check it."""
        chosen, rejected = (tuple(given[key]) if key in given else None for key in ("chosen", "rejected"))
        return cls(
            id=given["id"],
            source=given["source"],
            tools=given["tools"],
            messages=tuple(given["messages"]),
            expected=Expected.from_json(given["expected"]),
            answers=given.get("answers"),
            chosen=chosen,
            rejected=rejected,
            conversation=given.get("conversation"),
        )

    def fingerprint(self) -> str:
        """SHA-256 of all that the model and the grader see: not of the names of row, source, conversation."""
        places = ("id", "source", "conversation")
        content = {key: value for key, value in self.to_json().items() if key not in places}
        return hashlib.sha256(write_json(content, sort_keys=True).encode()).hexdigest()


# Made once: `json.dumps` would make one for every value that is not written by its defaults.
_IN_ORDER = json.JSONEncoder(ensure_ascii=False, allow_nan=False)
_SORTED = json.JSONEncoder(ensure_ascii=False, allow_nan=False, sort_keys=True)


def write_json(value: object, *, sort_keys: bool = False) -> str:
    """One line of JSON that is valid everywhere: no NaN, no unpaired surrogate, UTF-8 as it is.

    Raises ValueError (UnicodeEncodeError among them) for what cannot be written so.
    """
    text = (_SORTED if sort_keys else _IN_ORDER).encode(value)
    text.encode("utf-8")
    return text


def read_json(text: str) -> Any:
    """Parse JSON as the standard has it: `NaN` and `Infinity` are errors.

    Raises ValueError, which places the fault by its character alone: the line is the file's to count.
    """
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        raise ValueError(f"{error.msg} at character {error.pos + 1}") from error
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
