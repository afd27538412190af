"""The folder that a preparation writes: made aside, and moved into place when it is whole."""

import errno
import hashlib
import json
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from data.overlap import ALLOWED, OVERLAP
from evaluation.suites import SUITES
from jobs.doors import BadInput

TRAIN_SFT, TRAIN_PREFERENCE = "train_sft.jsonl", "train_pref.jsonl"
# Every file of rows that some preparation writes.
SPLITS = (TRAIN_SFT, TRAIN_PREFERENCE, *(f"suites/{name}.jsonl" for name in SUITES))
REJECTED, REPORT, PICTURE = "rejected.jsonl", "report.json", "report.png"
BASE_MODEL = "base_model"
# What tells a person why a preparation failed, and so stays when it did.
EVIDENCE = (REJECTED, OVERLAP)
WRITTEN = (*SPLITS, REJECTED, OVERLAP, ALLOWED, REPORT, PICTURE, BASE_MODEL)
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_SQLITE_FULL = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE)


class Draft:
    """A preparation while it is made: `folder` receives what will be published, `work` is scratch space.

    Both lie hidden in the folder to write, so on the same disk. `needed_bytes` estimates the space that all
    of it takes, None as long as nobody knows.
    """

    def __init__(self, hidden: Path, out: Path) -> None:
        self.needed_bytes: int | None = None
        self.folder = hidden / "result"
        self.work = hidden / "work"
        self._out = out
        (self.folder / "suites").mkdir(parents=True)
        self.work.mkdir()

    def publish(self) -> None:
        """Move the result into place; of an earlier preparation nothing stays that this one has not made."""
        for name in WRITTEN:
            _replace(self.folder / name, self._out / name)

    def leave_evidence(self) -> None:
        """Move out what says why the preparation failed, and touch nothing else."""
        for name in EVIDENCE:
            if (self.folder / name).is_file() and (self.folder / name).stat().st_size:
                _replace(self.folder / name, self._out / name)


@contextmanager
def draft(out: Path) -> Iterator[Draft]:
    """Make a preparation that is published by the caller, and that leaves nothing behind if it fails.

    Raises BadInput: the folder cannot be written, or the disk is full.
    """
    is_new = not out.exists()
    made: Draft | None = None
    hidden: Path | None = None
    try:
        hidden = _make_hidden(out)
        made = Draft(hidden, out)
        yield made
    except (OSError, sqlite3.OperationalError) as error:
        if not _is_full(error):
            raise
        raise _disk_full(out, made) from error
    finally:
        if hidden is not None:
            shutil.rmtree(hidden, ignore_errors=True)
        if is_new and out.is_dir() and not any(out.iterdir()):
            out.rmdir()


def _make_hidden(out: Path) -> Path:
    try:
        out.mkdir(parents=True, exist_ok=True)
        return Path(tempfile.mkdtemp(prefix=".preparing-", dir=out))
    except OSError as error:
        if _is_full(error):
            raise
        raise BadInput(f"--out {out}: cannot be written: {error.strerror}; name another folder") from error


def _is_full(error: OSError | sqlite3.OperationalError) -> bool:
    if isinstance(error, OSError):
        return error.errno in _FULL
    return error.sqlite_errorcode in _SQLITE_FULL


def _disk_full(out: Path, made: Draft | None) -> BadInput:
    free = shutil.disk_usage(out if out.is_dir() else out.parent).free
    needed = f"about {made.needed_bytes / 1e6:,.0f} MB are needed and " if made and made.needed_bytes else ""
    return BadInput(
        f"--out {out}: the disk is full: {needed}{free / 1e6:,.0f} MB are free; make room, or name a folder "
        "on another disk"
    )


def _replace(new: Path, old: Path) -> None:
    if old.is_dir() and not old.is_symlink():
        shutil.rmtree(old)
    if new.exists():
        old.parent.mkdir(exist_ok=True)
        new.replace(old)
    else:
        old.unlink(missing_ok=True)


class DataHash:
    """SHA-256 over the names and contents of the files, whatever order they are written in.

    Equal rows in equal order have equal hashes wherever they were read from.
    """

    def __init__(self) -> None:
        self._files: dict[str, str] = {}

    @contextmanager
    def open(self, name: str, folder: Path) -> Iterator["HashedLines"]:
        """Write one file, line by line."""
        with (folder / name).open("wb") as file:
            lines = HashedLines(file)
            yield lines
        self._files[name] = lines.hexdigest()

    def hexdigest(self) -> str:
        """The hash of all files written."""
        return hashlib.sha256(
            "".join(f"{n}\0{d}\0" for n, d in sorted(self._files.items())).encode()
        ).hexdigest()


class HashedLines:
    """A file of lines that is hashed as it is written."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._digest = hashlib.sha256()

    def write(self, line: bytes) -> None:
        """Write a line, given without its end."""
        ended = line + b"\n"
        self._file.write(ended)
        self._digest.update(ended)

    def hexdigest(self) -> str:
        """The hash of what was written."""
        return self._digest.hexdigest()


def write_report(report: Mapping[str, Any], folder: Path) -> None:
    """Write `report.json`."""
    text = json.dumps(report, indent=1, ensure_ascii=True)
    (folder / REPORT).write_text(text + "\n", encoding="utf-8")
