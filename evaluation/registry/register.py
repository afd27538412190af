"""Register a run's candidate: a version with its lineage, its card, and the alias where it is due."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from evaluation.comparison import Comparison
from evaluation.glance import has_weights
from evaluation.markdown import cut_lines, escape
from evaluation.plan import input_of, is_billed
from evaluation.registry.candidate import Candidate, estimates_of
from evaluation.registry.champion import decide, without_revision
from evaluation.report.results import Results
from evaluation.sentences import format_estimate
from evaluation.suites import SUITES
from jobs.registry import CHAMPION, ModelVersion, Registry, RegistryUnavailable
from jobs.run import ChildRun, Run, RunReference

# The registry's tables hold so many characters.
MAX_DESCRIPTION_CHARACTERS = 5000
DECISION = "champion_decision"
CHOSEN = "chosen_as_champion"
REST_OF_CARD = "The whole card is model_card.md among the artifacts of the run."


@dataclass(frozen=True)
class Registration:
    """What came of it, in words; `version` is None where nothing was registered.

    `chosen`: the day on which it was chosen as champion, None where it was not. Who has the alias since is
    the registry's to say.
    """

    statement: str
    version: ModelVersion | None = None
    chosen: str | None = None


@dataclass(frozen=True)
class Lineage:
    """What a version was made from, as far as the run's tags tell."""

    reference: RunReference
    code_hash: str
    parent_tags: Mapping[str, str]
    children: Mapping[str, ChildRun]


def model_name(base_model: str) -> str:
    """The registered model that all tunings of one base share, at whichever revision.

    Names that differ in what MLflow does not allow come to one: their tunings are versions beside each other,
    and never take the alias from each other.

    >>> model_name("HuggingFaceTB/SmolLM2-135M@main")
    'toolwright-HuggingFaceTB-SmolLM2-135M'
    """
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", without_revision(base_model)).strip("-")
    return f"toolwright-{name or 'model'}"


def register(
    run: Run, candidate: Candidate | None, results: Results, card: str, lineage: Lineage
) -> Registration:
    """Register `candidate` once, however often the job is tried, and move the alias if it is due.

    Only the try that decides moves the alias: since then a person may have moved it back. A server without
    a registry costs the registration alone: what it said is in the statement.
    """
    if run.run_id is None:
        return Registration("Nothing is registered: this run is not tracked.")
    if candidate is None:
        return Registration("Nothing is registered: no variant of this run was trained.")
    try:
        return _register(run, run.run_id, candidate, results, card, lineage)
    except RegistryUnavailable as error:
        return Registration(f"{candidate.variant} is not registered: {error}")


def lineage_tags(candidate: Candidate, results: Results, lineage: Lineage) -> dict[str, str]:
    """Where a version comes from, and what it came to."""
    comparison, given = results.comparison, input_of(results.plan)
    reference = lineage.reference
    trained = lineage.children.get(candidate.variant)
    tags = {
        "run_id": comparison.run_id,
        "variant": candidate.variant,
        "training_job_name": candidate.training_job_name,
        "training_run_id": trained.run_id if trained else None,
        "base_model": given.get("base_model") or lineage.parent_tags.get("base_model"),
        "base_model_revision": reference.base_model_revision
        or lineage.parent_tags.get("base_model_revision"),
        "recipe": given.get("recipe"),
        "recipe_hash": trained.tags.get("recipe_hash") if trained else None,
        "seed": given.get("seed"),
        "data_hash": reference.data_hash,
        "code_hash": lineage.code_hash,
        "gate": candidate.gate,
        "target": candidate.target.name,
        "local_weights": _local_weights(candidate, results),
        **{f"test_set.{suite}": one.digest for suite, one in comparison.test_sets.items()},
        **_main_figures(comparison, candidate.variant),
    }
    return {name: str(value) for name, value in tags.items() if value not in (None, "")}


def _register(
    run: Run, run_id: str, candidate: Candidate, results: Results, card: str, lineage: Lineage
) -> Registration:
    tags = lineage_tags(candidate, results, lineage)
    name = model_name(tags.get("base_model", ""))
    once: dict[str, str] = {key: tags[key] for key in ("training_job_name", "run_id") if key in tags}
    registry = run.registry
    version = registry.find(name, once) or registry.register(
        name, source=candidate.model_uri, run_id=run_id, tags=tags, description=_shortened(card)
    )
    if version is None:
        return Registration("Nothing is registered: this run is not tracked.")
    if DECISION in version.tags:
        return _tried_again(version, candidate, tags, card, registry)
    champion, base = registry.champion(name), tags.get("base_model", "")
    decision = decide(candidate, results, champion, registry, base)
    today = datetime.now(UTC).date().isoformat()
    said = f"{'chosen' if decision.moves else 'not chosen'} as {CHAMPION} on {today}: {decision.why}"
    said += f" {_by_hand(version)}" if decision.is_open else ""
    chosen = today if decision.moves else ""
    # Before the alias moves: a job that ends in between leaves the reason behind. The decision is the last
    # tag, so that where it stands the others do.
    registry.describe(version, {**tags, CHOSEN: chosen, DECISION: said}, _shortened(card, said))
    if decision.moves:
        registry.crown(version)
    return Registration(_statement(version, candidate, said), version, chosen or None)


def _tried_again(
    version: ModelVersion, candidate: Candidate, tags: Mapping[str, str], card: str, registry: Registry
) -> Registration:
    """Describe the version anew, and leave the alias where it is: an earlier try of this job decided."""
    said, chosen = version.tags[DECISION], version.tags.get(CHOSEN) or None
    registry.describe(version, {**tags, DECISION: said}, _shortened(card, said))
    champion = registry.champion(version.name)
    is_champion = champion is not None and champion.number == version.number
    since = ""
    if is_champion and candidate.gate != "passed":
        since = " The gate does not let it pass now: move the alias by hand to the version before."
    elif not is_champion and candidate.gate == "passed" and (chosen or version.tags.get("gate") != "passed"):
        since = f" It is not the {CHAMPION} now, and a job that is tried again moves no alias. "
        since += _by_hand(version)
    return Registration(_statement(version, candidate, said + since), version, chosen)


def _statement(version: ModelVersion, candidate: Candidate, said: str) -> str:
    return f"{candidate.variant} is version {version.number} of {version.name}; {said}"


def _local_weights(candidate: Candidate, results: Results) -> str | None:
    """Where the weights are if `source` is in an S3 that ended with the run."""
    if is_billed(results.plan) or not has_weights(candidate, results.plan):
        return None
    return f"runs/{results.comparison.run_id}/model/"


def _by_hand(version: ModelVersion) -> str:
    call = f'MlflowClient().set_registered_model_alias("{version.name}", "{CHAMPION}", "{version.number}")'
    return f"If it is the better one, move the alias by hand: {call}."


def _main_figures(comparison: Comparison, variant: str) -> dict[str, str]:
    return {
        f"{suite}.{SUITES[suite].main_metric}": format_estimate(
            estimates_of(summaries[variant])[SUITES[suite].main_metric]
        )
        for suite, summaries in comparison.summaries.items()
        if variant in summaries
    }


def _shortened(card: str, before: str = "") -> str:
    # The header is for the model hub's machines.
    body = re.sub(r"\A---\n.*?\n---\n+", "", card, flags=re.DOTALL)
    text = f"{escape(before)}\n\n{body}" if before else body
    return cut_lines(text, MAX_DESCRIPTION_CHARACTERS, REST_OF_CARD)
