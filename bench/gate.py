"""What the default gate promotes and what its guards stop, by simulation.

A variant answers a share of the rows anew (*churn*) by the very model that the base is, so that it is as
good as the base. The good one is right, besides, on 35 of 100 of its own rows that it would have had wrong;
the bad one is that, and 5 points worse at BFCL's AST accuracy. Each is held against the base by the default
rules, and by the same guards as measured, without regard to noise. p after Holm is four times p: the
strictest step over the four pairs of a run with three trained variants.

    python -m bench.gate [--runs 300] [--large-runs 100]
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from evaluation.statistics import flip_p
from jobs.doors import DoorParser
from lambdas.gate import check_gate
from lambdas.gate_rules import DECISIONS, RECALL, default_rules

SEED = 20_260_101
RUNS, LARGE_RUNS = 300, 100
FAMILY = 4
MENDED, AST_LOSS = 0.35, 0.05
OWN, CHOSEN, BFCL = "own", "when2call_mcq", "bfcl_single_turn"
_SHORT = {OWN: "own", CHOSEN: "When2Call", BFCL: "BFCL"}
RIGHT, WRONG_CALL, WRONG_TEXT, MALFORMED = range(4)
CALL, ASK, CANNOT = "tool_call", "request_for_info", "cannot_answer"
# By suite and expected decision: which part of the rows expects it, and how often a base answers how there.
ANSWERS: Mapping[str, Mapping[str, tuple[float, tuple[float, ...]]]] = {
    OWN: {
        CALL: (1 / 3, (0.50, 0.25, 0.20, 0.05)),
        ASK: (1 / 3, (0.50, 0.20, 0.27, 0.03)),
        CANNOT: (1 / 3, (0.50, 0.20, 0.27, 0.03)),
    },
    CHOSEN: dict.fromkeys((CALL, ASK, CANNOT), (1 / 3, (0.60, 0.20, 0.20, 0.0))),
    BFCL: {CALL: (0.69, (0.80, 0.12, 0.06, 0.02)), CANNOT: (0.31, (0.80, 0.15, 0.04, 0.01))},
}
SAME, GOOD, WORSE = "the base again", "right on 35% of its own wrong rows", "the same, 5 points worse on BFCL"
SMALL_ROWS = {OWN: 120, CHOSEN: 120}
WHOLE_ROWS = {OWN: 3652, CHOSEN: 3652, BFCL: 3641}


@dataclass(frozen=True)
class Case:
    """One line of the table: the rows of each suite, the share that is answered anew, and the variant."""

    rows: Mapping[str, int]
    churn: float
    variant: str


@dataclass(frozen=True)
class Shares:
    """Which shares of the simulated variants a gate promotes, and stops by a guard."""

    promoted: float
    stopped: float


CASES = (
    *(Case(SMALL_ROWS, churn, variant) for variant in (SAME, GOOD) for churn in (0.15, 0.4)),
    *(Case({**SMALL_ROWS, BFCL: 120}, 0.15, variant) for variant in (GOOD, WORSE)),
    *(Case({OWN: rows, CHOSEN: rows}, 0.15, GOOD) for rows in (300, 1000)),
    *(Case({OWN: rows, CHOSEN: rows}, 0.4, GOOD) for rows in (300, 1000)),
    *(Case(WHOLE_ROWS, churn, variant) for variant in (SAME, GOOD, WORSE) for churn in (0.15, 0.4)),
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Simulate every case and print the table."""
    parser = DoorParser(prog="python -m bench.gate", description=__doc__)
    parser.add_argument("--runs", type=int, default=RUNS, metavar="N", help=f"a case ({RUNS})")
    parser.add_argument(
        "--large-runs", type=int, default=LARGE_RUNS, metavar="N", help=f"on whole benchmarks ({LARGE_RUNS})"
    )
    given = parser.parse_args(arguments)
    print("| rows | churn | the variant is | default: promoted | stopped | as measured: promoted | stopped |")
    print("|---|---|---|---|---|---|---|")
    for case in CASES:
        runs = given.large_runs if case.rows is WHOLE_ROWS else given.runs
        found = [
            f"{100 * share:.1f}%" for one in simulate(case, runs) for share in (one.promoted, one.stopped)
        ]
        print(f"| {name_rows(case)} | {case.churn:.0%} | {case.variant} | {' | '.join(found)} |", flush=True)


def name_rows(case: Case) -> str:
    """Say how many rows each suite has."""
    return ", ".join(f"{_SHORT[suite]} {count:,}" for suite, count in case.rows.items())


def simulate(case: Case, runs: int) -> tuple[Shares, Shares]:
    """What the default gate and the one as measured make of `runs` variants; the same ones at each call."""
    rng = np.random.default_rng(SEED)
    gates = (None, _as_measured(case.rows))
    verdicts = [
        [check_gate(comparison, gate, ("base", "sft")) for gate in gates]
        for comparison in (_comparison(rng, case) for _ in range(runs))
    ]
    default, measured = (_shares([pair[i] for pair in verdicts]) for i in range(2))
    return default, measured


def _shares(verdicts: Sequence[Mapping[str, Any]]) -> Shares:
    stopped = [
        any(rule["kind"] == "guard" and not rule["passed"] for rule in one["rules"]) for one in verdicts
    ]
    promoted = [one["promoted"] is not None for one in verdicts]
    return Shares(sum(promoted) / len(verdicts), sum(stopped) / len(verdicts))


def _as_measured(suites: Mapping[str, int]) -> list[dict[str, Any]]:
    """The default rules as a user would write them, with nothing left to noise."""
    return [
        {rule.kind: rule.name, **({} if rule.tolerance is None else {"tolerance": rule.tolerance})}
        for rule in default_rules(suites)
    ]


def _comparison(rng: np.random.Generator, case: Case) -> dict[str, Any]:
    """As much of a comparison.json as the gate reads."""
    suites: dict[str, Any] = {}
    pairs: list[dict[str, Any]] = []
    for suite, rows in case.rows.items():
        suites[suite] = {variant: {"metrics": {}, "recall": {}} for variant in ("base", "sft")}
        for metric, base, sft in _figures(suite, *_answers(rng, suite, rows, case)):
            group, name = ("recall", metric[7:]) if metric.startswith(RECALL) else ("metrics", metric)
            for variant, found in (("base", base), ("sft", sft)):
                suites[suite][variant][group][name] = {"value": float(found.mean()), "n": len(found)}
            pairs.append(_pair(suite, metric, base, sft))
    none = {f"{RECALL}_{decision}": 0 for decision in DECISIONS}
    test_sets = {
        suite: {
            "rows": rows,
            "rows_by_figure": {**none, **{one["metric"]: one["n"] for one in pairs if one["suite"] == suite}},
        }
        for suite, rows in case.rows.items()
    }
    return {"suites": suites, "test_sets": test_sets, "paired": pairs, "guarded": []}


def _answers(
    rng: np.random.Generator, suite: str, rows: int, case: Case
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What each row expects, and what the base and the variant answer; (rows,) each."""
    decisions, parts = list(ANSWERS[suite]), [part for part, _ in ANSWERS[suite].values()]
    counts = np.diff(np.round(rows * np.cumsum([0.0, *parts])).astype(int))
    expected = np.repeat(decisions, counts)
    base, anew = (
        np.concatenate(
            [
                rng.choice(4, count, p=odds)
                for count, (_, odds) in zip(counts, ANSWERS[suite].values(), strict=True)
            ]
        )
        for _ in range(2)
    )
    sft = np.where(rng.random(rows) < case.churn, anew, base)
    if case.variant != SAME and suite == OWN:
        sft = np.where((sft != RIGHT) & (rng.random(rows) < MENDED), RIGHT, sft)
    if case.variant == WORSE and suite == BFCL:
        broken = rng.random(rows) < AST_LOSS / ANSWERS[BFCL][CALL][1][RIGHT]
        sft = np.where((expected == CALL) & (sft == RIGHT) & broken, WRONG_CALL, sft)
    return expected, base, sft


def _figures(
    suite: str, expected: np.ndarray, base: np.ndarray, sft: np.ndarray
) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Each figure that the default rules read, and its outcomes of both on the rows that count for it."""
    every = np.ones(len(expected), dtype=bool)
    calls = expected == CALL
    read: list[tuple[str, np.ndarray, tuple[int, ...]]] = [
        ("acc_norm" if suite == CHOSEN else "accuracy", every, (RIGHT,)),
        *((f"{RECALL}_{name}", expected == name, (RIGHT,)) for name in ANSWERS[suite] if name != CALL),
        (f"{RECALL}_{CALL}", calls, (RIGHT,) if suite == CHOSEN else (RIGHT, WRONG_CALL)),
    ]
    if suite != CHOSEN:
        read += [
            ("irrelevance_accuracy", expected == CANNOT, (RIGHT, WRONG_TEXT)),
            ("over_call_rate", ~calls, (WRONG_CALL,)),
            ("malformed_rate", every, (MALFORMED,)),
            ("ast_accuracy", calls, (RIGHT,)),
        ]
    for metric, rows, counted in read:
        yield metric, np.isin(base[rows], counted), np.isin(sft[rows], counted)


def _pair(suite: str, metric: str, base: np.ndarray, sft: np.ndarray) -> dict[str, Any]:
    gained, lost = int((sft & ~base).sum()), int((base & ~sft).sum())
    p = _p(gained, lost)
    return {
        **{"suite": suite, "metric": metric, "a": "sft", "b": "base", "n": len(base)},
        # The default rules do not look at the interval.
        **{"difference": (gained - lost) / len(base), "low": None, "high": None},
        **{"p": p, "p_holm": min(1.0, FAMILY * p)},
    }


@cache
def _p(gained: int, lost: int) -> float:
    return flip_p([1] * gained + [-1] * lost)


if __name__ == "__main__":
    main()
