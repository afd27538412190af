"""What a judge is asked about: a suite's predictions, and gold answers whose decision is known."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice, zip_longest
from typing import Any

from evaluation.judge.clients import Request
from evaluation.judge.prompt import Prompt, digest_of
from evaluation.judge.verdicts import Key, Kind, key_of
from evaluation.toolcalls import DECISIONS
from evaluation.toolcalls.formats.endings import without_stop_tokens

Row = Mapping[str, Any]
Prediction = Mapping[str, Any]


@dataclass(frozen=True)
class Item:
    """One answer to be judged; `expected` is the row's decision, for gold the answer's own."""

    id: str
    kind: Kind
    expected: str
    request: Request
    digest: str

    @property
    def key(self) -> Key:
        """What tells it from every other item of a run."""
        return key_of(self.kind, self.id, self.expected)


@dataclass(frozen=True)
class Answers:
    """A suite's predictions: the items to ask about, and by row id those that need no judge.

    `blank`: rows whose answer says nothing, which is none of the four decisions. `faults`: why a row has no
    answer to judge. `left_out`: how many more there are than were asked for.
    """

    items: Sequence[Item]
    blank: frozenset[str]
    faults: Mapping[str, str]
    left_out: int


def collect_answers(
    rows: Sequence[Row],
    by_id: Mapping[str, Sequence[Prediction]],
    prompt: Prompt,
    limit: int | None,
    seed: int,
) -> Answers:
    """Put each row's prediction before the judge; of more than `limit`, a sample drawn by the seed.

    A larger limit draws the same rows and more, so that no verdict of an earlier run is lost.
    """
    faults = {row["id"]: fault for row in rows if (fault := _fault_of(by_id.get(row["id"], [])))}
    told = {row["id"]: answer_text(by_id[row["id"]][0]) for row in rows if row["id"] not in faults}
    blank = frozenset(row_id for row_id, text in told.items() if not without_stop_tokens(text).strip())
    asked = [row for row in rows if row["id"] in told and row["id"] not in blank]
    drawn = asked if limit is None else sorted(asked, key=lambda row: _draw(seed, row["id"]))[:limit]
    items = [_item(row, "prediction", row["expected"]["decision"], told[row["id"]], prompt) for row in drawn]
    return Answers(items, blank, faults, len(asked) - len(drawn))


def sample_gold(rows: Sequence[Row], prompt: Prompt, max_gold: int, seed: int) -> list[Item]:
    """Draw up to `max_gold` answers whose decision is known, as many of each decision as there are.

    They are the four answers of When2Call's rows; of other rows the expected text or calls. A larger number
    draws the same ones and more.
    """
    by_decision: dict[str, list[tuple[Row, str]]] = {decision: [] for decision in DECISIONS}
    for row in rows:
        for decision, answer in _gold_answers(row).items():
            by_decision[decision].append((row, answer))
    drawn = [
        [(row, decision, answer) for row, answer in _shuffled(answers, decision, seed)]
        for decision, answers in by_decision.items()
    ]
    in_turn = (one for one in chain.from_iterable(zip_longest(*drawn)) if one is not None)
    return [
        _item(row, "gold", decision, answer, prompt) for row, decision, answer in islice(in_turn, max_gold)
    ]


def answer_text(prediction: Prediction) -> str:
    """A prediction as the judge reads it: its text as it was written, a message's calls as JSON."""
    completion = prediction["completion"]
    if isinstance(completion, str):
        return completion
    content, calls = completion.get("content"), completion.get("tool_calls")
    text = content if isinstance(content, str) else json.dumps(content) if content else ""
    return "\n".join(part for part in (text, json.dumps(calls) if calls else "") if part)


def _fault_of(predictions: Sequence[Prediction]) -> str | None:
    """Why there is no one answer to judge; in the words of evaluation.toolcalls.suite."""
    if not predictions:
        return "no prediction has this id"
    if any(other != predictions[0] for other in predictions[1:]):
        return f"{len(predictions)} different predictions have this id"
    if predictions[0].get("error"):
        return f"not predicted: {predictions[0]['error']}"
    if not isinstance(predictions[0].get("completion"), str | Mapping):
        return "the prediction is no completion"
    return None


def _gold_answers(row: Row) -> dict[str, str]:
    answers, expected = row.get("answers"), row["expected"]
    if answers:
        return {
            name: _call_text([text]) if name == "tool_call" else text
            for name, text in answers.items()
            if name in DECISIONS and text.strip()
        }
    if expected["decision"] != "tool_call":
        return {expected["decision"]: expected["text"]} if (expected.get("text") or "").strip() else {}
    calls = [
        f'{{"name": {json.dumps(call["name"])}, "arguments": {call["arguments"]}}}'
        for call in expected.get("calls") or ()
    ]
    return {"tool_call": _call_text(calls)} if calls else {}


def _call_text(calls: Iterable[str]) -> str:
    """Calls as Hermes models write them, so that gold looks like what a model wrote."""
    return "\n".join(f"<tool_call>\n{call}\n</tool_call>" for call in calls)


def _shuffled(answers: Sequence[tuple[Row, str]], decision: str, seed: int) -> list[tuple[Row, str]]:
    return sorted(answers, key=lambda one: _draw(seed, decision, one[0]["id"]))


def _draw(seed: int, *names: str) -> bytes:
    """A place in an order that the seed shuffles, whatever other rows there are."""
    return hashlib.sha256(json.dumps([seed, *names]).encode()).digest()


def _item(row: Row, kind: Kind, expected: str, answer: str, prompt: Prompt) -> Item:
    request = prompt.request(row, answer)
    return Item(row["id"], kind, expected, request, digest_of(request))
