"""The bench of the statistics: it runs whole, and its exact table is what is known of Wilson's interval."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from bench import statistics
from evaluation.pairs import Pair, allow_for_all
from evaluation.sentences import describe_pair
from evaluation.statistics import PairedDifference, compare_seeds

FIGURES = Path(__file__).parents[3] / "docs" / "metrics.md"


def test_the_bench_runs_every_case_and_prints_shares(capsys: pytest.CaptureFixture[str]) -> None:
    statistics.main(["--simulations", "2", "--json"])
    lines = json.loads(capsys.readouterr().out)["lines"]
    assert len({line["table"] for line in lines}) == 7
    assert len({(line["table"], line["case"]) for line in lines}) == len(lines) > 80
    assert all(
        0 <= share <= 1 for line in lines for name, share in line["found"].items() if "width" not in name
    )


def test_the_tables_are_those_of_a_document(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(statistics, "simulate", lambda simulations: statistics.wilson_lines())
    statistics.main([])
    title, head, rule, *rows = capsys.readouterr().out.strip().splitlines()
    assert (title, head, rule) == ("Wilson: coverage", "| case | mean | worst |", "|---|---|---|")
    shares = [[float(cell) for cell in row.strip("| ").split(" | ")[1:]] for row in rows]
    # Brown, Cai and DasGupta 2001: near 95% in the mean, and down to 83% for shares near 0 and 1.
    assert all(94.9 <= mean <= 95.6 for mean, _ in shares)
    assert all(worst >= 83 for _, worst in shares) and shares[-1][1] > 94


def test_the_document_has_the_counts_that_are_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, int] = {}
    for name in ("paired", "conversation", "unequal", "seed", "false_alarm", "power"):
        monkeypatch.setattr(
            statistics, f"{name}_lines", lambda count, name=name: given.update({name: count}) or []
        )
    monkeypatch.setattr(statistics, "wilson_lines", list)
    list(statistics.simulate(statistics.SIMULATIONS))
    text = FIGURES.read_text()
    for name, before in {
        "paired": "Differences of two variants",
        "conversation": "Conversations of one to six turns",
        "unequal": "Where one conversation in ten is long",
        "seed": "Several seeds: two variants",
        "false_alarm": "False alarms: four variants",
    }.items():
        said = re.search(rf"{before}[^:\n]*?([\d,]+) samples", text)
        assert said is not None and int(said[1].replace(",", "")) == given[name], name


def test_the_document_has_the_sentence_over_seeds() -> None:
    later, *seeds = ([n < right for n in range(60)] for right in (50, 20, 26, 32))
    found = compare_seeds([later], seeds)
    result = PairedDifference(found.difference, found.low, found.high, found.p, found.n)
    pair = Pair("own", "accuracy", "tune-t/sft", "tune-s2/sft and 2 more seeds", result)
    assert f"\n> {describe_pair(allow_for_all([pair])[0])}\n" in FIGURES.read_text()


def test_seeds_of_the_simulation_have_the_shares_that_they_are_given() -> None:
    rng = np.random.default_rng(2)
    hard = rng.normal(0, 1, 20_000)
    for share in (0.5, 0.6):
        shares = [np.mean(statistics._outcomes_of_seed(rng, hard, share)) for _ in range(200)]
        assert np.mean(shares) == pytest.approx(share, abs=0.012)
        assert np.std(shares) == pytest.approx(statistics.SEED_SPREAD, rel=0.2)
