"""A language model as the judge of free-form answers, and the judge held against gold.

When2Call (arXiv:2504.18851) grades generated answers so: a model names which of the four decisions an answer
takes, and accuracy and F1 are computed from that. docs/judge.md says how to run it and what its numbers mean.
Importing this package imports no client library: `openai_client` and `bedrock_client` are asked for by name.
"""

from evaluation.judge.clients import JudgeClient, Reply, Request, RequestFailed
from evaluation.judge.report import JudgeReport
from evaluation.judge.run import JudgeSettings, judge_predictions

__all__ = [
    "JudgeClient",
    "JudgeReport",
    "JudgeSettings",
    "Reply",
    "Request",
    "RequestFailed",
    "judge_predictions",
]
