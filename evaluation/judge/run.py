"""Judge a suite's predictions: gold first, and the predictions only by a judge that agrees with it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from evaluation.judge.agreement import agreement_of, kappa_of
from evaluation.judge.asking import Asking, Batch
from evaluation.judge.clients import JudgeClient
from evaluation.judge.items import Answers, collect_answers, sample_gold
from evaluation.judge.prompt import DEFAULT_PROMPT, Prompt, load_prompt
from evaluation.judge.report import (
    JudgeReport,
    check_on_gold,
    figures_of,
    score_of_decision,
    score_of_verdict,
    tokens_of,
    unjudged_of,
)
from evaluation.judge.verdicts import Verdict, VerdictFile
from evaluation.toolcalls import Score, format_of_text, parse_completion
from evaluation.toolcalls.decision import MALFORMED, decision_of
from jobs.doors import BadInput

Rows = Sequence[Mapping[str, Any]]
Predictions = Iterable[Mapping[str, Any]]


@dataclass(frozen=True)
class JudgeSettings:
    """How to judge.

    `prompt`: a name in `prompts/`, or the path of a file. `min_kappa`: below it the numbers are withheld.
    `max_gold`: gold answers to ask about. `seed`: draws the gold answers, and predictions where there is a
    limit. `concurrency`: requests at a time. `limit`: predictions to ask about, None for all.
    """

    prompt: str = DEFAULT_PROMPT
    min_kappa: float = 0.6
    max_gold: int = 200
    seed: int = 0
    concurrency: int = 4
    limit: int | None = None


DEFAULT_SETTINGS = JudgeSettings()


def judge_predictions(
    client: JudgeClient,
    rows: Rows,
    predictions: Predictions,
    out: Path,
    settings: JudgeSettings = DEFAULT_SETTINGS,
    *,
    gold_out: Path | None = None,
) -> JudgeReport:
    """Judge generated answers to canonical rows, and keep every verdict in `out`.

    `predictions`: ``{id, completion, format}`` or ``{id, error}``. `gold_out`: keeps the verdicts on gold
    apart, so that several variants pay for them once. Says on stdout how many requests there will be. What
    the files hold of the same judge and prompt is not asked again. Raises BadInput where the judge cannot be
    asked at all, or a file holds other verdicts; what was judged before that is kept.
    """
    by_id, prompt = _by_id(predictions), load_prompt(settings.prompt)
    answers = collect_answers(rows, by_id, prompt, settings.limit, settings.seed)
    if len(answers.faults) == len(rows):
        raise BadInput(f"not one of {len(rows)} rows has an answer to judge; {_commonest(answers.faults)}")
    with ExitStack() as opened:
        file = opened.enter_context(VerdictFile(out, client.model, prompt))
        apart = VerdictFile(gold_out, client.model, prompt) if gold_out else None
        kept = opened.enter_context(apart) if apart else file
        gold = Batch(sample_gold(rows, prompt, settings.max_gold, settings.seed), kept)
        asking, asked = Asking(client, prompt, settings.concurrency), Batch(answers.items, file)
        asking.announce(gold, asked)
        gold_verdicts = asking.ask_all(gold)
        report = _checked(client, prompt, settings, rows, answers, gold_verdicts)
        if report.withheld:
            # Numbers that nobody will see are not paid for.
            return replace(report, left_out=answers.left_out + len(answers.items))
        verdicts = asking.ask_all(asked)
    return _with_figures(report, rows, answers, verdicts, gold_verdicts, by_id)


def _checked(
    client: JudgeClient,
    prompt: Prompt,
    settings: JudgeSettings,
    rows: Rows,
    answers: Answers,
    gold_verdicts: Sequence[Verdict],
) -> JudgeReport:
    """The report as far as gold fills it."""
    checked = check_on_gold(gold_verdicts, settings.min_kappa)
    return JudgeReport(
        status="judged" if checked.refusal is None else "withheld",
        reason=checked.refusal,
        model=client.model,
        prompt=prompt.name,
        prompt_digest=prompt.digest,
        min_kappa=settings.min_kappa,
        rows=len(rows),
        left_out=answers.left_out,
        unjudged=unjudged_of(_faulty(answers)),
        agreement=checked.agreement,
        kappa=checked.kappa,
        gold_failed=checked.failed,
        **_provenance(gold_verdicts),
    )


def _with_figures(
    report: JudgeReport,
    rows: Rows,
    answers: Answers,
    verdicts: Sequence[Verdict],
    gold_verdicts: Sequence[Verdict],
    by_id: Mapping[str, Sequence[Mapping[str, Any]]],
) -> JudgeReport:
    row_of = {row["id"]: row for row in rows}
    scores = {
        **_faulty(answers),
        **{row_id: score_of_decision(MALFORMED, row_of[row_id]) for row_id in answers.blank},
        **{one.id: score_of_verdict(one, row_of[one.id]) for one in verdicts},
    }
    decided = [(one, one.decision) for one in verdicts if one.decision is not None]
    pairs = [(decision, _by_rule(by_id[one.id][0], row_of[one.id])) for one, decision in decided]
    return replace(
        report,
        unjudged=unjudged_of(scores),
        rule_agreement=agreement_of(pairs),
        rule_kappa=kappa_of(pairs),
        **figures_of(rows, scores),
        **_provenance([*gold_verdicts, *verdicts]),
    )


def _by_rule(prediction: Mapping[str, Any], row: Mapping[str, Any]) -> str:
    """The decision by the wording, and by the calls that a parser reads."""
    completion = prediction["completion"]
    format = "structured"
    if isinstance(completion, str):
        format = prediction.get("format") or format_of_text(completion)
    return decision_of(parse_completion(completion, format, tools=row.get("tools")))


def _by_id(predictions: Predictions) -> dict[str, list[Mapping[str, Any]]]:
    by_id: dict[str, list[Mapping[str, Any]]] = {}
    for prediction in predictions:
        by_id.setdefault(str(prediction.get("id")), []).append(prediction)
    return by_id


def _faulty(answers: Answers) -> dict[str, Score]:
    return {row_id: Score(None, error=cause) for row_id, cause in answers.faults.items()}


def _commonest(faults: Mapping[str, str]) -> str:
    causes = list(faults.values())
    return max(causes, key=causes.count) if causes else "there are no rows"


def _provenance(verdicts: Sequence[Verdict]) -> dict[str, Any]:
    served = sorted({one.served_model for one in verdicts if one.served_model})
    return {"served_models": tuple(served), "tokens": tokens_of(verdicts)}
