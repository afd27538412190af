"""Which runs are one experiment, and what is fetched to list them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from evaluation.comparison import digest_of_rows
from evaluation.history.changes import common_rows
from evaluation.history.groups import group_runs
from evaluation.history.listing import list_group
from evaluation.history.names import find_run
from evaluation.history.runs import Row, Run, Scores
from evaluation.suites import SUITES
from evaluation.toolcalls.score import Score
from jobs.doors import BadInput
from tests.unit.evaluation.history_runs import SUITE, weather_rows

ROWS = weather_rows(20)
DIGEST = digest_of_rows(ROWS)
RUN = Run(
    run_id="tune-0",
    key="k0",
    started=datetime(2026, 11, 1, tzinfo=UTC),
    base_model="small",
    revision="r",
    recipe="lora",
    seed="0",
    trained_on="d",
    code="c",
    test_sets={SUITE: DIGEST},
    values={(SUITE, "accuracy", "sft"): 0.5},
)


def later(number: int, **changed: Any) -> Run:
    started = RUN.started + timedelta(days=number)
    return replace(RUN, run_id=f"tune-{number}", key=f"k{number}", started=started, **changed)


def keys_of(runs: Sequence[Run]) -> list[list[str]]:
    return [[run.key for run in entry.runs] for group in group_runs(runs) for entry in group.entries]


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        pytest.param({"seed": "1"}, [["k0", "k1"]], id="the seed alone"),
        pytest.param({}, [["k0"], ["k1"]], id="nothing: the same run again is no other seed"),
        pytest.param({"seed": "1", "base_model": "big"}, [["k0"], ["k1"]], id="base model too"),
        pytest.param({"seed": "1", "revision": "s"}, [["k0"], ["k1"]], id="other weights under one name"),
        pytest.param({"seed": "1", "recipe": "dora"}, [["k0"], ["k1"]], id="recipe too"),
        pytest.param({"seed": "1", "trained_on": "e"}, [["k0"], ["k1"]], id="other training rows"),
        pytest.param({"seed": "1", "code": "b"}, [["k0"], ["k1"]], id="other code"),
        pytest.param({"seed": "1", "test_sets": {SUITE: "x"}}, [["k0"], ["k1"]], id="another test set"),
        pytest.param({"seed": "1", "trained_on": ""}, [["k0"], ["k1"]], id="nobody knows the training rows"),
        pytest.param({"seed": ""}, [["k0"], ["k1"]], id="nobody knows the seed"),
        pytest.param({"seed": "1", "fault": "ended FAILED"}, [["k0"]], id="a run that failed"),
        pytest.param({"seed": "1", "values": {}}, [["k0"]], id="a run without this figure"),
    ],
)
def test_runs_are_one_experiment_where_the_seed_alone_differs(
    changed: dict[str, Any], expected: list[list[str]]
) -> None:
    assert keys_of([RUN, later(1, **changed)]) == expected


def test_a_seed_that_was_run_again_counts_once_by_its_newest_run() -> None:
    ((group),) = group_runs([RUN, later(1, seed="1"), later(2, seed="0")])
    (entry,) = group.entries
    assert [run.key for run in entry.runs] == ["k1", "k2"]
    assert [run.key for run in entry.repeats] == ["k0"]


def test_tables_go_by_date_whatever_their_suite() -> None:
    mcq = {("when2call_mcq", "acc_norm", "sft"): 0.5}
    both = {**RUN.values, **mcq}
    sets = {SUITE: "new", "when2call_mcq": "mcq"}
    groups = group_runs([replace(RUN, values=mcq), later(1), later(2, values=both, test_sets=sets)])
    assert [(group.suite, group.digest) for group in groups] == [
        ("when2call_mcq", ""),
        (SUITE, DIGEST),
        *((suite, sets[suite]) for suite in SUITES if suite in sets),
    ]


def test_an_unknown_digest_is_no_common_test_set() -> None:
    unknown, known = group_runs([replace(RUN, test_sets={}), later(1)])
    assert (unknown.digest, known.digest) == ("", DIGEST)


class CountedStore:
    """Answers for any run, and counts what it was asked."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()

    def list_runs(self) -> Sequence[Run]:
        return []

    def read_comparison(self, run: Run) -> Mapping[str, Any]:
        self.asked["comparison"] += 1
        return {}

    def read_rows(self, run: Run, suite: str) -> Sequence[Row]:
        self.asked["rows"] += 1
        return ROWS

    def read_scores(self, run: Run, variant: str, suite: str) -> Scores:
        self.asked["scores"] += 1
        return {str(row["id"]): Score(1.0, reason="correct", parts={}) for row in ROWS}

    def champions(self) -> Mapping[str, tuple[str, str]]:
        return {"toolwright-small": ("tune-0", "sft"), "toolwright-big": ("tune-1", "sft")}

    def link(self, suite: str, digest: str) -> str | None:
        return None


def test_of_500_runs_only_the_files_of_those_shown_are_fetched() -> None:
    runs = [later(number, recipe=f"lora-{number}") for number in range(500)]
    (group,) = group_runs(runs)
    store = CountedStore()
    listing = list_group(store, group, last=10)
    assert (len(listing.lines), listing.earlier) == (10, 490)
    assert store.asked == {"comparison": 10, "rows": 1, "scores": 11}, "one more run is compared with"


def test_two_champions_are_no_name() -> None:
    with pytest.raises(BadInput, match="2 models have one; name the run itself"):
        find_run("champion", [RUN, later(1)], CountedStore())


def test_of_many_runs_that_begin_so_the_last_are_named() -> None:
    runs = [later(number) for number in range(7)]
    with pytest.raises(BadInput, match=r"7 runs begin so: the last of them tune-2, tune-3, .*, tune-6$"):
        find_run("tune", runs, CountedStore())


@pytest.mark.parametrize(
    ("other", "equal", "counts"),
    [
        pytest.param(ROWS, 20, (0, 0, 0), id="the same"),
        pytest.param(ROWS[::-1], 20, (0, 0, 0), id="another order"),
        pytest.param(
            [dict(reversed(row.items())) for row in ROWS], 20, (0, 0, 0), id="fields in another order"
        ),
        pytest.param(ROWS[:15], 15, (5, 0, 0), id="fewer"),
        pytest.param(weather_rows(25), 20, (0, 5, 0), id="more"),
        pytest.param([{**ROWS[0], "tools": "[]"}, *ROWS[1:]], 19, (0, 0, 1), id="one with other tools"),
        pytest.param([], 0, (20, 0, 0), id="none"),
    ],
)
def test_rows_are_common_by_id_and_content(
    other: Sequence[Row], equal: int, counts: tuple[int, int, int]
) -> None:
    found = common_rows(ROWS, other)
    assert (len(found.rows), (found.only_a, found.only_b, found.changed)) == (equal, counts)
    assert found.share == pytest.approx(equal / (equal + sum(counts)))
