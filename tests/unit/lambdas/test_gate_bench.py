"""What is simulated of the gate is what the document shows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bench import gate

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize("suite", list(gate.ANSWERS))
def test_the_parts_and_the_answers_of_a_suite_are_whole(suite: str) -> None:
    parts = [part for part, _ in gate.ANSWERS[suite].values()]
    assert sum(parts) == pytest.approx(1)
    assert all(sum(odds) == pytest.approx(1) for _, odds in gate.ANSWERS[suite].values())


def test_a_variant_is_as_good_as_the_base_better_or_worse() -> None:
    right = {}
    for variant in (gate.SAME, gate.GOOD, gate.WORSE):
        case = gate.Case({gate.OWN: 60_000, gate.BFCL: 60_000}, 0.4, variant)
        found = {}
        for suite, rows in case.rows.items():
            expected, base, sft = gate._answers(np.random.default_rng(1), suite, rows, case)
            assert len(expected) == rows
            figures = gate._figures(suite, expected, base, sft)
            found[suite] = {name: after.mean() - before.mean() for name, before, after in figures}
        right[variant] = (found[gate.OWN]["accuracy"], found[gate.BFCL]["ast_accuracy"])
    assert right[gate.SAME] == pytest.approx((0, 0), abs=0.01)
    assert right[gate.GOOD] == pytest.approx((0.5 * gate.MENDED, 0), abs=0.01)
    assert right[gate.WORSE] == pytest.approx((0.5 * gate.MENDED, -gate.AST_LOSS), abs=0.01)


def test_the_same_variants_come_again() -> None:
    case = gate.CASES[0]
    assert gate.simulate(case, 5) == gate.simulate(case, 5)


def test_the_document_shows_the_cases_and_the_counts() -> None:
    (document,) = (ROOT / "docs" / "decisions").glob("0015-*.md")
    text = document.read_text(encoding="utf-8")
    assert "`python -m bench.gate`" in text
    assert f"{gate.RUNS} runs a line, {gate.LARGE_RUNS} on whole benchmarks" in text
    rows = [line for line in text.splitlines() if line.startswith("| ") and "% | " in line]
    shown = [[cell.strip() for cell in line.strip("|").split("|")][:3] for line in rows]
    assert shown == [[gate.name_rows(case), f"{case.churn:.0%}", case.variant] for case in gate.CASES]
