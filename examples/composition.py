"""Scenes: a request, the tools offered with it, and every answer that could be given, right and wrong."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from examples.catalogue import Catalogue, Request, Tool

# How many tools are offered, in turn and alike in every decision: their number must tell nothing. Few,
# because tokens are what a demonstration on a CPU runs out of.
TOOL_COUNTS = (1, 2, 3, 2, 4, 1, 2, 3)


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

    `history`: earlier turns. `missing`: the parameter that an ask scene leaves out.
    """

    decision: str
    domain: str
    say: str
    offered: Sequence[Tool]
    calls: Mapping[str, Call]
    ask: str
    decline: str
    direct: str
    target: Tool | None = None
    missing: str | None = None
    history: Sequence[Mapping[str, str]] = field(default=())


class Composer:
    """Composes scenes in one style (train or test) from a catalogue; equal seeds give equal scenes."""

    def __init__(self, catalogue: Catalogue, style: str, tools: Sequence[Tool], seed: str) -> None:
        self._catalogue = catalogue
        self._style = style
        self._tools = tools
        self._rng = random.Random(seed)  # noqa: S311 — a reproducible draft, not a secret
        self._turn: dict[str, int] = {}

    def call(self, tool: Tool, wording: str) -> Scene:
        """A request that a tool answers."""
        return self._tool_scene("tool_call", tool, wording, missing=None)

    def ask(self, tool: Tool, missing: str, wording: str) -> Scene:
        """A request that leaves out a required parameter of the tool it needs."""
        return self._tool_scene("request_for_info", tool, wording, missing)

    def withhold(self, tool: Tool, wording: str) -> Scene:
        """A request whose tool is not offered."""
        return self._tool_scene("cannot_answer", tool, wording, missing=None)

    def reply(self, tool: Tool, missing: str, wording: str) -> Scene:
        """A request that lacked a parameter, the question for it, and the user's reply."""
        values = self._values(tool)
        asked = self._say_ask(tool, missing)
        history = (
            {"role": "user", "content": _sentence(wording, values)},
            {"role": "assistant", "content": asked},
        )
        scene = self._tool_scene("tool_call", tool, "", None, values)
        say = self._rng.choice(self._catalogue.replies).format(value=values[missing])
        return _replace(scene, say=say, history=history)

    def out_of_scope(self, request: Request) -> Scene:
        """A request that no tool serves; a tool of the same field tempts."""
        count = self._next_count("cannot_answer")
        near = self._catalogue.tools.get(request.near)
        others = self._others(count - (near is not None), {request.near})
        offered = self._shuffled([*([near] if near else []), *others])
        tempting = near or offered[0]
        return Scene(
            decision="cannot_answer",
            domain=tempting.domain,
            say=request.say,
            offered=offered,
            calls={"right": Call(tempting.name, self._values(tempting))},
            ask=request.ask,
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
            ask=request.ask,
            decline=self._say_decline(request.does, offered),
            direct=request.answer,
        )

    def _tool_scene(
        self,
        decision: str,
        tool: Tool,
        wording: str,
        missing: str | None,
        values: dict[str, Any] | None = None,
    ) -> Scene:
        values = values or self._values(tool)
        count = self._next_count(decision)
        is_offered = decision != "cannot_answer"
        others = self._others(count - is_offered, {tool.name}, domain=tool.domain)
        offered = self._shuffled([*([tool] if is_offered else []), *others])
        return Scene(
            decision=decision,
            domain=tool.domain,
            say=_sentence(wording, values),
            offered=offered,
            calls=self._calls(tool, values, others),
            ask=self._say_ask(tool, missing or self._rng.choice(list(tool.parameters))),
            decline=self._say_decline(tool.does, others or offered, barring=tool if is_offered else None),
            direct=_sentence(self._rng.choice(tool.claims), values),
            target=tool if is_offered else None,
            missing=missing,
        )

    def _calls(self, tool: Tool, values: Mapping[str, Any], others: Sequence[Tool]) -> dict[str, Call]:
        spoiled = self._rng.choice(list(tool.parameters))
        other = self._catalogue.pick_other(tool, spoiled, values[spoiled], self._style, self._rng)
        calls = {
            "right": Call(tool.name, values),
            "missing_argument": Call(tool.name, {key: values[key] for key in values if key != spoiled}),
            "wrong_value": Call(tool.name, {**values, spoiled: other}),
        }
        if others:
            calls["wrong_tool"] = Call(others[0].name, self._values(others[0]))
        return calls

    def _values(self, tool: Tool) -> dict[str, Any]:
        return self._catalogue.pick_values(tool, self._style, self._rng)

    def _say_ask(self, tool: Tool, missing: str) -> str:
        wording = self._rng.choice(self._catalogue.wordings["request_for_info"][self._style])
        part = tool.parameters[missing]
        return _sentence(wording, {"ask": part.ask, "noun": part.noun, "does": tool.does})

    def _say_decline(self, does: str, offered: Sequence[Tool], barring: Tool | None = None) -> str:
        shown = [tool.does for tool in offered if tool is not barring][:2]
        wordings = self._catalogue.wordings["cannot_answer"][self._style]
        # Where the one tool offered is the right one, a decline has no other to point to.
        fitting = [wording for wording in wordings if shown or "{offers}" not in wording]
        return _sentence(self._rng.choice(fitting), {"does": does, "offers": " and ".join(shown)})

    def _others(self, count: int, barred: set[str], domain: str | None = None) -> list[Tool]:
        """Tools to offer beside the target, half of them of its own field, so that the field tells little."""
        rest = [tool for tool in self._tools if tool.name not in barred]
        chosen: list[Tool] = []
        for _ in range(count):
            near = [tool for tool in rest if tool.domain == domain] if self._rng.random() < 0.5 else []
            chosen.append(self._rng.choice(near or rest))
            rest.remove(chosen[-1])
        return chosen

    def _next_count(self, decision: str) -> int:
        turn = self._turn.get(decision, 0)
        self._turn[decision] = turn + 1
        return TOOL_COUNTS[turn % len(TOOL_COUNTS)]

    def _shuffled(self, tools: Sequence[Tool]) -> list[Tool]:
        return self._rng.sample(list(tools), len(tools))


def _sentence(wording: str, values: Mapping[str, Any]) -> str:
    """Fill a wording in; a value at its start keeps its case, since `hcho` is not `Hcho`."""
    text = wording.format(**values)
    return text if wording.startswith("{") else text[:1].upper() + text[1:]


def _replace(scene: Scene, **changes: Any) -> Scene:
    return Scene(**{**scene.__dict__, **changes})
