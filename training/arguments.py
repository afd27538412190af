"""The command line that the training doors share, with the container's paths as defaults."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from jobs import container
from jobs.doors import BadInput, DoorParser


@dataclass(frozen=True)
class TrainingJob:
    """Where a training finds its input and leaves its output."""

    recipe: Path
    model: Path
    train: Path
    out: Path
    checkpoints: Path
    overrides: Mapping[str, str]


def parse_arguments(argv: Sequence[str], description: str, rows_file: str) -> TrainingJob:
    """Read ``RECIPE [--model DIR] [--train FILE] [--out DIR] [--field value …]``.

    Raises BadInput for a path that is not there, or an override without a value.
    """
    # Abbreviations are off: a recipe's field is no short form of an option.
    parser = DoorParser(description=description, allow_abbrev=False)
    parser.add_argument("recipe", type=Path, help="a YAML file of training/recipes")
    parser.add_argument(
        "--model", type=Path, default=container.channel("model"), help="the model to start from"
    )
    parser.add_argument(
        "--train", type=Path, default=container.channel("data") / rows_file, help="rows to learn"
    )
    parser.add_argument(
        "--out", type=Path, help="folder for the result; the container's model folder by default"
    )
    known, rest = parser.parse_known_args(argv)
    _check(known.model / "config.json", "--model names no model folder")
    _check(known.train, "--train names no file")
    checkpoints = known.out / "checkpoints" if known.out else container.checkpoint_dir()
    out = known.out or container.model_dir()
    out.mkdir(parents=True, exist_ok=True)
    return TrainingJob(known.recipe, known.model, known.train, out, checkpoints, parse_overrides(rest))


def parse_overrides(arguments: Sequence[str]) -> dict[str, str]:
    """Read ``--field value`` and ``--field=value``.

    >>> parse_overrides(["--learning_rate", "1e-4", "--seed=7"])
    {'learning_rate': '1e-4', 'seed': '7'}
    """
    overrides: dict[str, str] = {}
    rest = list(arguments)
    while rest:
        option = rest.pop(0)
        field, has_value, value = option.removeprefix("--").partition("=")
        if not option.startswith("--") or not (has_value or rest):
            raise BadInput(f"'{option}': write overrides as --field value")
        overrides[field] = value if has_value else rest.pop(0)
    return overrides


def _check(path: Path, fault: str) -> None:
    if not path.is_file():
        raise BadInput(f"{fault}: {path} is not there")
