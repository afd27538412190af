"""BFCL v4's single-turn rows and its checker, from the wheel `bfcl-eval` of the test environment.

The rows are those that data.bfcl reads, held against the tools as training rows are, so that it shows which
of them no tool would take. The wheel is installed without what it asks for, so the one module of it that
imports every provider's client is replaced by a stub. Its rows serve to compare graders and never enter
training.
"""

from __future__ import annotations

import importlib
import sys
import types
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from data.bfcl import AST_CATEGORIES, CATEGORIES, installed_folder, join_answers
from data.rows import RowError, write_json
from data.shapes.reading import read_rows
from data.shapes.tools import read_tools
from jobs.doors import BadInput

__all__ = ["AST_CATEGORIES", "CATEGORIES"]
LANGUAGES = {"simple_java": "java", "simple_javascript": "javascript"}
MODEL_CONFIG = "bfcl_eval.constants.model_config"

Arguments = Mapping[str, Any]
NamedCall = tuple[str, Arguments]
AstChecker = Callable[[Any, Any, Any, Any, str, str], Mapping[str, Any]]
Checker = Callable[["BfclRow", Sequence[NamedCall]], "Verdict"]


class WheelAbsent(BadInput):
    """The wheel `bfcl-eval` is not installed here."""


class BfclRow(NamedTuple):
    """One row of BFCL: as it is published, and as the canonical row that our grader reads.

    `truth`: its possible answers, None for irrelevance and relevance. `refused`: why our reader does not take
    the row; it is graded all the same.
    """

    id: str
    category: str
    functions: list[dict[str, Any]]
    truth: list[dict[str, Any]] | None
    row: Mapping[str, Any]
    refused: str | None = None


class Verdict(NamedTuple):
    """Whether a checker takes the calls; `error` is its reason, or the exception that it died of."""

    valid: bool
    error: str = ""
    crashed: bool = False


def load_rows(category: str) -> list[BfclRow]:
    """Read a category of CATEGORIES, in the wheel's order. Raises WheelAbsent."""
    joined = join_answers(_wheel(), category)
    return [_row(raw, category) for raw in joined if isinstance(raw, Mapping)]


def load_ast_checker() -> AstChecker:
    """BFCL's `ast_checker` itself, of functions, output, possible answer, language, category and model.

    Raises WheelAbsent.
    """
    _wheel()
    # Names with a dot stay as they are, as models do that are prompted rather than called by an API.
    stub: Any = types.ModuleType(MODEL_CONFIG)
    stub.MODEL_CONFIG_MAPPING = defaultdict(lambda: types.SimpleNamespace(underscore_to_dot=False))
    sys.modules[MODEL_CONFIG] = stub
    module = importlib.import_module("bfcl_eval.eval_checker.ast_eval.ast_checker")
    checker: AstChecker = module.ast_checker
    return checker


def language_of(category: str) -> Any:
    """The member of BFCL's `Language` that the checker wants for a category. Raises WheelAbsent."""
    _wheel()
    return importlib.import_module("bfcl_eval.constants.enums").Language(LANGUAGES.get(category, "python"))


def load_checker() -> Checker:
    """BFCL's `ast_checker`, and its rule for relevance, with crashes as verdicts. Raises WheelAbsent."""
    ast_checker = load_ast_checker()
    languages = {category: language_of(category) for category in AST_CATEGORIES}

    def check(row: BfclRow, calls: Sequence[NamedCall]) -> Verdict:
        if row.truth is None:
            return Verdict(bool(calls) is (row.category == "live_relevance"), "relevance")
        output = [{name: dict(arguments)} for name, arguments in calls]
        language = languages[row.category]
        try:
            found = ast_checker(row.functions, output, row.truth, language, row.category, "any-model")
        # Whatever the checker dies of is a finding here.
        except Exception as error:
            return Verdict(False, f"{type(error).__name__}: {error}", crashed=True)
        return Verdict(bool(found["valid"]), str(found.get("error_type", "")))

    return check


@cache
def _wheel() -> Path:
    folder = installed_folder()
    if folder is None:
        raise WheelAbsent("bfcl-eval is not installed here: pip install --no-deps -r requirements-bfcl.txt")
    return folder


def _row(raw: Mapping[str, Any], category: str) -> BfclRow:
    given = raw["id"], category, raw["function"], raw.get("ground_truth")
    try:
        (read,) = read_rows(raw, "bfcl", "bfcl")
    except RowError as error:
        return BfclRow(*given, _unread(raw, category), str(error))
    return BfclRow(*given, read.to_json())


def _unread(given: Mapping[str, Any], category: str) -> dict[str, Any]:
    """The canonical row of one that the reader refuses: what it cannot be right about is left as it is."""
    truth = given.get("ground_truth")
    expected: dict[str, Any] = {
        "decision": "cannot_answer" if category.endswith("irrelevance") else "tool_call",
        "calls": [],
        "allowed": None if truth is None else write_json(truth),
        "text": None,
    }
    tools = write_json(read_tools(given["function"], "function"))
    return {
        "id": given["id"],
        "source": given["source"],
        "tools": tools,
        "messages": [],
        "expected": expected,
    }
