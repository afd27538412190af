"""Register a run's candidate: a version with its lineage, its card, and the alias where it is due."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from evaluation.comparison import Comparison
from evaluation.markdown import cut_lines, escape
from evaluation.plan import input_of
from evaluation.registry.candidate import Candidate, estimates_of
from evaluation.registry.champion import Decision, decide
from evaluation.report.results import Results
from evaluation.sentences import format_estimate
from evaluation.suites import SUITES
from jobs.registry import CHAMPION, ModelVersion, Registry, RegistryUnavailable
from jobs.run import ChildRun, Run, RunReference

# The registry's tables hold so many characters.
MAX_DESCRIPTION_CHARACTERS = 5000
DECISION = "champion_decision"
REST_OF_CARD = "The whole card is model_card.md among the artifacts of the run."


@dataclass(frozen=True)
class Registration:
    """What came of it, in words; `version` is None where nothing was registered."""

    statement: str
    version: ModelVersion | None = None
    is_champion: bool = False


@dataclass(frozen=True)
class Lineage:
    """What a version was made from, as far as the run's tags tell."""

    reference: RunReference
    code_hash: str
    parent_tags: Mapping[str, str]
    children: Mapping[str, ChildRun]


def model_name(base_model: str) -> str:
    """The registered model that all tunings of one base share.

    >>> model_name("HuggingFaceTB/SmolLM2-135M")
    'toolwright-HuggingFaceTB-SmolLM2-135M'
    """
    return "toolwright-" + (re.sub(r"[^A-Za-z0-9._-]+", "-", base_model).strip("-") or "model")


def register(
    run: Run, candidate: Candidate | None, results: Results, card: str, lineage: Lineage
) -> Registration:
    """Register `candidate` once, however often the job is tried, and move the alias if it is due.

    A server without a registry costs the registration alone: what it said is in the statement.
    """
    if run.run_id is None:
        return Registration("Nothing is registered: this run is not tracked.")
    if candidate is None:
        return Registration("Nothing is registered: no variant of this run was trained.")
    try:
        return _register(run, run.run_id, candidate, results, card, lineage)
    except RegistryUnavailable as error:
        return Registration(f"{candidate.variant} is not registered, the registry does not answer: {error}")


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
    decision = _decide(candidate, results, version, registry)
    if decision.moves:
        registry.crown(version)
    said = decision.statement + (f" {_by_hand(version)}" if decision.is_open else "")
    registry.describe(version, {**tags, DECISION: said}, _shortened(card, said))
    statement = f"{candidate.variant} is version {version.number} of {name}; {said}"
    return Registration(statement, version, decision.moves)


def _decide(candidate: Candidate, results: Results, version: ModelVersion, registry: Registry) -> Decision:
    champion = registry.champion(version.name)
    if champion is None or champion.number != version.number:
        return decide(candidate, results, champion, registry)
    # An earlier try of this job got as far.
    if candidate.gate == "passed":
        return Decision(True, version.tags.get(DECISION, CHAMPION))
    return Decision(
        True,
        f"{CHAMPION} by an earlier try of this job, though the gate does not let it pass now: move the alias"
        " by hand to the version before.",
    )


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
