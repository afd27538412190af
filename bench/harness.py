"""lm-evaluation-harness itself, over our rows: its task class, its evaluator and its model class."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import datasets
from lm_eval.api.task import ConfigurableTask
from lm_eval.evaluator import evaluate
from lm_eval.models.huggingface import HFLM

from evaluation.model import Subject
from evaluation.multiple_choice.answers import render_answer

TASK = "toolwright_multiple_choice"


class Doc(NamedTuple):
    """A row as the harness is given it: texts, rendered already."""

    id: str
    prompt: str
    names: Sequence[str]
    choices: Sequence[str]
    gold: int


class HarnessRun(NamedTuple):
    """Log-probabilities in nats by id and answer, and the harness's own metrics."""

    logprobs: Mapping[str, Mapping[str, float]]
    acc: float
    acc_norm: float


def render_doc(subject: Subject, row: Mapping[str, Any]) -> Doc:
    """Render a row with `answers`. Raises BadInput."""
    names = list(row["answers"])
    choices = [render_answer(subject, row, name, row["answers"][name]) for name in names]
    return Doc(row["id"], subject.prompt_of(row), names, choices, names.index(row["expected"]["decision"]))


def run_harness(subject: Subject, task: Any, docs: Sequence[Doc], batch_size: int) -> HarnessRun:
    """Score docs by the harness's evaluator, with an HFLM around the subject's own model and tokenizer."""
    device = str(subject.device)
    lm = HFLM(pretrained=subject.model, tokenizer=subject.tokenizer, batch_size=batch_size, device=device)
    loaded = {"tasks": {TASK: task}, "groups": {}, "group_map": {}}
    found = evaluate(lm, loaded, bootstrap_iters=0, log_samples=True)
    by_id = {sample["doc"]["id"]: sample["filtered_resps"] for sample in found["samples"][TASK]}
    logprobs = {
        doc.id: {name: float(one[0]) for name, one in zip(doc.names, by_id[doc.id], strict=True)}
        for doc in docs
    }
    metrics = found["results"][TASK]
    return HarnessRun(logprobs, float(metrics["acc,none"]), float(metrics["acc_norm,none"]))


def build_task(docs: Sequence[Doc]) -> Any:
    """The harness's task over docs: `output_type: multiple_choice`, nothing between prompt and answer."""
    # It says at every run that no chat template is applied; the texts carry one already.
    logging.getLogger("lm_eval").setLevel(logging.ERROR)
    rows = datasets.Dataset.from_list([doc._asdict() for doc in docs])
    config = {
        "task": TASK,
        "custom_dataset": lambda **_: {"test": rows},
        "test_split": "test",
        "output_type": "multiple_choice",
        "doc_to_text": "prompt",
        "doc_to_choice": "choices",
        "doc_to_target": "gold",
        "target_delimiter": "",
        "num_fewshot": 0,
        "metric_list": [
            {"metric": name, "aggregation": "mean", "higher_is_better": True} for name in ("acc", "acc_norm")
        ],
    }
    return ConfigurableTask(config=config)
