"""Compose the shipped rows from the catalogue: `python -m examples.author` writes `examples/rows/*.jsonl`.

The wordings of a tool are dealt out by position: SFT and preference rows share none of them. Test rows are
hand-written one by one. Rows have When2Call's published shapes, so that the readers are used for real.
"""

import argparse
import json
import uuid
from collections.abc import Iterator, Sequence
from itertools import cycle
from pathlib import Path
from typing import Any

from data.shapes.messages import write_toolcalls
from examples.catalogue import Catalogue, Tool, load_catalogue
from examples.composition import Composer, Scene
from examples.multiple_choice import compose_test

ROWS = Path(__file__).parent / "rows"
SOURCE = "toolwright-examples"
# Which of a tool's written requests serve which rows.
SFT_CALLS, PREFERENCE_CALLS = slice(0, 4), slice(-4, None)
SFT_ASKS, PREFERENCE_ASKS = slice(0, 3), slice(3, None)
# What the right answer is set against, in turn. Each decision is chosen as often as the others: a small model
# leans to the one that wins more often, whatever is asked.
CALL_FAULTS = (
    *("ask", "decline", "wrong_value", "decline", "ask", "direct", "ask", "decline", "wrong_tool", "ask"),
    *("decline", "ask", "missing_argument", "decline", "ask", "decline", "wrong_tool", "ask", "decline"),
    *("wrong_value", "ask", "decline", "missing_argument", "ask", "wrong_tool"),
)
ASK_FAULTS = ("right", "decline", "right", "right", "decline", "right", "decline", "right", "direct")
DECLINE_FAULTS = ("right", "ask", "right", "ask", "right", "ask", "right", "ask", "direct")
DIRECT_FAULTS = ("right", "decline", "ask")


def compose_sft(catalogue: Catalogue) -> Iterator[dict[str, Any]]:
    """SFT rows: contrasts of the same request with and without a value, with and without its tool."""
    composer = Composer(catalogue, "sft")
    scenes = []
    for number, tool in enumerate(catalogue.tools.values()):
        calls, asks = tool.calls[SFT_CALLS], tool.asks[SFT_ASKS]
        scenes += [composer.call(tool, wording) for wording in calls]
        scenes += [composer.ask(tool, *ask) for ask in asks]
        scenes += [composer.withhold(tool, calls[(number + shift) % len(calls)]) for shift in (0, 2)]
        if number % 2:
            scenes.append(composer.reply(tool, *asks[(number + 1) % len(asks)]))
        else:
            scenes.append(composer.withhold(tool, asks[(number + 1) % len(asks)][1]))
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
    composer = Composer(catalogue, "preference")
    for scene, fault in _preference_scenes(catalogue, composer, list(catalogue.tools.values())):
        # With a single tool on offer there is no other to call.
        kind = fault if fault in (*scene.calls, "ask", "decline", "direct") else "missing_argument"
        rejected = answer_with(scene, kind)
        yield {
            **_shared(scene, "preference", rejected),
            "messages": [{"role": "user", "content": scene.say}],
            "chosen_response": {"role": "assistant", "content": right_answer(scene)},
            "rejected_response": {"role": "assistant", "content": rejected},
            "rejected_kind": "call" if kind == "right" else kind,
        }


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


def _preference_scenes(
    catalogue: Catalogue, composer: Composer, tools: Sequence[Tool]
) -> Iterator[tuple[Scene, str]]:
    call_faults, ask_faults = cycle(CALL_FAULTS), cycle(ASK_FAULTS)
    decline_faults, direct_faults = cycle(DECLINE_FAULTS), cycle(DIRECT_FAULTS)
    for number, tool in enumerate(tools):
        calls, asks = tool.calls[PREFERENCE_CALLS], tool.asks[PREFERENCE_ASKS]
        for wording in calls[: 2 + number % 2]:
            yield composer.call(tool, wording), next(call_faults)
        for turn in range(2 + number % 2):
            yield composer.ask(tool, *asks[turn % len(asks)]), next(ask_faults)
        for wording in calls[3 - number % 2 :]:
            yield composer.withhold(tool, wording), next(decline_faults)
    for request in catalogue.out_of_scope["preference"]:
        yield composer.out_of_scope(request), next(decline_faults)
    for request in catalogue.direct["preference"]:
        yield composer.direct(request), next(direct_faults)


def _shared(scene: Scene, split: str, answer: object) -> dict[str, Any]:
    return {
        "id": _identify(split, scene, answer),
        "source": f"{SOURCE}/{scene.domain}",
        "decision": scene.decision,
        "tools": [tool.describe() for tool in scene.offered],
    }


def _identify(split: str, scene: Scene, answer: object) -> str:
    seen = json.dumps([split, scene.say, [tool.name for tool in scene.offered], answer])
    return str(uuid.uuid5(uuid.NAMESPACE_URL, seen))


def main() -> None:
    """Write the three files."""
    argparse.ArgumentParser(prog="python -m examples.author", description=__doc__).parse_args()
    catalogue = load_catalogue()
    composed = {
        "train_sft": compose_sft(catalogue),
        "train_pref": compose_preference(catalogue),
        "test": compose_test(),
    }
    ROWS.mkdir(exist_ok=True)
    for name, rows in composed.items():
        lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in rows]
        (ROWS / f"{name}.jsonl").write_text("".join(lines), encoding="utf-8")
        print(f"{name}: {len(lines)} rows")


if __name__ == "__main__":
    main()
