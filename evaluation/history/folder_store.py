"""Executions as local runs leave them: a folder each, below the folder of runs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from evaluation.history.files import read_object, read_row_file, read_score_file
from evaluation.history.runs import Row, Run, Scores, Unreadable, fault_of
from evaluation.report.costs import jobs_of
from evaluation.suites import SUITES
from jobs.doors import BadInput

SUCCEEDED = "SUCCEEDED"


class FolderStore:
    """The executions below one folder, such as ``runs/``."""

    def __init__(self, folder: Path) -> None:
        """Raises BadInput where there is no such folder."""
        if not folder.is_dir():
            raise BadInput(
                f"--runs {folder}: there is no such folder; name the one that holds a folder a run"
            )
        self._folder = folder

    def list_runs(self) -> list[Run]:
        """Every folder that holds an execution or a comparison, the oldest first."""
        # `latest` is a link to another of them.
        folders = [path for path in self._folder.iterdir() if path.is_dir() and not path.is_symlink()]
        kept = [
            path
            for path in folders
            if (path / "execution.json").is_file() or (path / "comparison.json").is_file()
        ]
        return sorted(map(_run_of, kept), key=lambda run: (run.started, run.key))

    def read_comparison(self, run: Run) -> Mapping[str, Any]:
        """Its ``comparison.json``. Raises Unreadable."""
        return read_object(Path(run.key) / "comparison.json")

    def read_rows(self, run: Run, suite: str) -> Sequence[Row]:
        """Its ``data/suites/<suite>.jsonl``. Raises Unreadable."""
        return read_row_file(Path(run.key) / "data" / "suites" / f"{suite}.jsonl")

    def read_scores(self, run: Run, variant: str, suite: str) -> Scores:
        """Its ``scores/<variant>/<suite>.jsonl``. Raises Unreadable."""
        return read_score_file(Path(run.key) / "scores" / variant / f"{suite}.jsonl")

    def champions(self) -> Mapping[str, tuple[str, str]]:
        """Raises BadInput: folders know no registry."""
        raise BadInput("champion: folders of runs have no model registry; name the run, or ask MLflow")

    def link(self, suite: str, digest: str) -> str | None:
        """No page shows folders."""
        return None


def _run_of(folder: Path) -> Run:
    execution, _ = _read(folder / "execution.json")
    comparison, fault = _read(folder / "comparison.json")
    data, _ = _read(folder / "data" / "run.json")
    given = _mapping(execution.get("input"))
    status = str(execution.get("status", SUCCEEDED))
    values = _values_of(_mapping(comparison.get("suites")))
    cost = _mapping(_mapping(comparison.get("cost")).get("actual"))
    return Run(
        run_id=str(execution.get("name") or comparison.get("run_id") or folder.name),
        key=str(folder),
        started=_started(execution, folder),
        base_model=str(given.get("base_model") or ""),
        recipe=str(given.get("recipe") or ""),
        seed=str(given.get("seed", "")),
        trained_on=str(data.get("data_hash") or ""),
        promoted=str(_mapping(comparison.get("gate")).get("promoted") or ""),
        cost_usd=_number(cost.get("usd")),
        variant_usd=_usd_by_variant(cost.get("lines"), {variant for _, _, variant in values}),
        test_sets=_test_sets(_mapping(comparison.get("test_sets"))),
        values=values,
        fault=fault_of("FINISHED" if status == SUCCEEDED else status, values, fault),
    )


def _read(path: Path) -> tuple[Mapping[str, Any], str]:
    try:
        return read_object(path), ""
    except Unreadable as error:
        return {}, str(error)


def _started(execution: Mapping[str, Any], folder: Path) -> datetime:
    try:
        started = datetime.fromisoformat(str(execution.get("started")))
    except ValueError:
        return datetime.fromtimestamp(folder.stat().st_mtime, UTC)
    return started if started.tzinfo else started.replace(tzinfo=UTC)


def _test_sets(given: Mapping[str, Any]) -> dict[str, str]:
    digests = {suite: _mapping(one).get("digest") for suite, one in given.items()}
    return {suite: digest for suite, digest in digests.items() if isinstance(digest, str) and digest}


def _values_of(suites: Mapping[str, Any]) -> dict[tuple[str, str, str], float]:
    values = {}
    for suite in (name for name in suites if name in SUITES):
        for variant, summary in _mapping(suites[suite]).items():
            for metric, one in _mapping(_mapping(summary).get("metrics")).items():
                value = _number(_mapping(one).get("value"))
                if value is not None:
                    values[suite, metric, str(variant)] = value
    return values


def _usd_by_variant(lines: object, variants: Iterable[str]) -> dict[str, float]:
    """What the jobs of each variant cost together; a variant with a job of unknown cost is left out."""
    given = [_mapping(line) for line in lines] if isinstance(lines, list) else []
    by_job = {str(line.get("job")): _number(line.get("usd")) for line in given}
    costs = {variant: [by_job.get(job) for job in jobs_of(variant)] for variant in variants}
    return {variant: sum(filter(None, its)) for variant, its in costs.items() if None not in its}


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _number(value: object) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and math.isfinite(value) else None  # type: ignore[arg-type]
