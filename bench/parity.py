"""Our verdicts beside BFCL's, in strict mode: `python -m bench.parity [--json | --disagreements]`.

Every single-turn row of BFCL v4 is answered with its accepted values, with near misses, and with whole
completions; both graders judge each answer. Exit code 1 where they differ in a row that
docs/bfcl_disagreements.md does not list. `--disagreements` prints that file.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from bench.bfcl import CATEGORIES, BfclRow, Checker, NamedCall, Verdict, load_checker, load_rows
from bench.bfcl_answers import gold_answers, mutated_answers, noisy_texts
from evaluation.toolcalls import Call, Completion, parse_completion, score_completion
from evaluation.toolcalls.values import BFCL_RULES
from jobs.doors import DoorParser, run_door

ROOT = Path(__file__).resolve().parent.parent
DOCUMENT = ROOT / "docs" / "bfcl_disagreements.md"
COMPLETIONS = Path(__file__).with_name("bfcl_completions.jsonl")
KINDS = ("gold", "mutated", "completions")
NOISY_COMPLETIONS = 8
INTRODUCTION = (
    "# Where strict mode and BFCL's checker differ",
    "",
    "`python -m bench.parity` has every single-turn row of BFCL v4 (`bfcl-eval` 2026.3.23) judged by its own",
    "`ast_checker` and by ours in strict mode. `python -m bench.parity --disagreements` writes this file.",
    "",
)
KEPT = (
    "## What strict mode keeps, and the default rules do not",
    "",
    "Strict mode is there to compare figures, so it judges as the checker does where that is wrong:",
    "",
    "- `1.5` is `15`, `-5` is `5` and `a.b` is `ab` in strings, whose blanks and `,./-_*^` do not count;",
    "- an optional list may be given as `[]`, whatever list is wanted;",
    "- within objects `true` is `1`, and objects within them are compared sign for sign, with alternatives;",
    "- a required argument may not be left out although the answer says so, and an argument that the tool",
    "  does not list may not be written although the answer wants it;",
    '- in Java the quotes stay on what an array of strings holds, so that `new String[]{"a"}` is wrong and',
    "  `new String[]{a}` right; a list of `any` holds strings alone.",
    "",
    "Of these rows BFCL takes none of its own accepted values, however they are written:",
    "",
)


class Answer(NamedTuple):
    """One answer to a row, of one of KINDS."""

    row: BfclRow
    kind: str
    completion: Completion


class Disagreement(NamedTuple):
    """An answer on which the two differ."""

    answer: Answer
    ours: bool
    theirs: Verdict


class Hopeless(NamedTuple):
    """A row of which BFCL takes none of its own accepted values, however they are written.

    `error`: its reason for the first answer. `is_fair`: whether our default rules take one.
    """

    row: BfclRow
    error: str
    is_fair: bool


class Comparison(NamedTuple):
    """All that was compared: answers, and those that BFCL takes, by (category, kind)."""

    answered: Mapping[tuple[str, str], int]
    accepted: Mapping[tuple[str, str], int]
    disagreements: Sequence[Disagreement]
    hopeless: Sequence[Hopeless]

    def rows_at_odds(self) -> list[str]:
        """The ids of the rows in which the two differ, in order."""
        return list(dict.fromkeys(one.answer.row.id for one in self.disagreements))


def main(arguments: Sequence[str] | None = None) -> None:
    """Compare, and print a table, JSON or the document. Raises WheelAbsent."""
    given = _parser().parse_args(arguments)
    compared = compare(load_checker())
    if given.disagreements:
        print(document(compared), end="")
        return
    print(json.dumps(_as_json(compared)) if given.json else _as_table(compared))
    listed = DOCUMENT.read_text(encoding="utf-8") if DOCUMENT.is_file() else ""
    unlisted = [row_id for row_id in compared.rows_at_odds() if f"`{row_id}`" not in listed]
    if unlisted:
        sys.exit(f"not in {DOCUMENT.name}: {', '.join(unlisted)}")


def compare(check: Checker, categories: Sequence[str] = CATEGORIES, *, every: int = 1) -> Comparison:
    """Judge the answers to every row of some categories by both, of near misses only each `every`-th."""
    answered, accepted = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    found: list[Disagreement] = []
    hopeless: list[Hopeless] = []
    for category in categories:
        for row in load_rows(category):
            of_gold: list[Verdict] = []
            for answer in answers(row, every):
                key = (category, answer.kind)
                ours, theirs = our_verdict(answer), their_verdict(answer, check)
                answered[key] += 1
                accepted[key] += theirs.valid
                of_gold += [theirs] if answer.kind == "gold" else []
                if ours is not theirs.valid:
                    found.append(Disagreement(answer, ours, theirs))
            if row.truth is not None and not any(verdict.valid for verdict in of_gold):
                hopeless.append(Hopeless(row, of_gold[0].error, _fair_verdict(row)))
    return Comparison(answered, accepted, found, hopeless)


def answers(row: BfclRow, every: int = 1) -> Iterator[Answer]:
    """The answers to a row, of near misses each `every`-th."""
    for calls in gold_answers(row):
        yield Answer(row, "gold", _completion(calls))
    for calls in islice(mutated_answers(row), 0, None, every):
        yield Answer(row, "mutated", _completion(calls))
    for text in [*noisy_texts(row, NOISY_COMPLETIONS), *generated_texts().get(row.id, ())]:
        yield Answer(row, "completions", parse_completion(text, "hermes"))


def generated_texts() -> dict[str, list[str]]:
    """What a small model wrote in answer to some of the rows, by id."""
    found: dict[str, list[str]] = {}
    with COMPLETIONS.open(encoding="utf-8") as lines:
        for line in lines:
            one = json.loads(line)
            found.setdefault(one["id"], []).append(one["completion"])
    return found


def our_verdict(answer: Answer) -> bool:
    """Whether we take an answer, in strict mode."""
    return score_completion(answer.completion, answer.row.row, rules=BFCL_RULES).is_correct


def their_verdict(answer: Answer, check: Checker) -> Verdict:
    """Whether BFCL does: an answer that cannot be read holds no call for it."""
    completion = answer.completion
    calls = [(call.name, call.arguments) for call in completion.calls] if completion.error is None else []
    return check(answer.row, calls)


def _completion(calls: Sequence[NamedCall]) -> Completion:
    return Completion(calls=tuple(Call(name, arguments) for name, arguments in calls))


def _fair_verdict(row: BfclRow) -> bool:
    return any(score_completion(_completion(calls), row.row).is_correct for calls in gold_answers(row))


def document(compared: Comparison) -> str:
    """The text of docs/bfcl_disagreements.md: rows in which the verdicts differ, and rows beyond reach."""
    at_odds = [
        next(d for d in compared.disagreements if d.answer.row.id == i) for i in compared.rows_at_odds()
    ]
    lines = [
        *INTRODUCTION,
        f"Of {_rows(compared):,} rows, these are all in which a verdict differs: {len(at_odds)}.",
        "",
        "| row | an answer on which they differ | ours | BFCL | who is right, and why |",
        "| --- | --- | --- | --- | --- |",
        *(_disagreement_line(one) for one in at_odds),
        "",
        *KEPT,
        "| row | why BFCL takes none | default rules |",
        "| --- | --- | --- |",
        *(_hopeless_line(one) for one in compared.hopeless),
    ]
    return "\n".join(lines) + "\n"


def explain(one: Disagreement) -> str:
    """Who is right, and why. Raises ValueError for a disagreement that nobody has judged."""
    if one.ours and one.theirs.crashed:
        return f"ours: the answer is accepted, and the checker dies of `{one.theirs.error}`"
    if one.ours and one.theirs.error == "parallel_function_checker_no_order:cannot_find_match":
        return (
            "ours: each call fits an expected one of its own, but BFCL gives the first expected call the "
            "first predicted one that fits, which another one needs"
        )
    raise ValueError(f"nobody has judged why {one.answer.row.id} is graded otherwise: {one.theirs}")


def _rows(compared: Comparison) -> int:
    return sum(len(load_rows(category)) for category in {category for category, _ in compared.answered})


def _disagreement_line(one: Disagreement) -> str:
    calls = "; ".join(f"{call.name}({_short(call.arguments)})" for call in one.answer.completion.calls)
    verdicts = ("right" if one.ours else "wrong", "right" if one.theirs.valid else "wrong")
    return f"| `{one.answer.row.id}` | {calls} | {verdicts[0]} | {verdicts[1]} | {explain(one)} |"


# A required argument with an empty list of answers; an empty list as its one answer was probably meant.
NOTHING_ACCEPTED = "take none: the row accepts no value of a required argument"


def _hopeless_line(one: Hopeless) -> str:
    return f"| `{one.row.id}` | {one.error} | {'take one' if one.is_fair else NOTHING_ACCEPTED} |"


def _short(arguments: Mapping[str, Any]) -> str:
    return ", ".join(f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in arguments.items())


def _as_json(compared: Comparison) -> dict[str, Any]:
    return {
        "categories": {
            category: {
                kind: {
                    "answers": compared.answered[category, kind],
                    "right_by_bfcl": compared.accepted[category, kind],
                    "disagree": _differing(compared, category, kind),
                }
                for kind in KINDS
                if (category, kind) in compared.answered
            }
            for category in CATEGORIES
        },
        "rows_at_odds": compared.rows_at_odds(),
    }


def _differing(compared: Comparison, category: str, kind: str) -> int:
    return sum(d.answer.row.category == category and d.answer.kind == kind for d in compared.disagreements)


def _as_table(compared: Comparison) -> str:
    lines = [f"{'category':<24}{'kind':<13}{'answers':>9}{'right':>9}{'agree':>9}{'differ':>8}"]
    for (category, kind), number in compared.answered.items():
        differing = _differing(compared, category, kind)
        right = compared.accepted[category, kind]
        lines.append(
            f"{category:<24}{kind:<13}{number:>9,}{right:>9,}{number - differing:>9,}{differing:>8,}"
        )
    lines.append(f"differ in: {', '.join(compared.rows_at_odds()) or 'no row'}")
    return "\n".join(lines)


def _parser() -> argparse.ArgumentParser:
    parser = DoorParser(prog="python -m bench.parity", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--disagreements", action="store_true", help=f"print docs/{DOCUMENT.name}")
    return parser


if __name__ == "__main__":
    run_door(main)
