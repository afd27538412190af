"""An authored run, as far as ScoreVariants leaves it: suites, predictions and scores, with a hostile row."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from evaluation.jsonl import write_jsonl
from evaluation.toolcalls import score_suite
from tests.unit.evaluation.rows import ANSWERS, call_row, choice_row, hermes, text_row

HOSTILE = '</pre><script>alert(1)</script><img src=x onerror="alert(2)">{{ 7 * 7 }} \ud800'
DECISIONS = ("tool_call", "request_for_info", "cannot_answer")
# Of every ten rows, how many each variant has right.
SKILL = {"base": 3, "sft": 6, "dpo": 4, "sft-dpo": 8}


def write_run(folder: Path, skill: dict[str, int] = SKILL, rows: int = 60) -> None:
    """A run's channels: suites, predictions and their scores, with a hostile row."""
    choices = [choice_row(DECISIONS[number % 3], f"m{number}") for number in range(rows)]
    own = [text_row("request_for_info", f"o{number}") for number in range(rows)]
    own[0] = call_row(("get_weather", {"city": HOSTILE}), row_id=HOSTILE)
    own[0]["messages"] = [{"role": "user", "content": HOSTILE}]
    write_jsonl(folder / "data" / "suites" / "when2call_mcq.jsonl", choices)
    write_jsonl(folder / "data" / "suites" / "own.jsonl", own)
    for variant, right in skill.items():
        said = ANSWERS["request_for_info"], ANSWERS["cannot_answer"]
        predicted = {
            "when2call_mcq": [choose(row, number % 10 < right) for number, row in enumerate(choices)],
            "own": [
                {"id": row["id"], "completion": said[number % 10 >= right], "format": "hermes"}
                for number, row in enumerate(own)
            ],
        }
        predicted["own"][0]["completion"] = hermes("get_weather", {"city": HOSTILE if right > 5 else "x"})
        predicted["own"][1] = {"id": "o1", "error": HOSTILE}
        for suite, suite_rows in (("when2call_mcq", choices), ("own", own)):
            place = folder / "predictions" / variant / "a-job" / "output" / "model"
            write_jsonl(place / f"{suite}.jsonl", predicted[suite])
            scored = score_suite(suite_rows, predicted[suite])
            write_jsonl(folder / "scores" / variant / f"{suite}.jsonl", scored.records())


def choose(row: dict[str, Any], is_right: bool) -> dict[str, Any]:
    gold = row["expected"]["decision"]
    chosen = gold if is_right else "direct"
    likely = {name: -1.0 if name == chosen else -99.0 for name in ANSWERS}
    choices = {name: {"logprob": nats, "tokens": 2, "characters": 9} for name, nats in likely.items()}
    return {"id": row["id"], "choices": choices}


def arguments(folder: Path) -> list[str]:
    named = {"data": "data", "predictions": "predictions", "scores": "scores", "out": "out"}
    return [text for name, place in named.items() for text in (f"--{name}", str(folder / place))]


def plan_of(variants: Sequence[str], promoted: str | None = None, *, rules: bool = True) -> dict[str, Any]:
    """What the gate and the costs leave of such a run; every variant but base and prompt is trained."""
    trained = [one for one in variants if one not in ("base", "prompt")]
    jobs = {
        one.replace("-", "_"): {
            "name": f"job-{one}",
            "kind": "train",
            "model_uri": f"s3://bucket/{one}/output/model/",
        }
        for one in trained
    }
    lines = [{"job": job, "instance_type": "ml.g5.xlarge", "usd_per_hour": 1.0, "usd": 2.0} for job in jobs]
    billed = [{**line, "status": "Completed", "billable_seconds": 1800, "usd": 0.5} for line in lines]
    targets = [
        {
            "variant": one,
            "kind": "target",
            "suite": "own",
            "metric": "accuracy",
            "passed": one == promoted,
            "statement": f"{one} over base on own/accuracy",
        }
        for one in trained
    ]
    return {
        "run_id": "run-1",
        "input": {"base_model": "tiny", "recipe": "tiny-lora", "seed": 7, "variants": list(variants)},
        "jobs": jobs,
        "gate": {
            "promoted": promoted,
            "statement": f"{promoted} is promoted." if promoted else "Nothing is promoted.",
            "rules": targets if rules else [],
        },
        "cost": {
            "at_most_usd": 2.0 * len(jobs),
            "lines": lines,
            "prices_as_of": "2026-09",
            "actual": {"usd": 0.5 * len(jobs), "lines": billed},
        },
    }
