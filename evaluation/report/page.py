"""The report: one HTML page that opens from disk, with pictures, rows, style and script inside.

Everything that comes from rows and models is made visible and escaped by the template engine, or packed as
data that the script turns into text nodes. The page's policy (Content Security Policy, level 2) allows the
two blocks of ours by their hashes, pictures in the page, and nothing else: no request, no other script.
"""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from evaluation.comparison import Comparison
from evaluation.figures import FIGURES
from evaluation.report.changes import Changes, changes_of
from evaluation.report.costs import costs_of, describe_costs, format_usd
from evaluation.report.gate import EM_DASH, format_points, format_share, read_gate
from evaluation.report.headline import arrange_suites, describe_start, head_lines
from evaluation.report.moves import hardly_taken, meaning_of, moves_of
from evaluation.report.names import names_of
from evaluation.report.pictures import Picture
from evaluation.report.plot_curves import SMOOTHING, panels_of
from evaluation.report.provenance import provenance_of
from evaluation.report.results import Results
from evaluation.report.rows import pack_rows, rows_link
from evaluation.report.slices import Slice, describe_undivided, slices_of
from evaluation.report.visible import make_visible
from evaluation.sentences import describe_judge, describe_pair, format_estimate, format_p
from evaluation.suites import SUITES
from evaluation.summary import Summary
from evaluation.toolcalls.decision import DECISIONS

TEMPLATES = Path(__file__).resolve().parent / "templates"
# In this order: what shows rows, and what finds them.
SCRIPTS = ("rows.js", "report.js")
# The sections that hold pictures, by what their names begin with.
PICTURES_OF = {
    "accuracy": ("accuracy",),
    "changes": ("changes",),
    "decisions": ("recall", "confusion"),
    "slices": ("slices",),
    "curves": ("curves",),
    "cost": ("reward", "cost"),
}
# Of a name that stands on one line whatever the width; a longer one is broken.
LONGEST_NAME = 32
# The grader's word for a row without a fault.
CORRECT = "correct"


def render_report(results: Results, pictures: Sequence[Picture]) -> str:
    """Render the page, with the suite that the run is judged by first.

    The text holds no unpaired surrogate, so it can be written as UTF-8.
    """
    results = arrange_suites(results)
    comparison = results.comparison
    style, script = read_template("report.css"), read_script()
    costs = costs_of(results.plan, comparison)
    gate = read_gate(results.plan)
    slices = slices_of(comparison, results.contaminated)
    return (
        _environment()
        .get_template("report.html.jinja")
        .render(
            comparison=comparison,
            suites=SUITES,
            figures=FIGURES,
            gate=gate,
            head_lines=head_lines(results, gate, costs),
            start=describe_start(comparison.run_id),
            moves=moves_of(comparison),
            hardly=hardly_taken(comparison),
            decisions={suite: decisions_of(found) for suite, found in comparison.summaries.items()},
            pictures=place_pictures(pictures),
            changes=_by_suite(comparison, changes_of(comparison)),
            slices=_by_suite(comparison, slices),
            undivided=describe_undivided(slices),
            failures={suite: failures_of(summaries) for suite, summaries in comparison.summaries.items()},
            panels=panels_of(results.curves),
            smoothing=SMOOTHING,
            costs=costs,
            cost_words=describe_costs(costs) if costs else "",
            names=names_of(results),
            provenance=provenance_of(results),
            row_count=sum(len(rows) for rows in comparison.rows.values()),
            packed_rows=pack_rows(results),
            policy=policy_of(style, script),
            style=Markup(style),  # noqa: S704
            script=Markup(script),  # noqa: S704
        )
    )


def read_template(name: str) -> str:
    """The text of a file beside the templates, as the page holds it."""
    return (TEMPLATES / name).read_text(encoding="utf-8")


def read_script() -> str:
    """The page's script: its files, one behind the other."""
    return "\n".join(map(read_template, SCRIPTS))


def policy_of(style: str, script: str) -> str:
    """The Content Security Policy of a page with one block of style and one of script."""
    return "; ".join(
        (
            "default-src 'none'",
            "img-src data:",
            f"style-src '{_hash_of(style)}'",
            f"script-src '{_hash_of(script)}'",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )


def place_pictures(pictures: Sequence[Picture]) -> dict[str, list[Picture]]:
    """The pictures by section; those of no section stand under `other`."""
    placed: dict[str, list[Picture]] = {section: [] for section in (*PICTURES_OF, "other")}
    for picture in pictures:
        known = (section for section, starts in PICTURES_OF.items() if picture.name.startswith(starts))
        placed[next(known, "other")].append(picture)
    return placed


def decisions_of(summaries: Mapping[str, Summary]) -> list[str]:
    """The decisions that some scored row of a suite expects."""
    return [name for name in DECISIONS if any(one.recall[name].n for one in summaries.values())]


def break_name(name: str) -> Markup:
    """A name that may be broken after an underscore and nowhere else.

    >>> str(break_name("over_<b>"))
    'over_<wbr>&lt;b&gt;'
    """
    return Markup(str(escape(make_visible(name))).replace("_", "_<wbr>"))  # noqa: S704


def failures_of(summaries: Mapping[str, Summary]) -> list[str]:
    """The reasons for which rows of a suite are not correct, the commonest of all variants first."""
    total = sum((Counter(summary.reasons) for summary in summaries.values()), Counter[str]())
    return [reason for reason, _ in total.most_common() if reason != CORRECT]


def format_seconds(seconds: float | None) -> str:
    """A job's seconds as hours, minutes and seconds.

    >>> format_seconds(3725), format_seconds(59), format_seconds(None)
    ('1 h 02 min', '59 s', '—')
    """
    if seconds is None:
        return EM_DASH
    minutes, rest = divmod(round(seconds), 60)
    if minutes >= 60:
        return f"{minutes // 60} h {minutes % 60:02} min"
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_shown,
    )
    environment.filters["estimate"] = format_estimate
    environment.filters["sentence"] = describe_pair
    environment.filters["judged"] = describe_judge
    environment.filters["seconds"] = format_seconds
    environment.filters["usd"] = lambda amount: EM_DASH if amount is None else format_usd(amount)
    environment.filters["p"] = lambda p: EM_DASH if p is None else format_p(p)
    environment.filters["share"] = format_share
    environment.filters["points"] = format_points
    environment.filters["meaning"] = meaning_of
    environment.filters["name"] = break_name
    environment.filters["number"] = lambda count: f"{count:,}"
    environment.filters["rows_link"] = rows_link
    environment.filters["is_long"] = lambda name: len(name) > LONGEST_NAME
    environment.filters["data_uri"] = _as_data_uri
    return environment


def _shown(value: object) -> object:
    # Markup is what the template itself made, and is a str too.
    return make_visible(value) if type(value) is str else value


def _by_suite(
    comparison: Comparison, found: Sequence[Changes] | Sequence[Slice]
) -> dict[str, list[Changes | Slice]]:
    by_suite = {suite: [one for one in found if one.suite == suite] for suite in comparison.rows}
    return {suite: group for suite, group in by_suite.items() if group}


def _as_data_uri(svg: str) -> str:
    encoded = base64.b64encode(svg.encode("utf-8", "replace")).decode("ascii")
    return f"data:image/svg+xml;base64,{encoded}"


def _hash_of(block: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(block.encode("utf-8")).digest()).decode("ascii")
