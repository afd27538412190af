"""Figures in words: what is real, what is noise, and what so many rows could have shown."""

from __future__ import annotations

from dataclasses import replace

import pytest

from evaluation.judge import JudgeReport
from evaluation.pairs import Pair
from evaluation.sentences import describe_judge, describe_pair, format_estimate, format_p
from evaluation.statistics import Estimate, PairedDifference

NOTHING = Estimate(None, None, None, 0)


def pair(
    difference: float = 0.041,
    low: float = 0.012,
    high: float = 0.07,
    p_holm: float = 0.006,
    n: int = 310,
    comparisons: int = 5,
    detectable: float | None = 0.04,
) -> Pair:
    result = PairedDifference(difference, low, high, p_holm / comparisons, n, 0.1)
    return Pair("own", "accuracy", "sft-dpo", "sft", result, p_holm, comparisons, detectable)


HEAD = "sft-dpo over sft: +4.1 points, 95% interval +1.2 to +7.0"
REAL = f"{HEAD}, p = 0.006 (Holm over 5 comparisons), 310 rows: real"
LOSS = REAL.replace("+4.1", "-4.1").replace("+1.2 to +7.0", "-7.0 to -1.2")


@pytest.mark.parametrize(
    ("given", "expected", "why"),
    [
        (pair(), REAL, "the issue's own sentence"),
        (pair(comparisons=1), REAL.replace("Holm over 5 comparisons", "one comparison"), "no family"),
        (pair(p_holm=1e-12), REAL.replace("p = 0.006", "p < 0.001"), "no p is 0"),
        (pair(-0.041, -0.07, -0.012), LOSS, "a loss"),
        (
            pair(0.013, -0.03, 0.056, 0.61, 300, 4, 0.0791),
            "sft-dpo over sft: +1.3 points, 95% interval -3.0 to +5.6, p = 0.61 (Holm over 4 comparisons), "
            "300 rows: within noise: 300 rows can show 8 points",
            "rounded up, for 7 would not be shown",
        ),
        (
            pair(0.0, -0.5, 0.5, 1.0, 5, 1, None),
            "sft-dpo over sft: +0.0 points, 95% interval -50.0 to +50.0, p = 1.00 (one comparison), "
            "5 rows: within noise: 5 rows can show nothing",
            "no result of so few rows has a small p",
        ),
        (
            pair(-0.0004, -0.004, 0.003, 0.9, 3_652, 4, 0.0141),
            "sft-dpo over sft: +0.0 points, 95% interval -0.4 to +0.3, p = 0.90 (Holm over 4 comparisons), "
            "3,652 rows: within noise: 3,652 rows can show 1.5 points",
            "no minus zero; a tenth where points are few",
        ),
    ],
    ids=["real", "alone", "tiny_p", "loss", "noise", "few", "many"],
)
def test_a_difference_in_words(given: Pair, expected: str, why: str) -> None:
    assert describe_pair(given) == expected, why


@pytest.mark.parametrize(
    ("given", "end", "why"),
    [
        (pair(0.04, -0.001, 0.08, 0.049), "real (by p; the interval holds 0)", "p decides"),
        (
            pair(0.64, -0.2, 0.9, 0.046875),
            "real (by p; the interval holds 0)",
            "few conversations can put the interval's end well beyond 0",
        ),
        (
            pair(0.04, 0.002, 0.08, 0.07, comparisons=1),
            "within noise (by p; the interval leaves 0 out): 310 rows can show 4 points",
            "p itself says so, and no other comparison is allowed for",
        ),
        (
            pair(0.04, 0.002, 0.08, 0.12),
            "within noise (by p, which allows for all comparisons): 310 rows can show 4 points",
            "Holm widens no interval",
        ),
        (pair(0.04, 0.0, 0.08, 0.2), "within noise: 310 rows can show 4 points", "an interval may end at 0"),
        (
            pair(1.0, 0.25, 1.0, 0.094, comparisons=3, detectable=None),
            "within noise (by p, which allows for all comparisons): 310 rows can show nothing",
            "where nothing is shown too",
        ),
        (
            pair(-0.9, -1.0, -0.6, 0.06, comparisons=1, detectable=0.88),
            "within noise (by p; the interval leaves 0 out)",
            "90 points that are not shown, where 88 can be: no help to anyone",
        ),
    ],
    ids=["real", "deep", "alone", "noise", "touching", "nothing", "past_detectable"],
)
def test_where_interval_and_p_part_the_sentence_says_what_decides(given: Pair, end: str, why: str) -> None:
    assert describe_pair(given).endswith(f"310 rows: {end}"), why


@pytest.mark.parametrize(
    "p", [0.0, 1e-300, 0.00099, 0.001, 0.0494, 0.0496, 0.04999999, 0.05, 0.0504, 0.0999, 1.0]
)
def test_p_reads_as_real_exactly_where_it_is(p: float) -> None:
    text = format_p(p)
    assert text != "p = 0.000"
    sign, number = text.split()[1:]
    shown = float(number)
    assert (shown < 0.05 or sign == "<") == (p < 0.05)


def test_a_pair_without_rows_says_so() -> None:
    nothing = Pair("own", "accuracy", "sft", "base", PairedDifference(None, None, None, None, 0))
    assert describe_pair(nothing) == "sft over base: no row counts for both"
    assert not nothing.is_real


def test_averages_over_seeds_say_so_and_claim_no_power() -> None:
    averaged = Pair(
        "own", "accuracy", "3 seeds", "2 seeds", PairedDifference(0.05, -0.04, 0.14, 0.3, 120), 0.3
    )
    assert describe_pair(averaged) == (
        "3 seeds over 2 seeds: +5.0 points, 95% interval -4.0 to +14.0, p = 0.30 (one comparison), "
        "120 rows averaged over seeds: within noise"
    )


def test_an_estimate_without_rows_is_a_dash() -> None:
    assert format_estimate(Estimate(None, None, None, 0)) == "—"
    assert format_estimate(Estimate(1.0, 0.7225, 1.0, 10)) == "100.0 (72.3–100.0)"


def test_rows_that_a_judge_left_open_are_counted_with_their_cause() -> None:
    unjudged = {"the reply names no decision": 1, "no answer in time": 12}
    judged = JudgeReport(
        "judged",
        model="m",
        prompt="p",
        judged=1,
        unjudged=unjudged,
        metrics=dict.fromkeys(("accuracy", "macro_f1"), NOTHING),
    )
    said = "; 1 row not judged: the reply names no decision; 12 rows not judged: no answer in time"
    assert describe_judge(judged).endswith(f"1 row (m, prompt p, kappa none on 0 gold answers){said}")
    withheld = replace(judged, status="withheld", reason="too far from gold")
    assert describe_judge(withheld).endswith(f"on 0 gold answers){said}")
