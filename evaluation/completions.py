"""What the variants wrote: the predictions of a run, found and read for whoever shows or judges them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from evaluation.jsonl import read_jsonl
from evaluation.suites import SUITES

# Files of predictions by suite and variant.
Predictions = Mapping[str, Mapping[str, Sequence[Path]]]
# Completions by suite, variant and row id.
Completions = Mapping[str, Mapping[str, Mapping[str, str]]]


def find_predictions(folder: Path) -> Predictions:
    """Find ``<variant>/…/<suite>.jsonl`` below a folder, however deep: files by suite and variant."""
    found: dict[str, dict[str, list[Path]]] = {}
    for path in sorted(folder.glob("*/**/*.jsonl")) if folder.is_dir() else []:
        variant = path.relative_to(folder).parts[0]
        if path.stem in SUITES:
            found.setdefault(path.stem, {}).setdefault(variant, []).append(path)
    return found


def read_completions(predictions: Predictions) -> Completions:
    """Read the generated texts, or the choices' likelihoods as JSON, by suite, variant and row id."""
    return {
        suite: {
            variant: {str(one.get("id")): _text_of(one) for path in paths for one in read_jsonl(path)}
            for variant, paths in by_variant.items()
        }
        for suite, by_variant in predictions.items()
    }


def _text_of(prediction: Mapping[str, Any]) -> str:
    if "choices" in prediction:
        return json.dumps(prediction["choices"], indent=1)
    return str(prediction.get("completion", ""))
