"""What a preparation is asked to do, read from the command line."""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from data.rows import Purpose
from jobs.container import model_dir
from jobs.doors import BadInput, DoorParser

DESCRIPTION = """Prepare rows: canonical files, suites, what was rejected, and a report. As a job there is no
SOURCE: --train, --preference and --test name the sources, and the model folder receives the result. A source
is a path, s3://bucket/prefix, or org/name[@revision] on the hub."""


@dataclass(frozen=True)
class Request:
    """What to read, where to write.

    `named`: a source for one purpose each; `source`: for all the others, or None. `caps`: rows, 0 for all.
    """

    source: str | None
    named: Mapping[Purpose, str]
    out: Path
    caps: Mapping[Purpose, int]
    seed: int
    base_model: str | None
    tokenizer: Path | None
    chat_template: Path | None


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
    if not given.source and not sources:
        raise BadInput("nothing to prepare: give a SOURCE, or --train, --preference and --test")
    return Request(
        source=given.source,
        named=sources,
        out=given.out or model_dir(),
        caps={"sft": given.sft_rows, "preference": given.preference_rows, "test": given.test_rows},
        seed=given.seed,
        base_model=given.base_model,
        tokenizer=given.tokenizer,
        chat_template=given.chat_template,
    )


def _parser() -> argparse.ArgumentParser:
    parser = DoorParser(prog="python -m data.prepare", description=DESCRIPTION)
    parser.add_argument("source", nargs="?", metavar="SOURCE")
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder to write")
    for name in ("train", "preference", "test"):
        parser.add_argument(f"--{name}", metavar="SOURCE", help=f"source of the {name} rows")
    for name in ("sft", "preference", "test"):
        parser.add_argument(
            f"--{name}-rows", type=_row_count, default=0, metavar="N", help="at most; 0 is all"
        )
    parser.add_argument("--seed", type=int, default=0, help="of the samples")
    parser.add_argument("--base-model", metavar="ID", help="also fetch org/name[@revision] from the hub")
    parser.add_argument("--tokenizer", type=Path, metavar="DIR", help="measure lengths in its tokens")
    parser.add_argument("--chat-template", type=Path, metavar="FILE", help="instead of the tokenizer's own")
    return parser


def _row_count(text: str) -> int:
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError("rows must be 0 (all) or more")
    return value
