"""Planted faults: each gets its own reason, on the shipped rows and on real ones, and a miss is told."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from bench import grader, mutations
from bench.mutations import MUTATIONS, ROWS, Mutation, reasons_by_mutation
from bench.planting import Call, Case, Donor, Planted, says, value_changed, write_calls
from evaluation.inputs import read_rows_of_any_shape
from evaluation.jsonl import write_jsonl
from evaluation.toolcalls import REASONS
from jobs.doors import BadInput
from tests.unit.evaluation.rows import TIMER, call_row, text_row
from tests.unit.evaluation.test_real_rows import read

DONOR = Donor({**TIMER, "name": "lend"}, Call("lend", {"minutes": 5}, {"minutes": (5,)}))


def seeded(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311 — what is planted, no secret


def assert_each_has_its_own_reason(matrix: dict[str, dict[str, int]]) -> None:
    assert {name: set(reasons) for name, reasons in matrix.items()} == {
        name: {mutation.reason} for name, mutation in MUTATIONS.items()
    }


@pytest.mark.parametrize("seed", [mutations.SEED, 1, 2])
def test_every_fault_in_the_shipped_rows_is_given_its_own_reason(seed: int) -> None:
    matrix = reasons_by_mutation(read_rows_of_any_shape(ROWS).rows, seed)
    assert_each_has_its_own_reason(matrix)
    assert min(sum(reasons.values()) for reasons in matrix.values()) >= 40


def test_every_fault_in_real_rows_is_given_its_own_reason(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "rows.jsonl", read("calls_test.jsonl"))
    assert_each_has_its_own_reason(reasons_by_mutation(read_rows_of_any_shape(tmp_path / "rows.jsonl").rows))


def test_every_reason_there_is_is_planted() -> None:
    assert {mutation.reason for mutation in MUTATIONS.values()} == set(REASONS)


def test_what_is_planted_hangs_on_the_seed_alone() -> None:
    row = call_row(("get_weather", {"city": "Paris", "unit": "celsius"}))
    accepted = {"city": ("Paris",), "unit": ("celsius",)}
    case = Case(row, (Call("get_weather", {"city": "Paris", "unit": "celsius"}, accepted),), DONOR)
    made = [[value_changed(case, seeded(seed)) for seed in range(20)] for _ in range(2)]
    assert made[0] == made[1]
    assert len({planted.completion for planted in made[0] if planted}) == 2, "either argument"


@pytest.mark.parametrize("name", [name for name in MUTATIONS if name != "gold calls"])
def test_no_fault_is_planted_by_writing_the_gold_calls(name: str) -> None:
    arguments: dict[str, Any] = {"city": "Paris", "days": 3}
    gold = Call("get_weather", arguments, {key: (value,) for key, value in arguments.items()})
    row = call_row(("get_weather", arguments))
    planted = MUTATIONS[name].planter(Case(row, (gold,), DONOR), seeded(0))
    assert planted is not None
    is_gold = planted.completion == write_calls(gold)
    assert not is_gold or planted.row["expected"] != row["expected"], "else the row expects more"


def test_a_fault_that_needs_what_the_row_lacks_is_not_planted() -> None:
    case = Case(call_row(("get_weather", {})), (Call("get_weather", {}, {}),), DONOR)
    for name in ("argument left out", "value changed", "type changed", "value out of bounds"):
        assert MUTATIONS[name].planter(case, seeded(0)) is None, name


def test_an_accepted_value_is_never_taken_for_a_fault() -> None:
    accepted = {"city": ("Paris",), "unit": ("celsius", "Fahrenheit")}
    call = Call("get_weather", {"city": "Paris", "unit": "celsius"}, accepted)
    case = Case(call_row(("get_weather", {"city": "Paris"})), (call,), DONOR)
    for seed in range(20):
        planted = value_changed(case, seeded(seed))
        assert planted is not None
        assert '"unit": "celsius"' in planted.completion, "either unit is right: the city is changed"


def test_the_command_prints_the_matrix_and_fails_where_a_reason_is_missed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    write_jsonl(
        tmp_path / "rows.jsonl",
        [
            {**call_row(("get_weather", {"city": "Paris"}), row_id="a"), "tools": json.dumps([weather()])},
            {**call_row(("set_timer", {"minutes": 5}), row_id="b"), "tools": json.dumps([TIMER])},
            text_row("cannot_answer", "c"),
        ],
    )
    mutations.main([str(tmp_path / "rows.jsonl")])
    assert "0 given" not in capsys.readouterr().out
    wrong = Mutation(says("It is sunny."), "tool_call", "wrong_tool")
    monkeypatch.setattr(mutations, "MUTATIONS", {**MUTATIONS, "call added": wrong})
    with pytest.raises(SystemExit) as ended:
        mutations.main([str(tmp_path / "rows.jsonl"), "--json"])
    assert ended.value.code == 1
    content = json.loads(capsys.readouterr().out)
    assert content["missed"] == ["call added"]
    assert content["matrix"]["call added"] == {"missing_call": 2}


def weather() -> dict[str, Any]:
    tool: dict[str, Any] = json.loads(call_row()["tools"])[0]
    return tool


def test_an_unscored_completion_is_a_miss(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(case: Case, rng: random.Random) -> Planted:
        return Planted({**case.row, "expected": {}}, "")

    monkeypatch.setattr(mutations, "MUTATIONS", {"broken": Mutation(broken, "tool_call", "correct")})
    matrix = reasons_by_mutation(read_rows_of_any_shape(ROWS).rows)
    assert all(reason.startswith("unscored: ") for reason in matrix["broken"])


def test_rows_without_a_gold_call_are_bad_input(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "rows.jsonl", [text_row("cannot_answer")])
    with pytest.raises(BadInput, match="no gold call"):
        mutations.main([str(tmp_path / "rows.jsonl")])


@pytest.mark.parametrize("rounds", ["0", "-1"])
def test_speed_is_not_measured_in_no_round(rounds: str) -> None:
    with pytest.raises(BadInput, match=f"--rounds is {rounds}; give 1 or more"):
        grader.main(["--rounds", rounds])
