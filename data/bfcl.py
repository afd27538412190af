"""BFCL's rows as they are published: the wheel `bfcl-eval`, or a folder or an S3 prefix laid out like it.

Berkeley Function-Calling Leaderboard v4 (https://gorilla.cs.berkeley.edu/leaderboard.html). The questions of
a category lie in `BFCL_v4_<category>.json`, JSON Lines, and what is accepted as an answer in the file of that
name below `possible_answer/`. The two are joined here, a line each, so that one reader serves all rows.
"""

import importlib.metadata
import importlib.util
import json
import lzma
import struct
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from data.objects import fetch_objects
from data.readers import RowFile
from data.rows import write_json
from data.sources import ENDINGS, Source, check_root, find_source
from data.suites import BFCL
from jobs.container import channel
from jobs.doors import BadInput

PACKAGE, VERSION = "bfcl-eval", "2026.3.23"
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
BEGINNING, ANSWERS, WHEEL = "BFCL_v4_", "possible_answer", ".whl"
# The largest file of the wheel has 3 MB.
MAX_FILE_BYTES = 2**28
SECONDS_TO_DOWNLOAD = 300
FETCHED = (".json", WHEEL, *ENDINGS)
# What zipfile raises for an entry that is damaged, encrypted, or packed by a method that it does not know.
UNREADABLE = (OSError, EOFError, RuntimeError, ValueError, struct.error, zlib.error, lzma.LZMAError)
# Where BFCL's data lies in a checkout of its repository, in an unpacked wheel, and in what either was put in.
DEPTHS = ("*", "*/*")

Raw = Mapping[str, Any]


@dataclass(frozen=True)
class Layout:
    """A folder of BFCL's files: what it holds, and what the user knows it by."""

    folder: Path
    shown: str
    version: str | None = None

    @property
    def categories(self) -> tuple[str, ...]:
        """The single-turn categories that are there."""
        return tuple(name for name in CATEGORIES if file_of(self.folder, name).is_file())

    @property
    def others(self) -> tuple[str, ...]:
        """The categories that are there and not read: they need BFCL's simulated interfaces, or its judge."""
        found = sorted(path.stem.removeprefix(BEGINNING) for path in self.folder.glob(f"{BEGINNING}*.json"))
        return tuple(name for name in found if name not in CATEGORIES)


def is_bfcl(name: str) -> bool:
    """Whether a source is BFCL by its name or its files: the word, a wheel, its layout or a file of it."""
    path = Path(name)
    is_file = path.name.startswith(BEGINNING) and path.suffix == ".json"
    return name == PACKAGE or path.suffix == WHEEL or is_file or _has_layout(path)


def find_bfcl(name: str, download_dir: Path, roots: Sequence[Path] | None = None) -> Source:
    """Find BFCL's rows and bring them here, one file a category. Raises BadInput.

    `name`: `bfcl-eval`, which is the wheel of VERSION, installed or fetched from the package registry; a
    wheel; a folder of BFCL's layout, or one of its files; a folder with one such folder up to two below, or
    with the wheel; `s3://bucket/prefix` of any; or rows of any shape that is read, in a file or a folder.
    `roots`: as for find_source.
    """
    if name == PACKAGE:
        return _joined(_packaged(download_dir), download_dir)
    if name.startswith("s3://"):
        found = fetch_objects(name, download_dir, FETCHED)
        if not found.paths:
            raise BadInput(f"{name}: there is no file of rows there; upload BFCL's data folder, or its wheel")
        here = found.paths[0] if found.is_one_object else found.folder
    else:
        here = Path(name)
        check_root(here, name, roots)
    if here.name.startswith(BEGINNING) and here.is_file():
        return _joined(Layout(here.parent, name), download_dir, only=here.stem.removeprefix(BEGINNING))
    place = _locate(here, name)
    if place is None:
        return _plain(here, name, download_dir)
    shown = name if place == here else f"{name.rstrip('/')}/{place.relative_to(here)}"
    if not name.startswith("s3://"):
        check_root(place, shown, roots)
    layout = _unpacked(place, shown, download_dir) if place.suffix == WHEEL else Layout(place, shown)
    return _joined(layout, download_dir)


def file_of(folder: Path, category: str) -> Path:
    """The questions of a category."""
    return folder / f"{BEGINNING}{category}.json"


def installed_folder() -> Path | None:
    """The data folder of the installed wheel, None where it is not installed."""
    found = importlib.util.find_spec("bfcl_eval")
    if found is None or not found.submodule_search_locations:
        return None
    return Path(found.submodule_search_locations[0]) / "data"


def join_answers(folder: Path, category: str, shown: str | None = None) -> Iterator[Raw | str]:
    """The rows of a category with `source` and `ground_truth`; a line that is no row comes as its text.

    `shown`: what the user knows the folder by. Raises BadInput where the category's answers are absent or
    cannot be read.
    """
    is_answered = category not in RELEVANCE_CATEGORIES
    answers = _read_answers(folder, category, shown or str(folder)) if is_answered else {}
    with file_of(folder, category).open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            raw = _object_of(line)
            if raw is None:
                yield line.rstrip("\n")
                continue
            truth = answers.get(str(raw.get("id")))
            given = {} if truth is None else {"ground_truth": truth}
            yield {**raw, **given, "source": f"bfcl_{category}"}


def _packaged(download_dir: Path) -> Layout:
    here = installed_folder()
    if here is not None and importlib.metadata.version(PACKAGE) == VERSION:
        return Layout(here, f"{PACKAGE}=={VERSION}", VERSION)
    return _unpacked(_download(download_dir / "wheel"), f"{PACKAGE}=={VERSION}", download_dir)


def _download(to: Path) -> Path:
    """Fetch the wheel without what it depends on: from the wheels channel where there is one."""
    staged = channel("wheels")
    where = ["--no-index", "--find-links", str(staged)] if staged.is_dir() else []
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:"]
    try:
        done = subprocess.run(
            [*command, *where, "--disable-pip-version-check", "--dest", str(to), f"{PACKAGE}=={VERSION}"],
            capture_output=True,
            text=True,
            timeout=SECONDS_TO_DOWNLOAD,
            check=False,
        )
        said = done.stderr.strip().splitlines()[-1:] or ["pip said nothing"]
    except subprocess.TimeoutExpired:
        said = [f"pip did not end within {SECONDS_TO_DOWNLOAD} s"]
    found = sorted(to.glob(f"*{WHEEL}"))
    if not found:
        raise BadInput(
            f"{PACKAGE}=={VERSION}: cannot be downloaded: {said[0]}; name a wheel, a folder or an S3 prefix "
            "by --bfcl, or stage the wheel with the jobs' own"
        )
    return found[0]


def _unpacked(wheel: Path, shown: str, download_dir: Path) -> Layout:
    """Take BFCL's files out of a wheel, and nothing else."""
    to = download_dir / "unpacked"
    try:
        with zipfile.ZipFile(wheel) as packed:
            for entry in packed.infolist():
                _unpack(packed, entry, to, shown)
    except (zipfile.BadZipFile, *UNREADABLE) as error:
        raise BadInput(f"{shown}: cannot be read as a wheel: {error}; fetch it again") from error
    if not _has_layout(to):
        raise BadInput(f"{shown}: holds no {BEGINNING}*.json; give the wheel of {PACKAGE}")
    version = wheel.name.split("-")[1] if wheel.name.count("-") > 1 else None
    return Layout(to, shown, version)


def _unpack(packed: zipfile.ZipFile, entry: zipfile.ZipInfo, to: Path, shown: str) -> None:
    path = Path(entry.filename)
    if not path.name.startswith(BEGINNING) or path.suffix != ".json":
        return
    if entry.file_size > MAX_FILE_BYTES:
        raise BadInput(f"{shown}: {entry.filename} is larger than {MAX_FILE_BYTES:,} bytes")
    folder = to / ANSWERS if path.parent.name == ANSWERS else to
    folder.mkdir(parents=True, exist_ok=True)
    # Only the name is taken, so that no entry can lead out of the folder.
    (folder / path.name).write_bytes(packed.read(entry))


def _joined(layout: Layout, download_dir: Path, only: str | None = None) -> Source:
    """Write each category with its answers as one file of rows."""
    categories = [name for name in layout.categories if only in (None, name)]
    if not categories:
        raise BadInput(f"{layout.shown}: holds no single-turn category; those are {', '.join(CATEGORIES)}")
    to = download_dir / "joined"
    to.mkdir(parents=True, exist_ok=True)
    files = []
    for category in categories:
        path = to / f"{BEGINNING}{category}.jsonl"
        with path.open("w", encoding="utf-8") as lines:
            for row in join_answers(layout.folder, category, layout.shown):
                lines.write((row if isinstance(row, str) else write_json(row)) + "\n")
        files.append(RowFile(path, f"{layout.shown} {category}", "test", BFCL, "bfcl"))
    found = Source(layout.shown, layout.version, tuple(files))
    if only is not None:
        return found
    held = [name for name, file in zip(categories, files, strict=True) if file.path.stat().st_size]
    absent = tuple(name for name in CATEGORIES if name not in held)
    return replace(found, not_read=layout.others, absent=absent)


def _plain(here: Path, name: str, download_dir: Path) -> Source:
    """Rows of any shape, in a file or in the files of a folder."""
    if here.is_dir():
        found = sorted(path for path in here.rglob("*") if path.name.endswith(ENDINGS) and path.is_file())
        paths = {path: f"{name.rstrip('/')}/{path.relative_to(here)}" for path in found}
        if not paths:
            raise BadInput(
                f"{name}: holds neither {BEGINNING}*.json, nor a folder of them with {ANSWERS} up to two "
                f"below, nor the wheel of {PACKAGE}, nor a file of rows (*.jsonl); name what holds them"
            )
    else:
        paths = (
            {here: name}
            if name.startswith("s3://")
            else {file.path: file.shown for file in find_source(name, download_dir).files}
        )
    return Source(name, None, tuple(RowFile(path, shown, "test", BFCL) for path, shown in paths.items()))


def _locate(here: Path, name: str) -> Path | None:
    """The layout or the wheel that a path stands for, None where it holds none. Raises BadInput for two."""
    if here.suffix == WHEEL or _has_layout(here):
        return here
    if not here.is_dir():
        return None
    below = [path for depth in DEPTHS for path in sorted(here.glob(depth))]
    layouts = [path for path in below if _has_layout(path) and _has_layout(path / ANSWERS)]
    wheels = [path for path in below if path.suffix == WHEEL]
    named = [path for path in wheels if path.name.startswith(PACKAGE.replace("-", "_"))]
    found = layouts or named or (wheels if len(wheels) == 1 else [])
    if len(found) > 1:
        places = ", ".join(str(path.relative_to(here)) for path in found)
        raise BadInput(f"{name}: holds BFCL more than once: {places}; name one of them")
    return found[0] if found else None


def _has_layout(path: Path) -> bool:
    try:
        return path.is_dir() and any(file_of(path, name).is_file() for name in CATEGORIES)
    except (OSError, ValueError):
        # A name that is no path at all is for the sources to refuse.
        return False


def _read_answers(folder: Path, category: str, shown: str) -> dict[str, Any]:
    path = file_of(folder / ANSWERS, category)
    try:
        with path.open(encoding="utf-8") as lines:
            found = [_object_of(line) for line in lines if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        reason = (error.strerror or "error of the disk") if isinstance(error, OSError) else str(error)
        raise BadInput(
            f"{shown}: {category} needs its possible answers, and {ANSWERS}/{path.name} cannot be read "
            f"beside it: {reason}; give the folder, or the s3://bucket/prefix, that holds both"
        ) from error
    return {str(one.get("id")): one.get("ground_truth") for one in found if one is not None}


def _object_of(line: str) -> Raw | None:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
