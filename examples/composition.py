"""Scenes: a request, the tools offered with it, and every answer that could be given, right and wrong."""

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from examples.catalogue import Catalogue, Request, Tool, placeholders

# How many tools are offered, in turn and alike in every decision: their number must tell nothing. Few,
# because tokens are what a demonstration on a CPU runs out of.
TOOL_COUNTS = (1, 2, 3, 2, 4, 1, 2, 3)
# How many of the tools beside the target are of its field: a field must not tell that its tool is there.
SHARE_OF_SAME_FIELD = 0.7
# Where an aside stands, in turn and alike in every decision; five and TOOL_COUNTS' eight share no factor.
ASIDES = ("before", None, "after", None, "before")

_ARTICLE = re.compile(r"\b([Aa])(?= \{(\w+)\})")
# An annual report, an 8-K, an S-1, an 18 kg parcel, an LPG station.
_SPOKEN_WITH_A_VOWEL = re.compile(r"[aeioAEIO]|8|1[18]\b|[FHLMNRSX]-?\d|HbA|LPG")


@dataclass(frozen=True)
class Call:
    """A tool call as an object, as When2Call writes it."""

    name: str
    arguments: Mapping[str, Any]

    def to_json(self) -> dict[str, Any]:
        """`{name, arguments}`."""
        return {"name": self.name, "arguments": dict(self.arguments)}


@dataclass(frozen=True)
class Scene:
    """One situation. `calls`: the right or most tempting call under `right`, and wrong ones by fault.

    `history`: earlier turns.
    """

    decision: str
    domain: str
    say: str
    offered: Sequence[Tool]
    calls: Mapping[str, Call]
    ask: str
    decline: str
    direct: str
    history: Sequence[Mapping[str, str]] = field(default=())


class Composer:
    """Composes scenes from a catalogue; equal seeds give equal scenes."""

    def __init__(self, catalogue: Catalogue, seed: str) -> None:
        self._catalogue = catalogue
        self._tools = list(catalogue.tools.values())
        self._rng = random.Random(seed)  # noqa: S311 — a reproducible draft, not a secret
        self._turn: dict[str, int] = {}

    def call(self, tool: Tool, wording: str) -> Scene:
        """A request that a tool answers."""
        return self._tool_scene("tool_call", tool, wording)

    def ask(self, tool: Tool, missing: str, wording: str) -> Scene:
        """A request that leaves out a required parameter of the tool it needs."""
        return self._tool_scene("request_for_info", tool, wording, missing)

    def withhold(self, tool: Tool, wording: str) -> Scene:
        """A request whose tool is not offered."""
        return self._tool_scene("cannot_answer", tool, wording)

    def reply(self, tool: Tool, missing: str, wording: str) -> Scene:
        """A request that lacked a parameter, the question for it, and the user's reply."""
        values = self._values(tool)
        history = (
            {"role": "user", "content": _sentence(wording, values)},
            {"role": "assistant", "content": self._say_ask(tool, missing)},
        )
        said = self._rng.choice(self._catalogue.replies)
        given = {name: values[name] for name in (*placeholders(wording), missing)}
        scene = self._tool_scene("tool_call", tool, "", given=given)
        return replace(scene, say=said.format(value=values[missing]), history=history)

    def out_of_scope(self, request: Request) -> Scene:
        """A request that no tool serves; a tool of the same field tempts."""
        count = self._next_count("cannot_answer")
        near = self._catalogue.tools.get(request.near)
        others = self._others(
            count - (near is not None), {request.near}, domain=near.domain if near else None
        )
        offered = self._shuffled([*([near] if near else []), *others])
        tempting = near or offered[0]
        return Scene(
            decision="cannot_answer",
            domain=tempting.domain,
            say=self._dress("cannot_answer", request.say),
            offered=offered,
            calls={"right": Call(tempting.name, self._values(tempting))},
            ask=self._say_question(request),
            decline=self._say_decline(request.does, offered),
            direct=request.claim,
        )

    def direct(self, request: Request) -> Scene:
        """A request that needs no tool."""
        offered = self._shuffled(self._others(self._next_count("direct"), set()))
        return Scene(
            decision="direct",
            domain="general",
            say=request.say,
            offered=offered,
            calls={"right": Call(offered[0].name, self._values(offered[0]))},
            ask=self._say_question(request),
            decline=self._say_decline(request.does, offered),
            direct=request.answer,
        )

    def _tool_scene(
        self,
        decision: str,
        tool: Tool,
        wording: str,
        missing: str | None = None,
        given: Mapping[str, Any] | None = None,
    ) -> Scene:
        values = {**self._values(tool), **(given or {})}
        stated = set(given or placeholders(wording)) | {missing}
        arguments = {name: value for name, value in values.items() if name in stated}
        count = self._next_count(decision)
        is_offered = decision != "cannot_answer"
        others = self._others(count - is_offered, {tool.name}, domain=tool.domain)
        offered = self._shuffled([*([tool] if is_offered else []), *others])
        calls = self._calls(tool, arguments, others)
        if not is_offered:
            # Nobody would call a tool that is not there: what tempts is one that is.
            calls["right"] = calls["wrong_tool"]
        return Scene(
            decision=decision,
            domain=tool.domain,
            say=self._dress(decision, _sentence(wording, values)),
            offered=offered,
            calls=calls,
            ask=self._say_ask(tool, missing or self._rng.choice(tool.required)),
            decline=self._say_decline(tool.does, others or offered, barring=tool if is_offered else None),
            direct=_sentence(self._rng.choice(tool.claims), values),
        )

    def _calls(self, tool: Tool, given: Mapping[str, Any], others: Sequence[Tool]) -> dict[str, Call]:
        calls = {"right": Call(tool.name, given)}
        if others:
            calls["wrong_tool"] = Call(others[0].name, self._borrow(others[0], tool, given))
        required = [name for name in tool.required if name in given]
        if required:
            spoiled = self._rng.choice(required)
            other = self._catalogue.pick_other(tool, spoiled, [given[spoiled]], self._rng)
            calls["wrong_value"] = Call(tool.name, {**given, spoiled: other})
            kept = {name: value for name, value in given.items() if name != spoiled}
            calls["missing_argument"] = Call(tool.name, kept)
        return calls

    def _borrow(self, tool: Tool, source: Tool, given: Mapping[str, Any]) -> dict[str, Any]:
        """Arguments for the wrong tool out of the request's own values, as a model would make them up."""
        left = dict(given)
        borrowed: dict[str, Any] = {}
        for name in tool.required:
            schema = tool.parameters[name].schema
            fitting = [key for key in left if source.parameters[key].schema["type"] == schema["type"]]
            if fitting and "enum" not in schema:
                borrowed[name] = left.pop(fitting[0])
            else:
                borrowed[name] = self._catalogue.pick_other(tool, name, [], self._rng)
        return borrowed

    def _values(self, tool: Tool) -> dict[str, Any]:
        return self._catalogue.pick_values(tool, self._rng)

    def _say_ask(self, tool: Tool, missing: str) -> str:
        wording = self._rng.choice(self._catalogue.wordings["request_for_info"])
        part = tool.parameters[missing]
        return _sentence(wording, {"ask": part.ask, "noun": part.noun, "does": tool.does})

    def _say_question(self, request: Request) -> str:
        wordings = self._catalogue.wordings["request_for_info"]
        wording = self._rng.choice([one for one in wordings if "{ask}" in one])
        return _sentence(wording, {"ask": request.ask, "does": request.does})

    def _say_decline(self, does: str, offered: Sequence[Tool], barring: Tool | None = None) -> str:
        shown = [tool.does for tool in offered if tool is not barring][:1]
        wordings = self._catalogue.wordings["cannot_answer"]
        # Where the one tool offered is the right one, a decline has no other to point to.
        fitting = [wording for wording in wordings if shown or "{offers}" not in wording]
        return _sentence(self._rng.choice(fitting), {"does": does, "offers": " and ".join(shown)})

    def _others(self, count: int, barred: set[str], domain: str | None = None) -> list[Tool]:
        """Tools to offer beside the target, most of them of its own field, so that the field tells little."""
        rest = [tool for tool in self._tools if tool.name not in barred]
        chosen: list[Tool] = []
        for _ in range(count):
            is_near = self._rng.random() < SHARE_OF_SAME_FIELD
            near = [tool for tool in rest if tool.domain == domain] if is_near else []
            chosen.append(self._rng.choice(near or rest))
            rest.remove(chosen[-1])
        return chosen

    def _dress(self, decision: str, say: str) -> str:
        """Put an aside beside some requests, after `_next_count` has begun the decision's turn."""
        place = ASIDES[self._turn[decision] % len(ASIDES)]
        if place is None:
            return say
        aside = self._rng.choice(self._catalogue.asides[place])
        return f"{aside} {say}" if place == "before" else f"{say} {aside}"

    def _next_count(self, decision: str) -> int:
        turn = self._turn.get(decision, 0)
        self._turn[decision] = turn + 1
        return TOOL_COUNTS[turn % len(TOOL_COUNTS)]

    def _shuffled(self, tools: Sequence[Tool]) -> list[Tool]:
        return self._rng.sample(list(tools), len(tools))


def _article_of(value: str, article: str) -> str:
    return f"{article}n" if _SPOKEN_WITH_A_VOWEL.match(value) else article


def _sentence(wording: str, values: Mapping[str, Any]) -> str:
    """Fill a wording in; a value at its start keeps its case, since `hcho` is not `Hcho`."""
    articled = _ARTICLE.sub(lambda found: _article_of(str(values[found[2]]), found[1]), wording)
    text = articled.format(**values)
    return text if wording.startswith("{") else text[:1].upper() + text[1:]
