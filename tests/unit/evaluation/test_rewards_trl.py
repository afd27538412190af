"""The reward as TRL's GRPOTrainer calls it."""

from __future__ import annotations

import json
import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from evaluation.toolcalls import tool_call_reward
from evaluation.toolcalls.rewards.trainer import ToolCallReward, row_of
from tests.tiny_model import make_tiny_model
from tests.unit.evaluation.rows import ANSWERS, TIMER, WEATHER, call_row, hermes, text_row

PARIS = ("get_weather", {"city": "Paris"})
ROWS = [call_row(PARIS), call_row(PARIS), text_row("direct"), {**text_row("direct"), "expected": "no JSON"}]
SAID = [hermes(*PARIS), hermes("get_weather", {"city": "Rome"}), ANSWERS["direct"], ANSWERS["direct"]]
PAID = [1.0, 0.7, 1.0, None]


def call_as_trl_does(function: ToolCallReward, completions: Any, **changes: Any) -> list[float | None]:
    """The keywords of trl 1.16: prompts, completions, their ids, each column, and three of the trainer's."""
    columns = {
        "tools": [row["tools"] for row in ROWS],
        "expected": [row["expected"] for row in ROWS],
        "id": [row["id"] for row in ROWS],
        "completion_ids": [[1, 2]] * len(ROWS),
        **changes,
    }
    return function(
        prompts=[row["messages"] for row in ROWS],
        completions=completions,
        trainer_state=object(),
        log_extra=print,
        log_metric=print,
        **columns,
    )


@pytest.mark.parametrize("conversational", [True, False], ids=["messages", "texts"])
def test_a_batch_is_rewarded_with_none_for_the_row_that_cannot_be_graded(conversational: bool) -> None:
    completions = [[{"role": "assistant", "content": text}] for text in SAID] if conversational else SAID
    paid = call_as_trl_does(tool_call_reward(), completions)
    assert paid == [pytest.approx(value) if value is not None else None for value in PAID]


def test_calls_that_trl_has_parsed_are_read() -> None:
    function = {"name": "get_weather", "arguments": {"city": "Paris"}}
    calling = [{"role": "assistant", "tool_calls": [{"type": "function", "function": function}]}]
    assert call_as_trl_does(tool_call_reward(), [calling] * 4)[0] == 1.0


@pytest.mark.parametrize("changed", ["tools", "expected"])
def test_columns_may_be_objects_or_json(changed: str) -> None:
    values = [row[changed] for row in ROWS]
    turned = [
        json.loads(one) if isinstance(one, str) and one[0] in "[{" else json.dumps(one) for one in values
    ]
    assert call_as_trl_does(tool_call_reward(), SAID, **{changed: turned})[:3] == [
        pytest.approx(value) for value in PAID[:3]
    ]


def test_tools_may_be_in_openais_shape() -> None:
    wrapped = [{"type": "function", "function": tool} for tool in (WEATHER, TIMER)]
    assert row_of({"tools": json.dumps(wrapped)}) == {"tools": [WEATHER, TIMER]}
    assert call_as_trl_does(tool_call_reward(), SAID, tools=[wrapped] * 4)[0] == 1.0


UNEQUAL = [
    ({"tools": [ROWS[0]["tools"]]}, "'tools' has 1 entries for 4 completions", "too short"),
    ({"tools": []}, "'tools' has 0 entries", "empty is not absent"),
    ({"expected": [ROWS[0]["expected"]] * 5}, "'expected' has 5 entries for 4", "too long"),
    ({"answers": [None]}, "'answers' has 1 entries", "the one of multiple choice too"),
    ({"expected": None}, "'expected' is absent", "nothing to judge by"),
    ({"tools": None}, "no column 'tools'", "calls are expected, of which tools nobody knows"),
]


@pytest.mark.parametrize(("changes", "named", "why"), UNEQUAL, ids=[why for *_, why in UNEQUAL])
def test_columns_that_do_not_fit_the_batch_are_named(changes: dict[str, Any], named: str, why: str) -> None:
    with pytest.raises(ValueError, match=named):
        call_as_trl_does(tool_call_reward(), SAID, **changes)


@pytest.mark.parametrize("ids", [None, [[1, 2]]], ids=["absent", "too short"])
def test_ids_that_cannot_be_decoded_are_named(ids: Any) -> None:
    with pytest.raises(ValueError, match="'completion_ids'"):
        call_as_trl_does(tool_call_reward(decode=spell), SAID, completion_ids=ids)


def test_tools_are_needed_where_calls_are_expected_alone() -> None:
    texts = {"expected": [text_row("direct")["expected"]] * 4, "tools": None}
    assert call_as_trl_does(tool_call_reward(), [ANSWERS["direct"]] * 4, **texts) == [1.0] * 4
    without = [None, *(row["tools"] for row in ROWS[1:])]
    paid = call_as_trl_does(tool_call_reward(), SAID, tools=without)
    assert paid == [None, pytest.approx(0.7), 1.0, None]


def test_weights_and_format_are_checked_when_it_is_made_and_kept() -> None:
    with pytest.raises(ValueError, match="'vlaues'"):
        tool_call_reward({"vlaues": 1})
    with pytest.raises(ValueError, match="known are"):
        tool_call_reward(format="hermese")
    by_value = tool_call_reward({"values": 2})
    assert call_as_trl_does(by_value, SAID)[1] == 0.0


def spell(ids: Sequence[int]) -> str:
    """A tokenizer whose tokens are characters."""
    return "".join(map(chr, ids))


def test_tags_that_are_special_tokens_are_read_from_the_ids() -> None:
    call = '[{"name": "get_weather", "arguments": {"city": "Paris"}}]'
    ids = [list(map(ord, f"[TOOL_CALLS]{call}</s>"))] * 4
    function = tool_call_reward(format="mistral", decode=spell)
    assert call_as_trl_does(function, [call] * 4, completion_ids=ids)[0] == 1.0
    assert call_as_trl_does(tool_call_reward(format="mistral"), [call] * 4, completion_ids=ids)[0] == 0.0
    assert pickle.loads(pickle.dumps(function)).decode is spell  # noqa: S301


def test_it_can_be_pickled_and_has_a_name() -> None:
    function = pickle.loads(pickle.dumps(tool_call_reward({"tool": 1}, format="qwen3")))  # noqa: S301
    assert (function.__name__, function.weights, function.format) == (
        "tool_call_reward",
        {"tool": 1.0},
        "qwen3",
    )


def test_a_trainer_takes_it(tmp_path: Path) -> None:
    from datasets import Dataset
    from trl import GRPOConfig, GRPOTrainer

    rows = [{**row, "prompt": row["messages"], "expected": json.dumps(row["expected"])} for row in ROWS]
    columns = ("prompt", "tools", "expected", "id")
    model = make_tiny_model(tmp_path / "model")
    trainer = GRPOTrainer(
        model=str(model),
        reward_funcs=tool_call_reward(),
        train_dataset=Dataset.from_list([{name: row[name] for name in columns} for row in rows]),
        args=GRPOConfig(
            output_dir=str(tmp_path / "out"),
            per_device_train_batch_size=8,
            num_generations=2,
            max_completion_length=8,
            max_steps=1,
            logging_steps=1,
            use_cpu=True,
            bf16=False,
            report_to="none",
            save_strategy="no",
            seed=0,
        ),
    )
    trainer.train()
    # Random words are right for the plain answer and wrong for two calls; the last row is not graded.
    assert trainer.state.log_history[0]["rewards/tool_call_reward/mean"] == pytest.approx(1 / 3, abs=0.01)
