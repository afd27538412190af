"""The rows of a run as the report's browser reads them: prompt, tools, gold, and every variant's answer."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal
from urllib.parse import urlencode

from evaluation.pairs import Row, outcome_of
from evaluation.report.changes import Changes, changes_of
from evaluation.report.results import Results
from evaluation.report.slices import NO_SOURCE, is_contaminated, language_of, tools_slice
from evaluation.report.visible import make_visible
from evaluation.suites import SUITES, Suite
from evaluation.toolcalls.score import Score

# Fast, and within a few per cent of the smallest.
COMPRESSION = 6
NOT_SCORED = Score(None, error="no score has this id")
Direction = Literal["mended", "broken"]
# What a row is to the variant before a stage and to the one after it.
DIRECTIONS: Mapping[Direction, tuple[str, str]] = {"mended": ("wrong", "right"), "broken": ("right", "wrong")}


def pack_rows(results: Results) -> str:
    """The rows as base64 of gzipped JSON: a fifth of the size, and nothing in it that HTML could read."""
    content = json.dumps(rows_of(results), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    packed = gzip.compress(content.encode("utf-8"), COMPRESSION, mtime=0)
    return base64.b64encode(packed).decode("ascii")


def rows_of(results: Results) -> dict[str, Any]:
    """All rows of all suites: ``{variants, suites, stages, tool_lists, rows}``.

    `suites`: by name, the `metric` that says which outcome is right, and the `variants`. `stages`: what a
    stage may do to a row, ``{name, before, after}`` with each ``{variant, outcome}``. `tool_lists`: each list
    once, ``[{name, description, parameters}]``. A row: `id`, `suite`, `source`, `language`, `overlaps`
    (whether training asks the same), `decision` (expected), `tools` (the place of its list), `offered` (its
    slice by tools), `messages` (`role`, `text`, `calls`), `gold` (`label`, `text`) and `results` by variant:
    `outcome` (right, wrong or unscored), `reason`, `decision`, `value`, `parts`, `text` (null where no
    prediction is known). Every text is made visible.
    """
    comparison = results.comparison
    tool_lists: dict[str, int] = {}
    rows = [
        _record(suite, row, results, tool_lists)
        for suite, suite_rows in comparison.rows.items()
        for row in suite_rows
    ]
    suites = {
        suite: {"metric": SUITES[suite].main_metric, "variants": list(comparison.scores[suite])}
        for suite in comparison.rows
    }
    whole = {
        "variants": comparison.variants,
        "suites": suites,
        "stages": _stages(changes_of(comparison)),
        "tool_lists": [_tools(text) for text in tool_lists],
        "rows": rows,
    }
    shown: dict[str, Any] = _visible(whole)
    return shown


def rows_link(one: Changes, direction: Direction, reason: str | None = None) -> str:
    """The address of the rows that a stage mended or broke, for one reason or for all, in the browser.

    The reason is that of the variant which is wrong: before what is mended, after what is broken.
    """
    asked = {"suite": one.suite, "changed": _stage_name(one.a, one.b, direction)}
    if reason is not None:
        asked |= {"variant": one.b if direction == "mended" else one.a, "reason": reason}
    return "#" + urlencode({name: make_visible(text) for name, text in asked.items()})


def _stages(changes: Sequence[Changes]) -> list[dict[str, Any]]:
    pairs = dict.fromkeys((one.a, one.b) for one in changes)
    return [
        {
            "name": _stage_name(a, b, direction),
            "before": {"variant": b, "outcome": before},
            "after": {"variant": a, "outcome": after},
        }
        for a, b in pairs
        for direction, (before, after) in DIRECTIONS.items()
    ]


def _stage_name(a: str, b: str, direction: Direction) -> str:
    return f"{a} over {b}: {direction}"


def _record(suite: str, row: Row, results: Results, tool_lists: dict[str, int]) -> dict[str, Any]:
    row_id = str(row["id"])
    tools = str(row["tools"])
    return {
        "id": row_id,
        "suite": suite,
        "source": str(row.get("source") or NO_SOURCE),
        "language": language_of(row),
        "overlaps": is_contaminated(row, results.contaminated),
        "decision": str(row["expected"]["decision"]),
        "tools": tool_lists.setdefault(tools, len(tool_lists)),
        "offered": tools_slice(row),
        "messages": [_message(one) for one in row["messages"]],
        "gold": _gold(row),
        "results": _results(SUITES[suite], row, results),
    }


def _results(suite: Suite, row: Row, results: Results) -> dict[str, Any]:
    row_id = str(row["id"])
    written = results.completions.get(suite.name, {})
    return {
        variant: _result(suite, row, scores.get(row_id, NOT_SCORED), written.get(variant, {}).get(row_id))
        for variant, scores in results.comparison.scores[suite.name].items()
    }


def _result(suite: Suite, row: Row, score: Score, text: str | None) -> dict[str, str | None]:
    return {
        "outcome": _outcome(suite, row, score),
        "reason": str(score.reason or "") if score.value is not None else str(score.error or ""),
        "decision": str(score.decision or ""),
        "value": "" if score.value is None else f"{score.value:.3g}",
        "parts": ", ".join(f"{name} {part:.3g}" for name, part in score.parts.items()),
        "text": _likelihoods(text) if text and suite.kind == "multiple_choice" else text,
    }


def _outcome(suite: Suite, row: Row, score: Score) -> str:
    right = outcome_of(row, score, suite.main_metric)
    return "unscored" if right is None else "right" if right else "wrong"


def _likelihoods(text: str) -> str:
    """The choices of a multiple-choice prediction, the likeliest a character first."""
    try:
        choices = json.loads(text)
        each = [(name, float(one["logprob"]), int(one["characters"])) for name, one in choices.items()]
    except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError):
        return text
    ranked = sorted(each, key=lambda one: one[1] / max(one[2], 1), reverse=True)
    return "\n".join(
        f"{name}: {nats / max(characters, 1):.3f} nats a character ({nats:.1f} over {characters})"
        for name, nats, characters in ranked
    )


def _message(message: Any) -> dict[str, Any]:
    if not isinstance(message, Mapping):
        return {"role": "unknown", "text": _as_text(message), "calls": []}
    calls = message.get("tool_calls") or ()
    name = message.get("name")
    role = str(message.get("role") or "unknown") + (f" ({name})" if name else "")
    return {
        "role": role,
        "text": _as_text(message.get("content")),
        "calls": [_call(one) for one in (calls if isinstance(calls, list) else (calls,) if calls else ())],
    }


def _call(call: Any) -> str:
    """``name(arguments)`` of a call in OpenAI's shape or ours; anything else as JSON."""
    inner = call.get("function", call) if isinstance(call, Mapping) else call
    if not isinstance(inner, Mapping) or "name" not in inner:
        return _as_text(call)
    return f"{inner['name']}({_as_text(inner.get('arguments'))})"


def _gold(row: Row) -> list[dict[str, str]]:
    expected: Mapping[str, Any] = row["expected"]
    calls, text = expected.get("calls"), _as_text(expected.get("text"))
    answers = _answers(row)
    parts = {
        "calls": "\n".join(_call(one) for one in calls) if isinstance(calls, list) else _as_text(calls),
        "accepted values": _accepted(expected.get("allowed")),
        # Of several answers to choose from it is one.
        "text": "" if text in answers.values() else text,
        **answers,
    }
    return [{"label": label, "text": text} for label, text in parts.items() if text]


def _answers(row: Row) -> dict[str, str]:
    answers = row.get("answers")
    right = row["expected"]["decision"]
    named = answers.items() if isinstance(answers, Mapping) else ()
    return {f"answer {name}{' (right)' if name == right else ''}": _as_text(text) for name, text in named}


def _accepted(allowed: Any) -> str:
    """BFCL's ``[{function: {argument: [value, …]}}]``, a line an argument; another shape as JSON."""
    calls = _read_json(allowed)
    named = [one for one in calls if _is_accepted(one)] if isinstance(calls, list) else []
    if not named or len(named) < len(calls):
        return _indented(calls)
    return "\n".join(
        "\n".join(
            [name, *(f"  {key}: {' or '.join(map(_dump, values))}" for key, values in arguments.items())]
        )
        for call in named
        for name, arguments in call.items()
    )


def _is_accepted(call: Any) -> bool:
    return isinstance(call, Mapping) and all(
        isinstance(arguments, Mapping) and all(isinstance(values, list) for values in arguments.values())
        for arguments in call.values()
    )


def _tools(text: str) -> list[dict[str, str]]:
    """The tools of a row's JSON text; what is none is shown as it stands."""
    try:
        tools = json.loads(text)
    except (ValueError, RecursionError):
        return [{"name": "not JSON", "description": text, "parameters": ""}]
    return [_tool(one) for one in (tools if isinstance(tools, list) else [tools])]


def _tool(tool: Any) -> dict[str, str]:
    if not isinstance(tool, Mapping):
        return {"name": "no tool", "description": _as_text(tool), "parameters": ""}
    rest = {key: value for key, value in tool.items() if key not in ("name", "description")}
    return {
        "name": _as_text(tool.get("name")),
        "description": _as_text(tool.get("description")),
        "parameters": _indented(rest.get("parameters", rest)),
    }


def _as_text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else _dump(value)


def _indented(value: Any) -> str:
    """JSON, or a JSON text, over several lines; a text that is none as it stands."""
    if value in (None, "", {}, []):
        return ""
    read = _read_json(value)
    return read if isinstance(read, str) else _dump(read, indent=1)


def _read_json(value: Any) -> Any:
    """What a JSON text says; anything else as it is."""
    try:
        return json.loads(value) if isinstance(value, str) else value
    except (ValueError, RecursionError):
        return value


def _dump(value: Any, indent: int | None = None) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, indent=indent)
    except RecursionError:
        return "nested too deeply to be shown"


def _visible(value: Any) -> Any:
    if isinstance(value, str):
        return make_visible(value)
    if isinstance(value, Mapping):
        return {make_visible(str(key)): _visible(one) for key, one in value.items()}
    return [_visible(one) for one in value] if isinstance(value, list) else value
