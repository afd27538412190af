"""The judge in a run: it is asked about every variant's answers to the suites that name a prompt for it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from evaluation.judge.clients import JudgeClient
from evaluation.judge.report import JudgeReport
from evaluation.judge.run import JudgeSettings, judge_predictions
from jobs.doors import BadInput

NO_JUDGE = "no judge is named: the setting `judge` names a model in Bedrock or at an endpoint"
# Every row costs a request a variant; so many show an accuracy to about 5.5 points either way.
ROWS_JUDGED = 300

Record = Mapping[str, Any]


@dataclass(frozen=True)
class JudgeEnvironment:
    """Which judge the template names: a `model` at an `endpoint`, or in Bedrock where there is none.

    `secret_arn`: the secret in Secrets Manager whose text is the endpoint's key; empty for none.
    """

    model: str
    endpoint: str = ""
    secret_arn: str = ""

    @staticmethod
    def read(environ: Mapping[str, str]) -> JudgeEnvironment | None:
        """Read the job's variables; None where no judge is named."""
        if environ.get("JUDGE_BEDROCK_MODEL_ID"):
            return JudgeEnvironment(environ["JUDGE_BEDROCK_MODEL_ID"])
        if environ.get("JUDGE_ENDPOINT"):
            secret = environ.get("JUDGE_SECRET_ARN", "")
            return JudgeEnvironment(environ.get("JUDGE_MODEL", ""), environ["JUDGE_ENDPOINT"], secret)
        return None

    def connect(self) -> JudgeClient:
        """Make the client. Raises BadInput where it cannot be made."""
        # Each library takes a second to import, and most runs have no judge.
        if not self.endpoint:
            from evaluation.judge.bedrock_client import BedrockJudge  # noqa: PLC0415

            return BedrockJudge(self.model)
        from evaluation.judge.openai_client import KEY_VARIABLE, OpenAIJudge  # noqa: PLC0415

        if self.secret_arn:
            os.environ[KEY_VARIABLE] = _read_secret(self.secret_arn)
        return OpenAIJudge(self.model, self.endpoint)


def judge_variants(
    judge: JudgeEnvironment | None,
    prompt: str,
    rows: Sequence[Record],
    predictions: Mapping[str, Iterable[Record]],
    out: Path,
) -> dict[str, JudgeReport]:
    """Judge one suite's predictions, by variant; the verdicts of each are kept in ``out/<variant>.jsonl``.

    The judge is asked about gold answers once for all variants (``out/gold.jsonl``). A judge that is not
    named, or cannot be asked, is reported as not run with the reason: what was trained and graded is not lost
    for it.
    """
    settings = JudgeSettings(prompt=prompt, limit=ROWS_JUDGED)
    return {
        variant: _judge(judge, rows, list(answers), (out / f"{variant}.jsonl", out / "gold.jsonl"), settings)
        for variant, answers in predictions.items()
    }


def _judge(
    judge: JudgeEnvironment | None,
    rows: Sequence[Record],
    answers: Sequence[Record],
    kept: tuple[Path, Path],
    settings: JudgeSettings,
) -> JudgeReport:
    if judge is None:
        return JudgeReport.not_run(NO_JUDGE)
    try:
        return judge_predictions(judge.connect(), rows, answers, kept[0], settings, gold_out=kept[1])
    except BadInput as error:
        return replace(JudgeReport.not_run(str(error)), model=judge.model)


def _read_secret(arn: str) -> str:
    import boto3  # noqa: PLC0415
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

    try:
        return str(boto3.client("secretsmanager").get_secret_value(SecretId=arn)["SecretString"]).strip()
    except (BotoCoreError, ClientError, KeyError) as error:
        raise BadInput(f"the judge's key cannot be read from {arn}: {error}") from error
