"""Compose the shipped rows from the catalogue: `python -m examples.author` writes `examples/rows/*.jsonl`.

The wordings of a tool are dealt out by position: training, preference and test rows share none of them.
Rows are written in When2Call's published shapes, so that the readers are used for real.
"""

import argparse
import json
import uuid
from collections.abc import Iterator, Sequence
from itertools import cycle
from pathlib import Path
from typing import Any

from data.messages import write_toolcalls
from examples.catalogue import Catalogue, Tool, load_catalogue
from examples.composition import Composer, Scene

ROWS = Path(__file__).parent / "rows"
SOURCE = "toolwright-examples"
# Which of a tool's written requests serve which rows.
SFT_CALLS, PREFERENCE_CALLS, TEST_CALLS = slice(0, 5), slice(5, 8), slice(8, 9)
SFT_ASKS, PREFERENCE_ASKS, TEST_ASKS = slice(0, 4), slice(4, 6), slice(6, 7)
CALL_FAULTS = ("ask", "decline", "direct", "wrong_tool", "missing_argument", "wrong_value")
ASK_FAULTS = ("right", "decline", "right", "direct")
DECLINE_FAULTS = ("right", "ask", "direct")
DIRECT_FAULTS = ("right", "decline", "ask")


def compose_sft(catalogue: Catalogue) -> Iterator[dict[str, Any]]:
    """SFT rows: contrasts of the same request with and without a value, with and without its tool."""
    tools = seen_tools(catalogue)
    composer = Composer(catalogue, "train", tools, "sft")
    scenes = []
    for number, tool in enumerate(tools):
        calls, asks = tool.calls[SFT_CALLS], tool.asks[SFT_ASKS]
        scenes += [composer.call(tool, wording) for wording in calls]
        scenes += [composer.ask(tool, *ask) for ask in asks]
        scenes.append(composer.ask(tool, *asks[number % 4]))
        scenes += [composer.withhold(tool, calls[(number + shift) % 5]) for shift in (0, 2)]
        if number % 2:
            scenes.append(composer.reply(tool, *asks[(number + 1) % 4]))
        else:
            scenes.append(composer.withhold(tool, asks[(number + 1) % 4][1]))
    scenes += [composer.out_of_scope(request) for request in catalogue.out_of_scope["sft"]]
    scenes += [composer.direct(request) for request in catalogue.direct["sft"]]
    for scene in scenes:
        answer = {"role": "assistant", "content": right_answer(scene)}
        yield {
            **_shared(scene, "sft", answer),
            "messages": [*scene.history, {"role": "user", "content": scene.say}, answer],
        }


def compose_preference(catalogue: Catalogue) -> Iterator[dict[str, Any]]:
    """Preference rows: the right answer over each way to get the same request wrong."""
    tools = seen_tools(catalogue)
    composer = Composer(catalogue, "train", tools, "preference")
    for scene, fault in _preference_scenes(catalogue, composer, tools):
        kind = fault if fault in (*scene.calls, "ask", "decline", "direct") else "missing_argument"
        rejected = answer_with(scene, kind)
        yield {
            **_shared(scene, "preference", rejected),
            "messages": [{"role": "user", "content": scene.say}],
            "chosen_response": {"role": "assistant", "content": right_answer(scene)},
            "rejected_response": {"role": "assistant", "content": rejected},
            "rejected_kind": "call" if kind == "right" else kind,
        }


def compose_test(catalogue: Catalogue) -> Iterator[dict[str, Any]]:
    """Multiple-choice rows: half on tools of training, in other words and values, half on other tools."""
    seen, held_out = seen_tools(catalogue), held_out_tools(catalogue)
    calls = [(tool, wording) for tool in seen for wording in tool.calls[TEST_CALLS]]
    asks = [(tool, *ask) for tool in seen for ask in tool.asks[TEST_ASKS]]
    composer = Composer(catalogue, "test", seen, "test of seen tools")
    yield from _compose_test_half(catalogue, composer, calls, asks, is_held_out=False)
    calls = [(tool, wording) for tool in held_out for wording in tool.calls]
    asks = [(tool, *ask) for tool in held_out for ask in tool.asks]
    composer = Composer(catalogue, "test", list(catalogue.tools.values()), "test of held-out tools")
    yield from _compose_test_half(catalogue, composer, calls, asks, is_held_out=True)


def right_answer(scene: Scene) -> str:
    """The answer that the scene's decision asks for."""
    if scene.decision == "tool_call":
        return answer_with(scene, "right")
    texts = {"request_for_info": scene.ask, "cannot_answer": scene.decline, "direct": scene.direct}
    return texts[scene.decision]


def answer_with(scene: Scene, kind: str) -> str:
    """An answer of a kind: `ask`, `decline`, `direct`, or one of the scene's calls."""
    if kind in scene.calls:
        return write_toolcalls([scene.calls[kind].to_json()])
    return {"ask": scene.ask, "decline": scene.decline, "direct": scene.direct}[kind]


def seen_tools(catalogue: Catalogue) -> list[Tool]:
    """The tools of the training rows."""
    return [tool for tool in catalogue.tools.values() if not tool.held_out]


def held_out_tools(catalogue: Catalogue) -> list[Tool]:
    """The tools that only test rows have."""
    return [tool for tool in catalogue.tools.values() if tool.held_out]


def _preference_scenes(
    catalogue: Catalogue, composer: Composer, tools: Sequence[Tool]
) -> Iterator[tuple[Scene, str]]:
    call_faults, ask_faults = cycle(CALL_FAULTS), cycle(ASK_FAULTS)
    decline_faults, direct_faults = cycle(DECLINE_FAULTS), cycle(DIRECT_FAULTS)
    for number, tool in enumerate(tools):
        calls, asks = tool.calls[PREFERENCE_CALLS], tool.asks[PREFERENCE_ASKS]
        yield from ((composer.call(tool, wording), next(call_faults)) for wording in calls)
        yield from ((composer.ask(tool, *ask), next(ask_faults)) for ask in asks)
        yield composer.ask(tool, *asks[number % 2]), "right"
        yield composer.withhold(tool, calls[number % 3]), next(decline_faults)
    for request in catalogue.out_of_scope["preference"]:
        scene = composer.out_of_scope(request)
        yield from ((scene, next(decline_faults)) for _ in range(2))
    for request in catalogue.direct["preference"]:
        yield composer.direct(request), next(direct_faults)


def _compose_test_half(
    catalogue: Catalogue,
    composer: Composer,
    calls: Sequence[tuple[Tool, str]],
    asks: Sequence[tuple[Tool, str, str]],
    *,
    is_held_out: bool,
) -> Iterator[dict[str, Any]]:
    requests = catalogue.out_of_scope["test"]
    beyond = [one for one in requests if catalogue.tools[one.near].held_out == is_held_out]
    # As many rows decline as call: those beyond every tool, and calls whose tool is taken away.
    withheld = len(calls) - len(beyond)
    scenes = [composer.call(*call) for call in calls]
    scenes += [composer.ask(*ask) for ask in asks]
    scenes += [composer.withhold(*calls[number * len(calls) // withheld]) for number in range(withheld)]
    scenes += [composer.out_of_scope(request) for request in beyond]
    yield from (_multiple_choice(scene, is_held_out) for scene in scenes)


def _shared(scene: Scene, split: str, answer: object) -> dict[str, Any]:
    tools = [tool.describe() for tool in scene.offered]
    return {
        "id": _identify(split, scene, answer),
        "source": f"{SOURCE}/{scene.domain}",
        "decision": scene.decision,
        "tools": tools,
    }


def _multiple_choice(scene: Scene, is_held_out: bool) -> dict[str, Any]:
    return {
        "uuid": _identify("test", scene, scene.decision),
        "source": f"{SOURCE}/{scene.domain}",
        "tools_seen_in_training": not is_held_out,
        "question": scene.say,
        "correct_answer": scene.decision,
        "answers": {
            "direct": scene.direct,
            "tool_call": json.dumps(scene.calls["right"].to_json(), ensure_ascii=False),
            "request_for_info": scene.ask,
            "cannot_answer": scene.decline,
        },
        # None where the tool is not offered, as published.
        "target_tool": json.dumps(scene.target.describe()) if scene.target else None,
        "tools": [json.dumps(tool.describe(), ensure_ascii=False) for tool in scene.offered],
        "held_out_param": scene.missing,
    }


def _identify(split: str, scene: Scene, answer: object) -> str:
    seen = json.dumps([split, scene.say, [tool.name for tool in scene.offered], answer])
    return str(uuid.uuid5(uuid.NAMESPACE_URL, seen))


def main() -> None:
    """Write the three files."""
    argparse.ArgumentParser(prog="python -m examples.author", description=__doc__).parse_args()
    catalogue = load_catalogue()
    composed = {"train_sft": compose_sft, "train_pref": compose_preference, "test": compose_test}
    ROWS.mkdir(exist_ok=True)
    for name, compose in composed.items():
        lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in compose(catalogue)]
        (ROWS / f"{name}.jsonl").write_text("".join(lines), encoding="utf-8")
        print(f"{name}: {len(lines)} rows")


if __name__ == "__main__":
    main()
