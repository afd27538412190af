"""The history's door over folders of local runs: the list, any two runs, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from evaluation.figures import LOWER_IS_BETTER, OUTCOMES
from evaluation.history.__main__ import main
from jobs.doors import BadInput
from lambdas import gate_rules
from tests.unit.evaluation.history_runs import SUITE, Authored, weather_rows, write_folder

ROWS = weather_rows(60)
FIRST = Authored("tune-a1", {"base": 10, "sft": 20}, ROWS)
LATER = Authored(
    "tune-b1", {"base": 10, "sft": 45}, ROWS, day=1, recipe="small-dora", promoted="sft", usd=2.25
)
OTHER = Authored("tune-c1", {"base": 30, "sft": 40}, weather_rows(60, "Will it rain?"), day=2)

Door = Callable[..., str]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    for one in (FIRST, LATER, OTHER):
        write_folder(folder, one)
    (folder / "latest").symlink_to(folder / OTHER.name)
    (folder / "mlflow").mkdir()
    return folder


@pytest.fixture
def door(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Door:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)

    def ask(folder: Path, *arguments: str) -> str:
        main([*arguments, "--runs", str(folder)])
        return capsys.readouterr().out

    return ask


def listed(door: Door, folder: Path, *arguments: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(door(folder, "--json", *arguments))
    return content


def test_a_test_set_is_a_table_of_its_own_the_last_used_last(door: Door, runs: Path) -> None:
    groups = listed(door, runs)["groups"]
    names = [[line["runs"][0]["run_id"] for line in group["lines"]] for group in groups]
    assert names == [["tune-a1", "tune-b1", "tune-a1", "tune-b1"], ["tune-c1", "tune-c1"]]
    assert len({group["test_set"] for group in groups}) == 2


def test_a_line_says_what_changed_since_the_run_before(door: Door, runs: Path) -> None:
    base, base_later, sft, sft_later = listed(door, runs)["groups"][0]["lines"]
    assert base["change"] is None and sft["change"] is None, "nothing was before"
    assert sft_later["before"] == "tune-a1/sft"
    change = sft_later["change"]
    assert change["difference"] == pytest.approx(25 / 60) and change["n"] == 60
    assert change["p"] == pytest.approx(2 / 2**25), "25 rows mended, none broken: McNemar's exact p"
    assert change["p_holm"] == pytest.approx(2 * change["p"]), "two changes are looked at"
    assert change["statement"].endswith(": real")
    assert "within noise" in base_later["change"]["statement"]
    assert sft_later["runs"][0]["value"] == pytest.approx(45 / 60)
    assert sft_later["runs"][0]["low"] < 45 / 60 < sft_later["runs"][0]["high"]


def test_the_table_shows_run_setup_promotion_and_cost(door: Door, runs: Path) -> None:
    printed = door(runs, "--suite", SUITE)
    line = next(one for one in printed.splitlines() if "tune-b1 *" in one)
    assert line.split() == ["2026-11-02", "tune-b1", "*", "2", "0", "75.0", *line.split()[6:]]
    assert line.split()[-4:] == ["real", "<", "0.001", "$0.50"], "p after Holm, and what sft's two jobs cost"
    assert "setup 2: base model small, recipe small-dora" in printed
    assert "promoted by its run's gate" in printed


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        pytest.param(("--last", "1"), ["tune-b1", "tune-b1"], id="the newest of each variant"),
        pytest.param(("--variant", "sft"), ["tune-a1", "tune-b1"], id="one variant"),
    ],
)
def test_the_list_can_be_made_shorter(
    door: Door, runs: Path, arguments: tuple[str, ...], names: list[str]
) -> None:
    group = listed(door, runs, *arguments)["groups"][0]
    assert [line["runs"][0]["run_id"] for line in group["lines"]] == names
    assert group["lines"][-1]["before"] == "tune-a1/sft", "what is left out is still what is compared with"


def test_two_runs_are_compared_as_variants_of_one_run_are(door: Door, runs: Path) -> None:
    found = listed(door, runs, "tune-b1/sft", "tune-a1/base")["suites"][SUITE]
    assert (found["rows"], found["only_a"], found["only_b"], found["changed"]) == (60, 0, 0, 0)
    (pair,) = found["paired"]
    assert pair["statement"].startswith("tune-b1/sft over tune-a1/base: +58.3 points, 95% interval +")
    assert pair["statement"].endswith("(one comparison), 60 rows: real")
    assert "ast_accuracy" in [one["metric"] for one in found["guarded"]]


def test_a_run_without_a_variant_stands_for_all_that_both_have(door: Door, runs: Path) -> None:
    found = listed(door, runs, "tune-b1", "tune-a1")["suites"][SUITE]
    assert [(one["a"], one["b"]) for one in found["paired"]] == [
        ("tune-b1/base", "tune-a1/base"),
        ("tune-b1/sft", "tune-a1/sft"),
    ]
    printed = door(runs, "tune-b1", "tune-a1")
    assert "accuracy: tune-b1/sft over tune-a1/sft: +41.7 points" in printed
    assert "ast_accuracy" in printed
    assert "under_call_rate" not in printed and "other figures did not move" in printed


def test_the_two_sides_of_a_comparison_mirror_each_other(door: Door, runs: Path) -> None:
    (pair,) = listed(door, runs, "tune-b1/sft", "tune-a1/base")["suites"][SUITE]["paired"]
    (mirrored,) = listed(door, runs, "tune-a1/base", "tune-b1/sft")["suites"][SUITE]["paired"]
    assert mirrored["difference"] == -pair["difference"] and mirrored["p"] == pair["p"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param(("tune-a1",), "name two runs to compare", id="one run alone"),
        pytest.param(("tune-a", "tune-z"), "tune-z: no run has this name; the nearest are", id="unknown"),
        pytest.param(("tune-b2", "tune-a1"), "nearest are tune-b1", id="a typing mistake"),
        pytest.param(
            ("tune", "tune-a1"), "3 runs begin so: tune-a1, tune-b1, tune-c1", id="the start of several"
        ),
        pytest.param(("", "tune-a1"), "no run has this name", id="an empty name is no start"),
        pytest.param(
            ("tune-a1/rft", "tune-b1"), "has no variant 'rft' on own; it has base, sft", id="variant"
        ),
        pytest.param(("tune-a1", "tune-a1"), "tune-a1: is what both names stand for", id="a run with itself"),
        pytest.param(
            ("tune-c1/sft", "latest"), "tune-c1/sft: is what both names", id="a variant with the same"
        ),
        pytest.param(("latest", "tune-c1/sft"), "tune-c1/sft: is what both names", id="and the other way"),
        pytest.param(("champion", "tune-a1"), "no model registry", id="folders have no champion"),
        pytest.param(("tune-a1", "tune-b1", "--suite", "multi_turn"), "do not both have", id="suite"),
        pytest.param(("tune-a1/base", "latest"), "0 are equal", id="another test set"),
        pytest.param(("tune-a1", "latest", "--common-rows"), "nothing can be compared", id="no common row"),
        pytest.param(("--variant", "stf"), "the nearest are sft", id="variant to list"),
        pytest.param(("--last", "0"), "a number from 1 up", id="no line"),
    ],
)
def test_what_cannot_be_done_is_said(door: Door, runs: Path, arguments: tuple[str, ...], said: str) -> None:
    with pytest.raises(BadInput, match=said.replace("(", r"\(")):
        door(runs, *arguments)


def test_a_name_without_variant_beside_one_with_means_the_same_variant(door: Door, runs: Path) -> None:
    (pair,) = listed(door, runs, "tune-b1/sft", "tune-a1")["suites"][SUITE]["paired"]
    assert (pair["a"], pair["b"]) == ("tune-b1/sft", "tune-a1/sft")


def test_rows_that_one_run_alone_has_are_counted_and_left_out(door: Door, tmp_path: Path) -> None:
    changed = [
        {**ROWS[0], "messages": [{"role": "user", "content": "Mended."}]},
        *ROWS[1:58],
        *weather_rows(62)[60:],
    ]
    write_folder(tmp_path, FIRST)
    write_folder(tmp_path, replace(LATER, rows=changed))
    found = listed(door, tmp_path, "tune-b1/sft", "tune-a1/sft")["suites"][SUITE]
    assert (found["rows"], found["only_a"], found["only_b"], found["changed"]) == (57, 2, 2, 1)
    assert found["paired"][0]["n"] == 57
    assert "left out: 2 rows only in the first, 2 only in the second, 1 whose content differs" in door(
        tmp_path, "tune-b1", "tune-a1"
    )


def test_half_another_test_is_compared_only_when_asked_for(door: Door, tmp_path: Path) -> None:
    write_folder(tmp_path, FIRST)
    write_folder(tmp_path, replace(LATER, rows=[*ROWS[:30], *weather_rows(90)[60:]]))
    with pytest.raises(
        BadInput, match=r"30 are equal, 30 are only in the first, 30 only in the second.*--common-rows"
    ):
        door(tmp_path, "tune-b1", "tune-a1")
    found = listed(door, tmp_path, "tune-b1", "tune-a1", "--common-rows")["suites"][SUITE]
    assert found["rows"] == found["paired"][0]["n"] == 30


@pytest.mark.parametrize(
    ("equal", "is_enough"),
    [
        pytest.param(57, True, id="57 of the 63 rows that there are, 90.5 percent"),
        pytest.param(56, False, id="56 of 64, 87.5 percent"),
    ],
)
def test_nine_of_ten_rows_make_the_same_test(door: Door, tmp_path: Path, equal: int, is_enough: bool) -> None:
    write_folder(tmp_path, FIRST)
    write_folder(tmp_path, replace(LATER, rows=[*ROWS[:equal], *weather_rows(120 - equal)[60:]]))
    if is_enough:
        assert listed(door, tmp_path, "tune-b1", "tune-a1")["suites"][SUITE]["rows"] == equal
    else:
        with pytest.raises(BadInput, match=f"{equal} are equal"):
            door(tmp_path, "tune-b1", "tune-a1")


def test_the_order_of_rows_makes_no_other_test_set(door: Door, tmp_path: Path) -> None:
    write_folder(tmp_path, FIRST)
    write_folder(tmp_path, replace(LATER, rows=ROWS[::-1]))
    (group,) = listed(door, tmp_path)["groups"]
    assert [line["runs"][0]["run_id"] for line in group["lines"]] == ["tune-a1", "tune-b1"] * 2


def test_seeds_are_averaged_with_the_single_runs_beneath(door: Door, tmp_path: Path) -> None:
    for seed, right in enumerate((20, 26, 32)):
        write_folder(
            tmp_path, replace(FIRST, name=f"tune-s{seed}", right={"sft": right}, seed=seed, day=seed)
        )
    write_folder(tmp_path, replace(LATER, name="tune-t", right={"sft": 50}, day=9))
    seeds, later = listed(door, tmp_path)["groups"][0]["lines"]
    assert [one["run_id"] for one in seeds["runs"]] == ["tune-s0", "tune-s1", "tune-s2"]
    assert seeds["average"] == {
        "mean": pytest.approx(26 / 60),
        "spread": pytest.approx(0.1),
        "lowest": pytest.approx(20 / 60),
        "highest": pytest.approx(32 / 60),
        "seeds": 3,
    }
    assert later["before"] == "tune-s2/sft and 2 more seeds"
    assert later["change"]["difference"] == pytest.approx(24 / 60)
    assert "averaged over seeds: real" in later["change"]["statement"]
    assert "43.3 (sd 10.0; 33–53)" in door(tmp_path)


def test_a_damaged_run_is_said_and_costs_no_other(door: Door, tmp_path: Path) -> None:
    write_folder(tmp_path, FIRST)
    half = write_folder(tmp_path, replace(FIRST, name="tune-half", day=1))
    (half / "comparison.json").write_text('{"suites": {"own"')
    lost = write_folder(tmp_path, replace(FIRST, name="tune-lost", day=2))
    (lost / "scores" / "sft" / f"{SUITE}.jsonl").write_text('{"id": "r0"}\n')
    failed = write_folder(tmp_path, replace(FIRST, name="tune-failed", day=3))
    execution = json.loads((failed / "execution.json").read_text())
    (failed / "execution.json").write_text(json.dumps({**execution, "status": "FAILED"}))
    odd = write_folder(tmp_path, replace(FIRST, name="tune-odd", day=4))
    (odd / "comparison.json").write_text('{"suites": {"own": {"sft": {"metrics": {"accuracy": [1]}}}}}')
    content = listed(door, tmp_path)
    assert {one["run_id"] for one in content["not_listed"]} == {"tune-half", "tune-failed", "tune-odd"}
    (group,) = content["groups"]
    assert [line["runs"][0]["run_id"] for line in group["lines"] if line["variant"] == "sft"] == [
        "tune-a1",
        "tune-lost",
    ]
    assert group["lines"][-1]["change"] is None, "its scores cannot be read"
    assert "own.jsonl" in group["notes"]["tune-lost"][0]
    assert "tune-failed ended FAILED" in " ".join(door(tmp_path).split())
    with pytest.raises(BadInput, match="tune-failed: cannot be compared: ended FAILED"):
        door(tmp_path, "tune-failed", "tune-a1")
    with pytest.raises(BadInput, match=r"tune-lost: own\.jsonl: holds no scores"):
        door(tmp_path, "tune-lost", "tune-a1")


def test_a_seed_that_was_run_again_is_named_and_not_counted_twice(door: Door, tmp_path: Path) -> None:
    for number, seed in enumerate((0, 1, 0)):
        write_folder(tmp_path, replace(FIRST, name=f"tune-s{number}", seed=seed, day=number, promoted="sft"))
    printed = door(tmp_path)
    assert printed.count("also run with seed 0: tune-s0 *, not counted twice") == 1, "once for both variants"
    assert printed.count("tune-s0") == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param(("--variant", "sft"), "p: decides whether the change is real", id="one change"),
        pytest.param((), "p: allows for all 2 changes shown (Holm)", id="two"),
    ],
)
def test_the_legend_says_how_many_changes_p_allows_for(
    door: Door, runs: Path, arguments: tuple[str, ...], said: str
) -> None:
    assert said in door(runs, *arguments)


@pytest.mark.parametrize(
    ("job_usd", "cost"),
    [
        pytest.param(0.25, "$0.50", id="training and prediction, not what all variants share"),
        pytest.param(0.0021, "$0.0042", id="below a cent"),
        pytest.param(None, "—", id="unknown"),
    ],
)
def test_a_line_costs_what_its_own_jobs_cost(
    door: Door, tmp_path: Path, job_usd: float | None, cost: str
) -> None:
    write_folder(tmp_path, replace(FIRST, job_usd=job_usd))
    base, sft = (line for line in door(tmp_path).splitlines() if "tune-a1" in line)
    assert sft.split()[-1] == cost
    assert base.split()[-1] != cost or job_usd is None
    (run,) = listed(door, tmp_path)["groups"][0]["lines"][1]["runs"]
    assert run["cost_usd"] == 1.5, "the whole run's is kept beside it"
    assert run["variant_usd"] == (None if job_usd is None else pytest.approx(2 * job_usd))


def test_a_run_that_recorded_no_test_set_is_listed_and_not_compared(door: Door, tmp_path: Path) -> None:
    for one in (FIRST, LATER):
        path = write_folder(tmp_path, one) / "comparison.json"
        content = json.loads(path.read_text())
        del content["test_sets"]
        path.write_text(json.dumps(content))
    (group,) = listed(door, tmp_path)["groups"]
    assert group["test_set"] is None and len(group["lines"]) == 4
    assert all(line["change"] is None for line in group["lines"])
    assert group["notes"] == {}, "no file is asked for"
    assert "they cannot be compared" in door(tmp_path)
    assert listed(door, tmp_path, "tune-b1/sft", "tune-a1/sft")["suites"][SUITE]["rows"] == 60, (
        "two named runs are compared by the rows themselves"
    )


def test_rows_that_are_not_the_test_set_they_name_are_not_compared(door: Door, tmp_path: Path) -> None:
    for one in (FIRST, LATER):
        path = write_folder(tmp_path, one) / "comparison.json"
        content = json.loads(path.read_text())
        content["test_sets"][SUITE]["digest"] = "0" * 16
        path.write_text(json.dumps(content))
    (group,) = listed(door, tmp_path)["groups"]
    assert all(line["change"] is None for line in group["lines"])
    assert group["notes"]["tune-b1"] == ["its rows of own are not the test set that it names"]


def test_names_are_shown_as_they_are_and_steer_no_terminal(door: Door, tmp_path: Path) -> None:
    hostile = "[red]tune[/red] :boom: \x1b[2J"
    write_folder(tmp_path, replace(FIRST, name="folder"))
    path = tmp_path / "folder" / "execution.json"
    execution = json.loads(path.read_text())
    execution["input"]["recipe"] = hostile
    path.write_text(json.dumps({**execution, "name": hostile}))
    printed = door(tmp_path)
    assert "\x1b" not in printed
    assert printed.count("[red]tune[/red] :boom: \N{REPLACEMENT CHARACTER}[2J") == 3, (
        "two lines and the setup"
    )


@pytest.mark.parametrize(
    "content", ["[]", "{}", '{"input": 3, "started": "soon"}'], ids=["list", "empty", "odd"]
)
def test_an_execution_of_another_shape_is_still_a_run(door: Door, tmp_path: Path, content: str) -> None:
    (write_folder(tmp_path, FIRST) / "execution.json").write_text(content)
    (group,) = listed(door, tmp_path)["groups"]
    assert group["lines"][0]["runs"][0]["run_id"] == "tune-a1", "comparison.json names it too"


def test_the_gate_reads_the_same_figures_as_better_when_low() -> None:
    assert gate_rules.LOWER_IS_BETTER & OUTCOMES.keys() == LOWER_IS_BETTER & OUTCOMES.keys()


def test_without_a_server_and_folders_the_door_says_how_to_name_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with pytest.raises(BadInput, match="set MLFLOW_TRACKING_URI"):
        main([])


def test_no_run_is_said(door: Door, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no run is there yet"):
        door(tmp_path)
    with pytest.raises(BadInput, match="there is no such folder"):
        door(tmp_path / "absent")
