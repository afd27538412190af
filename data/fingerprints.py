"""What makes two rows, two questions or two tool sets the same: exactly, or but for case and punctuation."""

import hashlib
import json
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from data.rows import Message, Row, write_json

# Han, kana and Hangul: written without spaces, or with endings that stick to the noun.
_CJK = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff"
_CHARACTER = re.compile(f"[{_CJK}]")
# A word keeps its apostrophe, so that "that's" is one.
_WORD = re.compile(rf"[{_CJK}]|[^\W{_CJK}]+(?:['’][^\W{_CJK}]+)*")
_GAP = re.compile(r"[\W_]+")
# Longer texts would make a full cache take more than some 30 MB.
MAX_CACHED_CHARACTERS = 8000


@dataclass(frozen=True)
class RowKeys:
    """16-byte digests of a row's parts; equal parts have equal digests, whatever the id and the source.

    `content`: purpose, conversation, tools and answers, where texts may differ in case, width, spaces and
    punctuation. Calls count exactly: a sign or a capital may be all the difference. `question`: the user's
    turns as they are written; `normalised_question`: but for the same. `prompt`: tools and all turns before
    the answer. `answer`: the decision and its calls, not the wording of a text. `tool_set`: the schemas in
    any order, None where no tool is offered.
    """

    content: bytes
    question: bytes
    normalised_question: bytes
    prompt: bytes
    answer: bytes
    tool_set: bytes | None


def keys_of(row: Row) -> RowKeys:
    """Digest a row."""
    asked = user_turns(row)
    turns = [_turn(message) for message in row.messages]
    digest_tools = _cached_tools if len(row.tools) <= MAX_CACHED_CHARACTERS else _digest_tools
    tools = digest_tools(row.tools)
    expected = row.expected
    answer = [expected.decision, expected.allowed or "", *_calls(expected.calls)]
    pair = [_turn(message) for message in (*(row.chosen or ()), *(row.rejected or ()))]
    answers = [normalise(text) for _, text in sorted((row.answers or {}).items())]
    return RowKeys(
        content=_digest(
            [
                row.purpose,
                tools.text,
                *answer,
                normalise(expected.text or ""),
                *turns,
                "",
                *pair,
                "",
                *answers,
            ]
        ),
        question=_digest(asked),
        normalised_question=_digest(map(normalise, asked)),
        prompt=_digest([tools.text, *turns[: len(row.prompt)]]),
        answer=_digest(answer),
        tool_set=tools.as_set,
    )


def prompt_keys(row: Row, ends: Sequence[int]) -> list[bytes]:
    """The digests that rows of the same tools have as `prompt` if they end after so many of the messages."""
    digest_tools = _cached_tools if len(row.tools) <= MAX_CACHED_CHARACTERS else _digest_tools
    turns = [_turn(message) for message in row.messages]
    return [_digest([digest_tools(row.tools).text, *turns[:end]]) for end in ends]


def user_turns(row: Row) -> list[str]:
    """What the user says, turn by turn."""
    return [str(message["content"]) for message in row.messages if message["role"] == "user"]


def normalise(text: str) -> str:
    """Fold case and width (NFKC), and collapse spaces and punctuation to one space.

    >>> normalise("  What's　the WEATHER, in Köln?! ")
    'what s the weather in köln'
    """
    return _GAP.sub(" ", unicodedata.normalize("NFKC", text).casefold()).strip()


def words_of(text: str) -> list[str]:
    """The words of a text, case and width folded; a Chinese, Japanese or Korean character is one.

    >>> words_of("Yes, that's 北京.")
    ['yes', "that's", '北', '京']
    """
    return _WORD.findall(unicodedata.normalize("NFKC", text).casefold())


def is_character(word: str) -> bool:
    """Whether a word of `words_of` is a single Chinese, Japanese or Korean character."""
    return _CHARACTER.match(word) is not None


@dataclass(frozen=True)
class _ToolKeys:
    """Of a row's tools: the digest of their normalised text, and that of their set."""

    text: str
    as_set: bytes | None


def _digest_tools(tools: str) -> _ToolKeys:
    schemas = sorted(write_json(tool, sort_keys=True) for tool in json.loads(tools))
    return _ToolKeys(_digest([normalise(tools)]).hex(), _digest(schemas) if schemas else None)


_cached_tools = lru_cache(maxsize=4096)(_digest_tools)


def _turn(message: Message) -> str:
    calls = _calls([call["function"] for call in message.get("tool_calls") or ()])
    return "\1".join([str(message["role"]), normalise(str(message.get("content") or "")), *calls])


def _calls(calls: Sequence[Mapping[str, object]]) -> list[str]:
    return [write_json(call, sort_keys=True) for call in calls]


def _digest(parts: Iterable[str]) -> bytes:
    return hashlib.blake2b("\0".join(parts).encode(), digest_size=16).digest()
