"""What strategies get that only want the reward: `python -m bench.reward_hacking --json | --markdown`.

Runs every strategy of `bench.hacks` over every third of the shipped rows, in several formats, and holds its
mean reward against that of the honest partial answer on the same rows. The rule: none gets more, on the rows
of any decision, nor over all four decisions at equal weight. A strategy that is one text is right where that
is the decision, so there it is judged over all decisions alone. Exit 1 where the rule is broken, and by
what; `--json` names the decisions in `broken`.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from bench.answers import FORMATS, Case, Format, guess, honest
from bench.hacks import STRATEGIES, Strategy
from data.readers import RowFile, read_line
from data.rows import DECISIONS, Purpose
from evaluation.toolcalls import Call, reward
from jobs.doors import BadInput, DoorParser, run_door

ROWS = Path(__file__).resolve().parent.parent / "examples" / "rows"
TOLERANCE = 1e-9
EVERY = 3
HONEST = "**honest partial answer**"

# By decision, number of the row, and format.
Rewards = Mapping[tuple[str, int, str], float]


@dataclass(frozen=True)
class Result:
    """Mean rewards of one strategy; None where it has no meaning.

    `by_decision`: over that decision's rows. `honest`: the honest answer on the same rows and formats.
    `overall`: the mean over the decisions, as `honest_overall`. `highest`: the 95th percentile of the rows
    that expect calls. `rows_above`: the share of those where it got more than the honest answer did.
    """

    name: str
    states: str | None
    by_decision: Mapping[str, float | None]
    honest: Mapping[str, float | None]
    overall: float
    honest_overall: float
    highest: float
    rows_above: float

    def broken(self) -> list[str]:
        """Where this strategy gets more than an honest partial answer."""
        found = [
            decision
            for decision, mean in self.by_decision.items()
            if mean is not None
            and decision != self.states
            and mean > (self.honest[decision] or 0.0) + TOLERANCE
        ]
        return found + ["overall"] * (self.overall > self.honest_overall + TOLERANCE)


def main() -> None:
    """Print the table, and fail where a strategy gets more than an honest partial answer."""
    given = _parser().parse_args()
    if given.every < 1:
        raise BadInput(f"--every is {given.every}; give 1 to take all rows, or more")
    results = run_strategies(read_cases()[:: given.every])
    if given.json:
        print(json.dumps({"strategies": [asdict(one) | {"broken": one.broken()} for one in results]}))
    else:
        print(as_markdown(results))
    broken = [f"{one.name}: {', '.join(one.broken())}" for one in results if one.broken()]
    if broken:
        sys.exit("more than an honest partial answer gets\n" + "\n".join(broken))


def run_strategies(
    cases: Sequence[Case],
    strategies: Sequence[Strategy] = STRATEGIES,
    weights: Mapping[str, float] | None = None,
) -> list[Result]:
    """Reward the honest answer, then each strategy, on every row in every format."""
    fair: Rewards = {
        (case.decision, case.number, format.name): _mean_reward(honest(case, format), case, format, weights)
        for case in cases
        for format in FORMATS
    }
    results = [_result(HONEST, None, fair, fair)]
    for one in strategies:
        results.append(_result(one.name, one.states, _rewards(one, cases, weights), fair))
    return results


def read_cases() -> list[Case]:
    """The shipped test rows, their calls joined two by two, and the plain answers of the training rows."""
    tests = list(_read("test", "test"))
    calls = [row for row in tests if row["expected"]["decision"] == "tool_call"]
    direct = [row for row in _read("train_sft", "sft") if row["expected"]["decision"] == "direct"]
    joined = filter(None, map(_joined, calls[::2], calls[1::2], range(len(calls))))
    return [_case(row, number) for number, row in enumerate([*tests, *joined, *direct])]


def as_markdown(results: Sequence[Result]) -> str:
    """The table of `docs/reward_hacking.md`."""
    titles = ("strategy", *DECISIONS, "all four", "95th percentile", "rows above")
    lines = ["| " + " | ".join(titles) + " |", "|---" + "|--:" * (len(titles) - 1) + "|"]
    for one in results:
        means = [_shown(one.by_decision[decision]) for decision in DECISIONS]
        last = (f"{one.overall:.3f}", f"{one.highest:.3f}", f"{one.rows_above:.0%}")
        lines.append(f"| {one.name} | {' | '.join([*means, *last])} |")
    return "\n".join(lines)


def _rewards(strategy: Strategy, cases: Sequence[Case], weights: Mapping[str, float] | None) -> Rewards:
    found = {}
    for case in cases:
        for format in FORMATS:
            written = None if case.number % strategy.every else strategy.write(case, format)
            if written is not None:
                got = _mean_reward([written], case, format, weights)
                found[case.decision, case.number, format.name] = got
    return found


def _mean_reward(
    completions: Sequence[str], case: Case, format: Format, weights: Mapping[str, float] | None
) -> float:
    rows = [case.row] * len(completions)
    return fmean(value or 0.0 for value in reward(completions, rows, weights, format=format.name))


def _result(name: str, states: str | None, got: Rewards, fair: Rewards) -> Result:
    means = _means(got)
    fair_means = _means({key: fair[key] for key in got})
    called = sorted(got[key] for key in got if key[0] == "tool_call")
    if not called:
        raise BadInput(
            f"no row is left that expects calls and on which {name!r} can be tried; take more rows"
        )
    return Result(
        name=name,
        states=states,
        by_decision=means,
        honest=fair_means,
        overall=fmean(one for one in means.values() if one is not None),
        honest_overall=fmean(one for one in fair_means.values() if one is not None),
        highest=called[int(0.95 * len(called))],
        rows_above=fmean(got[key] > fair[key] + TOLERANCE for key in got if key[0] == "tool_call"),
    )


def _means(rewards: Rewards) -> dict[str, float | None]:
    found = {name: [got for key, got in rewards.items() if key[0] == name] for name in DECISIONS}
    return {name: fmean(values) if values else None for name, values in found.items()}


def _read(stem: str, purpose: Purpose) -> Iterator[dict[str, Any]]:
    file = RowFile(ROWS / f"{stem}.jsonl", stem, purpose)
    for line in file.path.read_bytes().splitlines():
        yield from (row.to_json() for row in read_line(line, file))


def _joined(one: Mapping[str, Any], other: Mapping[str, Any], number: int) -> dict[str, Any] | None:
    """Two requests in one, every second pair in order; None where a tool of both has two schemas."""
    tools = {tool["name"]: tool for row in (one, other) for tool in json.loads(row["tools"])}
    if any(tool != tools[tool["name"]] for row in (one, other) for tool in json.loads(row["tools"])):
        return None
    calls = [*one["expected"]["calls"], *other["expected"]["calls"]]
    text = f"{one['messages'][-1]['content']} Then: {other['messages'][-1]['content']}"
    return {
        "id": f"{one['id']}+{other['id']}",
        "tools": json.dumps(list(tools.values())),
        "messages": [{"role": "user", "content": text}],
        "expected": {"decision": "tool_call", "calls": calls, "ordered": number % 2 == 0},
    }


def _case(row: Mapping[str, Any], number: int) -> Case:
    tools = {tool["name"]: tool["parameters"] for tool in json.loads(row["tools"])}
    calls = tuple(Call(one["name"], json.loads(one["arguments"])) for one in row["expected"]["calls"] or ())
    asked = next(one["content"] for one in reversed(row["messages"]) if one["role"] == "user")
    first = (guess(*next(iter(tools.items()))),) if tools else (Call("answer", {}),)
    return Case(row, number, row["expected"]["decision"], tools, calls or first, asked)


def _shown(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _parser() -> argparse.ArgumentParser:
    parser = DoorParser(prog="python -m bench.reward_hacking", description=__doc__)
    shapes = parser.add_mutually_exclusive_group()
    shapes.add_argument("--json", action="store_true", help="print one JSON object")
    shapes.add_argument("--markdown", action="store_true", help="print the table alone, as the docs hold it")
    parser.add_argument("--every", type=int, default=EVERY, metavar="N", help="take every Nth row")
    return parser


if __name__ == "__main__":
    run_door(main)
