"""What the statistics promise, by simulation: `python -m bench.statistics [--json] [--simulations N]`.

- How often 95% intervals hold the truth: Wilson's, by sums of binomials; the paired bootstrap's, beside the
  plain one without its two more rows; both where rows are turns of conversations, beside taking them for
  independent, and Wilson's where these are of very unequal lengths; the difference of two variants with
  several seeds of both or of one.
- How often variants that do not differ are called different: one pair alone, and a suite's pairs together
  with and without Holm.
- How often the difference that a sentence calls detectable is found.
"""

from __future__ import annotations

import itertools
import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy.stats import binom, norm

from evaluation.pairs import PAIRS
from evaluation.statistics import (
    SIGNIFICANCE,
    adjust_by_holm,
    compare_paired,
    compare_seeds,
    detectable_difference,
    estimate,
    flip_p,
)
from evaluation.statistics.resampling import draw_units, percentile_interval
from evaluation.toolcalls.metrics import Proportion
from jobs.doors import DoorParser, run_door

SEED = 20_260_101
SIMULATIONS = 1_000
SEED_SPREAD = 0.03
SEED_COLUMNS = ("even", "even, real", "even, width", "+10", "+10, real", "+10, width")
VARIANTS = ("base", "sft", "dpo", "sft-dpo")
# How many turns a conversation has, each as likely.
TURNS = {"1 to 6": (1, 2, 3, 4, 5, 6), "2 or 40": (*[2] * 9, 40)}
SHARES = (0.5, 0.7, 0.9, 0.98)
# Seeds of the one variant, of the other, and rows.
SEED_CASES = (
    *((1, 1, 200), (2, 2, 200), (3, 3, 200), (2, 1, 200), (3, 1, 200), (5, 1, 200)),
    *((1, 1, 3_652), (3, 3, 3_652), (3, 1, 3_652), (5, 1, 3_652)),
)
# Shares of rows on which two variants differ, and by how much one is truly better.
DIFFERENCES = (
    *((0.01, 0.0), (0.05, 0.0), (0.1, 0.0), (0.3, 0.0)),
    *((0.05, 0.05), (0.1, 0.05), (0.2, 0.05), (0.3, 0.05)),
    *((0.3, 0.2), (0.9, 0.8)),
)
Rng = np.random.Generator


@dataclass(frozen=True)
class Line:
    """One case of a table, and what came of it: shares, or widths in points."""

    table: str
    case: str
    found: Mapping[str, float]


def main(arguments: Sequence[str] | None = None) -> None:
    """Simulate every case and print what came of it."""
    parser = DoorParser(prog="python -m bench.statistics", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument(
        "--simulations",
        type=int,
        default=SIMULATIONS,
        metavar="N",
        help=f"samples a case ({SIMULATIONS:,}); a quarter for conversations, half for long ones and seeds",
    )
    given = parser.parse_args(arguments)
    if given.json:
        print(json.dumps({"lines": [asdict(line) for line in simulate(given.simulations)]}))
        return
    title = None
    for line in simulate(given.simulations):
        if line.table != title:
            title = line.table
            print(f"\n{title}\n| case | {' | '.join(line.found)} |\n|---|{'---|' * len(line.found)}")
        print(
            f"| {line.case} | {' | '.join(f'{100 * one:.1f}' for one in line.found.values())} |", flush=True
        )


def simulate(simulations: int) -> Iterator[Line]:
    """Every case of every table."""
    yield from wilson_lines()
    yield from paired_lines(simulations)
    # Each of these draws its own bootstrap, where paired rows often repeat a table.
    yield from conversation_lines(max(simulations // 4, 1))
    yield from unequal_lines(max(simulations // 2, 1))
    yield from seed_lines(max(simulations // 2, 1))
    yield from false_alarm_lines(simulations)
    yield from power_lines(simulations)


def wilson_lines() -> Iterator[Line]:
    """Over shares from 0.5% to 99.5%: the mean coverage and the worst, exactly."""
    for n in (10, 20, 50, 100, 300, 1_000):
        bounds = [estimate(Proportion(k, n)) for k in range(n + 1)]
        held = [
            sum(
                chance
                for chance, one in zip(binom.pmf(np.arange(n + 1), n, share), bounds, strict=True)
                if (one.low or 0.0) <= share <= (one.high or 0.0)
            )
            for share in np.arange(0.005, 1, 0.005)
        ]
        yield Line("Wilson: coverage", f"{n} rows", {"mean": float(np.mean(held)), "worst": min(held)})


def paired_lines(simulations: int) -> Iterator[Line]:
    """Coverage and width of the paired interval, beside the bootstrap of the rows alone."""
    for discordance, difference in DIFFERENCES:
        for n in (20, 50, 100, 300, 1_000):
            yield Line(
                "Paired difference: coverage and mean width in points",
                f"{n} rows, {discordance:.0%} differ, {difference:+.0%} true",
                _paired_case(n, discordance, difference, simulations),
            )


def _paired_case(n: int, discordance: float, difference: float, simulations: int) -> dict[str, float]:
    rng = np.random.default_rng(SEED)
    shares = [(discordance + difference) / 2, (discordance - difference) / 2, 1 - discordance]
    tables = Counter((int(a), int(b)) for a, b, _ in rng.multinomial(n, shares, size=simulations))
    found = dict.fromkeys(("ours", "rows alone", "ours, width", "rows alone, width"), 0.0)
    for (a, b), times in tables.items():
        won, lost = [True] * a + [False] * b, [False] * a + [True] * b
        same = [True] * (n - a - b)
        ours = compare_paired(won + same, lost + same)
        for name, (low, high) in (
            ("ours", (ours.low or 0.0, ours.high or 0.0)),
            ("rows alone", _plain_bootstrap(a, b, n)),
        ):
            found[name] += times * (low <= difference + 1e-12 and difference - 1e-12 <= high) / simulations
            found[f"{name}, width"] += times * (high - low) / simulations
    return found


def _plain_bootstrap(a: int, b: int, n: int) -> tuple[float, float]:
    drawn = np.concatenate(list(draw_units([a, b, n - a - b])))
    return percentile_interval((drawn[:, 0] - drawn[:, 1]) / n)


def conversation_lines(simulations: int) -> Iterator[Line]:
    """Coverage and false alarms where turns of a conversation go wrong together."""
    for groups in (15, 100):
        for turns, alike in (("1 to 6", 0.0), ("1 to 6", 0.3), ("2 or 40", 0.3)):
            case = f"{groups} conversations of {turns} turns, alike by {alike:.1f}"
            yield Line("Turns of conversations", case, _conversation_case(turns, groups, alike, simulations))


def _conversation_case(turns: str, groups: int, alike: float, simulations: int) -> dict[str, float]:
    rng, found = np.random.default_rng(SEED), Counter[str]()
    for _ in range(simulations):
        sizes = rng.choice(TURNS[turns], size=groups)
        names = np.repeat(np.arange(groups), sizes).tolist()
        whole, shares = _shares(_turns(rng, 0.7, alike, sizes), sizes)
        found["share"] += _holds(estimate(whole, shares), 0.7)
        found["share, as rows"] += _holds(estimate(whole), 0.7)
        for true, gain in (("even", 0.0), ("+10", 0.1)):
            differ = _turns(rng, 0.3, alike, sizes)
            a_wins = _turns(rng, 0.5 + gain / 0.6, alike, sizes)
            a, b = (differ & a_wins).tolist(), (differ & ~a_wins).tolist()
            clustered, alone = compare_paired(a, b, names), compare_paired(a, b)
            found[f"{true}"] += _holds(clustered, gain)
            found[f"{true}, as rows"] += _holds(alone, gain)
            if not gain:
                found["alarms"] += (clustered.p or 0.0) < SIGNIFICANCE
                found["alarms, as rows"] += (alone.p or 0.0) < SIGNIFICANCE
    return {name: count / simulations for name, count in found.items()}


def unequal_lines(simulations: int) -> Iterator[Line]:
    """Coverage of a share of turns where one conversation in ten has 40 turns and the others have 2."""
    for groups in (15, 60, 300):
        for alike in (0.0, 0.3, 0.8):
            rng, found = np.random.default_rng(SEED), dict.fromkeys(map("{:.0%} right".format, SHARES), 0.0)
            for share, _ in itertools.product(SHARES, range(simulations)):
                sizes = rng.choice(TURNS["2 or 40"], size=groups)
                one = estimate(*_shares(_turns(rng, share, alike, sizes), sizes))
                found[f"{share:.0%} right"] += _holds(one, share) / simulations
            case = f"{groups} conversations, alike by {alike:.1f}"
            yield Line("A share of conversations' turns, 2 or 40: coverage", case, found)


def _shares(right: np.ndarray, sizes: np.ndarray) -> tuple[Proportion, list[Proportion]]:
    talks = np.split(right, np.cumsum(sizes)[:-1])
    return Proportion(int(right.sum()), len(right)), [Proportion(int(one.sum()), len(one)) for one in talks]


def _turns(rng: Rng, share: float, alike: float, sizes: np.ndarray) -> np.ndarray:
    """Outcomes turn by turn; `alike`: the correlation of two turns of one conversation."""
    of_each = np.full(len(sizes), share)
    if alike:
        weight = 1 / alike - 1
        of_each = rng.beta(share * weight, (1 - share) * weight, size=len(sizes))
    right: np.ndarray = rng.random(sizes.sum()) < np.repeat(of_each, sizes)
    return right


def _holds(one: Any, truth: float) -> bool:
    return bool(one.low <= truth + 1e-12 and truth - 1e-12 <= one.high)


def seed_lines(simulations: int) -> Iterator[Line]:
    """Two variants whose true shares vary from seed to seed by 3 points: how often the interval holds the
    difference, 0 or 10 points, and how often it is called real; the mean width in points."""
    for a, b, rows in SEED_CASES:
        yield Line("Seeds, sd 3 points", f"{a} over {b}, {rows} rows", _seed_case(a, b, rows, simulations))


def _seed_case(a: int, b: int, rows: int, simulations: int) -> dict[str, float]:
    rng, found = np.random.default_rng(SEED), dict.fromkeys(SEED_COLUMNS, 0.0)
    for _ in range(simulations):
        hard = rng.normal(0, 1, size=rows)
        base = [_outcomes_of_seed(rng, hard, 0.5) for _ in range(b)]
        for true, gain in (("even", 0.0), ("+10", 0.1)):
            one = compare_seeds([_outcomes_of_seed(rng, hard, 0.5 + gain) for _ in range(a)], base)
            found[true] += _holds(one, gain)
            found[f"{true}, real"] += (one.p or 0.0) < SIGNIFICANCE
            found[f"{true}, width"] += (one.high or 0.0) - (one.low or 0.0)
    return {name: count / simulations for name, count in found.items()}


def _outcomes_of_seed(rng: Rng, hard: np.ndarray, share: float) -> list[bool]:
    """Outcomes on rows that are so hard for every seed; the seeds' own shares have an sd of 3 points."""
    # Near a half a share rises by the density of the normal times what is added to all rows.
    luck = SEED_SPREAD / (norm.pdf(0) / math.sqrt(2))
    bar = norm.ppf(share) * math.sqrt(2 + luck**2)
    right: list[bool] = (hard + rng.normal(0, 1, len(hard)) + rng.normal(0, luck) < bar).tolist()
    return right


def false_alarm_lines(simulations: int) -> Iterator[Line]:
    """How often a suite's variants, none better than another, come to a p below 0.05."""
    held = [(VARIANTS.index(a), VARIANTS.index(b)) for a, b in PAIRS if {a, b} <= {*VARIANTS}]
    for n in (100, 300, 1_000):
        for same in (0.5, 0.8):
            rng, found = np.random.default_rng(SEED), Counter[str]()
            for _ in range(simulations):
                right = _variants(rng, n, same)
                p = [flip_p((right[a].astype(int) - right[b]).tolist()) for a, b in held]
                found["one pair"] += p[0] < SIGNIFICANCE
                found["any, p as it is"] += min(p) < SIGNIFICANCE
                found["any, after Holm"] += min(one or 0.0 for one in adjust_by_holm(p)) < SIGNIFICANCE
            shares = {
                name: found[name] / simulations for name in ("one pair", "any, p as it is", "any, after Holm")
            }
            yield Line("False alarms, four variants", f"{n} rows, {same:.0%} of rows answered alike", shares)


def _variants(rng: Rng, n: int, same: float) -> np.ndarray:
    """(variants, n) outcomes of equally good variants, of which a share `same` is common to all."""
    common, own = rng.random(n) < 0.6, rng.random((len(VARIANTS), n)) < 0.6
    right: np.ndarray = np.where(rng.random((len(VARIANTS), n)) < same, common, own)
    return right


def power_lines(simulations: int) -> Iterator[Line]:
    """How often the detectable difference is found; it says 80%."""
    for n in (50, 120, 300, 1_000, 3_652):
        for discordance, comparisons in ((0.1, 1), (0.1, 4), (0.3, 4)):
            level = SIGNIFICANCE / comparisons
            gain = detectable_difference(n, discordance, level)
            case = f"{n} rows, {discordance:.0%} differ, {comparisons} comparisons"
            if gain is not None:
                power = _power(n, max(discordance, gain), gain, level, simulations)
                yield Line("Detectable difference", case, {"detectable": gain, "power": power})


def _power(n: int, discordance: float, gain: float, level: float, simulations: int) -> float:
    rng = np.random.default_rng(SEED)
    shares = [(discordance + gain) / 2, (discordance - gain) / 2, 1 - discordance]
    tables: Iterable[tuple[int, int]] = (
        (int(a), int(b)) for a, b, _ in rng.multinomial(n, shares, simulations)
    )
    return sum(flip_p([1] * a + [-1] * b) <= level for a, b in tables) / simulations


if __name__ == "__main__":
    run_door(main)
