"""Lenient parsing: what a model meant to call, whatever it wrote the call in.

A strict parse decides what a server would have run. This one decides what the model committed to. A call
with the sign of any format is one. JSON without a sign is one only where nothing else explains it: it names
an offered tool (where they are known), has all that the tool requires, no placeholder in it, and the prose
around it does not say that it is an example, a condition, a question, a refusal or a quotation. What was
only thought is not said. No value is made up: neither a cut-off one nor a name that nearly fits.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from evaluation.toolcalls.completion import Completion, ParseError
from evaluation.toolcalls.formats.json_values import MAX_FAULTS, Fault
from evaluation.toolcalls.formats.offered import Offered
from evaluation.toolcalls.lenient.context import (
    announces_a_call,
    is_only_spoken_of,
    is_shown,
    leaves_a_choice,
)
from evaluation.toolcalls.lenient.messages import recover_message, recover_text_of_message
from evaluation.toolcalls.lenient.overlooked import LETTER, Found, left_out, repairs_of
from evaluation.toolcalls.lenient.shapes import Shapes
from evaluation.toolcalls.lenient.sites import Block, BlockReader, behind_junk

__all__ = ["recover", "recover_message"]

# Texts of more places that could be calls are no answers of a model but attacks on its judge.
MAX_SITES = 512
_TAG_NAMES = r"(?:tool_?calls?|tool_code|tool_use|function_calls?)"
_SITE = re.compile(
    rf"(?P<tag><(?P<name>(?i:{_TAG_NAMES}))>)|(?P<token><\|(?:python_(?:tag|start)|(?i:{_TAG_NAMES})\w{{0,16}})\|?>)"
    r"|(?P<mistral>\[TOOL_CALLS\])|(?P<fence>```+)|(?P<function><function=)"
    r"|(?P<xml><(?:invoke|function|tool|tool_call|call)\s++name|^[ \t]{0,8}<[\w.\-]{1,80}>)"
    r"|(?P<bracket>[{\[])"
    r"|(?P<line>^[ \t]{0,8}"
    r"(?:`?[^\W\d][\w.\-]{0,80}+`?[ \t]*+(?:\[ARGS\])?(?:[({]|:?\s{0,8}+\{)"
    r"|(?:Action|Tool|Function|✿FUNCTION✿)(?: name)?:))|(?P<harmony>to=functions\.)",
    re.MULTILINE,
)
_CLOSING = re.compile(rf"\s*+</(?i:{_TAG_NAMES})>")
_TAG = re.compile(rf"</?(?i:{_TAG_NAMES})>")
_TOKEN_CLOSING = re.compile(r"<\|(?:/\w{1,32}|\w{1,32}_end)\|>")
_INFO = re.compile(r"[ \t]*+[\w+.\- ]{0,40}+(?:\n|(?=[{\[]))")
_SIGNED_INFO = re.compile(
    r"[ \t]*+(?:json )?(?:tool_?calls?|tool_code|tool_use|function_calls?)\b", re.IGNORECASE
)
_THOUGHTS = re.compile(r"\s*+(?:<(think|thinking|thought|reasoning)>|\[(THINK)\])")
_STRAY = re.compile(r"</(?:think|thinking|thought|reasoning)>")
# Formats whose own parsers cut a thought that the prompt opened.
_CUT_AT_THOUGHTS_END = frozenset({"qwen3", "qwen3_coder", "xlam"})
_OPENERS = re.compile(r"\s*+(?:```+[\w ]{0,40}\n?\s*+|<[\w|]{1,40}>\s*+)?")


def recover(text: str, format: str, offered: Offered) -> Completion | None:
    """Read what a text calls and says, or return None where it calls nothing.

    `format`: the format that was asked for; calls in another one are named in the repairs. `offered`: the
    tools at hand; without any, unmarked JSON is a call where it has a name and arguments.
    """
    message = recover_text_of_message(text, offered) if format == "structured" else None
    if message:
        return message
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
    if said is None or format in _CUT_AT_THOUGHTS_END:
        return said
    return said._replace(repairs=(*said.repairs, "unopened_thought"))


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
        repairs = [repair for each in found for repair in repairs_of(each, format)]
        pieces, kept = [], self.start
        for each in found:
            pieces.append(self.text[kept : each.start])
            kept = each.end
            if not each.is_marked and pieces[-1].rpartition("\n")[2].strip():
                repairs.append("text_before_call")
        pieces.append(self.text[kept:])
        if any(map(_TAG.search, pieces)):
            repairs.append("stray_tag")
        return Completion(calls, "".join(pieces).strip(), self.error, tuple(dict.fromkeys(repairs)))

    def _sites(self) -> Iterator[Found]:
        at = self.start
        for _ in range(MAX_SITES):
            site = _SITE.search(self.text, at)
            if site is None or self.faults >= MAX_FAULTS:
                return
            found, at = self._read(site)
            if found:
                yield found

    def _read(self, site: re.Match[str]) -> tuple[Found | None, int]:
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
        is_list = self.text.startswith("[", start)
        return Found(block.calls, sign, block.kind, start, end, repairs, is_list), end

    def _block(self, start: int, end: int, *, marked: bool, span: tuple[int, int | None]) -> Block:
        alone = not LETTER.search(self.text, self.start, span[0])
        if alone and span[1] is not None:
            alone = not LETTER.search(self.text, span[1])
        return self.reader.read_all(start, end, marked=marked, alone=alone)

    def _marked(self, site: re.Match[str]) -> tuple[Found | None, int]:
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
        is_list = self.text.startswith("[", start)
        try:
            block = self._block(start, limit, marked=True, span=(site.start(), end))
        except Fault as fault:
            self.faults += 1
            self.error = self.error or ParseError(fault.message, min(fault.position, len(self.text)))
            return None, max(site.end(), end)
        repairs = list(block.repairs)
        if "`" in self.text[site.end() : start]:
            repairs.append("fence")
        if name and (close < 0 or self.text.find(site.group(), block.end, limit) >= 0):
            repairs.append("missing_closing_tag")
            end = block.end
        elif name:
            repairs += left_out(self.text[block.end : limit], len(block.calls) > 1 and not is_list)
        elif behind_junk(self.text, block.end, limit) < limit:
            end = block.end
        elif site.group("token") and (token := _TOKEN_CLOSING.match(self.text, limit)):
            end = token.end()
        return Found(block.calls, site.group(), block.kind, site.start(), end, repairs, is_list), end

    def _fence(self, site: re.Match[str]) -> tuple[Found | None, int]:
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
        is_list = self.text.startswith("[", start)
        return Found(block.calls, sign, block.kind, site.start(), end, block.repairs, is_list), end

    def _settled(self, found: list[Found]) -> list[Found]:
        """Leave out what is no commitment."""
        kept = [each for each in found if self._is_meant(each, found)]
        unmarked = [each for each in kept if not each.is_marked]
        for one, other in pairwise(unmarked):
            if leaves_a_choice(self.text[one.end : other.start]):
                return [each for each in kept if each.is_marked]
        return kept

    def _is_meant(self, each: Found, found: list[Found]) -> bool:
        shapes = Shapes(self.offered)
        if each.is_marked:
            return "missing_closer" not in each.repairs or all(shapes.fits(call) for call in each.calls)
        if not all(shapes.fits(call) for call in each.calls):
            return False
        if "absent_name" in each.repairs:
            return not LETTER.search(self.text, self.start, each.start) and not LETTER.search(
                self.text, each.end
            )
        if self._stand_alone(found) and not is_shown(self.text[self.start : each.start][-300:]):
            return True
        if each.kind in ("python", "list") and not announces_a_call(
            self.text[self.start : each.start][-300:]
        ):
            return False
        return not is_only_spoken_of(self.text[self.start :], each.start - self.start, each.end - self.start)

    def _stand_alone(self, found: list[Found]) -> bool:
        kept = self.start
        for each in found:
            if LETTER.search(self.text, kept, each.start):
                return False
            kept = each.end
        return not LETTER.search(self.text, kept)


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at] in " \t\r\n":
        at += 1
    return at
