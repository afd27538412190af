"""The bench of the statistics: it runs whole, and its exact table is what is known of Wilson's interval."""

from __future__ import annotations

import json

import pytest

from bench import statistics


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
