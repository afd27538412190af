"""BFCL v4's single-turn rows and its checker, from the wheel `bfcl-eval` of the test environment.

The wheel is installed without what it asks for, so the one module of it that imports every provider's client
is replaced by a stub. Its rows serve to compare graders and never enter training.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import sys
import types
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from data.rows import RowError, write_json
from data.shapes.reading import read_rows
from data.shapes.tools import read_tools
from jobs.doors import BadInput

AST_CATEGORIES = (
    "simple_python",
    "simple_java",
    "simple_javascript",
    "multiple",
    "parallel",
    "parallel_multiple",
    "live_simple",
    "live_multiple",
    "live_parallel",
    "live_parallel_multiple",
)
RELEVANCE_CATEGORIES = ("irrelevance", "live_irrelevance", "live_relevance")
CATEGORIES = (*AST_CATEGORIES, *RELEVANCE_CATEGORIES)
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
    folder = _wheel() / "data"
    rows = _read_lines(folder / f"BFCL_v4_{category}.json")
    if category in RELEVANCE_CATEGORIES:
        return [_row(raw, category, None) for raw in rows]
    answers = _read_lines(folder / "possible_answer" / f"BFCL_v4_{category}.json")
    truths = {one["id"]: one["ground_truth"] for one in answers}
    return [_row(raw, category, truths[raw["id"]]) for raw in rows]


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
    found = importlib.util.find_spec("bfcl_eval")
    if found is None or not found.submodule_search_locations:
        raise WheelAbsent("bfcl-eval is not installed here: pip install --no-deps -r requirements-bfcl.txt")
    return Path(found.submodule_search_locations[0])


def _read_lines(path: Path) -> list[dict[str, Any]]:
    with path.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def _row(raw: dict[str, Any], category: str, truth: list[dict[str, Any]] | None) -> BfclRow:
    given = {**raw, "source": f"bfcl_{category}"}
    if truth is not None:
        given["ground_truth"] = truth
    try:
        (read,) = read_rows(given, "bfcl", "bfcl")
    except RowError as error:
        return BfclRow(raw["id"], category, raw["function"], truth, _unread(given, category), str(error))
    return BfclRow(raw["id"], category, raw["function"], truth, read.to_json())


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
