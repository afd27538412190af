"""The shapes that rows are published in, each with the function that brings it to canonical rows.

A row's shape is told from its keys, row by row, so that a file may mix them; or it is named, and then every
row must have it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from data.rows import Purpose, Row, RowError
from data.shapes.answers import (
    check_open,
    read_canonical,
    read_chat,
    read_labelled_calls,
    read_multiple_choice,
    read_preference,
)
from data.shapes.benchmarks import (
    read_acebench,
    read_bfcl,
    read_functionchat,
    read_functionchat_dialog,
    read_rotbench,
)
from data.shapes.corpora import (
    read_hammer,
    read_openai_preference,
    read_prompt_completion,
    read_queries,
    read_sharegpt,
)
from data.shapes.fitting import fits_tools
from data.shapes.plain import Plain, Raw
from data.shapes.texts import check_text
from data.shapes.tools import Toolset, read_toolset

ID_KEYS = ("id", "uuid")
UNDECLARED: Mapping[str, Any] = {"type": "object", "properties": {}}

Reader = Callable[[Raw, Toolset], Row]
Rewriter = Callable[[Raw], list[Plain]]


@dataclass(frozen=True)
class Shape:
    """A published shape: the keys that all of its rows have, any one of `marks` telling it from the others.

    Either `read` brings a row to the canonical one, or `rewrite` to rows of a shape that is read so; of
    `alternatives` the first that can be read is taken.
    """

    name: str
    marks: tuple[str, ...]
    keys: tuple[str, ...]
    read: Reader | None = None
    rewrite: Rewriter | None = None
    alternatives: bool = False


def _shape(name: str, *keys: str, marks: tuple[str, ...] = (), **how: Any) -> Shape:
    """A shape that is told by the first of its keys, unless it has marks."""
    return Shape(name, marks or keys[:1], keys, **how)


# The first shape that a row has a mark of is its own; `messages` comes late because most shapes have it.
SHAPES = (
    _shape("canonical", "expected", "messages", read=read_canonical),
    _shape("when2call_preference", "chosen_response", "rejected_response", "messages", read=read_preference),
    _shape("preference", "chosen", "rejected", read=read_preference),
    _shape(
        "openai_preference",
        "preferred_output",
        "non_preferred_output",
        "input",
        rewrite=read_openai_preference,
    ),
    _shape("multiple_choice", "correct_answer", "answers", read=read_multiple_choice),
    _shape("labelled", "label", "messages", read=read_labelled_calls),
    _shape("converse", "messages", marks=("schemaVersion", "toolConfig"), read=read_chat),
    _shape("chat", "messages", read=read_chat),
    _shape("prompt_completion", "completion", "prompt", rewrite=read_prompt_completion),
    _shape("sharegpt", "conversations", rewrite=read_sharegpt),
    _shape("functionchat", "input_messages", "ground_truth", "type_of_output", rewrite=read_functionchat),
    _shape("functionchat_dialog", "turns", rewrite=read_functionchat_dialog),
    _shape("acebench", "time", "question", "function", rewrite=read_acebench),
    _shape("bfcl", "question", marks=("function", "involved_classes"), rewrite=read_bfcl),
    _shape("hammer", "instruction", "output", rewrite=read_hammer),
    _shape("rotbench", "scenario", "query", "answer", rewrite=read_rotbench, alternatives=True),
    _shape("queries", "query", "answers", rewrite=read_queries),
)
SHAPE_NAMES: tuple[str, ...] = tuple(one.name for one in SHAPES)
BY_NAME: Mapping[str, Shape] = {one.name: one for one in SHAPES}

# Lines that are published beside rows, by the key that tells them.
NO_ROWS: Mapping[str, tuple[str, str]] = {
    "raw_output": ("is a model output, no row to learn from", "grade it with evaluation.score"),
    "ground_truth": ("is an answer without its question", "merge it into the row of the same id"),
}


def read_rows(
    raw: object, default_source: str, shape: str | None = None, *, as_published: bool = False
) -> list[Row]:
    """Bring one parsed line to its canonical rows, at least one: a dialog has a row for each answer in it.

    `default_source` names the origin of rows that do not name one; `shape`, of SHAPE_NAMES, takes the place
    of telling it by the keys. Rows of one line share its id, with `-1`, `-2`, … behind. Gold calls are
    checked and written as their tools declare them, unless they are taken `as_published`, which is what a
    benchmark's own figures rest on. Raises RowError and nothing else, whatever the line holds.
    """
    if not isinstance(raw, Mapping):
        raise RowError("row", "is not a JSON object", "write one object a line")
    try:
        return _read(_unwrapped(raw), default_source, shape, as_published)
    except RecursionError as error:
        raise RowError("row", "is nested too deeply", "flatten its schemas and arguments") from error
    except ValueError as error:
        raise RowError("row", "holds what JSON in UTF-8 cannot", str(error)) from error


def for_purpose(row: Row, purpose: Purpose | None) -> Row:
    """Fit a row to what its file is read for; None takes it as it is. Raises RowError where it cannot serve.

    A conversation that ends with its gold answer serves as a test row: the answer becomes what is expected.
    """
    if purpose is None or row.purpose == purpose:
        return row
    if row.purpose == "sft" and purpose == "test":
        check_open(row.messages[:-1], "messages")
        return note_what_fits(replace(row, messages=row.messages[:-1]))
    needed = {"sft": "an assistant message at the end", "preference": "chosen and rejected answers"}
    raise RowError(
        "row",
        f"is a {row.purpose} row where {purpose} rows are read",
        f"give it {needed.get(purpose, 'a conversation to answer')}, or move it to another file",
    )


def _read(raw: Raw, default_source: str, name: str | None, as_published: bool) -> list[Row]:
    found = _shape_of(raw) if name is None else BY_NAME[name]
    absent = [key for key in found.keys if key not in raw] if name is not None else []
    if absent:
        raise RowError("row", f"is not of the shape {name}", f"give {', '.join(absent)}, or name no shape")
    if found.read is not None:
        rows = [found.read(raw, _tools_of(raw, as_published))]
    elif found.alternatives:
        rows = [_read_first(found, raw, as_published)]
    else:
        rows = [_read_plain(plain, as_published) for plain in _rewritten(found, raw)]
    return _identified([note_what_fits(row) for row in rows], raw, default_source)


def note_what_fits(row: Row) -> Row:
    """Note in a row to be graded whether its answers fit its tools, so that no grader finds out again."""
    if row.purpose != "test":
        return row
    return replace(row, expected=replace(row.expected, fits_tools=fits_tools(row.to_json())))


def _shape_of(raw: Raw) -> Shape:
    for one in SHAPES:
        if any(mark in raw for mark in one.marks):
            return one
    for mark, (reason, mend) in NO_ROWS.items():
        if mark in raw:
            raise RowError("row", reason, mend)
    found = ", ".join(sorted(map(str, raw))[:8]) or "none"
    raise RowError(
        "row", f"unknown shape, keys: {found}", "give messages that end with the answer, and tools"
    )


def _unwrapped(raw: Raw) -> Raw:
    """Take a row out of `{id, source, raw}`, as collections of several publications wrap them."""
    inner = raw.get("raw")
    if not isinstance(inner, Mapping):
        return raw
    return {**inner, **{key: raw[key] for key in ("id", "source") if raw.get(key) is not None}}


def _rewritten(found: Shape, raw: Raw) -> list[Plain]:
    absent = [key for key in found.keys if key not in raw]
    if absent or found.rewrite is None:
        raise RowError(absent[0], "is absent", f"a row of the shape {found.name} has {', '.join(found.keys)}")
    return found.rewrite(raw)


def _read_plain(plain: Plain, as_published: bool) -> Row:
    read = BY_NAME[plain.shape].read or read_chat
    try:
        return read(plain.raw, _tools_of(plain.raw, as_published))
    except RowError as error:
        raise RowError(plain.published_name(error.field), error.reason, error.mend) from error


def _read_first(found: Shape, raw: Raw, as_published: bool) -> Row:
    first: RowError | None = None
    for plain in _rewritten(found, raw):
        try:
            return _read_plain(plain, as_published)
        except RowError as error:
            first = first or error
    raise first or RowError("row", "holds no answer", "give one")


def _tools_of(raw: Raw, as_published: bool) -> Toolset:
    tools = _offered(raw)
    # Tools that declare nothing take every gold call as it is written.
    return Toolset(tools.text, dict.fromkeys(tools.parameters, UNDECLARED), True) if as_published else tools


def _offered(raw: Raw) -> Toolset:
    if raw.get("tools") is not None:
        return read_toolset(raw["tools"])
    config = raw.get("toolConfig")
    if config is not None:
        listed = config.get("tools") if isinstance(config, Mapping) else config
        return read_toolset(listed, "toolConfig.tools")
    return read_toolset(raw.get("functions"), "functions")


def _identified(rows: list[Row], raw: Raw, default_source: str) -> list[Row]:
    given = _read_id(raw)
    source = raw.get("source")
    named = source if isinstance(source, str) and source else default_source
    check_text(named, "source")
    if given is None:
        return [replace(row, id=f"{row.purpose}-{row.fingerprint()[:16]}", source=named) for row in rows]
    ids = [given] if len(rows) == 1 else [f"{given}-{number}" for number in range(1, len(rows) + 1)]
    return [replace(row, id=one, source=named) for row, one in zip(rows, ids, strict=True)]


def _read_id(raw: Raw) -> str | None:
    for key in ID_KEYS:
        value = raw.get(key)
        if value is None or value == "":
            continue
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise RowError(key, "is neither a text nor a number", "name the row by a text")
        check_text(str(value), key)
        return str(value)
    return None
