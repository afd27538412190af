"""A small run in which whatever a stranger can write is hostile: for tests of what shows it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from evaluation.comparison import compare
from evaluation.completions import find_predictions, read_completions
from evaluation.jsonl import write_jsonl
from evaluation.judge import JudgeReport
from evaluation.report.pictures import Picture
from evaluation.report.results import Results
from evaluation.toolcalls import score_suite
from tests.unit.evaluation.rows import ANSWERS, call_row, choice_row, text_row

# Ends a script, an attribute and a template's expression, runs where any of them holds, reverses what
# follows, and holds what no encoding carries.
HOSTILE = (
    "</script><script>document.title='owned'</script><!--<img src=x onerror=\"document.title='owned'\">"
    "'\" onfocus=document.title='owned' autofocus x=\" {{ 7 * 7 }} ${7*7} "
    "\u202egnp.exe\u2066 \u2028\x00\x1b[31m\ud800"
)
# The same as a reader sees it: nothing in it acts, and nothing is lost.
SHOWN = (
    "</script><script>document.title='owned'</script><!--<img src=x onerror=\"document.title='owned'\">"
    "'\" onfocus=document.title='owned' autofocus x=\" {{ 7 * 7 }} ${7*7} "
    "⟦U+202E⟧gnp.exe⟦U+2066⟧ ⟦U+2028⟧⟦U+0000⟧⟦U+001B⟧[31m⟦U+D800⟧"
)
# A folder's name, so neither a slash nor what UTF-8 lacks.
HOSTILE_VARIANT = "<img src=x onerror=document.title='owned'>\"'"
LONG_WORD = "x" * 100_000
MANY_TOOLS = 3_000
DECISIONS = ("tool_call", "request_for_info", "cannot_answer")
ROWS = 60
# Of every ten rows, how many each variant has right.
SKILL = {"base": 3, "sft": 6, HOSTILE_VARIANT: 8}


def write_run(folder: Path) -> None:
    """Write a run's suites, predictions and scores: 60 rows in each of two suites."""
    own = [text_row("request_for_info", f"o{number}") for number in range(ROWS)]
    own[: len(hostile_rows())] = hostile_rows()
    choices = [{**choice_row(DECISIONS[n % 3], f"m{n}"), "source": f"part {n % 2}"} for n in range(ROWS)]
    for suite, rows in (("own", own), ("when2call_mcq", choices)):
        write_jsonl(folder / "data" / "suites" / f"{suite}.jsonl", rows)
        for variant, right in SKILL.items():
            is_choice = suite == "when2call_mcq"
            written = [
                choose(row, number % 10 < right) if is_choice else answer(row, number, right)
                for number, row in enumerate(rows)
            ]
            write_jsonl(folder / "predictions" / variant / f"{suite}.jsonl", written)
            write_jsonl(folder / "scores" / variant / f"{suite}.jsonl", score_suite(rows, written).records())


def hostile_rows() -> list[dict[str, Any]]:
    """Rows of every shape that the report has to show."""
    tool = {"name": HOSTILE, "description": HOSTILE, "parameters": {"type": "object", HOSTILE: HOSTILE}}
    calls = [{"function": {"name": HOSTILE, "arguments": json.dumps({HOSTILE: HOSTILE})}}]
    first = call_row((HOSTILE, {HOSTILE: HOSTILE}), row_id=HOSTILE)
    first |= {"source": HOSTILE, "tools": json.dumps([tool]), "answers": {HOSTILE: HOSTILE}}
    first["messages"] = [
        {"role": HOSTILE, "content": HOSTILE},
        {"role": "assistant", "content": None, "tool_calls": calls},
        {"role": "tool", "name": HOSTILE, "content": [{"type": "text", "text": HOSTILE}]},
        {"role": "user", "content": HOSTILE},
    ]
    many = [{**tool, "name": f"tool {number}"} for number in range(MANY_TOOLS)]
    long = {**text_row("cannot_answer", "long"), "tools": json.dumps(many)}
    long["messages"] = [{"role": "user", "content": LONG_WORD}]
    odd = {**text_row("cannot_answer", "odd"), "tools": HOSTILE}
    odd["messages"] = ["no message", {"content": {"a": 1}}, {"role": "user", "tool_calls": "no calls"}]
    return [first, long, odd]


def answer(row: dict[str, Any], number: int, right: int) -> dict[str, Any]:
    """A prediction for a row of `own`; one in thirty could not be made."""
    said = ANSWERS["request_for_info"] if number % 10 < right else HOSTILE
    said = LONG_WORD if row["id"] == "long" else said
    if number % 30 == 4:
        return {"id": row["id"], "error": HOSTILE}
    return {"id": row["id"], "completion": said, "format": "hermes"}


def choose(row: dict[str, Any], is_right: bool) -> dict[str, Any]:
    """A prediction for a multiple-choice row."""
    chosen = row["expected"]["decision"] if is_right else "direct"
    likely = {name: -1.0 if name == chosen else -99.0 for name in ANSWERS}
    choices = {name: {"logprob": nats, "tokens": 2, "characters": 9} for name, nats in likely.items()}
    return {"id": row["id"], "choices": choices}


def read_results(folder: Path) -> Results:
    """The results of the run in a folder, with a hostile plan."""
    comparison = compare(HOSTILE, folder / "data", folder / "scores")
    return Results(
        replace(comparison, judge={"own": {HOSTILE_VARIANT: JudgeReport.not_run(HOSTILE)}}),
        read_completions(find_predictions(folder / "predictions")),
        hostile_plan(),
        {"loss": {HOSTILE: [(0, 1.5), (1, 0.5)], "sft": [(0, 2.0)]}},
        frozenset({HOSTILE, "m3"}),
    )


def hostile_plan() -> dict[str, Any]:
    """The plan of an execution, with a gate of one passed and one failed rule and a cost."""
    rule = {
        "variant": HOSTILE,
        "kind": "target",
        "suite": "own",
        "metric": HOSTILE,
        "over": HOSTILE,
        "value": 0.6,
    }
    figures = {
        "over_value": 0.3,
        "difference": 0.3,
        "low": 0.2,
        "high": 0.4,
        "p": 1e-9,
        "p_holm": 1e-9,
        "n": 60,
    }
    passed = {**rule, **figures, "tolerance": 0.0, "passed": True, "statement": HOSTILE}
    absent = {"kind": "guard", "difference": None, "low": None, "high": None, "p": None, "passed": False}
    job = {"job": HOSTILE, "instance_type": HOSTILE, "usd_per_hour": 1.5}
    ended = {**job, "status": HOSTILE, "billable_seconds": 3725, "training_seconds": 3725, "usd": 1.55}
    going = {
        **job,
        "job": "report",
        "status": None,
        "billable_seconds": None,
        "training_seconds": None,
        "usd": None,
    }
    return {
        "run_id": HOSTILE,
        "seed": HOSTILE,
        "input": {"base_model": HOSTILE, "recipe": HOSTILE},
        "gate": {
            "promoted": "sft",
            "statement": HOSTILE,
            "rules": [passed, {**rule, **absent, "statement": HOSTILE}],
        },
        "cost": {
            "at_most_usd": 3.0,
            "lines": [{**job, "hours": 2.0, "usd": 3.0}],
            "prices_as_of": HOSTILE,
            "usd_per_hour": {HOSTILE: 1.5},
            "note": HOSTILE,
            "actual": {"usd": 1.55, "lines": [ended, going], "statement": HOSTILE},
        },
    }


def hostile_pictures() -> list[Picture]:
    """A picture for every section and one for none, whose titles and contents are hostile."""
    names = (
        "accuracy",
        "changes_own",
        "recall",
        "confusion_own",
        "slices_own",
        "curves",
        "reward_and_cost",
        "other",
    )
    return [Picture(name, HOSTILE, HOSTILE, _svg("#0072B2"), _svg("#56B4E9"), b"") for name in names]


def _svg(colour: str) -> str:
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 580 120">'
        '<script>parent.document.title="owned"</script>'
        f'<style>text {{ font-size: 20px }}</style><rect width="580" height="120" style="fill: {colour}"/>'
        '<text x="9" y="60">drawn</text></svg>'
    )
