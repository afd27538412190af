"""Where rows come from: a file, a directory, an S3 prefix, or a dataset on the Hugging Face hub.

S3 and the hub are brought to a local folder first, so that one reader serves all of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from data.hub import HUB_ID, fetch_dataset
from data.lines import COMPRESSED
from data.objects import fetch_objects
from data.output import EVIDENCE, REPORT
from data.overlap import ALLOWED, read_allowed
from data.readers import RowFile
from data.rows import Purpose
from evaluation.suites import SUITES
from jobs.doors import BadInput

# By file name, compressed or not, wherever in the folder it lies; the first pattern that fits decides. The
# suites are those that a preparation writes.
PATTERNS: tuple[tuple[str, Purpose], ...] = (
    ("*train_sft*.jsonl", "sft"),
    ("*train_pref*.jsonl", "preference"),
    ("*test*.jsonl", "test"),
    *((f"{suite}.jsonl", "test") for suite in SUITES),
)
ENDINGS = tuple(".jsonl" + compression for compression in ("", *COMPRESSED))


@dataclass(frozen=True)
class Source:
    """A source as it was found.

    `revision`: the hub commit or None. `files`: every file of rows in it. `allowed_overlap`: the test ids
    that its `allowed_overlap.txt` names. `unread`: files of lines whose name does not say what they are for.
    `not_read`: parts that are published with the rows and no suite takes. `absent`: parts that a suite takes
    and the source lacks.
    """

    uri: str
    revision: str | None
    files: tuple[RowFile, ...]
    allowed_overlap: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()
    not_read: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()

    def of(self, purpose: Purpose | None) -> tuple[RowFile, ...]:
        """The files for a purpose; a lone file serves any. None gives all."""
        return tuple(
            replace(file, purpose=file.purpose or purpose)
            for file in self.files
            if purpose is None or file.purpose in (None, purpose)
        )

    def warnings(self) -> list[str]:
        """Files that lie among the rows and are not read, and parts that should lie there and do not."""
        said = []
        if self.unread:
            wanted = ", ".join(pattern for pattern, _ in PATTERNS[:3])
            unread = ", ".join(self.unread)
            said.append(f"not read, since the name fits none of {wanted}: {unread}; rename or move")
        if self.absent:
            said.append(
                f"{self.uri} is incomplete: no rows of {', '.join(self.absent)}, so that a mean over "
                "categories is one of fewer than are published; add them, or name the one file that is meant"
            )
        return said

    def describe(self) -> dict[str, Any]:
        """What the report says of it."""
        files = [file.shown for file in self.files]
        not_read = {"not_read": list(self.not_read)} if self.not_read else {}
        return {"uri": self.uri, "revision": self.revision, "files": files, **not_read}


def find_source(name: str, download_dir: Path, roots: Sequence[Path] | None = None) -> Source:
    """Find a source and bring it here. Raises BadInput, each cause with its own message.

    `name`: a path, `s3://bucket/prefix`, or `org/name[@revision]` on the hub. A folder's files are told apart
    by their names: `*train_sft*.jsonl`, `*train_pref*.jsonl`, `*test*.jsonl`, also `.gz` and `.zst`.
    `roots`: the folders that local paths must lie in; None lets them lie anywhere.
    """
    if name.startswith("s3://"):
        return _find_in_s3(name, download_dir)
    path = Path(name)
    if _exists(path):
        check_root(path, name, roots)
        return _find_here(path, name)
    if HUB_ID.fullmatch(name) and not name.endswith(ENDINGS):
        folder, commit = fetch_dataset(name, _download_patterns())
        # The hub's cache keeps the contents beside its snapshots and links to them.
        return _folder(folder, name, f"hub:{name}", commit, within=folder.parent.parent)
    raise BadInput(f"{name}: there is no such file or directory; give a path, s3://bucket/prefix or org/name")


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError) as error:
        raise BadInput(f"{path}: cannot be looked up as a path: {error}") from error


def _find_here(path: Path, name: str) -> Source:
    if path.is_dir():
        return _folder(path, name, str(path), None, within=path)
    if path.is_file():
        return Source(str(path), None, (RowFile(path, name, None),))
    raise BadInput(f"{name}: is neither a file nor a directory; give a file of rows")


def check_root(path: Path, name: str, roots: Sequence[Path] | None) -> None:
    """Raise BadInput for a path outside of the roots.

    A job is told by an execution's input what to read, which must not be any file of its machine.
    """
    if roots is not None and not any(path.resolve().is_relative_to(root.resolve()) for root in roots):
        allowed = ", ".join(map(str, roots))
        raise BadInput(
            f"{name}: a job reads local paths below {allowed} only; give s3://bucket/prefix or org/name"
        )


def _folder(folder: Path, shown: str, uri: str, revision: str | None, *, within: Path) -> Source:
    """The rows below a folder, none of which may lie outside of `within`, as a link can lead."""
    named = {path: _purpose_of(path.name) for path in sorted(folder.rglob("*"))}
    files = tuple(
        RowFile(path, f"{shown.rstrip('/')}/{path.relative_to(folder)}", purpose, _suite_of(path.name))
        for path, purpose in named.items()
        if purpose is not None and (path.is_file() or path.is_symlink()) and not _is_left_empty(path, folder)
    )
    if not files:
        wanted = ", ".join(pattern for pattern, _ in PATTERNS[:3])
        raise BadInput(f"{shown}: holds no file of rows; name them {wanted}, or with .gz or .zst behind")
    allowed = folder / ALLOWED
    for path in (*(file.path for file in files), allowed):
        if not path.resolve().is_relative_to(within.resolve()):
            raise BadInput(f"{path}: is a link that leads out of {shown}; put the file itself there")
    ids = read_allowed(allowed) if allowed.is_file() else []
    unread = tuple(
        str(path.relative_to(folder))
        for path, purpose in named.items()
        if purpose is None and path.name.endswith(ENDINGS) and path.name not in EVIDENCE
    )
    return Source(uri, revision, files, tuple(ids), unread)


def _is_left_empty(path: Path, folder: Path) -> bool:
    """Whether a preparation had no row for a file that it wrote: no fault where it is prepared again."""
    return (folder / REPORT).is_file() and path.is_file() and path.stat().st_size == 0


def _purpose_of(name: str) -> Purpose | None:
    plain = _without_compression(name)
    return next((purpose for pattern, purpose in PATTERNS if fnmatch(plain, pattern)), None)


def _suite_of(name: str) -> str | None:
    suite = _without_compression(name).removesuffix(".jsonl")
    return suite if suite in SUITES else None


def _without_compression(name: str) -> str:
    for compression in COMPRESSED:
        name = name.removesuffix(compression)
    return name


def _download_patterns() -> list[str]:
    rows = [pattern.removesuffix(".jsonl") + ending for pattern, _ in PATTERNS[:3] for ending in ENDINGS]
    return [*rows, ALLOWED]


def _find_in_s3(uri: str, download_dir: Path) -> Source:
    found = fetch_objects(uri, download_dir, (*ENDINGS, ALLOWED, REPORT))
    if not any(path.name.endswith(ENDINGS) for path in found.paths):
        raise BadInput(f"{uri}: there is no .jsonl file there; upload the rows, or mend the URI")
    if found.is_one_object:
        return Source(uri, None, (RowFile(found.paths[0], uri, None),))
    return _folder(found.folder, uri, uri, None, within=found.folder)
