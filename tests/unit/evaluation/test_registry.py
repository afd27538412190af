"""The registry: the promoted variant goes in, once, and the champion is never deposed by a worse one."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from evaluation.comparison import compare
from evaluation.jsonl import read_jsonl, write_jsonl
from evaluation.registry import champion as champion_module
from evaluation.registry.candidate import Candidate, choose_candidate
from evaluation.registry.champion import decide
from evaluation.registry.register import Lineage, model_name, register
from evaluation.report.results import Results
from evaluation.target import Target, target_of
from jobs.registry import ModelVersion, Registry, RegistryUnavailable
from jobs.run import ChildRun, Run, RunReference
from tests.unit.evaluation.scored_run import plan_of, write_run

# Of every ten rows, how many each variant has right: `sft-dpo` is the best by far, `dpo` no better than base.
SKILL = {"base": 3, "sft": 6, "dpo": 3, "sft-dpo": 9}
OWN = Target("own", "accuracy")


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    write_run(folder, SKILL)
    return folder


@pytest.fixture(scope="module")
def results(run_dir: Path) -> Results:
    return Results(compare("run-1", run_dir / "data", run_dir / "scores"), {}, plan_of(tuple(SKILL), "sft"))


def with_gate(results: Results, promoted: str | None, *, rules: bool = True) -> Results:
    return replace(results, plan=plan_of(tuple(SKILL), promoted, rules=rules))


CANDIDATES = [
    ("sft", True, "sft", "passed", "the promoted one, though another is better"),
    (None, True, "sft-dpo", "failed", "the best of the trained, where nothing is promoted"),
    (None, False, "sft-dpo", "none", "the best of the trained, where no gate was asked"),
    ("prompt", True, "sft-dpo", "failed", "a prompt has no weights of its own"),
]


@pytest.mark.parametrize(
    ("promoted", "rules", "variant", "gate", "why"), CANDIDATES, ids=[row[4] for row in CANDIDATES]
)
def test_which_variant_is_registered(
    promoted: str | None, rules: bool, variant: str, gate: str, why: str, results: Results
) -> None:
    chosen = choose_candidate(with_gate(results, promoted, rules=rules))
    assert chosen is not None
    assert (chosen.variant, chosen.gate) == (variant, gate), why
    assert chosen.model_uri == f"s3://bucket/{variant}/output/model/"
    assert chosen.training_job_name == f"job-{variant}"


def test_where_nothing_was_trained_nothing_is_chosen(results: Results) -> None:
    assert choose_candidate(replace(results, plan={})) is None
    assert choose_candidate(replace(results, plan=plan_of(["base", "prompt"]))) is None


def test_of_a_rate_of_mistakes_the_lowest_is_best(results: Results) -> None:
    plan = plan_of(tuple(SKILL))
    for rule in plan["gate"]["rules"]:
        rule["metric"] = "over_call_rate"
    target = target_of(plan, results.comparison)
    assert target == Target("own", "over_call_rate")
    rates = {
        variant: one.metrics["over_call_rate"].value or 0.0
        for variant, one in results.comparison.summaries["own"].items()
    }
    chosen = choose_candidate(replace(results, plan=plan))
    assert chosen is not None
    assert rates[chosen.variant] == min(rates[variant] for variant in SKILL if variant != "base")


@pytest.mark.parametrize(
    ("base_model", "name"),
    [
        ("smollm2-135m-instruct", "toolwright-smollm2-135m-instruct"),
        ("Qwen/Qwen3-0.6B", "toolwright-Qwen-Qwen3-0.6B"),
        ("Qwen/Qwen3-0.6B@main", "toolwright-Qwen-Qwen3-0.6B"),
        ("Qwen/Qwen3-0.6B@refs/pr/1", "toolwright-Qwen-Qwen3-0.6B"),
        ("s3://bucket/a@b/", "toolwright-s3-bucket-a-b"),
        ("a:b//c d", "toolwright-a-b-c-d"),
        ("", "toolwright-model"),
    ],
)
def test_a_model_is_named_after_its_base_as_mlflow_allows(base_model: str, name: str) -> None:
    assert model_name(base_model) == name


@dataclass
class Shelf(Registry):
    """A registry in memory, whose runs' artifacts lie in a folder."""

    artifacts: Path | None = None
    versions: list[ModelVersion] = field(default_factory=list)
    crowned: str | None = None
    described: dict[str, str] = field(default_factory=dict)

    def champion(self, name: str) -> ModelVersion | None:
        return next((one for one in self.versions if one.number == self.crowned), None)

    def find(self, name: str, tags: Mapping[str, str]) -> ModelVersion | None:
        return next((one for one in self.versions if tags.items() <= one.tags.items()), None)

    def register(
        self, name: str, *, source: str, run_id: str, tags: Mapping[str, str], description: str
    ) -> ModelVersion:
        self.versions.append(ModelVersion(name, str(len(self.versions) + 1), run_id, dict(tags)))
        return self.versions[-1]

    def describe(self, version: ModelVersion, tags: Mapping[str, str], description: str) -> None:
        place = self.versions.index(version)
        self.versions[place] = replace(version, tags={**version.tags, **tags})
        self.described[version.number] = description

    def crown(self, version: ModelVersion) -> None:
        self.crowned = version.number

    def fetch(self, run_id: str, artifact: str, into: Path) -> Path | None:
        # A run's rows lie among its artifacts as `rows`, in its folder as `data/suites`.
        place = artifact.replace("rows/", "data/suites/")
        found = None if self.artifacts is None else self.artifacts / place
        return Path(shutil.copy(found, into)) if found is not None and found.is_file() else None


class Tracked(Run):
    """A run that is tracked, with a registry of its own."""

    run_id = "mlflow-run"

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    @property
    def registry(self) -> Registry:
        return self._registry


def champion_of(results: Results, variant: str, **tags: str) -> ModelVersion:
    return ModelVersion("m", "4", "earlier-run", {"variant": variant, "target": "own/accuracy", **tags})


ALIASES: list[tuple[str | None, bool, str, str | None, dict[str, str], bool, str, str]] = [
    # promoted, rules, the candidate, the champion's variant, its other tags, moves, in words, why
    ("sft", True, "sft", None, {}, True, "no version had the alias", "the first that passes"),
    (None, True, "sft", None, {}, False, "did not let it pass", "refused by the gate, though there is none"),
    (None, False, "sft", None, {}, False, "had no rules", "a gate without rules lets nothing pass"),
    ("dpo", True, "sft", "base", {}, False, "did not let it pass", "another variant was promoted"),
    ("sft", True, "sft", "base", {}, True, "over version 4", "better than the champion"),
    ("sft", True, "sft", "sft", {}, True, "+0.0 points", "as good as the champion: nothing speaks for it"),
    (
        "sft",
        True,
        "sft",
        "sft-dpo",
        {},
        False,
        "better beyond noise",
        "worse than the champion, beyond noise",
    ),
    ("sft", True, "sft", "rft", {}, False, "cannot be read", "nothing says that it is as good"),
    ("dpo", True, "dpo", "sft", {}, False, "better beyond noise", "a large step down"),
    (
        "sft",
        True,
        "sft",
        "sft",
        {"target": "when2call_mcq/acc_norm"},
        True,
        "points of acc_norm over version 4 on the same 60 rows",
        "as good by the champion's own target too",
    ),
    (
        "sft",
        True,
        "sft",
        "sft",
        {"target": ""},
        False,
        "does not say by which figure",
        "by a target that is not known it may be worse",
    ),
    (
        "sft",
        True,
        "sft",
        "base",
        {"target": "own/macro_f1_all"},
        False,
        "no share of rows",
        "its target cannot be held row by row",
    ),
    (
        "sft",
        True,
        "sft",
        "base",
        {"target": "bfcl_single_turn/accuracy"},
        False,
        "has no scores of bfcl_single_turn",
        "this run was not measured by the champion's target",
    ),
    (
        "sft",
        True,
        "sft",
        "base",
        {"base_model": "org-m"},
        False,
        "tuned from org-m",
        "another base model under the same registered name",
    ),
    ("sft", True, "sft", "base", {"base_model": "org/m@v2"}, True, "over version 4", "another revision"),
]


@pytest.mark.parametrize(
    ("promoted", "rules", "variant", "before", "tags", "moves", "words", "why"),
    ALIASES,
    ids=[row[-1] for row in ALIASES],
)
def test_the_alias_moves_only_through_the_gate_and_never_to_a_worse_model(
    promoted: str | None,
    rules: bool,
    variant: str,
    before: str | None,
    tags: dict[str, str],
    moves: bool,
    words: str,
    why: str,
    results: Results,
    run_dir: Path,
) -> None:
    planned = with_gate(results, promoted, rules=rules)
    gate: Any = "none" if not rules else "passed" if promoted == variant else "failed"
    candidate = Candidate(variant, "s3://x", "job", OWN, gate)
    champion = None if before is None else champion_of(results, before, **tags)
    decision = decide(candidate, planned, champion, Shelf(run_dir), "org/m@v1")
    assert decision.moves == moves, why
    assert words in decision.why


# Of 60 rows, how many more the champion has right than the candidate, on this suite.
STEPS = [
    ("own", 0, True, "+0.0 points", False, "as good"),
    ("own", 1, False, "on these rows, within noise: -1.7 points", True, "one row worse: within noise"),
    ("own", 4, False, "on these rows, within noise: -6.8 points", True, "a step down within noise"),
    ("own", 12, False, "better beyond noise", False, "a real step down"),
    ("when2call_mcq", 12, False, "beyond noise: -20.0 points of acc_norm", False, "by its own target alone"),
]


@pytest.mark.parametrize(
    ("suite", "step", "moves", "words", "is_open", "why"), STEPS, ids=[row[-1] for row in STEPS]
)
def test_no_step_down_however_small_moves_the_alias(
    suite: str,
    step: int,
    moves: bool,
    words: str,
    is_open: bool,
    why: str,
    results: Results,
    run_dir: Path,
    tmp_path: Path,
) -> None:
    shutil.copytree(run_dir / "data", tmp_path / "data")
    shutil.copytree(run_dir / "scores" / "sft", tmp_path / "scores" / "sft")
    scores = [dict(one) for one in read_jsonl(tmp_path / "scores" / "sft" / f"{suite}.jsonl")]
    right = next(one for one in scores if one.get("value") == 1.0)
    wrong = [one for one in scores if one.get("value") == 0.0]
    better = {one["id"] for one in wrong[:step]}
    changed = [{**right, "id": one["id"]} if one["id"] in better else one for one in scores]
    write_jsonl(tmp_path / "scores" / "sft" / f"{suite}.jsonl", changed)
    champion = champion_of(results, "sft", target="own/accuracy" if suite == "own" else f"{suite}/acc_norm")
    candidate = Candidate("sft", "s3://x", "job", OWN, "passed")
    decision = decide(candidate, results, champion, Shelf(tmp_path))
    assert (decision.moves, decision.is_open) == (moves, is_open), why
    assert words in decision.why


@pytest.mark.parametrize("worst", ["own", "when2call_mcq"])
def test_a_loss_within_noise_hides_no_real_one(
    worst: str, results: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gain(_variant: str, target: Target, *_: object) -> tuple[float, float, str]:
        return (-0.3, 0.0001, "far down") if target.suite == worst else (-0.01, 0.8, "a little down")

    monkeypatch.setattr(champion_module, "_gain_over", gain)
    champion = champion_of(results, "sft", target="when2call_mcq/acc_norm")
    decision = decide(Candidate("sft", "s3://x", "job", OWN, "passed"), results, champion, Shelf(None))
    assert decision.why == "version 4 stays, which is better beyond noise: far down."
    assert not decision.is_open


# How the champion's test set differs: rows that it lacks, rows with other words, rows that it alone has,
# rows that it has no score for; 60 rows, of which both have a score for 59.
TEST_SETS: list[tuple[int, int, int, int, str, bool, str, str]] = [
    (0, 0, 0, 0, "base", True, "same 59 rows", "the same rows, and better"),
    (0, 0, 0, 0, "sft-dpo", False, "better beyond noise: ", "the same rows, and worse"),
    (4, 0, 0, 0, "sft-dpo", False, "better beyond noise: ", "a few rows less do not depose a better one"),
    (0, 4, 0, 0, "sft-dpo", False, "better beyond noise: ", "nor do a few changed rows"),
    (0, 0, 4, 0, "sft-dpo", False, "better beyond noise: ", "nor a few more"),
    (0, 4, 0, 0, "base", True, "same 56 rows", "better on nearly all rows"),
    (0, 6, 0, 0, "base", True, "same 54 rows", "nine tenths are enough"),
    (0, 7, 0, 0, "base", False, "only 53 are the same", "below nine tenths, though better there"),
    (9, 0, 0, 0, "base", False, "of the 60 rows", "too many rows that only the new one has"),
    (0, 0, 9, 0, "base", False, "of the 69 rows", "too many rows that only the champion has"),
    (0, 60, 0, 0, "base", False, "only 0 are the same", "another test set under the same ids"),
    (0, 0, 0, 9, "base", False, "only 50 are the same", "rows without a score count for neither"),
]


@pytest.mark.parametrize(
    ("lacks", "changed", "more", "unscored", "before", "moves", "words", "why"),
    TEST_SETS,
    ids=[row[-1] for row in TEST_SETS],
)
def test_the_champion_is_held_against_on_the_rows_that_both_have(
    lacks: int,
    changed: int,
    more: int,
    unscored: int,
    before: str,
    moves: bool,
    words: str,
    why: str,
    results: Results,
    run_dir: Path,
    tmp_path: Path,
) -> None:
    rows = [dict(row) for row in read_jsonl(run_dir / "data" / "suites" / "own.jsonl")]
    kept = rows[: len(rows) - lacks]
    for row in kept[:changed]:
        row["messages"] = [*row["messages"], {"role": "user", "content": "and now?"}]
    added = [{**rows[0], "id": f"new {number}"} for number in range(more)]
    write_jsonl(tmp_path / "data" / "suites" / "own.jsonl", [*kept, *added])
    scores = read_jsonl(run_dir / "scores" / before / "own.jsonl")
    write_jsonl(tmp_path / "scores" / before / "own.jsonl", scores[: len(scores) - unscored])
    candidate = Candidate("sft", "s3://x", "job", OWN, "passed")
    decision = decide(candidate, results, champion_of(results, before), Shelf(tmp_path))
    assert decision.moves == moves, why
    assert words in decision.why
    assert decision.is_open == ("only" in words or "of the" in words)


def test_who_may_be_better_stays_until_the_alias_is_moved_by_hand(results: Results) -> None:
    shelf = Shelf(None, [champion_of(results, "base")], "4")
    done = register(Tracked(shelf), choose_candidate(results), results, "# A card", lineage())
    assert (done.chosen, shelf.crowned) == (None, "4")
    call = 'MlflowClient().set_registered_model_alias("toolwright-tiny", "champion", "2")'
    assert call in done.statement
    assert call in shelf.versions[1].tags["champion_decision"]


def test_a_retry_with_another_verdict_says_so_on_the_version(results: Results) -> None:
    shelf = Shelf()
    register(Tracked(shelf), choose_candidate(results), results, "# A card", lineage())
    refused = replace(choose_candidate(results) or pytest.fail("none"), gate="failed")
    done = register(Tracked(shelf), refused, with_gate(results, None), "# A card", lineage())
    assert len(shelf.versions) == 1
    assert shelf.versions[0].tags["gate"] == "failed"
    assert "does not let it pass now" in done.statement


def test_damaged_scores_of_the_champion_leave_it_in_place(
    results: Results, run_dir: Path, tmp_path: Path
) -> None:
    damaged = tmp_path / "scores" / "base" / "own.jsonl"
    damaged.parent.mkdir(parents=True)
    shutil.copytree(run_dir / "data", tmp_path / "data")
    for content in ('{"id": "o1"}\n', "{\n", ""):
        damaged.write_text(content)
        candidate = Candidate("sft", "s3://x", "job", OWN, "passed")
        decision = decide(candidate, results, champion_of(results, "base"), Shelf(tmp_path))
        assert not decision.moves
        assert "cannot be read" in decision.why


def lineage() -> Lineage:
    trained = ChildRun("child", "train-sft", {"variant": "sft", "recipe_hash": "4ec1"})
    reference = RunReference("run-1", "1", "mlflow-run", "da7a", None)
    return Lineage(reference, "c0de", {"base_model_revision": "sha256:1"}, {"sft": trained})


def test_a_version_says_where_it_comes_from(results: Results) -> None:
    shelf = Shelf()
    done = register(Tracked(shelf), choose_candidate(results), results, "# A card", lineage())
    tags = shelf.versions[0].tags
    expected = {
        "run_id": "run-1",
        "variant": "sft",
        "training_job_name": "job-sft",
        "training_run_id": "child",
        "base_model": "tiny",
        "base_model_revision": "sha256:1",
        "recipe": "tiny-lora",
        "recipe_hash": "4ec1",
        "seed": "7",
        "data_hash": "da7a",
        "code_hash": "c0de",
        "gate": "passed",
        "target": "own/accuracy",
        "test_set.own": results.comparison.test_sets["own"].digest,
        "test_set.when2call_mcq": results.comparison.test_sets["when2call_mcq"].digest,
    }
    assert {name: tags.get(name) for name in expected} == expected
    assert tags["when2call_mcq.acc_norm"].startswith("60.0 (")
    assert shelf.crowned == "1"
    assert done.chosen == tags["chosen_as_champion"]
    assert tags["champion_decision"].startswith(f"chosen as champion on {done.chosen}: ")
    assert "# A card" in shelf.described["1"]
    assert shelf.versions[0].name == "toolwright-tiny"


def test_a_retried_job_registers_once_and_keeps_what_was_decided(results: Results) -> None:
    shelf = Shelf()
    said = [
        register(Tracked(shelf), choose_candidate(results), results, "# A card", lineage()).statement
        for _ in range(3)
    ]
    assert len(shelf.versions) == 1
    assert set(said) == {said[0]}
    assert "no version had the alias" in said[0]


SINCE = [
    # who has the alias when the job is tried again, what the second try says, and why
    ("1", "", "nothing has happened"),
    ("2", "moves no alias", "a later version took over"),
    (None, "moves no alias", "a person took it away, or the first try ended before it moved"),
]


@pytest.mark.parametrize(("now", "words", "why"), SINCE, ids=[row[-1] for row in SINCE])
def test_a_retry_moves_no_alias(now: str | None, words: str, why: str, results: Results) -> None:
    shelf = Shelf()
    done = register(Tracked(shelf), choose_candidate(results), results, "# A card", lineage())
    shelf.versions.append(champion_of(results, "base"))
    shelf.versions[-1] = replace(shelf.versions[-1], number="2")
    shelf.crowned = now
    again = register(Tracked(shelf), choose_candidate(results), results, "# A card", lineage())
    assert shelf.crowned == now, why
    assert again.statement.startswith(done.statement)
    assert words in again.statement
    assert ("by hand" in again.statement) == bool(words)
    assert "by hand" not in shelf.versions[0].tags["champion_decision"]
    assert again.chosen == done.chosen, "that it was chosen stays true"


class Ended(Shelf):
    """A registry whose job ends before the alias moves."""

    def crown(self, version: ModelVersion) -> None:
        raise KeyboardInterrupt


def test_a_job_that_ends_before_the_alias_moves_leaves_the_reason(results: Results) -> None:
    shelf = Ended()
    with pytest.raises(KeyboardInterrupt):
        register(Tracked(shelf), choose_candidate(results), results, "# A card", lineage())
    assert "no version had the alias" in shelf.versions[0].tags["champion_decision"]
    again = register(Tracked(shelf), choose_candidate(results), results, "# A card", lineage())
    assert "no version had the alias" in again.statement
    assert 'set_registered_model_alias("toolwright-tiny", "champion", "1")' in again.statement


@pytest.mark.parametrize(
    ("billed", "promoted", "expected"),
    [(False, "sft", "runs/run-1/model/"), (False, None, None), (True, "sft", None)],
    ids=["promoted here", "not promoted: its weights are gone", "on AWS the source is there"],
)
def test_where_the_weights_of_a_run_on_this_machine_are(
    billed: bool, promoted: str | None, expected: str | None, results: Results
) -> None:
    shelf = Shelf()
    planned = with_gate(results, promoted)
    planned.plan["cost"]["billed"] = billed
    register(Tracked(shelf), choose_candidate(planned), planned, "# A card", lineage())
    assert shelf.versions[0].tags.get("local_weights") == expected


def test_a_refused_variant_is_kept_and_not_crowned(results: Results) -> None:
    shelf = Shelf()
    refused = with_gate(results, None)
    done = register(Tracked(shelf), choose_candidate(refused), refused, "# A card", lineage())
    assert (done.chosen, shelf.crowned) == (None, None)
    assert shelf.versions[0].tags["gate"] == "failed"


def test_a_long_card_is_cut_at_a_line_and_its_header_left_out(results: Results) -> None:
    shelf = Shelf()
    card = "---\ntags:\n- a\n---\n\n# Card\n" + "a line of the card\n" * 1000
    register(Tracked(shelf), choose_candidate(results), results, card, lineage())
    text = shelf.described["1"]
    assert len(text) <= 5000
    assert "tags:" not in text
    assert text.endswith("model_card.md among the artifacts of the run.")


class Absent(Registry):
    """A server without a registry."""

    def find(self, name: str, tags: Mapping[str, str]) -> ModelVersion | None:
        raise RegistryUnavailable("the registry does not answer: 404: no such API")


def test_without_a_registry_the_run_goes_on_and_says_so(results: Results) -> None:
    done = register(Tracked(Absent()), choose_candidate(results), results, "# A card", lineage())
    assert done.version is None
    assert "is not registered: the registry does not answer: 404: no such API" in done.statement


def test_untracked_and_untrained_runs_register_nothing(results: Results) -> None:
    assert "not tracked" in register(Run(), choose_candidate(results), results, "", lineage()).statement
    shelf = Shelf()
    assert "no variant" in register(Tracked(shelf), None, results, "", lineage()).statement
    assert not shelf.versions
