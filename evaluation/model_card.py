"""The model card: what the model is, what it can do by which figures, what it got worse at, and its limits.

The header is that of the Hugging Face hub (hub-docs, modelcard.md), with the fields that are known.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from evaluation.comparison import Pair
from evaluation.glance import (
    describe_candidate,
    describe_weights,
    figures_line,
    has_weights,
    verdict_of_candidate,
)
from evaluation.markdown import escape, table
from evaluation.plan import gate_of, input_of
from evaluation.registry.candidate import Candidate, estimates_of
from evaluation.registry.champion import without_revision
from evaluation.registry.register import Lineage, lineage_tags
from evaluation.report.costs import costs_of, describe_costs
from evaluation.report.moves import moves_of
from evaluation.report.results import Results
from evaluation.sentences import describe_pair, format_detectable, format_estimate
from evaluation.suites import SUITES
from evaluation.target import baseline_of

# A model of the hub: owner/name.
_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
_LANGUAGE_CODE = re.compile(r"[a-z]{2,3}")
# Below this share of the test rows a guessed language may be a wrong guess.
LEAST_LANGUAGE_SHARE = 0.05
# In this order in the card, which ends with the digests.
LINEAGE_TAGS = (
    "run_id", "variant", "base_model", "recipe", "seed", "training_job_name",
    "base_model_revision", "recipe_hash", "data_hash", "code_hash",
)  # fmt: skip
LOADING = """```python
from transformers import AutoModelForCausalLM, AutoTokenizer

# The folder with the weights, copied to this machine.
tokenizer = AutoTokenizer.from_pretrained("model")
model = AutoModelForCausalLM.from_pretrained("model")
prompt = tokenizer.apply_chat_template(messages, tools=tools, add_generation_prompt=True, tokenize=False)
```

The chat template is part of the tokenizer, and the format of the calls that of the template."""


def write_card(
    candidate: Candidate | None,
    results: Results,
    lineage: Lineage,
    data_report: Mapping[str, Any],
    rows: Sequence[Mapping[str, Any]],
) -> str:
    """The card as Markdown; without a candidate it says that there is no model, and what was measured.

    `data_report`: data.prepare's ``report.json``, empty where there is none. `rows`: the test rows as
    evaluation.report.rows shows them.
    """
    sections = {
        "Figures": _figures(candidate, results),
        "What it got worse at": _worse(candidate, results),
        "Gate": _gate(candidate, results),
        "Intended use": _intended_use(rows) if candidate else [],
        "Limits": _limits(candidate, results, rows),
        "Cost": _cost(results),
        "How to load it": [LOADING] if candidate and has_weights(candidate, results.plan) else [],
        "Licence": _licence(results) if candidate else [],
        "Data": _data(data_report),
        "What it was made from": _made_from(candidate, results, lineage, data_report),
    }
    lines = [f"# {_title(candidate, results)}", "", *_summary(candidate, results), ""]
    for heading, content in sections.items():
        if content:
            lines += [f"## {heading}", "", *content, ""]
    return _header(candidate, results, languages_of(rows)) + "\n".join(lines)


def languages_of(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """The languages of the test rows, guessed, as codes; the most frequent first.

    >>> languages_of([{"language": "en"}] * 30 + [{"language": "unsure"}] * 9 + [{"language": "de"}])
    ['en']
    """
    found = Counter(str(row.get("language")) for row in rows).most_common()
    least = LEAST_LANGUAGE_SHARE * len(rows)
    return [name for name, count in found if count >= least and _LANGUAGE_CODE.fullmatch(name)]


def _summary(candidate: Candidate | None, results: Results) -> list[str]:
    """What it is and came to, in a sentence, and whether it is promoted."""
    if candidate is None:
        figures = escape(figures_line(results))
        return [f"No variant of this run was trained; the figures are those of the base: {figures}."]
    lines = [escape(describe_candidate(candidate, results)), ""]
    lines.append(f"**{escape(verdict_of_candidate(candidate, results))}**")
    gone = describe_weights(candidate, results)
    return [*lines, "", escape(gone)] if gone else lines


def _title(candidate: Candidate | None, results: Results) -> str:
    base = escape(input_of(results.plan).get("base_model") or "a base model")
    return f"{base}, {escape(candidate.variant)}, for tool calls" if candidate else f"{base}: no tuned model"


def _header(candidate: Candidate | None, results: Results, languages: Sequence[str]) -> str:
    base = _base_of(results)
    # The hub's word for a licence that nobody states.
    fields: dict[str, Any] = {"license": "unknown"} if candidate else {}
    if languages:
        fields["language"] = list(languages)
    fields |= {"library_name": "transformers", "pipeline_tag": "text-generation"}
    if _HUB_ID.fullmatch(base):
        fields["base_model"] = base
    fields["tags"] = ["tool-calling", "function-calling", "toolwright"]
    measured = _measured(candidate, results)
    if candidate and measured:
        fields["model-index"] = [{"name": candidate.variant, "results": measured}]
    return f"---\n{yaml.safe_dump(fields, sort_keys=False)}---\n\n"


def _base_of(results: Results) -> str:
    return without_revision(str(input_of(results.plan).get("base_model") or ""))


def _measured(candidate: Candidate | None, results: Results) -> list[dict[str, Any]]:
    """The main metric of each suite, as the hub lists results."""
    found = []
    for suite, summaries in results.comparison.summaries.items():
        if candidate and candidate.variant in summaries:
            metric = SUITES[suite].main_metric
            value = summaries[candidate.variant].metrics[metric].value
            if value is not None:
                found.append(
                    {
                        "task": {"type": "text-generation"},
                        "dataset": {"name": suite, "type": suite},
                        "metrics": [{"type": metric, "value": round(value, 4)}],
                    }
                )
    return found


def _made_from(
    candidate: Candidate | None, results: Results, lineage: Lineage, report: Mapping[str, Any]
) -> list[str]:
    """What somebody needs who makes it again: the run, the recipe, and the digests of all that went in."""
    tags = lineage_tags(candidate, results, lineage) if candidate else {"run_id": results.comparison.run_id}
    found = {**tags, "data_hash": lineage.reference.data_hash or report.get("data_hash")}
    named = [(name, found[name]) for name in LINEAGE_TAGS if found.get(name)]
    return table(["what", "which"], named) if named else []


def _data(report: Mapping[str, Any]) -> list[str]:
    splits = report.get("splits")
    rows = [
        (name, split.get("rows"), ", ".join(f"{source} {count}" for source, count in _sources(split)))
        for name, split in (splits.items() if isinstance(splits, Mapping) else ())
        if isinstance(split, Mapping)
    ]
    return table(["file", "rows", "sources and their rows"], rows) if rows else []


def _sources(split: Mapping[str, Any]) -> list[tuple[str, Any]]:
    sources = split.get("sources")
    return list(sources.items()) if isinstance(sources, Mapping) else []


def _figures(candidate: Candidate | None, results: Results) -> list[str]:
    """Every variant's figures, and in words what the candidate's come to, or all without one."""
    pairs = [one for one in results.comparison.pairs if candidate is None or candidate.variant == one.a]
    lines = ["In percent, with 95% intervals.", ""]
    for suite, summaries in results.comparison.summaries.items():
        names = SUITES[suite].shown
        rows = [
            (variant, *(format_estimate(estimates_of(one)[name]) for name in names), one.rows - one.unscored)
            for variant, one in summaries.items()
        ]
        lines += [f"**{escape(suite)}**", "", *table(["variant", *names, "rows"], rows), ""]
        lines += [f"- {escape(describe_pair(one))}" for one in pairs if one.suite == suite]
        lines.append("")
    return lines[:-1]


def _gate(candidate: Candidate | None, results: Results) -> list[str]:
    """The verdict, and the rules for the candidate; comparison.json has those for the others too."""
    gate = gate_of(results.plan)
    said = gate.get("statement")
    rules = [
        f"- {'passed' if rule.get('passed') else 'FAILED'}: {escape(rule.get('statement') or rule)}"
        for rule in gate.get("rules") or ()
        if candidate and rule.get("variant") == candidate.variant
    ]
    return [*([escape(said), ""] if said else []), *rules]


def _worse(candidate: Candidate | None, results: Results) -> list[str]:
    """What fell beyond noise; of figures that count faults, what rose."""
    if candidate is None:
        return []
    moved = next((one for one in moves_of(results.comparison) if one.a == candidate.variant), None)
    if moved is None:
        return ["Not known: the run has no variant to hold it against."]
    if not moved.worse:
        return [
            f"Nothing beyond noise, against {escape(moved.b)}, of what was measured; the limits say what that"
            " is."
        ]
    pairs = [move.pair for move in moved.worse]
    return [f"- {escape(pair.suite)}, {escape(pair.metric)}: {escape(describe_pair(pair))}" for pair in pairs]


def _least_shown(candidate: Candidate | None, pairs: Sequence[Pair], baseline: str) -> str:
    """What a suite's rows can show between the variant and the baseline; without one, of each variant."""
    shown = [
        f"{format_detectable(pair.detectable)} between {escape(pair.a)} and {escape(pair.b)}"
        for pair in pairs
        if pair.b == baseline and pair.detectable and (candidate is None or pair.a == candidate.variant)
    ]
    return f"; they can show a difference of {', '.join(shown)}" if shown else ""


def _limits(candidate: Candidate | None, results: Results, rows: Sequence[Mapping[str, Any]]) -> list[str]:
    comparison = results.comparison
    lines = []
    for suite, one in comparison.test_sets.items():
        pairs = [pair for pair in comparison.pairs if pair.suite == suite]
        least = _least_shown(candidate, pairs, baseline_of(comparison))
        lines.append(f"- {escape(suite)}: {one.rows} rows{least}.")
    languages = Counter(str(row.get("language")) for row in rows).most_common()
    told = ", ".join(f"{name} {count}" for name, count in languages)
    lines.append(f"- Languages of the test rows, guessed: {escape(told)}.")
    asked = len(results.contaminated)
    lines.append(
        f"- Of the test rows, {asked} are also asked by a training row: what they gain may be memory."
        if asked
        else "- No test row was found to be asked by a training row as well."
    )
    prompted = any("prompt" in one for one in comparison.summaries.values())
    if not prompted:
        lines.append("- Not held against a few-shot prompt: whether tuning is worth more is not known.")
    lines.append("- What the model says beside its calls, and safety of any kind, is not measured.")
    return lines


def _intended_use(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    languages = ", ".join(languages_of(rows)) or "a language that was not recognised"
    return [
        "To answer a request with tools on offer: to call one with its arguments, to ask for what is missing,"
        f" or to say that no tool will do. It was tested for that in {escape(languages)}.",
        "",
        "Out of scope: calls that are carried out unseen, where a wrong one does harm (what it writes is a"
        " proposal, to be checked against the tool's schema and the user's rights); other languages; advice"
        " and facts from the model itself.",
    ]


def _licence(results: Results) -> list[str]:
    base = _base_of(results)
    page = f"; its page is https://huggingface.co/{base}" if _HUB_ID.fullmatch(base) else ""
    return [
        f"- Of the base model, which binds this one too: unknown here{page}.",
        "- Of the data: unknown here; who provides its sources states it.",
    ]


def _cost(results: Results) -> list[str]:
    costs = costs_of(results.plan, results.comparison)
    return [escape(describe_costs(costs))] if costs else []
