"""The main metric of every suite by slice of its rows: where a variant is strong, and where it is not.

A slice says what is worth a look, and proves nothing: few rows are in it, and many slices are looked at.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from statistics import quantiles
from typing import Any

from data.output import TRAIN_PREFERENCE, TRAIN_SFT
from data.overlap import OVERLAP
from data.report.languages import UNSURE, guess_language
from evaluation.comparison import Comparison, Row
from evaluation.figures import FIGURES
from evaluation.jsonl import read_jsonl
from evaluation.statistics import Estimate
from evaluation.suites import SUITES
from evaluation.summary import estimate_rows
from evaluation.toolcalls.metrics import graded_of
from evaluation.toolcalls.score import Score

MAX_NAMED = 8
CONTAMINATION = "contamination"
OTHERS, NO_SOURCE = "others", "no source named"
# By the most tools that a row of each slice offers.
TOOLS = ((0, "no tools"), (1, "1 tool"), (4, "2–4 tools"), (9, "5–9 tools"))
MANY_TOOLS = "10 or more tools"
_UNSCORED = Score(None, error="no score has this id")


@dataclass(frozen=True)
class Slice:
    """Rows of a suite that are alike in one respect, and how every variant does on them.

    `by`: tools, length, language, source or contamination. `name`: which of them. `rows`: how many of the
    suite's, unscored ones included. `figures`: the suite's main metric by variant.
    """

    suite: str
    by: str
    name: str
    rows: int
    figures: Mapping[str, Estimate]


def slices_of(comparison: Comparison, contaminated: frozenset[str]) -> list[Slice]:
    """Slice every suite; `contaminated`: ids of test rows, or of conversations, that a training row asks too.

    The order is that of the suites, within one tools, length, language, source, contamination. Of sources and
    languages the commonest eight are named and the rest is summed as others. Rows are sliced by contamination
    only where one of the suite's is contaminated.
    """
    found = []
    for suite, rows in comparison.rows.items():
        for by, names in _names_of(rows, contaminated).items():
            found += [
                Slice(suite, by, name, len(chosen), _figures(comparison, suite, chosen))
                for name, chosen in _grouped(rows, names).items()
            ]
    return found


def describe_undivided(slices: Sequence[Slice]) -> str:
    """Say what contaminated means, and which suites languages and contamination make no slices of."""
    by_suite: dict[str, dict[str, list[str]]] = {}
    for one in slices:
        by_suite.setdefault(one.suite, {}).setdefault(one.by, []).append(one.name)
    said = ["A test row is contaminated where a training row asks the same, and clean where none does."]
    alike: dict[str, list[str]] = {}
    for suite, named in by_suite.items():
        if len(named["language"]) == 1:
            alike.setdefault(named["language"][0], []).append(suite)
    for language, suites in alike.items():
        names = " and ".join(suites)
        told = (
            f"No row of {names} has a language that could be guessed"
            if language == UNSURE
            else f"All rows of {names} are in one language as far as a guess can tell ({language})"
        )
        said.append(f"{told}, so that there are no slices by language.")
    clean = [suite for suite, named in by_suite.items() if CONTAMINATION not in named]
    if clean:
        said.append(
            f"All rows of {' and '.join(clean)} are clean, so that there are no slices by contamination."
        )
    return " ".join(said)


def read_contaminated(data_dir: Path) -> frozenset[str]:
    """Read the ids of the test rows that a training row asks too, out of what data.prepare wrote.

    Counted are pairs whose training row is among those written: what was dropped for its overlap, or left
    out by a cap, was not trained on. Raises BadInput for a file that cannot be read.
    """
    path = data_dir / OVERLAP
    pairs = read_jsonl(path) if path.is_file() else []
    trained = _trained_ids(data_dir) if pairs else frozenset()
    return frozenset(_id_of(pair, "test") for pair in pairs if _id_of(pair, "train") in trained)


def _trained_ids(data_dir: Path) -> frozenset[str]:
    paths = [data_dir / name for name in (TRAIN_SFT, TRAIN_PREFERENCE)]
    return frozenset(str(row.get("id")) for path in paths if path.is_file() for row in read_jsonl(path))


def _id_of(pair: Mapping[str, Any], end: str) -> str:
    named = pair.get(end)
    return str(named.get("id")) if isinstance(named, Mapping) else ""


def _names_of(rows: Sequence[Row], contaminated: frozenset[str]) -> dict[str, dict[str, Sequence[str]]]:
    """By what rows are sliced: the slices' names in their order, each with the names of all rows."""
    lengths = [_characters(row) for row in rows]
    by = {
        "tools": ([name for _, name in TOOLS] + [MANY_TOOLS], [tools_slice(row) for row in rows]),
        "length": _by_length(lengths),
        "language": _by_count([language_of(row) for row in rows]),
        "source": _by_count([str(row.get("source") or NO_SOURCE) for row in rows]),
    }
    is_known = [is_contaminated(row, contaminated) for row in rows]
    if any(is_known):
        by[CONTAMINATION] = (
            ["clean", "contaminated"],
            ["contaminated" if known else "clean" for known in is_known],
        )
    return {key: {"order": order, "named": named} for key, (order, named) in by.items()}


def _grouped(rows: Sequence[Row], names: Mapping[str, Sequence[str]]) -> dict[str, list[Row]]:
    groups: dict[str, list[Row]] = {name: [] for name in names["order"]}
    for row, name in zip(rows, names["named"], strict=True):
        groups[name].append(row)
    return {name: chosen for name, chosen in groups.items() if chosen}


def _figures(comparison: Comparison, suite: str, rows: Sequence[Row]) -> dict[str, Estimate]:
    tally = FIGURES[SUITES[suite].main_metric].tally
    return {
        variant: estimate_rows(tally, [graded_of(row, scores.get(str(row["id"]), _UNSCORED)) for row in rows])
        for variant, scores in comparison.scores[suite].items()
    }


def tools_slice(row: Row) -> str:
    """How many tools the row offers, as slices by tools are named."""
    count = _count_tools(row)
    return next((name for most, name in TOOLS if count <= most), MANY_TOOLS)


def _count_tools(row: Row) -> int:
    try:
        tools = json.loads(str(row["tools"]))
    except (ValueError, RecursionError):
        return 0
    return len(tools) if isinstance(tools, list) else 0


def _by_length(lengths: Sequence[int]) -> tuple[list[str], list[str]]:
    """The quarters of the rows by length; fewer where many rows are equally long."""
    shortest, longest = min(lengths, default=0), max(lengths, default=0)
    cuts = quantiles(lengths, n=4, method="inclusive") if len(lengths) > 1 else []
    ends = sorted({*(int(cut) for cut in cuts), longest})
    starts = [shortest, *(end + 1 for end in ends)]
    names = [_range_name(start, end) for start, end in zip(starts, ends, strict=False)]
    places = [next(place for place, end in enumerate(ends) if length <= end) for length in lengths]
    return names, [names[place] for place in places]


def _range_name(start: int, end: int) -> str:
    return f"{start:,} characters" if start >= end else f"{start:,}–{end:,} characters"


def _characters(row: Row) -> int:
    """How long tools and turns are as JSON, which is how data.report measures a prompt."""
    return len(str(row["tools"])) + sum(len(json.dumps(one, ensure_ascii=False)) for one in row["messages"])


def _by_count(named: Sequence[str]) -> tuple[list[str], list[str]]:
    """The names, commonest first, and all rows' names, of which rare ones become others."""
    ranked = sorted(Counter(named).items(), key=lambda one: (-one[1], one[0]))
    # A single name more takes no more room than the others would.
    shown = [name for name, _ in ranked[: MAX_NAMED if len(ranked) > MAX_NAMED + 1 else None]]
    known = set(shown)
    return list(dict.fromkeys([*shown, OTHERS])), [name if name in known else OTHERS for name in named]


def language_of(row: Row) -> str:
    """The language of what the user asks, as far as a guess can tell."""
    turns = [one for one in row["messages"] if isinstance(one, Mapping) and one.get("role") == "user"]
    return _guess("\n".join(str(turn.get("content") or "") for turn in turns))


@lru_cache(maxsize=100_000)
def _guess(text: str) -> str:
    # Two suites often take the same rows.
    return guess_language(text)


def is_contaminated(row: Row, contaminated: frozenset[str]) -> bool:
    """Whether training asks the row too, or the conversation whose turn it is."""
    return any(str(row[name]) in contaminated for name in ("id", "conversation") if row.get(name))
