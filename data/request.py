"""What a preparation is asked to do, read from the command line."""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from data.bfcl import PACKAGE, is_bfcl
from data.lines import MAX_LINE_BYTES
from data.overlap import ALLOWED, POLICIES, Policy
from data.readers import Reading
from data.rejections import MAX_REJECTED_SHARE
from data.rows import Purpose
from data.shapes.reading import SHAPE_NAMES
from data.suites import BFCL, DEFAULT, in_order, read_suites
from evaluation.suites import SUITES
from jobs.container import model_dir
from jobs.doors import BadInput, DoorParser

DESCRIPTION = """Prepare rows: canonical files, suites, what was rejected, and a report. As a job there is no
SOURCE: --train, --preference and --test name the sources, and the model folder receives the result. A source
is a path, s3://bucket/prefix, or org/name[@revision] on the hub; files are JSON Lines, plain, .gz or .zst."""


@dataclass(frozen=True)
class Request:
    """What to read, where to write.

    `named`: a source for one purpose each; `source`: for all the others, or None. `caps`: rows, 0 for all.
    `max_rejected_share`: of the rows read, 0 to 1. `overlap`: what to do where training rows ask what test
    rows ask; `allowed_overlap`: test ids that may. `tokenizer`: a folder or an s3:// URI. `suites`: those to
    write, in their order; `names_suites`: they were asked for, so that each of them must have rows. `bfcl`:
    the source of BFCL's rows, as find_bfcl takes it.
    """

    source: str | None
    named: Mapping[Purpose, str]
    out: Path
    caps: Mapping[Purpose, int]
    seed: int
    base_model: str | None
    tokenizer: str | None
    chat_template: Path | None
    recipes: Sequence[Path] = ()
    reading: Reading = field(default_factory=Reading)
    max_rejected_share: float = MAX_REJECTED_SHARE
    overlap: Policy = "refuse"
    allowed_overlap: Sequence[str] = ()
    suites: Sequence[str] = DEFAULT
    names_suites: bool = False
    bfcl: str | None = None


def read_request(arguments: Sequence[str] | None) -> Request:
    """Parse the arguments. Raises BadInput."""
    given = _parser().parse_args(arguments)
    if given.source and given.out is None:
        raise BadInput("--out is absent: name the folder to write")
    named: dict[Purpose, str | None] = {
        "sft": given.train,
        "preference": given.preference,
        "test": given.test,
    }
    sources = {purpose: name for purpose, name in named.items() if name}
    source, bfcl = _part_bfcl(given.source, given.bfcl)
    if not source and not sources and not bfcl:
        raise BadInput("nothing to prepare: give a SOURCE, or --train, --preference and --test")
    suites = in_order(given.suites or DEFAULT)
    if bfcl and BFCL not in suites:
        raise BadInput(f"{bfcl}: no suite takes rows of BFCL; add {BFCL} to --suites")
    return Request(
        source=source,
        named=sources,
        out=given.out or model_dir(),
        caps={"sft": given.sft_rows, "preference": given.preference_rows, "test": given.test_rows},
        seed=given.seed,
        base_model=given.base_model,
        tokenizer=given.tokenizer,
        chat_template=given.chat_template,
        recipes=given.recipe,
        reading=Reading(given.shape, given.max_line_bytes),
        max_rejected_share=given.max_rejected_share,
        overlap=given.overlap,
        allowed_overlap=given.allow_overlap,
        suites=suites,
        names_suites=given.suites is not None,
        bfcl=bfcl,
    )


def _part_bfcl(source: str | None, bfcl: str | None) -> tuple[str | None, str | None]:
    """A SOURCE that is BFCL's serves as --bfcl, for whoever wants nothing else."""
    if source is None or not is_bfcl(source):
        return source, bfcl
    if bfcl is not None and bfcl != source:
        raise BadInput(f"{source}: holds rows of BFCL, and so does --bfcl {bfcl}; give one of them")
    return None, source


def _parser() -> argparse.ArgumentParser:
    parser = DoorParser(prog="python -m data.prepare", description=DESCRIPTION)
    parser.add_argument("source", nargs="?", metavar="SOURCE")
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder to write")
    for name in ("train", "preference", "test"):
        parser.add_argument(f"--{name}", metavar="SOURCE", help=f"source of the {name} rows")
    for name in ("sft", "preference", "test"):
        parser.add_argument(f"--{name}-rows", type=_count, default=0, metavar="N", help="at most; 0 is all")
    parser.add_argument(
        "--seed",
        type=int,
        default=0,
        help="of the samples of training rows; test rows are drawn alike for all",
    )
    parser.add_argument(
        "--suites",
        type=read_suites,
        action="extend",
        metavar="NAMES",
        help=f"to write, with commas between, each of which must have rows: {', '.join(SUITES)} "
        f"(default: {','.join(DEFAULT)}, even without rows)",
    )
    parser.add_argument(
        "--bfcl",
        metavar="SOURCE",
        help=f"of BFCL's rows: {PACKAGE} for its wheel, a path or s3://bucket/prefix (default: {PACKAGE})",
    )
    _add_checks(parser)
    _add_model(parser)
    return parser


def _add_checks(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--shape", choices=SHAPE_NAMES, help="of all rows; without it each row's keys tell")
    parser.add_argument(
        "--max-rejected-share",
        type=_share,
        default=MAX_REJECTED_SHARE,
        metavar="X",
        help="stop where more of the rows are bad (default: %(default)s)",
    )
    parser.add_argument(
        "--max-line-bytes",
        type=_positive,
        default=MAX_LINE_BYTES,
        metavar="N",
        help="reject longer lines (default: %(default)s)",
    )
    parser.add_argument(
        "--overlap",
        choices=POLICIES,
        default="refuse",
        help="where training rows ask what test rows ask: stop, or drop the training rows",
    )
    parser.add_argument(
        "--allow-overlap",
        action="append",
        default=[],
        metavar="ID",
        help=f"a test row that may overlap; again for more, or one a line in {ALLOWED} beside the rows",
    )


def _add_model(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--base-model", metavar="ID", help="also fetch org/name[@revision] from the hub")
    parser.add_argument(
        "--tokenizer", metavar="DIR", help="folder or s3:// URI of the model to measure and check calls with"
    )
    parser.add_argument("--chat-template", type=Path, metavar="FILE", help="instead of the tokenizer's own")
    parser.add_argument(
        "--recipe",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="of the training to come: its template, call format and length; again for more",
    )


def _count(text: str) -> int:
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError("rows must be 0 (all) or more")
    return value


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return value


def _share(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError("must lie between 0 and 1")
    return value
