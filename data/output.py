"""The folder that a preparation writes: canonical rows, suites, and the hash that names them."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from data.rows import Rejection, Row, write_json

TRAIN_SFT, TRAIN_PREFERENCE = "train_sft.jsonl", "train_pref.jsonl"
MULTIPLE_CHOICE, OWN = "suites/when2call_mcq.jsonl", "suites/own.jsonl"
REJECTED = "rejected.jsonl"


def write_rows(rows_by_file: Mapping[str, Sequence[Row]], folder: Path) -> str:
    """Write canonical files and return their data hash.

    The hash is the SHA-256 over each file's name and content, so equal rows in equal order have equal hashes
    wherever they were read from.
    """
    digest = hashlib.sha256()
    for name, rows in sorted(rows_by_file.items()):
        content = "".join(write_json(row.to_json()) + "\n" for row in rows).encode()
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return digest.hexdigest()


def write_rejected(rejections: Iterable[Rejection], folder: Path) -> None:
    """Write `rejected.jsonl`: file, line, field, reason and how to mend it."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = (json.dumps(asdict(rejection)) + "\n" for rejection in rejections)
    (folder / REJECTED).write_text("".join(lines), encoding="utf-8")


def write_report(report: Mapping[str, Any], folder: Path) -> None:
    """Write `report.json`."""
    text = json.dumps(report, indent=1, ensure_ascii=True)
    (folder / "report.json").write_text(text + "\n", encoding="utf-8")


def multiple_choice_suite(test: Sequence[Row]) -> list[Row]:
    """The test rows that have the four answers."""
    return [row for row in test if row.answers is not None]


def own_suite(test: Sequence[Row]) -> list[Row]:
    """Every test row, for generated calls: the four answers are not part of it."""
    return [replace(row, answers=None) for row in test]
