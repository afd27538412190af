"""What a judge found, what it is worth, and whether its numbers may be shown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Literal, get_args

from evaluation.figures import FIGURES
from evaluation.judge.agreement import agreement_of, kappa_of
from evaluation.judge.verdicts import Verdict
from evaluation.statistics import Estimate, estimate
from evaluation.toolcalls import Score
from evaluation.toolcalls.decision import MALFORMED
from evaluation.toolcalls.gold import BadRow, gold_of
from evaluation.toolcalls.metrics import confusion, graded_of, recall_by_decision
from evaluation.toolcalls.score import decision_reason

Status = Literal["judged", "withheld", "not_run"]
# When2Call's table of judged models has accuracy, F1 and the rate of hallucinated tools.
METRICS = ("accuracy", "macro_f1", "macro_f1_all", "tool_hallucination_rate")
NOTHING = Estimate(None, None, None, 0)
NO_DECISION = "no_decision"


@dataclass(frozen=True)
class GoldCheck:
    """The judge held against answers whose decision is known.

    A reply that names no decision counts as a disagreement; a request that failed counts as nothing.
    `refusal`: why the judge's numbers may not be shown, None where they may.
    """

    agreement: Estimate
    kappa: Estimate
    failed: int
    refusal: str | None


@dataclass(frozen=True)
class JudgeReport:
    """A judge's figures for one variant on one suite, or why there are none.

    `rows`: the suite's; `judged`: those with a decision, a blank answer being none of the four and wrong;
    `unjudged`: causes and how many rows; `left_out`: rows that were not asked about. `metrics`, `recall` and
    `confusion` as in evaluation.summary. `rule_agreement` and `rule_kappa`: the judge beside our own rule of
    wording, for information. `tokens`: what the servers counted, all kept verdicts together.
    """

    status: Status
    reason: str | None = None
    model: str | None = None
    served_models: tuple[str, ...] = ()
    prompt: str | None = None
    prompt_digest: str | None = None
    min_kappa: float | None = None
    rows: int = 0
    judged: int = 0
    left_out: int = 0
    unjudged: Mapping[str, int] = field(default_factory=dict)
    agreement: Estimate = NOTHING
    kappa: Estimate = NOTHING
    gold_failed: int = 0
    metrics: Mapping[str, Estimate] = field(default_factory=dict)
    recall: Mapping[str, Estimate] = field(default_factory=dict)
    confusion: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    rule_agreement: Estimate = NOTHING
    rule_kappa: Estimate = NOTHING
    tokens: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def not_run(cls, reason: str) -> JudgeReport:
        """No judge was asked, and why."""
        return cls("not_run", reason)

    @classmethod
    def from_json(cls, given: Mapping[str, Any]) -> JudgeReport:
        """Read back what `to_json` wrote. Raises KeyError, TypeError or ValueError for another shape."""
        status = given["status"]
        if status not in get_args(Status):
            raise ValueError(f"status {status!r}: one of {', '.join(get_args(Status))} is expected")
        known = {one.name for one in fields(cls)}
        values = {name: value for name, value in given.items() if name in known}
        estimates = ("agreement", "kappa", "rule_agreement", "rule_kappa")
        values |= {name: Estimate(**given[name]) for name in estimates if name in given}
        if "served_models" in given:
            values["served_models"] = tuple(given["served_models"])
        if status == "judged":
            values["metrics"] = {name: Estimate(**given[name]) for name in METRICS}
            values["recall"] = {name: Estimate(**one) for name, one in given["recall"].items()}
        return cls(**values)

    def with_unread(self, causes: Sequence[str]) -> JudgeReport:
        """The same with so many more rows unjudged, which could not be read for these causes."""
        unjudged = Counter(self.unjudged) + Counter(causes)
        return replace(self, rows=self.rows + len(causes), unjudged=dict(unjudged.most_common()))

    @property
    def withheld(self) -> bool:
        """Whether the judge's numbers are held back."""
        return self.status == "withheld"

    def to_json(self) -> dict[str, Any]:
        """The report as JSON; figures are there only if the judge may be believed."""
        if self.status == "not_run":
            return {"status": self.status, "reason": self.reason}
        figures = ("metrics", "recall", "confusion", "rule_agreement", "rule_kappa")
        whole = {name: value for name, value in asdict(self).items() if name not in figures}
        whole = {**whole, "withheld": self.withheld, "n": self.judged}
        if self.withheld:
            return whole
        metrics = {name: asdict(one) for name, one in self.metrics.items()}
        rest = {name: value for name, value in asdict(self).items() if name in figures and name != "metrics"}
        return {**whole, **metrics, **rest}


def check_on_gold(verdicts: Sequence[Verdict], min_kappa: float) -> GoldCheck:
    """Hold the judge against gold.

    Its numbers may be shown where kappa is at least `min_kappa` and its 95% interval lies above 0: agreement
    on a handful of answers proves nothing.
    """
    answered = [one for one in verdicts if one.reply is not None]
    pairs = [(one.expected, one.decision or NO_DECISION) for one in answered]
    kappa = kappa_of(pairs)
    refusal = _refusal(pairs, kappa, min_kappa, len(verdicts))
    return GoldCheck(agreement_of(pairs), kappa, len(verdicts) - len(answered), refusal)


def score_of_verdict(verdict: Verdict, row: Mapping[str, Any]) -> Score:
    """What a verdict is worth to its row, in the grader's terms: 1 for the expected decision, else 0."""
    if verdict.decision is None:
        return Score(None, error=verdict.error)
    return score_of_decision(verdict.decision, row)


def score_of_decision(decision: str, row: Mapping[str, Any]) -> Score:
    """Score a decision. Where any text will do, as in BFCL's irrelevance, every text is right."""
    try:
        gold = gold_of(row)
    except BadRow as error:
        return Score(None, error=f"the row cannot be graded: {error}")
    if decision == MALFORMED:
        return Score(0.0, MALFORMED, {"decision": 0.0}, MALFORMED)
    if decision == gold.decision or (gold.any_text and decision != "tool_call"):
        return Score(1.0, "correct", {"decision": 1.0}, decision)
    return Score(0.0, decision_reason(gold.decision, decision), {"decision": 0.0}, decision)


def figures_of(rows: Sequence[Mapping[str, Any]], scores: Mapping[str, Score]) -> dict[str, Any]:
    """The fields of JudgeReport that the rows' scores fill; `scores` by row id."""
    graded = [graded_of(row, scores[row["id"]]) for row in rows if row["id"] in scores]
    return {
        "judged": sum(one.score.value is not None for one in graded),
        "metrics": {name: estimate(FIGURES[name].tally(graded)) for name in METRICS},
        "recall": {name: estimate(share) for name, share in recall_by_decision(graded).items()},
        "confusion": confusion(graded),
    }


def unjudged_of(scores: Mapping[str, Score]) -> dict[str, int]:
    """Why rows have no decision, and how many, the commonest first."""
    causes = Counter(str(score.error) for score in scores.values() if score.value is None)
    return dict(causes.most_common())


def tokens_of(verdicts: Sequence[Verdict]) -> dict[str, int]:
    """The tokens that these requests took, where the server counted them."""
    total: Counter[str] = Counter()
    for one in verdicts:
        total.update(one.usage or {})
    return dict(total)


def _refusal(pairs: Sequence[tuple[str, str]], kappa: Estimate, min_kappa: float, asked: int) -> str | None:
    if not pairs:
        none_came = f"not one of {asked} requests about gold answers got a reply"
        return none_came if asked else "there is no gold answer to hold the judge against"
    if len({expected for expected, _ in pairs}) < 2:
        return f"all {len(pairs)} gold answers take one decision, {pairs[0][0]}, which shows no agreement"
    # Two decisions are expected, so that kappa is defined.
    value, low = kappa.value or 0.0, kappa.low or 0.0
    if value < min_kappa:
        return f"kappa is {value:.2f} on {kappa.n} gold answers, below {min_kappa:g}"
    return f"{kappa.n} gold answers are too few: kappa may be {low:.2f}" if low <= 0 else None
