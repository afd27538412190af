"""A suite's figures as text for a terminal of a hundred columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from data.rows import Rejection
from evaluation.figures import FIGURES
from evaluation.inputs import describe_unread
from evaluation.rounding import write_number
from evaluation.statistics import Estimate
from evaluation.summary import Summary
from evaluation.toolcalls.decision import DECISIONS, MALFORMED

COLUMNS = 100
LINES_SHOWN = 10
CATEGORIES_SHOWN = 30


def table_of_summary(summary: Summary, unknown_ids: Sequence[str], unread: Sequence[Rejection]) -> str:
    """Write everything that was found out, no line longer than COLUMNS."""
    blocks = [
        _counts(summary, unknown_ids, unread),
        _figures("metric", summary.metrics, {name: one.of for name, one in FIGURES.items()}),
        _figures("recall", summary.recall, dict.fromkeys(summary.recall, "rows that expect it")),
        _categories(summary.categories),
        _confusion(summary.confusion),
        _reasons(summary.reasons),
    ]
    return "\n\n".join("\n".join(map(_clipped, block)) for block in blocks if block)


def _counts(summary: Summary, unknown_ids: Sequence[str], unread: Sequence[Rejection]) -> list[str]:
    scored = summary.rows - summary.unscored
    lines = [f"{summary.rows} rows, {scored} scored, {summary.unscored} unscored"]
    lines += _some([f"  unscored {count} x {cause}" for cause, count in summary.errors.items()])
    if unread:
        lines.append(f"{len(unread)} of the rows cannot be read:")
        lines += _some([f"  {describe_unread(one)}" for one in unread])
    if unknown_ids:
        lines.append(f"{len(unknown_ids)} predictions belong to no row, such as {unknown_ids[0]!r}")
    return lines


def _figures(title: str, estimates: Mapping[str, Estimate], of: Mapping[str, str]) -> list[str]:
    lines = [f"{title:<26}{'value':>8}{'95% interval':>18}{'n':>8}" + ("  of" if of else "")]
    for name, one in estimates.items():
        value = "none" if one.value is None else _percent(one.value)
        interval = (
            "" if one.low is None or one.high is None else f"{_percent(one.low)} to {_percent(one.high)}"
        )
        lines.append(
            f"{name or '(none)':<26.26}{value:>8}{interval:>18}{one.n:>8}  {of.get(name, '')}".rstrip()
        )
    return lines


def _categories(categories: Mapping[str, Estimate]) -> list[str]:
    # One category alone is the suite, which has its ast_accuracy above.
    if len(categories) < 2:
        return []
    head, *lines = _figures("ast_accuracy by source", categories, {})
    return [head, *_some(lines, CATEGORIES_SHOWN)]


def _confusion(table: Mapping[str, Mapping[str, int]]) -> list[str]:
    taken = [name for name in (*DECISIONS, MALFORMED) if any(name in row for row in table.values())]
    if not taken:
        return []
    lines = [f"{'expected / taken':<18}" + "".join(f"{name:>{len(name) + 2}}" for name in taken)]
    lines += [
        f"{expected:<18}" + "".join(f"{table[expected].get(name, 0):>{len(name) + 2}}" for name in taken)
        for expected in DECISIONS
        if expected in table
    ]
    return lines


def _reasons(reasons: Mapping[str, int]) -> list[str]:
    return [f"{reason:<26}{rows:>8}" for reason, rows in {"reason": "rows", **reasons}.items()]


def _some(lines: Sequence[str], shown: int = LINES_SHOWN) -> list[str]:
    left_out = len(lines) - shown
    return [*lines[:shown], *([f"  and {left_out} more"] if left_out > 0 else [])]


def _clipped(text: str) -> str:
    # A cause may quote a model: what no terminal prints would break the line, or the encoding.
    line = "".join(sign if sign.isprintable() else "?" for sign in text)
    return line if len(line) <= COLUMNS else line[: COLUMNS - 1] + "…"


def _percent(share: float) -> str:
    return f"{write_number(100 * share)}%"
