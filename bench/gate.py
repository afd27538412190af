"""How often the default gate promotes a variant that it should not, and one that it should, by simulation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from evaluation.pairs import PAIRS
from evaluation.statistics import adjust_by_holm, flip_p
from lambdas.gate import check_gate

SEED = 20_260_101
VARIANTS = ("base", "sft", "dpo", "sft-dpo")
CHOSEN, OWN = "when2call_mcq", "own"
# Each figure's share among rows that count for it, and which part of a suite's rows these are.
RECALLS = {f"recall_{name}": (0.6, 1 / 3) for name in ("tool_call", "request_for_info", "cannot_answer")}
FIGURES: Mapping[str, Mapping[str, tuple[float, float]]] = {
    CHOSEN: {"acc_norm": (0.6, 1.0), **RECALLS},
    OWN: {
        "accuracy": (0.5, 1.0),
        "irrelevance_accuracy": (0.6, 1 / 3),
        "over_call_rate": (0.2, 2 / 3),
        "malformed_rate": (0.05, 1.0),
        "ast_accuracy": (0.4, 1 / 3),
        **RECALLS,
    },
}
MAIN = ("acc_norm", "accuracy")
# What sft gains, by suite and figure; the other variants are as good as the base.
TARGET, GUARD = (OWN, "accuracy"), (OWN, "recall_cannot_answer")
PLANTED: Mapping[str, Mapping[tuple[str, str], float]] = {
    "none differs": {},
    "sft +20 on the target": {TARGET: 0.2},
    "the same, -20 on one recall": {TARGET: 0.2, GUARD: -0.2},
}


def promotions(rows: int, simulations: int) -> Iterator[tuple[str, float]]:
    """Each planted case, and the share of simulated runs in which the default gate promotes anything.

    `rows`: of each suite. Rows are answered alike by all variants in seven of ten cases.
    """
    for case, gains in PLANTED.items():
        rng = np.random.default_rng(SEED)
        verdicts = [check_gate(_comparison(rng, rows, gains), None, VARIANTS) for _ in range(simulations)]
        yield case, sum(one["promoted"] is not None for one in verdicts) / simulations


def _comparison(
    rng: np.random.Generator, rows: int, gains: Mapping[tuple[str, str], float]
) -> dict[str, Any]:
    """As much of a comparison.json as the gate reads."""
    suites: dict[str, Any] = {}
    pairs: list[dict[str, Any]] = []
    for suite, figures in FIGURES.items():
        suites[suite] = {variant: {"metrics": {}, "recall": {}} for variant in VARIANTS}
        for metric, (share, part) in figures.items():
            right = _outcomes(rng, round(rows * part), share, gains.get((suite, metric), 0.0))
            for variant, found in zip(VARIANTS, right, strict=True):
                group = "recall" if metric in RECALLS else "metrics"
                name = metric.removeprefix("recall_")
                suites[suite][variant][group][name] = {"value": float(found.mean()), "n": len(found)}
            pairs += _pairs(suite, metric, right)
    return {
        "suites": suites,
        "test_sets": {suite: {"rows": rows} for suite in suites},
        "paired": [pair for pair in pairs if pair["metric"] in MAIN],
        "guarded": [pair for pair in pairs if pair["metric"] not in MAIN],
    }


def _outcomes(rng: np.random.Generator, rows: int, share: float, gain: float) -> np.ndarray:
    """(variants, rows) of 0 and 1; what sft gains comes on top of rows that are all alike else."""
    common, own = rng.random(rows) < share, rng.random((len(VARIANTS), rows)) < share
    right = np.where(rng.random((len(VARIANTS), rows)) < 0.7, common, own)
    mended = rng.random(rows) < abs(gain) / ((1 - share) if gain > 0 else share)
    right[1] = right[1] | mended if gain > 0 else right[1] & ~mended
    whole: np.ndarray = right.astype(int)
    return whole


def _pairs(suite: str, metric: str, right: np.ndarray) -> Sequence[dict[str, Any]]:
    held = [(a, b) for a, b in PAIRS if {a, b} <= {*VARIANTS}]
    differences = [right[VARIANTS.index(a)] - right[VARIANTS.index(b)] for a, b in held]
    p_values = [flip_p(one.tolist()) for one in differences]
    pairs = []
    for (a, b), one, p, p_holm in zip(held, differences, p_values, adjust_by_holm(p_values), strict=True):
        names = {"suite": suite, "metric": metric, "a": a, "b": b}
        # The default rules do not look at the interval.
        figures = {"difference": float(one.mean()), "low": None, "high": None, "p": p, "p_holm": p_holm}
        pairs.append({**names, **figures, "n": len(one)})
    return pairs
