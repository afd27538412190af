"""Multiple choice against lm-evaluation-harness: `python -m bench.multiple_choice [--json] [--rows FILE]`.

Both sides score the same rows with the same model object in float32 at one thread, in ABBA order:

- ours: `evaluation.multiple_choice.predict_choices`, from canonical rows to predictions, rendering included.
- lm-evaluation-harness: its `ConfigurableTask` with `output_type: multiple_choice` over the texts, rendered
  beforehand, run by its evaluator with its HFLM. Of the batch sizes 1 to 16 it is given the one that takes
  the least CPU time on a few of the rows, those left aside whose logits half the memory would not hold.

Every log-probability is compared, and which answer is chosen by it, plain (acc) and by character (acc_norm).

FLOPs are counted from what either side forwards. `flop_ratio` is that of the two counts. `flop_limit` is the
ratio that four unpadded requests a row, whose head sees every position, have to the least there is: every
distinct prefix of all rows forwarded once, no pair of query and key weighed in vain.
"""

from __future__ import annotations

import gc
import json
import os
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bench.flops import Work, causal_pairs, counted, flops
from bench.harness import Doc, HarnessRun, build_task, render_doc, run_harness
from data.recipe_format import RENDERINGS
from data.template import set_tools_rendering
from evaluation.inputs import read_rows_of_any_shape
from evaluation.model import Subject, load_subject
from evaluation.multiple_choice import predict_choices
from evaluation.multiple_choice.answers import Question, encode_question
from evaluation.multiple_choice.forest import plant
from jobs.doors import BadInput, DoorParser, run_door

ROOT = Path(__file__).resolve().parent.parent
ROWS = ROOT / "examples" / "rows" / "test.jsonl"
MODEL = ROOT / ".cache" / "models" / "smollm2-135m-instruct"
RECIPE = ROOT / "training" / "recipes" / "sft" / "smollm2-135m-lora.yaml"
BATCH_SIZES = (1, 2, 4, 8, 16)
# As many requests as the largest batch holds.
TRIAL_ROWS = 4
TOLERATED_NATS = 1e-3

Row = Mapping[str, Any]
Logprobs = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True)
class Case:
    """What is measured: the rows, and what each side is given of them."""

    subject: Subject
    rows: Sequence[Row]
    questions: Sequence[Question]
    docs: Sequence[Doc]


@dataclass(frozen=True)
class Measurement:
    """CPU seconds of a run over all rows, the medians of the rounds; `ratio` is that of the rounds' `ratios`.

    `tokens` forwarded, `head_positions` and `flops` are ours, the harness's begin with `peer_`.
    `max_abs_diff`: nats, over all answers.
    """

    rows: int
    rows_left_out: int
    ours_cpu_s: float
    peer_cpu_s: float
    ratio: float
    ratios: Sequence[float]
    max_abs_diff: float
    acc_agreement: float
    acc_norm_agreement: float
    acc: float
    acc_norm: float
    peer_batch_size: int
    tokens: int
    peer_tokens: int
    head_positions: int
    peer_head_positions: int
    flops: int
    peer_flops: int
    flop_ratio: float
    flop_limit: float


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print. Raises BadInput where a score differs by more than 0.001 nats, or a choice does."""
    given = _read_arguments(arguments)
    torch.set_num_threads(1)
    case, left_out = load_case(given.model, given.recipe, given.tools_rendering, given.rows, given.limit)
    measured = measure(case, left_out, given.rounds, given.batch_size)
    print(json.dumps(asdict(measured)) if given.json else _as_text(measured))
    if measured.max_abs_diff > TOLERATED_NATS or min(measured.acc_agreement, measured.acc_norm_agreement) < 1:
        raise BadInput(
            f"the sides differ: {measured.max_abs_diff:.1e} nats at most, the same answer chosen in "
            f"{measured.acc_agreement:.2%} of the rows, by character in {measured.acc_norm_agreement:.2%}"
        )


def load_case(model: Path, recipe: Path, rendering: Any, path: Path, limit: int | None) -> tuple[Case, int]:
    """Load model and rows, about `limit` of them, and count those that cannot be used."""
    subject = load_subject(model, recipe)
    subject.tokenizer.chat_template = set_tools_rendering(str(subject.tokenizer.chat_template), rendering)
    found = [row for row in read_rows_of_any_shape(path).rows if row.get("answers")]
    if not found:
        raise BadInput(f"{path}: no row has 'answers' to choose from")
    chosen = sample_by_tools(found, limit or len(found))
    rows, questions = [], []
    for row in chosen:
        try:
            questions.append(encode_question(subject, row))
        except BadInput:
            continue
        rows.append(row)
    if not rows:
        raise BadInput(f"{path}: not one of {len(chosen)} rows can be scored with this model")
    return Case(subject, rows, questions, [render_doc(subject, row) for row in rows]), len(chosen) - len(rows)


def sample_by_tools(rows: Sequence[Row], count: int) -> list[Row]:
    """Take all rows of some lists of tools, evenly spaced among the lists, until there are `count`.

    Rows with the same tools stay together, as they do where the whole set is scored: rows drawn one by one
    would share less than the set does.
    """
    by_tools: dict[str, list[Row]] = {}
    for row in rows:
        by_tools.setdefault(row["tools"], []).append(row)
    lists = list(by_tools.values())
    step = max(1, len(rows) // count)
    order = [one for start in range(step) for one in lists[start::step]]
    return [row for one in order for row in one][:count]


def measure(case: Case, left_out: int, rounds: int, batch_size: int | None) -> Measurement:
    """Time both sides in ABBA rounds, and hold their scores against each other."""
    task = build_task(case.docs)
    size = batch_size or fastest_batch_size(case)
    times: list[tuple[float, float]] = []
    for _ in range(rounds):
        spent, ours, peer, works = _abba(case, task, size)
        times.append(spent)
    ratios = [round(peer_s / ours_s, 3) for ours_s, peer_s in times]
    ours_s, peer_s = (statistics.median(side) for side in zip(*times, strict=True))
    model = case.subject.model
    our_work, peer_work = works["ours"], works["peer"]
    our_flops, peer_flops = flops(model, our_work), flops(model, peer_work)
    return Measurement(
        rows=len(case.rows),
        rows_left_out=left_out,
        ours_cpu_s=round(ours_s, 2),
        peer_cpu_s=round(peer_s, 2),
        ratio=statistics.median(ratios),
        ratios=ratios,
        max_abs_diff=max(abs(a - b) for a, b in _paired(ours, peer.logprobs)),
        acc_agreement=_agreement(case, ours, peer.logprobs, by_character=False),
        acc_norm_agreement=_agreement(case, ours, peer.logprobs, by_character=True),
        acc=peer.acc,
        acc_norm=peer.acc_norm,
        peer_batch_size=size,
        tokens=our_work.tokens,
        peer_tokens=peer_work.tokens,
        head_positions=our_work.positions,
        peer_head_positions=peer_work.positions,
        flops=our_flops,
        peer_flops=peer_flops,
        flop_ratio=round(peer_flops / our_flops, 3),
        flop_limit=round(flops(model, requests_work(case)) / flops(model, least_work(case)), 3),
    )


def fastest_batch_size(case: Case) -> int:
    """The batch size at which the harness takes the least CPU time on a few rows."""
    step = max(1, len(case.docs) // TRIAL_ROWS)
    docs = case.docs[::step][:TRIAL_ROWS]
    task = build_task(docs)
    sizes = [size for size in BATCH_SIZES if size == 1 or logits_bytes(case, size) < memory_bytes() / 2]
    spent = {size: _cpu_s(lambda size=size: run_harness(case.subject, task, docs, size))[0] for size in sizes}
    return min(spent, key=lambda size: spent[size])


def logits_bytes(case: Case, batch_size: int) -> int:
    """What the harness holds at its longest batch: logits of every position, and their log-softmax."""
    longest = max(len(answer.inputs) for question in case.questions for answer in question.answers.values())
    return 2 * 4 * batch_size * longest * int(case.subject.model.config.get_text_config().vocab_size)


def memory_bytes() -> int:
    """The machine's memory."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def requests_work(case: Case) -> Work:
    """What four requests a row forward, unpadded, with the head on every position."""
    lengths = [len(answer.inputs) for question in case.questions for answer in question.answers.values()]
    return Work(sum(lengths), sum(lengths), sum(map(causal_pairs, lengths)))


def least_work(case: Case) -> Work:
    """The least that gives these scores: each distinct prefix once, the head where an answer is predicted."""
    answers = [answer for question in case.questions for answer in question.answers.values()]
    forest = plant([answer.inputs for answer in answers], list(range(len(answers))), least_shared=1)
    places = [path[answer.context - 1 :] for path, answer in zip(forest.paths, answers, strict=True)]
    return Work(len(forest), len(np.unique(np.concatenate(places))), int((forest.positions + 1).sum()))


def _abba(
    case: Case, task: Any, size: int
) -> tuple[tuple[float, float], Logprobs, HarnessRun, dict[str, Work]]:
    model = case.subject.model
    first, ours, our_work = _counted_run(model, lambda: _ours(case))
    second, peer, peer_work = _counted_run(model, lambda: run_harness(case.subject, task, case.docs, size))
    third, _ = _cpu_s(lambda: run_harness(case.subject, task, case.docs, size))
    fourth, _ = _cpu_s(lambda: _ours(case))
    times = ((first + fourth) / 2, (second + third) / 2)
    return times, ours, peer, {"ours": our_work, "peer": peer_work}


def _counted_run(model: Any, run: Any) -> tuple[float, Any, Work]:
    with counted(model) as work:
        spent, result = _cpu_s(run)
    return spent, result, work


def _cpu_s(run: Any) -> tuple[float, Any]:
    gc.collect()
    started = time.process_time()
    result = run()
    return time.process_time() - started, result


def _ours(case: Case) -> Logprobs:
    return {
        one["id"]: {name: choice["logprob"] for name, choice in one["choices"].items()}
        for batch in predict_choices(case.subject, case.rows)
        for one in batch
    }


def _paired(ours: Logprobs, peer: Logprobs) -> list[tuple[float, float]]:
    return [(ours[row][name], peer[row][name]) for row in peer for name in peer[row]]


def _agreement(case: Case, ours: Logprobs, peer: Logprobs, *, by_character: bool) -> float:
    """The share of rows for which both sides choose the same answer."""
    same = 0
    for doc in case.docs:
        lengths = {
            name: len(text) if by_character else 1 for name, text in zip(doc.names, doc.choices, strict=True)
        }
        chosen = [
            max(doc.names, key=lambda name: side[doc.id][name] / lengths[name]) for side in (ours, peer)
        ]
        same += chosen[0] == chosen[1]
    return same / len(case.docs)


def _read_arguments(arguments: Sequence[str] | None) -> Any:
    parser = DoorParser(prog="python -m bench.multiple_choice", description=__doc__)
    parser.add_argument("--rows", type=Path, default=ROWS, help="rows with answers, in any published shape")
    parser.add_argument("--model", type=Path, default=MODEL, help="folder of a Hugging Face model")
    parser.add_argument("--recipe", type=Path, default=RECIPE, help="YAML with chat_template")
    parser.add_argument("--tools-rendering", choices=RENDERINGS, default="full")
    parser.add_argument("--limit", type=int, default=24, metavar="N", help="rows; 0 for all")
    parser.add_argument(
        "--rounds", type=int, default=1, metavar="N", help="ABBA rounds, two runs a side each"
    )
    parser.add_argument("--batch-size", type=int, help="the harness's; without it the fastest is looked for")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    given = parser.parse_args(arguments)
    if given.rounds < 1 or given.limit < 0:
        raise BadInput("--rounds takes 1 or more, --limit 0 or more")
    return given


def _as_text(one: Measurement) -> str:
    lines = [f"{'':<24}{'ours':>12}{'harness':>12}{'ratio':>8}"]
    lines.append(f"{'CPU s':<24}{one.ours_cpu_s:>12.2f}{one.peer_cpu_s:>12.2f}{one.ratio:>8.2f}")
    counts = {
        "tokens": (one.tokens, one.peer_tokens),
        "head positions": (one.head_positions, one.peer_head_positions),
        "MFLOP": (one.flops // 10**6, one.peer_flops // 10**6),
    }
    for name, (ours, peer) in counts.items():
        lines.append(f"{name:<24}{ours:>12,}{peer:>12,}{peer / ours:>8.2f}")
    lines.append(f"{'MFLOP, limit':<24}{'':>24}{one.flop_limit:>8.2f}")
    return "\n".join(
        [
            f"{one.rows} rows ({one.rows_left_out} left out), harness at batch size {one.peer_batch_size}",
            *lines,
            f"ratios of the rounds     {', '.join(map(str, one.ratios))}",
            f"largest difference       {one.max_abs_diff:.1e} nats",
            f"same answer chosen       {one.acc_agreement:.2%}, by character {one.acc_norm_agreement:.2%}",
            f"the harness's metrics    acc {one.acc:.4f}, acc_norm {one.acc_norm:.4f}",
        ]
    )


if __name__ == "__main__":
    run_door(main)
