"""Where in a text a lenient parse looks for calls, and how it reads what stands there.

A site is a place with a sign: a tag of any format, a fence, a bracket, or the name of an offered tool at the
beginning of a line. Reading goes forward only, and ends behind a fixed number of sites that are no calls.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from evaluation.toolcalls.completion import Call
from evaluation.toolcalls.formats.call_objects import NotACall
from evaluation.toolcalls.formats.json_values import Fault, decode_value_at
from evaluation.toolcalls.formats.offered import Offered
from evaluation.toolcalls.formats.python_values import PythonCall, PythonReader
from evaluation.toolcalls.formats.typed_texts import read_typed
from evaluation.toolcalls.formats.xml_parameters import FUNCTION_OPENING, read_function
from evaluation.toolcalls.lenient.repair import repair_value_at
from evaluation.toolcalls.lenient.shapes import Shapes

# More calls than any answer makes; what follows them stays text.
MAX_CALLS = 1024
_BETWEEN = re.compile(r"[\s,;]*+")
_HEAD = re.compile(
    r"`?(?:call:)?([^\W\d][\w.\-]{0,255}+)`?[ \t]*+(?:\[CALL_ID\]\w{0,64}+)?(?:\[ARGS\])?"
    r"(?::?\s{0,8}+(\{)|(\())"
)
_ACTION = re.compile(
    r"(?:Action|Tool|Function|✿FUNCTION✿)(?: name)?:[ \t]*+([^\n]{1,256}+)\n\s*+"
    r"(?:Action )?(?:Input|Arguments|Args|Parameters|✿ARGS✿):\s*+(?=\{)"
)
_HARMONY = re.compile(r"to=functions\.([\w.\-]{1,256}+)[^{\n]{0,80}<\|message\|>\s*+(?=\{)")
_FUNCTION_JSON = re.compile(r"<function=([\w.\-]{1,256}+)>\s*+(?=\{)")
_GLM = re.compile(r"\s*+<arg_key>([^<]{1,256}+)</arg_key>\s*+<arg_value>")
_XML_NAME = re.compile(
    r"<(?:invoke|function|tool|tool_call|call)\s++name\s*=\s*[\"']?([\w.\-]{1,256}+)[\"']?\s*/?>|<([\w.\-]{1,256}+)>"
)
_XML_PARAMETER = re.compile(
    r"\s*+<(?:(?:parameter|param|arg|argument)\s++name\s*=\s*[\"']?([\w.\-]{1,256}+)[\"']?|([\w.\-]{1,256}+))\s*>"
)
_CLOSING = re.compile(r"\s*+</[\w.\-]{1,256}+>")
_JUNK = re.compile(r"[\s}\])]*+")


class Block(NamedTuple):
    """Calls read at one place: `kind` names how they were written, `end` is the index behind them."""

    calls: list[Call]
    kind: str
    end: int
    repairs: list[str]


class BlockReader:
    """Reads the calls that stand at a given place, however they are written."""

    def __init__(self, text: str, offered: Offered) -> None:
        self.text = text
        self.offered = offered
        self.mends = 8
        self.calls = 0

    def read_all(self, start: int, end: int, *, marked: bool, alone: bool) -> Block:
        """Read calls one after the other from `start` on, none of them behind `end`. Raises Fault."""
        block = self._read_one(start, end, marked, alone)
        calls, repairs, at = list(block.calls), list(block.repairs), block.end
        while (after := _end(_BETWEEN, self.text, at)) < end:
            try:
                following = self._read_one(after, end, marked, False)
            except Fault:
                break
            calls += following.calls
            repairs += following.repairs
            if following.kind != block.kind:
                repairs.append("mixed_forms")
            at = following.end
        return Block(calls, block.kind, at, repairs)

    def _read_one(self, start: int, end: int, marked: bool, alone: bool) -> Block:
        shapes = Shapes(self.offered)
        try:
            if self.text.startswith(FUNCTION_OPENING, start):
                calls, kind, at = self._function(start, end, shapes)
            elif self.text[start : start + 1] in ("{", "["):
                calls, kind, at = self._bracket(start, end, shapes, marked, alone)
            elif self.text.startswith("<", start):
                calls, kind, at = self._xml(start, shapes)
            else:
                calls, kind, at = self._name(start, end, shapes, marked)
        except NotACall as fault:
            raise Fault(str(fault), start) from None
        self.calls += len(calls)
        if not calls or at > end or self.calls > MAX_CALLS:
            raise Fault("no call", start)
        return Block(calls, kind, at, shapes.repairs)

    def _function(self, start: int, end: int, shapes: Shapes) -> tuple[list[Call], str, int]:
        """Read a function tag with a tag for each parameter, or with JSON as Llama's own tools have it."""
        name = _FUNCTION_JSON.match(self.text, start)
        if name is None:
            call, at = read_function(self.text, start, self.offered)
            return [call], "function", at
        calls, kind, at = self._named_json(name.group(1), name.end(), end, shapes, True)
        return calls, kind, at + len("</function>") if self.text.startswith("</function>", at) else at

    def _bracket(
        self, start: int, end: int, shapes: Shapes, marked: bool, alone: bool
    ) -> tuple[list[Call], str, int]:
        reader = PythonReader(self.text, lenient=True)
        inside = reader.skip(start + 1)
        head = _HEAD.match(self.text, inside) if self.text[start] == "[" else None
        if head and head.group(3):
            return self._list(inside, shapes, marked)
        value, at = self._value(start, end, shapes)
        return shapes.calls_of(value, marked=marked, alone=alone), "json", at

    def _value(self, start: int, end: int, shapes: Shapes) -> tuple[Any, int]:
        """Decode the JSON value at `start`, mended if need be."""
        try:
            value, at = decode_value_at(self.text, start)
        except Fault:
            value, at = None, len(self.text) + 1
        if at <= end:
            return value, at
        if self.mends == 0:
            raise Fault("too much to be mended", start)
        self.mends -= 1
        value, at, repairs = repair_value_at(self.text, start, end)
        shapes.repairs += repairs
        return value, at

    def _list(self, at: int, shapes: Shapes, marked: bool) -> tuple[list[Call], str, int]:
        reader = PythonReader(self.text, lenient=True)
        calls: list[Call] = []
        while not self.text.startswith("]", at):
            call, at = self._python_call(at, shapes, marked)
            calls.append(call)
            at = reader.skip(at)
            if self.text.startswith(",", at):
                at = reader.skip(at + 1)
            elif not self.text.startswith("]", at):
                raise Fault("expected ',' or ']'", at)
        return calls, "list", at + 1

    def _name(self, start: int, end: int, shapes: Shapes, marked: bool) -> tuple[list[Call], str, int]:
        action = _ACTION.match(self.text, start) or _HARMONY.match(self.text, start)
        if action:
            return self._named_json(action.group(1).strip(), action.end(), end, shapes, marked)
        head = _HEAD.match(self.text, start)
        if head is None:
            return self._glm(start, shapes)
        if head.group(2):
            return self._named_json(head.group(1), head.end() - 1, end, shapes, marked)
        if head.group(1) == "print":
            call, at = self._python_call(_end(_BETWEEN, self.text, head.end()), shapes, marked)
            at = PythonReader(self.text, lenient=True).skip(at)
            if not self.text.startswith(")", at):
                raise Fault("expected ')'", at)
            return [call], "python", at + 1
        call, at = self._python_call(start, shapes, marked)
        return [call], "python", at

    def _glm(self, start: int, shapes: Shapes) -> tuple[list[Call], str, int]:
        """Read a call as GLM writes it: a name, then ``<arg_key>`` and ``<arg_value>`` by turns."""
        name_end = self.text.find("<arg_key>", start, start + 300)
        name = self.text[start:name_end].strip() if name_end >= 0 else ""
        known = self._known(name, shapes, bool(name), start)
        arguments: dict[str, Any] = {}
        at, tool = name_end, self.offered.get(known)
        while name and (key := _GLM.match(self.text, at)):
            close = self.text.find("</arg_value>", key.end())
            if close < 0:
                raise Fault("an <arg_value> is not closed", at)
            schema = tool.properties.get(key.group(1).strip()) if tool else None
            arguments[key.group(1).strip()] = read_typed(self.text[key.end() : close], schema)
            at = close + len("</arg_value>")
        return ([Call(known, arguments)] if arguments else []), "xml", at

    def _named_json(
        self, name: str, at: int, end: int, shapes: Shapes, marked: bool
    ) -> tuple[list[Call], str, int]:
        known = self._known(name, shapes, marked, at)
        value, after = self._value(at, end, shapes)
        if not isinstance(value, dict):
            raise Fault("the arguments are no object", at)
        inner = shapes.calls_of(value, marked=False)
        return inner if [call.name for call in inner] == [known] else [Call(known, value)], "name", after

    def _python_call(self, at: int, shapes: Shapes, marked: bool) -> tuple[Call, int]:
        head = _HEAD.match(self.text, at)
        if head is None or not head.group(3):
            raise Fault("expected a call", at)
        known = self._known(head.group(1).removesuffix(".call"), shapes, marked, at)
        found = self._python_arguments(known, head.end() - 1, shapes)
        if len(found.positional) == 1 and isinstance(found.positional[0], dict) and not found.arguments:
            return Call(known, found.positional[0]), found.end
        return shapes.positional(known, found.positional, found.arguments), found.end

    def _python_arguments(self, name: str, at: int, shapes: Shapes) -> PythonCall:
        try:
            return PythonReader(self.text, lenient=False).arguments(name, at)
        except Fault:
            found = PythonReader(self.text, lenient=True).arguments(name, at)
        shapes.repairs.append("json_literal")
        return found

    def _known(self, name: str, shapes: Shapes, marked: bool, at: int) -> str:
        known = shapes.resolve(name) if self.offered else None
        if known is None and not marked:
            raise Fault("no offered tool", at)
        return known or name

    def _xml(self, start: int, shapes: Shapes) -> tuple[list[Call], str, int]:
        """Read a tag that names an offered tool, with a tag for each parameter within it."""
        head = _XML_NAME.match(self.text, start)
        name = shapes.resolve(head.group(1) or head.group(2)) if head else None
        if head is None or name is None:
            raise Fault("no call", start)
        arguments: dict[str, Any] = {}
        at = head.end()
        properties = self.offered[name].properties
        while parameter := _XML_PARAMETER.match(self.text, at):
            key = parameter.group(1) or parameter.group(2)
            close = self.text.find("</", parameter.end())
            if key not in properties or close < 0:
                raise Fault("no parameter", at)
            body = self.text[parameter.end() : close]
            arguments[key] = read_typed(body.removeprefix("\n").removesuffix("\n"), properties[key])
            at = _end(_CLOSING, self.text, close)
        value_at = _end(_BETWEEN, self.text, at)
        if not arguments and self.text.startswith("{", value_at):
            value, at = self._value(value_at, len(self.text), shapes)
            arguments = value if isinstance(value, dict) else {}
        at = _end(_CLOSING, self.text, at)
        return ([Call(name, arguments)] if arguments or head.group(1) else []), "xml", at


def behind_junk(text: str, at: int, end: int) -> int:
    """Return the index behind the blanks and closers that follow a call and open nothing."""
    return min(_end(_JUNK, text, at), end)


def _end(pattern: re.Pattern[str], text: str, at: int) -> int:
    match = pattern.match(text, at)
    return match.end() if match else at
