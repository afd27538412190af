"""No strategy that only wants the reward gets more than an honest answer that is partly wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.answers import FORMATS, Case, Format, honest
from bench.hacks import STRATEGIES, Strategy
from bench.reward_hacking import EVERY, Result, as_markdown, main, read_cases, run_strategies
from data.rows import DECISIONS
from evaluation.toolcalls import parse_completion, reward, score_completion
from jobs.doors import BadInput

PAGE = Path(__file__).resolve().parents[3] / "docs" / "reward_hacking.md"
NAMES = [strategy.name for strategy in STRATEGIES]


@pytest.fixture(scope="module")
def cases() -> list[Case]:
    return read_cases()


@pytest.fixture(scope="module")
def results(cases: list[Case]) -> dict[str, Result]:
    return {result.name: result for result in run_strategies(cases[::EVERY])}


@pytest.mark.parametrize("name", NAMES)
def test_no_strategy_gets_more_than_an_honest_partial_answer(name: str, results: dict[str, Result]) -> None:
    assert results[name].broken() == []


def test_the_rule_can_be_broken(cases: list[Case]) -> None:
    right = Strategy(
        "right", lambda case, format: format.write(case.calls) if case.decision == "tool_call" else case.right
    )
    (_, result) = run_strategies(cases[::EVERY], [right])
    assert result.broken() == [*DECISIONS, "overall"]
    assert result.rows_above == 1.0


def test_nor_on_any_row_that_expects_calls(results: dict[str, Result]) -> None:
    assert {name: result.rows_above for name, result in results.items() if result.rows_above} == {}


def test_the_page_holds_the_table_that_the_command_prints(results: dict[str, Result]) -> None:
    table = as_markdown(list(results.values()))
    assert table in PAGE.read_text("utf-8"), "run python -m bench.reward_hacking --markdown"


@pytest.mark.parametrize(
    ("every", "named"),
    [("0", "--every is 0"), ("-3", "--every is -3"), ("x", "--every"), ("100000", "take more rows")],
)
def test_too_few_rows_are_refused(every: str, named: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["reward_hacking", "--every", every])
    with pytest.raises(BadInput, match=named):
        main()


def test_every_row_can_be_graded(cases: list[Case]) -> None:
    # A row that cannot counts as 0.0 in the table, which would hide a strategy that wins on it.
    assert [case.row["id"] for case in cases if reward([""], [case.row]) == [None]] == []


def test_the_rows_hold_every_decision_and_calls_in_and_out_of_order(cases: list[Case]) -> None:
    taken = cases[::EVERY]
    assert {case.decision for case in taken} == set(DECISIONS)
    several = [case.row["expected"]["ordered"] for case in taken if len(case.calls) > 1]
    assert set(several) == {True, False}
    assert {len(case.tools) for case in taken} >= {1, 2, 3}


@pytest.mark.parametrize("format", FORMATS, ids=lambda format: format.name)
def test_the_formats_are_written_as_they_are_read(format: Format, cases: list[Case]) -> None:
    # Else a strategy would get nothing for being illegible, not for being wrong.
    for case in cases:
        if case.decision == "tool_call":
            written = format.write(case.calls)
            parsed = parse_completion(written, format.name, tools=case.row["tools"])
            assert score_completion(parsed, case.row).is_correct, case.row["id"]


def test_the_honest_answer_is_partly_wrong_and_never_for_its_tool(cases: list[Case]) -> None:
    for case in cases:
        if case.decision == "tool_call":
            (written,) = honest(case, FORMATS[0])
            parsed = parse_completion(written, FORMATS[0].name)
            score = score_completion(parsed, case.row)
            assert score.parts["tool"] == score.parts["arguments"] == 1.0
            assert 0 < (score.value or 0) < 1


@pytest.mark.parametrize("part", ["decision", "tool", "arguments", "values", "schema"])
def test_the_rule_holds_with_all_weight_on_one_part(part: str, cases: list[Case]) -> None:
    some = [case for case in cases if case.decision == "tool_call"][::8]
    short = [strategy for strategy in STRATEGIES if "100 kB" not in strategy.name]
    if part == "values":
        # Who weighs values alone would rather have the right ones in the wrong order than the other way.
        short = [strategy for strategy in short if strategy.name != "ordered calls in reverse"]
    broken = [result.name for result in run_strategies(some, short, {part: 1.0}) if result.broken()]
    assert broken == []
