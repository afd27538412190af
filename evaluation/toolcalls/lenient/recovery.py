"""Lenient parsing: what a model meant to call, whatever it wrote the call in.

A strict parse decides what a server would have run. This one decides what the model committed to. A call
with the sign of any format is one. JSON without a sign is one only where nothing else explains it: it names
an offered tool (where they are known), has all that the tool requires, no placeholder in it, and the prose
around it does not say that it is an example, a condition, a question, a refusal or a quotation. What was
only thought is not said. No value is made up: neither a cut-off one nor a name that nearly fits.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any, NamedTuple

from evaluation.toolcalls.completion import Call, Completion, ParseError
from evaluation.toolcalls.formats.call_objects import NotACall
from evaluation.toolcalls.formats.json_values import MAX_FAULTS, Fault
from evaluation.toolcalls.formats.offered import Offered
from evaluation.toolcalls.formats.structured import content_of, plain_value
from evaluation.toolcalls.lenient.context import (
    announces_a_call,
    is_only_spoken_of,
    is_shown,
    leaves_a_choice,
)
from evaluation.toolcalls.lenient.shapes import Shapes
from evaluation.toolcalls.lenient.sites import Block, BlockReader, behind_junk

# Texts of more places that could be calls are no answers of a model but attacks on its judge.
MAX_SITES = 512
_TAG_NAMES = r"(?:tool_?calls?|tool_code|tool_use|function_calls?)"
_SITE = re.compile(
    rf"(?P<tag><(?P<name>(?i:{_TAG_NAMES}))>)|(?P<token><\|(?:python_tag|(?i:{_TAG_NAMES})\w{{0,16}})\|?>)"
    r"|(?P<mistral>\[TOOL_CALLS\])|(?P<fence>```+)|(?P<function><function=)"
    r"|(?P<xml><(?:invoke|function|tool|tool_call|call)\s++name|^[ \t]{0,8}<[\w.\-]{1,80}>)"
    r"|(?P<bracket>[{\[])"
    r"|(?P<line>^[ \t]{0,8}"
    r"(?:`?[^\W\d][\w.\-]{0,80}+`?[ \t]*+(?:\[ARGS\])?(?:[({]|:?\s{0,8}+\{)"
    r"|(?:Action|Tool|Function|✿FUNCTION✿)(?: name)?:))|(?P<harmony>to=functions\.)",
    re.MULTILINE,
)
_CLOSING = re.compile(rf"\s*+</(?i:{_TAG_NAMES})>")
_INFO = re.compile(r"[ \t]*+[\w+.\- ]{0,40}+(?:\n|(?=[{\[]))")
_SIGNED_INFO = re.compile(
    r"[ \t]*+(?:json )?(?:tool_?calls?|tool_code|tool_use|function_calls?)\b", re.IGNORECASE
)
_LETTER = re.compile(r"[^\W_]")
_THOUGHTS = re.compile(r"\s*+(?:<(think|thinking|thought|reasoning)>|\[(THINK)\])")
_STRAY = re.compile(r"</(?:think|thinking|thought|reasoning)>")
_OPENERS = re.compile(r"\s*+(?:```+[\w ]{0,40}\n?\s*+|<[\w|]{1,40}>\s*+)?")

# The signs that belong to a format; a call with another one was written in another format.
_OWN_SIGNS = {
    "hermes": ("<tool_call>", "json"),
    "qwen3": ("<tool_call>", "json"),
    "qwen3_coder": ("<tool_call>", "function"),
    "toolcall_tag": ("<TOOLCALL>", "json"),
    "mistral": ("[TOOL_CALLS]", "json"),
    "mistral_v11": ("[TOOL_CALLS]", "name"),
    "llama3_json": ("", "json"),
    "llama3_pythonic": ("", "list"),
    "bare_json": ("", "json"),
    "xlam": ("", "json"),
}


class _Found(NamedTuple):
    """Calls at one site: from `start` to `end` all belongs to them, the tags and fences too."""

    calls: list[Call]
    sign: str
    kind: str
    start: int
    end: int
    repairs: list[str]

    @property
    def is_marked(self) -> bool:
        return self.sign not in ("", "fence")


def recover(text: str, format: str, offered: Offered) -> Completion | None:
    """Read what a text calls and says, or return None where it calls nothing.

    `format`: the format that was asked for; calls in another one are named in the repairs. `offered`: the
    tools at hand; without any, unmarked JSON is a call where it has a name and arguments.
    """
    start = _end_of_thoughts(text)
    if start is None:
        return None
    stray = _STRAY.search(text, start)
    if stray is None:
        return _Recovery(text, start, len(text), offered).completion(format)
    said = _Recovery(text, stray.end(), len(text), offered).completion(format)
    thought = _Recovery(text, start, stray.start(), offered).completion(format)
    # One call before a thought's end and another one behind it: the model did not settle on either.
    if said and thought and said.calls != thought.calls and not _is_prose(text[start : stray.start()]):
        return None
    return said


def recover_message(message: Mapping[str, Any], offered: Offered) -> Completion | None:
    """Read the calls of a message whose entries miss OpenAI's shape, or None where they call nothing."""
    shapes = Shapes(offered)
    try:
        entries = plain_value(message.get("tool_calls"))
        calls = shapes.calls_of(entries, marked=True)
    except NotACall:
        return None
    if not calls:
        return None
    return Completion(tuple(calls), content_of(message), None, tuple(dict.fromkeys(shapes.repairs)))


def _is_prose(text: str) -> bool:
    return text.lstrip()[:1] not in ("{", "[", "<", "`")


def _end_of_thoughts(text: str) -> int | None:
    """Return where speech begins, or None where a thought is not closed."""
    at = 0
    while opening := _THOUGHTS.match(text, at):
        closing = f"</{opening.group(1)}>" if opening.group(1) else "[/THINK]"
        found = text.find(closing, opening.end())
        if found < 0:
            return None
        at = found + len(closing)
    return at


class _Recovery:
    """One pass over what was said."""

    def __init__(self, text: str, start: int, end: int, offered: Offered) -> None:
        self.text = text if end == len(text) else text[:end]
        self.start = start
        self.offered = offered
        self.reader = BlockReader(self.text, offered)
        self.error: ParseError | None = None
        self.faults = 0

    def completion(self, format: str) -> Completion | None:
        found = self._settled([*self._sites()])
        if not found:
            return None
        calls = tuple(call for each in found for call in each.calls)
        repairs = [repair for each in found for repair in _repairs(each, format)]
        pieces, kept = [], self.start
        for each in found:
            pieces.append(self.text[kept : each.start])
            kept = each.end
        pieces.append(self.text[kept:])
        return Completion(calls, "".join(pieces).strip(), self.error, tuple(dict.fromkeys(repairs)))

    def _sites(self) -> Iterator[_Found]:
        at = self.start
        for _ in range(MAX_SITES):
            site = _SITE.search(self.text, at)
            if site is None or self.faults >= MAX_FAULTS:
                return
            found, at = self._read(site)
            if found:
                yield found

    def _read(self, site: re.Match[str]) -> tuple[_Found | None, int]:
        """Read one site; return what was found and where the next one may begin."""
        kind = site.lastgroup
        if kind == "fence":
            return self._fence(site)
        if kind in ("tag", "token", "mistral"):
            return self._marked(site)
        start = site.start() if kind not in ("line", "xml") else _skip(self.text, site.start())
        try:
            block = self._block(start, len(self.text), marked=False, span=(start, None))
        except Fault as fault:
            self.faults += 1
            # A bracket that holds nothing of a call may hold one further in; a read value may not.
            return None, max(fault.position, start + 1)
        closing = _CLOSING.match(self.text, block.end)
        sign = "<tool_call>" if closing or block.kind in ("function", "xml") else ""
        repairs = [*block.repairs, "missing_opening_tag"] if closing else block.repairs
        end = closing.end() if closing else block.end
        return _Found(block.calls, sign, block.kind, start, end, repairs), end

    def _block(self, start: int, end: int, *, marked: bool, span: tuple[int, int | None]) -> Block:
        alone = not _LETTER.search(self.text, self.start, span[0])
        if alone and span[1] is not None:
            alone = not _LETTER.search(self.text, span[1])
        return self.reader.read_all(start, end, marked=marked, alone=alone)

    def _marked(self, site: re.Match[str]) -> tuple[_Found | None, int]:
        """Read what stands behind a tag, up to the closing one or the next sign."""
        name = site.group("name")
        closing = f"</{name}>" if name else "<|" if site.group("token") else "[TOOL_CALLS]"
        close = self.text.find(closing, site.end())
        limit = len(self.text) if close < 0 else close
        end = limit + len(closing) if close >= 0 and name else limit
        opener = _OPENERS.match(self.text, site.end(), limit)
        start = opener.end() if opener else site.end()
        if self.text.startswith(("{", "[", "<function="), _skip(self.text, site.end())):
            start = _skip(self.text, site.end())
        sign = "<|python_tag|>" if site.group("token") else site.group()
        try:
            block = self._block(start, limit, marked=True, span=(site.start(), end))
        except Fault as fault:
            self.faults += 1
            self.error = self.error or ParseError(fault.message, min(fault.position, len(self.text)))
            return None, max(site.end(), end)
        repairs = list(block.repairs)
        if name and close < 0:
            repairs.append("missing_closing_tag")
            end = block.end
        elif behind_junk(self.text, block.end, limit) < limit and not name:
            end = block.end
        return _Found(block.calls, sign, block.kind, site.start(), end, repairs), end

    def _fence(self, site: re.Match[str]) -> tuple[_Found | None, int]:
        """Read a fence that holds calls and nothing else; another one holds none at all."""
        close = self.text.find(site.group(), site.end())
        limit = len(self.text) if close < 0 else close
        end = limit + len(site.group()) if close >= 0 else limit
        info = _INFO.match(self.text, site.end(), limit)
        start = _skip(self.text, info.end() if info else site.end())
        signed = _SIGNED_INFO.match(self.text, site.end(), limit) is not None
        tag = _OPENERS.match(self.text, start, limit)
        if tag and self.text.startswith("<", start) and not self.text.startswith("<function=", start):
            return None, start
        try:
            block = self._block(start, limit, marked=False, span=(site.start(), end))
        except Fault:
            self.faults += 1
            return None, end
        if behind_junk(self.text, block.end, limit) < limit:
            return None, end
        sign = "```tool" if signed else "fence"
        return _Found(block.calls, sign, block.kind, site.start(), end, block.repairs), end

    def _settled(self, found: list[_Found]) -> list[_Found]:
        """Leave out what is no commitment."""
        kept = [each for each in found if self._is_meant(each, found)]
        unmarked = [each for each in kept if not each.is_marked]
        for one, other in pairwise(unmarked):
            if leaves_a_choice(self.text[one.end : other.start]):
                return [each for each in kept if each.is_marked]
        return kept

    def _is_meant(self, each: _Found, found: list[_Found]) -> bool:
        shapes = Shapes(self.offered)
        if each.is_marked:
            return "missing_closer" not in each.repairs or all(shapes.fits(call) for call in each.calls)
        if not all(shapes.fits(call) for call in each.calls):
            return False
        if "absent_name" in each.repairs:
            return not _LETTER.search(self.text, self.start, each.start) and not _LETTER.search(
                self.text, each.end
            )
        if self._stand_alone(found) and not is_shown(self.text[self.start : each.start][-300:]):
            return True
        if each.kind in ("python", "list") and not announces_a_call(
            self.text[self.start : each.start][-300:]
        ):
            return False
        return not is_only_spoken_of(self.text[self.start :], each.start - self.start, each.end - self.start)

    def _stand_alone(self, found: list[_Found]) -> bool:
        kept = self.start
        for each in found:
            if _LETTER.search(self.text, kept, each.start):
                return False
            kept = each.end
        return not _LETTER.search(self.text, kept)


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at] in " \t\r\n":
        at += 1
    return at


def _repairs(found: _Found, format: str) -> list[str]:
    """Name what was overlooked: the signs of the asked format that are absent or another format's."""
    repairs = list(found.repairs)
    sign, kind = _OWN_SIGNS.get(format, ("", ""))
    if format == "llama3_json" and "parameters_for_arguments" in repairs:
        repairs.remove("parameters_for_arguments")
    if found.sign == "fence" and format not in ("bare_json", "xlam"):
        repairs.append("fence")
    if sign and found.sign in ("", "fence") and found.kind == kind:
        repairs.insert(0, "missing_tags")
    elif found.kind != kind or (found.sign not in (sign, "fence") and found.sign != "<|python_tag|>"):
        repairs.append("other_format")
    return repairs
