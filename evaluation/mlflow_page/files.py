"""The files of a run as its artifacts lie: history and the next run's gatekeeper read them from there."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

from evaluation.completions import Predictions
from evaluation.suites import suite_files


def lay_out(
    folder: Path,
    *,
    written: Sequence[Path],
    plan: Path,
    data_dir: Path,
    scores_dir: Path,
    predictions: Predictions,
) -> None:
    """Copy a run's results into `folder`.

    ``report.html``, pictures, ``comparison.json``, ``model_card.md`` and ``plan.json`` at the top;
    ``rows/<suite>.jsonl``; ``predictions`` and ``scores`` as ``<variant>/<suite>.jsonl``, the files of a
    prediction that several machines made put together.
    """
    for path in [*written, *([plan] if plan.is_file() else [])]:
        _join([path], folder / path.name)
    for path in suite_files(data_dir):
        _join([path], folder / "rows" / path.name)
        for scored in sorted(scores_dir.glob(f"*/{path.name}")):
            _join([scored], folder / "scores" / scored.parent.name / path.name)
    for suite, by_variant in predictions.items():
        for variant, paths in by_variant.items():
            _join(paths, folder / "predictions" / variant / f"{suite}.jsonl")


def _join(paths: Iterable[Path], out: Path) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    with out.open("wb") as whole:
        for path in paths:
            with path.open("rb") as part:
                shutil.copyfileobj(part, whole)
