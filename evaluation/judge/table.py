"""A judge's report as text for a terminal."""

from __future__ import annotations

from collections.abc import Mapping

from evaluation.judge.report import JudgeReport
from evaluation.statistics import Estimate
from evaluation.tables import COLUMNS

WIDTH = 26


def table_of_report(report: JudgeReport) -> str:
    """Write what was found out, or why nothing is shown."""
    if report.status == "not_run":
        return f"not judged: {report.reason}"
    lines = [
        f"judge {report.model}, prompt {report.prompt} ({(report.prompt_digest or '')[:12]})",
        f"{report.rows} rows, {report.judged} judged, {report.left_out} left out",
        *(f"  unjudged {count} x {cause}" for cause, count in report.unjudged.items()),
        "",
        *_figures("judge and gold", {"agreement": report.agreement}, percent=True),
        *_figures(None, {"kappa": report.kappa}, percent=False),
        *_rest(report),
    ]
    return "\n".join(_clipped(line) for line in lines)


def _rest(report: JudgeReport) -> list[str]:
    if report.withheld:
        return ["", f"WITHHELD: {report.reason}; the predictions were not sent"]
    return [
        "",
        *_figures("metric, by this judge", report.metrics, percent=True),
        "",
        *_figures("recall, by this judge", report.recall, percent=True),
        "",
        *_figures("judge and rule of wording", {"agreement": report.rule_agreement}, percent=True),
        *_figures(None, {"kappa": report.rule_kappa}, percent=False),
    ]


def _figures(title: str | None, estimates: Mapping[str, Estimate], *, percent: bool) -> list[str]:
    head = [f"{title:<{WIDTH}}{'value':>8}{'95% interval':>18}{'n':>8}"] if title else []
    return head + [_figure(name, one, ".1%" if percent else ".2f") for name, one in estimates.items()]


def _figure(name: str, one: Estimate, form: str) -> str:
    value = "none" if one.value is None else format(one.value, form)
    known = one.low is not None and one.high is not None
    interval = f"{format(one.low, form)} to {format(one.high, form)}" if known else ""
    return f"{name:<{WIDTH}}{value:>8}{interval:>18}{one.n:>8}"


def _clipped(text: str) -> str:
    # A cause may quote a server: what no terminal prints would break the line.
    line = "".join(sign if sign.isprintable() else "?" for sign in text)
    return line if len(line) <= COLUMNS else line[: COLUMNS - 1] + "…"
