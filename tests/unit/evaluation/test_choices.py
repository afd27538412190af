"""Multiple choice: acc and acc_norm are lm-evaluation-harness's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.toolcalls import score_choices
from tests.unit.evaluation.rows import ANSWERS, choice_row

NAMES = list(ANSWERS)


def choices_of(logprobs: list[float], characters: list[int]) -> dict[str, Any]:
    return {
        name: {"logprob": logprob, "tokens": 3, "characters": count}
        for name, logprob, count in zip(NAMES, logprobs, characters, strict=True)
    }


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.floats(-500, 0) | st.sampled_from([-10.0, -20.0]), min_size=4, max_size=4),
    st.lists(st.integers(1, 300) | st.sampled_from([10, 20]), min_size=4, max_size=4),
    st.sampled_from(NAMES),
)
def test_acc_and_acc_norm_equal_the_harness(logprobs: list[float], characters: list[int], gold: str) -> None:
    score = score_choices(choices_of(logprobs, characters), choice_row(gold))
    # As lm_eval's multiple-choice tasks compute them, ties included.
    lls, lengths = np.array(logprobs), np.array([float(count) for count in characters])
    assert score.parts["acc"] == float(np.argmax(lls) == NAMES.index(gold))
    assert score.parts["acc_norm"] == float(np.argmax(lls / lengths) == NAMES.index(gold))
    assert score.value == score.parts["acc_norm"]
    assert score.decision == NAMES[int(np.argmax(lls / lengths))]


def test_the_longer_answer_wins_by_character_and_loses_by_sum() -> None:
    score = score_choices(choices_of([-10, -30, -99, -99], [10, 60, 10, 10]), choice_row("tool_call"))
    assert (score.parts["acc"], score.parts["acc_norm"]) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("gold", "chosen", "reason"),
    [
        ("tool_call", "tool_call", "correct"),
        ("tool_call", "request_for_info", "ask_when_should_call"),
        ("request_for_info", "tool_call", "call_when_should_ask"),
        ("cannot_answer", "tool_call", "call_when_should_decline"),
        ("cannot_answer", "direct", "answer_when_should_not"),
    ],
)
def test_the_reason_says_which_decision_was_taken_instead(gold: str, chosen: str, reason: str) -> None:
    logprobs = [-1.0 if name == chosen else -50.0 for name in NAMES]
    assert score_choices(choices_of(logprobs, [10] * 4), choice_row(gold)).reason == reason


GOOD = choices_of([-1, -2, -3, -4], [5] * 4)


@pytest.mark.parametrize(
    ("choices", "named"),
    [
        ({name: one for name, one in GOOD.items() if name != "direct"}, "'direct'"),
        ({**GOOD, "direct": {"logprob": float("nan"), "tokens": 1, "characters": 5}}, "not a finite number"),
        *(
            ({**GOOD, "direct": {"logprob": logprob, "tokens": 1, "characters": 5}}, "not a finite number")
            for logprob in (None, "-1", True, -(10**400), 10**400, float("-inf"), [-1.0])
        ),
        *(
            ({**GOOD, "direct": {"logprob": -1.5, "tokens": 1, "characters": count}}, "no characters")
            for count in (None, 0, -3, True, 5.0, "5", 10**400)
        ),
        *(
            ({**GOOD, "direct": {"logprob": -1.5, "tokens": count, "characters": 5}}, "no tokens")
            for count in (None, 0, True, 1.0, 10**400)
        ),
        ({**GOOD, "direct": {"tokens": 1, "characters": 5}}, "not a finite number"),
        ({**GOOD, "direct": {"logprob": -1.5, "characters": 5}}, "no tokens"),
        ("nonsense", "no choice"),
        (None, "no choice"),
    ],
)
def test_unusable_choices_are_unscored(choices: Any, named: str) -> None:
    score = score_choices(choices, choice_row("direct"))
    assert score.value is None
    assert named in str(score.error)


def test_numbers_at_the_end_of_the_floats_are_compared() -> None:
    choices = choices_of([-(10**308), -1.7e308, -2, -3], [10**308, 1, 1, 1])
    assert score_choices(choices, choice_row("direct")).decision == NAMES[0]


def test_a_row_without_answers_is_unscored() -> None:
    row = choice_row("direct")
    del row["answers"]
    assert score_choices(GOOD, row).value is None
