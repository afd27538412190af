"""Score multiple choice by log-likelihood, as lm-evaluation-harness does.

`acc`: the choice with the greatest summed log-probability is the gold one. `acc_norm`: the same after each
sum is divided by the number of characters of its choice. Ties go to the first choice, as numpy's argmax has
it. Source: `process_results` of multiple-choice tasks in EleutherAI/lm-evaluation-harness.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from evaluation.toolcalls.gold import Row
from evaluation.toolcalls.score import DECISIONS, Score, decision_reason

_GREATEST = sys.float_info.max


def score_choices(choices: Any, row: Row) -> Score:
    """Grade the four answers' likelihoods against a row that has `answers`.

    `choices`: {name: {"logprob": nats, "tokens": int, "characters": int}} for every name in `row["answers"]`,
    in whose order ties are broken. `value` is acc_norm. Unscored where a choice is absent, its
    log-probability is no finite number, or its tokens or characters are no number from 1.
    """
    expected = row.get("expected")
    decision = expected.get("decision") if isinstance(expected, Mapping) else None
    answers = row.get("answers")
    if decision not in DECISIONS or not isinstance(answers, Mapping) or decision not in answers:
        return Score(None, error="the row has no 'answers' with the one that 'expected.decision' names")
    faults = [fault for name in answers if (fault := _fault_of(choices, name))]
    if faults:
        return Score(None, error=faults[0])
    likeliest = _first_greatest({name: choices[name]["logprob"] for name in answers})
    normalised = {name: choices[name]["logprob"] / choices[name]["characters"] for name in answers}
    chosen = _first_greatest(normalised)
    acc, acc_norm = float(likeliest == decision), float(chosen == decision)
    parts = {"acc": acc, "acc_norm": acc_norm, "decision": acc_norm}
    return Score(acc_norm, decision_reason(decision, chosen), parts, chosen)


def _first_greatest(numbers: Mapping[str, float]) -> str:
    return max(numbers, key=lambda name: numbers[name])


def _fault_of(choices: Any, name: str) -> str | None:
    choice = choices.get(name) if isinstance(choices, Mapping) else None
    if not isinstance(choice, Mapping):
        return f"the prediction has no choice {name!r}"
    if not _is_number(choice.get("logprob"), -_GREATEST):
        return f"the log-probability of choice {name!r} is not a finite number"
    for field in ("tokens", "characters"):
        if not isinstance(choice.get(field), int) or not _is_number(choice[field], 1):
            return f"choice {name!r} has no {field}: give their number, from 1"
    return None


def _is_number(value: Any, least: float) -> bool:
    # By comparison, which takes any whole number; math.isfinite and a division raise for one past floats.
    is_one = isinstance(value, int | float) and not isinstance(value, bool)
    return is_one and least <= value <= _GREATEST
