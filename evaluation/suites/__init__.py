"""The suites that a variant is judged by: a file each, ``<name>.yaml`` beside this one.

A file says what the suite `asks`, how it is predicted (`kind`), which test rows belong to it (`rows`), by
whose rules it is graded (`rules`), which figures it is given (`shown` in tables, `also` in the report), by
which one variants are held against each other (`main_metric`), how long an answer may be
(`max_new_tokens`), and the prompt by which a language model may judge it too (`judge`). docs/suites.md says
what each can be compared with.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, get_args

import yaml

from evaluation.figures import FIGURES
from jobs.doors import BadInput

Kind = Literal["multiple_choice", "generation"]
# Which test rows a suite takes: all; those with When2Call's four answers; BFCL's; the turns of conversations.
RowRule = Literal["all", "answers", "bfcl", "conversations"]
Rules = Literal["default", "bfcl"]

FOLDER = Path(__file__).resolve().parent
DEFAULT_MAX_NEW_TOKENS = 160
_CHOICES = {"kind": get_args(Kind), "rows": get_args(RowRule), "rules": get_args(Rules)}


@dataclass(frozen=True)
class Suite:
    """How a suite is predicted and measured; see the module."""

    name: str
    asks: str
    kind: Kind
    rows: RowRule
    shown: tuple[str, ...]
    main_metric: str
    also: tuple[str, ...] = ()
    rules: Rules = "default"
    max_new_tokens: int = DEFAULT_MAX_NEW_TOKENS
    judge: str | None = None

    @property
    def figures(self) -> tuple[str, ...]:
        """Every figure that the suite is given, those of its tables first."""
        return (*self.shown, *self.also)


def read_suite(path: Path) -> Suite:
    """Read a suite's file. Raises BadInput naming the file and the field."""
    try:
        given = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError, RecursionError) as error:
        raise BadInput(f"{path}: cannot be read: {error}") from error
    if not isinstance(given, dict):
        raise BadInput(f"{path}: a suite is a mapping, 'field: value' lines")
    _check(given, path)
    listed = {key: tuple(value) for key, value in given.items() if key in ("shown", "also")}
    return Suite(path.stem, **{**given, **listed})


def _check(given: Mapping[str, Any], path: Path) -> None:
    known = [one.name for one in fields(Suite) if one.name != "name"]
    for key in given:
        if key not in known:
            raise BadInput(f"{path}: unknown field {key!r}; known are {', '.join(known)}")
    for key in ("asks", "kind", "rows", "shown", "main_metric"):
        if key not in given:
            raise BadInput(f"{path}: '{key}' is absent")
    for key, choices in _CHOICES.items():
        if given.get(key, choices[0]) not in choices:
            raise BadInput(f"{path}: {key} {given[key]!r}: say {' or '.join(choices)}")
    named = [*given["shown"], *given.get("also", ())]
    unknown = [name for name in (*named, given["main_metric"]) if name not in FIGURES]
    if unknown:
        raise BadInput(f"{path}: unknown figure {unknown[0]!r}; known are {', '.join(FIGURES)}")
    if given["main_metric"] not in named:
        raise BadInput(f"{path}: main_metric {given['main_metric']!r} is not among 'shown' and 'also'")


# In the order in which they are predicted and reported.
ORDER = ("when2call_mcq", "when2call_generate", "bfcl_single_turn", "multi_turn", "own")
SUITES: Mapping[str, Suite] = {name: read_suite(FOLDER / f"{name}.yaml") for name in ORDER}


def suite_files(data_dir: Path) -> list[Path]:
    """The suites of a prepared data directory, in their order. Raises BadInput for none or an unknown one."""
    folder = data_dir / "suites"
    found = {path.stem: path for path in sorted(folder.glob("*.jsonl"))}
    unknown = [name for name in found if name not in SUITES]
    if unknown:
        raise BadInput(f"{found[unknown[0]]}: unknown suite; known are {', '.join(SUITES)}")
    if not found:
        raise BadInput(f"{folder}: holds no suite (*.jsonl); point it to what data.prepare wrote")
    return [found[name] for name in SUITES if name in found]
