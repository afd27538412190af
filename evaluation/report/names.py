"""What the names in a report mean, for somebody who meets them first: only those that this run has.

Figures say it themselves (evaluation.figures), and so do suites (their files).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from evaluation.comparison import Comparison
from evaluation.figures import LOWER_IS_BETTER
from evaluation.report.changes import MADE_FROM
from evaluation.report.moves import RECALL, meaning_of
from evaluation.report.plot_curves import panels_of
from evaluation.report.results import Results
from evaluation.suites import SUITES
from evaluation.target import BASELINE

# By the last part of a variant's name.
STAGES: Mapping[str, str] = {
    "prompt": "with the recipe's few-shot prompt, untrained",
    "sft": "after supervised fine-tuning (SFT): trained to write the right answers",
    "dpo": "after direct preference optimization (DPO): trained to prefer a better answer to a worse one",
    "rft": "after reinforcement fine-tuning (RFT): trained by the grader's reward for its own answers",
}
TERMS: Mapping[str, str] = {
    "95% interval": "where the figure may lie on all rows of this kind: 95 of 100 such intervals hold it",
    "p": "how often chance alone would make a difference at least as great",
    "Holm": (
        "p raised for the number of variants that are compared by the same figure on the same suite (Holm "
        "1979); below 0.05 a difference is real, else within noise"
    ),
}
CURVES: Mapping[str, str] = {
    "loss": "what training lowers; it means something else in each stage",
    "reward": "the mean reward of the answers that were tried in a step, from 0 to 1",
    "rewards/margins": (
        "in DPO, how much further the trained model parts the better answer from the worse one than the "
        "model that it began with; it should rise"
    ),
}
REASONS: Mapping[str, str] = {
    "wrong_tool": "another of the offered tools was called",
    "invented_tool": "a tool was called that is not offered",
    "missing_call": "a call is missing: fewer were made than expected, or a plain answer was given instead",
    "extra_call": "more calls were made than expected, or one where a plain answer was",
    "duplicate_call": "an expected call was made again",
    "wrong_order": "the right calls, in another order than the one that counts",
    "missing_argument": "an argument is missing that has to be given",
    "extra_argument": "an argument was written that is not expected",
    "wrong_value": "an argument has another value than those that are accepted",
    "wrong_type": "an argument has a value of another type, as a text for a number",
    "schema_violation": "an argument breaks the tool's schema, as a value that is not among its choices",
    "malformed_call": "a call that cannot be read, or nothing at all",
    "call_when_should_ask": "a tool was called where what is missing should have been asked for",
    "call_when_should_decline": "a tool was called where none fits, so that declining was right",
    "ask_when_should_call": "something was asked for where a call, or an answer, was possible",
    "decline_when_should_call": "the model declined where a call, or an answer, was possible",
    "ask_when_should_decline": "something was asked for where no tool fits, so that declining was right",
    "decline_when_should_ask": "the model declined where what is missing should have been asked for",
    "answer_when_should_not": "a plain answer was given where asking or declining was right",
}


@dataclass(frozen=True)
class Names:
    """Names of one kind and what each means."""

    title: str
    meanings: Mapping[str, str]


def names_of(results: Results) -> list[Names]:
    """The names of a run in the order in which one meets them; a kind of which it has none is left out."""
    comparison = results.comparison
    metrics = dict.fromkeys(panel.metric for panel in panels_of(results.curves))
    groups = [
        Names("Variants", {name: text for name in comparison.variants if (text := _variant(name))}),
        Names("Suites", {suite: SUITES[suite].asks for suite in comparison.rows}),
        Names("Figures", _figures(comparison)),
        Names("Reasons of the grader", _reasons(comparison)),
        Names("Terms", {**TERMS, **{name: CURVES[name] for name in metrics}}),
    ]
    return [group for group in groups if group.meanings]


def _variant(name: str) -> str:
    if name == BASELINE:
        return "the base model as it is, untrained"
    before = MADE_FROM.get(name)
    return f"{before} {STAGES[name.rpartition('-')[2]]}" if before else ""


def _figures(comparison: Comparison) -> dict[str, str]:
    figures = dict.fromkeys(name for suite in comparison.rows for name in SUITES[suite].figures)
    return {
        **{name: f"{meaning_of(name)}{_direction(name)}" for name in figures},
        f"{RECALL}…": "the decision taken, of the rows that expect it, as recall_direct",
    }


def _direction(figure: str) -> str:
    return "; better where it falls" if figure in LOWER_IS_BETTER else ""


def _reasons(comparison: Comparison) -> dict[str, str]:
    given = {
        reason
        for summaries in comparison.summaries.values()
        for summary in summaries.values()
        for reason in summary.reasons
    }
    return {reason: text for reason, text in REASONS.items() if reason in given}
