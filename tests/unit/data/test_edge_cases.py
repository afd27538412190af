"""Real rows, odd ones among them: each becomes canonical rows or a rejection whose reason is known."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from data.rows import RowError
from data.shapes.reading import read_rows

ANOTHERS_NAME = "is another tool's name"
WRONG_TYPE = "of another type than its tool declares"
RULED_OUT = "that its tool rules out"
# By source: lines, canonical rows, and the lines that are rejected by reason.
EDGE_CASES: dict[str, tuple[int, int, dict[str, int]]] = {
    "acebench_en": (15, 15, {}),
    "acebench_zh": (29, 29, {}),
    "apibank_l2": (10, 10, {}),
    "bfcl_live_irrelevance": (24, 24, {}),
    "bfcl_live_multiple": (17, 17, {}),
    "bfcl_live_parallel": (3, 3, {}),
    "bfcl_live_parallel_multiple": (1, 1, {}),
    "bfcl_live_simple": (5, 5, {}),
    # The tools of a multi-turn row are Python classes that the row only names.
    "bfcl_multi_turn": (20, 0, {"is absent: a multi-turn row names classes": 20}),
    "bfcl_parallel": (50, 50, {}),
    "functionchat_ko": (70, 102, {}),
    "glaive_en": (20, 72, {}),
    "glaive_zh": (40, 125, {f"gives a value {RULED_OUT}": 1, "lacks a required argument": 1}),
    "hammer_masking": (10, 9, {ANOTHERS_NAME: 1}),
    "rotbench_heavy": (21, 19, {ANOTHERS_NAME: 2}),
    "rotbench_union": (11, 10, {ANOTHERS_NAME: 1}),
    "toolalpaca": (10, 10, {}),
    "toolcall_repair": (117, 0, {"is a model output, no row to learn from": 117}),
    "when2call_llm_judge": (13, 13, {}),
}
# By file: lines, and the lines that are rejected by field and reason.
COMMON: dict[str, tuple[int, dict[tuple[str, str], int]]] = {
    "train_sft": (2331, {("tools", ANOTHERS_NAME): 16, ("messages", f"gives a value {WRONG_TYPE}"): 13}),
    "train_pref": (
        1200,
        {("chosen_response", f"gives a value {WRONG_TYPE}"): 11, ("tools", ANOTHERS_NAME): 8},
    ),
    "calls_test": (
        915,
        {
            ("gold_calls", f"gives a value {WRONG_TYPE}"): 7,
            ("gold_calls", "gives an argument that its tool does not list"): 5,
            ("gold_calls", f"gives a value {RULED_OUT}"): 1,
            ("gold_allowed", "gives an argument that its tool does not list"): 1,
            ("gold_allowed", f"accepts only values {RULED_OUT}"): 1,
        },
    ),
    "when2call_mcq_test": (182, {("answers.tool_call", f"gives a value {RULED_OUT}"): 1}),
}


def lines(path: Path) -> Iterator[dict[str, Any]]:
    for line in path.read_text(encoding="utf-8").splitlines():
        yield json.loads(line)


def test_edge_cases_are_rows_or_known_rejections(shared_data: Path) -> None:
    found: dict[str, tuple[Counter[str], Counter[str]]] = defaultdict(lambda: (Counter(), Counter()))
    for raw in lines(shared_data / "edge_cases.jsonl"):
        counts, reasons = found[raw["source"]]
        counts["lines"] += 1
        try:
            rows = read_rows(raw, "edge_cases")
        except RowError as error:
            assert error.mend
            reasons[error.reason] += 1
        else:
            counts["rows"] += len(rows)
            assert {row.source for row in rows} == {raw["source"]}
            assert [read_rows(row.to_json(), "") for row in rows] == [[row] for row in rows]
    seen = {source: (c["lines"], c["rows"], dict(reasons)) for source, (c, reasons) in found.items()}
    assert seen == EDGE_CASES


@pytest.mark.parametrize("name", COMMON)
def test_common_rows_are_read_but_for_known_faults(name: str, shared_data: Path) -> None:
    count, rejected = 0, Counter[tuple[str, str]]()
    for raw in lines(shared_data / f"{name}.jsonl"):
        count += 1
        try:
            (row,) = read_rows(raw, name)
        except RowError as error:
            rejected[error.field.split("[")[0], error.reason] += 1
        else:
            assert read_rows(row.to_json(), "") == [row], "a canonical row is read as itself"
    assert (count, dict(rejected)) == COMMON[name]


def test_every_shipped_row_is_read(examples: Path) -> None:
    files = sorted(examples.glob("*.jsonl"))
    assert files
    for path in files:
        for raw in lines(path):
            (row,) = read_rows(raw, path.stem)
            assert read_rows(row.to_json(), "") == [row]
