"""What the history's tables say of a single difference, and which differences they leave out."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from evaluation.history.cells import change_cell, points_cell
from evaluation.history.changes import CommonRows
from evaluation.history.differences import print_comparisons
from evaluation.history.two_runs import SuiteComparison
from evaluation.pairs import Pair
from evaluation.statistics import PairedDifference
from tests.unit.evaluation.history_runs import SUITE, weather_rows


def pair_of(
    difference: float, low: float, high: float, p: float, metric: str = "accuracy", *, is_single: bool = True
) -> Pair:
    result = PairedDifference(difference, low, high, p, 60, discordance=0.2 if is_single else None)
    return Pair(SUITE, metric, "tune-b/sft", "tune-a/sft", result, p_holm=p)


def printed(*guarded: Pair) -> str:
    written = io.StringIO()
    common = CommonRows(weather_rows(60), 0, 0, 0)
    print_comparisons(Console(file=written, width=124), [SuiteComparison(SUITE, common, [], guarded)])
    return written.getvalue()


@pytest.mark.parametrize(
    ("pair", "said"),
    [
        pytest.param(
            pair_of(0.1, 0.02, 0.18, 0.01), "+10.0 [+2, +18] real", id="p is small and the interval above 0"
        ),
        pytest.param(
            pair_of(0.1, 0.02, 0.18, 0.01, "over_call_rate"),
            "+10.0 [+2, +18] real, for the worse",
            id="more of a figure that counts faults",
        ),
        pytest.param(
            pair_of(-0.1, -0.18, -0.02, 0.01, "over_call_rate"),
            "-10.0 [-18, -2] real, for the better",
            id="less of it",
        ),
        pytest.param(
            pair_of(0.1, 0.02, 0.18, 0.06),
            "+10.0 [+2, +18] within noise",
            id="p decides, which allows for the other changes",
        ),
        pytest.param(
            pair_of(-0.15, -1.0, 0.7, 0.6, is_single=False),
            "-15.0 [-100, +70] shows nothing",
            id="seeds that lie far apart",
        ),
        pytest.param(
            pair_of(-0.02, -0.1, 0.06, 0.6, is_single=False),
            "-2.0 [-10, +6] within noise",
            id="seeds that lie close together",
        ),
        pytest.param(
            pair_of(0.6, 0.3, 0.9, 0.01, is_single=False), "+60.0 [+30, +90] real", id="far apart and real"
        ),
        pytest.param(
            pair_of(0.0, -0.4, 0.4, 1.0), "+0.0 [-40, +40] within noise", id="few rows are no few seeds"
        ),
    ],
)
def test_a_change_says_what_can_be_known_of_it(pair: Pair, said: str) -> None:
    assert change_cell(pair) == said


def test_a_loss_too_small_to_show_has_no_sign_of_its_own() -> None:
    assert points_cell(pair_of(-0.0001, -0.02, 0.02, 1.0)).startswith("+0.0 ")


@pytest.mark.parametrize(
    ("pair", "is_shown"),
    [
        pytest.param(pair_of(0.0, -0.03, 0.03, 1.0, "over_call_rate"), False, id="equal"),
        pytest.param(pair_of(0.0004, -0.01, 0.01, 0.5, "over_call_rate"), False, id="would read as 0.0"),
        pytest.param(pair_of(0.0004, 0.0001, 0.001, 0.01, "over_call_rate"), True, id="small and real"),
        pytest.param(pair_of(-0.017, -0.05, 0.02, 1.0, "over_call_rate"), True, id="one row of sixty"),
    ],
)
def test_other_figures_are_shown_where_they_moved(pair: Pair, is_shown: bool) -> None:
    text = printed(pair)
    assert ("over_call_rate (lower is better)" in text) == is_shown
    assert ("1 other figure did not move." in text) != is_shown


def test_what_did_not_move_is_counted() -> None:
    still = pair_of(0.0, -0.03, 0.03, 1.0, "malformed_rate")
    text = printed(pair_of(0.1, 0.02, 0.18, 0.01, "decision_accuracy"), still, still, still)
    assert "3 other figures did not move; --json says all." in text
    assert "decision_accuracy" in text and "malformed_rate" not in text
    assert "0.010" in text, "its p"
